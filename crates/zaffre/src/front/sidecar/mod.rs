//! A sidecar: the doors of a virtual machine, in a network that other containers share, led to a cloud in another one.
//!
//! ```text
//! 169.254.169.254:80      ──▶ CONNECT 169.254.169.254:80 ──┐
//! service address :443    ──▶ CONNECT a name of Azure's  ──┼─▶ the cloud's proxy, with that machine's secret
//! service address :80     ──▶ the same                   ──┘
//! 168.63.129.16:53        ──▶ Azure's names are answered here (`dns`), others by whoever answered before (`names`)
//! ```
//!
//! Nothing is decided here. The proxy knows the machine by its secret, as it knows any program that has it; TLS, with the name that the client
//! wants, is between that client and the cloud. So the name in CONNECT only says that it is one of Azure's.
//!
//! `way` is how the proxy is asked, `names` what is looked up, `settings` the resolver's configuration that all of the network read.

mod names;
pub(crate) mod settings;
mod way;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use guest::{GuestSockets, METADATA_ADDRESS};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
};

pub(crate) use self::{names::Resolver, way::Way};
use super::listen;

/// What may be open at once.
const CONNECTIONS: usize = 1024;
/// Any of the names that a cloud answers to. Which one is meant, the request says.
const SOME_NAME: &str = "management.azure.com";

/// Where a connection to one of our addresses leads; none where it asks for names.
fn leads_to(address: SocketAddr) -> Option<(String, u16)> {
    match (address.ip(), address.port()) {
        (_, 53) => None,
        (IpAddr::V4(METADATA_ADDRESS), port) => Some((METADATA_ADDRESS.to_string(), port)),
        (_, port) => Some((SOME_NAME.to_owned(), port)),
    }
}

/// Serves the sockets until it is dropped. Must be called within the runtime.
pub(crate) async fn serve(sockets: GuestSockets, way: Way, resolver: Resolver) -> io::Result<()> {
    let sidecar = Sidecar {
        way: Arc::new(way),
        resolver: Arc::new(resolver),
        places: Arc::new(Semaphore::new(CONNECTIONS)),
    };
    let mut tasks = tokio::task::JoinSet::new();
    for (address, socket) in sockets.tcp {
        let (sidecar, socket) = (sidecar.clone(), TcpListener::from_std(socket)?);
        tasks.spawn(async move { sidecar.accept(address, socket).await });
    }
    for (_, socket) in sockets.udp {
        let (sidecar, socket) = (sidecar.clone(), Arc::new(UdpSocket::from_std(socket)?));
        tasks.spawn(async move { sidecar.receive(socket).await });
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

#[derive(Clone)]
struct Sidecar {
    way: Arc<Way>,
    resolver: Arc<Resolver>,
    places: Arc<Semaphore>,
}

impl Sidecar {
    async fn accept(self, address: SocketAddr, socket: TcpListener) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match socket.accept().await {
                Ok((near, _)) => {
                    let sidecar = self.clone();
                    tokio::spawn(async move {
                        // Whoever is cut off sees it; that the cloud is gone is said once, by the next start.
                        let _ = sidecar.lead(address, near).await;
                        drop(place);
                    });
                }
                Err(error) => listen::recover(&error).await,
            }
        }
    }

    async fn lead(&self, address: SocketAddr, mut near: TcpStream) -> io::Result<()> {
        near.set_nodelay(true)?;
        match leads_to(address) {
            Some((host, port)) => {
                let mut far = self.way.connect(&host, port).await?;
                copy_bidirectional(&mut near, &mut far).await?;
                Ok(())
            }
            None => self.resolver.answer_stream(near).await,
        }
    }

    async fn receive(self, socket: Arc<UdpSocket>) {
        let mut query = vec![0; names::MESSAGE_BYTES];
        loop {
            match socket.recv_from(&mut query).await {
                Ok((length, peer)) => {
                    let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { continue };
                    let (sidecar, socket, query) =
                        (self.clone(), Arc::clone(&socket), query[..length].to_vec());
                    tokio::spawn(async move {
                        if let Some(reply) = sidecar.resolver.answer(&query).await {
                            // Who asked and went needs no answer.
                            let _ = socket.send_to(&reply, peer).await;
                        }
                        drop(place);
                    });
                }
                Err(error) => listen::recover(&error).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::route, *};

    #[test]
    fn an_address_says_where_its_connections_lead() {
        for (address, expected) in [
            ("169.254.169.254:80", Some(("169.254.169.254", 80))),
            ("10.255.255.1:443", Some(("management.azure.com", 443))),
            ("10.255.255.1:80", Some(("management.azure.com", 80))),
            ("168.63.129.16:53", None),
        ] {
            let found = leads_to(address.parse().expect("an address"));
            assert_eq!(found, expected.map(|(host, port)| (host.to_owned(), port)), "{address}");
        }
    }

    /// The cloud answers to it by TLS and without, so whatever leads there is taken in.
    #[test]
    fn the_name_that_stands_for_all_is_one_that_is_answered() {
        assert!(matches!(route::by_name(SOME_NAME), route::Target::Arm));
    }
}
