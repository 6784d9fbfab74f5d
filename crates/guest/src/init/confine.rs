//! What a command may not do: the steps between the fork and the exec of a guest's command that take rights away.
//!
//! Capabilities of root inside are those that administer the guest's own users, files and ports, and none that touch mounts, the
//! network's set-up or the kernel; the administrator has none. `no_new_privs` makes set-user-id programs of the lent /usr harmless, and
//! the filter of [`super::seccomp`] goes on last.

use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::keeper::Ids;
use crate::refused::{Named, Refused};
use crate::spec::{ADMIN_ID, Limits, User};
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
pub(super) fn become_user(user: User, ids: Ids) -> Result<(), Refused> {
    let keeps = match user {
        User::Root => ROOT_KEEPS,
        User::Admin => CapabilitySet::empty(),
    };
    if (user, matches!(ids, Ids::Own { .. })) == (User::Admin, true) {
        be_admin_in_own_namespace()?;
    }
    drop_bounds(keeps)?;
    if let Ids::Range(_) = ids {
        take_ids(match user {
            User::Root => 0,
            User::Admin => ADMIN_ID,
        })?;
    }
    let sets = CapabilitySets { effective: keeps, permitted: keeps, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).at("drop capabilities")
}

/// With one id on the host, the administrator is that id seen as 1000 from a namespace of its own. It must not be closed to
/// itself (dumpable) while it writes its maps; the exec sets that right again.
fn be_admin_in_own_namespace() -> Result<(), Refused> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .at("open the process to itself")?;
    sys::unshare_user().at("make the administrator's user namespace")?;
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_string()),
        ("/proc/self/uid_map", format!("{ADMIN_ID} 0 1")),
        ("/proc/self/gid_map", format!("{ADMIN_ID} 0 1")),
    ] {
        std::fs::write(file, text).named(|| format!("map the administrator ({file})"))?;
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

fn take_ids(id: u32) -> Result<(), Refused> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    rustix::thread::set_thread_groups(&[gid]).at("set groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).at("set the group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at("set the user")
}

/// Limits only ever go down: where the host's own is lower, it stays.
pub(super) fn limit(limits: &Limits) -> Result<(), Refused> {
    for (resource, wanted) in [
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, limits.open_files),
        (Resource::As, limits.address_space_bytes),
        (Resource::Core, Some(0)),
    ] {
        let Some(wanted) = wanted else { continue };
        let hosts = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Some(wanted.min(hosts));
        rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })
            .named(|| format!("limit {resource:?}"))?;
    }
    Ok(())
}

/// No way up, and the filter over all that is exec'd from here on.
pub(super) fn seal(filter: &[libc::sock_filter]) -> Result<(), Refused> {
    rustix::thread::set_no_new_privs(true).at("forbid new privileges")?;
    sys::filter_calls(filter).at("filter system calls (seccomp)")
}
