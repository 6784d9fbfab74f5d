//! The way out of a virtual network: what a guest sends to addresses that nobody in its network has, where its owner gave it a way.
//!
//! No packet of a guest goes out. Its connections end here, in user space, and what they carry goes on over ordinary sockets of this process,
//! which somebody else opens ([`Outside`]) after having judged where to:
//!
//! ```text
//! eth0 ─▶ wire ─▶ rules ─┬─ TCP: `tcp`, a stack of one connection ◀─▶ `Outside::connect`
//!                        ├─ UDP: `udp`, a socket for each flow    ◀─▶ `Outside::bind`
//!                        └─ all else: nobody answers, pings neither (as in Azure, where they are not let out)
//! ```
//!
//! A connection is answered only when its other end was reached: what is refused there is refused here at once, what does not answer there is
//! not answered here. Each guest has so many of both and no more, and none of them outlives its [`super::Plug`].
//!
//! Absent: IPv6, datagrams in fragments from guests, and ways for anybody outside to begin anything.

mod packet;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::frame::{Begins, Flow, Protocol};
use super::{Port, Rules};

/// A socket on its way.
pub type Opening<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Whoever opens sockets to the world, and judges first whether a guest may have them. It may be asked from any thread.
pub trait Outside: Send + Sync {
    /// A connection to there. An error is the guest's to know: refused or forbidden, it is told at once; unreachable, it is told that; of anything
    /// else it hears nothing, as of a host that does not answer.
    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream>;

    /// A socket that is connected to there, so that it hears nobody else. Errors are as for connections.
    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket>;

    /// What becomes of a connection to there that begins with these bytes, none of which has been passed on yet.
    fn hear(&self, to: SocketAddrV4, first: &[u8]) -> Heard;
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Too little: ask again with more.
    Unclear,
    Fine,
    /// It is cut, and nothing of it is passed on.
    Forbidden,
}

/// Connections of one guest, those being opened among them.
const CONNECTIONS: usize = 512;
/// Flows of datagrams of one guest.
const FLOWS: usize = 256;

/// Who talks to whom: the guest's side, then the other.
type Ends = (SocketAddrV4, SocketAddrV4);

/// One guest's way out.
pub(super) struct Way {
    outside: Arc<dyn Outside>,
    connections: Table<tcp::Entry>,
    flows: Table<udp::Sender>,
    /// None when it is closed.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Way {
    pub(super) fn new(outside: Arc<dyn Outside>) -> Way {
        Way {
            outside,
            connections: Table::new(CONNECTIONS),
            flows: Table::new(FLOWS),
            tasks: Mutex::new(Some(JoinSet::new())),
        }
    }

    /// Takes a packet that is for nobody in the network. What rules do not let out is dropped without a word.
    pub(super) fn take(port: &Arc<Port>, flow: Flow, begins: Begins, frame: &[u8], rules: &dyn Rules) {
        let ends = (flow.source, flow.destination);
        let to = ends.1.ip();
        // No single host has these: nobody answers in their name, and smoltcp would not hear of them.
        if to.is_multicast() || to.is_broadcast() || to.is_unspecified() {
            return;
        }
        match flow.protocol {
            Protocol::Tcp => tcp::take(port, ends, begins, frame, || rules.lets_leave(&flow)),
            Protocol::Udp if begins == Begins::Perhaps => {
                udp::take(port, ends, frame, || rules.lets_leave(&flow))
            }
            Protocol::Udp | Protocol::Icmp | Protocol::Other(_) => {}
        }
    }

    /// Ends all of it, and whatever would begin after that.
    pub(super) fn close(&self) {
        lock(&self.tasks).take();
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        let Some(tasks) = &mut *tasks else { return };
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// What is under way, up to a bound.
struct Table<T> {
    entries: Mutex<HashMap<Ends, T>>,
    most: usize,
}

impl<T: Clone> Table<T> {
    fn new(most: usize) -> Table<T> {
        Table { entries: Mutex::default(), most }
    }

    fn get(&self, ends: &Ends) -> Option<T> {
        lock(&self.entries).get(ends).cloned()
    }

    /// Whether there is room for it.
    fn insert(&self, ends: Ends, entry: T) -> bool {
        let mut entries = lock(&self.entries);
        let has_room = entries.len() < self.most || entries.contains_key(&ends);
        if has_room {
            entries.insert(ends, entry);
        }
        has_room
    }

    fn remove(&self, ends: &Ends) {
        lock(&self.entries).remove(ends);
    }
}

/// Takes an entry out of its table when its task ends, however that comes about.
struct Registered<T: Clone, K: Fn(&Way) -> &Table<T>> {
    port: Arc<Port>,
    ends: Ends,
    table: K,
}

impl<T: Clone, K: Fn(&Way) -> &Table<T>> Drop for Registered<T, K> {
    fn drop(&mut self) {
        if let Some(way) = &self.port.way {
            (self.table)(way).remove(&self.ends);
        }
    }
}

/// What a guest is told of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Refused,
    Unreachable,
    Nothing,
}

fn told(error: &io::Error) -> Told {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::PermissionDenied => Told::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Told::Unreachable,
        _ => Told::Nothing,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a guest's connections")
}
