//! A virtual network: guests that reach each other by their private addresses, as far as security rules let them.
//!
//! It is a switch in this process. Behind each guest's interface is a socket ([`Wire`]) from which its packets are read here, and to
//! which those for it are written; between them stands a table of who has which address, the sender's rules and the receiver's.
//! Nothing is ever written anywhere else, so no packet can leave: neither to another network, nor to the host's. What is for nobody in the
//! network is dropped, but where a guest's owner gave it a way out ([`outside`]), which ends its connections here and opens others.
//!
//! ```text
//! eth0 of one ─▶ wire ─▶ frame::read ─▶ its own address? ─▶ rules out ─▶ who has it ─▶ rules in ─▶ wire ─▶ eth0 of the other
//! ```
//!
//! TCP is judged where it begins: what is let through then goes on, as in Azure, when rules change. Of what has no beginning (UDP,
//! ICMP) the table of flows knows for some minutes what was let through, and lets the answers back. What is refused is dropped
//! without a word. Questions for addresses (ARP) are all answered here. IPv6 is not carried.
//!
//! Networks may be joined ([`Network::set_peers`]): then guests reach each other by address, by the same rules, and not by name; and only from one
//! network into the next.

mod flows;
mod frame;
mod outside;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, Weak};

use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use self::flows::Flows;
pub(crate) use self::frame::GATEWAY_MAC;
use self::frame::{Begins, Kind};
pub use self::frame::{Flow, Protocol};
use self::outside::Way;
pub use self::outside::{Heard, Opening, Outside};
use crate::sys;

/// What is behind a guest's interface.
pub struct Wire {
    socket: OwnedFd,
    /// What is for these addresses is answered there: it is seen here, and is nobody's here.
    platform: Vec<IpAddr>,
}

impl Wire {
    pub(crate) fn new(socket: OwnedFd, platform: Vec<IpAddr>) -> Wire {
        Wire { socket, platform }
    }
}

/// A machine's security rules. They may be asked from any thread, at every packet that begins something.
pub trait Rules: Send + Sync {
    fn lets_out(&self, flow: &Flow) -> bool;
    fn lets_in(&self, flow: &Flow) -> bool;

    /// Whether it may begin this to an address that nobody in its network has.
    fn lets_leave(&self, _flow: &Flow) -> bool {
        false
    }
}

/// A machine's place in a network.
pub struct Place {
    pub mac: [u8; 6],
    pub addresses: Vec<Ipv4Addr>,
    /// Names by which the others find its first address.
    pub names: Vec<String>,
    pub rules: Arc<dyn Rules>,
    /// Its way out, where it has one. Its interface needs a route that leads there.
    pub outside: Option<Arc<dyn Outside>>,
}

/// A virtual network. Clones are the same one.
#[derive(Clone, Default)]
pub struct Network(Arc<Shared>);

#[derive(Default)]
struct Shared {
    by_address: RwLock<HashMap<Ipv4Addr, Arc<Port>>>,
    /// Networks whose guests these ones reach too.
    peers: RwLock<Vec<Weak<Shared>>>,
    flows: Mutex<Flows>,
}

/// A guest in a network, until it is dropped.
pub struct Plug {
    network: Network,
    port: Arc<Port>,
    task: JoinHandle<()>,
}

struct Port {
    wire: AsyncFd<OwnedFd>,
    platform: Vec<IpAddr>,
    mac: [u8; 6],
    addresses: Vec<Ipv4Addr>,
    names: Vec<String>,
    rules: RwLock<Arc<dyn Rules>>,
    way: Option<Way>,
}

/// More than the longest packet and what stands before it.
const FRAME: usize = 70_000;
/// Frames of one guest's that are passed on before others have their turn.
const IN_A_ROW: usize = 64;

impl Network {
    /// Takes a guest in. Must be called within a runtime, on which a small task then runs.
    pub fn attach(&self, wire: Wire, place: Place) -> io::Result<Plug> {
        let port = Arc::new(Port {
            wire: sys::watch(wire.socket)?,
            platform: wire.platform,
            mac: place.mac,
            addresses: place.addresses,
            names: place.names.iter().map(|it| it.to_ascii_lowercase()).collect(),
            rules: RwLock::new(place.rules),
            way: place.outside.map(Way::new),
        });
        for address in &port.addresses {
            self.write().insert(*address, Arc::clone(&port));
        }
        let task = tokio::spawn(carry(self.clone(), Arc::clone(&port)));
        Ok(Plug { network: self.clone(), port, task })
    }

