//! What a guest's resolver answers: Azure's names, all of them at one address, the machines of its virtual network, and nothing else.
//!
//! One question a message, as every client asks; the answer is always short, so it always fits a datagram. A name of
//! Azure's has an A record and no other: an AAAA query gets an answer without records, so that clients go on to IPv4 at once.
//! Any other name does not exist, which is the truth inside a guest: no packet of it leaves the machine. Where machines are let out
//! (`outside`), the host's resolver is asked for the addresses of other names, and for nothing else of them: what is not done says so.
//!
//! The machines of the network are found by their names, and their names by their addresses (PTR), for as long as they run.
//!
//! The coding is RFC 1035 §4, by hand: the libraries for it bring a resolver's worth of dependencies for four record types we
//! never need. What is malformed is answered with a format error where its id can be read, and dropped where not.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use guest::Network;

use super::{
    outside::{self, Found, Outside},
    route::{self, Target},
};

const HEADER: usize = 12;
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;
const TTL_SECONDS: u32 = 60;

const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;
const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;
const TYPE_ANY: u16 = 255;

/// Response codes (RFC 1035 §4.1.1).
const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;

/// What a guest's names stand for.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) hostname: String,
    /// The guest's own address.
    pub(super) own: Ipv4Addr,
    pub(super) network: Option<Network>,
    /// Where all of Azure's names are.
    pub(super) service: Ipv4Addr,
    /// Who is asked for names outside.
    pub(super) outside: Option<Arc<Outside>>,
}

impl Names {
    fn find(&self, name: &str) -> Option<Ipv4Addr> {
        let is_own = name.eq_ignore_ascii_case(&self.hostname);
        let neighbour = self.network.as_ref().and_then(|it| it.find(name));
        match route::by_name(name) {
            _ if is_own => Some(self.own),
            _ if neighbour.is_some() => neighbour,
            _ if name.eq_ignore_ascii_case("localhost") => Some(Ipv4Addr::LOCALHOST),
            Target::Foreign => None,
            _ => Some(self.service),
        }
    }

    /// The name behind `4.0.0.10.in-addr.arpa`.
    fn name_of(&self, name: &str) -> Option<String> {
        let digits = name.to_ascii_lowercase();
        let mut digits: Vec<&str> = digits.strip_suffix(".in-addr.arpa")?.split('.').collect();
        digits.reverse();
        self.network.as_ref()?.name_of(digits.join(".").parse().ok()?)
    }

    fn record(&self, question: &Question<'_>) -> Option<Record> {
        match question.kind {
            _ if !question.is_internet() => None,
            TYPE_PTR => self.name_of(&question.name).map(Record::Name),
            _ => self.find(&question.name).map(|it| Record::Address(it.into())),
        }
    }

    /// Whether somebody outside is to be asked for what is not known here.
    fn asks(&self, question: &Question<'_>) -> Option<Arc<Outside>> {
        let is_foreign = question.is_internet() && outside::is_asked(&question.name);
        self.outside.clone().filter(|_| is_foreign)
    }
}

/// What is known of a name.
enum Record {
    Address(IpAddr),
    Name(String),
}

impl Record {
    /// Its type and its bytes.
    fn coded(&self) -> (u16, Vec<u8>) {
        match self {
            Record::Address(IpAddr::V4(address)) => (TYPE_A, address.octets().to_vec()),
            Record::Address(IpAddr::V6(address)) => (TYPE_AAAA, address.octets().to_vec()),
            Record::Name(name) => {
                let label = |it: &str| [&[it.len() as u8], it.as_bytes()].concat();
                let labels = name.split('.').filter(|it| it.len() <= LABEL_MAX).flat_map(label);
                (TYPE_PTR, labels.chain([0]).collect())
            }
        }
    }
}

/// What there is to say to a message.
pub(super) enum Answer {
    Now(Vec<u8>),
    /// When somebody outside has been asked.
    Later(Asking),
}

impl Answer {
    pub(super) async fn whole(self) -> Vec<u8> {
        match self {
            Answer::Now(reply) => reply,
            Answer::Later(asking) => asking.reply().await,
        }
    }
}

