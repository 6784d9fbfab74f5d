//! The guest's /etc: what we write, what is copied from the host because it describes the lent /usr, and the trusted certificates at
//! every place where a client looks for them.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::keeper::Ids;
use super::root::{give, parent_of};
use crate::refused::{Named, Refused};
use crate::spec::{ADMIN_ID, CA_BUNDLE, RESOLVER_ADDRESS, Spec};

/// Files of the host's that say how its /usr is laid out; none says who uses it. One that is missing there is missing here.
static COPIED: &[&str] = &[
    "/etc/debian_version",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/protocols",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
];

/// Where else clients look for [`CA_BUNDLE`]: OpenSSL and Python on Alpine and macOS's habits, curl and OpenSSL on Fedora, and SUSE.
/// Debian's /usr/lib/ssl/certs leads to /etc/ssl/certs by itself.
static CA_LINKS: &[&str] = &[
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// The copied files that the host has, before its root is gone.
pub(super) fn read_from_host() -> Vec<(&'static str, Vec<u8>)> {
    COPIED.iter().filter_map(|path| fs::read(path).ok().map(|bytes| (*path, bytes))).collect()
}

/// A prompt that says who and where. The host's own may hold its owner's settings.
const PROFILE: &str = "[ -z \"$PS1\" ] || PS1='\\u@\\h:\\w\\$ '\n";

/// Writes all of it into the guest's root, the [`Spec`]'s own files last, so that they win.
pub(super) fn write_all(spec: &Spec, ids: Ids, copied: Vec<(&'static str, Vec<u8>)>) -> Result<(), Refused> {
    for (path, bytes) in copied {
        write(Path::new(path), 0o644, &bytes)?;
    }
    for (name, text) in own_files(spec).into_iter().filter(|(name, _)| is_ours(spec, name)) {
        let text = if spec.rootfs.is_some() { beside_theirs(name, text) } else { text };
        write(Path::new(name), 0o644, text.as_bytes())?;
    }
    write(Path::new(CA_BUNDLE), 0o644, spec.ca_bundle.as_bytes())?;
    for name in CA_LINKS {
        parent_of(Path::new(name))?;
        forget(Path::new(name))?;
        symlink(CA_BUNDLE, name).named(|| format!("link {name}"))?;
    }
    for file in &spec.files {
        write(&file.path, file.mode, &file.bytes)?;
        give(&file.path, file.owner, ids)?;
    }
    Ok(())
}

/// A root file system of the user's has its own settings, but for who the machine is and whom it trusts.
fn is_ours(spec: &Spec, name: &str) -> bool {
    spec.rootfs.is_none()
        || matches!(
            name,
            "/etc/hostname"
                | "/etc/hosts"
                | "/etc/resolv.conf"
                | "/etc/passwd"
                | "/etc/group"
                | "/etc/machine-id"
        )
}

/// Accounts and groups that are there already stay, behind ours: the administrator is found by its number, too.
fn beside_theirs(file: &str, ours: String) -> String {
    if !matches!(file, "/etc/passwd" | "/etc/group") {
        return ours;
    }
    let theirs = fs::read_to_string(file).unwrap_or_default();
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_string();
    let is_theirs = |line: &&str| !theirs.lines().any(|it| name(it) == name(line)) || name(line) == "sudo";
    let kept: Vec<&str> = ours.lines().filter(is_theirs).collect();
    let is_replaced = |line: &&str| kept.iter().any(|it| name(it) == name(line));
    let rest = theirs.lines().filter(|it| !is_replaced(it));
    kept.iter().copied().chain(rest).map(|it| format!("{it}\n")).collect()
}

/// Takes a link away that would lead somewhere else.
fn forget(path: &Path) -> Result<(), Refused> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).named(|| format!("replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn own_files(spec: &Spec) -> Vec<(&'static str, String)> {
    let admin = &spec.admin;
    let mut files = vec![
        ("/etc/hostname", format!("{}\n", spec.hostname)),
        ("/etc/hosts", hosts(spec)),
        ("/etc/profile", PROFILE.to_string()),
        ("/etc/bash.bashrc", PROFILE.to_string()),
        ("/etc/resolv.conf", resolver(spec)),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"
                .to_string(),
        ),
        (
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/root:/bin/bash\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                 {admin}:x:{ADMIN_ID}:{ADMIN_ID}:{admin}:/home/{admin}:/bin/bash\n"
            ),
        ),
        (
            "/etc/group",
            format!("root:x:0:\ntty:x:5:\nsudo:x:27:{admin}\nnogroup:x:65534:\n{admin}:x:{ADMIN_ID}:\n"),
        ),
    ];
    if !spec.machine_id.is_empty() {
        files.push(("/etc/machine-id", format!("{}\n", spec.machine_id)));
    }
    files
}

fn resolver(spec: &Spec) -> String {
    let search = if spec.search.is_empty() { String::new() } else { format!("search {}\n", spec.search) };
    format!("nameserver {RESOLVER_ADDRESS}\n{search}")
}

fn hosts(spec: &Spec) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_string();
    let has_own_line = spec.hosts.iter().any(|(_, name)| *name == spec.hostname);
    if !has_own_line {
        let _ = writeln!(text, "127.0.1.1 {}", spec.hostname);
    }
    for (address, name) in &spec.hosts {
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Refused> {
    parent_of(path)?;
    if path.is_symlink() {
        forget(path)?;
    }
    let written =
        fs::write(path, bytes).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)));
    written.named(|| format!("write {}", path.display()))
}
