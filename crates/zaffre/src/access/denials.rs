//! Deny assignments, as they are stored.
//!
//! Nobody makes one through Resource Manager: in Azure they come from managed applications, deployment
//! stacks and the platform itself (deny-assignments.md). Here they come from deployment stacks, whose own changes they
//! let through.

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    rbac::{DenyAssignment, EVERYONE},
    roles::Permission,
};
use serde::{Deserialize, Serialize};

use super::derived;
use crate::store::{Table, Txn};

const DENIALS: Table<ResourceId, Denial> = Table::new("deny_assignments");

/// What is forbidden to some at a scope, with what Azure shows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Denial {
    /// `{scope}/providers/Microsoft.Authorization/denyAssignments/{name}`.
    pub id: ResourceId,
    pub name: Guid,
    /// `properties.denyAssignmentName`.
    pub title: String,
    pub description: Option<String>,
    pub scope: ResourceId,
    pub does_not_apply_to_child_scopes: bool,
    /// `EVERYONE` stands for all principals.
    pub principals: Vec<ObjectId>,
    pub excluded_principals: Vec<ObjectId>,
    pub permissions: Vec<Permission>,
    pub is_system_protected: bool,
    /// The deployment stack that made it, and is not forbidden anything by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<ResourceId>,
}

pub fn get(txn: &Txn, id: &ResourceId) -> Result<Option<Denial>> {
    Ok(DENIALS.get(txn, id)?)
}

pub fn all(txn: &Txn) -> Result<Vec<Denial>> {
    Ok(DENIALS.scan(txn, &(), None, usize::MAX)?.into_iter().map(|(_, denial)| denial).collect())
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, denial: &Denial) -> Result<()> {
    derived::changed(txn)?;
    Ok(DENIALS.put(txn, &denial.id, denial)?)
}

pub fn delete(txn: &mut Txn, id: &ResourceId) -> Result<Option<Denial>> {
    let denial = get(txn, id)?;
    derived::changed(txn)?;
    DENIALS.delete(txn, id)?;
    Ok(denial)
}

/// Makes these the ones of a deployment stack, and no others.
pub fn replace_those_of(txn: &mut Txn, stack: &ResourceId, now: &[Denial]) -> Result<()> {
    for old in all(txn)?.iter().filter(|it| it.made_by.as_ref() == Some(stack)) {
        delete(txn, &old.id)?;
    }
    now.iter().try_for_each(|denial| put(txn, denial))
}

/// Takes away those at something that is gone.
pub fn forget_on(txn: &mut Txn, scope: &ResourceId) -> Result<()> {
    for gone in all(txn)?.iter().filter(|it| it.scope == *scope) {
        delete(txn, &gone.id)?;
    }
    Ok(())
}

/// Those that name everyone or one of the ids, as the evaluator reads them; but not those of the stack that acts.
pub(super) fn concerning(
    txn: &Txn,
    ids: &[ObjectId],
    acting: Option<&ResourceId>,
) -> Result<Vec<DenyAssignment>> {
    let is_meant = |id: &ObjectId| *id == EVERYONE || ids.contains(id);
    let all = all(txn)?.into_iter().filter(|it| acting.is_none() || it.made_by.as_ref() != acting);
    let all = all.filter(|it| it.principals.iter().any(is_meant));
    Ok(all.map(Denial::evaluable).collect())
}

impl Denial {
    fn evaluable(self) -> DenyAssignment {
        DenyAssignment {
            id: self.id,
            name: self.title,
            scope: self.scope,
            does_not_apply_to_child_scopes: self.does_not_apply_to_child_scopes,
            principals: self.principals,
            excluded_principals: self.excluded_principals,
            permissions: self.permissions,
        }
    }
}
