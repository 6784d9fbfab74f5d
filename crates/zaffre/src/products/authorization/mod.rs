//! Microsoft.Authorization: what may be done, and who may do it (rbac.md §1, §2).
//!
//! Definitions and assignments are kept by `access`, where they are read for every decision; here is
//! how Resource Manager shows and changes them.
//!
//! - `definitions.rs`: the 928 built-in roles, and custom ones.
//! - `assignments.rs`: roles given to principals, with every rule of giving them.
//! - `denials.rs`: deny assignments, which are only shown.
//! - `locks.rs`: what keeps resources as they are.
//! - `guard.rs`: that somebody is left who may give roles.
//! - `permissions.rs`: what the caller itself may do at a scope; `check.rs`: what anybody may.
//! - `elevate.rs`: how an administrator of the directory gets to the root scope.

mod assignments;
mod check;
mod definitions;
mod denials;
mod elevate;
mod guard;
mod locks;
mod permissions;

use azure::{
    api_version::ApiVersion,
    error::{Result, Row},
    ids::{Guid, ResourceId, SubscriptionId},
    odata::Filter,
};

use crate::{
    access::management_groups,
    arm::kind::{At, Function, Kind, Located, Look, On, Provider, Run},
};

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
    Kind {
        open_in_tenant: true,
        bad_name: Some(definitions::bad_name),
        ..Kind::extension("roleDefinitions", &DEFINITION_VERSIONS, &definitions::OWN)
    },
    Kind {
        location: Located::Nowhere,
        confirms: true,
        bad_name: Some(assignments::bad_name),
        ..Kind::extension("roleAssignments", &ASSIGNMENT_VERSIONS, &assignments::OWN)
    },
    Kind::extension("denyAssignments", &DENIAL_VERSIONS, &denials::OWN),
    Kind::extension("locks", &locks::VERSIONS, &locks::OWN),
];

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Authorization",
    kinds: &KINDS,
    functions: &[
        Function {
            path: "permissions",
            at: At::Anywhere,
            method: On::Get,
            action: "",
            versions: &DEFINITION_VERSIONS,
            run: Run::Read(permissions::list),
        },
        Function {
            path: "checkAccess",
            at: At::Anywhere,
            method: On::Post,
            action: "Microsoft.Authorization/roleAssignments/read",
            versions: &CHECK_VERSIONS,
            run: Run::Read(check::access),
        },
        Function {
            path: "elevateAccess",
            at: At::Tenant,
            method: On::Post,
            action: "",
            versions: &ELEVATION_VERSIONS,
            run: Run::Txn(elevate::elevate),
        },
    ],
    data: Vec::new,
};

/// Global Administrator - Elevate Access.
static ELEVATION_VERSIONS: [ApiVersion; 3] = [v("2015-07-01"), v("2016-07-01"), v("2017-05-01")];
static CHECK_VERSIONS: [ApiVersion; 2] = [v("2018-09-01-preview"), v("2022-04-01")];

/// The `$filter` of a list, read. A list answers to a few filters, each a row of what must hold together, in order;
/// any other one is refused (UnsupportedQuery), not passed over.
fn filter_of(look: &Look<'_>, supported: &[&[&str]], bad_filter: &'static Row) -> Result<Option<Filter>> {
    let text = look.query.iter().find(|(name, _)| name.eq_ignore_ascii_case("$filter"));
    let Some(text) = text.map(|(_, text)| text.as_str()).filter(|it| !it.trim().is_empty()) else {
        return Ok(None);
    };
    let filter = Filter::parse(text).map_err(|bad| bad_filter.with([text]).because(bad))?;
    let parts = filter.plain_parts();
    let is_supported = parts.is_some_and(|parts| supported.iter().any(|row| parts == *row));
    // An id that is none is no value (quoted by users: `principalId eq ''` is not supported).
    let names_principal = filter.required("principalId").is_none_or(|id| id.parse::<Guid>().is_ok());
    if is_supported && names_principal { Ok(Some(filter)) } else { Err(bad_filter.with([text])) }
}

/// Which scopes a list at a scope tells of: those at it and above it, and those below unless the filter says
/// `atScope()`; with `atScopeAndBelow()` those at it and below (rbac.md §2).
fn near<'l>(look: &'l Look<'_>, filter: Option<&Filter>) -> Result<impl Fn(&ResourceId) -> bool + use<'l>> {
    let says = |function: &str| filter.is_some_and(|it| it.call(function).is_some());
    let (with_above, with_below) = (!says("atScopeAndBelow"), !says("atScope"));
    let hierarchy = management_groups::hierarchy(look.txn, &look.cx.cloud.charter)?;
    let at = look.id;
    Ok(move |scope: &ResourceId| {
        scope == at
            || (with_above && hierarchy.holds(scope, at))
            || (with_below && hierarchy.holds(at, scope))
    })
}

/// A definition's id, wherever it was asked for: always the subscription's (rbac.md §1). az compares
/// it to the letter with what assignments name.
fn definition_id(scope: &ResourceId, subscription: SubscriptionId, role: Guid) -> ResourceId {
    let at = match scope.is_root() {
        true => ResourceId::root(),
        false => ResourceId::subscription_scope(scope.subscription().unwrap_or(subscription)),
    };
    at.provider("Microsoft.Authorization", "roleDefinitions", &role.to_string())
}

#[cfg(test)]
mod tests;
