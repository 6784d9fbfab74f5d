//! The listeners: which ports, on loopback alone unless another address was named, and what each of them is for.
//!
//! ```text
//! proxy 10080   HTTP proxy, either  Azure's names, for whoever has the variables of `zaffre env`
//! tls   10443   TLS by name         the same names, for whoever resolves them to this machine
//! blob  10000   drop-in, either     where Azurite would be
//! cosmos 8081   drop-in, either     where the Cosmos emulator would be
//! hosts 10082   either              other hosts' managed identities, at doors that `zaffre env --host-kind` makes
//! ssh   22      machines            each machine's own, at its public address (`ssh_doors`)
//! public        machines            what listens in each, at its public address (`public_doors`)
//! ```
//!
//! A drop-in port is where a project already looks, so one that is taken stays shut, with a word about it: another port would
//! be no drop-in. The others take the next free one. A port that was asked for by number is that port or an error. A first
//! byte of 0x16 at a drop-in port begins a TLS handshake; anything else is HTTP.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    str::FromStr,
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::{
    connection::{Front, Slot},
    prompt::{HANDSHAKE, Prompt},
    proxy,
};
use crate::{
    StartError,
    cloud::CloudId,
    door::{Door, Entrance, From},
};

/// How far beyond its usual place a listener looks for a free port.
const NEXT_PORTS: u16 = 100;

/// One listener, as the table has it.
struct Listener {
    name: &'static str,
    port: u16,
    is_drop_in: bool,
    speaks: Speaks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Proxy,
    Tls(Entrance),
    /// TLS or plain, by the first byte.
    Either(Entrance),
}

static LISTENERS: [Listener; 5] = [
    Listener { name: "proxy", port: 10080, is_drop_in: false, speaks: Speaks::Proxy },
    Listener { name: "tls", port: 10443, is_drop_in: false, speaks: Speaks::Tls(Entrance::Named) },
    Listener { name: "blob", port: 10000, is_drop_in: true, speaks: Speaks::Either(Entrance::Blob) },
    Listener { name: "cosmos", port: 8081, is_drop_in: true, speaks: Speaks::Either(Entrance::Cosmos) },
    Listener { name: "hosts", port: 10082, is_drop_in: false, speaks: Speaks::Either(Entrance::Hosts) },
];

/// Where machines are signed in to: not one listener, but one for each of them, at the first of these that can be had.
const SSH: &str = "ssh";
const SSH_PORTS: [u16; 3] = [22, 2222, 0];
/// Where what listens in machines is reached, likewise.
const PUBLIC: &str = "public";

/// At which ports of this host what listens in machines is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// At its own, where those can be had.
    Same,
    /// At any that is free.
    Any,
    Off,
}

/// What `--port NAME=N|0|off` says; the later word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    name: String,
    port: Wished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wished {
    At(u16),
    /// Any that is free.
    Any,
    Off,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = text.split_once('=').ok_or("expected NAME=PORT")?;
        let names: Vec<_> = LISTENERS.iter().map(|it| it.name).chain([SSH, PUBLIC]).collect();
        if name != "all" && !names.contains(&name) {
            return Err(format!("no listener `{name}`: there are {}, and `all`", names.join(", ")));
        }
        let port = match port {
            "off" => Wished::Off,
            "0" => Wished::Any,
            _ if name == PUBLIC => return Err(format!("`{PUBLIC}` is for many ports: 0 or `off`")),
            number => Wished::At(number.parse().map_err(|_| format!("`{number}` is no port, 0 or `off`"))?),
        };
        Ok(Wish { name: name.to_owned(), port })
    }
}

fn wished(wishes: &[Wish], name: &str) -> Option<Wished> {
    wishes.iter().rev().find(|wish| wish.name == name || wish.name == "all").map(|wish| wish.port)
}

/// The ports that a machine's SSH server tries, in this order; none where there is to be none.
pub fn ssh_ports(wishes: &[Wish]) -> Vec<u16> {
    match wished(wishes, SSH) {
        None => SSH_PORTS.to_vec(),
        Some(Wished::At(port)) => vec![port],
        Some(Wished::Any) => vec![0],
        Some(Wished::Off) => Vec::new(),
    }
}

/// At which ports machines' own listeners are reached.
pub fn public_ports(wishes: &[Wish]) -> Ports {
    match wished(wishes, PUBLIC) {
        None | Some(Wished::At(_)) => Ports::Same,
        Some(Wished::Any) => Ports::Any,
        Some(Wished::Off) => Ports::Off,
    }
}

