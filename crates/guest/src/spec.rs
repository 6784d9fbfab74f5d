//! What a guest is to be, and what is to run in it: plain values, which also travel to the guest's init as they are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::refused::Refused;

/// Where a guest's metadata service answers, inside its own network alone.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where a guest's resolver answers, inside its own network alone.
pub const RESOLVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The one address that all emulated names resolve to, unless a [`Spec`] says another.
pub const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 255, 255, 1);
/// Who comes from outside, as a guest with an interface sees it (an address that is nobody's, RFC 5737): it is not there for anything else.
pub const OUTSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The bundle of trusted certificates inside a guest.
pub const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The uid and gid of [`User::Admin`].
pub const ADMIN_ID: u32 = 1000;
/// The program itself: what a guest's init is when a [`Spec`] names nothing else.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// Everything that makes a guest what it is. [`Spec::new`] gives an ordinary one, whose fields may then be changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The program whose `main` begins with [`crate::init::main_if_asked`].
    pub init: PathBuf,
    pub hostname: String,
    /// 32 hexadecimal digits, or empty for no `/etc/machine-id`.
    pub machine_id: String,
    /// The administrator's name: `azureuser`, or osProfile's.
    pub admin: String,
    /// The certificates to trust, as PEM; nothing of the host's is trusted.
    pub ca_bundle: String,
    /// Addresses on `lo` beside 127.0.0.1 (each as a /32 or /128): the metadata service's, the resolver's, the service address, private ones.
    pub addresses: Vec<IpAddr>,
    /// Its place in a virtual network, where it has one. Then the addresses above at which somebody listens are not on `lo`, but behind
    /// this interface: at its own addresses, all ports are the guest's.
    pub interface: Option<Interface>,
    /// Listeners to open before anything runs; what is bound must be one of the guest's addresses.
    pub tcp: Vec<SocketAddr>,
    pub udp: Vec<SocketAddr>,
    /// A root file system of the user's own, in place of the host's /usr: a directory, of which the guest has a copy that is written in memory.
    pub rootfs: Option<PathBuf>,
    /// Directories of the host lent to the guest.
    pub shares: Vec<Share>,
    /// Files written before anything runs, their directories made as needed.
    pub files: Vec<ExtraFile>,
    /// Lines for `/etc/hosts` beside the guest's own.
    pub hosts: Vec<(IpAddr, String)>,
    /// What is put behind short names when they are looked up; empty for nothing.
    pub search: String,
    /// Environment of every command; wins over what the guest sets itself.
    pub env: Vec<(String, String)>,
    pub limits: Limits,
}

impl Spec {
    /// A guest with the metadata and resolver addresses, all names at [`SERVICE_ADDRESS`], and their listeners.
    pub fn new(hostname: impl Into<String>) -> Spec {
        let at = |address: Ipv4Addr, port| SocketAddr::new(IpAddr::V4(address), port);
        Spec {
            init: PathBuf::from(OWN_PROGRAM),
            hostname: hostname.into(),
            machine_id: String::new(),
            admin: "azureuser".to_string(),
            ca_bundle: String::new(),
            addresses: [METADATA_ADDRESS, RESOLVER_ADDRESS, SERVICE_ADDRESS].map(IpAddr::V4).to_vec(),
            interface: None,
            tcp: vec![
                at(METADATA_ADDRESS, 80),
                at(RESOLVER_ADDRESS, 80),
                at(RESOLVER_ADDRESS, 53),
                at(SERVICE_ADDRESS, 443),
                at(SERVICE_ADDRESS, 80),
            ],
            udp: vec![at(RESOLVER_ADDRESS, 53)],
            rootfs: None,
            shares: Vec::new(),
            files: Vec::new(),
            hosts: Vec::new(),
            search: String::new(),
            env: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Refuses what would end up malformed in the guest's own files.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        let refuse = |why: String| Err(Refused::new("read the guest's description", why));
        if !is_name(&self.hostname, 64) {
            return refuse(format!("`{}` is no host name", self.hostname));
        }
        if !is_name(&self.admin, 32) || self.admin == "root" {
            return refuse(format!("`{}` is no name for an administrator", self.admin));
        }
        if self.tcp.len() + self.udp.len() > MAX_LISTENERS {
            return refuse(format!("more than {MAX_LISTENERS} listeners"));
        }
        let inside = self.shares.iter().map(|it| &it.guest).chain(self.files.iter().map(|it| &it.path));
        match inside.into_iter().find(|it| !is_inside(it)) {
            Some(path) => refuse(format!("`{}` is no absolute path without `..`", path.display())),
            None => Ok(()),
        }
    }
}

/// The interface `eth0`: a place in a virtual network ([`crate::Network`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub mac: [u8; 6],
    /// Its own, each with the length of its subnet's prefix; the first is the primary one.
    pub addresses: Vec<(Ipv4Addr, u8)>,
    /// Ranges that are reached through it.
    pub routes: Vec<(Ipv4Addr, u8)>,
    /// Who passes packets on; none where there are no addresses.
    pub gateway: Option<Ipv4Addr>,
}

