//! `{scope}/providers/Microsoft.Authorization/permissions`: what the caller may do there.

use azure::{
    error::Result,
    ids::ObjectId,
    rbac::{EVERYONE, Hierarchy},
    roles::Permission,
};
use serde_json::{Value, json};

use crate::{
    access::{
        assignments,
        denials::{self, Denial},
        management_groups,
    },
    arm::kind::{Answer, Call},
    directory::groups,
    store::Txn,
};

/// One object a permission of each role that reaches the scope, without what deny assignments forbid there: clients
/// decide by this list alone what they offer (that the platform's list does is unverified).
pub(super) fn list(call: &Call<'_, &Txn>) -> Result<Answer> {
    let scope = call.id;
    let hierarchy = management_groups::hierarchy(call.txn, &call.cx.cloud.charter)?;
    let mut value = Vec::new();
    let mut ids = Vec::new();
    if let Some(who) = call.permit.caller().principal() {
        ids.push(who.object_id);
        ids.extend(groups::of(call.txn, who.object_id)?);
    }
    let forbidden = forbidden(call, &hierarchy, &ids)?;
    for id in ids {
        for assignment in assignments::of(call.txn, id)? {
            if !hierarchy.holds(&assignment.scope, scope) {
                continue;
            }
            let role = assignments::role(call.txn, assignment.role)?;
            for permission in role.iter().flat_map(|role| &role.permissions) {
                let left = forbidden.iter().fold(vec![permission.clone()], |left, denied| {
                    left.iter().flat_map(|it| it.without(denied)).collect()
                });
                value.extend(left.iter().map(shown));
            }
        }
    }
    Ok(Answer::ok(json!({ "value": value })))
}

/// What deny assignments forbid the caller at the scope. One that asks a condition forbids it only sometimes.
fn forbidden(call: &Call<'_, &Txn>, hierarchy: &Hierarchy, ids: &[ObjectId]) -> Result<Vec<Permission>> {
    let is_here = |it: &Denial| match it.does_not_apply_to_child_scopes {
        true => it.scope == *call.id,
        false => hierarchy.holds(&it.scope, call.id),
    };
    let is_meant = |it: &Denial| {
        let names = |all: &[ObjectId]| all.iter().any(|id| ids.contains(id));
        (it.principals.contains(&EVERYONE) || names(&it.principals)) && !names(&it.excluded_principals)
    };
    let all = denials::all(call.txn)?.into_iter().filter(|it| is_here(it) && is_meant(it));
    Ok(all.flat_map(|it| it.permissions).filter(|it| it.condition.is_none()).collect())
}

fn shown(permission: &Permission) -> Value {
    let mut shown = json!({
        "actions": permission.actions,
        "notActions": permission.not_actions,
        "dataActions": permission.data_actions,
        "notDataActions": permission.not_data_actions,
    });
    if let Some(condition) = &permission.condition {
        shown["condition"] = json!(condition);
        shown["conditionVersion"] = json!(permission.condition_version);
    }
    shown
}