/// Where the listeners are, by name, and what could not be had.
#[derive(Debug, Default)]
pub struct Open {
    pub addresses: BTreeMap<&'static str, SocketAddr>,
    pub warnings: Vec<String>,
}

/// Whether public addresses of machines can be listened at: tried at the last of their range, which no machine has.
pub(crate) fn has_public_addresses() -> bool {
    std::net::TcpListener::bind(("127.77.255.254", 0)).is_ok()
}

/// Opens the listeners at an address of this machine and serves them until the front closes.
pub async fn open(front: &Front, address: IpAddr, wishes: &[Wish]) -> Result<Open, StartError> {
    let mut open = Open::default();
    open.warnings.extend(beyond_loopback(address));
    for listener in &LISTENERS {
        match bind(listener, address, wished(wishes, listener.name)).await? {
            Bound::Open(socket) => {
                open.addresses.insert(listener.name, socket.local_addr()?);
                let speaks = listener.speaks;
                let serve = move |front, slot, stream, peer| serve(front, slot, stream, peer, speaks);
                tokio::spawn(accept(front.clone(), socket, serve));
            }
            Bound::Shut(warning) => open.warnings.push(warning),
            Bound::Off => {}
        }
    }
    Ok(open)
}

/// Said loudly: beyond this machine nobody asks who one is before the proxy lets them in.
fn beyond_loopback(address: IpAddr) -> Option<String> {
    (!address.is_loopback()).then(|| {
        format!(
            "LISTENING BEYOND THIS MACHINE, at {address}: whoever reaches these ports reaches the cloud, its emulators' well-known \
             keys and, through the proxy, what this machine reaches; in a container, publish them on 127.0.0.1 alone"
        )
    })
}

enum Bound {
    Open(TcpListener),
    Shut(String),
    Off,
}

async fn bind(listener: &Listener, address: IpAddr, wished: Option<Wished>) -> Result<Bound, StartError> {
    let Listener { name, port, is_drop_in, .. } = listener;
    let at = async |port| TcpListener::bind((address, port)).await;
    match wished {
        Some(Wished::Off) => Ok(Bound::Off),
        Some(Wished::Any) => Ok(Bound::Open(at(0).await?)),
        Some(Wished::At(port)) => match at(port).await {
            Ok(socket) => Ok(Bound::Open(socket)),
            Err(error) => Err(format!("cannot listen on port {port} for `{name}`: {error}").into()),
        },
        None if *is_drop_in => Ok(match at(*port).await {
            Ok(socket) => Bound::Open(socket),
            Err(error) => Bound::Shut(format!(
                "port {port} of `{name}` stays shut: {error}; `--port {name}=N` opens it at another"
            )),
        }),
        None => next_free(address, *port).await.map(Bound::Open),
    }
}

async fn next_free(address: IpAddr, first: u16) -> Result<TcpListener, StartError> {
    for port in first..first + NEXT_PORTS {
        match TcpListener::bind((address, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return Ok(other?),
        }
    }
    Err(format!("no port is free from {first} on").into())
}

/// Accepts connections while there is a place for one more, until the front closes.
pub(super) async fn accept<F>(
    front: Front,
    socket: TcpListener,
    serve: impl Fn(Front, Slot, TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Some(slot) = front.slot().await {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = front.closing() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let task = serve(front.clone(), Slot::clone(&slot), stream, peer);
                front.spawn(slot, task);
            }
            Err(error) => recover(&error).await,
        }
    }
}

/// A client that went before it was accepted is no trouble; too many open files is, for a while.
pub(super) async fn recover(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        eprintln!("cannot accept a connection: {error}");
        #[expect(
            clippy::disallowed_methods,
            reason = "accepting again at once would fail at once, without end"
        )]
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a listener of the table speaks.
pub(super) fn speaks(name: &str) -> Option<Speaks> {
    LISTENERS.iter().find(|it| it.name == name).map(|it| it.speaks)
}

pub(super) async fn serve(front: Front, slot: Slot, stream: TcpStream, peer: SocketAddr, speaks: Speaks) {
    let door = |entrance| Door { cloud: CloudId::DEFAULT, from: From::Host(peer), entrance, tls: false };
    match speaks {
        Speaks::Proxy => proxy::serve(&front, slot, stream, peer, CloudId::DEFAULT).await,
        Speaks::Tls(entrance) => front.serve_tls(slot, Prompt::new(stream), door(entrance)).await,
        Speaks::Either(entrance) if begins_tls(&front, &stream).await => {
            front.serve_tls(slot, Prompt::new(stream), door(entrance)).await;
        }
        Speaks::Either(entrance) => front.serve(slot, Prompt::new(stream), door(entrance)).await,
    }
}

