//! The settings of a machine that are known to refuse guests, named beside the kernel's own words, which seldom say.
//!
//! They explain a refusal that happened; whether guests can be had is never read from them (see [`crate::probe`]).

use std::path::Path;

use crate::refused::Refused;

struct Setting {
    path: &'static str,
    /// What it holds when it refuses; a file that refuses by being there holds anything.
    value: Option<&'static str>,
    advice: &'static str,
}

static SETTINGS: &[Setting] = &[
    // A setting of Debian's own kernels.
    Setting {
        path: "/proc/sys/kernel/unprivileged_userns_clone",
        value: Some("0"),
        advice: "ordinary users may make no namespaces: `sysctl kernel.unprivileged_userns_clone=1` lets them",
    },
    // Ubuntu 23.10 and later: the namespace is made, but without rights in it.
    Setting {
        path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        value: Some("1"),
        advice: "AppArmor keeps ordinary users from namespaces: a profile for this program that allows `userns`, or \
                 `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, lets them",
    },
    Setting {
        path: "/proc/sys/user/max_user_namespaces",
        value: Some("0"),
        advice: "nobody may make user namespaces: raise `sysctl user.max_user_namespaces`",
    },
    Setting {
        path: "/.dockerenv",
        value: None,
        advice: "in a container: its engine may forbid namespaces, and Docker does unless started with \
                 `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`",
    },
    Setting {
        path: "/run/.containerenv",
        value: None,
        advice: "in a container: its engine may forbid namespaces; Podman hides parts of /proc unless started with \
                 `--security-opt unmask=all`",
    },
];

/// The refusal, with what on this machine is known to cause such ones.
pub(crate) fn explain(refused: Refused) -> Refused {
    let is_of_the_kind = matches!(refused.errno, Some(libc::EPERM | libc::EACCES | libc::ENOSPC));
    if !is_of_the_kind {
        return refused;
    }
    let causes = SETTINGS.iter().filter(|it| it.applies()).map(|it| it.advice);
    let why = std::iter::once(refused.why.as_str()).chain(causes).collect::<Vec<_>>().join("; ");
    Refused { why, ..refused }
}

impl Setting {
    fn applies(&self) -> bool {
        match self.value {
            Some(value) => std::fs::read_to_string(self.path).is_ok_and(|it| it.trim() == value),
            None => Path::new(self.path).exists(),
        }
    }
}
