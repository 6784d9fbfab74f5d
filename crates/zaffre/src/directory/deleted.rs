//! What was deleted and may come back: applications, their service principals, users and Microsoft 365 groups, for
//! thirty days ("Restore deleted item", Remarks). Security groups are deleted for good, and so is what a managed
//! identity was.
//!
//! What is deleted is nowhere else: it cannot sign in, and its names are free. Its memberships, owners and directory
//! roles are kept with it and come back with it; role assignments on resources stayed all the time. An application and
//! its service principal are restored each by itself.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Application, Group, ServicePrincipal, User, applications, groups, links, roles, service_principals, users,
};
use crate::store::{Span, Table, Txn};

const DELETED: Table<ObjectId, Deleted> = Table::new("deleted_items");
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

#[derive(Clone, Serialize, Deserialize)]
pub enum Object {
    Application(Application),
    ServicePrincipal(ServicePrincipal),
    User(User),
    Group(Group),
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Deleted {
    pub object: Object,
    pub at: Timestamp,
    /// The groups it was in itself.
    groups: Vec<ObjectId>,
    /// Who was in it, where it is a group.
    members: Vec<ObjectId>,
    owners: Vec<ObjectId>,
    owned: Vec<ObjectId>,
    roles: Vec<Guid>,
}

impl Object {
    pub fn id(&self) -> ObjectId {
        match self {
            Object::Application(it) => it.object_id,
            Object::ServicePrincipal(it) => it.object_id,
            Object::User(it) => it.object_id,
            Object::Group(it) => it.object_id,
        }
    }
}

/// Deletes the object, and keeps what it takes to bring it back.
pub fn delete(txn: &mut Txn, object: Object, now: Timestamp) -> Result<()> {
    let id = object.id();
    let deleted = Deleted {
        at: now,
        groups: groups::direct(txn, id)?,
        members: groups::members(txn, id)?,
        owners: links::owners(txn, id)?,
        owned: links::owned(txn, id)?,
        roles: roles::of(txn, id)?,
        object,
    };
    match &deleted.object {
        Object::Application(it) => applications::delete(txn, it.client_id)?.is_some(),
        Object::ServicePrincipal(it) => service_principals::delete(txn, it.object_id)?.is_some(),
        Object::User(it) => users::delete(txn, it.object_id)?.is_some(),
        Object::Group(it) => groups::delete(txn, it.object_id)?.is_some(),
    };
    Ok(DELETED.put(txn, &id, &deleted)?)
}

/// What was deleted under this id, if its time is not over.
pub fn get(txn: &Txn, id: ObjectId, now: Timestamp) -> Result<Option<Deleted>> {
    Ok(DELETED.get(txn, &id)?.filter(|it| now < it.at.plus(KEPT_FOR)))
}

/// All of it, by id.
pub fn all(txn: &Txn, now: Timestamp) -> Result<Vec<Deleted>> {
    let rows = DELETED.rows(txn, Span::under(&())).map(|row| Ok(row?.1));
    let all: Result<Vec<Deleted>> = rows.collect();
    Ok(all?.into_iter().filter(|it| now < it.at.plus(KEPT_FOR)).collect())
}

/// Brings it back with its links to whatever is still there. Whether its names are free is asked before.
pub fn restore(txn: &mut Txn, deleted: &Deleted) -> Result<()> {
    let id = deleted.object.id();
    DELETED.delete(txn, &id)?;
    match &deleted.object {
        Object::Application(it) => applications::put(txn, it)?,
        Object::ServicePrincipal(it) => service_principals::put(txn, it)?,
        Object::User(it) => users::put(txn, it)?,
        Object::Group(it) => groups::put(txn, it)?,
    }
    for group in &deleted.groups {
        if groups::get(txn, *group)?.is_some() {
            groups::add(txn, *group, id)?;
        }
    }
    for member in &deleted.members {
        if super::get(txn, *member)?.is_some() {
            groups::add(txn, id, *member)?;
        }
    }
    for owner in &deleted.owners {
        if super::get(txn, *owner)?.is_some() {
            links::add_owner(txn, id, *owner)?;
        }
    }
    for owned in &deleted.owned {
        if super::get(txn, *owned)?.is_some() || applications::by_object(txn, *owned)?.is_some() {
            links::add_owner(txn, *owned, id)?;
        }
    }
    deleted.roles.iter().try_for_each(|role| roles::give(txn, id, *role))
}

/// For good.
pub fn purge(txn: &mut Txn, id: ObjectId) -> Result<()> {
    Ok(DELETED.delete(txn, &id)?)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::store::{CloudId, Store};

    fn id(n: u8) -> ObjectId {
        ObjectId(Guid([n; 16]))
    }

    fn user(n: u8) -> User {
        User {
            object_id: id(n),
            user_principal_name: format!("{n}@contoso.example"),
            display_name: n.to_string(),
            created: Timestamp::default(),
            account_enabled: true,
            password: None,
            document: Map::new(),
        }
    }

    #[tokio::test]
    async fn what_comes_back_has_its_links_to_what_is_still_there() {
        let store = Store::in_memory();
        let now = Timestamp::from_seconds(1_000_000_000);
        let group =
            |n| Group { object_id: id(n), display_name: n.to_string(), created: now, document: Map::new() };
        let write = |txn: &mut Txn| {
            users::put(txn, &user(1))?;
            for n in [2, 3] {
                groups::put(txn, &group(n))?;
                groups::add(txn, id(n), id(1))?;
            }
            links::add_owner(txn, id(2), id(1))?;
            delete(txn, Object::User(user(1)), now)?;
            assert!(users::named(txn, "1@contoso.example")?.is_none());
            assert_eq!((groups::members(txn, id(2))?, links::owners(txn, id(2))?), (vec![], vec![]));
            groups::delete(txn, id(3))?;
            let kept = get(txn, id(1), now)?.expect("is kept");
            restore(txn, &kept)?;
            assert_eq!(groups::direct(txn, id(1))?, [id(2)], "the other group is gone");
            assert_eq!(links::owned(txn, id(1))?, [id(2)]);
            assert!(get(txn, id(1), now)?.is_none() && users::get(txn, id(1))?.is_some());
            Ok::<_, azure::error::Error>(())
        };
        store.write(CloudId(1), write).await.expect("writes");
    }

    #[tokio::test]
    async fn after_thirty_days_it_is_gone() {
        let store = Store::in_memory();
        let now = Timestamp::from_seconds(1_000_000_000);
        let write = |txn: &mut Txn| {
            users::put(txn, &user(1))?;
            delete(txn, Object::User(user(1)), now)?;
            assert_eq!(all(txn, now)?.len(), 1);
            let later = now.plus(KEPT_FOR);
            assert!(get(txn, id(1), later)?.is_none() && all(txn, later)?.is_empty());
            Ok::<_, azure::error::Error>(())
        };
        store.write(CloudId(1), write).await.expect("writes");
    }
}
