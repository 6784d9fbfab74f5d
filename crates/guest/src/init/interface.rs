//! The guest's primary interface, `eth0`: one end of a pair whose other end is in a network namespace of its own, where nobody is.
//!
//! ```text
//! guest's namespace          namespace behind it: the platform
//!   eth0 10.0.0.4  ◀─ veth ─▶  wire  169.254.169.254, 168.63.129.16, the service address: listeners, handed over by SCM_RIGHTS
//!                               │   192.0.2.1: who comes from outside, connected for one by one
//!                               └── packet socket, handed over too: what is for the virtual network (`crate::Network`)
//! ```
//!
//! So the ports of the guest's own addresses are all its own: a web server may listen at 0.0.0.0:80, where the metadata service would
//! be in the way if its address were on the guest's loopback. The kernel behind passes nothing on. What the guest sends to its
//! virtual network is read by the program from the packet socket, and what is for the guest is written to it. The pair goes with the guest's
//! namespace, and the namespace behind it with the sockets: nothing of it is anybody's to take away, and no part of it is in the host's
//! network.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::net::{Attributes, IFF_UP, Netlink, add_address, forward_nothing, link_header, take_up};
use crate::network::GATEWAY_MAC;
use crate::refused::{Named, Refused};
use crate::spec::{Interface, OUTSIDE_ADDRESS, Spec};
use crate::sys;

const NAME: &str = "eth0";
const BEHIND: &str = "wire";
const OWN_NAMESPACE: &str = "/proc/self/ns/net";

/// The platform's addresses of a guest: those at which somebody listens for it.
pub(super) fn platform(spec: &Spec) -> Vec<IpAddr> {
    let listened: Vec<IpAddr> = spec.tcp.iter().chain(&spec.udp).map(SocketAddr::ip).collect();
    spec.addresses.iter().copied().filter(|it| it.is_ipv4() && listened.contains(it)).collect()
}

/// All that is behind the interface: the platform, and who comes from outside.
fn behind(spec: &Spec) -> impl Iterator<Item = IpAddr> {
    platform(spec).into_iter().chain([IpAddr::V4(OUTSIDE_ADDRESS)])
}

/// The network behind the guest's interface, and the guest's own.
pub(super) struct Behind {
    own: File,
    behind: File,
    gateway: Option<Ipv4Addr>,
}

impl Behind {
    /// Does something in the network behind. Who does not come back from there is no guest's init any more.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> Result<T, Refused>) -> Result<T, Refused> {
        enter(&self.behind).at("enter the network behind the guest's interface")?;
        let done = work();
        enter(&self.own).expect("the guest's network is its init's own");
        done
    }

    /// In the guest's own network: one more range that the interface leads to.
    pub(super) fn find_way(&self, range: (Ipv4Addr, u8)) -> Result<(), Refused> {
        let netlink = Netlink::open()?;
        let index = netlink.index_of(NAME)?;
        find_way(&netlink, index, range, self.gateway, None)
    }
}

fn enter(network: &File) -> rustix::io::Result<()> {
    rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
}

/// Makes the interface in this process's network. Gives what `listen` opens behind it, and after that the packet socket there.
pub(super) fn make(
    spec: &Spec,
    interface: &Interface,
    listen: impl FnOnce() -> Result<Vec<OwnedFd>, Refused>,
) -> Result<(Vec<OwnedFd>, Behind), Refused> {
    let own = File::open(OWN_NAMESPACE).at("open the guest's network")?;
    sys::unshare(UnshareFlags::NEWNET).at("make the network behind the guest's interface")?;
    let behind = File::open(OWN_NAMESPACE).at("open the network behind the guest's interface");
    let made = make_behind(spec, interface, &own, listen);
    enter(&own).at("enter the guest's network")?;
    let (made, behind) = (made?, behind?);
    configure(spec, interface)?;
    Ok((made, Behind { own, behind, gateway: interface.gateway }))
}

