//! Microsoft.ManagedIdentity: identities that are resources of their own, and the look at any
//! resource's own one (resources.md §1).
//!
//! - `user_assigned.rs`: `userAssignedIdentities`, whose principal lives as long as the resource.
//! - `federated.rs`: whom else an identity trusts. Kept and judged; the token grant is not here yet.
//! - `default.rs`: `{resource}/providers/Microsoft.ManagedIdentity/identities/default`.

mod default;
mod federated;
mod user_assigned;

use azure::api_version::ApiVersion;

use crate::arm::kind::{IdStyle, Kind, Moves, Patch, Provider, Verb};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Oldest first (resources.md §1).
static VERSIONS: [ApiVersion; 9] = [
    v("2015-08-31-PREVIEW"),
    v("2018-11-30"),
    v("2021-09-30-preview"),
    v("2022-01-31-preview"),
    v("2023-01-31"),
    v("2023-07-31-preview"),
    v("2024-11-30"),
    v("2025-01-31-preview"),
    v("2025-05-31-preview"),
];
static FEDERATED_VERSIONS: [ApiVersion; 6] = [
    v("2022-01-31-preview"),
    v("2023-01-31"),
    v("2023-07-31-preview"),
    v("2024-11-30"),
    v("2025-01-31-preview"),
    v("2025-05-31-preview"),
];

/// Until then, documents tell where an agent may fetch a secret.
static LAST_WITH_SECRET_URL: ApiVersion = v("2015-08-31-PREVIEW");

static KINDS: [Kind; 3] = [
    Kind {
        style: IdStyle::LowerCaseGroups,
        locates: true,
        shows_state: false,
        put: user_assigned::put,
        delete: user_assigned::delete,
        moves: Moves::Never,
        view: user_assigned::view,
        actions: &[Verb::post(
            "listAssociatedResources",
            "listAssociatedResources/action",
            user_assigned::list_associated,
        )],
        ..Kind::tracked("userAssignedIdentities", &VERSIONS)
    },
    Kind {
        style: IdStyle::LowerCaseGroups,
        shows_state: false,
        patch: Patch::Refused,
        put: federated::put,
        ..Kind::child("userAssignedIdentities/federatedIdentityCredentials", &FEDERATED_VERSIONS)
    },
    Kind::extension("identities", &VERSIONS, &default::OWN),
];

pub static PROVIDER: Provider =
    Provider { namespace: "Microsoft.ManagedIdentity", kinds: &KINDS, functions: &[], data: Vec::new };
