//! Programs that a guest has in place of the host's of the same name: this program again, which knows by its name what it is to be.
//!
//! `sudo` and `su` cannot be the host's: nothing in a guest gains rights by what it executes (`no_new_privs`), so ours ask the guest's
//! init, who has them ([`sudo`]). Packages cannot be installed into a /usr that is the host's: those who try are told so ([`packages`]). What
//! a machine was told for its beginning is done from outside, and `cloud-init status` says how far that is ([`cloud_init`]).

mod cloud_init;
mod packages;
pub(crate) mod sudo;

use std::ffi::OsString;
use std::path::Path;

/// Where the program itself is inside a guest.
pub(crate) const PROGRAM: &str = "/run/guest/program";
/// Where the names are under which it is found.
pub(crate) const DIRECTORY: &str = "/run/guest/bin";
/// Where the init answers `sudo` and `su`.
pub(crate) const SOCKET: &str = "/run/guest/sudo";

pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Whether a guest has it also where the host has not.
    pub(crate) is_always: bool,
    /// Whether it speaks for the host's packages, which a root file system of its user's does not have.
    pub(crate) is_of_host: bool,
    main: fn(&str, &[OsString]) -> i32,
}

const fn ours(name: &'static str, main: fn(&str, &[OsString]) -> i32) -> Tool {
    Tool { name, is_always: true, is_of_host: false, main }
}

const fn installer(name: &'static str, is_always: bool) -> Tool {
    Tool { name, is_always, is_of_host: true, main: packages::main }
}

pub(crate) static TOOLS: &[Tool] = &[
    ours("sudo", sudo::main),
    ours("su", sudo::main),
    ours("cloud-init", cloud_init::main),
    installer("apt", true),
    installer("apt-get", true),
    installer("dpkg", true),
    installer("snap", false),
    installer("dnf", false),
    installer("yum", false),
    installer("zypper", false),
    installer("apk", false),
    installer("pacman", false),
];

/// What this process is when it was called by this name; none when it is the program itself.
pub(crate) fn run_if_named(called: &OsString, arguments: &[OsString]) -> Option<i32> {
    let name = Path::new(called).file_name()?.to_str()?;
    let tool = TOOLS.iter().find(|it| it.name == name)?;
    Some((tool.main)(name, arguments))
}
