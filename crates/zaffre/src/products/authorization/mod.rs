//! Microsoft.Authorization: what may be done, and who may do it (rbac.md §1, §2).
//!
//! Definitions and assignments are kept by `access`, where they are read for every decision; here is
//! how Resource Manager shows and changes them.
//!
//! - `definitions.rs`: the 928 built-in roles, and custom ones.
//! - `assignments.rs`: roles given to principals, with every rule of giving them.
//! - `denials.rs`: deny assignments, which are only shown.
//! - `locks.rs`: what keeps resources as they are.
//! - `permissions.rs`: what the caller itself may do at a scope.

mod assignments;
mod definitions;
mod denials;
mod locks;
mod permissions;

use azure::{
    api_version::ApiVersion,
    ids::{ResourceId, SubscriptionId},
};

use crate::arm::kind::{At, Function, Kind, Located, On, Provider, Run};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Oldest first (rbac.md §1, §2).
static DEFINITION_VERSIONS: [ApiVersion; 5] =
    [v("2015-07-01"), v("2018-01-01-preview"), v("2018-07-01"), v("2022-04-01"), v("2022-05-01-preview")];
static ASSIGNMENT_VERSIONS: [ApiVersion; 7] = [
    v("2015-07-01"),
    v("2018-01-01-preview"),
    v("2018-09-01-preview"),
    v("2020-03-01-preview"),
    v("2020-04-01-preview"),
    v("2020-10-01-preview"),
    v("2022-04-01"),
];

/// deny-assignments-rest.md.
static DENIAL_VERSIONS: [ApiVersion; 3] = [v("2018-07-01-preview"), v("2018-07-01"), v("2022-04-01")];

static KINDS: [Kind; 4] = [
    Kind::extension("roleDefinitions", &DEFINITION_VERSIONS, &definitions::OWN),
    Kind {
        location: Located::Nowhere,
        confirms: true,
        ..Kind::extension("roleAssignments", &ASSIGNMENT_VERSIONS, &assignments::OWN)
    },
    Kind::extension("denyAssignments", &DENIAL_VERSIONS, &denials::OWN),
    Kind::extension("locks", &locks::VERSIONS, &locks::OWN),
];

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Authorization",
    kinds: &KINDS,
    functions: &[Function {
        path: "permissions",
        at: At::Anywhere,
        method: On::Get,
        action: "",
        versions: &DEFINITION_VERSIONS,
        run: Run::Read(permissions::list),
    }],
};

/// A definition's id, wherever it was asked for: always the subscription's (rbac.md §1). az compares
/// it to the letter with what assignments name.
fn definition_id(scope: &ResourceId, subscription: SubscriptionId, role: azure::ids::Guid) -> ResourceId {
    let at = match scope.is_root() {
        true => ResourceId::root(),
        false => ResourceId::subscription_scope(scope.subscription().unwrap_or(subscription)),
    };
    at.provider("Microsoft.Authorization", "roleDefinitions", &role.to_string())
}
