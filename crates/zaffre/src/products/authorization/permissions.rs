//! `{scope}/providers/Microsoft.Authorization/permissions`: what the caller may do there.

use azure::{error::Result, roles::Permission};
use serde_json::{Value, json};

use crate::{
    access::{assignments, management_groups},
    arm::kind::{Answer, Call},
    directory::groups,
    store::Txn,
};

/// One object a permission of each role that reaches the scope.
pub(super) fn list(call: &Call<'_, &Txn>) -> Result<Answer> {
    let scope = call.id;
    let hierarchy = management_groups::hierarchy(call.txn, &call.cx.cloud.charter)?;
    let mut value = Vec::new();
    let mut ids = Vec::new();
    if let Some(who) = call.permit.caller().principal() {
        ids.push(who.object_id);
        ids.extend(groups::of(call.txn, who.object_id)?);
    }
    for id in ids {
        for assignment in assignments::of(call.txn, id)? {
            if !hierarchy.holds(&assignment.scope, scope) {
                continue;
            }
            let role = assignments::role(call.txn, assignment.role)?;
            value.extend(role.iter().flat_map(|role| &role.permissions).map(shown));
        }
    }
    Ok(Answer::ok(json!({ "value": value })))
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
