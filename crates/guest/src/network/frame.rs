//! Frames as they are at a guest's interface: what they ask for, and what is written in them on their way. Pure bytes.
//!
//! ```text
//! offload header, 10 bytes | destination MAC, 6 | source MAC, 6 | type, 2 | ARP (RFC 826) or IPv4 (RFC 791)
//! ```

use std::net::{Ipv4Addr, SocketAddrV4};

/// `struct virtio_net_hdr`, which the sockets put before every frame.
pub(super) const OFFLOAD: usize = 10;
const ETHERNET: usize = 14;
const IP: usize = OFFLOAD + ETHERNET;
const ARP_LENGTH: usize = 28;

/// The address that answers for everybody: guests of a network are not neighbours on a wire. It is the one that Azure's do see.
pub(crate) const GATEWAY_MAC: [u8; 6] = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];

/// Who sends what to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub protocol: Protocol,
    /// Ports are 0 where the protocol has none.
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
}

impl Flow {
    pub(super) fn back(self) -> Flow {
        Flow { source: self.destination, destination: self.source, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Other(u8),
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who has this address?
    Question(Ipv4Addr),
    /// A packet; whether it begins something that was not there.
    Packet { flow: Flow, begins: Begins },
    /// Nothing that we carry.
    Other,
}

/// What a packet's own bytes say of where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// TCP's SYN without ACK.
    Yes,
    /// TCP otherwise: without a beginning that was let through it comes to nothing at its destination.
    No,
    /// Only who has seen what came before can tell.
    Perhaps,
}

/// Reads a frame behind its offload header.
pub(super) fn read(frame: &[u8]) -> Kind {
    match frame.get(OFFLOAD + 12..IP) {
        Some([0x08, 0x06]) => question(&frame[IP..]).map_or(Kind::Other, Kind::Question),
        Some([0x08, 0x00]) => packet(&frame[IP..]).unwrap_or(Kind::Other),
        _ => Kind::Other,
    }
}

/// An ARP request for IPv4 over Ethernet that is not somebody's looking for its own address.
fn question(arp: &[u8]) -> Option<Ipv4Addr> {
    let arp = arp.get(..ARP_LENGTH)?;
    let is_request = arp[..8] == [0, 1, 8, 0, 6, 4, 0, 1];
    let [sender, target] = [14, 24].map(|at| address(&arp[at..]));
    (is_request && sender != target && !sender.is_unspecified()).then_some(target)
}

fn address(bytes: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])
}

fn packet(ip: &[u8]) -> Option<Kind> {
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let is_whole = ip[0] >> 4 == 4 && header >= 20 && ip.len() >= header;
    if !is_whole {
        return None;
    }
    let (source, destination) = (address(&ip[12..]), address(&ip[16..]));
    let fragment = u16::from_be_bytes([ip[6], ip[7]]);
    let (offset, has_more) = (fragment & 0x1fff, fragment & 0x2000 != 0);
    let inner = &ip[header..];
    let ports = || {
        Some([
            u16::from_be_bytes([*inner.first()?, *inner.get(1)?]),
            u16::from_be_bytes([*inner.get(2)?, *inner.get(3)?]),
        ])
    };
    let (protocol, [from, to], begins) = match ip[9] {
        // TCP is never cut into fragments by those who mean well; what a first fragment may leave out is what is judged.
        6 if offset > 0 || has_more => return None,
        6 => {
            let flags = *inner.get(13)?;
            (Protocol::Tcp, ports()?, if flags & 0x12 == 0x02 { Begins::Yes } else { Begins::No })
        }
        // The rest of a datagram is worth nothing without its first part.
        17 if offset > 0 => (Protocol::Udp, [0, 0], Begins::No),
        17 => (Protocol::Udp, ports()?, Begins::Perhaps),
        1 => (Protocol::Icmp, [0, 0], Begins::Perhaps),
        other => (Protocol::Other(other), [0, 0], Begins::Perhaps),
    };
    let flow = Flow {
        protocol,
        source: SocketAddrV4::new(source, from),
        destination: SocketAddrV4::new(destination, to),
    };
    Some(Kind::Packet { flow, begins })
}

/// The answer to a question that [`read`] found: the gateway's address, whoever it is about.
pub(super) fn answer(question: &[u8]) -> Vec<u8> {
    let arp = &question[IP..IP + ARP_LENGTH];
    let (asker_mac, asker, target) = (&arp[8..14], &arp[14..18], &arp[24..28]);
    let head: &[&[u8]] = &[&[0; OFFLOAD], asker_mac, &GATEWAY_MAC, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]];
    [head, &[&GATEWAY_MAC, target, asker_mac, asker]].concat().concat()
}