    /// The address of a machine that is in the network now.
    pub fn find(&self, name: &str) -> Option<Ipv4Addr> {
        let name = name.to_ascii_lowercase();
        let all = self.read();
        let port = all.values().find(|port| port.names.contains(&name))?;
        port.addresses.first().copied()
    }

    /// The last of a machine's names, which is its whole one.
    pub fn name_of(&self, address: Ipv4Addr) -> Option<String> {
        self.read().get(&address).and_then(|port| port.names.last().cloned())
    }

    /// From now on its guests reach those of these networks too, and no further ones. That those are let back is for both to say.
    pub fn set_peers(&self, peers: &[Network]) {
        let peers = peers.iter().map(|it| Arc::downgrade(&it.0)).collect();
        *self.0.peers.write().expect("nothing panics while it holds a network's peers") = peers;
    }

    fn peers(&self) -> Vec<Network> {
        let peers = self.0.peers.read().expect("nothing panics while it holds a network's peers");
        peers.iter().filter_map(|it| it.upgrade().map(Network)).collect()
    }

    fn port(&self, address: Ipv4Addr) -> Option<Arc<Port>> {
        let own = self.read().get(&address).cloned();
        own.or_else(|| self.peers().iter().find_map(|it| it.read().get(&address).cloned()))
    }

    /// Remembers what was let through here, and where the answers may come from.
    fn note(&self, flow: Flow) {
        self.flows().note(flow);
        self.peers().iter().for_each(|it| it.flows().note(flow));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Ipv4Addr, Arc<Port>>> {
        self.0.by_address.read().expect("nothing panics while it holds a network's table")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Ipv4Addr, Arc<Port>>> {
        self.0.by_address.write().expect("nothing panics while it holds a network's table")
    }

    fn flows(&self) -> MutexGuard<'_, Flows> {
        self.0.flows.lock().expect("nothing panics while it holds a network's flows")
    }

    /// Passes one frame of a guest's on, or answers it.
    fn pass(&self, from: &Arc<Port>, frame: &mut [u8]) {
        match frame::read(frame) {
            Kind::Question(_) => from.send(&frame::answer(frame)),
            // Nobody speaks for another: a source that is not the guest's own is dropped.
            Kind::Packet { flow, .. } if !from.addresses.contains(flow.source.ip()) => {}
            Kind::Packet { flow, begins } => match self.port(*flow.destination.ip()) {
                Some(to) if self.lets(from, &to, flow, begins) => {
                    frame::address_to(frame, to.mac);
                    to.send(frame);
                }
                Some(_) => {}
                None if from.platform.contains(&IpAddr::V4(*flow.destination.ip())) => {}
                None => Way::take(from, flow, begins, frame, &*from.rules()),
            },
            Kind::Other => {}
        }
    }

    fn lets(&self, from: &Port, to: &Port, flow: Flow, begins: Begins) -> bool {
        let is_let = || from.rules().lets_out(&flow) && to.rules().lets_in(&flow);
        match begins {
            Begins::Yes => is_let(),
            Begins::No => true,
            Begins::Perhaps if self.flows().knows(flow) => true,
            Begins::Perhaps => {
                let is_let = is_let();
                if is_let {
                    self.note(flow);
                }
                is_let
            }
        }
    }
}

impl Plug {
    /// From now on these rules are the machine's.
    pub fn set_rules(&self, rules: Arc<dyn Rules>) {
        *self.port.rules.write().expect("nothing panics while it holds a machine's rules") = rules;
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(way) = &self.port.way {
            way.close();
        }
        // Another machine may have the address by now.
        self.network.write().retain(|_, port| !Arc::ptr_eq(port, &self.port));
    }
}

impl Port {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::clone(&self.rules.read().expect("nothing panics while it holds a machine's rules"))
    }

    /// What does not fit is lost, as on every wire.
    fn send(&self, frame: &[u8]) {
        let _ = rustix::io::write(self.wire.get_ref(), frame);
    }
}

/// Reads what a guest sends until its interface is gone.
async fn carry(network: Network, port: Arc<Port>) {
    let mut buffer = vec![0; FRAME];
    loop {
        let Ok(mut ready) = port.wire.readable().await else { return };
        for _ in 0..IN_A_ROW {
            match rustix::io::read(port.wire.get_ref(), &mut buffer) {
                Ok(length) => network.pass(&port, &mut buffer[..length]),
                Err(rustix::io::Errno::AGAIN) => {
                    ready.clear_ready();
                    break;
                }
                // A frame that cannot be told in our terms is lost; an interface that is down has ended.
                Err(rustix::io::Errno::INVAL) => {}
                Err(_) => return,
            }
        }
        tokio::task::yield_now().await;
    }
}
