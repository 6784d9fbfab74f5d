//! Bodies, and what waits for what.
//!
//! A resource waits for what its `dependsOn` names, for what its expressions refer to by name, and in a
//! serial loop for the batch before its own. A circle is refused, and named.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    names::{Document, same_resource},
    plan::Planned,
    resources::{DEPLOYMENTS, Draft},
};
use crate::{
    error::{Error, Result},
    template::{
        codes,
        evaluate::{Scope, Stand},
    },
};

/// Members that say how a resource is deployed, and are no part of its body.
const NOT_OF_THE_BODY: &[&str] =
    &["condition", "copy", "dependsOn", "comments", "existing", "scope", "resources", "metadata"];
const OF_DEPLOYMENTS: &[&str] = &["resourceGroup", "subscriptionId"];

/// Those that are to be deployed, each with its body and the places of what it waits for.
pub(super) fn ordered(document: &Document<'_>, drafts: Vec<Draft<'_>>) -> Result<Vec<Planned>> {
    let numbers: HashMap<usize, usize> = drafts
        .iter()
        .enumerate()
        .filter(|(_, it)| it.is_deployed)
        .enumerate()
        .map(|(number, (at, _))| (at, number))
        .collect();
    let mut planned = Vec::with_capacity(numbers.len());
    for (at, draft) in drafts.iter().enumerate().filter(|(_, it)| it.is_deployed) {
        let body = body(document, draft)?;
        let mut waits_for = written(document, &drafts, draft)?;
        waits_for.extend(referred(document, &drafts));
        waits_for.extend(batch_before(&drafts, draft));
        let mut waits_for: Vec<usize> =
            waits_for.into_iter().filter(|it| *it != at).filter_map(|it| numbers.get(&it).copied()).collect();
        waits_for.sort_unstable();
        waits_for.dedup();
        planned.push(Planned {
            id: draft.id.clone(),
            resource_type: draft.resource_type.clone(),
            name: draft.name.clone(),
            symbol: draft.symbol.clone(),
            api_version: draft.api_version.clone(),
            place: document.template.places.of(&draft.path),
            body,
            waits_for,
        });
    }
    match circle(&planned) {
        None => Ok(planned),
        Some(circle) => {
            let ids: Vec<&str> = circle.iter().map(|at| planned[*at].id.as_str()).collect();
            Err(codes::CYCLE.with([ids[0], &ids.join(" -> ")]))
        }
    }
}

/// The refusal of an expression in a resource, at the line where the resource stands.
fn failed(document: &Document<'_>, draft: &Draft<'_>, error: Error) -> Error {
    let [line, column] = document.template.place(&draft.path);
    codes::EXPRESSION_FAILED.with([&draft.id, &line, &column, &error.message()])
}

