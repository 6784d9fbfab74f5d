//! The guest's network: `lo`, up, with the guest's addresses on it, and nothing else.
//!
//! With no other interface there is no way out: what is sent to an address that is not on `lo` fails at once (network unreachable).
//! Two guests may hold the same addresses and never meet. Links and addresses are set by netlink, whose messages are written here by
//! hand: two kinds of request, and one answer that is an error number.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink};

use crate::refused::{Named, Refused};

/// `lo` is the first interface of every network namespace.
const LO: u32 = 1;

/// Takes `lo` up, which gives it 127.0.0.1/8 and ::1, and adds the addresses.
pub(super) fn set_up(addresses: &[IpAddr]) -> Result<(), Refused> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // Protocol 0 is NETLINK_ROUTE.
        None,
    )
    .at("open a netlink socket")?;
    ask(&socket, &take_up(LO)).at("take the loopback interface up")?;
    for address in addresses.iter().filter(|it| !it.is_loopback()) {
        match ask(&socket, &add_address(LO, *address)) {
            Err(rustix::io::Errno::EXIST) => {}
            result => result.named(|| format!("put {address} on the loopback interface"))?,
        }
    }
    Ok(())
}

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_F_NODAD: u8 = 0x2;

/// struct ifinfomsg: family, pad, type, index, flags, mask of flags to change.
fn take_up(interface: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    for word in [interface, IFF_UP, IFF_UP] {
        body.extend(word.to_ne_bytes());
    }
    message(RTM_NEWLINK, 0, &body)
}

/// struct ifaddrmsg: family, prefix, flags, scope, index; then the address twice, as attributes.
fn add_address(interface: u32, address: IpAddr) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(it) => (libc::AF_INET, it.octets().to_vec()),
        IpAddr::V6(it) => (libc::AF_INET6, it.octets().to_vec()),
    };
    let mut body = vec![family as u8, bytes.len() as u8 * 8, IFA_F_NODAD, 0];
    body.extend(interface.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        body.extend((4 + bytes.len() as u16).to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(&bytes);
    }
    message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body)
}

/// struct nlmsghdr: length, kind, flags, sequence number, port.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Sends one request and reads its acknowledgement: after the header, an error number, negative or 0.
fn ask(socket: &OwnedFd, request: &[u8]) -> rustix::io::Result<()> {
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(socket, request, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 1024];
    rustix::net::recv(socket, &mut answer, RecvFlags::empty())?;
    let [a, b, c, d] = [answer[16], answer[17], answer[18], answer[19]];
    match i32::from_ne_bytes([a, b, c, d]) {
        0 => Ok(()),
        error => Err(rustix::io::Errno::from_raw_os_error(-error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_kernel_reads_it() {
        let message = add_address(LO, "169.254.169.254".parse().unwrap());
        assert_eq!(message.len(), 16 + 8 + 2 * 8);
        assert_eq!(message[..4], 40u32.to_ne_bytes());
        assert_eq!(message[16..18], [2, 32]);
        assert_eq!(message[28..32], [169, 254, 169, 254]);
        let message = add_address(LO, "fd00::1".parse().unwrap());
        assert_eq!((message.len(), message[17]), (16 + 8 + 2 * 20, 128));
    }
}
