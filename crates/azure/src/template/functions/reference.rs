//! `reference`, `references` and `list*`: what is asked of the cloud.
//!
//! Names are settled as soon as they are known: what is left for later holds an id and an api-version,
//! and needs no template to be read.

use serde_json::{Map, Value, json};

use super::{Arguments, codes, type_of};
use crate::{
    error::Result,
    template::{
        ast::{Call, Expression},
        evaluate::{Outcome, Referent, Scope, Stand, known, later},
        runtime::{Ask, Need},
    },
};

/// The arguments, when all are known; else the call for later. Refused where nothing may wait.
fn arguments(scope: &Scope<'_>, call: &Call) -> Result<std::result::Result<Vec<Value>, Outcome>> {
    if scope.stand != Stand::Late {
        return Err(codes::NOT_EXPECTED.with([&call.name]));
    }
    let outcomes: Vec<Outcome> = call.arguments.iter().map(|it| scope.evaluate(it)).collect::<Result<_>>()?;
    Ok(known(outcomes).map_err(|outcomes| later(call, outcomes)))
}

/// `reference(name or id, [apiVersion], ['Full'])`.
pub(super) fn reference(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let values = match arguments(scope, call)? {
        Ok(values) => values,
        Err(later) => return Ok(later),
    };
    let given = Arguments { function: "reference", values: &values };
    let is_full =
        given.maybe(2).map_or(Ok(false), |_| given.text(2).map(|it| it.eq_ignore_ascii_case("full")))?;
    let referent = settled(scope, &given)?;
    look_up(scope, &referent, is_full)
}

/// The id and the api-version that are meant.
fn settled(scope: &Scope<'_>, given: &Arguments<'_>) -> Result<Referent> {
    let name = given.text(0)?;
    let version = match given.maybe(1) {
        Some(Value::String(version)) if !version.is_empty() => Some(version.as_str()),
        Some(Value::String(_) | Value::Null) | None => None,
        Some(_) => return Err(given.wrong(1, "String")),
    };
    let found = scope.names.referent(name, version.is_some())?;
    match (found, version) {
        (Some(found), version) => {
            let api_version = version.map_or(found.api_version, str::to_owned);
            Ok(Referent { api_version, ..found })
        }
        (None, Some(version)) if name.starts_with('/') => {
            Ok(Referent { id: name.to_owned(), api_version: version.to_owned() })
        }
        (None, Some(version)) => {
            // `Microsoft.X/type/name`, of the deployment's own scope.
            let id = format!("{}/providers/{name}", scope.context.place.id());
            Ok(Referent { id, api_version: version.to_owned() })
        }
        (None, None) if name.starts_with('/') => Err(codes::VERSION_REQUIRED.with([name])),
        (None, None) => Err(codes::NO_RESOURCE.with([name])),
    }
}

fn look_up(scope: &Scope<'_>, referent: &Referent, is_full: bool) -> Result<Outcome> {
    let (id, api_version) = (referent.id.clone(), referent.api_version.clone());
    let need = Need { id: id.clone(), api_version: api_version.clone(), ask: Ask::Resource };
    match scope.runtime.answer(&need) {
        Some(whole) if is_full => Ok(Outcome::Known(full(whole, &need))),
        Some(whole) => Ok(Outcome::Known(whole.get("properties").cloned().unwrap_or_else(|| json!({})))),
        None => {
            scope.tally.needs.borrow_mut().push(need);
            let mut arguments = vec![Expression::text(id), Expression::text(api_version)];
            arguments.extend(is_full.then(|| Expression::text("Full")));
            Ok(Outcome::Later(Expression::call("reference", arguments)))
        }
    }
}

/// What `'Full'` adds to the resource (documented: Resource functions for ARM templates, reference).
fn full(whole: Value, need: &Need) -> Value {
    let Value::Object(mut members) = whole else { return whole };
    let id =
        members.remove("id").and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_else(|| need.id.clone());
    let segments: Vec<&str> = id.split('/').collect();
    let behind = |literal: &str| {
        segments
            .iter()
            .position(|it| it.eq_ignore_ascii_case(literal))
            .and_then(|at| segments.get(at + 1))
            .copied()
    };
    let mut shown = Map::from_iter([("apiVersion".to_owned(), json!(need.api_version))]);
    members.remove("name");
    members.remove("type");
    members.remove("etag");
    shown.extend(members);
    shown.insert("subscriptionId".to_owned(), json!(behind("subscriptions").unwrap_or_default()));
    shown.insert("resourceGroupName".to_owned(), json!(behind("resourceGroups").unwrap_or_default()));
    shown.insert("resourceId".to_owned(), json!(id.rsplit("/providers/").next().unwrap_or_default()));
    shown.insert("referenceApiVersion".to_owned(), json!(need.api_version));
    shown.insert("condition".to_owned(), json!(true));
    shown.insert("isConditionTrue".to_owned(), json!(true));
    shown.insert("isTemplateResource".to_owned(), json!(false));
    shown.insert("isAction".to_owned(), json!(false));
    shown.insert("provisioningOperation".to_owned(), json!("Read"));
    Value::Object(shown)
}

/// `references(loop, ['Full'])`: all members of a loop of resources, in its order.
pub(super) fn references(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let values = match arguments(scope, call)? {
        Ok(values) => values,
        Err(later) => return Ok(later),
    };
    let given = Arguments { function: "references", values: &values };
    let is_full =
        given.maybe(1).map_or(Ok(false), |_| given.text(1).map(|it| it.eq_ignore_ascii_case("full")))?;
    let name = given.text(0)?;
    let members = scope.names.referents(name).ok_or_else(|| codes::NO_RESOURCE.with([name]))?;
    let outcomes: Vec<Outcome> =
        members.iter().map(|it| look_up(scope, it, is_full)).collect::<Result<_>>()?;
    Ok(match known(outcomes) {
        Ok(values) => Outcome::Known(Value::Array(values)),
        Err(outcomes) => {
            let parts = outcomes.into_iter().map(Outcome::into_expression).collect();
            Outcome::Later(Expression::call("createArray", parts))
        }
    })
}

/// `listKeys(name or id, apiVersion, [body])`, and every other action whose name begins so.
pub(super) fn list(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let values = match arguments(scope, call)? {
        Ok(values) => values,
        Err(later) => return Ok(later),
    };
    let given = Arguments { function: "list", values: &values };
    let body = match given.maybe(2) {
        None | Some(Value::Null) => String::new(),
        Some(body @ Value::Object(_)) => body.to_string(),
        Some(other) => return Err(codes::ARGUMENT.with([&call.name, "3", "Object", type_of(other)])),
    };
    let Referent { id, api_version, .. } = settled(scope, &given)?;
    let ask = Ask::List { action: call.name.clone(), body: body.clone() };
    let need = Need { id: id.clone(), api_version: api_version.clone(), ask };
    match scope.runtime.answer(&need) {
        Some(answer) => Ok(Outcome::Known(answer)),
        None => {
            scope.tally.needs.borrow_mut().push(need);
            let mut arguments = vec![Expression::text(id), Expression::text(api_version)];
            arguments
                .extend((!body.is_empty()).then(|| Expression::call("json", vec![Expression::text(body)])));
            Ok(Outcome::Later(Expression::call(&call.name, arguments)))
        }
    }
}
