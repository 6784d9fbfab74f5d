//! `checkAccess`: whether a principal may do things at a scope, and by which assignment.
//!
//! What Azure's own services ask before they do something on somebody's behalf. The shape is that of its
//! preview (`Subject`, `Actions`, `Resource`), which is not documented; it is unverified here. It is asked
//! by whoever may read role assignments at the scope.

use azure::{
    action::Action,
    error::Result,
    ids::{ObjectId, ResourceId},
    rbac::{Access, Plane},
};
use serde_json::{Value, json};

use crate::{
    access::{self, Caller, Outcome},
    arm::kind::{Answer, Call},
    directory,
    store::Txn,
};

azure::error_rows! {
    static TABLE;
    BAD_BODY = 400 "InvalidCheckAccessRequest" "The request to check access is not valid: {0}.", "unverified";
}

pub(super) fn access(call: &Call<'_, &Txn>) -> Result<Answer> {
    let body = call.body;
    let subject = member(member(member(body, "Subject"), "Attributes"), "ObjectId");
    let subject = subject.as_str().unwrap_or_default().parse();
    let subject = ObjectId(subject.map_err(|_| BAD_BODY.with(["it names no subject by object id"]))?);
    let on = match member(member(body, "Resource"), "Id").as_str() {
        Some(text) => ResourceId::parse(text).map_err(|bad| BAD_BODY.with([bad.to_string()]))?,
        None => call.id.clone(),
    };
    if !call.id.holds(&on) {
        return Err(BAD_BODY.with(["the resource is outside of the scope that is asked"]));
    }
    let actions = member(body, "Actions").as_array().filter(|list| !list.is_empty());
    let actions = actions.ok_or_else(|| BAD_BODY.with(["it names no actions"]))?;
    let who = directory::principal_of(call.txn, &call.cx.cloud.charter, subject)?.map(Caller::Principal);
    let decide = |action: &Value| decision(call, who.as_ref(), action, &on);
    Ok(Answer::ok(json!({ "value": actions.iter().map(decide).collect::<Result<Vec<_>>>()? })))
}

/// A member under its name in any case: clients write `Subject` and `subject`.
fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    let mut members = value.as_object().into_iter().flatten();
    members.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or(&Value::Null, |(_, value)| value)
}

fn decision(call: &Call<'_, &Txn>, who: Option<&Caller>, action: &Value, on: &ResourceId) -> Result<Value> {
    let id = member(action, "Id").as_str().ok_or_else(|| BAD_BODY.with(["an action has no id"]))?;
    let is_data = member(action, "IsDataAction").as_bool().unwrap_or(false);
    let plane = if is_data { Plane::Data } else { Plane::Control };
    let outcome = match who {
        Some(who) => {
            let access = Access::to(Action::from(id), on.clone(), plane);
            access::outcome(call.cx, call.txn, who, access)?
        }
        None => Outcome::NotGranted,
    };
    let (allowed, denied) = match outcome {
        Outcome::Allowed { by } => (Some(by), None),
        Outcome::Denied { by } => (None, Some(by)),
        Outcome::NotGranted => (None, None),
    };
    Ok(json!({
        "actionId": id,
        "isDataAction": is_data,
        "accessDecision": if allowed.is_some() { "Allowed" } else { "NotAllowed" },
        "roleAssignment": allowed.map(|id| json!({ "id": id })),
        "denyAssignment": denied.map(|id| json!({ "id": id })),
    }))
}
