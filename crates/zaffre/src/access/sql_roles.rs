//! Cosmos DB's own role assignments: a policy of its own, one an account (rbac.md §6).

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    rbac::Assignment,
    roles::RoleDefinition,
};
use serde::{Deserialize, Serialize};

use crate::store::{Table, Txn};

const ASSIGNMENTS: Table<(ResourceId, Guid), SqlRoleAssignment> = Table::new("sql_role_assignments");
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

pub fn put_assignment(txn: &mut Txn, assignment: &SqlRoleAssignment) -> Result<()> {
    Ok(ASSIGNMENTS.put(txn, &(assignment.account.clone(), assignment.name), assignment)?)
}

pub fn delete_assignment(txn: &mut Txn, account: &ResourceId, name: Guid) -> Result<bool> {
    let key = (account.clone(), name);
    let was_there = ASSIGNMENTS.exists(txn, &key)?;
    ASSIGNMENTS.delete(txn, &key)?;
    Ok(was_there)
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
    Ok(DEFINITIONS.put(txn, &(account.clone(), definition.id), definition)?)
}

pub fn delete_definition(txn: &mut Txn, account: &ResourceId, role: Guid) -> Result<bool> {
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

/// What the evaluator reads for a request below the account.
pub(super) fn evaluable(txn: &Txn, account: &ResourceId) -> Result<Vec<Assignment>> {
    let mut all = Vec::new();
    for stored in assignments(txn, account)? {
        if let Some(role) = definition(txn, account, stored.role)? {
            let (id, scope, principal) = (stored.id(), stored.scope, stored.principal);
            all.push(Assignment { id, scope, principal, role, condition: None });
        }
    }
    Ok(all)
}
