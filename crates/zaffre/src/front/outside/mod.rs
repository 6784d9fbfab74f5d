//! The world outside, for machines: `zaffre up --egress`.
//!
//! Without it there is none: no address outside a machine's network is reached, no name but Azure's is found. With it, what a machine's security
//! groups let out ends in this process (`guest::Outside`), and this is who opens the sockets that carry it on:
//!
//! ```text
//! a connection ─▶ walls: where to ─▶ this host's own? ─▶ connect ─▶ first bytes: whose name? ─▶ passed on
//! a datagram   ─▶ walls            ─▶ this host's own? ─▶ a socket connected to there
//! a name       ─▶ Microsoft's, the network's, nobody's: not asked ─▶ the host's resolver ─▶ walls ─▶ answered for half a minute
//! ```
//!
//! Nothing of Microsoft's is reached by name or by address (invariant 9), nor anything of this machine's own, nor, unless it is asked for, of the
//! networks that it is in. What is refused stands in the log with the reason.
//!
//! How this host reaches the world is a value ([`World`]): tests give one that ends where they listen.

mod first_bytes;
mod names;
mod said;
mod walls;
mod world;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    sync::Arc,
};

use azure::error::{Error, Row};
use guest::{Heard, Opening};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::Instant,
};

pub(super) use self::names::{HOLDS, is_asked};
pub use self::{
    names::Found,
    world::{ThisHost, World},
};
use self::{said::Said, walls::Transport};
use super::log;
use crate::env::{Egress, LogFormat};

static WALLED: Row = Row {
    code: "NotLetOut",
    status: 403,
    template: "a machine does not reach `{0}`: {1}",
    source: "our own (docs/decisions/egress.md)",
};
static FORBIDDEN_NAME: Row = Row {
    code: "NotEmulated",
    status: 403,
    template: "a machine spoke to `{0}` by a Microsoft name; nothing was passed on",
    source: "our own (invariant 9)",
};

/// What machines reach outside, and by whom.
pub struct Outside {
    egress: Egress,
    world: Arc<dyn World>,
    names: names::Names,
    said: Said,
    log: LogFormat,
}

impl Outside {
    /// None where nothing is to be reached.
    pub fn new(egress: Egress, world: Arc<dyn World>, log: LogFormat) -> Option<Arc<Self>> {
        let names = names::Names::new(Arc::clone(&world));
        (egress != Egress::Off)
            .then(|| Arc::new(Outside { egress, world, names, said: Said::default(), log }))
    }

    pub fn egress(&self) -> Egress {
        self.egress
    }

    /// What a name stands for, as far as a machine may know it. Names that are not to be asked for are nobody's.
    pub(super) async fn look_up(&self, name: &str) -> Found {
        let found = if names::is_asked(name) { self.names.find(name).await } else { Found::Nobody };
        found.filtered(|address| walls::wall(*address, self.egress).is_none() && !self.owns(*address))
    }

    /// Whether it is this host itself. An IPv6 address leads nowhere: machines have none.
    fn owns(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.world.owns(address),
            IpAddr::V6(_) => false,
        }
    }

    fn judge(&self, transport: Transport, to: SocketAddrV4) -> Result<(), Error> {
        let owns = |address: Ipv4Addr| self.world.owns(address);
        let judged = walls::judge(transport, to, self.egress, owns);
        judged.map_err(|reason| WALLED.with([to.to_string(), reason.to_owned()]))
    }

    /// Says in the log what was refused, and why; not again what was said a moment ago.
    fn refused(&self, transport: Transport, to: SocketAddrV4, error: &Error) -> io::Error {
        if self.said.is_news((transport, to, error.row.code), Instant::now()) {
            log::turned_away_in(self.log, &format!("{transport} to {to}: {}", error.message()), error);
        }
        io::ErrorKind::PermissionDenied.into()
    }
}

/// What the first bytes say, as an answer and an error.
fn listened(to: SocketAddrV4, first: &[u8]) -> Result<Heard, Error> {
    match first_bytes::hear(first) {
        Heard::Forbidden => Err(FORBIDDEN_NAME.with([to.to_string()])),
        heard => Ok(heard),
    }
}

