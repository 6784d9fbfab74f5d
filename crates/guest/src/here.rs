//! Doors in the network that this process is in: the addresses of [`Doors`] on its loopback interface, and listeners at them.
//!
//! For a network that is somebody else's as well: a shell's, whose keeper is in it (`init::shell`), or one that a container engine made
//! and another container shares. Whoever is in it asks at 169.254.169.254 and is answered by whoever holds the listeners. A guest's
//! network is made another way, since it has an interface of its own (`init::interface`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::guest::GuestSockets;
use crate::init::{bind, listen, set_up};
use crate::refused::Refused;
use crate::spec::{METADATA_ADDRESS, RESOLVER_ADDRESS, SERVICE_ADDRESS};

/// What is to be opened in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doors {
    /// Addresses that `lo` is to have beside its own, each as a /32 or /128.
    pub addresses: Vec<IpAddr>,
    pub tcp: Vec<SocketAddr>,
    pub udp: Vec<SocketAddr>,
}

impl Doors {
    /// What a process in Azure finds: the metadata service, the resolver, and all of Azure's names at [`SERVICE_ADDRESS`].
    pub fn of_azure() -> Doors {
        let at = |address: Ipv4Addr, port| SocketAddr::new(IpAddr::V4(address), port);
        Doors {
            addresses: [METADATA_ADDRESS, RESOLVER_ADDRESS, SERVICE_ADDRESS].map(IpAddr::V4).to_vec(),
            tcp: vec![
                at(METADATA_ADDRESS, 80),
                at(RESOLVER_ADDRESS, 53),
                at(SERVICE_ADDRESS, 443),
                at(SERVICE_ADDRESS, 80),
            ],
            udp: vec![at(RESOLVER_ADDRESS, 53)],
        }
    }
}

/// Takes `lo` up, gives it the addresses and listens: in the network namespace of this process. What is there already stays as it is.
///
/// Needs CAP_NET_ADMIN there, and CAP_NET_BIND_SERVICE for the ports below 1024. Never to be called in the host's own network, where these
/// addresses may be a real cloud's: the caller knows whose network it is in.
pub fn open_here(doors: &Doors) -> Result<GuestSockets, Refused> {
    set_up(&doors.addresses)?;
    let tcp = doors.tcp.iter().map(|it| Ok((*it, TcpListener::from(listen(*it)?))));
    let udp = doors.udp.iter().map(|it| Ok((*it, UdpSocket::from(bind(*it)?))));
    Ok(GuestSockets {
        tcp: tcp.collect::<Result<_, Refused>>()?,
        udp: udp.collect::<Result<_, Refused>>()?,
        wire: None,
    })
}

/// The descriptors of sockets that are about to be handed over, in their order.
pub(crate) fn descriptors(sockets: GuestSockets) -> Vec<OwnedFd> {
    let tcp = sockets.tcp.into_iter().map(|(_, it)| OwnedFd::from(it));
    tcp.chain(sockets.udp.into_iter().map(|(_, it)| OwnedFd::from(it))).collect()
}
