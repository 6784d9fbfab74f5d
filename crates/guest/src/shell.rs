//! A shell: the user's own command behind walls of its own, with doors that a server elsewhere serves.
//!
//! ```text
//! caller ── Plan ──▶ keeper (this program again, `init::shell`): a mount and a network namespace, files over the host's, listeners
//!                      ├── listeners, by SCM_RIGHTS, and a ticket ──▶ server ([`Visitor`]), which accepts, and may ask for more of them
//!                      └── the command: the caller's user, terminal, directory and files
//! ```
//!
//! Unlike a guest it has the host's processes, users and files: what differs is where names and addresses lead. An ordinary user's walls
//! are in a user namespace too, in which they are themselves; root's are not, since there everybody else's files would be nobody's.
//!
//! Nothing is left of it. When the command ends, or its caller does, its keeper ends every process that came of it (it is whom orphans
//! fall to), and should the keeper be killed, the caller does. The namespaces, mounts and files go with their last process, by the
//! kernel's own book-keeping: the files are in memory, in a mount that nobody else sees. The listeners go with the server's connection.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::guest::GuestSockets;
use crate::here::Doors;
use crate::init::{SHELL_NAME, end_descendants};
use crate::refused::{Named, Refused};
use crate::settings::explain;
use crate::spec::ExitStatus;
use crate::sys;
use crate::wire::{self, Inbox};

/// Everything that makes a shell what it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Whether it has walls. Without them the command runs in its caller's own network and sees the files where they are.
    pub walls: bool,
    pub doors: Doors,
    /// Who serves the doors, and is told when the shell ends.
    pub desk: Option<Desk>,
    /// A directory that `files` are put in: behind walls, the mount point of a file system in memory; without them, made and taken away.
    pub folder: Option<PathBuf>,
    pub files: Vec<File>,
    /// Behind walls: what is seen in place of what is there. Where nothing is there, or something of another type, nothing is covered.
    pub covers: Vec<Cover>,
    /// None to find out whether there can be walls.
    pub command: Option<What>,
}

/// A Unix socket, and what is shown there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Desk {
    pub socket: PathBuf,
    pub ticket: String,
}

/// In [`Plan::folder`]; its directories are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    pub path: PathBuf,
    pub holds: Holds,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Holds {
    Text(String),
    Link(PathBuf),
}

/// `source`, from [`Plan::folder`] unless it is absolute, is seen at `target`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cover {
    pub target: PathBuf,
    pub source: PathBuf,
}

/// What runs, in its caller's directory, and how its environment differs from its caller's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct What {
    pub argv: Vec<OsString>,
    pub env: Vec<(String, Option<String>)>,
}

/// Why a shell did not come to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShellError {
    /// This machine refuses the walls. Nothing has run.
    NoWalls(Refused),
    /// Something else did.
    Refused(Refused),
}

/// A keeper is asked for its shell, and told what its command is to be told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToKeeper {
    Begin(Box<Plan>),
    Signal(i32),
}

/// How a shell ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromKeeper {
    Failed(ShellError),
    Ended(ExitStatus),
}

/// What a keeper says to the server: who it is, with its sockets, TCP's before UDP's; and later what was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToServer {
    Arrived { ticket: String, tcp: Vec<SocketAddr>, udp: Vec<SocketAddr> },
    Opened { address: SocketAddr },
}

/// What the server says to a keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromServer {
    Welcome,
    TurnedAway(String),
    Listen(SocketAddr),
}

/// Runs a shell from its beginning to its end. Blocks; `program` is as in [`crate::Spec::init`]. To be called by a process that has
/// nothing else to do: its other children end too, and the signals that it is sent are passed on from here on.
pub fn run(program: &Path, plan: Plan) -> Result<ExitStatus, ShellError> {
    Caller::begin(program, plan).map_err(ShellError::Refused)?.wait()
}

/// Whether this machine lets us have walls: the step at which it does not, and why.
pub fn probe_walls(program: &Path) -> Result<(), Refused> {
    let plan = Plan {
        walls: true,
        doors: Doors::of_azure(),
        desk: None,
        folder: None,
        files: Vec::new(),
        covers: Vec::new(),
        command: None,
    };
    match run(program, plan) {
        Ok(_) => Ok(()),
        Err(ShellError::NoWalls(refused) | ShellError::Refused(refused)) => Err(refused),
    }
}

/// The caller's side of a keeper.
struct Caller {
    keeper: Child,
    control: StdStream,
    inbox: Inbox,
    has_command: bool,
}

impl Caller {
    fn begin(program: &Path, plan: Plan) -> Result<Caller, Refused> {
        let (control, theirs) = StdStream::pair().at("make a socket pair")?;
        let has_command = plan.command.is_some();
        if has_command {
            // Should the keeper be killed, its orphans fall to us.
            let own = Some(rustix::process::getpid());
            rustix::process::set_child_subreaper(own).at("take over what a keeper leaves")?;
        }
        // Stdin, stdout and stderr are the command's.
        rustix::io::fcntl_setfd(&theirs, FdFlags::empty()).at("keep the keeper's socket open")?;
        let number = rustix::fd::AsRawFd::as_raw_fd(&theirs).to_string();
        let keeper = Command::new(program).arg0(SHELL_NAME).arg(number).spawn();
        let keeper = keeper.named(|| format!("start a shell's keeper (`{}`)", program.display()))?;
        drop(theirs);
        // A keeper that is gone already has left its reason, or the lack of one, to be read.
        let _ = wire::send(&control, &ToKeeper::Begin(Box::new(plan)), &[]);
        Ok(Caller { keeper, control, inbox: Inbox::default(), has_command })
    }

