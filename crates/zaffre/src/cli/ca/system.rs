//! The system's store: a folder of anchors of the administrator's, and a program that makes what clients read of it.
//!
//! Where they are is each distribution's documentation: update-ca-certificates(8) of Debian, Alpine and openSUSE,
//! update-ca-trust(8) of Fedora and RHEL, trust(1) of Arch. The first row whose folder and program are there counts; Debian's
//! stands last, because other systems have its folder too.

use std::path::PathBuf;

use super::{Certificate, Machine, Wish, steps::Step};
use crate::front::ca::SYSTEM_ROOTS;

struct Row {
    anchors: &'static str,
    extension: &'static str,
    program: &'static str,
    words: &'static [&'static str],
}

static ROWS: &[Row] = &[
    Row {
        anchors: "/etc/pki/ca-trust/source/anchors",
        extension: "pem",
        program: "update-ca-trust",
        words: &["extract"],
    },
    Row {
        anchors: "/etc/pki/trust/anchors",
        extension: "pem",
        program: "update-ca-certificates",
        words: &["--fresh"],
    },
    Row {
        anchors: "/etc/ca-certificates/trust-source/anchors",
        extension: "crt",
        program: "trust",
        words: &["extract-compat"],
    },
    // Without `--fresh`, Debian's leaves the link to a certificate that is gone.
    Row {
        anchors: "/usr/local/share/ca-certificates",
        extension: "crt",
        program: "update-ca-certificates",
        words: &["--fresh"],
    },
];

/// The row of this system, and its program.
fn row(machine: &Machine) -> Option<(&'static Row, PathBuf)> {
    ROWS.iter().find_map(|row| {
        let program = machine.at(row.anchors).is_dir().then(|| machine.program(row.program))??;
        Some((row, program))
    })
}

/// Whether who runs this may change the store; there may be none to change.
pub(super) fn is_ours(machine: &Machine) -> bool {
    let Some((row, _)) = row(machine) else { return true };
    rustix::fs::access(machine.at(row.anchors), rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether what clients read of the system's store holds the certificate.
pub(in crate::cli) fn trusts(machine: &Machine, certificate: &Certificate) -> bool {
    SYSTEM_ROOTS.iter().any(|path| certificate.is_in(&machine.at(path)))
}

pub(super) fn steps(wish: Wish, machine: &Machine, certificate: &Certificate) -> Vec<Step> {
    let Some((row, program)) = row(machine) else {
        return vec![Step::Cannot(
            "the system's store is of no kind that we know: the package `ca-certificates` may be missing"
                .to_owned(),
        )];
    };
    let name = format!("zaffre-{}.{}", certificate.print(), row.extension);
    let anchor = machine.at(row.anchors).join(name);
    let (is_there, is_trusted) = (certificate.is_in(&anchor), trusts(machine, certificate));
    let refresh = || Step::Run(program.clone(), row.words.iter().map(|it| (*it).to_owned()).collect());
    let changes = match wish {
        Wish::Trust if is_there && is_trusted => {
            return vec![Step::Already("the system trusts it already".to_owned())];
        }
        Wish::Untrust if !anchor.exists() && !is_trusted => {
            return vec![Step::Already("the system does not trust it".to_owned())];
        }
        Wish::Trust => vec![Step::Write(anchor, certificate.pem.clone()), refresh()],
        Wish::Untrust if anchor.exists() => vec![Step::Remove(anchor), refresh()],
        Wish::Untrust => vec![refresh()],
    };
    if is_ours(machine) {
        return changes;
    }
    vec![Step::Cannot(format!(
        "the system's store, {}, is not yours to change",
        machine.at(row.anchors).display()
    ))]
}
