//! Who owns what, and who has which application role: the links between objects that are no memberships.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::grants;
use crate::store::{Span, Table, Txn};

/// Owned object, then owner.
const OWNERS: Table<(ObjectId, ObjectId), ()> = Table::new("owners");
/// Owner, then owned object.
const OWNED: Table<(ObjectId, ObjectId), ()> = Table::new("owned");
/// Resource, then the assignment.
const ASSIGNED_TO: Table<(ObjectId, Guid), AppRoleAssignment> = Table::new("app_roles_assigned_to");
/// Principal, then the assignment: whose resource it is.
const ASSIGNMENTS: Table<(ObjectId, Guid), ObjectId> = Table::new("app_role_assignments");
/// User, then their manager.
const MANAGERS: Table<ObjectId, ObjectId> = Table::new("managers");

/// A role that a resource's application offers, given to a principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppRoleAssignment {
    pub id: Guid,
    /// The role in the resource's `appRoles`; all zeros for mere access.
    pub app_role: Guid,
    pub principal: ObjectId,
    /// The service principal that offers the role.
    pub resource: ObjectId,
    pub created: Timestamp,
}

/// `false`: they owned it already.
pub fn add_owner(txn: &mut Txn, object: ObjectId, owner: ObjectId) -> Result<bool> {
    if is_owner(txn, object, owner)? {
        return Ok(false);
    }
    OWNERS.put(txn, &(object, owner), &())?;
    OWNED.put(txn, &(owner, object), &())?;
    Ok(true)
}

/// `false`: they did not own it.
pub fn remove_owner(txn: &mut Txn, object: ObjectId, owner: ObjectId) -> Result<bool> {
    if !is_owner(txn, object, owner)? {
        return Ok(false);
    }
    OWNERS.delete(txn, &(object, owner))?;
    OWNED.delete(txn, &(owner, object))?;
    Ok(true)
}

pub fn is_owner(txn: &Txn, object: ObjectId, owner: ObjectId) -> Result<bool> {
    Ok(OWNERS.exists(txn, &(object, owner))?)
}

/// By object id.
pub fn owners(txn: &Txn, object: ObjectId) -> Result<Vec<ObjectId>> {
    OWNERS.rows(txn, Span::under(&(object,))).map(|row| Ok(row?.0.1)).collect()
}

/// What somebody owns, by object id.
pub fn owned(txn: &Txn, owner: ObjectId) -> Result<Vec<ObjectId>> {
    OWNED.rows(txn, Span::under(&(owner,))).map(|row| Ok(row?.0.1)).collect()
}

pub fn assign(txn: &mut Txn, assignment: &AppRoleAssignment) -> Result<()> {
    ASSIGNED_TO.put(txn, &(assignment.resource, assignment.id), assignment)?;
    Ok(ASSIGNMENTS.put(txn, &(assignment.principal, assignment.id), &assignment.resource)?)
}

pub fn unassign(txn: &mut Txn, assignment: &AppRoleAssignment) -> Result<()> {
    ASSIGNED_TO.delete(txn, &(assignment.resource, assignment.id))?;
    Ok(ASSIGNMENTS.delete(txn, &(assignment.principal, assignment.id))?)
}

/// The roles a resource's application was asked to give.
pub fn assigned_to(txn: &Txn, resource: ObjectId) -> Result<Vec<AppRoleAssignment>> {
    ASSIGNED_TO.rows(txn, Span::under(&(resource,))).map(|row| Ok(row?.1)).collect()
}

/// The roles a principal has on applications, itself.
pub fn assignments(txn: &Txn, principal: ObjectId) -> Result<Vec<AppRoleAssignment>> {
    let mut found = Vec::new();
    for row in ASSIGNMENTS.rows(txn, Span::under(&(principal,))) {
        let ((_, id), resource) = row?;
        found.extend(ASSIGNED_TO.get(txn, &(resource, id))?);
    }
    Ok(found)
}

pub fn manager(txn: &Txn, user: ObjectId) -> Result<Option<ObjectId>> {
    Ok(MANAGERS.get(txn, &user)?)
}

/// `None` takes the manager away.
pub fn set_manager(txn: &mut Txn, user: ObjectId, manager: Option<ObjectId>) -> Result<()> {
    match manager {
        Some(manager) => Ok(MANAGERS.put(txn, &user, &manager)?),
        None => Ok(MANAGERS.delete(txn, &user)?),
    }
}

/// Whose manager somebody is, by object id.
pub fn direct_reports(txn: &Txn, manager: ObjectId) -> Result<Vec<ObjectId>> {
    let rows: Result<Vec<(ObjectId, ObjectId)>> =
        MANAGERS.rows(txn, Span::under(&())).map(|row| Ok(row?)).collect();
    Ok(rows?.into_iter().filter(|(_, of)| *of == manager).map(|(user, _)| user).collect())
}

/// Cuts every link of an object that goes.
pub fn forget(txn: &mut Txn, object: ObjectId) -> Result<()> {
    grants::forget(txn, object)?;
    set_manager(txn, object, None)?;
    for user in direct_reports(txn, object)? {
        set_manager(txn, user, None)?;
    }
    for owner in owners(txn, object)? {
        remove_owner(txn, object, owner)?;
    }
    for owned in owned(txn, object)? {
        remove_owner(txn, owned, object)?;
    }
    for assignment in [assigned_to(txn, object)?, assignments(txn, object)?].concat() {
        unassign(txn, &assignment)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{CloudId, Store};

    fn id(n: u8) -> ObjectId {
        ObjectId(Guid([n; 16]))
    }

    #[tokio::test]
    async fn what_goes_leaves_no_link_behind() {
        let store = Store::in_memory();
        let assignment = AppRoleAssignment {
            id: Guid([9; 16]),
            app_role: Guid([0; 16]),
            principal: id(2),
            resource: id(3),
            created: Timestamp::default(),
        };
        let write = |txn: &mut Txn| {
            add_owner(txn, id(1), id(2))?;
            assign(txn, &assignment)?;
            assert_eq!((owners(txn, id(1))?, owned(txn, id(2))?), (vec![id(2)], vec![id(1)]));
            assert_eq!(assignments(txn, id(2))?, std::slice::from_ref(&assignment));
            forget(txn, id(2))?;
            assert_eq!((owners(txn, id(1))?, owned(txn, id(2))?), (vec![], vec![]));
            assert_eq!((assigned_to(txn, id(3))?, assignments(txn, id(2))?), (vec![], vec![]));
            Ok::<_, azure::error::Error>(())
        };
        store.write(CloudId(1), write).await.expect("writes");
    }
}
