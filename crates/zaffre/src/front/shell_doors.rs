//! A shell's doors: the sockets that its keeper opened in its network, served here as a guest's are.
//!
//! ```text
//! zaffre shell ── POST /shells ──▶ control: who is meant, a ticket
//!   └ keeper ── ticket, listeners by SCM_RIGHTS ──▶ the desk, a Unix socket beside control's
//!        169.254.169.254:80, the resolver, the service address   as in a guest
//!        127.0.0.1, a port of ours                               that listener of ours: proxy, hosts, blob, ...
//!        127.0.0.1, a port that `--forward` names                a port of this host's loopback
//!        127.77.x.y, any port that is open                       that machine's door (`env.public_doors`)
//! ```
//!
//! Who asks was settled when the ticket was given: the listeners are the shell's own. The connection lasts as long as the shell; over it more
//! listeners are asked for when machines' doors open, and when it ends everything of the shell ends here too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener as StdListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use guest::{
    GuestSockets, SERVICE_ADDRESS,
    shell::{Arrival, Visitor},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::watch,
};

use super::{
    connection::{Front, Slot},
    dns::Names,
    guest_doors::{self, GuestDoors},
    listen::{self, Speaks},
};
use crate::{StartError, cloud::CloudId, door::From};

/// How long a keeper may take to show its ticket.
const ARRIVAL_TIME: Duration = Duration::from_secs(10);
/// Tickets that nobody came with: a shell's takes a moment.
const TICKETS: usize = 64;

/// What a ticket is good for.
pub(crate) struct Granted {
    pub(crate) cloud: CloudId,
    pub(crate) from: From,
    pub(crate) hostname: String,
    /// Ports inside, and those of this host's loopback that they lead to.
    pub(crate) forwards: Vec<(u16, u16)>,
}

/// What is to be done when a shell has ended.
pub(crate) type After = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tickets that were given and not yet shown.
#[derive(Default)]
pub struct Tickets(Mutex<Vec<(String, Granted, Option<After>)>>);

impl Tickets {
    /// Keeps what the ticket is good for. The oldest of too many are forgotten.
    pub(crate) fn give(&self, ticket: String, granted: Granted, after: Option<After>) {
        let Ok(mut kept) = self.0.lock() else { return };
        kept.push((ticket, granted, after));
        let superfluous = kept.len().saturating_sub(TICKETS);
        kept.drain(..superfluous);
    }

    /// What it is good for, once.
    fn redeem(&self, ticket: &str) -> Option<(Granted, Option<After>)> {
        let mut kept = self.0.lock().ok()?;
        let is_same = |it: &(String, _, _)| crate::keys::same(it.0.as_bytes(), ticket.as_bytes());
        let at = kept.iter().position(is_same)?;
        let (_, granted, after) = kept.remove(at);
        Some((granted, after))
    }
}

/// Where keepers come to, beside the control socket.
pub(crate) fn desk(control: &Path) -> PathBuf {
    control.with_extension("shells")
}

/// Opens the desk, for the owner of this process alone, and serves it until the front closes.
pub fn open_desk(front: &Front, control: &Path) -> Result<(), StartError> {
    let path = desk(control);
    // What lies there is a dead cloud's, as with the control socket.
    let _ = std::fs::remove_file(&path);
    let refused = |error: &dyn Display| format!("cannot listen at `{}`: {error}", path.display());
    let socket = UnixListener::bind(&path).map_err(|error| refused(&error))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let front = front.clone();
    tokio::spawn(async move {
        listen::accept_own(front, socket, attend).await;
    });
    Ok(())
}

/// One shell, from its keeper's coming to its going.
async fn attend(front: Front, _slot: Slot, stream: UnixStream) {
    let arrived = tokio::time::timeout(ARRIVAL_TIME, Visitor::arrive(stream)).await;
    let Ok(Ok((mut visitor, Arrival { ticket, sockets }))) = arrived else { return };
    let Some((granted, after)) = front.server.env.tickets.redeem(&ticket) else {
        let _ = visitor.turn_away("the ticket is nobody's any more").await;
        return;
    };
    let shell = Shell { front: front.clone(), granted };
    match shell.open(sockets) {
        Ok(doors) => {
            tokio::select! {
                () = shell.follow_machines(visitor) => {}
                () = front.closing() => {}
            }
            drop(doors);
        }
        Err(error) => {
            let _ = visitor.turn_away(&format!("its doors cannot be served: {error}")).await;
        }
    }
    if let Some(after) = after {
        after.await;
    }
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// As in a guest.
    Platform,
    Ours(Speaks),
    /// A port of this host's loopback.
    Forward(u16),
    Nothing,
}

struct Shell {
    front: Front,
    granted: Granted,
}

/// An open door. Dropped, it closes, and what came through it is cut.
struct Open {
    _open: watch::Sender<()>,
}

impl Shell {
    fn role(&self, address: SocketAddr) -> Role {
        let forward = self.granted.forwards.iter().find(|it| it.0 == address.port());
        let own = self.front.server.env.running.get().map(|it| &it.run.addresses);
        let listener = own.and_then(|own| own.iter().find(|(_, at)| **at == address));
        match address.ip() {
            ip if !ip.is_loopback() || address.port() == 53 => Role::Platform,
            _ => match (forward, listener) {
                (Some((_, port)), _) => Role::Forward(*port),
                (None, Some((name, _))) => listen::speaks(name).map_or(Role::Nothing, Role::Ours),
                (None, None) => Role::Nothing,
            },
        }
    }

