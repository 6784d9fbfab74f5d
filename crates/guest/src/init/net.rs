//! The guest's loopback interface, up, with the addresses on it that are the same in every guest, and the talk to the kernel about links.
//!
//! With no other interface than this one and [`super::interface`]'s there is no way out: what is sent to an address that is not on `lo` fails at once (network unreachable).
//! Two guests may hold the same addresses and never meet. Links and addresses are set by netlink, whose messages are written here by
//! hand: two kinds of request, and one answer that is an error number.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink};

use crate::refused::{Named, Refused};

/// `lo` is the first interface of every network namespace.
const LO: u32 = 1;

/// Takes `lo` up, which gives it 127.0.0.1/8 and ::1, and adds the addresses.
pub(crate) fn set_up<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> Result<(), Refused> {
    let netlink = Netlink::open()?;
    netlink.ask(&take_up(LO)).at("take the loopback interface up")?;
    for address in addresses.into_iter().filter(|it| !it.is_loopback()) {
        let whole = if address.is_ipv4() { 32 } else { 128 };
        match netlink.ask(&add_address(LO, *address, whole)) {
            Err(rustix::io::Errno::EXIST) => {}
            result => result.named(|| format!("put {address} on the loopback interface"))?,
        }
    }
    Ok(())
}

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET_CONF: u16 = 1;
const IPV4_DEVCONF_FORWARDING: u16 = 1;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
pub(super) const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_F_NODAD: u8 = 0x2;

pub(super) fn take_up(interface: u32) -> Vec<u8> {
    message(RTM_NEWLINK, 0, &link_header(interface, IFF_UP, IFF_UP))
}

/// Passes on nothing that comes in at an interface, nor says of it that there is no way. A new network has this setting from the host's
/// first one, where whoever runs containers has switched it on.
pub(super) fn forward_nothing(interface: u32) -> Vec<u8> {
    let settings = Attributes(Vec::new()).number(IPV4_DEVCONF_FORWARDING, 0);
    let family = Attributes(Vec::new()).bytes(IFLA_INET_CONF, &settings.0);
    let families = Attributes(Vec::new()).bytes(libc::AF_INET as u16, &family.0);
    let body = Attributes(link_header(interface, 0, 0)).bytes(IFLA_AF_SPEC, &families.0);
    message(RTM_NEWLINK, 0, &body.0)
}

/// struct ifinfomsg: family, pad, type, index, flags, mask of flags to change.
pub(super) fn link_header(interface: u32, flags: u32, changed: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    for word in [interface, flags, changed] {
        body.extend(word.to_ne_bytes());
    }
    body
}

/// struct ifaddrmsg: family, prefix, flags, scope, index; then the address twice, as attributes.
pub(super) fn add_address(interface: u32, address: IpAddr, prefix: u8) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(it) => (libc::AF_INET, it.octets().to_vec()),
        IpAddr::V6(it) => (libc::AF_INET6, it.octets().to_vec()),
    };
    let mut body = vec![family as u8, prefix, IFA_F_NODAD, 0];
    body.extend(interface.to_ne_bytes());
    let body = Attributes(body).bytes(IFA_LOCAL, &bytes).bytes(IFA_ADDRESS, &bytes);
    message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body.0)
}

/// A header and attributes behind it: each its length, its kind, its bytes, and as many zeros as make it a multiple of four.
pub(super) struct Attributes(pub(super) Vec<u8>);

impl Attributes {
    pub(super) fn bytes(mut self, kind: u16, bytes: &[u8]) -> Attributes {
        let length = u16::try_from(4 + bytes.len()).expect("attributes of ours are short");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(self, kind: u16, text: &str) -> Attributes {
        self.bytes(kind, &[text.as_bytes(), &[0]].concat())
    }

    pub(super) fn number(self, kind: u16, number: u32) -> Attributes {
        self.bytes(kind, &number.to_ne_bytes())
    }
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

/// A socket to the kernel of the network that this process was in when it was opened.
pub(super) struct Netlink(OwnedFd);

impl Netlink {
    pub(super) fn open() -> Result<Netlink, Refused> {
        // Protocol 0 is NETLINK_ROUTE.
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        let socket = rustix::net::socket_with(family, SocketType::RAW, flags, None);
        Ok(Netlink(socket.at("open a netlink socket")?))
    }

    /// Sends one request and reads its acknowledgement: after the header, an error number, negative or 0.
    pub(super) fn ask(&self, request: &[u8]) -> rustix::io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.0, request, SendFlags::empty(), &kernel)?;
        let mut answer = [0; 1024];
        rustix::net::recv(&self.0, &mut answer, RecvFlags::empty())?;
        let [a, b, c, d] = [answer[16], answer[17], answer[18], answer[19]];
        match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(rustix::io::Errno::from_raw_os_error(-error)),
        }
    }

    /// Asks for something new, of which there is none yet.
    pub(super) fn make(&self, kind: u16, body: &[u8]) -> rustix::io::Result<()> {
        self.ask(&message(kind, NLM_F_CREATE | NLM_F_EXCL, body))
    }

    pub(super) fn index_of(&self, name: &str) -> Result<u32, Refused> {
        rustix::net::netdevice::name_to_index(&self.0, name).named(|| format!("find the interface {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_kernel_reads_it() {
        let message = add_address(LO, "169.254.169.254".parse().unwrap(), 32);
        assert_eq!(message.len(), 16 + 8 + 2 * 8);
        assert_eq!(message[..4], 40u32.to_ne_bytes());
        assert_eq!(message[16..18], [2, 32]);
        assert_eq!(message[28..32], [169, 254, 169, 254]);
        let message = add_address(LO, "fd00::1".parse().unwrap(), 128);
        assert_eq!((message.len(), message[17]), (16 + 8 + 2 * 20, 128));
    }
}
