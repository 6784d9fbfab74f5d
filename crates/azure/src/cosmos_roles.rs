//! Cosmos DB's own roles: the two built in, what a custom one may say, and where one may hold.
//!
//! They are ids inside an account (`{account}/sqlRoleDefinitions/{guid}`), unknown to Azure RBAC, and
//! judged by the same evaluator on `Plane::Cosmos` (rbac.md §6, cosmos.md §2.4). A scope is the
//! account or a place below it, spelled as the data plane spells places:
//!
//! ```text
//! {account}                 also `/`
//! {account}/dbs/d           also `/dbs/d`
//! {account}/dbs/d/colls/c   also `/dbs/d/colls/c`
//! ```

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use crate::{
    action::Pattern,
    ids::{Guid, ResourceId},
    roles::{Permission, RoleDefinition, RoleKind},
};

pub const DATA_READER: Guid = Guid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
pub const DATA_CONTRIBUTOR: Guid = Guid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

/// What every data action of Cosmos DB begins with.
const PREFIX: &str = "Microsoft.DocumentDB/databaseAccounts/";

/// Every data action, behind `PREFIX`.
const DATA_ACTIONS: [&str; 10] = [
    "readMetadata",
    "sqlDatabases/containers/executeQuery",
    "sqlDatabases/containers/readChangeFeed",
    "sqlDatabases/containers/executeStoredProcedure",
    "sqlDatabases/containers/manageConflicts",
    "sqlDatabases/containers/items/create",
    "sqlDatabases/containers/items/read",
    "sqlDatabases/containers/items/replace",
    "sqlDatabases/containers/items/upsert",
    "sqlDatabases/containers/items/delete",
];

/// The only wildcards a role may use.
const WILDCARDS: [&str; 2] = ["sqlDatabases/containers/*", "sqlDatabases/containers/items/*"];

static BUILT_IN: LazyLock<[Arc<RoleDefinition>; 2]> = LazyLock::new(|| {
    let reads = [DATA_ACTIONS[0], "sqlDatabases/containers/items/read", DATA_ACTIONS[1], DATA_ACTIONS[2]];
    let writes = [DATA_ACTIONS[0], WILDCARDS[0], WILDCARDS[1]];
    [
        built_in(DATA_READER, "Cosmos DB Built-in Data Reader", &reads),
        built_in(DATA_CONTRIBUTOR, "Cosmos DB Built-in Data Contributor", &writes),
    ]
});

fn built_in(id: Guid, name: &str, data_actions: &[&str]) -> Arc<RoleDefinition> {
    let data_actions = data_actions.iter().map(|action| Pattern::from(format!("{PREFIX}{action}"))).collect();
    Arc::new(RoleDefinition {
        id,
        name: name.to_owned(),
        description: None,
        kind: RoleKind::BuiltIn,
        permissions: vec![Permission { data_actions, ..Permission::default() }],
        assignable_scopes: vec![ResourceId::root()],
    })
}

/// The roles every account has. Their assignable scope `/` stands for the account.
pub fn all() -> &'static [Arc<RoleDefinition>] {
    &*BUILT_IN
}

pub fn by_id(id: Guid) -> Option<Arc<RoleDefinition>> {
    all().iter().find(|role| role.id == id).cloned()
}

/// Why a role or an assignment of Cosmos DB cannot be as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRole {
    /// No such data action, or a wildcard other than the two.
    DataAction(String),
    /// Neither the account nor a place below it.
    Scope(String),
    /// Neither a guid nor a role definition of the account.
    Id(String),
}

impl fmt::Display for BadRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadRole::DataAction(text) => write!(f, "`{}` is no data action", text.escape_default()),
            BadRole::Scope(text) => write!(f, "`{}` is no scope of this account", text.escape_default()),
            BadRole::Id(text) => {
                write!(f, "`{}` is no role definition of this account", text.escape_default())
            }
        }
    }
}

impl std::error::Error for BadRole {}

/// Reads a data action that a custom role lists.
pub fn data_action(text: &str) -> Result<Pattern, BadRole> {
    let is = |known: &&str| text.get(PREFIX.len()..).is_some_and(|rest| rest.eq_ignore_ascii_case(known));
    let has_prefix = text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if has_prefix && DATA_ACTIONS.iter().chain(&WILDCARDS).any(is) {
        return Ok(Pattern::from(text));
    }
    Err(BadRole::DataAction(text.to_owned()))
}

