//! Microsoft.DocumentDB in Resource Manager: accounts, their keys, what is in them, and Cosmos's own roles
//! (resources.md §6, rbac.md §6).
//!
//! - `accounts.rs`: the account, and `shown.rs`: its document; `key_verbs.rs`: its keys and connection strings.
//! - `failover.rs`: the order of its regions; `regions.rs`: those that there are.
//! - `sql.rs`: databases and containers, the same rows that the data plane has; `throughput.rs`: their offers;
//!   `scripts.rs`: what JavaScript they have. `legacy.rs`: the same by the paths of before 2019-08-01.
//! - `role_definitions.rs`, `role_assignments.rs`: who may use data by token. Only these do: no role of
//!   Azure's own RBAC opens an account's data, Owner's neither.

mod accounts;
mod failover;
mod key_verbs;
mod legacy;
mod regions;
mod role_assignments;
mod role_definitions;
mod scripts;
mod shown;
mod sql;
mod throughput;

use azure::{
    api_version::ApiVersion,
    error::{Error, Result},
    identity::Shape,
    ids::{Guid, ResourceId},
    names::BadName,
};
use serde_json::Value;

use super::{ACCOUNT_TYPE, codes, databases};
use crate::{
    arm::kind::{Answer, Answers, At, Call, Follow, Function, Kind, Moves, On, Own, Patch, Provider, Run},
    resources::operations::{self, Gives, Operation},
};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Oldest first (resources.md §6). The tutorials' 2016-12-01 is served as 2016-03-31.
#[rustfmt::skip]
static VERSIONS: [ApiVersion; 30] = [
    v("2014-04-01"), v("2015-04-08"), v("2015-11-06"), v("2016-03-19"), v("2016-03-31"), v("2019-08-01"),
    v("2019-12-12"), v("2020-03-01"), v("2020-04-01"), v("2020-06-01-preview"), v("2020-09-01"), v("2021-01-15"),
    v("2021-03-15"), v("2021-04-15"), v("2021-05-15"), v("2021-06-15"), v("2021-10-15"), v("2022-05-15"),
    v("2022-08-15"), v("2022-11-15"), v("2023-03-15"), v("2023-04-15"), v("2023-09-15"), v("2023-11-15"),
    v("2024-05-15"), v("2024-08-15"), v("2024-11-15"), v("2025-04-15"), v("2025-10-15"), v("2026-03-15"),
];
/// Resources of the SQL API came with 2019-08-01.
#[rustfmt::skip]
static SQL_VERSIONS: [ApiVersion; 25] = [
    v("2019-08-01"), v("2019-12-12"), v("2020-03-01"), v("2020-04-01"), v("2020-06-01-preview"), v("2020-09-01"),
    v("2021-01-15"), v("2021-03-15"), v("2021-04-15"), v("2021-05-15"), v("2021-06-15"), v("2021-10-15"),
    v("2022-05-15"), v("2022-08-15"), v("2022-11-15"), v("2023-03-15"), v("2023-04-15"), v("2023-09-15"),
    v("2023-11-15"), v("2024-05-15"), v("2024-08-15"), v("2024-11-15"), v("2025-04-15"), v("2025-10-15"),
    v("2026-03-15"),
];
/// Its roles came later (rbac.md §6).
#[rustfmt::skip]
static ROLE_VERSIONS: [ApiVersion; 19] = [
    v("2020-06-01-preview"), v("2021-03-01-preview"), v("2021-04-15"), v("2021-05-15"), v("2021-06-15"),
    v("2021-10-15"), v("2022-05-15"), v("2022-08-15"), v("2022-11-15"), v("2023-03-15"), v("2023-04-15"),
    v("2023-09-15"), v("2023-11-15"), v("2024-05-15"), v("2024-08-15"), v("2024-11-15"), v("2025-04-15"),
    v("2025-10-15"), v("2026-03-15"),
];

