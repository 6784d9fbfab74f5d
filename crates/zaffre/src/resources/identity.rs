//! The life of a resource's identities, in the transaction of the resource itself.
//!
//! A system-assigned principal is born when the identity is switched on and dies with it or with its
//! resource; switched on again it is another one. A user-assigned identity is a resource of its own;
//! who uses it is kept in an index. An identity that is deleted stays named where it was used, as in
//! Azure, and gives no tokens (resources.md §1).

use azure::{
    error::Result,
    identity::{Desired, Identity, SystemPrincipal},
    ids::{ClientId, ObjectId, ResourceId, TenantId},
    time::Timestamp,
};

use serde_json::Value;

use super::{Resource, moving::Move, rows};
use crate::{
    cloud::Draw,
    directory::service_principals::{self, ManagedIdentity},
    store::{Table, Txn},
};

/// By identity, then user.
const USERS: Table<(ResourceId, ResourceId), ()> = Table::new("identity_users");

/// Whose identities are settled.
pub struct Owner<'a> {
    pub id: &'a ResourceId,
    pub tenant: TenantId,
    pub now: Timestamp,
}

/// The ids of a user-assigned identity's principal, as its provider keeps them.
pub fn ids_of(identity: &Resource) -> Option<(ObjectId, ClientId)> {
    Some((identity.text("principalId")?.parse().ok()?, identity.text("clientId")?.parse().ok()?))
}

/// Makes what is desired true: the outer error is the store's, the inner one the id of a user-assigned
/// identity that there is not. Ids that the request does not name stay as they were.
pub fn settle(
    txn: &mut Txn,
    draw: &mut Draw,
    owner: &Owner<'_>,
    current: Option<&Identity>,
    desired: &Desired,
    is_named: impl Fn(&ResourceId) -> bool,
) -> Result<Result<Option<Identity>, ResourceId>> {
    let none = Identity::default();
    let current = current.unwrap_or(&none);
    let mut next = Identity::default();
    for id in &desired.user {
        let entry = match current.user.get(id).filter(|_| !is_named(id)) {
            Some(kept) => *kept,
            None => match rows::get(txn, id)?.as_ref().and_then(ids_of) {
                Some(ids) => Some(ids),
                None => return Ok(Err(id.clone())),
            },
        };
        next.user.insert(id.clone(), entry);
    }
    next.system = settle_system(txn, draw, owner, current.system, desired.system)?;
    index(txn, owner.id, current, &next)?;
    Ok(Ok(Some(next).filter(|next| *next != none)))
}

fn settle_system(
    txn: &mut Txn,
    draw: &mut Draw,
    owner: &Owner<'_>,
    current: Option<SystemPrincipal>,
    is_desired: bool,
) -> Result<Option<SystemPrincipal>> {
    match (current, is_desired) {
        (Some(system), true) => Ok(Some(system)),
        (None, true) => {
            let identity = ManagedIdentity { resource: owner.id, explicit: false };
            let principal = service_principals::create_managed_identity(txn, draw, identity, owner.now)?;
            Ok(Some(SystemPrincipal {
                principal_id: principal.object_id,
                client_id: principal.app_id,
                tenant: owner.tenant,
            }))
        }
        (Some(system), false) => {
            service_principals::delete(txn, system.principal_id)?;
            Ok(None)
        }
        (None, false) => Ok(None),
    }
}

fn index(txn: &mut Txn, owner: &ResourceId, current: &Identity, next: &Identity) -> Result<()> {
    for gone in current.user.keys().filter(|id| !next.user.contains_key(id)) {
        USERS.delete(txn, &(gone.clone(), owner.clone()))?;
    }
    for new in next.user.keys().filter(|id| !current.user.contains_key(id)) {
        USERS.put(txn, &(new.clone(), owner.clone()), &())?;
    }
    Ok(())
}

/// What ends with the resource that had it.
pub fn end(txn: &mut Txn, owner: &ResourceId, identity: &Identity) -> Result<()> {
    if let Some(system) = identity.system {
        service_principals::delete(txn, system.principal_id)?;
    }
    index(txn, owner, identity, &Identity::default())
}

/// Users that are moved go by their new id. The identities themselves do not move.
pub fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    for ((identity, user), ()) in USERS.scan(txn, &(), None, usize::MAX)? {
        if let Some(new) = moved.of(&user) {
            USERS.delete(txn, &(identity.clone(), user))?;
            USERS.put(txn, &(identity, new), &())?;
        }
    }
    Ok(())
}

/// Which of its set's identities an instance may use: those that there were when it last took over its set's model, and
/// that there are still.
pub fn given(instance: &Resource, set: &Resource) -> Option<Identity> {
    let mut block = set.identity.clone()?;
    let listed = instance.property(GIVEN).and_then(Value::as_array);
    let held: Vec<ObjectId> =
        listed.into_iter().flatten().filter_map(|it| it.as_str()?.parse().ok()).collect();
    block.system = block.system.filter(|it| held.contains(&it.principal_id));
    block.user.retain(|_, principal| principal.is_some_and(|(id, _)| held.contains(&id)));
    Some(block)
}

/// What an instance is given of its set's identities: their principals.
pub fn to_give(set: &Resource) -> Value {
    let block = set.identity.clone().unwrap_or_default();
    let users = block.user.values().flatten().map(|(id, _)| *id);
    block.system.iter().map(|it| it.principal_id).chain(users).map(|it| Value::from(it.to_string())).collect()
}

/// Where an instance keeps it.
pub const GIVEN: &str = "givenIdentities";

/// Which resources use a user-assigned identity, by id.
pub fn users(txn: &Txn, identity: &ResourceId) -> Result<Vec<ResourceId>> {
    let rows = USERS.scan(txn, &(identity.clone(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|((_, user), ())| user).collect())
}
