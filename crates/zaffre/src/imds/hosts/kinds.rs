//! How each kind of host is spoken to: what it demands, what it answers. How it is found is `front::host_doors`'.

use http::Method;

use super::super::token::{Selector, Selects};

/// How a kind of host is spoken to.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(super) kind: &'static str,
    pub(super) dialects: &'static [Dialect],
    pub(super) envelope: Envelope,
    /// Whether a question is answered by a challenge first (imds.md §9.3).
    pub(super) has_challenge: bool,
    /// Whether a user-assigned identity that is the only one need not be named.
    pub(super) takes_the_only_one: bool,
}

/// One of the ways in which a kind is asked.
#[derive(Debug)]
pub(super) struct Dialect {
    /// None: no version is asked for.
    pub(super) versions: &'static [&'static str],
    pub(super) method: Method,
    pub(super) wants: Wants,
    pub(super) selectors: &'static [(&'static str, Selects)],
    pub(super) members: &'static [&'static str],
    pub(super) expires_on: ExpiresOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// The secret, in this header.
    Secret(&'static str),
    /// `Metadata: true`.
    Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpiresOn {
    Epoch,
    /// `06/20/2019 02:57:58 +00:00` (imds.md §9.2).
    Date,
}

/// How errors are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// `{"statusCode", "message", "correlationId"}`.
    AppService,
    /// `{"error", "error_description"}`.
    OAuth,
    /// `{"error": {"code", "message", "correlationId"}}`.
    ServiceFabric,
}

const OF_APP_SERVICE: &[&str] =
    &["access_token", "client_id", "expires_on", "not_before", "resource", "token_type"];

/// imds.md §9.1.
const APP_SERVICE_2019: Dialect = Dialect {
    versions: &["2019-08-01"],
    method: Method::GET,
    wants: Wants::Secret("x-identity-header"),
    selectors: &[
        ("client_id", Selector::Client),
        ("principal_id", Selector::Object),
        ("object_id", Selector::Object),
        ("mi_res_id", Selector::Resource),
    ],
    members: OF_APP_SERVICE,
    expires_on: ExpiresOn::Epoch,
};

/// imds.md §9.2. Only `clientid` selects.
const APP_SERVICE_2017: Dialect = Dialect {
    versions: &["2017-09-01"],
    method: Method::GET,
    wants: Wants::Secret("secret"),
    selectors: &[("clientid", Selector::Client)],
    members: &["access_token", "client_id", "expires_on", "resource", "token_type"],
    expires_on: ExpiresOn::Date,
};

static OF_APP_SERVICES: [Dialect; 2] = [APP_SERVICE_2019, APP_SERVICE_2017];

const WEB: Protocol = Protocol {
    kind: "app-service",
    dialects: &OF_APP_SERVICES,
    envelope: Envelope::AppService,
    has_challenge: false,
    takes_the_only_one: false,
};

static PROTOCOLS: [Protocol; 7] = [
    WEB,
    Protocol { kind: "functions", ..WEB },
    Protocol { kind: "container-apps", ..WEB },
    // imds.md §9.3.
    Protocol {
        kind: "arc",
        dialects: &[Dialect {
            versions: &["2019-11-01", "2020-06-01"],
            wants: Wants::Metadata,
            selectors: &[
                ("client_id", Selector::Client),
                ("object_id", Selector::Object),
                // `mi_res_id` is ignored, as the agent does (imds.md §2.1).
                ("msi_res_id", Selector::Resource),
            ],
            members: &[
                "access_token",
                "client_id",
                "expires_in",
                "expires_on",
                "ext_expires_in",
                "not_before",
                "resource",
                "token_type",
            ],
            ..APP_SERVICE_2019
        }],
        envelope: Envelope::OAuth,
        has_challenge: true,
        ..WEB
    },
    // imds.md §9.4. Which identity an application has is the cluster's to say: nothing selects.
    Protocol {
        kind: "service-fabric",
        dialects: &[Dialect {
            versions: &["2019-07-01-preview"],
            wants: Wants::Secret("secret"),
            selectors: &[],
            members: &["access_token", "expires_on", "resource", "token_type"],
            ..APP_SERVICE_2019
        }],
        envelope: Envelope::ServiceFabric,
        takes_the_only_one: true,
        ..WEB
    },
    // imds.md §9.5.
    Protocol {
        kind: "cloud-shell",
        dialects: &[Dialect {
            versions: &[],
            method: Method::POST,
            wants: Wants::Metadata,
            selectors: &[],
            members: &[
                "access_token",
                "refresh_token",
                "expires_in",
                "expires_on",
                "not_before",
                "resource",
                "token_type",
            ],
            ..APP_SERVICE_2019
        }],
        envelope: Envelope::OAuth,
        takes_the_only_one: true,
        ..WEB
    },
    // As App Service of 2017, with another time (imds.md §9.2). Its errors are unverified.
    Protocol {
        kind: "ml",
        dialects: &[Dialect {
            expires_on: ExpiresOn::Epoch,
            selectors: &[
                ("clientid", Selector::Client),
                ("object_id", Selector::Object),
                ("msi_res_id", Selector::Resource),
            ],
            ..APP_SERVICE_2017
        }],
        takes_the_only_one: true,
        ..WEB
    },
];

/// The protocol of a kind.
pub(super) fn of(kind: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|it| it.kind == kind)
}

/// How a refusal is printed: by the kind that the path begins with, whatever follows.
pub(super) fn envelope(path: &str) -> Envelope {
    let name = path.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
    of(name).map_or(Envelope::OAuth, |it| it.envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::host_doors::KINDS;

    #[test]
    fn every_kind_is_spoken_to() {
        let kinds: Vec<&str> = KINDS.iter().map(|it| it.name).collect();
        let spoken: Vec<&str> = PROTOCOLS.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, spoken);
    }
}
