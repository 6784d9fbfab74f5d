//! The process between the server and a guest's init: makes the namespaces, maps the ids, then waits.
//!
//! It stays outside the guest's user namespace because a process may not map a range of ids for itself. Started by root it maps a
//! private range, so that the guest's root is nobody on the host; started by an ordinary user, that user's one id.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, UnshareFlags};

use serde::{Deserialize, Serialize};

use super::lend::{self, Lent};
use crate::groups::{Bounds, Groups, Machine};
use crate::refused::{Named, Refused};
use crate::spec::Spec;
use crate::sys::{self, MountChange};
use crate::wire::{self, FromInit, Inbox, ToInit};

/// How many ids a guest has when it has more than one.
const IDS: u32 = 65_536;
/// Above what distributions give to users (/etc/subuid) and to systemd's containers; below 2^31, where some programs turn negative.
const FIRST_RANGE: u32 = 0x7000_0000;
const RANGES: u32 = 2048;

/// The host's ids that a guest's ids stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// 65,536 of them, from this one on.
    Range(u32),
    /// The ids of whoever started it, as 0.
    Own { uid: u32, gid: u32 },
}

impl Ids {
    /// A range where the process may map one: root, with its rights, in the host's own user namespace.
    ///
    /// Ranges are chosen by process number. Two guests seldom get the same one, and if they do nothing follows: what keeps them apart
    /// is their namespaces, and no file of a guest outlives it.
    fn choose() -> Ids {
        let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID;
        let has_rights = rustix::thread::capabilities(None).is_ok_and(|it| it.effective.contains(needed));
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let is_hosts_own = map.split_whitespace().eq(["0", "0", "4294967295"]);
        if has_rights && is_hosts_own && rustix::process::geteuid().is_root() {
            let slot = rustix::process::getpid().as_raw_nonzero().get() as u32 % RANGES;
            return Ids::Range(FIRST_RANGE + slot * IDS);
        }
        Ids::Own { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }
}

/// Runs a guest from its first message to its end; the process's exit code.
pub(super) fn run() -> i32 {
    // The keeper's parent is a thread of the server that lives as long as the server does. Should the server have died before
    // this line, the control socket is at its end and says so.
    //
    // It is told, and not killed: it has something to take away after its guest.
    let Ok(told) = sys::watch_signals(&[libc::SIGTERM, libc::SIGCHLD]) else { return 1 };
    let is_bound = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).is_ok();
    let Some(control) = control_socket().filter(|_| is_bound) else { return 1 };
    let mut inbox = Inbox::default();
    let Ok(Some((ToInit::Start(spec), _))) = inbox.next(&control) else { return 1 };
    match start(&spec) {
        Ok(Side::Keeper { init, groups }) => {
            drop(control);
            let code = outlive(init, &told);
            drop(groups);
            code
        }
        Ok(Side::Init(start)) => {
            drop(told);
            super::serve::run(control, inbox, *spec, start)
        }
        Err(refused) => {
            // If nobody listens any more, nobody wants to know.
            let _ = wire::send(&control, &FromInit::Refused(refused), &[]);
            1
        }
    }
}

/// The server's socket came as stdin; it moves to where no command will find it.
fn control_socket() -> Option<OwnedFd> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok()?;
    let null = std::fs::File::open("/dev/null").ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    Some(control)
}

enum Side {
    Keeper { init: Pid, groups: Groups },
    Init(Begin),
}

/// What an init begins with.
pub(super) struct Begin {
    /// Its number on the host.
    pub(super) pid: u32,
    pub(super) ids: Ids,
    pub(super) bounds: Bounds,
    /// What its keeper opened for it.
    pub(super) lent: Option<Vec<Lent>>,
}

/// What the keeper says when the init may go on.
#[derive(Serialize, Deserialize)]
struct Go {
    pid: u32,
    bounds: Bounds,
}

