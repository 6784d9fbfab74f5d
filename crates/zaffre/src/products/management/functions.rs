//! What anybody may ask about management groups: those they may see, and whether a name is free.

use azure::{
    action::Action,
    error::Result,
    ids::ResourceId,
    names,
    rbac::{Access, Plane},
};
use serde_json::{Value, json};

use super::{BAD_BODY, groups};
use crate::{
    access::{self, management_groups},
    arm::kind::{Answer, Call},
    store::Txn,
};

fn may_read(call: &Call<'_, &Txn>, action: &'static str, on: ResourceId) -> Result<bool> {
    access::may(call.cx, call.txn, call.permit.caller(), Access::to(Action::of(action), on, Plane::Control))
}

/// The groups that the caller may read.
pub(super) fn list(call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = &call.cx.cloud.charter;
    let mut value = Vec::new();
    for group in management_groups::tree(call.txn, charter)?.groups {
        if may_read(call, "Microsoft.Management/managementGroups/read", group.id())? {
            value.push(groups::summary(&group, charter));
        }
    }
    Ok(Answer::ok(json!({ "value": value })))
}

/// Groups and subscriptions that the caller may read, each with where it is (Entities - List).
pub(super) fn entities(call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = &call.cx.cloud.charter;
    let tree = management_groups::tree(call.txn, charter)?;
    let mut value = Vec::new();
    for group in &tree.groups {
        if !may_read(call, "Microsoft.Management/managementGroups/read", group.id())? {
            continue;
        }
        let above: Vec<_> = tree.above(group).collect();
        let children = tree.children(group).count();
        let mut shown = groups::summary(group, charter);
        let properties = &mut shown["properties"];
        properties["parent"] = json!({ "id": above.first().map(|it| it.id()) });
        properties["parentNameChain"] = above.iter().rev().map(|it| json!(it.name)).collect();
        properties["parentDisplayNameChain"] = above.iter().rev().map(|it| json!(it.display_name)).collect();
        properties["numberOfChildGroups"] = json!(children);
        properties["numberOfChildren"] = json!(children + usize::from(tree.holds_subscription(group)));
        properties["permissions"] = json!("view");
        value.push(shown);
    }
    if may_read(call, "Microsoft.Resources/subscriptions/read", tree.subscription.clone())? {
        let holder = azure::rbac::group(&tree.holder);
        value.push(json!({
            "id": tree.subscription, "type": "/subscriptions", "name": charter.subscription,
            "properties": {
                "tenantId": charter.tenant, "displayName": charter.subscription_name,
                "parent": { "id": holder }, "permissions": "view",
            },
        }));
    }
    Ok(Answer::ok(json!({ "value": value, "count": value.len() })))
}

pub(super) fn check_name(call: &Call<'_, &Txn>) -> Result<Answer> {
    let name = call.body["name"].as_str().ok_or_else(|| BAD_BODY.with(["it has no name"]))?;
    let tree = management_groups::tree(call.txn, &call.cx.cloud.charter)?;
    let bad = names::rule("Microsoft.Management/managementGroups").check(name).err();
    let (reason, message): (Value, Value) = match bad {
        Some(bad) => (json!("Invalid"), json!(groups::bad_name(name, &bad).message())),
        None if tree.get(name).is_some() => {
            (json!("AlreadyExists"), json!("The group with the specified name already exists"))
        }
        None => (Value::Null, Value::Null),
    };
    Ok(Answer::ok(json!({ "nameAvailable": reason.is_null(), "reason": reason, "message": message })))
}

/// Every subscription is in the tree from the first: there is nothing to fill in.
pub(super) fn backfill(call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!({ "tenantId": call.cx.cloud.charter.tenant, "status": "Completed" })))
}
