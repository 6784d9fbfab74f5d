//! Control groups: what a guest may use of the machine as a whole, where this process may make them.
//!
//! Version 2 is used where an ancestor of our own group was given to us with its controllers switched on (a user's session under
//! systemd is such a place); version 1 where we may write beside our own groups, which is root alone. What neither can bound is left
//! to limits of single processes (`init/confine.rs`). Which of the three it was is said by [`Bounds`], and found out here only.
//!
//! A group is made by the guest's keeper and taken away by it: the keeper outlives everything in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::Limits;

/// What a guest's use of a thing is kept in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// A control group of this version, for all of the guest.
    Group(u8),
    /// A limit of each process, or of each user's processes.
    Process,
    Nothing,
}

/// How a guest is kept to its size here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub memory: By,
    pub processes: By,
    pub cpu: By,
}

impl Bounds {
    pub(crate) const WITHOUT_GROUPS: Bounds =
        Bounds { memory: By::Process, processes: By::Process, cpu: By::Nothing };
}

/// How guests would be kept to their sizes here: found out by making a group and taking it away.
pub fn bounds() -> Bounds {
    let limits = Limits { memory_bytes: Some(1 << 30), cpus: Some(1), ..Limits::default() };
    Groups::make(&Machine::this(), &limits, &format!("probe-{}", std::process::id())).bounds
}

/// Where the kernel shows groups, as text: a test writes its own.
pub(crate) struct Machine {
    mounts: String,
    own: String,
    cpus: u32,
}

impl Machine {
    pub(crate) fn this() -> Machine {
        let cpus = std::thread::available_parallelism().map_or(1, |it| it.get() as u32);
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Machine { mounts: read("/proc/self/mountinfo"), own: read("/proc/self/cgroup"), cpus }
    }

    /// Where our own group of a hierarchy of version 1 with this controller is.
    fn first_version(&self, controller: &str) -> Option<PathBuf> {
        let mount = self
            .mounts
            .lines()
            .filter_map(Mount::read)
            .find(|it| it.kind == "cgroup" && it.options.split(',').any(|option| option == controller))?;
        let path = self.own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|it| it == controller).then_some(path)
        })?;
        mount.place(path)
    }

    /// Where our own group of version 2 is, and the root of what we see of it.
    fn second_version(&self) -> Option<(PathBuf, PathBuf)> {
        let mount = self.mounts.lines().filter_map(Mount::read).find(|it| it.kind == "cgroup2")?;
        let path = self.own.lines().find_map(|line| line.strip_prefix("0::"))?;
        Some((mount.place(path)?, PathBuf::from(mount.point)))
    }
}

/// A line of mountinfo(5), as far as it matters.
struct Mount<'l> {
    root: &'l str,
    point: &'l str,
    kind: &'l str,
    options: &'l str,
}

impl<'l> Mount<'l> {
    fn read(line: &'l str) -> Option<Mount<'l>> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        let (root, point) = (before.next()?, before.next()?);
        let kind = after.next()?;
        Some(Mount { root, point, kind, options: after.nth(1)? })
    }

    /// A group's directory; none where it is not below what is mounted.
    fn place(&self, group: &str) -> Option<PathBuf> {
        let below = Path::new(group).strip_prefix(self.root).ok()?;
        let is_seen = below.components().all(|it| matches!(it, std::path::Component::Normal(_)));
        is_seen.then(|| Path::new(self.point).join(below))
    }
}

