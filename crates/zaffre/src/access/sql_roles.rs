//! Cosmos DB's own role assignments: a policy of its own, one an account (rbac.md §6).

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    rbac::Assignment,
    roles::RoleDefinition,
};
use serde::{Deserialize, Serialize};

use super::derived;
use crate::store::{Table, Txn};

const ASSIGNMENTS: Table<(ResourceId, Guid), SqlRoleAssignment> = Table::new("sql_role_assignments");
/// Principal, account, name.
const BY_PRINCIPAL: Table<(ObjectId, ResourceId, Guid), ()> = Table::new("sql_role_assignments_of");
const DEFINITIONS: Table<(ResourceId, Guid), RoleDefinition> = Table::new("sql_role_definitions");

/// A Cosmos role given to a principal somewhere in an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SqlRoleAssignment {
    pub account: ResourceId,
    pub name: Guid,
    /// `{account}`, `{account}/dbs/{db}` or `{account}/dbs/{db}/colls/{coll}`.
    pub scope: ResourceId,
    pub principal: ObjectId,
    /// The definition's guid, built in or the account's own.
    pub role: Guid,
}

impl SqlRoleAssignment {
    pub fn id(&self) -> ResourceId {
        self.account.child("sqlRoleAssignments", &self.name.to_string())
    }
}

pub fn assignments(txn: &Txn, account: &ResourceId) -> Result<Vec<SqlRoleAssignment>> {
    let rows = ASSIGNMENTS.scan(txn, &(account.clone(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, assignment)| assignment).collect())
}

pub fn assignment(txn: &Txn, account: &ResourceId, name: Guid) -> Result<Option<SqlRoleAssignment>> {
    Ok(ASSIGNMENTS.get(txn, &(account.clone(), name))?)
}

/// Creates or replaces.
pub fn put_assignment(txn: &mut Txn, assignment: &SqlRoleAssignment) -> Result<()> {
    delete_assignment(txn, &assignment.account, assignment.name)?;
    BY_PRINCIPAL.put(txn, &(assignment.principal, assignment.account.clone(), assignment.name), &())?;
    Ok(ASSIGNMENTS.put(txn, &(assignment.account.clone(), assignment.name), assignment)?)
}

pub fn delete_assignment(txn: &mut Txn, account: &ResourceId, name: Guid) -> Result<bool> {
    derived::changed(txn)?;
    let Some(was) = assignment(txn, account, name)? else { return Ok(false) };
    BY_PRINCIPAL.delete(txn, &(was.principal, account.clone(), name))?;
    ASSIGNMENTS.delete(txn, &(account.clone(), name))?;
    Ok(true)
}

/// The account's own definitions; the built-in ones are part of the program.
pub fn definitions(txn: &Txn, account: &ResourceId) -> Result<Vec<RoleDefinition>> {
    let rows = DEFINITIONS.scan(txn, &(account.clone(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, definition)| definition).collect())
}

/// A definition by its guid, built in or the account's own.
pub fn definition(
    txn: &Txn,
    account: &ResourceId,
    role: Guid,
) -> Result<Option<std::sync::Arc<RoleDefinition>>> {
    match azure::cosmos_roles::by_id(role) {
        Some(built_in) => Ok(Some(built_in)),
        None => Ok(DEFINITIONS.get(txn, &(account.clone(), role))?.map(std::sync::Arc::new)),
    }
}

pub fn put_definition(txn: &mut Txn, account: &ResourceId, definition: &RoleDefinition) -> Result<()> {
    derived::changed(txn)?;
    Ok(DEFINITIONS.put(txn, &(account.clone(), definition.id), definition)?)
}

pub fn delete_definition(txn: &mut Txn, account: &ResourceId, role: Guid) -> Result<bool> {
    derived::changed(txn)?;
    let key = (account.clone(), role);
    let was_there = DEFINITIONS.exists(txn, &key)?;
    DEFINITIONS.delete(txn, &key)?;
    Ok(was_there)
}

/// Forgets everything of an account that is deleted.
pub fn forget(txn: &mut Txn, account: &ResourceId) -> Result<()> {
    for assignment in assignments(txn, account)? {
        delete_assignment(txn, account, assignment.name)?;
    }
    for definition in definitions(txn, account)? {
        delete_definition(txn, account, definition.id)?;
    }
    Ok(())
}

/// What the evaluator reads of one principal's, in all accounts.
pub(super) fn evaluable(txn: &Txn, principal: ObjectId) -> Result<Vec<Assignment>> {
    let mut all = Vec::new();
    for ((_, account, name), ()) in BY_PRINCIPAL.scan(txn, &(principal,), None, usize::MAX)? {
        let Some(stored) = assignment(txn, &account, name)? else { continue };
        if let Some(role) = definition(txn, &account, stored.role)? {
            let (id, scope) = (stored.id(), stored.scope);
            all.push(Assignment { id, scope, principal, role, condition: None });
        }
    }
    Ok(all)
}
