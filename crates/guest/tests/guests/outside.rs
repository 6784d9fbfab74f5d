//! The way out of a network: what a guest reaches by it, and what becomes of that. The world is this process: nothing leaves the machine.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};

use guest::{
    Flow, Guest, GuestSockets, Heard, Interface, Network, Opening, Outside, Place, Plug, Rules, Spec,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::networks::has_perl;
use crate::{code, print, shell, spec, start};

/// Everything may leave but what is for port 99.
struct NotPort99;

impl Rules for NotPort99 {
    fn lets_out(&self, _: &Flow) -> bool {
        true
    }

    fn lets_in(&self, _: &Flow) -> bool {
        true
    }

    fn lets_leave(&self, flow: &Flow) -> bool {
        flow.destination.port() != 99
    }
}

/// The world: what there is at 203.0.113.7 is on this machine's loopback; at other addresses is nobody, or no way to them.
#[derive(Default)]
struct World {
    there: HashMap<u16, SocketAddr>,
    asked: Mutex<Vec<SocketAddrV4>>,
}

impl World {
    fn find(&self, to: SocketAddrV4) -> io::Result<SocketAddr> {
        self.asked.lock().unwrap().push(to);
        match to.ip().octets() {
            [203, 0, 113, 7] => {
                self.there.get(&to.port()).copied().ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
            }
            [203, 0, 113, 8] => Err(io::ErrorKind::HostUnreachable.into()),
            _ => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl Outside for World {
    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
        let found = self.find(to);
        Box::pin(async move { TcpStream::connect(found?).await })
    }

    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
        let found = self.find(to);
        Box::pin(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(found?).await?;
            Ok(socket)
        })
    }

    /// Whoever begins with SECRET is not to be heard.
    fn hear(&self, _: SocketAddrV4, first: &[u8]) -> Heard {
        const FORBIDDEN: &[u8] = b"SECRET";
        match first.iter().zip(FORBIDDEN).all(|(one, other)| one == other) {
            false => Heard::Fine,
            true if first.len() < FORBIDDEN.len() => Heard::Unclear,
            true => Heard::Forbidden,
        }
    }
}

struct Machine {
    guest: Guest,
    world: Arc<World>,
    plug: Option<Plug>,
    sockets: GuestSockets,
}

async fn machine(there: HashMap<u16, SocketAddr>) -> Option<Machine> {
    let (mac, address) = ([0x00, 0x0d, 0x3a, 0, 0, 4], Ipv4Addr::new(10, 0, 0, 4));
    let routes = vec![(Ipv4Addr::new(10, 0, 0, 0), 16), (Ipv4Addr::UNSPECIFIED, 0)];
    let interface = Some(Interface::new(mac, vec![(address, 24)], routes));
    let (guest, mut sockets) = start(Spec { interface, ..spec() }).await?;
    let world = Arc::new(World { there, ..World::default() });
    let place = Place {
        mac,
        addresses: vec![address],
        names: Vec::new(),
        rules: Arc::new(NotPort99),
        outside: Some(Arc::clone(&world) as _),
    };
    let plug = Network::default().attach(sockets.wire.take().unwrap(), place).unwrap();
    Some(Machine { guest, world, plug: Some(plug), sockets })
}

impl Machine {
    async fn says(&self, script: &str) -> String {
        print(&self.guest, shell(script)).await
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// Repeats to each who connects what they say, when they have said all of it.
async fn echo(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut heard = Vec::new();
            if stream.read_to_end(&mut heard).await.is_ok() {
                let _ = stream.write_all(&heard).await;
            }
        });
    }
}

/// Says something, and that it was all, and hears the answer to its end.
fn talk(port: u16, words: &str) -> String {
    format!(
        "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => {port}) or die \"$!\\n\"; print $s \"{words}\"; $s->flush; shutdown($s, 1); print <$s>' 2>&1 || true"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reaches_what_its_owner_lets_it_reach() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (listener, at) = listener().await;
    let served = tokio::spawn(echo(listener));
    let there = HashMap::from([(80, at), (99, at)]);
    let Some(machine) = machine(there).await else { return };
    assert_eq!(machine.says(&talk(80, "half closed")).await, "half closed");
    assert_eq!(machine.says(&talk(81, "")).await, "Connection refused");
    for (address, port, expected) in [
        ("203.0.113.8", 80, "No route to host"),
        ("127.0.0.9", 80, "Connection refused"),
        ("198.51.100.1", 80, "Connection refused"),
        ("203.0.113.7", 99, "nothing"),
        ("10.0.0.77", 99, "nothing"),
    ] {
        let script = format!(
            "timeout 0.4 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>&1 | grep -o 'Connection refused\\|No route to host' | head -n 1 | grep . || echo nothing"
        );
        assert_eq!(machine.says(&script).await, expected, "{address}:{port}");
    }
    let asked = machine.world.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|it| it.port() != 99 && !it.ip().is_loopback()), "{asked:?}");
    served.abort();
}

