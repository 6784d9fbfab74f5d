//! A guest as its owner holds it: questions go out through one task, answers and deaths come in through another.
//!
//! Dropping a [`Guest`] ends it. The reader task owns the keeper: it hears the end of the control socket, waits until the keeper (and
//! so everything in the guest) is gone, then says so to all who wait. If the runtime itself ends, the task's drop kills the guest.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

use crate::exec::Exec;
use crate::groups::Bounds;
use crate::keeper::Keeper;
use crate::listening::Listening;
use crate::network::Wire;
use crate::refused::{GuestError, Named, Refused};
use crate::settings::explain;
use crate::spec::{Command, ExitStatus, OUTSIDE_ADDRESS, Spec, User};
use crate::sys;
use crate::wire::{self, FromInit, Inbox, ToInit};

/// A running guest. It ends with this value.
pub struct Guest {
    link: Arc<Link>,
    pid: u32,
    bounds: Bounds,
}

/// The sockets that a guest's init opened in its network, by address, in the order of its [`Spec`]. They do not block.
///
/// They keep the guest's network alive (though no process in it): drop them when [`Guest::wait_dead`] resolves.
pub struct GuestSockets {
    pub tcp: Vec<(SocketAddr, TcpListener)>,
    pub udp: Vec<(SocketAddr, UdpSocket)>,
    /// Behind the guest's interface, where it has one: for [`crate::Network::attach`].
    pub wire: Option<Wire>,
}

impl Guest {
    /// Makes a guest, ready for commands. Must be called within a tokio runtime, on which two small tasks then run.
    pub async fn start(spec: Spec) -> Result<(Guest, GuestSockets), GuestError> {
        spec.check()?;
        let program = spec.init.clone();
        let started = tokio::task::spawn_blocking(move || Keeper::start(&program)).await;
        let (keeper, control) =
            started.map_err(|error| Refused::new("start a guest's init", error.to_string()))??;
        let tcp = spec.tcp.clone();
        let udp = spec.udp.clone();
        let has_interface = spec.interface.is_some();
        let (link, ready) = Link::open(keeper, control)?;
        let mut guest = Guest { link, pid: 0, bounds: Bounds::WITHOUT_GROUPS };
        guest.link.send(&ToInit::Start(Box::new(spec)))?;
        let ready = tokio::time::timeout(START_PATIENCE, ready).await;
        let ready = ready.map_err(|_| Refused::new("wait for the guest's init", "it does not answer"))?;
        let Ready { pid, bounds, sockets } = ready.map_err(|_| lost())??;
        let sockets = sort(sockets, &tcp, &udp, has_interface)?;
        (guest.pid, guest.bounds) = (pid, bounds);
        Ok((guest, sockets))
    }

    /// Runs a command. Refuses when it does not come to run: no such program, no such directory.
    pub async fn exec(&self, command: Command) -> Result<Exec, GuestError> {
        let is_terminal = command.tty.is_some();
        let (id, ended) = self.link.expect_end();
        let question = ToInit::Exec { id, command: Box::new(command) };
        match self.link.ask(id, &question).await {
            Ok(ends) => Ok(Exec::new(self.link.clone(), id, ended, is_terminal, ends)?),
            Err(error) => {
                self.link.state().ends.remove(&id);
                Err(error)
            }
        }
    }

    /// Opens a listener in the guest's network. Closing it is all it takes to stop listening.
    pub async fn listen(&self, address: SocketAddr) -> Result<TcpListener, GuestError> {
        let id = self.link.next_id();
        Ok(TcpListener::from(self.link.ask_for_one(id, &ToInit::Listen { id, address }).await?))
    }

    /// Opens a listener at a path in the guest, in a directory of that user's alone which is made for it. Who closes it removes both.
    pub async fn listen_at(&self, path: &Path, user: User) -> Result<UnixListener, GuestError> {
        let id = self.link.next_id();
        let question = ToInit::ListenAt { id, path: path.to_path_buf(), user };
        let socket = self.link.ask_for_one(id, &question).await?;
        Ok(UnixListener::from_std(socket.into()).at("watch the listener")?)
    }

    /// Connects to an address as a process inside would.
    pub async fn connect(&self, address: SocketAddr) -> Result<TcpStream, GuestError> {
        let id = self.link.next_id();
        let socket = self.link.ask_for_one(id, &ToInit::Connect { id, address }).await?;
        connected(socket, address).await
    }

    /// Connects to one of the guest's own addresses over its interface, as who comes from outside: from [`crate::OUTSIDE_ADDRESS`].
    /// Refuses where it has no interface.
    pub async fn connect_from_outside(&self, address: SocketAddrV4) -> Result<TcpStream, GuestError> {
        let id = self.link.next_id();
        let socket = self.link.ask_for_one(id, &ToInit::ConnectFromOutside { id, address }).await?;
        connected(socket, address.into()).await
    }

