//! A shell's keeper: builds the walls, opens the doors, hands them over, starts the command, and ends all that came of it.
//!
//! It is in the shell's namespaces itself, so that it can open doors later. It is the one that the orphans of the shell fall to
//! (PR_SET_CHILD_SUBREAPER), so that a program which left its terminal is found all the same. Walls are not meant to hold the command
//! in: an ordinary user's has no rights in them, but root's is root. They are there so that names and addresses lead elsewhere.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::thread::{CapabilitySet, UnshareFlags};

use crate::here::{descriptors, open_here};
use crate::refused::{Named, Refused};
use crate::shell::{Desk, File, FromKeeper, FromServer, Holds, Plan, ShellError, ToKeeper, ToServer, What};
use crate::spec::ExitStatus;
use crate::sys;
use crate::wire::{self, Inbox};

/// The name (`argv[0]`) under which this program keeps a shell; the number of its socket is its one argument.
pub(crate) const NAME: &str = "zaffre-shell-keeper";

/// Lives a shell's life; the process's exit code, which nobody reads.
pub(super) fn run(words: &[std::ffi::OsString]) -> i32 {
    let Some(control) = control_socket(words) else { return 1 };
    let mut inbox = Inbox::default();
    let Ok(Some((ToKeeper::Begin(plan), _))) = inbox.next(&control) else { return 1 };
    let outcome = match live(*plan, &control, inbox) {
        Ok(status) => FromKeeper::Ended(status),
        Err(error) => FromKeeper::Failed(error),
    };
    // A caller that has gone hears nothing, and has nobody to tell.
    i32::from(wire::send(&control, &outcome, &[]).is_err())
}

fn control_socket(words: &[std::ffi::OsString]) -> Option<OwnedFd> {
    let number = words.first()?.to_str()?.parse().ok()?;
    let socket = sys::inherited(number)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(socket)
}

fn live(plan: Plan, control: &OwnedFd, inbox: Inbox) -> Result<ExitStatus, ShellError> {
    let refused = ShellError::Refused;
    sys::demand_one_thread().map_err(refused)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .at("take over what the command leaves")
        .map_err(refused)?;
    // Before the walls: behind them the socket may be covered.
    let server = plan.desk.as_ref().map(go_to).transpose().map_err(refused)?;
    let sockets = if plan.walls {
        build(&plan).map_err(ShellError::NoWalls)?;
        Some(open_here(&plan.doors).map_err(ShellError::NoWalls)?)
    } else {
        None
    };
    let Some(command) = &plan.command else { return Ok(ExitStatus::Code(0)) };
    let folder = Folder::fill(&plan).map_err(refused)?;
    if plan.walls {
        cover(&plan).map_err(ShellError::NoWalls)?;
    }
    let mut desk = Inbox::default();
    if let (Some(server), Some(shown)) = (&server, &plan.desk) {
        let (tcp, udp) = sockets.as_ref().map(|it| (it.tcp.iter(), it.udp.iter())).map_or_else(
            || (Vec::new(), Vec::new()),
            |(tcp, udp)| (tcp.map(|it| it.0).collect(), udp.map(|it| it.0).collect()),
        );
        let handed = sockets.map(descriptors).unwrap_or_default();
        let handed: Vec<_> = handed.iter().map(AsFd::as_fd).collect();
        let arrived = ToServer::Arrived { ticket: shown.ticket.clone(), tcp, udp };
        wire::send(server, &arrived, &handed).at("hand the doors over").map_err(refused)?;
        await_welcome(server, &mut desk).map_err(refused)?;
    }
    let children = sys::watch_signals(&[sys::PASSED_ON, &[libc::SIGCHLD]].concat());
    let children = children.at("watch the command").map_err(refused)?;
    let child = start(command)?;
    let mut keeper = Keeper { control, inbox, server, desk, child, ended: None };
    let status = keeper.serve(&children);
    end_descendants();
    drop(folder);
    Ok(status)
}

