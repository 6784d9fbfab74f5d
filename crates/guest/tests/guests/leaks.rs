//! Nothing is left of a guest: not after a stop, a drop, or the sudden death of its owner.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{shell, spec, start};

/// All there is of a guest while it lives.
struct Traces {
    mounts: String,
    processes: Vec<OwnedFd>,
    namespaces: BTreeSet<String>,
    /// Those namespaces, open: or else their numbers could soon be those of another test's guest.
    _held: Vec<fs::File>,
}

impl Traces {
    /// Of the guest whose first process this is. `mounts` is from before it started.
    fn of(init: u32, mounts: String) -> Traces {
        let mut family = vec![parent(init)];
        family.extend(descendants(family[0]));
        assert!(family.contains(&init) && family.len() >= 3, "keeper, init and a command: {family:?}");
        let own = namespaces_of("self");
        let namespaces: BTreeSet<_> = family.iter().flat_map(|it| namespaces_of(&it.to_string())).collect();
        let namespaces: BTreeSet<_> = namespaces.difference(&own).cloned().collect();
        assert!(namespaces.len() >= 6, "{namespaces:?}");
        let handle =
            |pid: &u32| pidfd_open(Pid::from_raw(*pid as i32).unwrap(), PidfdFlags::empty()).unwrap();
        let open = |it: &u32| KINDS.map(|kind| fs::File::open(format!("/proc/{it}/ns/{kind}")).ok());
        let held = family.iter().flat_map(open).flatten().collect();
        Traces { mounts, processes: family.iter().map(handle).collect(), namespaces, _held: held }
    }

    /// Waits for the kernel to end every process, up to the patience given, then looks for the rest.
    fn assert_gone(&self, patience_seconds: i64) {
        for process in &self.processes {
            let patience = Timespec { tv_sec: patience_seconds, tv_nsec: 0 };
            let ended = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&patience)).unwrap();
            assert_eq!(ended, 1, "a process is left");
        }
        // The dead that their parent has yet to bury keep their number and nothing else; here that parent is the machine's own init.
        for pid in pids().into_iter().filter(|it| !is_dead(*it)) {
            let still: Vec<_> =
                namespaces_of(&pid.to_string()).intersection(&self.namespaces).cloned().collect();
            assert_eq!(still, Vec::<String>::new(), "process {pid} is in a namespace of the guest's");
        }
        assert_eq!(mounts(), self.mounts);
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok()).collect()
}

/// The state and parent of a process, the words after its name in parentheses. Empty when there is no such process any more.
fn stat(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().take(2).map(str::to_string).collect()
}

fn is_dead(pid: u32) -> bool {
    stat(pid).first().is_none_or(|state| matches!(state.as_str(), "Z" | "X"))
}

fn parent(pid: u32) -> u32 {
    stat(pid).get(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn descendants(of: u32) -> Vec<u32> {
    let children: Vec<_> = pids().into_iter().filter(|it| parent(*it) == of).collect();
    children.iter().flat_map(|it| std::iter::once(*it).chain(descendants(*it))).collect()
}

const KINDS: [&str; 6] = ["user", "mnt", "pid", "net", "uts", "ipc"];

/// Those that may be read: an ordinary user sees the commands', not the init's own.
fn namespaces_of(process: &str) -> BTreeSet<String> {
    let links = KINDS.iter().filter_map(|name| fs::read_link(format!("/proc/{process}/ns/{name}")).ok());
    links.map(|it| it.display().to_string()).collect()
}

#[tokio::test]
async fn nothing_is_left_when_a_stop_returns() {
    let mounts = mounts();
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let _exec = guest.exec(shell("sleep 1000 & sleep 1000")).await.unwrap();
    let _daemon = guest.exec(shell("setsid sleep 1000 >/dev/null 2>&1 &")).await.unwrap().finish().await;
    let traces = Traces::of(guest.pid(), mounts);
    guest.stop().await;
    traces.assert_gone(0);
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_guest() {
    let mounts = mounts();
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let _exec = guest.exec(shell("sleep 1000")).await.unwrap();
    let traces = Traces::of(guest.pid(), mounts);
    drop(guest);
    tokio::task::spawn_blocking(move || traces.assert_gone(10)).await.unwrap();
}

#[test]
fn nothing_is_left_when_the_runtime_ends() {
    let mounts = mounts();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let traces = runtime.block_on(async {
        let (guest, _sockets) = start(spec()).await?;
        let exec = guest.exec(shell("sleep 1000")).await.unwrap();
        let traces = Traces::of(guest.pid(), mounts);
        // Nobody's drop runs.
        std::mem::forget((guest, exec));
        Some(traces)
    });
    drop(runtime);
    if let Some(traces) = traces {
        traces.assert_gone(0);
    }
}

#[test]
fn nothing_is_left_when_the_owner_is_killed() {
    if !crate::is_allowed() {
        return;
    }
    for _ in 0..5 {
        let mounts = mounts();
        let (mut owner, init) = start_owner();
        let traces = Traces::of(init, mounts);
        owner.kill().unwrap();
        owner.wait().unwrap();
        traces.assert_gone(10);
    }
}

/// Another process with a guest, and that guest's init.
fn start_owner() -> (Child, u32) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "leaks::own_a_guest_until_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut inits = lines.map_while(Result::ok).filter_map(|it| it.split_once("init=")?.1.parse().ok());
    let init = inits.next().unwrap();
    (owner, init)
}

#[tokio::test]
#[ignore = "the other half of `nothing_is_left_when_the_owner_is_killed`"]
async fn own_a_guest_until_killed() {
    let (guest, _sockets) = start(spec()).await.unwrap();
    let mut exec = guest.exec(shell("sleep 1000 & setsid sleep 1000")).await.unwrap();
    println!("init={}", guest.pid());
    exec.wait().await.unwrap();
}

#[tokio::test]
async fn many_rounds_leave_no_descriptors() {
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    if !crate::is_allowed() {
        return;
    }
    // Other tests of this process come and go meanwhile: a leak would be at least two a round.
    let before = count();
    for _ in 0..100 {
        let (guest, _sockets) = guest::Guest::start(spec()).await.unwrap();
        guest.stop().await;
    }
    assert!(count() < before + 150, "{before} before, {} after", count());
}
