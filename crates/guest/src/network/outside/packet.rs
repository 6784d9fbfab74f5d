//! Packets that are written here: answers of hosts outside, as a guest's interface takes them. Pure bytes.
//!
//! ```text
//! offload header, 10 bytes | Ethernet, 14 | IPv4, 20 | TCP, UDP or ICMP
//! ```

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IPV4_HEADER_LEN, Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
    UDP_HEADER_LEN, UdpPacket, UdpRepr, checksum,
};

use super::super::frame::{self, OFFLOAD};

const ETHERNET: usize = 14;
/// What stands before a packet.
pub(super) const HEAD: usize = OFFLOAD + ETHERNET;
/// The longest packet that an interface of a guest takes, unless it is told how to cut it.
pub(super) const MTU: usize = 1500;
const HOPS: u8 = 64;

/// Of `struct virtio_net_hdr`: sums are to be made, what is inside is TCP or datagrams to be cut.
const NEEDS_SUM: u8 = 1;
const CUT_TCP: u8 = 1;
const CUT_UDP: u8 = 5;
/// Where TCP keeps its sum.
const TCP_SUM: usize = 16;

/// Writes what stands before a packet, which is there already.
pub(super) fn head(frame: &mut [u8], mac: [u8; 6]) {
    frame[..OFFLOAD].fill(0);
    frame::address_to(frame, mac);
    frame[HEAD - 2..HEAD].copy_from_slice(&[0x08, 0x00]);
}

/// The same for TCP, whose sum is left to the kernel, as is cutting what is longer than a segment: on the way to a guest of this
/// machine neither is ever done.
pub(super) fn head_of_tcp(frame: &mut [u8], mac: [u8; 6], segment: Option<u16>) {
    head(frame, mac);
    let inner = HEAD + IPV4_HEADER_LEN;
    let address = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
    let length = (frame.len() - inner) as u32;
    let sum = checksum::pseudo_header_v4(&address(HEAD + 12), &address(HEAD + 16), IpProtocol::Tcp, length);
    let tcp = usize::from(frame[inner + 12] >> 4) * 4;
    frame[inner + TCP_SUM..inner + TCP_SUM + 2].copy_from_slice(&sum.to_be_bytes());
    frame[0] = NEEDS_SUM;
    if let Some(segment) = segment {
        frame[1] = CUT_TCP;
        frame[2..4].copy_from_slice(&((ETHERNET + IPV4_HEADER_LEN + tcp) as u16).to_ne_bytes());
        frame[4..6].copy_from_slice(&segment.to_ne_bytes());
    }
    frame[6..8].copy_from_slice(&((ETHERNET + IPV4_HEADER_LEN) as u16).to_ne_bytes());
    frame[8..10].copy_from_slice(&(TCP_SUM as u16).to_ne_bytes());
}

/// What a guest's frame says in its datagram; several where the guest left it to its interface to cut them.
pub(super) fn payloads(frame: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let ip = Ipv4Packet::new_checked(frame.get(HEAD..)?).ok()?;
    let is_whole = !ip.more_frags() && ip.frag_offset() == 0;
    let length = ip.payload().len();
    let inner = frame.get(HEAD + usize::from(ip.header_len())..)?.get(..length)?;
    UdpPacket::new_checked(inner).ok().filter(|_| is_whole)?;
    let payload = inner.get(UDP_HEADER_LEN..)?;
    let size = match frame[1] {
        CUT_UDP => usize::from(u16::from_ne_bytes([frame[4], frame[5]])),
        _ => payload.len(),
    };
    // One that says nothing is one all the same.
    let empty = payload.is_empty().then_some(payload);
    Some(payload.chunks(size.max(1)).chain(empty))
}

/// Frames with a datagram, in as many fragments as it needs. None where it is longer than any can be.
pub(super) fn datagram(
    (from, to): (SocketAddrV4, SocketAddrV4),
    payload: &[u8],
    number: u16,
) -> Option<Vec<Vec<u8>>> {
    /// A fragment's length, but the last one's, is a multiple of eight (RFC 791 §3.1).
    const PIECE: usize = (MTU - IPV4_HEADER_LEN) / 8 * 8;
    let whole = UDP_HEADER_LEN + payload.len();
    if IPV4_HEADER_LEN + whole > usize::from(u16::MAX) {
        return None;
    }
    let mut bytes = vec![0; whole];
    UdpRepr { src_port: from.port(), dst_port: to.port() }.emit(
        &mut UdpPacket::new_unchecked(&mut bytes[..]),
        &(*from.ip()).into(),
        &(*to.ip()).into(),
        payload.len(),
        |room| room.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    let pieces = bytes.chunks(PIECE).enumerate().map(|(index, piece)| {
        let mut frame = ip_frame(IpProtocol::Udp, (*from.ip(), *to.ip()), piece);
        if whole > PIECE {
            let mut ip = Ipv4Packet::new_unchecked(&mut frame[HEAD..]);
            ip.set_ident(number);
            ip.set_dont_frag(false);
            ip.set_more_frags((index + 1) * PIECE < whole);
            ip.set_frag_offset((index * PIECE) as u16);
            ip.fill_checksum();
        }
        frame
    });
    Some(pieces.collect())
}

/// Why something was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NobodyThere,
    NoWay,
}

/// A frame that says that another, which is a guest's, was not delivered. None where that one is malformed.
pub(super) fn undelivered(frame: &[u8], why: Why) -> Option<Vec<u8>> {
    /// What of a packet comes back with the bad news (RFC 792).
    const RETURNED: usize = 8;
    let ip = Ipv4Packet::new_checked(frame.get(HEAD..)?).ok()?;
    let lenient = ChecksumCapabilities::ignored();
    let header = Ipv4Repr::parse(&ip, &lenient).ok()?;
    let data = ip.payload();
    let reason = match why {
        Why::NobodyThere => Icmpv4DstUnreachable::PortUnreachable,
        Why::NoWay => Icmpv4DstUnreachable::HostUnreachable,
    };
    let repr = Icmpv4Repr::DstUnreachable { reason, header, data: data.get(..RETURNED)? };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    Some(ip_frame(IpProtocol::Icmp, (header.dst_addr, header.src_addr), &bytes))
}

/// A packet with room for what stands before it.
fn ip_frame(protocol: IpProtocol, (from, to): (Ipv4Addr, Ipv4Addr), inner: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEAD + IPV4_HEADER_LEN];
    let repr = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: protocol,
        payload_len: inner.len(),
        hop_limit: HOPS,
    };
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut frame[HEAD..]), &ChecksumCapabilities::default());
    frame.extend(inner);
    frame
}
