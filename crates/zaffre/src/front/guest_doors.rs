//! A guest's doors: the sockets that its init opened inside it, accepted here.
//!
//! ```text
//! 169.254.169.254:80     the metadata service, whatever Host says
//! any other address :443 TLS by name, as Azure's names resolve to it inside
//! any other address :80  the same without TLS
//! 127.0.0.1, any port    the old extension, while the machine has it: its settings name the port (50342)
//! 168.63.129.16:53       names (`dns`)
//! 168.63.129.16:80       the wire server, as far as it says that it is there
//! ```
//!
//! Who asks is known before a byte is read: the listener is the guest's own, and its door says which machine that is. A guest
//! has no other way here; neither the host's listeners nor the control socket are in its network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use azure::ids::{Guid, ResourceId};
use guest::{GuestSockets, METADATA_ADDRESS, Network, RESOLVER_ADDRESS};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::{
    connection::{Front, Slot},
    dns::{self, Answer, Names},
    listen,
};
use crate::{
    cloud::CloudId,
    door::{Door, Entrance, From},
};

/// What one guest may have open at once, so that none of them takes every place.
const CONNECTIONS: usize = 1024;
/// A query of this size is a mistake; ours are answered in far less.
const QUERY_BYTES: usize = 4096;
/// Datagrams that wait for somebody outside; who is beyond that asks again.
const ASKED_AT_ONCE: usize = 64;
const QUERY_TIME: Duration = Duration::from_secs(10);

/// Whose doors these are.
#[derive(Clone)]
pub struct Inside {
    pub cloud: CloudId,
    pub vm: ResourceId,
    pub vm_id: Guid,
    pub hostname: String,
    /// The machine's own address, which its host name resolves to.
    pub address: Ipv4Addr,
    /// Its virtual network, whose machines it finds by name.
    pub network: Option<Network>,
    /// The one address that all of Azure's names resolve to in there.
    pub service: Ipv4Addr,
}

/// Open doors. Dropped, they close, and what came through them is cut: the other side is gone.
pub struct GuestDoors {
    _open: watch::Sender<()>,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Plain(Entrance),
    Tls,
    Names,
}

/// By its address alone. A socket that is for nothing we know is closed.
fn role(address: SocketAddr) -> Option<Role> {
    match (address.ip(), address.port()) {
        (IpAddr::V4(RESOLVER_ADDRESS), 80) => Some(Role::Plain(Entrance::Wire)),
        (IpAddr::V4(METADATA_ADDRESS), 80) => Some(Role::Plain(Entrance::Metadata)),
        (_, 80) => Some(Role::Plain(Entrance::Named)),
        (_, 443) => Some(Role::Tls),
        (_, 53) => Some(Role::Names),
        (ip, _) if ip.is_loopback() => Some(Role::Plain(Entrance::Extension)),
        _ => None,
    }
}

/// Serves a guest's sockets until what it gives is dropped. May be called again for sockets that come later, such as
/// the extension's. Must be called within the runtime.
pub fn serve(front: &Front, inside: &Inside, sockets: GuestSockets) -> io::Result<GuestDoors> {
    let from = From::Guest { vm: inside.vm.clone(), vm_id: inside.vm_id };
    let names = Names {
        hostname: inside.hostname.clone(),
        own: inside.address,
        network: inside.network.clone(),
        service: inside.service,
        outside: front.server.env.outside.get().filter(|_| inside.network.is_some()).cloned(),
    };
    serve_as(front, (inside.cloud, from), names, sockets)
}

