//! Cosmos DB's own roles, naively: what is granted is a list of texts, and a scope is an account and at most two names.
//!
//! Scopes come written in every form that is taken, short and whole, and definitions are the two built-in ones and
//! random ones out of all that may be listed. The real rules read those forms themselves (`azure::cosmos_roles`).

use std::sync::Arc;

use azure::{
    action::Action,
    cosmos_roles,
    ids::ResourceId,
    rbac::{Access, Assignment, Plane, Policy, Silent, Who, evaluate},
    roles::{Permission, RoleDefinition},
};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

use super::{id, object, role};

const PREFIX: &str = "Microsoft.DocumentDB/databaseAccounts/";

const READER: &[&str] = &[
    "readMetadata",
    "sqlDatabases/containers/items/read",
    "sqlDatabases/containers/executeQuery",
    "sqlDatabases/containers/readChangeFeed",
];
const CONTRIBUTOR: &[&str] =
    &["readMetadata", "sqlDatabases/containers/*", "sqlDatabases/containers/items/*"];

/// What a definition may list, in some casing.
const LISTABLE: [&str; 13] = [
    "readMetadata",
    "READMETADATA",
    "sqlDatabases/containers/executeQuery",
    "sqlDatabases/containers/readChangeFeed",
    "sqlDatabases/containers/executeStoredProcedure",
    "sqlDatabases/containers/manageConflicts",
    "sqlDatabases/containers/items/create",
    "sqldatabases/Containers/items/read",
    "sqlDatabases/containers/items/replace",
    "sqlDatabases/containers/items/upsert",
    "sqlDatabases/containers/items/delete",
    "sqlDatabases/containers/*",
    "sqlDatabases/containers/Items/*",
];

/// What requests demand; the last is what no role grants.
const DEMANDED: [&str; 11] = [
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
    "sqlDatabases/write",
];

/// An account, and in it a database and in that a collection, as far as they are named.
#[derive(Clone, Debug)]
pub(super) struct Place {
    account: &'static str,
    database: Option<&'static str>,
    collection: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Definition {
    Reader,
    Contributor,
    Custom(Vec<&'static str>),
}

#[derive(Clone, Debug)]
pub(super) struct Given {
    definition: Definition,
    place: Place,
    /// How the scope is written.
    whole: bool,
    shouted: bool,
    slashed: bool,
    principal: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    action: &'static str,
    place: Place,
}

impl Place {
    fn account_id(account: &str) -> ResourceId {
        id(&format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/{account}"
        ))
    }

    fn below(&self, dbs: &str, colls: &str) -> String {
        let database = self.database.map(|name| format!("/{dbs}/{name}")).unwrap_or_default();
        let collection = self.collection.map(|name| format!("/{colls}/{name}")).unwrap_or_default();
        format!("{database}{collection}")
    }

    /// Names below an account differ by case.
    fn holds(&self, other: &Place) -> bool {
        self.account == other.account
            && (self.database.is_none() || self.database == other.database)
            && (self.collection.is_none() || self.collection == other.collection)
    }
}

impl Definition {
    fn listed(&self) -> &[&'static str] {
        match self {
            Definition::Reader => READER,
            Definition::Contributor => CONTRIBUTOR,
            Definition::Custom(listed) => listed,
        }
    }

    fn grants(&self, action: &str) -> bool {
        self.listed().iter().any(|listed| match listed.strip_suffix('*') {
            Some(start) => action.to_lowercase().starts_with(&start.to_lowercase()),
            None => listed.to_lowercase() == action.to_lowercase(),
        })
    }

