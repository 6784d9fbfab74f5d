//! `tagNames`: every name of a tag in the subscription with its values, how often each is used, and those that
//! were made before anything has them.

use azure::error::Result;
use azure::ids::ResourceId;
use serde_json::{Value, json};

use super::{
    codes,
    kind::{Answer, Call},
    own, tags,
    types::Types,
};
use crate::{
    resources::{self, Tags, tag_names, tags as stored},
    store::Txn,
};

/// A name of a tag, in the spelling that was seen first.
struct Name {
    name: String,
    count: usize,
    values: Vec<(String, usize)>,
}

pub(super) fn list(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let scope = own::scope_of(call.id);
    let names = all(call.txn, &scope)?;
    Ok(Answer::ok(json!({ "value": names.iter().map(|it| shown(&scope, it)).collect::<Vec<_>>() })))
}

fn all(txn: &Txn, scope: &ResourceId) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    for (name, value) in tag_names::all(txn)? {
        count(&mut names, &name, &value, 0);
    }
    used(txn, scope, |name, value| count(&mut names, name, value, 1))?;
    Ok(names)
}

/// Every tag of the subscription, its groups and its resources.
fn used(txn: &Txn, scope: &ResourceId, mut each: impl FnMut(&str, &str)) -> Result<()> {
    let of_subscription = stored::get(txn, scope)?.unwrap_or_default();
    let resources = resources::within(txn, scope, None, usize::MAX)?;
    let all: Vec<&Tags> =
        std::iter::once(&of_subscription).chain(resources.iter().filter_map(|it| it.tags.as_ref())).collect();
    for (name, value) in all.into_iter().flatten() {
        each(name, value.as_str().unwrap_or_default());
    }
    Ok(())
}

fn count(names: &mut Vec<Name>, name: &str, value: &str, uses: usize) {
    let at = names.iter().position(|it| it.name.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
        names.push(Name { name: name.to_owned(), count: 0, values: Vec::new() });
        names.len() - 1
    });
    let name = &mut names[at];
    name.count += uses;
    if value.is_empty() && uses == 0 {
        return;
    }
    match name.values.iter_mut().find(|(it, _)| it.eq_ignore_ascii_case(value)) {
        Some((_, count)) => *count += uses,
        None => name.values.push((value.to_owned(), uses)),
    }
}

fn total(count: usize) -> Value {
    json!({ "type": "Total", "value": count })
}

fn shown(scope: &ResourceId, name: &Name) -> Value {
    let values: Vec<Value> =
        name.values.iter().map(|(value, count)| shown_value(scope, &name.name, value, *count)).collect();
    json!({
        "id": scope.child("tagNames", &name.name),
        "tagName": name.name,
        "count": total(name.count),
        "values": values,
    })
}

fn shown_value(scope: &ResourceId, name: &str, value: &str, uses: usize) -> Value {
    let id = scope.child("tagNames", name).child("tagValues", value);
    json!({ "id": id, "tagValue": value, "count": total(uses) })
}

pub(super) fn put_name(_: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let (scope, name) = (own::scope_of(call.id), call.parameter("name").to_owned());
    tags::checked(Tags::from_iter([(name.clone(), json!(""))]))?;
    let is_new = tag_names::put(call.txn, &name, "")?;
    let names = all(call.txn, &scope)?;
    let name = names.iter().find(|it| it.name.eq_ignore_ascii_case(&name)).map(|it| shown(&scope, it));
    Ok(Answer { status: if is_new { 201 } else { 200 }, body: name, ..Answer::default() })
}

pub(super) fn put_value(_: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let scope = own::scope_of(call.id);
    let (name, value) = (call.parameter("name").to_owned(), call.parameter("value").to_owned());
    tags::checked(Tags::from_iter([(name.clone(), json!(value))]))?;
    let names = all(call.txn, &scope)?;
    let known = names.iter().find(|it| it.name.eq_ignore_ascii_case(&name));
    let known = known.ok_or_else(|| codes::TAG_NAME_NOT_FOUND.with([&name]))?;
    let uses = known.values.iter().find(|(it, _)| it.eq_ignore_ascii_case(&value)).map_or(0, |it| it.1);
    let is_new = tag_names::put(call.txn, &name, &value)?;
    let body = shown_value(&scope, &known.name, &value, uses);
    Ok(Answer { status: if is_new { 201 } else { 200 }, body: Some(body), ..Answer::default() })
}

/// With its values; refused while anything has a tag of the name.
pub(super) fn delete_name(_: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let (scope, name) = (own::scope_of(call.id), call.parameter("name").to_owned());
    let mut uses = 0;
    used(call.txn, &scope, |it, _| uses += usize::from(it.eq_ignore_ascii_case(&name)))?;
    if uses > 0 {
        return Err(codes::TAG_NAME_IN_USE.with([name, uses.to_string()]));
    }
    let values = tag_names::all(call.txn)?;
    for (_, value) in values.iter().filter(|(it, value)| it.eq_ignore_ascii_case(&name) && !value.is_empty())
    {
        tag_names::delete(call.txn, &name, value)?;
    }
    gone(tag_names::delete(call.txn, &name, "")?)
}

pub(super) fn delete_value(_: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let scope = own::scope_of(call.id);
    let (name, value) = (call.parameter("name").to_owned(), call.parameter("value").to_owned());
    let mut uses = 0;
    let is_it = |it: &str, its: &str| it.eq_ignore_ascii_case(&name) && its.eq_ignore_ascii_case(&value);
    used(call.txn, &scope, |it, its| uses += usize::from(is_it(it, its)))?;
    if uses > 0 {
        return Err(codes::TAG_VALUE_IN_USE.with([value, name, uses.to_string()]));
    }
    gone(tag_names::delete(call.txn, &name, &value)?)
}

fn gone(was_there: bool) -> Result<Answer> {
    Ok(Answer::empty(if was_there { 200 } else { 204 }))
}