/// A question that is for somebody outside.
pub(super) struct Asking {
    outside: Arc<Outside>,
    header: [u8; HEADER],
    name: String,
    kind: u16,
    question: Vec<u8>,
}

impl Asking {
    pub(super) async fn reply(self) -> Vec<u8> {
        let found = self.outside.look_up(&self.name).await;
        self.told(found)
    }

    fn told(&self, found: Found) -> Vec<u8> {
        let (code, addresses) = match found {
            Found::Addresses(addresses) => (NO_ERROR, addresses),
            Found::Nobody => (NAME_ERROR, Vec::new()),
            Found::Failed => (SERVER_FAILURE, Vec::new()),
        };
        let all = addresses.into_iter().map(Record::Address);
        let wanted: Vec<Record> = all.filter(|it| wants(self.kind, it)).collect();
        let ttl = outside::HOLDS.as_secs() as u32;
        reply(&self.header, code, &self.question, &wanted, ttl)
    }
}

/// The answer to a message; none to what is no query.
pub(super) fn answer(message: &[u8], names: &Names) -> Option<Answer> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let is_response = header[2] & 0x80 != 0;
    if is_response {
        return None;
    }
    let opcode = header[2] >> 3 & 0x0f;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let question = Question::read(&message[HEADER..]).filter(|_| questions == 1);
    let now = |code, question, records: &[Record]| reply(header, code, question, records, TTL_SECONDS);
    Some(Answer::Now(match question {
        _ if opcode != 0 => now(NOT_IMPLEMENTED, &[], &[]),
        None => now(FORMAT_ERROR, &[], &[]),
        Some(question) => match (names.record(&question), names.asks(&question)) {
            (Some(record), _) if wants(question.kind, &record) => now(NO_ERROR, question.bytes, &[record]),
            (Some(_), _) => now(NO_ERROR, question.bytes, &[]),
            (None, None) => now(NAME_ERROR, question.bytes, &[]),
            (None, Some(outside)) if question.is_of_addresses() => {
                return Some(Answer::Later(question.asking(outside, header)));
            }
            (None, Some(_)) => now(NOT_IMPLEMENTED, question.bytes, &[]),
        },
    }))
}

struct Question<'m> {
    name: String,
    kind: u16,
    class: u16,
    /// As it came, to be repeated in the answer.
    bytes: &'m [u8],
}

impl<'m> Question<'m> {
    /// Reads labels up to the root, then type and class. A question has no compressed names: nothing stands before it.
    fn read(bytes: &'m [u8]) -> Option<Self> {
        let mut name = String::new();
        let mut at = 0;
        loop {
            let length = usize::from(*bytes.get(at)?);
            let label = bytes.get(at + 1..at + 1 + length)?;
            at += 1 + length;
            if length == 0 {
                break;
            }
            if length > LABEL_MAX || at > NAME_MAX {
                return None;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|byte| char::from(*byte)));
        }
        let [k1, k2, c1, c2] = *bytes.get(at..at + 4)?.first_chunk()?;
        let (kind, class) = (u16::from_be_bytes([k1, k2]), u16::from_be_bytes([c1, c2]));
        Some(Question { name, kind, class, bytes: &bytes[..at + 4] })
    }

    fn is_internet(&self) -> bool {
        matches!(self.class, CLASS_IN | CLASS_ANY)
    }

    fn is_of_addresses(&self) -> bool {
        matches!(self.kind, TYPE_A | TYPE_AAAA | TYPE_ANY)
    }

    fn asking(self, outside: Arc<Outside>, header: &[u8; HEADER]) -> Asking {
        Asking { outside, header: *header, name: self.name, kind: self.kind, question: self.bytes.to_vec() }
    }
}

/// Whether a question of this type is answered by this record.
fn wants(kind: u16, record: &Record) -> bool {
    match record {
        Record::Address(IpAddr::V4(_)) => matches!(kind, TYPE_A | TYPE_ANY),
        Record::Address(IpAddr::V6(_)) => matches!(kind, TYPE_AAAA | TYPE_ANY),
        Record::Name(_) => true,
    }
}

