//! What a guest may send, and how little of it is well meant: its wire here is a pair of sockets, whose other end this test has.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::super::frame::{Flow, GATEWAY_MAC, OFFLOAD};
use super::super::{Network, Place, Plug, Rules, Wire};
use super::packet::HEAD;
use super::{Heard, Opening, Outside};

const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const THERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

/// Lets out what is for one address.
struct ToThere;

impl Rules for ToThere {
    fn lets_out(&self, _: &Flow) -> bool {
        true
    }

    fn lets_in(&self, _: &Flow) -> bool {
        true
    }

    fn lets_leave(&self, flow: &Flow) -> bool {
        *flow.destination.ip() == THERE
    }
}

/// A server that takes whatever it is told, and what was asked for.
struct World {
    server: std::net::SocketAddr,
    asked: Mutex<Vec<SocketAddrV4>>,
}

impl Outside for World {
    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
        self.asked.lock().unwrap().push(to);
        let server = self.server;
        Box::pin(async move {
            if to.port() == 1 {
                Err(io::ErrorKind::HostUnreachable.into())
            } else {
                TcpStream::connect(server).await
            }
        })
    }

    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
        self.asked.lock().unwrap().push(to);
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn hear(&self, _: SocketAddrV4, first: &[u8]) -> Heard {
        if first.len() < 3 { Heard::Unclear } else { Heard::Fine }
    }
}

/// What a guest does next.
#[derive(Clone, Debug)]
enum Move {
    Segment { to: Ipv4Addr, flags: u8, port: u16, behind: i8, length: u16 },
    Datagram { port: u16, length: u16 },
    Raw(Vec<u8>),
}

/// Something done to a frame on its way: a byte that is another, or an early end.
type Spoilt = Option<(prop::sample::Index, u8, bool)>;

fn moves() -> impl Strategy<Value = Vec<(Move, Spoilt)>> {
    // Mostly what a connection consists of: SYN, ACK, data, FIN, RST.
    let flags = prop_oneof![6 => prop::sample::select(vec![2u8, 0x10, 0x18, 0x11, 4]), 1 => any::<u8>()];
    let port = 1..4u16;
    // Nobody's own addresses, and some that are walled off by the rules.
    let others = ["224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "10.0.0.9", "198.51.100.7"];
    let others = others.map(|it| it.parse().unwrap()).to_vec();
    let to = prop_oneof![8 => Just(THERE), 1 => prop::sample::select(others)];
    let segment = (to, flags, port.clone(), -2..3i8, prop_oneof![Just(0u16), 1..3000u16])
        .prop_map(|(to, flags, port, behind, length)| Move::Segment { to, flags, port, behind, length });
    let datagram = (port, 0..2000u16).prop_map(|(port, length)| Move::Datagram { port, length });
    let raw = prop::collection::vec(any::<u8>(), 0..120).prop_map(Move::Raw);
    let spoilt = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()));
    prop::collection::vec((prop_oneof![8 => segment, 1 => datagram, 1 => raw], spoilt), 1..60)
}

/// The guest's side.
struct Guest {
    wire: UnixDatagram,
    plug: Plug,
    sequence: u32,
    acknowledged: u32,
}

impl Guest {
    fn frame(&self, to: Ipv4Addr, protocol: u8, inner: &[u8]) -> Vec<u8> {
        let length = (20 + inner.len()) as u16;
        let mut ip = vec![0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        ip.extend(GUEST.octets());
        ip.extend(to.octets());
        let sum = !smoltcp::wire::checksum::data(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        [&[0; OFFLOAD], &GATEWAY_MAC[..], &[2; 6], &[8, 0], &ip, inner].concat()
    }

    fn written(&mut self, next: &Move) -> Vec<u8> {
        match next {
            Move::Segment { to, flags, port, behind, length } => {
                let at = self.sequence.wrapping_add_signed(i32::from(*behind));
                let mut tcp = [40_000u16.to_be_bytes(), port.to_be_bytes()].concat();
                tcp.extend(at.to_be_bytes());
                tcp.extend(self.acknowledged.to_be_bytes());
                tcp.extend([0x60, *flags, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
                tcp.extend(vec![b'x'; usize::from(*length)]);
                let is_long = u32::from(flags & 3 != 0);
                self.sequence = self.sequence.wrapping_add(u32::from(*length) + is_long);
                self.frame(*to, 6, &tcp)
            }
            Move::Datagram { port, length } => {
                let whole = 8 + length;
                let head = [40_000u16, *port, whole, 0].map(u16::to_be_bytes).concat();
                self.frame(THERE, 17, &[head, vec![0; usize::from(*length)]].concat())
            }
            Move::Raw(bytes) => bytes.clone(),
        }
    }

    /// Takes note of how far the other side has come.
    fn read(&mut self) {
        let mut buffer = vec![0; 70_000];
        while let Ok(length) = self.wire.recv(&mut buffer) {
            let Some(tcp) = buffer[..length].get(HEAD + 20..).filter(|it| it.len() >= 20) else { continue };
            let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            let payload = tcp.len() - usize::from(tcp[12] >> 4) * 4;
            self.acknowledged = sequence.wrapping_add(payload as u32 + u32::from(tcp[13] & 3 != 0));
        }
    }
}

async fn play(moves: Vec<(Move, Spoilt)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = Arc::new(World { server: listener.local_addr().unwrap(), asked: Mutex::default() });
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (addresses, mac) = (vec![GUEST], [2; 6]);
    let rules = Arc::new(ToThere);
    let place = Place { mac, addresses, names: Vec::new(), rules, outside: Some(Arc::clone(&world) as _) };
    let network = Network::default();
    let plug = network.attach(Wire::new(theirs.into(), Vec::new()), place).unwrap();
    let mut guest = Guest { wire: ours, plug, sequence: u32::MAX - 100, acknowledged: 0 };
    for (next, spoilt) in moves {
        let mut frame = guest.written(&next);
        if let Some((at, byte, is_end)) = spoilt.filter(|_| !frame.is_empty()) {
            let at = at.index(frame.len());
            if is_end { frame.truncate(at) } else { frame[at] = byte }
        }
        network.pass(&guest.plug.port, &mut frame);
        tokio::task::yield_now().await;
        guest.read();
    }
    let asked = world.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|it| *it.ip() == THERE), "{asked:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_guest_sends_harms_nobody_and_leads_where_it_may(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(moves));
    }
}