/// The same for whoever is on the other side, as the caller knows it to be.
pub(super) fn serve_as(
    front: &Front,
    (cloud, from): (CloudId, From),
    names: Names,
    sockets: GuestSockets,
) -> io::Result<GuestDoors> {
    let (open, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let doors = Doors { front: front.clone(), cloud, from, names: Arc::new(names), stopped, places };
    for (address, socket) in sockets.tcp {
        if let Some(role) = role(address) {
            doors.accept(role, TcpListener::from_std(socket)?);
        }
    }
    for (address, socket) in sockets.udp {
        if role(address) == Some(Role::Names) {
            doors.receive(UdpSocket::from_std(socket)?);
        }
    }
    Ok(GuestDoors { _open: open })
}

#[derive(Clone)]
struct Doors {
    front: Front,
    cloud: CloudId,
    from: From,
    names: Arc<Names>,
    stopped: watch::Receiver<()>,
    places: Arc<Semaphore>,
}

impl Doors {
    fn accept(&self, role: Role, socket: TcpListener) {
        let doors = self.clone();
        let serve = move |_: Front, slot: Slot, stream: TcpStream, _: SocketAddr| {
            let doors = doors.clone();
            async move { doors.until_stopped(doors.one(role, slot, stream)).await }
        };
        let (front, doors) = (self.front.clone(), self.clone());
        tokio::spawn(async move { doors.until_stopped(listen::accept(front, socket, serve)).await });
    }

    async fn one(&self, role: Role, slot: Slot, stream: TcpStream) {
        let Ok(_place) = self.places.try_acquire() else { return };
        let _ = stream.set_nodelay(true);
        match role {
            Role::Plain(entrance) => self.front.serve(slot, stream, self.door(entrance)).await,
            Role::Tls => self.front.serve_tls(slot, stream, self.door(Entrance::Named)).await,
            Role::Names => {
                let _ = answer_stream(stream, &self.names).await;
            }
        }
    }

    fn door(&self, entrance: Entrance) -> Door {
        Door { cloud: self.cloud, from: self.from.clone(), entrance, tls: false }
    }

    fn receive(&self, socket: UdpSocket) {
        let doors = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = doors.until_stopped(answer_datagrams(socket, &doors.names)) => {}
                () = doors.front.closing() => {}
            }
        });
    }

    async fn until_stopped(&self, task: impl Future<Output = ()>) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = task => {}
            // Nothing is ever sent: it ends when the doors are dropped.
            _ = stopped.changed() => {}
        }
    }
}

async fn answer_datagrams(socket: UdpSocket, names: &Names) {
    let (socket, mut asking) = (Arc::new(socket), JoinSet::new());
    let mut query = vec![0; QUERY_BYTES];
    loop {
        match socket.recv_from(&mut query).await {
            Ok((length, peer)) => match dns::answer(&query[..length], names) {
                // Who asked and went needs no answer.
                Some(Answer::Now(reply)) => drop(socket.send_to(&reply, peer).await),
                Some(Answer::Later(later)) if asking.len() < ASKED_AT_ONCE => {
                    let socket = Arc::clone(&socket);
                    asking.spawn(async move { drop(socket.send_to(&later.reply().await, peer).await) });
                }
                Some(Answer::Later(_)) | None => {}
            },
            Err(error) => listen::recover(&error).await,
        }
        while asking.try_join_next().is_some() {}
    }
}

/// Queries over a stream, each behind its length (RFC 1035 §4.2.2).
async fn answer_stream(mut stream: TcpStream, names: &Names) -> io::Result<()> {
    loop {
        let length = tokio::time::timeout(QUERY_TIME, stream.read_u16()).await??;
        let mut query = vec![0; usize::from(length).min(QUERY_BYTES)];
        tokio::time::timeout(QUERY_TIME, stream.read_exact(&mut query)).await??;
        let Some(answer) = dns::answer(&query, names).filter(|_| usize::from(length) <= QUERY_BYTES) else {
            return Ok(());
        };
        let reply = answer.whole().await;
        let whole = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
        stream.write_all(&whole).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sockets_address_says_what_it_is_for() {
        for (address, expected) in [
            ("169.254.169.254:80", Some(Role::Plain(Entrance::Metadata))),
            ("10.255.255.1:80", Some(Role::Plain(Entrance::Named))),
            ("10.255.255.1:443", Some(Role::Tls)),
            ("168.63.129.16:53", Some(Role::Names)),
            ("168.63.129.16:80", Some(Role::Plain(Entrance::Wire))),
            ("127.0.0.1:50342", Some(Role::Plain(Entrance::Extension))),
            ("127.0.0.1:50343", Some(Role::Plain(Entrance::Extension))),
            ("10.0.0.4:50342", None),
            ("10.0.0.4:22", None),
        ] {
            assert_eq!(role(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
