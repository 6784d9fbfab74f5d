//! Starting and ending the process that keeps a guest, from the side of the program that owns it.
//!
//! Keepers ask the kernel to be killed when their parent dies, and the kernel takes "parent" to be the thread that started them.
//! Threads of a runtime come and go, so all keepers are started by one thread that lives as long as the program.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal};

use crate::init::{MARK, NAME};
use crate::refused::{Named, Refused};

/// A keeper that runs. Dropping it ends it, and its guest with it, and waits until both are gone.
pub(crate) struct Keeper {
    child: Child,
    handle: OwnedFd,
    control: UnixStream,
}

impl Keeper {
    /// Starts `program` as a keeper, and gives the socket on which it waits for its guest's description. Blocks for the exec.
    pub(crate) fn start(program: &Path) -> Result<(Keeper, UnixStream), Refused> {
        if std::env::var_os(MARK).is_some() {
            return Err(Refused::new(
                "start a guest's init",
                "this process is one: its `main` must begin with `guest::init::main_if_asked`",
            ));
        }
        let (ours, theirs) = UnixStream::pair().at("make a socket pair")?;
        let (reply, answer) = mpsc::sync_channel(1);
        let order = Order { program: program.to_path_buf(), control: theirs, reply };
        spawner().send(order).expect("the thread that starts keepers never ends");
        let child = answer.recv().expect("the thread that starts keepers never ends");
        let child = child.named(|| format!("start a guest's init (`{}`)", program.display()))?;
        let pid = rustix::process::Pid::from_child(&child);
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty()).at("watch a guest's init")?;
        let control = ours.try_clone().at("copy the control socket")?;
        Ok((Keeper { child, handle, control }, ours))
    }

    /// A descriptor that can be read when the keeper has ended. By then its whole guest has.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // An init whose control socket ends leaves, which ends all of its guest; then its keeper leaves too. Killing the keeper
        // would bring about the same, but nobody could wait for the last of it.
        let _ = self.control.shutdown(Shutdown::Both);
        let mut wait = [PollFd::new(&self.handle, PollFlags::IN)];
        if !matches!(poll(&mut wait, Some(&PATIENCE)), Ok(1)) {
            // The handle names this very process, also when it has ended and its number belongs to another.
            let _ = rustix::process::pidfd_send_signal(&self.handle, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// How long a guest may take to leave by itself: the kernel ends its processes, many or few, in milliseconds.
const PATIENCE: Timespec = Timespec { tv_sec: 3, tv_nsec: 0 };

struct Order {
    program: PathBuf,
    control: UnixStream,
    reply: mpsc::SyncSender<io::Result<Child>>,
}

fn spawner() -> &'static mpsc::Sender<Order> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        let run = move || {
            for order in orders {
                let child = spawn(&order.program, order.control);
                // Nobody waits any more: the keeper finds its socket closed and leaves, and dropping the child leaves it to us to bury.
                if let Err(mpsc::SendError(Ok(mut child))) = order.reply.send(child) {
                    let _ = child.wait();
                }
            }
        };
        std::thread::Builder::new()
            .name("guest-keepers".to_string())
            .spawn(run)
            .expect("the system has room for one more thread");
        sender
    })
}

fn spawn(program: &Path, control: UnixStream) -> io::Result<Child> {
    Command::new(program)
        .arg0(NAME)
        .env_clear()
        .env(MARK, "1")
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(control)))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
}
