//! An SSH server for machines that somebody else runs: the protocol, and nothing of what stands behind it.
//!
//! ```text
//! a stream ──▶ serve ──▶ Connection (who is it?) ──▶ session     a shell, a command, a subsystem: Machine::start
//!                            │                   ├─▶ forward     -L and -D: Machine::connect, -R: Machine::listen
//!                            │                   └─▶ agent       -A: Machine::agent_socket
//!                            └── Machine::access, Machine::is_password
//! ```
//!
//! [`Machine`] is all that a server knows of its machine, so a test's machine needs neither processes nor sockets. Whoever accepts
//! connections hands each of them to [`serve`], and cuts it by dropping what that returned: the client sees the end of its connection,
//! and whatever ran for it is let go. The protocol itself is `russh`'s; docs/decisions/ssh.md says why.
//!
//! Bounds: a connection has a minute to sign in and a few attempts, [`SESSIONS_MAX`] channels, and what a program has not read yet
//! is kept up to a limit, after which its whole connection waits. A failed attempt costs its machine one of a few places for a second.
//!
//! Absent on purpose: X11, compression, host-based and challenge-response authentication, and the forwarding of Unix sockets other than the agent's.

mod connection;
mod forward;
mod keys;
mod queue;
mod session;
mod severable;
mod signals;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::connection::SESSIONS_MAX;
pub use self::keys::HostKey;

/// What a machine gives later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
pub type Stream = Box<dyn Duplex>;

/// What a server asks of the machine behind it. Problems are words for the one who asked.
pub trait Machine: Send + Sync {
    /// How a user may sign in; nobody's keys and no password where there is no such user.
    fn access<'a>(&'a self, user: &'a str) -> Pending<'a, Access>;

    /// Whether it is this user's password.
    fn is_password<'a>(&'a self, user: &'a str, password: &'a str) -> Pending<'a, bool>;

    /// Runs something for a user who has signed in.
    fn start(&self, start: Start) -> Pending<'_, Result<Process, String>>;

    /// A connection from within the machine.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, Result<Stream, String>>;

    /// Listens within the machine, at any port where that is 0.
    fn listen<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, Result<Listening, String>>;

    /// A socket within the machine at which that user's programs find an agent.
    fn agent_socket<'a>(&'a self, user: &'a str) -> Pending<'a, Result<AgentSocket, String>>;
}

/// How a user may sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Lines as in `~/.ssh/authorized_keys`.
    pub authorized_keys: Vec<String>,
    pub takes_passwords: bool,
}

/// What is to run, and where its user sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub user: String,
    pub what: What,
    /// A terminal, instead of three pipes.
    pub terminal: Option<Terminal>,
    pub env: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The user's login shell.
    Shell,
    /// A line for that shell; it need not be text.
    Command(Vec<u8>),
    /// The file transfer protocol.
    Sftp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// `TERM`.
    pub kind: String,
    pub size: Size,
}

/// In characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// Something that runs. Dropped, it is let go of.
pub struct Process {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// All that a terminal shows, where there is one.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Nothing where there is a terminal.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Dropping it ends the process.
    pub nudge: mpsc::Sender<Nudge>,
    /// Nothing comes where the machine ended.
    pub exit: oneshot::Receiver<Exit>,
}

/// What may be done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    Signal(i32),
    Resize(Size),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// A listener in the machine. Dropping `incoming` closes it.
pub struct Listening {
    pub port: u16,
    pub incoming: mpsc::Receiver<(Stream, SocketAddr)>,
}

/// A socket in the machine. Dropping `incoming` takes it away.
pub struct AgentSocket {
    pub path: String,
    pub incoming: mpsc::Receiver<Stream>,
}

/// A machine's server: its keys, and what all of its connections share.
pub struct Server {
    machine: Arc<dyn Machine>,
    host_key: HostKey,
    /// Failed attempts that are being paid for.
    failures: Arc<Semaphore>,
    patience: Patience,
}

/// How many failed attempts at a time a machine answers.
const FAILURES_AT_ONCE: usize = 4;

/// How long clients wait, and are waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// What a failed attempt costs.
    failure: Duration,
    /// How long one has to sign in.
    grace: Duration,
}

impl Patience {
    const USUAL: Patience = Patience { failure: Duration::from_secs(1), grace: Duration::from_secs(60) };
}

impl Server {
    pub fn new(machine: Arc<dyn Machine>, host_key: HostKey) -> Self {
        let failures = Arc::new(Semaphore::new(FAILURES_AT_ONCE));
        Server { machine, host_key, failures, patience: Patience::USUAL }
    }

    /// Serves one client until it goes. Dropped before, the client is cut off.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, ends: Ends) {
        connection::serve(self, stream, ends).await;
    }
}

/// The two ends of a connection, as `SSH_CONNECTION` tells them.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub client: SocketAddr,
    pub server: SocketAddr,
}
