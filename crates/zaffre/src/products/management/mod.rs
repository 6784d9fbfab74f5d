//! Microsoft.Management: management groups, the tree above subscriptions.
//!
//! Groups are kept by `access`, where every decision walks them; here is how Resource Manager shows and
//! changes them. Whoever has a name may make a group below the root group and is its Owner then, unless the
//! hierarchy's settings say otherwise (management-groups overview); everything else takes a role, at the
//! group or above it. Nobody has one at the root group until an administrator asked for it (`elevateAccess`).
//!
//! - `groups.rs`: the groups themselves.
//! - `subscriptions.rs`: which subscription is under which.
//! - `settings.rs`: the hierarchy's settings.
//! - `functions.rs`: lists of what the caller may see, and the small questions that az asks.
//!
//! Writes are done when they are answered: PUT says 200 and DELETE 204, which clients take as well as the 202
//! that Azure's longer ways begin with.

mod functions;
mod groups;
mod settings;
mod subscriptions;

use azure::api_version::ApiVersion;

use crate::arm::kind::{At, Function, Kind, Located, On, Place, Provider, Run, Verb};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Oldest first, as a recorded registration of the provider lists them (azure-cli's
/// test_add_remove_subscription_under_mg.yaml), and what came after.
static VERSIONS: [ApiVersion; 9] = [
    v("2018-01-01-preview"),
    v("2018-03-01-beta"),
    v("2018-03-01-preview"),
    v("2019-11-01"),
    v("2020-02-01"),
    v("2020-05-01"),
    v("2020-10-01"),
    v("2021-04-01"),
    v("2023-04-01"),
];

azure::error_rows! {
    static TABLE;
    NOT_FOUND = 404 "NotFound" "The management group '{0}' could not be found.", "unverified wording";
    NO_SUBSCRIPTION = 404 "NotFound" "The subscription '{0}' is not under the management group '{1}'.", "unverified wording";
    NO_SETTINGS = 404 "NotFound" "The management group '{0}' has no hierarchy settings.", "unverified wording";
    BAD_NAME = 400 "InvalidGroupId" "The management group ID '{0}' is not valid: it has at most 90 letters, digits, hyphens, underscores, periods and parentheses.", "documented: Management Groups - Create Or Update; wording unverified";
    BAD_CHARACTERS = 400 "InvalidGroupId" "The provided management group name '{0}' has these invalid characters: '{1}'. The name can only be an ASCII letter, digit, -, _, (, ), .", "recorded for checkNameAvailability by the tests of Azure/azure-powershell; here, unverified";
    BAD_PARENT = 400 "BadRequest" "The parent management group '{0}' could not be found.", "unverified wording";
    IN_CIRCLE = 400 "BadRequest" "The management group '{0}' cannot be moved below itself.", "unverified wording";
    TOO_DEEP = 400 "BadRequest" "The hierarchy of management groups has at most {0} levels below the root group.", "documented: management-groups overview; code and wording unverified";
    HAS_CHILDREN = 400 "BadRequest" "The management group '{0}' has children and cannot be deleted.", "documented: Management Groups - Delete, a group with children is refused; code and wording unverified";
    IS_ROOT = 400 "BadRequest" "The root management group cannot be moved or deleted.", "documented: management-groups overview; code and wording unverified";
    NOT_THE_ROOT = 400 "BadRequest" "Hierarchy settings are the root management group's alone.", "documented: protect-resource-hierarchy; code and wording unverified";
    BAD_BODY = 400 "BadRequest" "The request is not valid: {0}.", "unverified wording";
}

static KINDS: [Kind; 3] = [
    Kind {
        anyone_may_put: true,
        bad_name: Some(groups::bad_name),
        actions: &[Verb::get("descendants", "descendants/read", groups::descendants)],
        ..of_the_tenant("managementGroups", &groups::OWN)
    },
    Kind { bare_put: true, ..of_the_tenant("managementGroups/subscriptions", &subscriptions::OWN) },
    of_the_tenant("managementGroups/settings", &settings::OWN),
];

const fn of_the_tenant(name: &'static str, own: &'static crate::arm::kind::Own) -> Kind {
    Kind { place: Place::Tenant, location: Located::Nowhere, ..Kind::extension(name, &VERSIONS, own) }
}

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Management",
    kinds: &KINDS,
    functions: &[
        open("managementGroups", On::Get, Run::Read(functions::list)),
        open("getEntities", On::Post, Run::Read(functions::entities)),
        open("checkNameAvailability", On::Post, Run::Read(functions::check_name)),
        open("tenantBackfillStatus", On::Post, Run::Read(functions::backfill)),
        open("startTenantBackfill", On::Post, Run::Read(functions::backfill)),
    ],
    data: Vec::new,
};

/// What any caller with a name may ask, and is shown what it may see.
const fn open(path: &'static str, method: On, run: Run) -> Function {
    Function { path, at: At::Tenant, method, action: "", versions: &VERSIONS, run }
}