/// Reads a scope, short or whole, and gives it whole.
pub fn scope(account: &ResourceId, text: &str) -> Result<ResourceId, BadRole> {
    let bad = || BadRole::Scope(text.to_owned());
    let given = ResourceId::parse(text).map_err(|_| bad())?;
    let below: Vec<&str> = match account.holds(&given) {
        true => given.segments().skip(account.segments().count()).collect(),
        false => given.segments().collect(),
    };
    match below.as_slice() {
        [] => Ok(account.clone()),
        [dbs, database] if dbs.eq_ignore_ascii_case("dbs") => Ok(account.child("dbs", database)),
        [dbs, database, colls, container]
            if dbs.eq_ignore_ascii_case("dbs") && colls.eq_ignore_ascii_case("colls") =>
        {
            Ok(account.child("dbs", database).child("colls", container))
        }
        _ => Err(bad()),
    }
}

/// Reads a role definition's id, a bare guid or the whole, and gives its guid.
pub fn role_id(account: &ResourceId, text: &str) -> Result<Guid, BadRole> {
    let bad = || BadRole::Id(text.to_owned());
    if let Ok(guid) = text.parse() {
        return Ok(guid);
    }
    let given = ResourceId::parse(text).map_err(|_| bad())?;
    let guid = given.name().parse::<Guid>().map_err(|_| bad())?;
    match given == account.child("sqlRoleDefinitions", &guid.to_string()) {
        true => Ok(guid),
        false => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;

    const ACCOUNT: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/a";

    fn account() -> ResourceId {
        ACCOUNT.parse().expect("an id")
    }

    #[test]
    fn the_built_in_roles_grant_what_is_documented() {
        for (action, reader, contributor) in [
            ("readMetadata", true, true),
            ("sqlDatabases/containers/items/read", true, true),
            ("sqlDatabases/containers/executeQuery", true, true),
            ("sqlDatabases/containers/readChangeFeed", true, true),
            ("sqlDatabases/containers/items/create", false, true),
            ("sqlDatabases/containers/executeStoredProcedure", false, true),
            ("sqlDatabases/write", false, false),
        ] {
            let action = Action::from(format!("{PREFIX}{action}"));
            let grants = |id| by_id(id).expect("built in").permissions[0].grants_data_action(&action);
            assert_eq!((grants(DATA_READER), grants(DATA_CONTRIBUTOR)), (reader, contributor), "{action}");
        }
        assert_eq!(DATA_CONTRIBUTOR.to_string(), "00000000-0000-0000-0000-000000000002");
        assert!(by_id(Guid::default()).is_none());
    }

    #[test]
    fn scopes_are_made_whole_and_keep_the_case_of_names() {
        for (text, below) in [
            ("/", Some("")),
            (ACCOUNT, Some("")),
            (&format!("{ACCOUNT}/"), Some("")),
            ("/dbs/D", Some("/dbs/D")),
            ("/dbs/D/colls/C", Some("/dbs/D/colls/C")),
            (&format!("{}/DBS/D/colls/C", ACCOUNT.to_uppercase()), Some("/dbs/D/colls/C")),
            ("/dbs", None),
            ("/dbs/D/colls", None),
            ("/dbs/D/docs/C", None),
            ("dbs/D", None),
            ("", None),
            (&format!("{ACCOUNT}2/dbs/D"), None),
        ] {
            let found = scope(&account(), text).map(|id| id.to_string());
            let expected = below.map(|below| format!("{ACCOUNT}{below}"));
            assert_eq!(found, expected.ok_or_else(|| BadRole::Scope(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn only_known_data_actions_and_two_wildcards_are_taken() {
        for (text, is_taken) in [
            ("Microsoft.DocumentDB/databaseAccounts/readMetadata", true),
            ("microsoft.documentdb/databaseaccounts/SQLDATABASES/containers/items/upsert", true),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/*", true),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/*", true),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/*", false),
            ("Microsoft.DocumentDB/databaseAccounts/*", false),
            ("*", false),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/write", false),
            ("readMetadata", false),
        ] {
            assert_eq!(data_action(text).is_ok(), is_taken, "{text}");
        }
    }

    #[test]
    fn a_role_is_named_by_its_guid_or_by_its_id_in_the_same_account() {
        let guid = "00000000-0000-0000-0000-000000000001";
        for (text, is_found) in [
            (guid, true),
            (&format!("{ACCOUNT}/sqlRoleDefinitions/{guid}"), true),
            (&format!("{ACCOUNT}/sqlroledefinitions/{guid}"), true),
            (&format!("{ACCOUNT}2/sqlRoleDefinitions/{guid}"), false),
            (&format!("{ACCOUNT}/sqlRoleAssignments/{guid}"), false),
            ("Reader", false),
        ] {
            assert_eq!(role_id(&account(), text).ok(), is_found.then_some(DATA_READER), "{text}");
        }
    }
}