    fn real(&self) -> Arc<RoleDefinition> {
        match self {
            Definition::Reader => cosmos_roles::by_id(cosmos_roles::DATA_READER).expect("is built in"),
            Definition::Contributor => {
                cosmos_roles::by_id(cosmos_roles::DATA_CONTRIBUTOR).expect("is built in")
            }
            Definition::Custom(listed) => {
                let read = |text: &&str| {
                    cosmos_roles::data_action(&format!("{PREFIX}{text}")).expect("may be listed")
                };
                let data_actions = listed.iter().map(read).collect();
                role(vec![Permission { data_actions, ..Permission::default() }])
            }
        }
    }
}

impl Given {
    fn written(&self) -> String {
        let (dbs, colls) = if self.shouted { ("DBS", "Colls") } else { ("dbs", "colls") };
        let mut text = self.place.below(dbs, colls);
        if self.whole {
            let account = Place::account_id(self.place.account).to_string();
            text = format!("{}{text}", if self.shouted { account.to_uppercase() } else { account });
        }
        if self.slashed || text.is_empty() {
            text.push('/');
        }
        text
    }

    fn real(&self) -> Assignment {
        let account = Place::account_id(self.place.account);
        Assignment {
            id: account.child("sqlRoleAssignments", "x"),
            scope: cosmos_roles::scope(&account, &self.written()).expect("a form that is taken"),
            principal: object(self.principal),
            role: self.definition.real(),
            condition: None,
        }
    }
}

impl Question {
    /// The account itself is read by whoever may read metadata anywhere in it.
    fn is_for_the_account(&self) -> bool {
        self.action == "readMetadata" && self.place.database.is_none()
    }

    fn real(&self) -> Access {
        let mut on = Place::account_id(self.place.account);
        for (kind, name) in [("dbs", self.place.database), ("colls", self.place.collection)] {
            on = name.map_or(on.clone(), |name| on.child(kind, name));
        }
        let access = Access::to(Action::from(format!("{PREFIX}{}", self.action)), on, Plane::Cosmos);
        Access { or_within: self.is_for_the_account(), ..access }
    }
}

fn allowed_naively(all: &[Given], who: &(u8, Vec<u8>), asked: &Question) -> bool {
    all.iter().any(|given| {
        let is_mine = given.principal == who.0 || who.1.contains(&given.principal);
        let is_here = given.place.holds(&asked.place)
            || (asked.is_for_the_account() && given.place.account == asked.place.account);
        is_mine && is_here && given.definition.grants(asked.action)
    })
}

/// Whether the real rules say the same.
pub(super) fn agree(all: &[Given], who: &(u8, Vec<u8>), asked: &Question) -> bool {
    let policy = Policy::new(all.iter().map(Given::real).collect(), Vec::new(), Arc::default());
    let principal = Who::new(object(who.0), who.1.iter().copied().map(object));
    let decision = evaluate(&policy, &principal, &asked.real(), &mut Silent);
    decision.allowed() == allowed_naively(all, who, asked)
}

fn places() -> impl Strategy<Value = Place> {
    let names = || prop::option::weighted(0.7, prop::sample::select(vec!["d", "D", "d2"]));
    (prop::sample::select(vec!["a", "ab"]), names(), names()).prop_map(|(account, database, collection)| {
        Place { account, database, collection: database.and(collection) }
    })
}

fn definitions() -> impl Strategy<Value = Definition> {
    prop_oneof![
        Just(Definition::Reader),
        Just(Definition::Contributor),
        prop::collection::vec(prop::sample::select(LISTABLE.to_vec()), 1..3).prop_map(Definition::Custom),
    ]
}

pub(super) fn given() -> impl Strategy<Value = Vec<Given>> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let one = (definitions(), places(), flags, 1..4u8).prop_map(
        |(definition, place, (whole, shouted, slashed), principal)| Given {
            definition,
            place,
            whole,
            shouted,
            slashed,
            principal,
        },
    );
    prop::collection::vec(one, 0..6)
}

pub(super) fn questions() -> impl Strategy<Value = Question> {
    (prop::sample::select(DEMANDED.to_vec()), places()).prop_map(|(action, place)| Question { action, place })
}
