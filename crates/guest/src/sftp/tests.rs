//! The server as a client sees it: packets in, packets out, files in a directory of the test's own.

use std::path::Path;

use super::packet::Packet;

/// A client that sends all it has to say and then reads the answers.
struct Client {
    said: Vec<u8>,
    count: u32,
}

/// An answer: its kind, and what follows the request's number.
struct Answer {
    kind: u8,
    body: Vec<u8>,
}

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRIBUTES: u8 = 105;

/// The first handle that a session gives.
const FIRST: [u8; 4] = [0; 4];

impl Client {
    fn new() -> Client {
        Client { said: Packet::new(1).number(3).finish(), count: 0 }
    }

    fn ask(&mut self, kind: u8, fill: impl FnOnce(Packet) -> Packet) -> &mut Client {
        self.count += 1;
        self.said.extend(fill(Packet::new(kind).number(self.count)).finish());
        self
    }

    /// The answers after the greeting, in the order of the questions.
    fn hear(&self) -> Vec<Answer> {
        let mut heard = Vec::new();
        super::serve(self.said.as_slice(), &mut heard).unwrap();
        let mut rest = heard.as_slice();
        let mut packets = Vec::new();
        while let Some(bytes) = super::next(&mut rest).unwrap() {
            packets.push(bytes);
        }
        assert_eq!(packets.remove(0)[..5], [2, 0, 0, 0, 3]);
        let ids = packets.iter().map(|it| u32::from_be_bytes(it[1..5].try_into().unwrap()));
        assert!(ids.eq(1..=self.count));
        packets.into_iter().map(|it| Answer { kind: it[0], body: it[5..].to_vec() }).collect()
    }
}

impl Answer {
    fn status(&self) -> u32 {
        assert_eq!(self.kind, STATUS, "{}", String::from_utf8_lossy(&self.body));
        u32::from_be_bytes(self.body[..4].try_into().unwrap())
    }
}

fn named(path: &Path) -> impl Fn(Packet) -> Packet + '_ {
    move |it| it.bytes(path.to_str().unwrap())
}

#[test]
fn a_file_is_written_read_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut client = Client::new();
    // Read, write, create; with mode 0640.
    client.ask(3, |it| named(&path)(it).number(0x1 | 0x2 | 0x8).number(0x4).number(0o640));
    client.ask(6, |it| it.bytes(FIRST).long(0).bytes("hello world"));
    client.ask(6, |it| it.bytes(FIRST).long(6).bytes("there"));
    client.ask(5, |it| it.bytes(FIRST).long(0).number(1 << 20));
    client.ask(5, |it| it.bytes(FIRST).long(11).number(10));
    client.ask(8, |it| it.bytes(FIRST));
    client.ask(4, |it| it.bytes(FIRST));
    client.ask(4, |it| it.bytes(FIRST));
    let heard = client.hear();
    let kinds: Vec<u8> = heard.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [HANDLE, STATUS, STATUS, DATA, STATUS, ATTRIBUTES, STATUS, STATUS]);
    assert_eq!(&heard[3].body[4..], b"hello there");
    assert_eq!(heard[4].status(), 1, "the end of the file");
    assert_eq!(heard[5].body[4..12], 11u64.to_be_bytes());
    assert_eq!(heard[5].body[20..24], 0o100640u32.to_be_bytes());
    assert_eq!((heard[6].status(), heard[7].status()), (0, 4), "closed once");
    assert_eq!(std::fs::read(&path).unwrap(), b"hello there");
}

#[test]
fn attributes_are_given_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "0123456789").unwrap();
    let mut client = Client::new();
    // Size, permissions and times.
    client.ask(9, |it| {
        named(&path)(it).number(0x1 | 0x4 | 0x8).long(4).number(0o100600).number(1000).number(2000)
    });
    client.ask(17, named(&path));
    let heard = client.hear();
    assert_eq!(heard[0].status(), 0);
    let seen = &heard[1].body;
    assert_eq!(seen[4..12], 4u64.to_be_bytes());
    assert_eq!(seen[20..24], 0o100600u32.to_be_bytes());
    assert_eq!((&seen[24..28], &seen[28..32]), (&1000u32.to_be_bytes()[..], &2000u32.to_be_bytes()[..]));
}

#[test]
fn directories_are_made_listed_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    let mut client = Client::new();
    client.ask(14, |it| named(&inner)(it).number(0));
    client.ask(11, named(folder.path()));
    client.ask(12, |it| it.bytes(FIRST));
    client.ask(12, |it| it.bytes(FIRST));
    client.ask(15, named(&inner));
    client.ask(17, named(&inner));
    let heard = client.hear();
    assert_eq!((heard[0].status(), heard[1].kind, heard[2].kind), (0, HANDLE, NAME));
    let listed = String::from_utf8_lossy(&heard[2].body);
    assert!(
        heard[2].body.starts_with(&[0, 0, 0, 1, 0, 0, 0, 5]) && listed.contains("drwxr-xr-x"),
        "{listed}"
    );
    assert_eq!((heard[3].status(), heard[4].status(), heard[5].status()), (1, 0, 2));
}

#[test]
fn a_rename_replaces_nothing_unless_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|it| folder.path().join(it));
    std::fs::write(&one, "one").unwrap();
    std::fs::write(&other, "other").unwrap();
    let both = |it| named(&other)(named(&one)(it));
    let mut client = Client::new();
    client.ask(18, both);
    client.ask(200, |it| both(it.bytes("posix-rename@openssh.com")));
    let heard = client.hear();
    assert_eq!((heard[0].status(), heard[1].status()), (4, 0));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "one");
}

#[test]
fn paths_and_links_are_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (file, link) = (root.join("file"), root.join("link"));
    std::fs::write(&file, "").unwrap();
    let mut client = Client::new();
    client.ask(20, |it| named(&link)(it.bytes("file")));
    client.ask(19, named(&link));
    client.ask(16, named(&link));
    client.ask(16, |it| named(&root.join("./x/../new"))(it));
    client.ask(16, |it| named(&root.join("new"))(it));
    client.ask(200, |it| it.bytes("expand-path@openssh.com").bytes("~nobody/x"));
    let heard = client.hear();
    let name = |answer: &Answer| {
        let length = u32::from_be_bytes(answer.body[4..8].try_into().unwrap()) as usize;
        String::from_utf8(answer.body[8..8 + length].to_vec()).unwrap()
    };
    assert_eq!(heard[0].status(), 0);
    assert_eq!(name(&heard[1]), "file");
    assert_eq!(name(&heard[2]), file.to_str().unwrap());
    assert_eq!(heard[3].status(), 2, "a directory on the way that is not there");
    assert_eq!(name(&heard[4]), root.join("new").to_str().unwrap());
    assert_eq!(heard[5].status(), 8);
}

#[test]
fn what_is_no_request_is_refused_and_the_talk_goes_on() {
    let mut client = Client::new();
    client.ask(99, |it| it);
    client.ask(5, |it| it.number(400));
    client.ask(5, |it| it.bytes("no handle").long(0).number(1));
    client.ask(200, |it| it.bytes("unheard-of@example.com"));
    client.ask(13, |it| it.bytes("/no/such/file"));
    let statuses: Vec<u32> = client.hear().iter().map(Answer::status).collect();
    assert_eq!(statuses, [8, 5, 5, 8, 2]);
}

#[test]
fn a_packet_that_is_too_long_ends_the_talk() {
    let mut said = Client::new().said;
    said.extend((super::PACKET_MAX + 1).to_be_bytes());
    assert!(super::serve(said.as_slice(), std::io::sink()).is_err());
}