fn go_to(desk: &Desk) -> Result<UnixStream, Refused> {
    UnixStream::connect(&desk.socket).named(|| format!("reach the cloud at {}", desk.socket.display()))
}

fn await_welcome(server: &UnixStream, inbox: &mut Inbox) -> Result<(), Refused> {
    let turned_away = |why: &str| Refused::new("have the doors served", why);
    loop {
        match inbox.next(server).at("hear from the cloud")? {
            Some((FromServer::Welcome, _)) => return Ok(()),
            Some((FromServer::TurnedAway(why), _)) => return Err(turned_away(&why)),
            Some((FromServer::Listen(address), _)) => open_one(server, address).at("open a door")?,
            None => return Err(turned_away("the cloud left without a word")),
        }
    }
}

/// Namespaces for this process and what comes of it, with mounts of their own over the host's.
fn build(plan: &Plan) -> Result<(), Refused> {
    let walls = UnshareFlags::NEWNS | UnshareFlags::NEWNET;
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    if rustix::thread::capabilities(None).is_ok_and(|it| it.effective.contains(needed)) {
        sys::unshare(walls).at("make the shell's namespaces")?;
    } else {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        sys::unshare(walls | UnshareFlags::NEWUSER).at("make the shell's namespaces")?;
        let write = |file: &str, text: String| {
            fs::write(format!("/proc/self/{file}"), text).named(|| format!("map the shell's user ({file})"))
        };
        // Without this an ordinary user may not map a group: it could leave groups that deny it something.
        write("setgroups", "deny".to_string())?;
        write("uid_map", format!("{uid} {uid} 1"))?;
        write("gid_map", format!("{gid} {gid} 1"))?;
    }
    // What the host mounts later is seen here too; what is mounted here is not seen there.
    let change = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", change).at("keep the shell's mounts to itself")?;
    let Some(folder) = &plan.folder else { return Ok(()) };
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("zaffre", folder, "tmpfs", flags, Some(c"size=64m,mode=700"))
        .named(|| format!("mount {} (tmpfs)", folder.display()))
}

/// The shell's files; without walls they are taken away with this value.
struct Folder(Option<PathBuf>);

impl Folder {
    fn fill(plan: &Plan) -> Result<Folder, Refused> {
        let Some(path) = &plan.folder else { return Ok(Folder(None)) };
        let what = || format!("make {}", path.display());
        let folder = if plan.walls {
            Folder(None)
        } else {
            DirBuilder::new().mode(0o700).create(path).named(what)?;
            Folder(Some(path.clone()))
        };
        plan.files.iter().try_for_each(|file| write(path, file))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What can not be taken away now is swept when the next cloud starts there.
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn write(folder: &Path, file: &File) -> Result<(), Refused> {
    let what = || format!("write {}", file.path.display());
    if !file.path.components().all(|it| matches!(it, Component::Normal(_))) {
        return Err(Refused::new(what(), "it leads out of the shell's folder"));
    }
    let path = folder.join(&file.path);
    let parent = path.parent().unwrap_or(folder);
    DirBuilder::new().recursive(true).mode(0o755).create(parent).named(what)?;
    match &file.holds {
        Holds::Link(target) => symlink(target, &path).named(what),
        Holds::Text(text) => fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)))
            .named(what),
    }
}

fn cover(plan: &Plan) -> Result<(), Refused> {
    let folder = plan.folder.clone().unwrap_or_default();
    let mut covered = Vec::new();
    for cover in &plan.covers {
        let source = folder.join(&cover.source);
        // A path of several names is covered once.
        let Ok(target) = cover.target.canonicalize() else { continue };
        if covered.contains(&target) || source.is_dir() != target.is_dir() {
            continue;
        }
        rustix::mount::mount_bind_recursive(&source, &target)
            .named(|| format!("put {} in place of {}", source.display(), target.display()))?;
        covered.push(target);
    }
    Ok(())
}

