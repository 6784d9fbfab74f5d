//! What of a machine is open at its public addresses: a door for each TCP port that its rules let in from outside, and at which
//! somebody listens in the guest.
//!
//! ```text
//! rules ──▶ openings ┐
//! what listens ──────┴▶ doors (front) ──▶ judged by the rules of that moment ──▶ the guest, from outside
//! ```
//!
//! Nobody is told when a program begins to listen, so the guest's kernel is asked twenty times a second, which costs some twenty microseconds,
//! and only while a port beside the SSH server's is let in. When a program listens no more, its door closes, and what came through it goes on, as
//! on any machine; when the rules let nobody in any more, or the machine ends, that is cut too.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use guest::{Guest, Listening};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    Cut, Follow, Key, LetIn, Served,
    log::Log,
    want::{self, SSH},
};
use crate::{
    host::{Listed, PublicDoor},
    products::network::inbound::Opening,
};

/// Between two looks at what listens.
const TICK: Duration = Duration::from_millis(50);
/// Doors of one machine; what listens at more ports than that is heard at the lowest of them.
const DOORS: usize = 256;
/// A connection within this host that takes longer is to somebody who does not accept it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The doors of a machine that runs. Dropped, they close, and what came through them is cut.
pub(super) struct Public {
    openings: watch::Sender<Vec<Opening>>,
    task: JoinHandle<()>,
}

impl Public {
    pub(super) fn set(&self, openings: &[Opening]) {
        self.openings.send_if_modified(|before| {
            let is_new = before != openings;
            if is_new {
                openings.clone_into(before);
            }
            is_new
        });
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What opens and closes them.
pub(super) struct Doors {
    follow: Arc<Follow>,
    key: Key,
    guest: Arc<Guest>,
    log: Log,
    ways: BTreeMap<(Ipv4Addr, u16), Way>,
}

/// A port that is let in, and that somebody has listened at.
struct Way {
    cut: Cut,
    door: Option<(Served, Listed)>,
    /// None can be had, which was said.
    is_refused: bool,
}

impl Way {
    fn is_in_use(&self) -> bool {
        self.door.is_some() || self.is_refused || self.cut.receiver_count() > 0
    }
}

impl Doors {
    pub(super) fn new(follow: Arc<Follow>, key: Key, guest: Arc<Guest>, log: Log) -> Self {
        Doors { follow, key, guest, log, ways: BTreeMap::new() }
    }

    pub(super) fn begin(self) -> Public {
        let openings = watch::Sender::new(Vec::new());
        let changes = openings.subscribe();
        Public { openings, task: tokio::spawn(self.follow(changes)) }
    }

    async fn follow(mut self, mut openings: watch::Receiver<Vec<Opening>>) {
        let Ok(listening) = self.guest.listening().await else { return };
        loop {
            let now = openings.borrow_and_update().clone();
            let is_open = now.iter().any(|it| it.has_others_than(SSH));
            let wanted = if is_open { wanted(&now, &listening) } else { Ok(Vec::new()) };
            match wanted {
                Ok(wanted) => self.become_as(&now, &wanted),
                Err(error) => return self.log.line(&format!("what listens cannot be told: {error}")),
            }
            let changed = openings.changed();
            let waited = match is_open {
                true => tokio::time::timeout(TICK, changed).await.unwrap_or(Ok(())),
                false => changed.await,
            };
            if waited.is_err() {
                return;
            }
        }
    }

    /// Opens and closes until there are these doors and no others.
    fn become_as(&mut self, openings: &[Opening], wanted: &[(Opening, u16)]) {
        let is_let_in = |(public, port): &(Ipv4Addr, u16)| {
            openings.iter().any(|it| it.public == *public && it.lets_in(*port))
        };
        let is_wanted = |(public, port): &(Ipv4Addr, u16)| {
            wanted.iter().any(|(opening, it)| opening.public == *public && it == port)
        };
        self.ways.retain(|at, way| {
            if !is_wanted(at) {
                (way.door, way.is_refused) = (None, false);
            }
            is_let_in(at) && way.is_in_use()
        });
        for (opening, port) in wanted {
            let has_door = |it: &Way| it.door.is_some() || it.is_refused;
            if !self.ways.get(&(opening.public, *port)).is_some_and(has_door) {
                self.open(opening, *port);
            }
        }
    }

    fn open(&mut self, opening: &Opening, port: u16) {
        let way = self.ways.remove(&(opening.public, port));
        let cut = way.map_or_else(|| Cut::new(()), |it| it.cut);
        let let_in = self.let_in(opening.public, SocketAddrV4::new(opening.private, port));
        let opened = (self.follow.setup.serve_public)((opening.public, port), &cut, let_in);
        let way = match opened {
            Ok((at, served)) => {
                let public = SocketAddrV4::new(opening.public, port);
                let door = PublicDoor { vm: self.key.1.clone(), at };
                let listed = self.follow.server.env.public_doors.list(self.key.0, public, door);
                self.log.line(&format!("{public}: open, at {at}"));
                Way { cut, door: Some((served, listed)), is_refused: false }
            }
            Err(error) => {
                self.log.line(&format!("{}:{port}: cannot be listened at: {error}", opening.public));
                Way { cut, door: None, is_refused: true }
            }
        };
        self.ways.insert((opening.public, port), way);
    }

    /// Judges each connection by what is written at that moment, and takes it to the guest.
    fn let_in(&self, public: Ipv4Addr, inside: SocketAddrV4) -> LetIn {
        let (store, (cloud, vm)) = (self.follow.server.env.store.clone(), self.key.clone());
        let guest = Arc::downgrade(&self.guest);
        Arc::new(move || {
            let (store, vm, guest) = (store.clone(), vm.clone(), guest.clone());
            Box::pin(async move {
                // What cannot be looked up lets nobody in.
                let openings = store.read(cloud, |txn| want::openings(txn, &vm)).await.ok()?;
                let is_let_in = |it: &&Opening| it.public == public && it.lets_in(inside.port());
                openings.iter().find(is_let_in)?;
                let connected =
                    tokio::time::timeout(PATIENCE, guest.upgrade()?.connect_from_outside(inside)).await;
                connected.ok()?.ok()
            })
        })
    }
}

/// What is let in and listened at, as much of it as may have a door.
fn wanted(openings: &[Opening], listening: &Listening) -> io::Result<Vec<(Opening, u16)>> {
    let mut wanted = Vec::new();
    for opening in openings {
        let ports: BTreeSet<u16> = listening.ports_at(opening.private)?;
        let ports = ports.into_iter().filter(|port| *port != SSH && opening.lets_in(*port));
        wanted.extend(ports.map(|port| (opening.clone(), port)));
    }
    wanted.truncate(DOORS);
    Ok(wanted)
}
