//! Directory roles: who may change the directory itself. Roles on resources are `access`'s.
//!
//! A role is known by its template's id, the same in every tenant. The rule here is coarser than
//! Entra's: whoever has any of the roles below may change everything in the directory.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};

use super::groups;
use crate::store::{Span, Table, Txn};

/// Principal, then role.
const HOLDERS: Table<(ObjectId, Guid), ()> = Table::new("directory_roles");

/// `62e90394-69f5-4237-9190-012177145e10` in every tenant (Entra's built-in roles).
pub const GLOBAL_ADMINISTRATOR: Guid =
    Guid([0x62, 0xe9, 0x03, 0x94, 0x69, 0xf5, 0x42, 0x37, 0x91, 0x90, 0x01, 0x21, 0x77, 0x14, 0x5e, 0x10]);

pub fn give(txn: &mut Txn, principal: ObjectId, role: Guid) -> Result<()> {
    Ok(HOLDERS.put(txn, &(principal, role), &())?)
}

/// Takes every role from a principal that goes.
pub fn forget(txn: &mut Txn, principal: ObjectId) -> Result<()> {
    for role in of(txn, principal)? {
        HOLDERS.delete(txn, &(principal, role))?;
    }
    Ok(())
}

/// The roles a principal has itself.
pub fn of(txn: &Txn, principal: ObjectId) -> Result<Vec<Guid>> {
    HOLDERS.rows(txn, Span::under(&(principal,))).map(|row| Ok(row?.0.1)).collect()
}

/// Whether a principal, or a group it is in, has a directory role.
pub fn is_administrator(txn: &Txn, principal: ObjectId) -> Result<bool> {
    if !of(txn, principal)?.is_empty() {
        return Ok(true);
    }
    for group in groups::of(txn, principal)? {
        if !of(txn, group)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
