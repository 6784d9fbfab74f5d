//! How this host reaches the world: ordinary sockets, and the resolver that all its programs ask.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddrV4, ToSocketAddrs as _},
};

use guest::Opening;
use tokio::net::{TcpStream, UdpSocket};

/// What a network gives those who are let out to it.
pub trait World: Send + Sync {
    /// The addresses of a name, which is whole; none, or [`io::ErrorKind::NotFound`], where it has none.
    fn addresses_of(&self, name: String) -> Opening<Vec<IpAddr>>;
    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream>;
    /// A socket that is connected to there.
    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket>;
    /// Whether that address is one of the host's own, on whatever interface.
    fn owns(&self, address: Ipv4Addr) -> bool;
}

/// The network that this process is in.
pub struct ThisHost;

impl World for ThisHost {
    fn addresses_of(&self, name: String) -> Opening<Vec<IpAddr>> {
        // The dot at the end keeps the resolver from trying the name under the host's own domains.
        let look_up = move || {
            let found = (format!("{name}."), 0).to_socket_addrs().map_err(as_kind)?;
            Ok(found.map(|it| it.ip()).collect())
        };
        Box::pin(async { tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)? })
    }

    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
        Box::pin(TcpStream::connect(to))
    }

    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
        Box::pin(async move {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
            socket.connect(to).await?;
            Ok(socket)
        })
    }

    /// The kernel lets a socket be bound to an address exactly if packets for it go to this host itself: it reads the table of
    /// routes, so that what came a moment ago counts, and a range that is wholly this host's.
    fn owns(&self, address: Ipv4Addr) -> bool {
        std::net::UdpSocket::bind((address, 0)).is_ok()
    }
}

/// `getaddrinfo` says by numbers, which the standard library gives as words alone, whether there is no such name or nobody to ask.
fn as_kind(error: io::Error) -> io::Error {
    let text = error.to_string();
    let is_passing = ["Temporary failure", "Try again", "recoverable", "System error"];
    match is_passing.iter().any(|it| text.contains(it)) {
        true => error,
        false => io::Error::new(io::ErrorKind::NotFound, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_addresses_are_known_and_others_are_not() {
        for (address, is_own) in [
            ("127.0.0.1", true),
            ("127.77.0.9", true),
            ("192.0.2.1", false),
            ("198.51.100.7", false),
            ("203.0.113.255", false),
        ] {
            assert_eq!(ThisHost.owns(address.parse().expect("an address")), is_own, "{address}");
        }
    }
}
