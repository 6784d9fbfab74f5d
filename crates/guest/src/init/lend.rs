//! What a guest has from the host: system directories, a few devices, and the shares of its [`Spec`], each as a detached copy of its
//! mount, made before the guest's root hides the host's paths.
//!
//! The table is the whole list: whatever is not in it, the guest does not see.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

use crate::refused::{Named, Refused};
use crate::spec::Spec;
use crate::sys::{self, MountChange};
use crate::tools::{self, TOOLS};

/// A mount waiting for its place in the guest.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) tree: OwnedFd,
    pub(super) target: PathBuf,
    pub(super) is_directory: bool,
    /// A share: its owners should read the same inside.
    pub(super) keeps_owners: bool,
}

/// Read-only, without devices and set-user-id programs. What is a symlink on the host (/bin on most) becomes the same symlink.
pub(super) static SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.conf.d",
    "/etc/terminfo",
    "/etc/fonts",
    "/etc/crypto-policies",
];

/// Where a root file system of the user's goes.
pub(super) const ROOT: &str = "/";

/// Devices that hold nothing of the host's.
static DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Opens all that is there; a missing share is refused, a missing entry of the tables is not.
pub(super) fn open_all(spec: &Spec) -> Result<Vec<Lent>, Refused> {
    let read_only = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let device = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    let system: &[&str] = if spec.rootfs.is_some() { &[] } else { SYSTEM };
    let directories = system.iter().map(|it| (*it, read_only));
    let devices = DEVICES.iter().map(|it| (*it, device));
    let mut lent = Vec::new();
    for (name, attributes) in directories.chain(devices) {
        let host = Path::new(name);
        let is_there = host.symlink_metadata().is_ok_and(|it| !it.is_symlink());
        if is_there {
            lent.push(open(host, host.into(), attributes, false)?);
        }
    }
    if let Some(rootfs) = &spec.rootfs {
        lent.push(open(rootfs, ROOT.into(), read_only, true)?);
    }
    lent.extend(tools(spec.rootfs.is_none()));
    for share in &spec.shares {
        let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        let attributes = attributes | if share.read_only { libc::MOUNT_ATTR_RDONLY } else { 0 };
        lent.push(open(&share.host, share.guest.clone(), attributes, true)?);
    }
    Ok(lent)
}

/// This program, at its own place and over those of the host's that it stands for. Where it cannot be lent (its file was
/// replaced since it started) a guest has no tools of ours, and is a guest all the same.
fn tools(covers: bool) -> Vec<Lent> {
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let covered = TOOLS.iter().filter_map(|tool| Path::new("/usr/bin").join(tool.name).canonicalize().ok());
    let covered = covered.filter(|it| covers && SYSTEM.iter().any(|lent| it.starts_with(lent)));
    let places = std::iter::once(PathBuf::from(tools::PROGRAM)).chain(covered);
    places.filter_map(|place| open(&own, place, attributes, false).ok()).collect()
}

fn open(host: &Path, target: PathBuf, attributes: u64, keeps_owners: bool) -> Result<Lent, Refused> {
    let what = || format!("lend `{}` to the guest", host.display());
    let is_directory = host.metadata().named(what)?.is_dir();
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, host, flags).named(what)?;
    // Private: what the host mounts there later is not for the guest.
    let change = MountChange { set: attributes, is_private: true, ids_of: None };
    sys::change_mounts(tree.as_fd(), change).named(|| format!("protect `{}`", host.display()))?;
    Ok(Lent { tree, target, is_directory, keeps_owners })
}
