//! The end of a resource: everything that goes with its row.

use azure::{error::Result, ids::ResourceId, time::Timestamp};

use super::{
    Resource, State, identity,
    operations::{self, Status},
    rows,
};
use crate::{access::assignments, store::Txn};

/// Takes a resource away for good: its row, its system-assigned principal, the role assignments at it
/// and below; ends its operation. The last one to leave a group that is being deleted takes the group
/// along. What is inside it has been taken away before.
///
/// A kind's worker calls it when it is done with a removal that was `Later`; `arm` does for the others.
pub fn complete(txn: &mut Txn, resource: &Resource, now: Timestamp) -> Result<()> {
    if let Some(identity) = &resource.identity {
        identity::end(txn, &resource.id, identity)?;
    }
    forget_assignments(txn, &resource.id, now)?;
    rows::delete(txn, resource)?;
    if let Some(operation) = resource.operation {
        operations::finish(txn, operation, Status::Succeeded { output: None }, now)?;
    }
    match rows::group(txn, &resource.id)? {
        Some(group) if group.state == State::Deleting && group.id != resource.id => {
            complete_group(txn, &group, now)
        }
        _ => Ok(()),
    }
}

/// Ends a group's deletion when nothing is left in it, and not before it is due.
pub fn complete_group(txn: &mut Txn, group: &Resource, now: Timestamp) -> Result<()> {
    let is_held = group.operation.map(|it| operations::is_held(txn, it)).transpose()?.unwrap_or(false);
    if is_held { Ok(()) } else { complete_if_empty(txn, group, now) }
}

/// Ends a deletion when nothing is left inside: the last one to leave takes along what held it.
pub(super) fn complete_if_empty(txn: &mut Txn, resource: &Resource, now: Timestamp) -> Result<()> {
    let is_empty = rows::within(txn, &resource.id, None, 1)?.is_empty();
    if is_empty { complete(txn, resource, now) } else { Ok(()) }
}

/// Nobody who was given something here has it when another thing of this name is made.
fn forget_assignments(txn: &mut Txn, scope: &ResourceId, now: Timestamp) -> Result<()> {
    for assignment in assignments::within(txn, scope)? {
        assignments::delete(txn, &assignment.id, now)?;
    }
    Ok(())
}