/// As many of the records as fit a datagram (RFC 1035 §2.3.4): of a name's many addresses, some do.
fn reply(query: &[u8; HEADER], code: u8, question: &[u8], records: &[Record], ttl: u32) -> Vec<u8> {
    const DATAGRAM: usize = 512;
    const NAME_TYPE_CLASS_TTL_LENGTH: usize = 12;
    let mut room = DATAGRAM.saturating_sub(HEADER + question.len());
    let coded = records.iter().map(Record::coded).take_while(|(_, bytes)| {
        let left = room.checked_sub(NAME_TYPE_CLASS_TTL_LENGTH + bytes.len());
        room = left.unwrap_or_default();
        left.is_some()
    });
    let coded: Vec<(u16, Vec<u8>)> = coded.collect();
    let mut out = Vec::with_capacity(HEADER + question.len() + 16);
    out.extend_from_slice(&query[..2]);
    // A response, of the query's opcode, recursion desired as it was; recursion available.
    out.push(0x80 | query[2] & 0x79);
    out.push(0x80 | code);
    let counts = [u16::from(!question.is_empty()), coded.len() as u16, 0, 0];
    out.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    out.extend_from_slice(question);
    for (kind, bytes) in coded {
        // The name is the question's, which begins right after the header.
        out.extend_from_slice(&[0xc0, HEADER as u8]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out.extend_from_slice(&ttl.to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::outside::ThisHost, *};
    use crate::env::{Egress, LogFormat};

    const TYPE_MX: u16 = 15;

    /// The answer to a message, where nobody outside has to be asked.
    fn answer(message: &[u8], names: &Names) -> Option<Vec<u8>> {
        super::answer(message, names).map(|answer| match answer {
            Answer::Now(reply) => reply,
            Answer::Later(asking) => panic!("somebody outside was asked for `{}`", asking.name),
        })
    }

    fn names() -> Names {
        Names {
            hostname: "myVM".to_owned(),
            own: Ipv4Addr::new(10, 0, 0, 4),
            network: Some(Network::default()),
            service: Ipv4Addr::new(10, 255, 255, 1),
            outside: None,
        }
    }

    fn query(name: &str, kind: u16, class: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend_from_slice(label.as_bytes());
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&class.to_be_bytes());
        message
    }

    /// The answer's code, and the address at its end if it has one.
    fn read(reply: &[u8]) -> (u8, Option<[u8; 4]>) {
        let has_address = reply[7] == 1;
        (reply[3] & 0x0f, has_address.then(|| *reply.last_chunk().expect("an address")))
    }

    #[test]
    fn azures_names_are_at_the_service_address_and_others_do_not_exist() {
        let service = Some([10, 255, 255, 1]);
        for (name, kind, class, expected) in [
            ("management.azure.com", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("LOGIN.microsoftonline.com", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("acct.blob.core.windows.net", TYPE_ANY, CLASS_IN, (NO_ERROR, service)),
            ("vault.azure.net", TYPE_A, CLASS_IN, (NO_ERROR, service)),
            ("management.azure.com", TYPE_AAAA, CLASS_IN, (NO_ERROR, None)),
            ("myvm", TYPE_A, CLASS_IN, (NO_ERROR, Some([10, 0, 0, 4]))),
            ("localhost", TYPE_A, CLASS_IN, (NO_ERROR, Some([127, 0, 0, 1]))),
            ("example.org", TYPE_A, CLASS_IN, (NAME_ERROR, None)),
            ("management.azure.com", TYPE_A, 3, (NAME_ERROR, None)),
        ] {
            let reply = answer(&query(name, kind, class), &names()).expect("an answer");
            assert_eq!(read(&reply), expected, "{name} {kind} {class}");
        }
    }

    #[test]
    fn where_machines_are_let_out_the_addresses_of_other_names_are_asked_for() {
        let outside = Outside::new(Egress::Internet, Arc::new(ThisHost), LogFormat::Off);
        let names = Names { outside, ..names() };
        for (name, kind, class, expected) in [
            ("example.org", TYPE_A, CLASS_IN, Ok("example.org")),
            ("Example.org", TYPE_AAAA, CLASS_IN, Ok("Example.org")),
            ("example.org", TYPE_ANY, CLASS_ANY, Ok("example.org")),
            ("example.org", TYPE_MX, CLASS_IN, Err(NOT_IMPLEMENTED)),
            ("example.org", TYPE_A, 3, Err(NAME_ERROR)),
            ("myvm", TYPE_A, CLASS_IN, Err(NO_ERROR)),
            ("vm8", TYPE_A, CLASS_IN, Err(NAME_ERROR)),
            ("vm8.x.internal.cloudapp.net", TYPE_A, CLASS_IN, Err(NAME_ERROR)),
            ("4.0.0.10.in-addr.arpa", TYPE_PTR, CLASS_IN, Err(NAME_ERROR)),
            ("management.azure.com", TYPE_AAAA, CLASS_IN, Err(NO_ERROR)),
            ("vault.azure.net", TYPE_A, CLASS_IN, Err(NO_ERROR)),
            ("vault.azure.net", TYPE_MX, CLASS_IN, Err(NO_ERROR)),
        ] {
            let answered = match super::answer(&query(name, kind, class), &names).expect("an answer") {
                Answer::Now(reply) => Err(read(&reply).0),
                Answer::Later(asking) => Ok(asking.name),
            };
            assert_eq!(answered, expected.map(str::to_owned), "{name} {kind} {class}");
        }
    }

    #[test]
    fn what_was_found_outside_is_told_as_far_as_it_was_asked_for_and_fits() {
        let outside = Outside::new(Egress::Internet, Arc::new(ThisHost), LogFormat::Off);
        let names = Names { outside, ..names() };
        let both = Found::Addresses(["198.51.100.7", "2001:db8::7"].map(|it| it.parse().unwrap()).to_vec());
        let many = Found::Addresses(vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)); 100]);
        for (kind, found, code, records, ends) in [
            (TYPE_A, both.clone(), NO_ERROR, 1, &[198, 51, 100, 7][..]),
            (TYPE_AAAA, both.clone(), NO_ERROR, 1, &[0, 0, 0, 7]),
            (TYPE_ANY, both, NO_ERROR, 2, &[0, 0, 0, 7]),
            (TYPE_AAAA, many.clone(), NO_ERROR, 0, &[]),
            (TYPE_A, many, NO_ERROR, 30, &[198, 51, 100, 7]),
            (TYPE_A, Found::Nobody, NAME_ERROR, 0, &[]),
            (TYPE_A, Found::Failed, SERVER_FAILURE, 0, &[]),
        ] {
            let query = query("example.org", kind, CLASS_IN);
            let Some(Answer::Later(asking)) = super::answer(&query, &names) else { panic!("{kind}") };
            let reply = asking.told(found);
            assert_eq!((reply[3] & 0x0f, reply[7], reply.len() <= 512), (code, records, true), "{kind}");
            assert!(reply.ends_with(ends), "{reply:?}");
        }
    }

    #[test]
    fn an_answer_repeats_the_id_and_the_question() {
        let query = query("management.azure.com", TYPE_A, CLASS_IN);
        let reply = answer(&query, &names()).expect("an answer");
        assert_eq!(reply[..2], [0xab, 0xcd]);
        assert_eq!(reply[2..4], [0x81, 0x80], "a response, recursion desired and available");
        assert_eq!(reply[HEADER..query.len()], query[HEADER..]);
    }

    #[test]
    fn what_is_malformed_is_answered_so_or_dropped() {
        let good = query("a.b", TYPE_A, CLASS_IN);
        let with = |at: usize, byte: u8| {
            let mut message = good.clone();
            message[at] = byte;
            message
        };
        for (message, code) in [
            (good[..11].to_vec(), None),
            (with(2, 0x81), None),
            (with(2, 0x29), Some(NOT_IMPLEMENTED)),
            (with(5, 2), Some(FORMAT_ERROR)),
            (with(5, 0), Some(FORMAT_ERROR)),
            (with(12, 0xc0), Some(FORMAT_ERROR)),
            (with(12, 200), Some(FORMAT_ERROR)),
            (good[..good.len() - 1].to_vec(), Some(FORMAT_ERROR)),
        ] {
            let reply = answer(&message, &names());
            assert_eq!(reply.map(|reply| read(&reply).0), code, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_message_panics_and_every_answer_fits_a_datagram(message in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(reply) = answer(&message, &names()) {
                prop_assert!(reply.len() <= 512);
            }
        }
    }
}