/// What is bounded: the controller and how each version writes it.
struct Bounded {
    controller: &'static str,
    /// File and text, where there is a limit.
    first: fn(&Limits) -> Option<(&'static str, String)>,
    second: fn(&Limits) -> Option<(&'static str, String)>,
    field: fn(&mut Bounds) -> &mut By,
}

/// The length of the period of which a guest gets its share, as the kernel has it unless told otherwise.
const PERIOD_US: u64 = 100_000;
/// Processes of the guest's first process and of its users beyond the limit that each user has.
const SPARE_PROCESSES: u64 = 64;

static BOUNDED: [Bounded; 3] = [
    Bounded {
        controller: "memory",
        first: |it| Some(("memory.limit_in_bytes", it.memory_bytes?.to_string())),
        second: |it| Some(("memory.max", it.memory_bytes?.to_string())),
        field: |it| &mut it.memory,
    },
    Bounded {
        controller: "pids",
        first: |it| Some(("pids.max", (it.processes? + SPARE_PROCESSES).to_string())),
        second: |it| Some(("pids.max", (it.processes? + SPARE_PROCESSES).to_string())),
        field: |it| &mut it.processes,
    },
    Bounded {
        controller: "cpu",
        first: |it| Some(("cpu.cfs_quota_us", (u64::from(it.cpus?) * PERIOD_US).to_string())),
        second: |it| Some(("cpu.max", format!("{} {PERIOD_US}", u64::from(it.cpus?) * PERIOD_US))),
        field: |it| &mut it.cpu,
    },
];

/// A guest's groups. Dropped when nothing is in them any more, they are gone.
pub(crate) struct Groups {
    directories: Vec<PathBuf>,
    pub(crate) bounds: Bounds,
}

impl Groups {
    /// Makes what can be made here; never refuses, since there are other bounds.
    pub(crate) fn make(machine: &Machine, limits: &Limits, name: &str) -> Groups {
        let mut groups = Groups { directories: Vec::new(), bounds: Bounds::WITHOUT_GROUPS };
        // More processors than there are bound nothing.
        let cpus = limits.cpus.filter(|it| *it < machine.cpus);
        let has_all = limits.cpus.is_some() && cpus.is_none();
        let limits = &Limits { cpus, ..limits.clone() };
        let name = &format!("{PREFIX}{name}");
        if !groups.make_second(machine, limits, name) {
            groups.make_first(machine, limits, name);
        }
        if has_all && groups.bounds.memory != By::Process {
            groups.bounds.cpu = groups.bounds.memory;
        }
        groups
    }

    fn make_first(&mut self, machine: &Machine, limits: &Limits, name: &str) {
        for bounded in &BOUNDED {
            let (Some((file, text)), Some(own)) =
                ((bounded.first)(limits), machine.first_version(bounded.controller))
            else {
                continue;
            };
            sweep(&own);
            let directory = own.join(name);
            // Two controllers may share a hierarchy.
            if !directory.is_dir() && fs::create_dir(&directory).is_err() {
                continue;
            }
            let is_bound = fs::write(directory.join(file), text).is_ok();
            if !self.directories.contains(&directory) {
                self.directories.push(directory);
            }
            if is_bound {
                *(bounded.field)(&mut self.bounds) = By::Group(1);
            }
        }
    }

    /// Below the nearest ancestor that gives its children the memory controller, and that is ours to write.
    fn make_second(&mut self, machine: &Machine, limits: &Limits, name: &str) -> bool {
        let Some((own, root)) = machine.second_version() else { return false };
        let ancestors = own.ancestors().take_while(|it| it.starts_with(&root));
        for ancestor in ancestors {
            let given = fs::read_to_string(ancestor.join("cgroup.subtree_control")).unwrap_or_default();
            let gives = |controller: &str| given.split_whitespace().any(|it| it == controller);
            // Moving a process takes the right to write this file in what both places have above them.
            let is_ours = || fs::OpenOptions::new().write(true).open(ancestor.join("cgroup.procs")).is_ok();
            let directory = ancestor.join(name);
            if !gives("memory") || !is_ours() || fs::create_dir(&directory).is_err() {
                continue;
            }
            sweep(ancestor);
            self.directories.push(directory.clone());
            for bounded in BOUNDED.iter().filter(|it| gives(it.controller)) {
                let Some((file, text)) = (bounded.second)(limits) else { continue };
                if fs::write(directory.join(file), text).is_ok() {
                    *(bounded.field)(&mut self.bounds) = By::Group(2);
                }
            }
            return true;
        }
        false
    }

    /// Takes a process in, and all that it starts from then on. A group that does not take it is none.
    pub(crate) fn add(&mut self, process: u32) {
        let takes = |it: &PathBuf| fs::write(it.join("cgroup.procs"), process.to_string()).is_ok();
        if !self.directories.iter().all(takes) {
            self.bounds = Bounds::WITHOUT_GROUPS;
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for directory in &self.directories {
            // The last of the dead leave a moment after their parent has heard of it.
            let is_gone = (0..TRIES).any(|_| {
                let result = fs::remove_dir(directory);
                let is_busy = result.as_ref().is_err_and(|it| it.kind() == std::io::ErrorKind::ResourceBusy);
                if is_busy {
                    std::thread::yield_now();
                }
                !is_busy
            });
            // Somebody put a process of theirs in: it is theirs now.
            let _ = is_gone;
        }
    }
}

/// Takes away what keepers left that were killed themselves. A group's name ends with its keeper's number.
fn sweep(place: &Path) {
    let is_left = |name: &str| {
        let keeper = name.strip_prefix(PREFIX).and_then(|it| it.rsplit('-').next());
        keeper.is_some_and(|it| !Path::new("/proc").join(it).exists())
    };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left) {
            // One that somebody is in stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// What the names of all groups of guests begin with.
const PREFIX: &str = "zaffre-guest-";
const TRIES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(mounts: &str, own: &str) -> Machine {
        Machine { mounts: mounts.to_string(), own: own.to_string(), cpus: 4 }
    }

    #[test]
    fn our_own_groups_are_found_where_they_are_mounted() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                      31 24 0:27 /box /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                      32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";
        let machine =
            machine(mounts, "4:memory:/a/b\n3:cpu,cpuacct:/box/c\n2:pids:/\n0::/user.slice/x.scope");
        let first = |controller| machine.first_version(controller);
        assert_eq!(first("memory"), Some("/sys/fs/cgroup/memory/a/b".into()));
        assert_eq!(first("cpu"), Some("/cg/cpu/c".into()));
        assert_eq!(first("pids"), None, "it is mounted nowhere");
        let unified = PathBuf::from("/sys/fs/cgroup/unified");
        assert_eq!(machine.second_version(), Some((unified.join("user.slice/x.scope"), unified)));
    }

    #[test]
    fn a_group_that_is_not_below_what_we_see_is_none() {
        let mounts = "30 24 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        assert!(machine(mounts, "0::/../x").second_version().is_none());
        let mounts = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        assert!(machine(mounts, "0::/../x").second_version().is_none());
    }

    /// A tree of files as version 2 shows it, in which a user was given `app.slice`.
    #[test]
    fn the_nearest_ancestor_that_was_given_to_us_takes_the_guest() {
        let place = tempfile::tempdir().unwrap();
        let slice = place.path().join("user.slice/app.slice");
        let scope = slice.join("term.scope");
        fs::create_dir_all(&scope).unwrap();
        fs::write(scope.join("cgroup.subtree_control"), "").unwrap();
        fs::write(slice.join("cgroup.subtree_control"), "memory pids\n").unwrap();
        fs::write(slice.join("cgroup.procs"), "").unwrap();
        let mounts = format!("30 24 0:26 / {} rw - cgroup2 cgroup2 rw", place.path().display());
        let machine = machine(&mounts, "0::/user.slice/app.slice/term.scope");
        let limits =
            Limits { memory_bytes: Some(1 << 20), processes: Some(100), cpus: Some(1), ..Limits::default() };
        let groups = Groups::make(&machine, &limits, "7");
        let made = slice.join("zaffre-guest-7");
        assert_eq!(groups.directories, std::slice::from_ref(&made));
        let expected = Bounds { memory: By::Group(2), processes: By::Group(2), cpu: By::Nothing };
        assert_eq!(groups.bounds, expected);
        let read = |file| fs::read_to_string(made.join(file)).unwrap_or_default();
        assert_eq!(
            (read("memory.max"), read("pids.max"), read("cpu.max")),
            ("1048576".into(), "164".into(), String::new())
        );
    }

    #[test]
    fn where_nothing_is_given_single_processes_are_bounded() {
        let groups = Groups::make(&machine("", ""), &Limits::default(), "7");
        assert_eq!((groups.bounds, groups.directories.len()), (Bounds::WITHOUT_GROUPS, 0));
    }
}
