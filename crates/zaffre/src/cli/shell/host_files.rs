//! The host's files that say where names lead and whom to trust, as a shell is to see them.
//!
//! Names: `/etc/hosts` without Microsoft's, one resolver, and no name service that asks a daemon of the host's (systemd-resolved over its
//! socket, nscd, Avahi), which would ask the real world. Trust: at every place where a client looks for the public roots, the bundle that
//! holds them and this cloud's authority.

use std::{fs, path::Path};

use guest::{
    RESOLVER_ADDRESS,
    shell::{Cover, File, Holds},
};

use crate::front::route::is_microsofts;

/// Where systems keep the bundle of public roots: Debian, Alpine, Fedora, openSUSE, and OpenSSL's own habits.
static BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/usr/lib/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];
/// Where glibc asks nscd.
static DAEMONS: &[&str] = &["/run/nscd/socket", "/var/run/nscd/socket"];

/// What is put in place of the host's, and where.
pub(super) fn replaced(bundle: &Path) -> (Vec<File>, Vec<Cover>) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let files = vec![
        file("etc/hosts", hosts(&read("/etc/hosts"))),
        file("etc/resolv.conf", format!("nameserver {RESOLVER_ADDRESS}\n")),
        file("etc/nsswitch.conf", nsswitch(&read("/etc/nsswitch.conf"))),
        file("etc/nobody", String::new()),
    ];
    let cover = |target: &str, source: &str| Cover { target: target.into(), source: source.into() };
    let names = ["hosts", "resolv.conf", "nsswitch.conf"];
    let names = names.map(|it| cover(&format!("/etc/{it}"), &format!("etc/{it}")));
    let daemons = DAEMONS.iter().map(|it| cover(it, "etc/nobody"));
    let bundles = BUNDLES.iter().map(|it| Cover { target: it.into(), source: bundle.to_owned() });
    (files, names.into_iter().chain(daemons).chain(bundles).collect())
}

pub(super) fn file(path: impl Into<String>, text: String) -> File {
    File { path: path.into().into(), holds: Holds::Text(text) }
}

/// The host's, without the names that are this cloud's to answer.
fn hosts(text: &str) -> String {
    let kept = text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next() else { return Some(line.to_owned()) };
        let names: Vec<&str> = words.collect();
        let own: Vec<&str> =
            names.iter().copied().filter(|it| !is_microsofts(&it.to_ascii_lowercase())).collect();
        match own.len() == names.len() {
            true => Some(line.to_owned()),
            false if own.is_empty() => None,
            false => Some(format!("{address} {}", own.join(" "))),
        }
    });
    kept.map(|it| format!("{it}\n")).collect()
}

/// The host's, but that hosts are looked for in `/etc/hosts` and then by DNS.
fn nsswitch(text: &str) -> String {
    let is_hosts = |line: &&str| line.split(':').next().is_some_and(|it| it.trim() == "hosts");
    let has_own_name = text.lines().filter(is_hosts).any(|it| it.contains("myhostname"));
    let rest = text.lines().filter(|it| !is_hosts(it)).map(|it| format!("{it}\n"));
    let own_name = if has_own_name { " myhostname" } else { "" };
    rest.chain([format!("hosts: files{own_name} dns\n")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_microsofts_are_not_answered_by_the_hosts_file() {
        let text = "127.0.0.1 localhost # mine\n\n# a comment about azure.com\n10.1.2.3 build Account.blob.core.windows.net\n\
                    10.1.2.4 management.azure.com\n10.1.2.5 example.org\n";
        let expected = "127.0.0.1 localhost # mine\n\n# a comment about azure.com\n10.1.2.3 build\n10.1.2.5 example.org\n";
        assert_eq!(hosts(text), expected);
    }

    #[test]
    fn no_daemon_is_asked_for_names() {
        for (text, expected) in [
            (
                "passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files myhostname dns\nnetworks: files\n",
                "passwd: files systemd\nnetworks: files\nhosts: files myhostname dns\n",
            ),
            ("hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns\n", "hosts: files dns\n"),
            ("", "hosts: files dns\n"),
        ] {
            assert_eq!(nsswitch(text), expected);
        }
    }
}
