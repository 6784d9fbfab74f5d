//! What a command may not do: the steps between the fork and the exec of a guest's command that take rights away.
//!
//! Capabilities of root inside are those that administer the guest's own users, files and ports, and none that touch mounts, the
//! network's set-up or the kernel; the administrator has none. `no_new_privs` makes set-user-id programs of the lent /usr harmless, and
//! the filter of [`super::seccomp`] goes on last.

use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::accounts::Account;
use super::keeper::Ids;
use crate::groups::{Bounds, By};
use crate::refused::{Named, Refused};
use crate::spec::Limits;
use crate::sys;

/// What root keeps inside its guest.
const ROOT_KEEPS: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// Becomes the user, with the capabilities that are its own.
pub(super) fn become_user(account: &Account, ids: Ids) -> Result<(), Refused> {
    let is_root = account.uid == 0;
    let keeps = if is_root { ROOT_KEEPS } else { CapabilitySet::empty() };
    if let (false, Ids::Own { .. }) = (is_root, ids) {
        be_another_in_own_namespace(account)?;
    }
    drop_bounds(keeps)?;
    if let Ids::Range(_) = ids {
        take_ids(account)?;
    }
    let sets = CapabilitySets { effective: keeps, permitted: keeps, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).at("drop capabilities")
}

/// With one id on the host, anybody but root is that id seen as another from a namespace of its own. It must not be closed to
/// itself (dumpable) while it writes its maps; the exec sets that right again.
fn be_another_in_own_namespace(account: &Account) -> Result<(), Refused> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .at("open the process to itself")?;
    sys::unshare(UnshareFlags::NEWUSER).at("make the user's own namespace")?;
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_string()),
        ("/proc/self/uid_map", format!("{} 0 1", account.uid)),
        ("/proc/self/gid_map", format!("{} 0 1", account.gid)),
    ] {
        std::fs::write(file, text).named(|| format!("map the user ({file})"))?;
    }
    Ok(())
}

/// What is out of the bounding set never comes back, whatever is exec'd.
fn drop_bounds(keeps: CapabilitySet) -> Result<(), Refused> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if keeps.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The first number that the kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            result => result.at("drop capabilities for good")?,
        }
    }
    Ok(())
}

fn take_ids(account: &Account) -> Result<(), Refused> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().map(|it| Gid::from_raw(*it)).collect();
    rustix::thread::set_thread_groups(&groups).at("set groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).at("set the group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at("set the user")
}

/// Limits only ever go down: where the host's own is lower, it stays. Memory that a control group bounds is not bounded again:
/// programs that take much and write to little of it would find less than their machine has.
pub(super) fn limit(limits: &Limits, bounds: Bounds) -> Result<(), Refused> {
    let memory = limits.memory_bytes.filter(|_| bounds.memory == By::Process);
    for (resource, wanted) in [
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, limits.open_files),
        (Resource::As, limits.address_space_bytes),
        (Resource::Data, memory),
        (Resource::Core, Some(0)),
    ] {
        let Some(wanted) = wanted else { continue };
        let hosts = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Some(wanted.min(hosts));
        rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })
            .named(|| format!("limit {resource:?}"))?;
    }
    // Where memory runs out, commands go before the guest's first process. What the host does not let us say is left.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

/// No way up, and the filter over all that is exec'd from here on.
pub(super) fn seal(filter: &[libc::sock_filter]) -> Result<(), Refused> {
    rustix::thread::set_no_new_privs(true).at("forbid new privileges")?;
    sys::filter_calls(filter).at("filter system calls (seccomp)")
}