/// Forks the command, which says itself why it can not be run, as a shell would.
fn start(command: &What) -> Result<Pid, ShellError> {
    let Some(child) = sys::fork().at("fork").map_err(ShellError::Refused)? else {
        let _ = sys::unblock_signals();
        let Some((program, words)) = command.argv.split_first() else { super::leave(127) };
        let mut exec = std::process::Command::new(program);
        exec.args(words);
        for (name, value) in &command.env {
            match value {
                Some(value) => exec.env(name, value),
                None => exec.env_remove(name),
            };
        }
        let error = exec.exec();
        eprintln!("zaffre: cannot run `{}`: {error}", program.display());
        super::leave(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 });
    };
    Ok(child)
}

struct Keeper<'a> {
    control: &'a OwnedFd,
    inbox: Inbox,
    /// None once it is gone: the shell goes on, and its doors are shut.
    server: Option<UnixStream>,
    desk: Inbox,
    child: Pid,
    ended: Option<ExitStatus>,
}

impl Keeper<'_> {
    /// Until the command has ended, or its caller.
    fn serve(&mut self, signals: &OwnedFd) -> ExitStatus {
        loop {
            let mut waits =
                vec![PollFd::new(signals, PollFlags::IN), PollFd::new(self.control, PollFlags::IN)];
            waits.extend(self.server.iter().map(|it| PollFd::new(it, PollFlags::IN)));
            // An interrupted wait is one that is over.
            let _ = poll(&mut waits, None);
            let is_ready: Vec<bool> = waits.iter().map(|it| !it.revents().is_empty()).collect();
            // Those of the whole process group came to the command too; only its end is of interest here.
            while sys::next_signal(signals).is_some() {}
            self.bury();
            if let Some(status) = self.ended {
                return status;
            }
            if is_ready[1] && !self.is_told() {
                return ExitStatus::Signal(libc::SIGKILL);
            }
            if is_ready.get(2) == Some(&true) && !self.is_served() {
                self.server = None;
            }
        }
    }

    fn bury(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.child {
                self.ended = Some(as_told(status));
            }
        }
    }

    /// False when the caller has gone.
    fn is_told(&mut self) -> bool {
        if !matches!(self.inbox.fill(self.control), Ok(true)) {
            return false;
        }
        while let Ok(Some((told, _))) = self.inbox.take::<ToKeeper>() {
            if let ToKeeper::Signal(number) = told
                && let Some(signal) = Signal::from_named_raw(number)
            {
                let _ = rustix::process::kill_process(self.child, signal);
            }
        }
        true
    }

    /// False when the server has gone.
    fn is_served(&mut self) -> bool {
        let Some(server) = &self.server else { return false };
        if !matches!(self.desk.fill(server), Ok(true)) {
            return false;
        }
        while let Ok(Some((asked, _))) = self.desk.take::<FromServer>() {
            if let FromServer::Listen(address) = asked
                && open_one(server, address).is_err()
            {
                return false;
            }
        }
        true
    }
}

/// One more listener for the server; where it can not be had, the answer comes without.
fn open_one(server: &UnixStream, address: SocketAddr) -> io::Result<()> {
    let socket = super::reach::listen(address).ok();
    let handed: Vec<_> = socket.iter().map(AsFd::as_fd).collect();
    wire::send(server, &ToServer::Opened { address }, &handed)
}

pub(super) fn as_told(status: WaitStatus) -> ExitStatus {
    match status.terminating_signal() {
        Some(signal) => ExitStatus::Signal(signal),
        None => ExitStatus::Code(status.exit_status().unwrap_or(0)),
    }
}

/// Kills every descendant of this process, to whom the orphans among them fall, until there is none that it may kill.
pub(crate) fn end_descendants() {
    loop {
        let killed =
            children().into_iter().filter(|it| rustix::process::kill_process(*it, Signal::KILL).is_ok());
        if killed.count() == 0 {
            return;
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The processes whose parent is this one, the dead among them too.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero().get().to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|it| it.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The parent stands behind the state, behind the name in its parentheses.
        let parent = stat.rsplit(')').next().and_then(|it| it.split_whitespace().nth(1));
        parent == Some(&own)
    };
    pids.filter(is_ours).filter_map(Pid::from_raw).collect()
}
