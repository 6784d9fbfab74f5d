//! The process between the server and a guest's init: makes the namespaces, maps the ids, then waits.
//!
//! It stays outside the guest's user namespace because a process may not map a range of ids for itself. Started by root it maps a
//! private range, so that the guest's root is nobody on the host; started by an ordinary user, that user's one id.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::lend::{self, Lent};
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
    let is_bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
    let Some(control) = control_socket().filter(|_| is_bound) else { return 1 };
    let mut inbox = Inbox::default();
    let Ok(Some((ToInit::Start(spec), _))) = inbox.next(&control) else { return 1 };
    match start(&spec) {
        Ok(Side::Keeper(init)) => {
            drop(control);
            wait_for(init)
        }
        Ok(Side::Init { pid, ids, lent }) => super::serve::run(control, inbox, *spec, pid, ids, lent),
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
    Keeper(Pid),
    Init { pid: u32, ids: Ids, lent: Option<Vec<Lent>> },
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
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("make a pipe")?;
    let namespaces = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC;
    let Some(init) = sys::fork_into(namespaces).at("make the guest's namespaces")? else {
        drop(go);
        let pid = await_go(&wait)?;
        return Ok(Side::Init { pid, ids, lent });
    };
    let mapped = map(init, ids).and_then(|()| translate(init, lent.iter().flatten()));
    if let Err(refused) = mapped {
        // Without its word the init leaves by itself.
        drop((go, wait));
        wait_for(init);
        return Err(refused);
    }
    rustix::io::write(&go, &init.as_raw_nonzero().get().to_ne_bytes()).at("let the init go on")?;
    Ok(Side::Keeper(init))
}

/// The init's number on the host, which the keeper sends once the ids are mapped.
fn await_go(wait: &OwnedFd) -> Result<u32, Refused> {
    let mut pid = [0; 4];
    match rustix::io::read(wait, &mut pid).at("wait for the keeper")? {
        4 => Ok(u32::from_ne_bytes(pid)),
        // The keeper has told the server why; this side only has to go.
        _ => super::leave(1),
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

fn wait_for(init: Pid) -> i32 {
    loop {
        match rustix::process::waitpid(Some(init), WaitOptions::empty()) {
            Ok(Some((_, status))) => return status.exit_status().unwrap_or(1),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}