fn body(document: &Document<'_>, draft: &Draft<'_>) -> Result<Value> {
    let is_deployment = draft.resource_type.eq_ignore_ascii_case(DEPLOYMENTS);
    let is_of_body =
        |name: &str| !(NOT_OF_THE_BODY.contains(&name) || is_deployment && OF_DEPLOYMENTS.contains(&name));
    let mut members: Map<String, Value> = draft
        .members
        .iter()
        .filter(|(name, _)| is_of_body(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // What is known already stands there as it is known: a type decides whose expressions are whose.
    for (name, known) in
        [("type", &draft.resource_type), ("name", &draft.name), ("apiVersion", &draft.api_version)]
    {
        members.insert(name.to_owned(), Value::String(crate::template::parse::escaped(known.clone())));
    }
    document.take_asked();
    let scope = Scope { has_inner_loops: is_deployment, ..document.scope_in(Stand::Late, &draft.loops) };
    scope.partial(&Value::Object(members)).map_err(|error| failed(document, draft, error))
}

/// What `dependsOn` names, as places among the drafts.
fn written(document: &Document<'_>, drafts: &[Draft<'_>], draft: &Draft<'_>) -> Result<Vec<usize>> {
    let Some(list) = draft.members.get("dependsOn").filter(|it| !it.is_null()) else { return Ok(Vec::new()) };
    let scope = document.scope_in(Stand::Early, &draft.loops);
    let list = scope.settled_value(list).map_err(|error| failed(document, draft, error))?;
    let list = match list {
        Value::Array(list) => list,
        one @ Value::String(_) => vec![one],
        other => return Err(document.template.wrong(&format!("{}/dependsOn", draft.path), "Array", &other)),
    };
    let mut found = Vec::new();
    for name in &list {
        let Value::String(name) = name else {
            return Err(document.template.wrong(&format!("{}/dependsOn", draft.path), "String", name));
        };
        found.extend(named(drafts, name)?);
    }
    Ok(found)
}

/// Those that one string of a `dependsOn` means.
fn named(drafts: &[Draft<'_>], name: &str) -> Result<Vec<usize>> {
    let all = |wanted: &dyn Fn(&Draft<'_>) -> bool| -> Vec<usize> {
        drafts.iter().enumerate().filter(|(_, it)| wanted(it)).map(|(at, _)| at).collect()
    };
    let is = |text: &Option<String>| text.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name));
    let by_symbol = all(&|it| is(&it.symbol));
    if !by_symbol.is_empty() {
        return Ok(by_symbol);
    }
    let by_loop = all(&|it| it.turn.as_ref().is_some_and(|turn| turn.name.eq_ignore_ascii_case(name)));
    if !by_loop.is_empty() {
        return Ok(by_loop);
    }
    let by_id = all(&|it| same_resource(&it.id, &it.resource_type, &it.name, name));
    if !by_id.is_empty() {
        return Ok(by_id);
    }
    let by_name = all(&|it| it.name.eq_ignore_ascii_case(name));
    match by_name.len() {
        0 => Err(codes::NO_RESOURCE.with([name])),
        1 => Ok(by_name),
        _ => Err(codes::AMBIGUOUS_RESOURCE.with([name])),
    }
}

/// What the body's expressions refer to by name.
fn referred(document: &Document<'_>, drafts: &[Draft<'_>]) -> Vec<usize> {
    let asked = document.take_asked();
    let place = |id: &String| drafts.iter().position(|it| it.id == *id && it.is_deployed);
    asked.iter().filter_map(place).collect()
}

/// The members of the batch before its own.
fn batch_before(drafts: &[Draft<'_>], draft: &Draft<'_>) -> Vec<usize> {
    let Some((turn, batch)) = draft.turn.as_ref().and_then(|turn| Some((turn, turn.batch?))) else {
        return Vec::new();
    };
    let own = turn.index / batch;
    let is_before = |it: &Draft<'_>| {
        it.turn.as_ref().is_some_and(|other| other.name == turn.name && other.index / batch + 1 == own)
    };
    drafts.iter().enumerate().filter(|(_, it)| is_before(it)).map(|(at, _)| at).collect()
}

/// A circle among what waits, if there is one: the way around, ending where it began.
fn circle(planned: &[Planned]) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = planned.iter().map(|it| it.waits_for.len()).collect();
    let mut free: Vec<usize> = (0..planned.len()).filter(|at| waiting[*at] == 0).collect();
    while let Some(done) = free.pop() {
        for (at, _) in planned.iter().enumerate().filter(|(_, it)| it.waits_for.contains(&done)) {
            waiting[at] -= 1;
            if waiting[at] == 0 {
                free.push(at);
            }
        }
    }
    let mut at = waiting.iter().position(|it| *it > 0)?;
    let mut way = Vec::new();
    // Whoever still waits, waits for somebody who still waits: so the way must come back upon itself.
    while !way.contains(&at) {
        way.push(at);
        at = *planned[at].waits_for.iter().find(|it| waiting[**it] > 0)?;
    }
    let from = way.iter().position(|it| *it == at)?;
    let mut circle = way.split_off(from);
    circle.push(at);
    Some(circle)
}