    /// Until the shell has ended, passing on the signals that this process alone was sent.
    fn wait(mut self) -> Result<ExitStatus, ShellError> {
        // Without a command there is nobody to pass them on to, and the caller may have other things to do with its signals.
        let wanted = if self.has_command { sys::PASSED_ON } else { &[] };
        let told = sys::watch_signals(wanted).at("watch signals").map_err(ShellError::Refused)?;
        let ended = loop {
            match self.inbox.take() {
                Ok(None) => {}
                Ok(Some((FromKeeper::Ended(status), _))) => break Ok(status),
                Ok(Some((FromKeeper::Failed(error), _))) => break Err(explained(error)),
                Err(error) => break Err(lost(&error.to_string())),
            }
            let mut waits = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(&told, PollFlags::IN)];
            // An interrupted wait is one that is over.
            let _ = poll(&mut waits, None);
            let is_answered = !waits[0].revents().is_empty();
            while let Some(signal) = sys::next_signal_sent(&told) {
                // What a terminal sends, it sends to the command as well.
                if !signal.is_kernels {
                    let _ = wire::send(&self.control, &ToKeeper::Signal(signal.number), &[]);
                }
            }
            if is_answered {
                match self.inbox.fill(&self.control) {
                    Ok(true) => {}
                    Ok(false) => break Err(lost("it left without a word")),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(lost(&error.to_string())),
                }
            }
        };
        drop(self.control);
        let _ = self.keeper.wait();
        if self.has_command {
            end_descendants();
        }
        ended
    }
}

fn explained(error: ShellError) -> ShellError {
    match error {
        ShellError::NoWalls(refused) => ShellError::NoWalls(explain(refused)),
        ShellError::Refused(refused) => ShellError::Refused(refused),
    }
}

fn lost(why: &str) -> ShellError {
    ShellError::Refused(Refused::new("hear from the shell's keeper", why))
}

/// A shell, as the server that serves its doors sees it: a connection from its keeper. It lasts as long as the shell.
pub struct Visitor {
    stream: UnixStream,
    inbox: Inbox,
}

/// What a keeper shows when it comes.
pub struct Arrival {
    pub ticket: String,
    pub sockets: GuestSockets,
}

impl Visitor {
    /// Of a connection to the desk: whoever it is shows a ticket, and hands over what it opened.
    pub async fn arrive(stream: UnixStream) -> io::Result<(Visitor, Arrival)> {
        let mut visitor = Visitor { stream, inbox: Inbox::within(MESSAGE_BYTES_MAX, DOORS_MAX) };
        match visitor.next().await? {
            Some((ToServer::Arrived { ticket, tcp, udp }, sockets))
                if sockets.len() == tcp.len() + udp.len() =>
            {
                let mut sockets = sockets.into_iter();
                let tcp = tcp.into_iter().zip(sockets.by_ref().map(TcpListener::from)).collect();
                let udp = udp.into_iter().zip(sockets.map(UdpSocket::from)).collect();
                Ok((visitor, Arrival { ticket, sockets: GuestSockets { tcp, udp, wire: None } }))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Lets the shell begin. What was asked for before is open by then.
    pub async fn welcome(&mut self) -> io::Result<()> {
        self.say(&FromServer::Welcome).await
    }

    /// Ends it before it began, and says why.
    pub async fn turn_away(&mut self, why: &str) -> io::Result<()> {
        self.say(&FromServer::TurnedAway(why.to_owned())).await
    }

    /// Asks for one more listener, at an address that the shell's network has; it comes by [`Visitor::opened`].
    pub async fn ask_to_listen(&mut self, address: SocketAddr) -> io::Result<()> {
        self.say(&FromServer::Listen(address)).await
    }

    /// The next listener that was asked for; without one where the address can not be listened at, as where the shell has a listener
    /// of its own. None when the shell has ended. May be dropped before it resolves.
    pub async fn opened(&mut self) -> io::Result<Option<(SocketAddr, Option<TcpListener>)>> {
        match self.next().await? {
            None => Ok(None),
            Some((ToServer::Opened { address }, sockets)) => {
                Ok(Some((address, sockets.into_iter().next().map(TcpListener::from))))
            }
            Some((ToServer::Arrived { .. }, _)) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn next(&mut self) -> io::Result<Option<(ToServer, Vec<OwnedFd>)>> {
        loop {
            if let Some(found) = self.inbox.take()? {
                return Ok(Some(found));
            }
            self.stream.readable().await?;
            match self.stream.try_io(Interest::READABLE, || self.inbox.fill(self.stream.as_fd())) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn say(&mut self, what: &FromServer) -> io::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        self.stream.write_all(&wire::encode(what, 0)).await
    }
}

/// What a keeper says is short.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// And so are its doors few.
const DOORS_MAX: usize = 64;
