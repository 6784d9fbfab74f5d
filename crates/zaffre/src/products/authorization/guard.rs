//! Nobody locks everybody out of the subscription (rbac.md §2: "Cannot delete the last RBAC admin assignment").
//!
//! Who may still give roles there is asked of every assignment at the subscription and above it: its role
//! grants that without a condition, and there is somebody behind it, a principal that is in the directory or
//! a group with one in it, however deep.
//!
//! An administrator of the directory may take the last one away, since they can let themselves in again
//! (`elevateAccess`); documented: "Cannot delete the last Owner role assignment" in Azure's troubleshooting of RBAC, which
//! allows it to a Global Administrator. Only the assignment is guarded, as there: the directory does not ask what its
//! principals are given, so whoever holds the last one may be deleted or leave its group, and the assignment stays
//! (rbac.md §2: "Identity not found").

use azure::{action::Action, error::Result, ids::ObjectId, ids::ResourceId, rbac::Hierarchy};

use crate::{
    access::{
        assignments::{self, RoleAssignment},
        management_groups,
    },
    arm::kind::Edit,
    directory::{self, Found, groups, roles},
    store::Txn,
};

const GIVE_ROLES: Action = Action::of("Microsoft.Authorization/roleAssignments/write");

/// Whether nobody could give roles in the subscription any more without this assignment, and somebody can now; not
/// asked of an administrator of the directory.
pub(super) fn leaves_nobody(edit: &Edit<'_>, it: &RoleAssignment) -> Result<bool> {
    if is_global_administrator(edit)? {
        return Ok(false);
    }
    let charter = &edit.cx.cloud.charter;
    let subscription = ResourceId::subscription_scope(charter.subscription);
    let hierarchy = management_groups::hierarchy(edit.txn, charter)?;
    if !administers(edit.txn, it, &hierarchy, &subscription)? {
        return Ok(false);
    }
    for other in assignments::within(edit.txn, &ResourceId::root())? {
        if other.id != it.id && administers(edit.txn, &other, &hierarchy, &subscription)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_global_administrator(edit: &Edit<'_>) -> Result<bool> {
    let Some(who) = edit.permit.caller().principal() else { return Ok(false) };
    Ok(roles::held(edit.txn, who.object_id)?.contains(&roles::GLOBAL_ADMINISTRATOR))
}

fn administers(
    txn: &Txn,
    it: &RoleAssignment,
    hierarchy: &Hierarchy,
    subscription: &ResourceId,
) -> Result<bool> {
    if it.condition.is_some() || !hierarchy.holds(&it.scope, subscription) {
        return Ok(false);
    }
    let role = assignments::role(txn, it.role)?;
    let grants = role.is_some_and(|role| {
        let mut permissions = role.permissions.iter().filter(|permission| permission.condition.is_none());
        permissions.any(|permission| permission.grants_action(&GIVE_ROLES))
    });
    Ok(grants && has_somebody(txn, it.principal)?)
}

fn has_somebody(txn: &Txn, principal: ObjectId) -> Result<bool> {
    match directory::get(txn, principal)? {
        None => Ok(false),
        Some(Found::ServicePrincipal(_) | Found::User(_)) => Ok(true),
        Some(Found::Group(_)) => {
            for member in groups::transitive_members(txn, principal)? {
                if matches!(directory::get(txn, member)?, Some(Found::ServicePrincipal(_) | Found::User(_))) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}