/// What the world would say to them is not what they hear.
#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_addresses_are_the_platforms() {
    let Some(mut machine) = machine(HashMap::new()).await else { return };
    for (at, listener) in machine.sockets.tcp.drain(..) {
        let listener = TcpListener::from_std(listener).unwrap();
        let script = format!("exec 3<>/dev/tcp/{}/{}; cat <&3", at.ip(), at.port());
        let answers = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"platform").await.unwrap();
        };
        assert_eq!(tokio::join!(answers, print(&machine.guest, shell(&script))).1, "platform", "{at}");
    }
    assert_eq!(*machine.world.asked.lock().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_is_not_to_be_heard_is_passed_on() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (listener, at) = listener().await;
    let heard = tokio::spawn(async move {
        let mut all = Vec::new();
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = String::new();
            let ended = stream.read_to_string(&mut heard).await.map(|_| heard);
            all.push(ended.map_err(|error| error.kind()));
        }
        all
    });
    let Some(machine) = machine(HashMap::from([(443, at)])).await else { return };
    for words in ["SECRET of mine", "SEC", "SEE HERE", ""] {
        code(&machine.guest, shell(&talk(443, words))).await;
    }
    let reset = || Err(io::ErrorKind::ConnectionReset);
    assert_eq!(heard.await.unwrap(), [reset(), reset(), Ok("SEE HERE".to_owned()), Ok(String::new())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_breaks_off_breaks_the_other_off() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (listener, at) = listener().await;
    let Some(mut machine) = machine(HashMap::from([(80, at)])).await else { return };
    // The other host, in the middle of it.
    let breaks = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.set_zero_linger().unwrap();
    };
    let script = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => 80); syswrite $s, \"x\"; print defined(sysread $s, $b, 1) ? \"end\" : $!'";
    assert_eq!(tokio::join!(breaks, machine.says(script)).1, "Connection reset by peer");
    // The guest.
    let hears = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.read_u8().await.map_err(|error| error.kind())
    };
    let script = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => 80); setsockopt($s, 1, 13, pack(\"ii\", 1, 0)); syswrite $s, \"x\"'";
    assert_eq!(tokio::join!(hears, machine.says(script)).0, Err(io::ErrorKind::ConnectionReset));
    // Its owner, who takes its interface away.
    let script = "exec 3<>/dev/tcp/203.0.113.7/80; echo >&3; cat <&3";
    let command = machine.guest.exec(shell(script)).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_u8().await.unwrap();
    machine.plug.take();
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    drop(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_go_out_and_their_answers_come_back() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let there = HashMap::from([(123, socket.local_addr().unwrap()), (99, socket.local_addr().unwrap())]);
    let Some(machine) = machine(there).await else { return };
    let answers = tokio::spawn(async move {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            // Longer than the guest's interface takes at once.
            let _ = socket.send_to(&buffer[..length].repeat(2000), from).await;
        }
    });
    let ask = |port: u16| {
        format!(
            "perl -MIO::Socket::INET -MIO::Select -e '$s = IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => {port}, Proto => \"udp\"); for (1..20) {{ $s->send(\"ping\"); if (IO::Select->new($s)->can_read(0.2)) {{ print defined($s->recv($b, 9999)) ? length($b) : $!; exit }} }} print \"nothing\"'"
        )
    };
    assert_eq!(machine.says(&ask(123)).await, "8000");
    assert_eq!(machine.says(&ask(124)).await, "Connection refused");
    assert_eq!(machine.says(&ask(99).replace("1..20", "1..2")).await, "nothing");
    answers.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_at_once_each_get_their_own() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (listener, at) = listener().await;
    let served = tokio::spawn(echo(listener));
    let Some(machine) = machine(HashMap::from([(80, at)])).await else { return };
    let script = "perl -MIO::Socket::INET -e '@s = map { IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => 80) or die \"$_ $!\" } 1..300; for (0..299) { my $s = $s[$_]; print $s \"n$_ \" x 1000; $s->flush; shutdown($s, 1) } $n = 0; for (0..299) { my $s = $s[$_]; my $t = join(\"\", <$s>); $n++ if $t eq \"n$_ \" x 1000 } print $n'";
    assert_eq!(machine.says(script).await, "300");
    served.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_so_many_connections_and_room_again_when_they_have_ended() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (listener, at) = listener().await;
    let served = tokio::spawn(echo(listener));
    let Some(machine) = machine(HashMap::from([(80, at)])).await else { return };
    let script = "perl -MIO::Socket::INET -e '@s = map { IO::Socket::INET->new(PeerAddr => \"203.0.113.7\", PeerPort => 80) } 1..600; print scalar(grep { defined } @s)'";
    assert_eq!(machine.says(script).await, "512");
    // Each ends when its other end has, too.
    let mut says = String::new();
    for _ in 0..100 {
        says = machine.says(&talk(80, "room again")).await;
        if says == "room again" {
            break;
        }
    }
    assert_eq!(says, "room again");
    served.abort();
}

/// Bulk goes through whole, both ways; how fast is for whoever reads the output.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this is the one that measures")]
async fn much_goes_through_whole() {
    let mib: usize = std::env::var("OUTSIDE_MIB").ok().and_then(|it| it.parse().ok()).unwrap_or(64);
    let (listener, at) = listener().await;
    let Some(machine) = machine(HashMap::from([(80, at)])).await else { return };
    let begin = std::time::Instant::now();
    let takes = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut buffer, mut sum) = (vec![0; 1 << 20], 0);
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return sum,
                length => sum += length,
            }
        }
    };
    let script = format!("head -c {mib}M /dev/zero > /dev/tcp/203.0.113.7/80");
    assert_eq!(tokio::join!(takes, code(&machine.guest, shell(&script))), (mib << 20, 0));
    println!("{mib} MiB out of a guest in {:.1?}", begin.elapsed());

    let begin = std::time::Instant::now();
    let gives = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..mib {
            stream.write_all(&piece).await.unwrap();
        }
    };
    let script = "exec 3<>/dev/tcp/203.0.113.7/80; cat <&3 | wc -c";
    assert_eq!(tokio::join!(gives, machine.says(script)).1, (mib << 20).to_string());
    println!("{mib} MiB into a guest in {:.1?}", begin.elapsed());
}