impl guest::Outside for Outside {
    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
        match self.judge(Transport::Tcp, to) {
            Ok(()) => self.world.connect(to),
            Err(error) => {
                let error = self.refused(Transport::Tcp, to, &error);
                Box::pin(async { Err(error) })
            }
        }
    }

    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
        match self.judge(Transport::Udp, to) {
            Ok(()) => self.world.bind(to),
            Err(error) => {
                let error = self.refused(Transport::Udp, to, &error);
                Box::pin(async { Err(error) })
            }
        }
    }

    fn hear(&self, to: SocketAddrV4, first: &[u8]) -> Heard {
        listened(to, first).unwrap_or_else(|error| {
            self.refused(Transport::Tcp, to, &error);
            Heard::Forbidden
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks nobody: whoever comes this far fails the test.
    struct Nowhere;

    impl World for Nowhere {
        fn addresses_of(&self, name: String) -> Opening<Vec<IpAddr>> {
            let addresses = match name.as_str() {
                "rebinds.example" => vec!["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.0.2.5", "::1"],
                "mixed.example" => vec!["198.51.100.7", "192.168.1.1", "2001:db8::7"],
                other => panic!("`{other}` was asked for"),
            };
            let addresses = addresses.into_iter().map(|it| it.parse().expect("an address")).collect();
            Box::pin(async { Ok(addresses) })
        }

        fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
            panic!("{to} was dialled")
        }

        fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
            panic!("{to} was spoken to")
        }

        fn owns(&self, address: Ipv4Addr) -> bool {
            address == Ipv4Addr::new(192, 0, 2, 5)
        }
    }

    fn outside() -> Arc<Outside> {
        Outside::new(Egress::Internet, Arc::new(Nowhere), LogFormat::Off).expect("an outside")
    }

    #[tokio::test]
    async fn what_is_walled_off_is_refused_before_anybody_dials() {
        use guest::Outside as _;
        for to in ["127.0.0.1:80", "192.0.2.5:443", "10.0.0.1:80", "169.254.169.254:80", "198.51.100.7:53"] {
            let to = to.parse().expect("an address");
            for refused in [outside().connect(to).await.err(), outside().bind(to).await.err()] {
                assert_eq!(refused.map(|it| it.kind()), Some(io::ErrorKind::PermissionDenied), "{to}");
            }
        }
    }

    #[test]
    fn what_is_refused_is_said_with_the_reason() {
        let to = "192.168.0.1:443".parse().expect("an address");
        let walled = outside().judge(Transport::Tcp, to).expect_err("a wall");
        assert!(
            walled.row.code == WALLED.code && walled.message().contains("`--egress=all` opens it"),
            "{walled:?}"
        );
        let named = listened(to, b"GET / HTTP/1.1\r\nHost: aka.ms\r\n\r\n").expect_err("a name");
        assert!(
            named.row.code == FORBIDDEN_NAME.code && named.message().contains("192.168.0.1:443"),
            "{named:?}"
        );
        assert!(listened(to, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").is_ok());
    }

    #[tokio::test]
    async fn names_lead_to_nothing_that_is_walled_off() {
        let addresses = |found: Found| match found {
            Found::Addresses(found) => found.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        };
        let outside = outside();
        assert_eq!(addresses(outside.look_up("rebinds.example").await), [""; 0]);
        assert_eq!(addresses(outside.look_up("mixed.example").await), ["198.51.100.7", "2001:db8::7"]);
        for never in ["vault.azure.net", "aka.ms", "printer.local", "vm7", "vm.x.internal.cloudapp.net"] {
            assert_eq!(addresses(outside.look_up(never).await), ["Nobody"], "{never}");
        }
    }

    #[test]
    fn there_is_no_outside_where_egress_is_off() {
        assert!(Outside::new(Egress::Off, Arc::new(Nowhere), LogFormat::Off).is_none());
    }
}
