//! `managementGroups/subscriptions`: the subscriptions right under a group, and their moves.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{NO_SUBSCRIPTION, NOT_FOUND};
use crate::{
    access::management_groups::{self, ManagementGroup, Tree},
    arm::kind::{Edit, Look, Own, Written},
    cloud::Charter,
};

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| NO_SUBSCRIPTION.with([id.name(), group_in(id)])),
};

/// `{group}` of `…/managementGroups/{group}[/subscriptions[/{subscription}]]`.
fn group_in(id: &ResourceId) -> &str {
    id.segments().nth(3).unwrap_or_default()
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let charter = &look.cx.cloud.charter;
    let tree = management_groups::tree(look.txn, charter)?;
    let is_named = look.id.name().parse() == Ok(charter.subscription);
    let group = tree.get(group_in(look.id)).filter(|group| is_named && tree.holds_subscription(group));
    Ok(group.map(|group| shown(group, charter)))
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let charter = &look.cx.cloud.charter;
    let tree = management_groups::tree(look.txn, charter)?;
    let group = tree.get(group_in(look.id)).ok_or_else(|| NOT_FOUND.with([group_in(look.id)]))?;
    Ok(tree.holds_subscription(group).then(|| shown(group, charter)).into_iter().collect())
}

/// As recorded (azure-cli's test_add_remove_subscription_under_mg.yaml), the parent with its names.
fn shown(group: &ManagementGroup, charter: &Charter) -> Value {
    let id = group.id().child("subscriptions", &charter.subscription.to_string());
    json!({
        "name": charter.subscription,
        "id": id,
        "type": "Microsoft.Management/managementGroups/subscriptions",
        "properties": {
            "displayName": charter.subscription_name,
            "parent": { "id": group.id(), "name": group.name, "displayName": group.display_name },
            "state": "Active",
            "tenant": charter.tenant,
        },
    })
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let charter = &edit.cx.cloud.charter;
    let tree = management_groups::tree(edit.txn, charter)?;
    if edit.id.name().parse() != Ok(charter.subscription) {
        return Err(NO_SUBSCRIPTION.with([edit.id.name(), group_in(edit.id)]));
    }
    let group = tree.get(group_in(edit.id)).ok_or_else(|| NOT_FOUND.with([group_in(edit.id)]))?;
    demand_move(edit, &tree)?;
    management_groups::place_subscription(edit.txn, charter, &group.name)?;
    // 200, as recorded, for one that was under another group.
    Ok(Written { is_new: false, body: shown(group, charter) })
}

/// Back under the root group.
fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some(was) = get(&edit.look())? else { return Ok(None) };
    let charter = &edit.cx.cloud.charter;
    let tree = management_groups::tree(edit.txn, charter)?;
    demand_move(edit, &tree)?;
    management_groups::place_subscription(edit.txn, charter, &management_groups::root_name(charter))?;
    Ok(Some(was))
}

/// A move changes who may do what in the subscription: it takes leave to give roles there, and leave to
/// write the group it is taken from, unless that is the root group (management-groups overview).
fn demand_move(edit: &Edit<'_>, tree: &Tree) -> Result<()> {
    edit.demand("Microsoft.Authorization/roleAssignments/write", &tree.subscription)?;
    match tree.get(&tree.holder).filter(|holder| holder.parent.is_some()) {
        Some(holder) => edit.demand("Microsoft.Management/managementGroups/write", &holder.id()),
        None => Ok(()),
    }
}