    fn open(&self, sockets: GuestSockets) -> io::Result<(GuestDoors, Vec<Open>)> {
        let mut platform = GuestSockets { tcp: Vec::new(), udp: sockets.udp, wire: None };
        let mut open = Vec::new();
        for (address, socket) in sockets.tcp {
            match self.role(address) {
                Role::Platform => platform.tcp.push((address, socket)),
                Role::Ours(speaks) => open.push(self.accept(socket, move |front, slot, stream, peer| {
                    listen::serve(front, slot, stream, peer, speaks)
                })?),
                Role::Forward(port) => {
                    let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
                    open.push(self.relay(socket, move |_| Some(to))?);
                }
                Role::Nothing => {}
            }
        }
        let names = Names {
            hostname: self.granted.hostname.clone(),
            own: Ipv4Addr::LOCALHOST,
            network: None,
            service: SERVICE_ADDRESS,
            outside: None,
        };
        let who = (self.granted.cloud, self.granted.from.clone());
        Ok((guest_doors::serve_as(&self.front, who, names, platform)?, open))
    }

    /// Serves a listener until what this gives is dropped.
    fn accept<F>(
        &self,
        socket: StdListener,
        serve: impl Fn(Front, Slot, TcpStream, SocketAddr) -> F + Send + 'static,
    ) -> io::Result<Open>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (open, stopped) = watch::channel(());
        let until = stopped.clone();
        let serve = move |front: Front, slot, stream, peer| {
            let (task, stopped) = (serve(front, slot, stream, peer), until.clone());
            async move {
                tokio::select! {
                    () = task => {}
                    () = dropped(stopped) => {}
                }
            }
        };
        let (front, socket) = (self.front.clone(), TcpListener::from_std(socket)?);
        tokio::spawn(async move {
            tokio::select! {
                () = listen::accept(front, socket, serve) => {}
                () = dropped(stopped) => {}
            }
        });
        Ok(Open { _open: open })
    }

    /// Carries each connection to where `to` says at that moment.
    fn relay(
        &self,
        socket: StdListener,
        to: impl Fn(&Front) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> io::Result<Open> {
        let to = Arc::new(to);
        self.accept(socket, move |front, slot, stream, _| {
            let to = Arc::clone(&to);
            async move {
                let _slot = slot;
                let Some(at) = to(&front) else { return };
                tokio::select! {
                    () = carry(stream, at) => {}
                    () = front.closing() => {}
                }
            }
        })
    }

    /// Opens in the shell what opens at machines' public addresses, until the shell has ended.
    async fn follow_machines(&self, mut visitor: Visitor) {
        let cloud = self.granted.cloud;
        let doors = self.front.server.env.public_doors.clone();
        let mut changes = doors.changes();
        let mut asked: BTreeSet<SocketAddrV4> = BTreeSet::new();
        let mut open: BTreeMap<SocketAddrV4, Option<Open>> = BTreeMap::new();
        let mut has_begun = false;
        loop {
            changes.mark_unchanged();
            let there: BTreeSet<SocketAddrV4> = doors.of(cloud).into_iter().map(|it| it.0).collect();
            open.retain(|at, _| there.contains(at));
            asked.retain(|at| there.contains(at));
            for public in &there {
                if asked.insert(*public) && visitor.ask_to_listen((*public).into()).await.is_err() {
                    return;
                }
            }
            // What is open already is open when the shell begins.
            if !has_begun && asked.iter().all(|it| open.contains_key(it)) {
                has_begun = visitor.welcome().await.is_ok();
            }
            tokio::select! {
                opened = visitor.opened() => match opened {
                    Ok(Some((SocketAddr::V4(public), socket))) if asked.contains(&public) => {
                        let to = move |front: &Front| front.server.env.public_doors.find(cloud, public);
                        let door = socket.and_then(|it| self.relay(it, to).ok());
                        open.insert(public, door);
                    }
                    // It closed meanwhile.
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return,
                },
                _ = changes.changed() => {}
            }
        }
    }
}

/// Nothing is ever sent: it resolves when the other end is dropped.
async fn dropped(mut other: watch::Receiver<()>) {
    while other.changed().await.is_ok() {}
}

async fn carry(mut near: TcpStream, at: SocketAddr) {
    // Who cannot be reached is as if nobody listened: the connection ends.
    let Ok(mut far) = TcpStream::connect(at).await else { return };
    let _ = near.set_nodelay(true).and(far.set_nodelay(true));
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(hostname: &str) -> Granted {
        let from = From::Host(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        Granted { cloud: CloudId::DEFAULT, from, hostname: hostname.to_owned(), forwards: Vec::new() }
    }

    #[test]
    fn a_ticket_is_good_once_and_the_oldest_of_many_are_forgotten() {
        let tickets = Tickets::default();
        tickets.give("first".to_owned(), granted("first"), None);
        for number in 0..TICKETS {
            tickets.give(number.to_string(), granted("other"), None);
        }
        assert!(tickets.redeem("first").is_none(), "forgotten");
        assert_eq!(tickets.redeem("0").map(|it| it.0.hostname).as_deref(), Some("other"));
        assert!(tickets.redeem("0").is_none(), "used");
        assert!(tickets.redeem("").is_none());
    }
}
