//! What a deployment would change, without changing it.
//!
//! Each resource of the plan is compared with what is there: a member that the template says otherwise is
//! a change; one that it does not say is not, because most of those are the provider's own.

use azure::{
    error::Result,
    ids::ResourceId,
    template::{Finished, Nothing, Planned},
};
use http::Method;
use serde_json::{Map, Value, json};

use super::{prepare::Prepared, stored::Mode};
use crate::{
    access::Caller,
    arm::{Arm, inside::Answered},
    resources,
    service::Cx,
};

pub(super) async fn changes(
    arm: &Arm,
    cx: &Cx,
    caller: &Caller,
    id: &ResourceId,
    prepared: &Prepared,
) -> Result<Value> {
    let mut changes = Vec::new();
    for planned in &prepared.plan.resources {
        changes.push(change(arm, cx, caller, planned).await?);
    }
    let planned: Vec<ResourceId> =
        prepared.plan.resources.iter().filter_map(|it| ResourceId::parse(&it.id).ok()).collect();
    if id.extended().resource_group().is_some() {
        changes.extend(others(arm, cx, caller, id, (&planned, prepared.mode)).await?);
    }
    Ok(Value::Array(changes))
}

/// The resource as the template has it, with whatever only the cloud could say still an expression.
fn wanted(planned: &Planned) -> Result<Value> {
    let body = match planned.body(&Nothing)? {
        Finished::Done(body) => body,
        Finished::Waiting(_) => planned.unfinished().clone(),
    };
    let mut whole = Map::from_iter([
        ("apiVersion".to_owned(), json!(planned.api_version)),
        ("id".to_owned(), json!(planned.id)),
        ("name".to_owned(), json!(planned.name.rsplit('/').next())),
        ("type".to_owned(), json!(planned.resource_type)),
    ]);
    for (name, value) in body.as_object().into_iter().flatten() {
        whole.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(whole))
}

async fn change(arm: &Arm, cx: &Cx, caller: &Caller, planned: &Planned) -> Result<Value> {
    let after = wanted(planned)?;
    if planned.is_deployment() {
        return Ok(json!({ "resourceId": planned.id, "changeType": "Deploy", "after": after }));
    }
    let Some(before) = present(arm, cx, caller, (&planned.id, &planned.api_version)).await? else {
        return Ok(json!({ "resourceId": planned.id, "changeType": "Create", "after": after }));
    };
    let delta = members(&before, &after);
    let kind = if delta.is_empty() { "NoChange" } else { "Modify" };
    let mut shown = json!({ "resourceId": planned.id, "changeType": kind, "before": before, "after": after });
    if !delta.is_empty() {
        shown["delta"] = Value::Array(delta);
    }
    Ok(shown)
}

/// The resource as it is; none where it is not there.
async fn present(arm: &Arm, cx: &Cx, caller: &Caller, (id, version): (&str, &str)) -> Result<Option<Value>> {
    match arm.inside(cx, caller, (Method::GET, id, version), &Value::Null).await {
        Ok(Answered { document, .. }) => Ok(Some(document)),
        Err(error) if error.row.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Members of the template's that are not as they are there. An expression is no change: nobody knows yet.
fn members(before: &Value, after: &Value) -> Vec<Value> {
    let own = ["id", "name", "type", "apiVersion"];
    let says = after.as_object().into_iter().flatten().filter(|(name, _)| !own.contains(&name.as_str()));
    says.filter_map(|(name, value)| differs(name, before.get(name), value)).collect()
}

fn differs(path: &str, before: Option<&Value>, after: &Value) -> Option<Value> {
    let is_open = after.as_str().is_some_and(azure::template::parse::is_expression);
    if is_open || before == Some(after) || (before.is_none() && after.is_null()) {
        return None;
    }
    match (before, after) {
        (Some(Value::Object(before)), Value::Object(after)) => {
            let inner = after.iter().filter_map(|(name, value)| differs(name, before.get(name), value));
            let children: Vec<Value> = inner.collect();
            let shown = json!({ "path": path, "propertyChangeType": "Modify", "before": before, "after": after, "children": children });
            (!children.is_empty()).then_some(shown)
        }
        (Some(Value::String(one)), Value::String(other))
            if path == "location"
                && azure::locations::normalize(one) == azure::locations::normalize(other) =>
        {
            None
        }
        (Some(Value::Array(before)), Value::Array(after)) => Some(
            json!({ "path": path, "propertyChangeType": "Array", "before": before, "after": after, "children": [] }),
        ),
        (Some(before), after) => {
            Some(json!({ "path": path, "propertyChangeType": "Modify", "before": before, "after": after }))
        }
        (None, after) => Some(json!({ "path": path, "propertyChangeType": "Create", "after": after })),
    }
}

/// What is in the group beside: left alone, or in Complete mode deleted.
async fn others(
    arm: &Arm,
    cx: &Cx,
    caller: &Caller,
    id: &ResourceId,
    (planned, mode): (&[ResourceId], Mode),
) -> Result<Vec<Value>> {
    let group = id.extended();
    let all = cx.read(|txn| resources::within(txn, &group, None, usize::MAX)).await?;
    let mut changes = Vec::new();
    for resource in all {
        let is_top = resource.id.parent().as_ref() == Some(&group);
        if !is_top || planned.contains(&resource.id) {
            continue;
        }
        let version = arm.newest_version(&resource.id)?;
        // What the caller may not see is not shown.
        let Ok(before) = present(arm, cx, caller, (resource.id.as_str(), &version)).await else { continue };
        let kind = if mode == Mode::Complete { "Delete" } else { "Ignore" };
        changes.push(json!({ "resourceId": resource.id, "changeType": kind, "before": before }));
    }
    Ok(changes)
}
