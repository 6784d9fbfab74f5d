//! What there is to know about this machine, found out by trying wherever trying is harmless.

use std::{fs, path::Path};

use guest::{Bounds, Refused};

use super::super::{
    ca::{self, Machine},
    home::Home,
};
use crate::{
    env::Egress,
    front::{ca::public_roots, listen},
};

/// Plain values: a test makes them up.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kernel: String,
    pub(super) is_root: bool,
    /// What refused a guest, and a guest in a virtual network.
    pub(super) guests: Option<Refused>,
    pub(super) networks: Option<Refused>,
    /// Whether there are programs here that guests could have.
    pub(super) has_programs: bool,
    /// What refused a shell's walls.
    pub(super) walls: Option<Refused>,
    pub(super) bounds: Bounds,
    /// Of settings that are known to refuse guests, what they hold; none where this kernel has no such setting.
    pub(super) user_namespaces_max: Option<u64>,
    pub(super) lets_users_clone: Option<bool>,
    pub(super) apparmor_restricts: Option<bool>,
    pub(super) container: Option<&'static str>,
    /// The first port that anybody may listen at.
    pub(super) first_free_port: u16,
    /// Whether a public address of a machine can be listened at, on a port that anybody may have.
    pub(super) has_public_addresses: bool,
    pub(super) processors: usize,
    pub(super) memory_bytes: u64,
    /// Programs of the table that are missing.
    pub(super) missing: Vec<&'static str>,
    /// What machines reach outside, of the cloud that is up here.
    pub(super) egress: Option<Egress>,
    pub(super) data: String,
    pub(super) data_is_writable: bool,
    /// Of the caller's own variables about proxies, those that are set.
    pub(super) proxies: Vec<(&'static str, String)>,
    /// The file of public roots that clients are given beside our own.
    pub(super) public_roots: Option<&'static str>,
    /// Whether the system trusts our authority; none where there is no authority yet.
    pub(super) system_trusts: Option<bool>,
}

/// In pairs: programs differ in which they read.
pub(super) static PROXIES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["NO_PROXY", "no_proxy"]];

/// Programs that users of the cloud have use for.
pub(super) static PROGRAMS: &[(&str, &str)] = &[
    ("ssh", "sign in to machines"),
    ("curl", "follow the tutorials inside machines, which have the host's programs"),
    ("az", "manage the cloud as the tutorials do"),
];

impl Facts {
    /// Makes guests for a moment; blocks while it does.
    pub(super) fn gather(home: &Home) -> Facts {
        let data = home.path();
        let init = Path::new(guest::OWN_PROGRAM);
        let setting = |path: &str| fs::read_to_string(path).ok().map(|it| it.trim().to_owned());
        let is_on = |path: &str| setting(path).map(|it| it == "1");
        let number = |path: &str| setting(path).and_then(|it| it.parse().ok());
        let guests = guest::probe(init).err();
        let networks = if guests.is_some() { None } else { guest::probe_network(init).err() };
        Facts {
            kernel: setting("/proc/sys/kernel/osrelease").unwrap_or_default(),
            is_root: rustix::process::geteuid().is_root(),
            guests,
            networks,
            has_programs: guest::has_programs(),
            walls: guest::shell::probe_walls(init).err(),
            bounds: guest::bounds(),
            user_namespaces_max: number("/proc/sys/user/max_user_namespaces"),
            lets_users_clone: is_on("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: is_on("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            container: container(),
            first_free_port: setting("/proc/sys/net/ipv4/ip_unprivileged_port_start")
                .and_then(|it| it.parse().ok())
                .unwrap_or(1024),
            has_public_addresses: listen::has_public_addresses(),
            processors: std::thread::available_parallelism().map_or(1, Into::into),
            memory_bytes: memory(&setting("/proc/meminfo").unwrap_or_default()),
            missing: PROGRAMS.iter().map(|(name, _)| *name).filter(|it| !is_in_path(it)).collect(),
            egress: home.running().ok().map(|it| it.egress),
            data: data.display().to_string(),
            data_is_writable: is_writable(data),
            proxies: PROXIES
                .iter()
                .flatten()
                .filter_map(|name| Some((*name, std::env::var(name).ok()?)))
                .collect(),
            public_roots: public_roots().map(|(path, _)| path),
            system_trusts: ca::Certificate::find(home)
                .ok()
                .map(|it| ca::system_trusts(&Machine::this(), &it)),
        }
    }
}

/// Whose container this is, as its engine marks it.
fn container() -> Option<&'static str> {
    let marks = [("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")];
    marks.into_iter().find(|(path, _)| Path::new(path).exists()).map(|(_, name)| name)
}

fn memory(text: &str) -> u64 {
    let line = text.lines().find_map(|it| it.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}

fn is_in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|it| it.join(name).is_file())
}

/// The directory, or the nearest above it that is there.
fn is_writable(data: &Path) -> bool {
    let there = data.ancestors().find(|it| it.exists());
    there.is_some_and(|it| rustix::fs::access(it, rustix::fs::Access::WRITE_OK).is_ok())
}
