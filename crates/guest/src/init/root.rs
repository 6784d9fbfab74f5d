//! The guest's file system: an empty one in memory, with what the host lends mounted in it, /proc and /dev of its own, and no way back.
//!
//! The roots are exchanged as early as can be, and everything is written after it: a path that leads through a symlink of the guest
//! can then not end on the host. Only what the host alone can tell is taken along: detached mounts, the texts of a few files, and /proc,
//! which an unprivileged process may mount only where it still sees another one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags};

use super::etc;
use super::keeper::Ids;
use super::lend::{Lent, ROOT, SYSTEM};
use crate::refused::{Named, Refused};
use crate::spec::{ADMIN_ID, Spec, User};
use crate::tools::{self, TOOLS};

/// Where the new root stands until it is the root. The first that exists will do: what it holds is hidden in this namespace alone.
static SCAFFOLDS: &[&str] = &["/tmp", "/mnt", "/run", "/proc"];

/// Directories and their modes, parents first.
static DIRECTORIES: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/dev/pts", 0o755),
    ("/dev/shm", 0o1777),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/run/guest", 0o755),
    ("/run/guest/bin", 0o755),
    ("/run/lock", 0o1777),
    ("/srv", 0o755),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/tmp", 0o1777),
];

static LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/etc/mtab", "/proc/self/mounts"),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
];

/// Builds the guest's root and makes it this process's. `lent` are mounts that were opened before.
pub(super) fn build(spec: &Spec, ids: Ids, lent: &[Lent]) -> Result<(), Refused> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).at("keep the guest's mounts to itself")?;
    rustix::process::umask(rustix::fs::Mode::empty());
    let (own_root, lent): (Vec<&Lent>, Vec<&Lent>) = lent.iter().partition(|it| it.target == Path::new(ROOT));
    // What describes the host's /usr is of no use without it.
    let (copied, links) = match own_root.is_empty() {
        true => (etc::read_from_host(), system_links()),
        false => (Vec::new(), Vec::new()),
    };
    exchange_roots(spec, own_root.first().copied())?;
    for (path, mode) in DIRECTORIES {
        find_directory(Path::new(path), *mode)?;
    }
    let own = LINKS.iter().map(|(path, target)| (PathBuf::from(path), PathBuf::from(target)));
    for (path, target) in own.chain(links).filter(|(path, _)| path.symlink_metadata().is_err()) {
        symlink(target, &path).named(|| format!("link {}", path.display()))?;
    }
    for tree in lent {
        place(tree)?;
    }
    place_tools(spec)?;
    mount_terminals(ids)?;
    let home = Path::new("/home").join(&spec.admin);
    find_directory(&home, 0o750)?;
    give(&home, User::Admin, ids)?;
    etc::write_all(spec, ids, copied)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

/// The names of our own tools; in a root file system of the user's, also in place of what it has by them.
fn place_tools(spec: &Spec) -> Result<(), Refused> {
    let has_own_root = spec.rootfs.is_some();
    for tool in TOOLS.iter().filter(|it| it.is_always && !(has_own_root && it.is_of_host)) {
        let theirs = Path::new("/usr/bin").join(tool.name);
        if has_own_root && theirs.exists() {
            std::fs::remove_file(&theirs).named(|| format!("replace {}", theirs.display()))?;
            symlink(tools::PROGRAM, &theirs).named(|| format!("link {}", theirs.display()))?;
        }
        let path = Path::new(tools::DIRECTORY).join(tool.name);
        symlink(tools::PROGRAM, &path).named(|| format!("link {}", path.display()))?;
    }
    Ok(())
}

/// /bin -> usr/bin and the like, as the host has them.
fn system_links() -> Vec<(PathBuf, PathBuf)> {
    let paths = SYSTEM.iter().map(PathBuf::from);
    paths.filter_map(|path| fs::read_link(&path).ok().map(|target| (path, target))).collect()
}

