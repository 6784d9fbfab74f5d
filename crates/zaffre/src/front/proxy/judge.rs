//! What becomes of a request for a host and a port: judged by the table of names alone.

use azure::error::Row;

use super::super::route::{self, Target};
use crate::door::Entrance;

pub(super) static NOT_EMULATED: Row = Row {
    code: "NotEmulated",
    status: 403,
    template: "`{0}` is one of Microsoft's names, and this cloud does not emulate it; nothing was sent to the real service",
    source: "our own (invariant 11)",
};
pub(super) static NOT_THAT_PORT: Row = Row {
    code: "NotThatPort",
    status: 403,
    template: "`{0}` answers on ports 443 and 80, not on {1}",
    source: "our own (invariant 11)",
};
pub(super) static OFFLINE: Row = Row {
    code: "Offline",
    status: 403,
    template: "this cloud is offline: `{0}` is not Azure's, and nothing is passed on",
    source: "our own",
};

/// What becomes of a request for a host and a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ours { entrance: Entrance, tls: bool },
    PassOn,
    Refuse(&'static Row),
}

pub(super) fn judge(host: &str, port: u16, is_offline: bool) -> Verdict {
    match route::by_name(host) {
        Target::Foreign if is_offline => Verdict::Refuse(&OFFLINE),
        Target::Foreign => Verdict::PassOn,
        Target::Refused
        | Target::Control
        | Target::Extension
        | Target::Hosts
        | Target::Wire
        | Target::Proxy => Verdict::Refuse(&NOT_EMULATED),
        Target::Metadata if port == 80 => Verdict::Ours { entrance: Entrance::Metadata, tls: false },
        Target::Entra
        | Target::Arm
        | Target::Graph
        | Target::AzureAdGraph
        | Target::Blob
        | Target::Cosmos
        | Target::Catalogue
            if port == 443 || port == 80 =>
        {
            Verdict::Ours { entrance: Entrance::Named, tls: port == 443 }
        }
        Target::Entra
        | Target::Arm
        | Target::Graph
        | Target::AzureAdGraph
        | Target::Metadata
        | Target::Blob
        | Target::Cosmos
        | Target::Catalogue => Verdict::Refuse(&NOT_THAT_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_answered_refused_or_passed_on() {
        let named = |tls| Verdict::Ours { entrance: Entrance::Named, tls };
        for (host, port, verdict, offline) in [
            ("management.azure.com", 443, named(true), None),
            ("management.azure.com", 80, named(false), None),
            ("management.azure.com", 8443, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("a.documents.azure.com", 10250, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("vault.azure.net", 443, Verdict::Refuse(&NOT_EMULATED), None),
            ("168.63.129.16", 80, Verdict::Refuse(&NOT_EMULATED), None),
            ("169.254.169.254", 80, Verdict::Ours { entrance: Entrance::Metadata, tls: false }, None),
            ("169.254.169.254", 443, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("raw.githubusercontent.com", 443, named(true), None),
            ("example.org", 443, Verdict::PassOn, Some(Verdict::Refuse(&OFFLINE))),
            ("example.org", 8080, Verdict::PassOn, Some(Verdict::Refuse(&OFFLINE))),
        ] {
            assert_eq!(
                judge(host, port, true),
                offline.unwrap_or_else(|| judge(host, port, false)),
                "{host}:{port}"
            );
            assert_eq!(judge(host, port, false), verdict, "{host}:{port}");
        }
    }
}