/// In the network behind: both ends, of which one goes to the guest's, the platform's addresses, and who listens there.
fn make_behind(
    spec: &Spec,
    interface: &Interface,
    own: &File,
    listen: impl FnOnce() -> Result<Vec<OwnedFd>, Refused>,
) -> Result<Vec<OwnedFd>, Refused> {
    let netlink = Netlink::open()?;
    let guests = Attributes(link_header(0, 0, 0))
        .text(IFLA_IFNAME, NAME)
        .bytes(IFLA_ADDRESS, &interface.mac)
        .number(IFLA_NET_NS_FD, own.as_raw_fd().unsigned_abs());
    let data = Attributes(Vec::new()).bytes(VETH_INFO_PEER, &guests.0);
    let kind = Attributes(Vec::new()).text(IFLA_INFO_KIND, "veth").bytes(IFLA_INFO_DATA, &data.0);
    let pair = Attributes(link_header(0, IFF_UP, IFF_UP))
        .text(IFLA_IFNAME, BEHIND)
        .bytes(IFLA_ADDRESS, &GATEWAY_MAC)
        .bytes(IFLA_LINKINFO, &kind.0);
    netlink.make(RTM_NEWLINK, &pair.0).at("make the guest's interface (veth)")?;
    let index = netlink.index_of(BEHIND)?;
    netlink.ask(&forward_nothing(index)).at("keep packets from being passed on behind the interface")?;
    for address in behind(spec) {
        netlink
            .ask(&add_address(index, address, 32))
            .named(|| format!("put {address} behind the interface"))?;
    }
    for (address, _) in &interface.addresses {
        find_way(&netlink, index, (*address, 32), None, Some(OUTSIDE_ADDRESS))?;
    }
    let mut opened = listen()?;
    opened.push(sys::packet_socket(index).at("open the socket behind the guest's interface")?);
    Ok(opened)
}

/// In the guest's network: up, with its addresses, and ways to the platform and to the whole of its virtual network.
fn configure(spec: &Spec, interface: &Interface) -> Result<(), Refused> {
    let netlink = Netlink::open()?;
    let index = netlink.index_of(NAME)?;
    netlink.ask(&take_up(index)).at("take the interface up")?;
    for (address, prefix) in &interface.addresses {
        netlink
            .ask(&add_address(index, (*address).into(), *prefix))
            .named(|| format!("put {address}/{prefix} on the interface"))?;
    }
    let behind = behind(spec).filter_map(|it| match it {
        IpAddr::V4(it) => Some((it, 32)),
        IpAddr::V6(_) => None,
    });
    for range in interface.routes.iter().copied().chain(behind) {
        find_way(&netlink, index, range, interface.gateway, None)?;
    }
    Ok(())
}

/// A range is reached over this interface, through the gateway where there is one; who asks there for no other address of its own has
/// `source`.
fn find_way(
    netlink: &Netlink,
    interface: u32,
    (range, prefix): (Ipv4Addr, u8),
    gateway: Option<Ipv4Addr>,
    source: Option<Ipv4Addr>,
) -> Result<(), Refused> {
    let mut route = Attributes(route_header(prefix, gateway.is_none())).bytes(RTA_DST, &range.octets());
    if let Some(gateway) = gateway {
        route = route.bytes(RTA_GATEWAY, &gateway.octets());
    }
    if let Some(source) = source {
        route = route.bytes(RTA_PREFSRC, &source.octets());
    }
    match netlink.make(RTM_NEWROUTE, &route.number(RTA_OIF, interface).0) {
        // The subnet itself, to which the address is the way.
        Err(rustix::io::Errno::EXIST) => Ok(()),
        result => result.named(|| format!("find the way to {range}/{prefix}")),
    }
}

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;

/// struct rtmsg: family, destination's and source's length, tos, table, protocol, scope, type, flags.
fn route_header(prefix: u8, is_link: bool) -> Vec<u8> {
    const LINK: u8 = 253;
    const MAIN: u8 = 254;
    const STATIC: u8 = 4;
    const UNICAST: u8 = 1;
    let scope = if is_link { LINK } else { 0 };
    vec![libc::AF_INET as u8, prefix, 0, 0, MAIN, STATIC, scope, UNICAST, 0, 0, 0, 0]
}

/// The first address of a subnet is its gateway's, as in Azure (virtual-networks-faq.md).
pub(crate) fn gateway_of(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from_bits((address.to_bits() & mask) + 1)
}