static KINDS: [Kind; 15] = [
    Kind {
        identity: Some(Shape::of_compute),
        answers: Answers::OkThenAsync,
        bad_name: Some(accounts::bad_name),
        put: accounts::put,
        delete: accounts::delete,
        moves: Moves::NotYet,
        view: shown::properties,
        beside: shown::beside,
        actions: key_verbs::VERBS,
        ..Kind::tracked("databaseAccounts", &VERSIONS)
    },
    Kind {
        bad_name: Some(bad_name),
        ..below("databaseAccounts/sqlDatabases", &SQL_VERSIONS, &sql::DATABASES)
    },
    Kind {
        bad_name: Some(bad_name),
        ..below("databaseAccounts/sqlDatabases/containers", &SQL_VERSIONS, &sql::CONTAINERS)
    },
    Kind {
        actions: throughput::VERBS,
        ..below("databaseAccounts/sqlDatabases/throughputSettings", &SQL_VERSIONS, &throughput::OWN)
    },
    Kind {
        actions: throughput::VERBS,
        ..below(
            "databaseAccounts/sqlDatabases/containers/throughputSettings",
            &SQL_VERSIONS,
            &throughput::OWN,
        )
    },
    below(
        "databaseAccounts/sqlDatabases/containers/storedProcedures",
        &SQL_VERSIONS,
        &scripts::STORED_PROCEDURES,
    ),
    below("databaseAccounts/sqlDatabases/containers/triggers", &SQL_VERSIONS, &scripts::TRIGGERS),
    below(
        "databaseAccounts/sqlDatabases/containers/userDefinedFunctions",
        &SQL_VERSIONS,
        &scripts::FUNCTIONS,
    ),
    below("databaseAccounts/sqlRoleDefinitions", &ROLE_VERSIONS, &role_definitions::OWN),
    below("databaseAccounts/sqlRoleAssignments", &ROLE_VERSIONS, &role_assignments::OWN),
    below("databaseAccounts/apis", &VERSIONS, &legacy::APIS),
    below("databaseAccounts/apis/databases", &VERSIONS, &legacy::DATABASES),
    below("databaseAccounts/apis/databases/settings", &VERSIONS, &legacy::SETTINGS),
    below("databaseAccounts/apis/databases/containers", &VERSIONS, &legacy::CONTAINERS),
    below("databaseAccounts/apis/databases/containers/settings", &VERSIONS, &legacy::SETTINGS),
];

const fn below(name: &'static str, versions: &'static [ApiVersion], own: &'static Own) -> Kind {
    Kind { answers: Answers::Enqueued, patch: Patch::Refused, own: Some(own), ..Kind::child(name, versions) }
}

/// In the data plane's words.
fn bad_name(name: &str, bad: &BadName) -> Error {
    databases::check_name(name).err().unwrap_or_else(|| codes::BAD_ID.with([name, &bad.to_string()]))
}

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.DocumentDB",
    kinds: &KINDS,
    functions: &[
        Function {
            path: "databaseAccountNames/{name}",
            at: At::Tenant,
            method: On::Head,
            action: "",
            versions: &VERSIONS,
            run: Run::Read(accounts::is_taken),
        },
        Function::look_up(&VERSIONS, "locations", "Microsoft.DocumentDB/locations/read", regions::list),
        Function::look_up(
            &VERSIONS,
            "locations/{location}",
            "Microsoft.DocumentDB/locations/read",
            regions::one,
        ),
    ],
    data: super::data::demands,
};

/// Something inside an account, as it is shown.
fn document(id: &ResourceId, kind: &str, properties: Value) -> Value {
    serde_json::json!({
        "id": id,
        "name": id.name(),
        "type": format!("{ACCOUNT_TYPE}/{kind}"),
        "properties": properties,
    })
}

/// The guid that a role definition or assignment is called; `names` has seen that it is one.
fn guid_of(id: &ResourceId) -> Option<Guid> {
    id.name().parse().ok()
}

fn not_found(_: &ResourceId) -> Error {
    codes::NOT_FOUND.bare()
}

/// Something was done that the platform would still be at: 202, and how to follow it.
fn done(call: &mut Call<'_>, gives: Gives) -> Result<Answer> {
    let who = call.permit.caller().principal().map(|it| it.object_id);
    let operation = Operation::new(call.draw.guid(), call.id, gives, call.cx.now).by(who).done();
    operations::begin(call.txn, &operation)?;
    Ok(Answer::begun(operation.id, Follow::Both))
}