/// Parts into keeper and init, whose ids are mapped when this returns in it.
fn start(spec: &Spec) -> Result<Side, Refused> {
    spec.check()?;
    sys::demand_one_thread()?;
    let ids = Ids::choose();
    // What root lends is opened with root's rights, and an ordinary user's where it has some: in its own namespaces.
    let lent = match ids {
        Ids::Range(_) => Some(lend::open_all(spec)?),
        Ids::Own { .. } => None,
    };
    let (wait, go) = UnixStream::pair().at("make a socket pair")?;
    let namespaces = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC;
    let Some(init) = sys::fork_into(namespaces).at("make the guest's namespaces")? else {
        drop(go);
        let Go { pid, bounds } = await_go(&wait)?;
        // From where it is now: what is above the guest's own group is not shown inside.
        sys::unshare(UnshareFlags::NEWCGROUP).at("make the guest's namespace of control groups")?;
        return Ok(Side::Init(Begin { pid, ids, bounds, lent }));
    };
    let mapped = map(init, ids).and_then(|()| translate(init, lent.iter().flatten()));
    if let Err(refused) = mapped {
        // Without its word the init leaves by itself.
        drop((go, wait));
        let _ = rustix::process::waitpid(Some(init), WaitOptions::empty());
        return Err(refused);
    }
    let pid = init.as_raw_nonzero().get().unsigned_abs();
    let mut groups = Groups::make(&Machine::this(), &spec.limits, &std::process::id().to_string());
    groups.add(pid);
    wire::send(&go, &Go { pid, bounds: groups.bounds }, &[]).at("let the init go on")?;
    Ok(Side::Keeper { init, groups })
}

/// What the keeper sends once the ids are mapped and the guest is in its control groups.
fn await_go(wait: &UnixStream) -> Result<Go, Refused> {
    match Inbox::default().next(wait).at("wait for the keeper")? {
        Some((go, _)) => Ok(go),
        // The keeper has told the server why; this side only has to go.
        None => super::leave(1),
    }
}

fn map(init: Pid, ids: Ids) -> Result<(), Refused> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/{}/{file}", init.as_raw_nonzero());
        std::fs::write(&path, text).named(|| format!("map the guest's users ({file})"))
    };
    let (uids, gids) = match ids {
        Ids::Range(first) => (format!("0 {first} {IDS}"), format!("0 {first} {IDS}")),
        Ids::Own { uid, gid } => {
            // Without this an ordinary user may not map a group: it could leave groups that deny it something.
            write("setgroups", "deny".to_string())?;
            (format!("0 {uid} 1"), format!("0 {gid} 1"))
        }
    };
    write("uid_map", uids)?;
    write("gid_map", gids)
}

/// Shows the shares' owners inside as they are outside. Not every file system can: then they stay the host's, which is nobody inside.
fn translate<'a>(init: Pid, lent: impl Iterator<Item = &'a Lent>) -> Result<(), Refused> {
    let path = format!("/proc/{}/ns/user", init.as_raw_nonzero());
    let namespace = std::fs::File::open(path).at("open the guest's user namespace")?;
    for tree in lent.filter(|it| it.keeps_owners) {
        let change = MountChange { ids_of: Some(namespace.as_fd()), ..MountChange::default() };
        let _ = sys::change_mounts(tree.tree.as_fd(), change);
    }
    Ok(())
}

/// Waits for the guest's end, and brings it about when the server is gone; the init's exit code.
fn outlive(init: Pid, told: &OwnedFd) -> i32 {
    loop {
        if let Ok(Some((_, status))) = rustix::process::waitpid(Some(init), WaitOptions::NOHANG) {
            return status.exit_status().unwrap_or(1);
        }
        // An interrupted wait is one that is over.
        let _ = poll(&mut [PollFd::new(told, PollFlags::IN)], None);
        while let Some(signal) = sys::next_signal(told) {
            if signal == libc::SIGTERM {
                // One that is dead already is what we want.
                let _ = rustix::process::kill_process(init, Signal::KILL);
            }
        }
    }
}