    /// From now on the guest reaches this range over its interface. Refuses where it has none.
    pub async fn find_way(&self, range: (Ipv4Addr, u8)) -> Result<(), GuestError> {
        let id = self.link.next_id();
        self.link.ask(id, &ToInit::FindWay { id, range }).await.map(drop)
    }

    /// What listens in the guest's network, from now on.
    pub async fn listening(&self) -> Result<Listening, GuestError> {
        let id = self.link.next_id();
        Ok(Listening::new(self.link.ask_for_one(id, &ToInit::Listening { id }).await?))
    }

    /// The guest's first process as the host numbers it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What keeps it to its size.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Ends the guest and waits until none of its processes is left. May be called again.
    pub async fn stop(&self) {
        self.link.hang_up();
        self.wait_dead().await;
    }

    /// Resolves when the guest is gone, whoever ended it.
    pub async fn wait_dead(&self) {
        self.link.wait_dead().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.link.hang_up();
    }
}

/// A machine under heavy load still starts a guest within this.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long an init may take to leave before its keeper is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A connection that is on its way, when it is there.
async fn connected(socket: OwnedFd, address: SocketAddr) -> Result<TcpStream, GuestError> {
    let stream = TcpStream::from_std(socket.into()).at("watch the connection")?;
    let connected = async {
        stream.writable().await?;
        stream.take_error()?.map_or(Ok(()), Err)
    };
    connected.await.named(|| format!("connect to {address}"))?;
    Ok(stream)
}

fn lost() -> Refused {
    Refused::new("wait for the guest's init", "it left without a word")
}

/// Gives each socket its address back.
fn sort(
    mut sockets: Vec<OwnedFd>,
    tcp: &[SocketAddr],
    udp: &[SocketAddr],
    has_interface: bool,
) -> Result<GuestSockets, Refused> {
    let platform =
        || tcp.iter().chain(udp).map(SocketAddr::ip).chain([IpAddr::V4(OUTSIDE_ADDRESS)]).collect();
    let wire = if has_interface { sockets.pop().map(|it| Wire::new(it, platform())) } else { None };
    if sockets.len() != tcp.len() + udp.len() || wire.is_some() != has_interface {
        return Err(Refused::new("take over the guest's sockets", "some did not arrive"));
    }
    let mut sockets = sockets.into_iter();
    let tcp = tcp.iter().copied().zip(sockets.by_ref().map(TcpListener::from)).collect();
    let udp = udp.iter().copied().zip(sockets.map(UdpSocket::from)).collect();
    Ok(GuestSockets { tcp, udp, wire })
}

struct Ready {
    pid: u32,
    bounds: Bounds,
    sockets: Vec<OwnedFd>,
}

type Awaited = oneshot::Receiver<Result<Ready, Refused>>;
type Answer = Result<Vec<OwnedFd>, Refused>;

/// What is waited for. Dropping a sender tells its waiter that the guest is dead.
#[derive(Default)]
struct State {
    is_dead: bool,
    ready: Option<oneshot::Sender<Result<Ready, Refused>>>,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    ends: HashMap<u64, oneshot::Sender<ExitStatus>>,
}

/// The talk with a guest's init, shared by the guest, its commands and the reader task.
pub(crate) struct Link {
    outbox: mpsc::UnboundedSender<Vec<u8>>,
    state: Mutex<State>,
    next_id: AtomicU64,
    dead: watch::Sender<bool>,
    hang_up: watch::Sender<bool>,
}

impl Link {
    /// Starts the two tasks of a guest.
    fn open(
        keeper: Keeper,
        control: std::os::unix::net::UnixStream,
    ) -> Result<(Arc<Link>, Awaited), Refused> {
        control.set_nonblocking(true).at("prepare the control socket")?;
        let control = UnixStream::from_std(control).at("prepare the control socket")?;
        let (read, write) = control.into_split();
        let (outbox, letters) = mpsc::unbounded_channel();
        let (sender, ready) = oneshot::channel();
        let link = Arc::new(Link {
            outbox,
            state: Mutex::new(State { ready: Some(sender), ..State::default() }),
            next_id: AtomicU64::new(1),
            dead: watch::Sender::new(false),
            hang_up: watch::Sender::new(false),
        });
        tokio::spawn(write_all(write, letters, link.hang_up.subscribe()));
        tokio::spawn(Reader { link: link.clone(), keeper: Some(keeper) }.run(read));
        Ok((link, ready))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a guest's state")
    }

    fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn send(&self, question: &ToInit) -> Result<(), GuestError> {
        self.outbox.send(wire::encode(question, 0)).map_err(|_| GuestError::Dead)
    }

    /// A new number, and the end of the command that will carry it.
    fn expect_end(&self) -> (u64, oneshot::Receiver<ExitStatus>) {
        let id = self.next_id();
        let (sender, ended) = oneshot::channel();
        self.state().ends.insert(id, sender);
        (id, ended)
    }

    async fn ask(&self, id: u64, question: &ToInit) -> Result<Vec<OwnedFd>, GuestError> {
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.state();
            if state.is_dead {
                return Err(GuestError::Dead);
            }
            state.answers.insert(id, sender);
        }
        self.send(question)?;
        Ok(answer.await.map_err(|_| GuestError::Dead)??)
    }

    async fn ask_for_one(&self, id: u64, question: &ToInit) -> Result<OwnedFd, GuestError> {
        let mut sockets = self.ask(id, question).await?;
        let missing = || Refused::new("take over a socket", "none came with the answer");
        Ok(sockets.pop().ok_or_else(missing)?)
    }

    /// Tells the init, by the end of its control socket, to leave.
    fn hang_up(&self) {
        self.hang_up.send_replace(true);
    }

    async fn wait_dead(&self) {
        // The sender lives in this very link, so the wait can only end with the guest.
        let _ = self.dead.subscribe().wait_for(|is_dead| *is_dead).await;
    }

    /// Files one message with whoever waits for it.
    fn deliver(&self, message: FromInit, descriptors: Vec<OwnedFd>) {
        let mut state = self.state();
        // A waiter that has gone is no error: what it would have got is dropped with the message.
        match message {
            FromInit::Ready { pid, bounds } => {
                let ready = Ready { pid, bounds, sockets: descriptors };
                let _ = state.ready.take().map(|it| it.send(Ok(ready)));
            }
            FromInit::Refused(refused) => {
                let _ = state.ready.take().map(|it| it.send(Err(explain(refused))));
            }
            FromInit::Opened { id } => {
                let _ = state.answers.remove(&id).map(|it| it.send(Ok(descriptors)));
            }
            FromInit::Started { id } => {
                let is_taken = state.answers.remove(&id).is_some_and(|it| it.send(Ok(descriptors)).is_ok());
                // Whoever asked gave up meanwhile: nobody would ever end this command.
                if !is_taken {
                    let _ = self.send(&ToInit::Signal { id, signal: libc::SIGKILL });
                }
            }
            FromInit::Failed { id, refused } => {
                let _ = state.answers.remove(&id).map(|it| it.send(Err(refused)));
            }
            FromInit::Exited { id, status } => {
                let _ = state.ends.remove(&id).map(|it| it.send(status));
            }
        }
    }
}

/// Sends what is asked, until the guest is hung up on or dead.
async fn write_all(
    mut write: OwnedWriteHalf,
    mut letters: mpsc::UnboundedReceiver<Vec<u8>>,
    mut hang_up: watch::Receiver<bool>,
) {
    let send = async {
        while let Some(letter) = letters.recv().await {
            if write.write_all(&letter).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = send => {}
        _ = hang_up.wait_for(|it| *it) => {}
    }
    // Both ways, so that the init reads the end and the reader beside us does too.
    let _ = rustix::net::shutdown(write.as_ref(), Shutdown::Both);
}

struct Reader {
    link: Arc<Link>,
    /// There until the drop.
    keeper: Option<Keeper>,
}

impl Reader {
    async fn run(self, read: tokio::net::unix::OwnedReadHalf) {
        // However the talk ends, in order or not, the guest ends with it.
        let _ = self.read_all(read.as_ref()).await;
        self.link.hang_up();
        let _ = tokio::time::timeout(STOP_PATIENCE, self.keeper_ends()).await;
        // `drop` tells the rest, also when the runtime ends first.
    }

    async fn read_all(&self, control: &UnixStream) -> io::Result<()> {
        let mut inbox = Inbox::default();
        loop {
            while let Some((message, descriptors)) = inbox.take()? {
                self.link.deliver(message, descriptors);
            }
            control.readable().await?;
            match control.try_io(Interest::READABLE, || inbox.fill(control)) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn keeper_ends(&self) -> io::Result<()> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let handle = sys::watch(keeper.handle().try_clone_to_owned()?)?;
        handle.readable().await?.retain_ready();
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Ends what is left and waits for it, before anyone is told.
        self.keeper.take();
        let mut state = self.link.state();
        *state = State { is_dead: true, ..State::default() };
        drop(state);
        self.link.dead.send_replace(true);
    }
}