/// Writes into a frame whom it is for; it comes from the gateway.
pub(super) fn address_to(frame: &mut [u8], mac: [u8; 6]) {
    frame[OFFLOAD..OFFLOAD + 6].copy_from_slice(&mac);
    frame[OFFLOAD + 6..OFFLOAD + 12].copy_from_slice(&GATEWAY_MAC);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0, 0x0d, 0x3a, 1, 2, 3];

    fn frame(kind: [u8; 2], inner: &[u8]) -> Vec<u8> {
        [&[0; OFFLOAD], &GATEWAY_MAC[..], &MAC, &kind, inner].concat()
    }

    /// 10.0.0.4 to 10.0.0.5, with this protocol, this word about fragments and these bytes inside.
    fn ip(protocol: u8, fragment: u16, inner: &[u8]) -> Vec<u8> {
        let [f, g] = fragment.to_be_bytes();
        let header = [0x45, 0, 0, 0, 0, 0, f, g, 64, protocol, 0, 0, 10, 0, 0, 4, 10, 0, 0, 5];
        frame([8, 0], &[&header, inner].concat())
    }

    fn tcp(flags: u8) -> Vec<u8> {
        [&[0x9c, 0x40, 0, 80], &[0; 8][..], &[0x50, flags, 0, 0, 0, 0, 0, 0]].concat()
    }

    #[test]
    fn packets_are_told_apart_by_what_they_begin() {
        let to = |protocol, from, to| Flow {
            protocol,
            source: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 4), from),
            destination: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 5), to),
        };
        let packet = |protocol, ports: (u16, u16), begins| Kind::Packet {
            flow: to(protocol, ports.0, ports.1),
            begins,
        };
        for (what, frame, expected) in [
            ("a SYN", ip(6, 0, &tcp(2)), packet(Protocol::Tcp, (40_000, 80), Begins::Yes)),
            ("a SYN with ECN", ip(6, 0, &tcp(0xc2)), packet(Protocol::Tcp, (40_000, 80), Begins::Yes)),
            ("a SYN and an ACK", ip(6, 0, &tcp(0x12)), packet(Protocol::Tcp, (40_000, 80), Begins::No)),
            ("a FIN", ip(6, 0x4000, &tcp(1)), packet(Protocol::Tcp, (40_000, 80), Begins::No)),
            ("a first fragment of TCP", ip(6, 0x2000, &tcp(2)), Kind::Other),
            ("a later fragment of TCP", ip(6, 1, &tcp(2)), Kind::Other),
            ("TCP without its flags", ip(6, 0, &tcp(2)[..13]), Kind::Other),
            ("a datagram", ip(17, 0, &[0, 53, 0, 99]), packet(Protocol::Udp, (53, 99), Begins::Perhaps)),
            ("the rest of one", ip(17, 7, &[0, 53, 0, 99]), packet(Protocol::Udp, (0, 0), Begins::No)),
            ("a ping", ip(1, 0, &[8, 0]), packet(Protocol::Icmp, (0, 0), Begins::Perhaps)),
            ("something else", ip(50, 0, &[]), packet(Protocol::Other(50), (0, 0), Begins::Perhaps)),
            ("half a header", frame([8, 0], &[0x45, 0, 0]), Kind::Other),
            ("a header that ends before it begins", frame([8, 0], &[0x41; 20]), Kind::Other),
            ("version 6", frame([0x86, 0xdd], &[0x60; 40]), Kind::Other),
            ("nothing", Vec::new(), Kind::Other),
        ] {
            assert_eq!(read(&frame), expected, "{what}");
        }
    }

    #[test]
    fn whoever_is_asked_for_the_gateway_answers() {
        let ask = |sender: [u8; 4]| {
            frame([8, 6], &[&[0, 1, 8, 0, 6, 4, 0, 1], &MAC[..], &sender, &[0; 6], &[10, 0, 0, 5]].concat())
        };
        let question = ask([10, 0, 0, 4]);
        assert_eq!(read(&question), Kind::Question(Ipv4Addr::new(10, 0, 0, 5)));
        let answer = answer(&question);
        assert_eq!(answer[OFFLOAD..OFFLOAD + 12], [MAC, GATEWAY_MAC].concat());
        assert_eq!(
            answer[IP + 6..],
            [&[0, 2], &GATEWAY_MAC[..], &[10, 0, 0, 5], &MAC, &[10, 0, 0, 4]].concat()
        );
        assert_eq!(read(&ask([0, 0, 0, 0])), Kind::Other, "is the address free? it is");
        assert_eq!(read(&ask([10, 0, 0, 5])), Kind::Other, "here I am");
        assert_eq!(read(&answer), Kind::Other, "an answer is no question");
    }
}
