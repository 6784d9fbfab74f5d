//! What listens in a guest, asked of the kernel through a socket that the guest's init opened in its network.
//!
//! The kernel's socket monitoring (sock_diag(7)) lists the listening sockets alone, in some twenty microseconds. `/proc/net/tcp` says
//! the same, but walks a table of all connections of the whole machine for it, which takes milliseconds. Nobody is told when a
//! program begins to listen, so whoever wants to know asks again and again.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::{self, SocketAddrNetlink},
};

use crate::refused::{Named, Refused};

/// Opened in the network that this process is in.
pub(crate) fn open() -> Result<OwnedFd, Refused> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol);
    socket.at("open a socket that tells what listens")
}

/// A guest's listening sockets. It keeps the guest's network alive (though no process in it): drop it when the guest is gone.
pub struct Listening(OwnedFd);

impl Listening {
    pub(crate) fn new(socket: OwnedFd) -> Listening {
        Listening(socket)
    }

    /// The TCP ports at which somebody listens who is reached at this address: there, or at all addresses.
    pub fn ports_at(&self, address: Ipv4Addr) -> io::Result<BTreeSet<u16>> {
        let mut ports = BTreeSet::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.ask(family)?;
            while self.read(address, &mut ports)? {}
        }
        Ok(ports)
    }

    fn ask(&self, family: libc::c_int) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.0, &request(family as u8), SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Reads one piece of the answer. The kernel has it ready as soon as it was asked. Whether there is more.
    fn read(&self, address: Ipv4Addr, ports: &mut BTreeSet<u16>) -> io::Result<bool> {
        let mut piece = [0; PIECE];
        let (length, _) = rustix::net::recv(&self.0, &mut piece[..], RecvFlags::empty())?;
        let mut rest = &piece[..length.min(PIECE)];
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                NLMSG_ERROR => return Err(refusal(body)),
                NLMSG_DONE => return Ok(false),
                _ => ports.extend(port_at(body, address)),
            }
            rest = next;
        }
        Ok(true)
    }
}

/// The kernel fills at most this much at a time (NLMSG_GOODSIZE, or what the reader has room for).
const PIECE: usize = 32 << 10;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
/// TCP_LISTEN, as a bit.
const LISTENING: u32 = 1 << 10;
const HEADER: usize = 16;

/// struct nlmsghdr, then struct inet_diag_req_v2: family, protocol, extensions, pad, states, and an empty struct inet_diag_sockid.
fn request(family: u8) -> Vec<u8> {
    const SOCKET_ID: usize = 48;
    let body =
        [&[family, libc::IPPROTO_TCP as u8, 0, 0][..], &LISTENING.to_ne_bytes(), &[0; SOCKET_ID]].concat();
    let mut request = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    request
}

/// The first message's kind and body, and what stands behind it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The port of a struct inet_diag_msg: family, state, timer, retransmissions, then source and destination port and address.
fn port_at(body: &[u8], address: Ipv4Addr) -> Option<u16> {
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk()?);
    let bytes: [u8; 16] = *body.get(8..)?.first_chunk()?;
    let is_reached = match libc::c_int::from(*body.first()?) {
        libc::AF_INET => {
            let at = Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
            at.is_unspecified() || at == address
        }
        // One at `::` takes version 4 too, unless it was told not to: then who knocks is refused.
        _ => {
            let at = Ipv6Addr::from(bytes);
            at.is_unspecified() || at.to_ipv4_mapped() == Some(address)
        }
    };
    is_reached.then_some(port)
}

fn refusal(body: &[u8]) -> io::Error {
    let code = body.first_chunk().map_or(0, |it| i32::from_ne_bytes(*it));
    io::Error::from_raw_os_error(-code)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listeners_at_an_address_or_at_all_of_them_are_told_and_no_others() {
        let listening = Listening::new(open().unwrap());
        let at = |text: &str| TcpListener::bind(text).unwrap();
        let port = |it: &TcpListener| it.local_addr().unwrap().port();
        let there = at("127.0.0.77:0");
        let elsewhere = at("127.0.0.78:0");
        let everywhere = at("0.0.0.0:0");
        let told = listening.ports_at("127.0.0.77".parse().unwrap()).unwrap();
        assert!(told.contains(&port(&there)) && told.contains(&port(&everywhere)), "{told:?}");
        assert!(!told.contains(&port(&elsewhere)), "{told:?}");
        let gone = port(&there);
        drop(there);
        assert!(!listening.ports_at("127.0.0.77".parse().unwrap()).unwrap().contains(&gone));
    }
}
