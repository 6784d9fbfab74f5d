//! Role assignments and custom roles, as they are stored.
//!
//! An assignment is kept under its id, with two indexes: by principal, which is how a request finds
//! those that concern it, and by name, since names are unique in a tenant (rbac.md §2). Built-in
//! roles are part of the program; custom ones are rows.

use std::sync::Arc;

use azure::{
    conditions::Condition,
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    principal::PrincipalKind,
    rbac::Assignment,
    roles::{self, RoleDefinition},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{derived, propagation};
use crate::store::{Span, Table, Txn};

const ASSIGNMENTS: Table<ResourceId, RoleAssignment> = Table::new("role_assignments");
const BY_PRINCIPAL: Table<(ObjectId, ResourceId), ()> = Table::new("role_assignments_of");
const BY_NAME: Table<Guid, ResourceId> = Table::new("role_assignment_names");
const CUSTOM_ROLES: Table<Guid, RoleDefinition> = Table::new("custom_roles");
/// Beside the roles, since it decides nothing.
const CUSTOM_ROLE_HISTORIES: Table<Guid, RoleHistory> = Table::new("custom_role_histories");

/// A role given to a principal at a scope, with what Azure shows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// `{scope}/providers/Microsoft.Authorization/roleAssignments/{name}`.
    pub id: ResourceId,
    pub name: Guid,
    pub scope: ResourceId,
    pub principal: ObjectId,
    pub principal_kind: PrincipalKind,
    pub role: Guid,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub description: Option<String>,
    pub delegated_identity: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
}

/// By whom a custom role was made and changed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleHistory {
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
}

impl RoleAssignment {
    /// A plain assignment: no condition, nothing said about it.
    pub fn plain(
        name: Guid,
        scope: &ResourceId,
        (principal, principal_kind): (ObjectId, PrincipalKind),
        role: Guid,
        now: Timestamp,
    ) -> Self {
        RoleAssignment {
            id: scope.provider("Microsoft.Authorization", "roleAssignments", &name.to_string()),
            name,
            scope: scope.clone(),
            principal,
            principal_kind,
            role,
            condition: None,
            condition_version: None,
            description: None,
            delegated_identity: None,
            created: now,
            updated: now,
            created_by: None,
            updated_by: None,
        }
    }
}

pub fn get(txn: &Txn, id: &ResourceId) -> Result<Option<RoleAssignment>> {
    Ok(ASSIGNMENTS.get(txn, id)?)
}

/// The one assignment of the tenant that has this name, wherever it is.
pub fn named(txn: &Txn, name: Guid) -> Result<Option<RoleAssignment>> {
    match BY_NAME.get(txn, &name)? {
        Some(id) => get(txn, &id),
        None => Ok(None),
    }
}

pub fn put(txn: &mut Txn, assignment: &RoleAssignment) -> Result<()> {
    let before = get(txn, &assignment.id)?;
    let of = (&assignment.id, assignment.principal);
    propagation::record(txn, assignment.updated, of, before.as_ref())?;
    derived::changed(txn)?;
    ASSIGNMENTS.put(txn, &assignment.id, assignment)?;
    BY_PRINCIPAL.put(txn, &(assignment.principal, assignment.id.clone()), &())?;
    Ok(BY_NAME.put(txn, &assignment.name, &assignment.id)?)
}

/// Takes an assignment away and gives back what it was.
pub fn delete(txn: &mut Txn, id: &ResourceId, now: Timestamp) -> Result<Option<RoleAssignment>> {
    let Some(assignment) = get(txn, id)? else { return Ok(None) };
    propagation::record(txn, now, (id, assignment.principal), Some(&assignment))?;
    derived::changed(txn)?;
    ASSIGNMENTS.delete(txn, id)?;
    BY_PRINCIPAL.delete(txn, &(assignment.principal, id.clone()))?;
    BY_NAME.delete(txn, &assignment.name)?;
    Ok(Some(assignment))
}

/// Those of one principal, its groups' not among them.
pub fn of(txn: &Txn, principal: ObjectId) -> Result<Vec<RoleAssignment>> {
    let ids: Vec<ResourceId> = BY_PRINCIPAL
        .scan(txn, &(principal,), None, usize::MAX)?
        .into_iter()
        .map(|((_, id), ())| id)
        .collect();
    Ok(ASSIGNMENTS.get_many(txn, &ids)?.into_iter().flatten().collect())
}

/// Every assignment at the scope or below it.
pub fn within(txn: &Txn, scope: &ResourceId) -> Result<Vec<RoleAssignment>> {
    let rows = ASSIGNMENTS.rows(txn, Span::within(&(), scope));
    rows.map(|row| Ok(row?.1)).collect()
}

/// A role, built in or custom.
pub fn role(txn: &Txn, id: Guid) -> Result<Option<Arc<RoleDefinition>>> {
    match roles::by_id(id) {
        Some(role) => Ok(Some(role)),
        None => Ok(CUSTOM_ROLES.get(txn, &id)?.map(Arc::new)),
    }
}

pub fn custom_roles(txn: &Txn) -> Result<Vec<RoleDefinition>> {
    Ok(CUSTOM_ROLES.scan(txn, &(), None, usize::MAX)?.into_iter().map(|(_, role)| role).collect())
}

pub fn put_custom_role(txn: &mut Txn, role: &RoleDefinition) -> Result<()> {
    derived::changed(txn)?;
    Ok(CUSTOM_ROLES.put(txn, &role.id, role)?)
}

pub fn role_history(txn: &Txn, id: Guid) -> Result<Option<RoleHistory>> {
    Ok(CUSTOM_ROLE_HISTORIES.get(txn, &id)?)
}

pub fn put_role_history(txn: &mut Txn, id: Guid, history: RoleHistory) -> Result<()> {
    Ok(CUSTOM_ROLE_HISTORIES.put(txn, &id, &history)?)
}

pub fn delete_custom_role(txn: &mut Txn, id: Guid) -> Result<Option<RoleDefinition>> {
    let role = CUSTOM_ROLES.get(txn, &id)?;
    derived::changed(txn)?;
    CUSTOM_ROLES.delete(txn, &id)?;
    CUSTOM_ROLE_HISTORIES.delete(txn, &id)?;
    Ok(role)
}

/// As the evaluator reads it; `None` where its role is gone, which then grants nothing.
pub(super) fn evaluable(txn: &Txn, stored: RoleAssignment) -> Result<Option<Assignment>> {
    let Some(role) = role(txn, stored.role)? else { return Ok(None) };
    Ok(Some(Assignment {
        id: stored.id,
        scope: stored.scope,
        principal: stored.principal,
        role,
        condition: stored.condition.map(Condition::from),
    }))
}