impl Interface {
    /// An interface with these addresses in a network of these ranges.
    pub fn new(mac: [u8; 6], addresses: Vec<(Ipv4Addr, u8)>, routes: Vec<(Ipv4Addr, u8)>) -> Interface {
        let gateway = addresses.first().map(|(address, prefix)| crate::init::gateway_of(*address, *prefix));
        Interface { mac, addresses, routes, gateway }
    }
}

/// As many as one message may carry with room to spare (the kernel's bound is 253).
const MAX_LISTENERS: usize = 64;

fn is_name(text: &str, length_max: usize) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty()
        && text.len() <= length_max
        && text.chars().all(is_plain)
        && !text.starts_with(['-', '.'])
}

fn is_inside(path: &Path) -> bool {
    use std::path::Component;
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && path.file_name().is_some()
        && parts.all(|it| matches!(it, Component::Normal(_)))
}

/// A directory (or file) of the host at a place in the guest.
///
/// Started by root, the host's owners are kept inside (root stays root), where its file system can translate ids; where it can
/// not, owners show as nobody and the permissions for others count. So in a writable share lent by root, the guest's root may do what the
/// host's may; lend nothing to be written that others on the host run as root. Started by an ordinary user, what is that user's belongs to root inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Share {
    pub host: PathBuf,
    pub guest: PathBuf,
    pub read_only: bool,
}

/// A file to be written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExtraFile {
    pub path: PathBuf,
    pub mode: u32,
    pub owner: User,
    #[serde(with = "bytes_as_text")]
    pub bytes: Vec<u8>,
}

/// What a guest may use. `None` leaves the host's own limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Processes and threads of one user.
    pub processes: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
    /// Address space of one process.
    pub address_space_bytes: Option<u64>,
    /// Everything written to the guest's own files, which are kept in memory.
    pub disk_bytes: u64,
    /// Memory of the whole guest, its files too, where control groups can be had; else what one process writes to.
    pub memory_bytes: Option<u64>,
    /// Processors' worth of time, where control groups can be had.
    pub cpus: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            processes: Some(4096),
            open_files: Some(65_536),
            address_space_bytes: None,
            disk_bytes: 1 << 30,
            memory_bytes: None,
            cpus: None,
        }
    }
}

/// Who a command runs as.
///
/// Started by root, a guest has a private range of ids and the two are really two. Started by an ordinary user it has one id on the
/// host: `Root` is that id seen as 0, `Admin` the same id seen as 1000 from a user namespace within; they may touch each other's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    Root,
    Admin,
}

/// A command to run in a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The program (looked for in PATH when it holds no `/`) and its arguments.
    pub argv: Vec<String>,
    /// Wins over the guest's environment.
    pub env: Vec<(String, String)>,
    /// The user's home when none is given.
    pub cwd: Option<PathBuf>,
    pub user: User,
    /// Somebody of the guest's own `/etc/passwd`, in place of `user`.
    pub account: Option<String>,
    /// A terminal of this size, instead of three pipes.
    pub tty: Option<Size>,
}

impl Command {
    /// The command as the administrator, on pipes, at home.
    pub fn new<T: Into<String>>(argv: impl IntoIterator<Item = T>) -> Command {
        let argv = argv.into_iter().map(Into::into).collect();
        Command { argv, env: Vec::new(), cwd: None, user: User::Admin, account: None, tty: None }
    }
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    Code(i32),
    Signal(i32),
}

/// Bytes as a string of U+0000 to U+00FF: JSON would make a list of numbers of them, four times as long.
mod bytes_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&bytes.iter().map(|it| char::from(*it)).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        text.chars().map(|it| u8::try_from(it).map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_that_would_break_the_guests_files_are_refused() {
        let with = |change: fn(&mut Spec)| {
            let mut spec = Spec::new("myVM");
            change(&mut spec);
            spec.check().is_ok()
        };
        let file =
            |path: &str| ExtraFile { path: path.into(), mode: 0o644, owner: User::Root, bytes: Vec::new() };
        assert!(with(|_| ()));
        assert!(!with(|it| it.hostname = "a b".into()));
        assert!(!with(|it| it.hostname = String::new()));
        assert!(!with(|it| it.admin = "x:0:0".into()));
        assert!(!with(|it| it.admin = "root".into()));
        for (path, is_fine) in [("/a/b", true), ("/a/../b", false), ("a", false), ("/", false)] {
            let spec = Spec { files: vec![file(path)], ..Spec::new("myVM") };
            assert_eq!(spec.check().is_ok(), is_fine, "{path}");
        }
    }

    #[test]
    fn bytes_survive_the_way_to_the_init() {
        let bytes: Vec<u8> = (0..=255).collect();
        let file = ExtraFile { path: "/x".into(), mode: 0o600, owner: User::Admin, bytes: bytes.clone() };
        let text = serde_json::to_string(&file).unwrap();
        assert_eq!(serde_json::from_str::<ExtraFile>(&text).unwrap().bytes, bytes);
    }
}