/// From the host's root to an empty one that has /proc: the second `.` of the exchange stacks the old root over the new one, where
/// it is taken off.
fn exchange_roots(spec: &Spec, own_root: Option<&Lent>) -> Result<(), Refused> {
    mount_empty_root(spec)?;
    if let Some(own_root) = own_root {
        mount_over(own_root)?;
    }
    find_directory(Path::new("proc"), 0o555)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    rustix::mount::mount("proc", "proc", "proc", flags, None).at("mount /proc")?;
    rustix::process::pivot_root(".", ".").at("exchange the roots")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).at("let go of the host's root")?;
    std::env::set_current_dir("/").at("enter the guest's root")
}

fn mount_empty_root(spec: &Spec) -> Result<(), Refused> {
    let scaffold = SCAFFOLDS.iter().find(|it| Path::new(it).is_dir());
    let scaffold =
        *scaffold.ok_or_else(|| Refused::new("find a place for the guest's root", "the host has no /tmp"))?;
    let inodes = (spec.limits.disk_bytes / 4096).max(4096);
    let options = format!("size={},nr_inodes={inodes},mode=755", spec.limits.disk_bytes);
    let options = std::ffi::CString::new(options).expect("numbers hold no zero byte");
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("zaffre", scaffold, "tmpfs", flags, Some(options.as_c_str()))
        .at("mount the guest's root (tmpfs)")?;
    std::env::set_current_dir(scaffold).at("enter the guest's root")
}

/// A root that shows the user's own and keeps what is written to it in memory.
fn mount_over(own_root: &Lent) -> Result<(), Refused> {
    for name in ["lower", "upper", "work", "root"] {
        make_directory(Path::new(name), 0o755)?;
    }
    let what = "mount a root file system of one's own (overlay)";
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&own_root.tree, "", CWD, "lower", flags).at(what)?;
    let options = c"lowerdir=lower,upperdir=upper,workdir=work,userxattr";
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("overlay", "root", "overlay", flags, Some(options)).at(what)?;
    std::env::set_current_dir("root").at(what)
}

/// Puts a lent mount where it belongs.
fn place(lent: &Lent) -> Result<(), Refused> {
    let what = || format!("mount {}", lent.target.display());
    parent_of(&lent.target)?;
    match (lent.target.exists(), lent.is_directory) {
        (true, _) => {}
        (false, true) => make_directory(&lent.target, 0o755)?,
        (false, false) => drop(fs::File::create(&lent.target).named(what)?),
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&lent.tree, "", CWD, &lent.target, flags).named(what)
}

/// Terminals of the guest's own. They belong to the group tty (5), where there is more than one group.
fn mount_terminals(ids: Ids) -> Result<(), Refused> {
    let options = match ids {
        Ids::Range(_) => c"newinstance,ptmxmode=0666,mode=0620,gid=5",
        Ids::Own { .. } => c"newinstance,ptmxmode=0666,mode=0620",
    };
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    rustix::mount::mount("devpts", "/dev/pts", "devpts", flags, Some(options)).at("mount /dev/pts")
}

fn make_directory(path: &Path, mode: u32) -> Result<(), Refused> {
    let made = fs::create_dir(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)));
    made.named(|| format!("make {}", path.display()))
}

/// Makes it unless it is there.
fn find_directory(path: &Path, mode: u32) -> Result<(), Refused> {
    if path.is_dir() { Ok(()) } else { make_directory(path, mode) }
}

/// Makes the directories that a path needs, for all to read.
pub(super) fn parent_of(path: &Path) -> Result<(), Refused> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(parent);
    made.named(|| format!("make {}", parent.display()))
}

/// Makes a file its user's own. With one id for all, everything already is.
pub(super) fn give(path: &Path, user: User, ids: Ids) -> Result<(), Refused> {
    match (user, ids) {
        (User::Admin, Ids::Range(_)) => std::os::unix::fs::chown(path, Some(ADMIN_ID), Some(ADMIN_ID))
            .named(|| format!("give {} to its user", path.display())),
        (User::Admin, Ids::Own { .. }) | (User::Root, _) => Ok(()),
    }
}