async fn begins_tls(front: &Front, stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = tokio::time::timeout(front.limits.head_time, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1)) if first[0] == HANDSHAKE)
}

/// Opens the control socket, for the owner of this process alone, and serves it until the front closes.
pub fn open_control(front: &Front, path: &Path) -> Result<(), StartError> {
    // What lies there is a dead cloud's: the data directory's lock is ours by now.
    let _ = std::fs::remove_file(path);
    let socket = UnixListener::bind(path)
        .map_err(|error| format!("cannot listen at `{}`: {error}", path.display()))?;
    // Whoever came before this is turned away by their uid.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let front = front.clone();
    tokio::spawn(async move {
        let door = Door::at(CloudId::DEFAULT, Entrance::Control);
        let serve = |front: Front, slot, stream| {
            let door = door.clone();
            async move { front.serve(slot, stream, door).await }
        };
        accept_own(front, socket, serve).await;
    });
    Ok(())
}

/// Accepts connections of this process's own user, until the front closes.
pub(super) async fn accept_own<F>(
    front: Front,
    socket: UnixListener,
    serve: impl Fn(Front, Slot, UnixStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let owner = rustix::process::geteuid().as_raw();
    while let Some(slot) = front.slot().await {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = front.closing() => return,
        };
        match accepted {
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) => {
                let task = serve(front.clone(), Slot::clone(&slot), stream);
                front.spawn(slot, task);
            }
            // Somebody else's process, root's too: the connection is dropped without a word.
            Ok(_) => {}
            Err(error) => recover(&error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ports_wish_is_a_number_any_or_off_and_the_last_one_counts() {
        let wishes = ["all=0", "blob=off", "proxy=12345"].map(|it| it.parse::<Wish>().expect("a wish"));
        for (name, port) in [
            ("proxy", Some(Wished::At(12345))),
            ("blob", Some(Wished::Off)),
            ("tls", Some(Wished::Any)),
            ("cosmos", Some(Wished::Any)),
        ] {
            assert_eq!(wished(&wishes, name), port, "{name}");
        }
        assert_eq!(wished(&[], "proxy"), None);
        assert_eq!((ssh_ports(&wishes), ssh_ports(&[])), (vec![0], vec![22, 2222, 0]));
        assert_eq!((public_ports(&wishes), public_ports(&[])), (Ports::Any, Ports::Same));
        assert_eq!(public_ports(&["public=off".parse().expect("a wish")]), Ports::Off);
        let off = ["ssh=2200", "ssh=off"].map(|it| it.parse::<Wish>().expect("a wish"));
        assert_eq!((ssh_ports(&off[..1]), ssh_ports(&off)), (vec![2200], vec![]));
        for bad in ["blob", "queue=1", "blob=x", "blob=70000", "blob=-1", "public=80"] {
            assert!(bad.parse::<Wish>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_others_reach_is_said_loudly() {
        for (address, is_loud) in
            [("127.0.0.1", false), ("127.77.0.1", false), ("::1", false), ("0.0.0.0", true)]
        {
            let address = address.parse().expect("an address");
            assert_eq!(beyond_loopback(address).is_some(), is_loud, "{address}");
        }
    }

    #[tokio::test]
    async fn a_taken_drop_in_port_stays_shut_and_a_taken_port_by_number_is_an_error() {
        let here = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let taken = TcpListener::bind((here, 0)).await.expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let drop_in =
            Listener { name: "blob", port, is_drop_in: true, speaks: Speaks::Either(Entrance::Blob) };
        let other = Listener { name: "tls", port, is_drop_in: false, speaks: Speaks::Tls(Entrance::Named) };
        let shut = bind(&drop_in, here, None).await.expect("no error");
        assert!(matches!(shut, Bound::Shut(warning) if warning.contains("--port blob=N")));
        assert!(bind(&drop_in, here, Some(Wished::At(port))).await.is_err());
        let next = bind(&other, here, None).await.expect("no error");
        assert!(
            matches!(next, Bound::Open(socket) if socket.local_addr().expect("an address").port() > port)
        );
    }
}
