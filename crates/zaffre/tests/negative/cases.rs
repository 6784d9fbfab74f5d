//! What can be wrong with a request about a resource, in the order of the table.

use azure::names::{self, Class, NameRule, Special};
use azure::text;
use serde_json::{Map, Value, json};
use zaffre::arm::kind::{Located, Place};

use super::subjects::{Stage, Subject};
use crate::world::Ask;

/// What is wrong, and the requests; nothing where a kind has no such part. The number is the case's own.
pub(super) struct Case(pub(super) &'static str, pub(super) fn(&Stage, &Subject, usize) -> Option<Steps>);

/// A request, what has to be before it, and what clears up behind it.
pub(super) struct Steps {
    pub(super) before: Vec<Ask>,
    pub(super) ask: Ask,
    pub(super) after: Vec<Ask>,
}

/// More than the four megabytes that a body may have.
const TOO_MANY_BYTES: usize = (4 << 20) + 1;

#[rustfmt::skip]
pub(super) static CASES: &[Case] = &[
    Case("PUT of a name shorter than its rule allows", |stage, it, _| misnamed(stage, it, |rule| (rule.min > 1).then(|| "a".repeat(rule.min - 1)))),
    Case("PUT of a name longer than its rule allows", |stage, it, _| misnamed(stage, it, |rule| Some("a".repeat(rule.max + 1)))),
    Case("PUT of a name with a character that its rule forbids", |stage, it, _| misnamed(stage, it, inside)),
    Case("PUT of a name that begins as its rule forbids", |stage, it, _| misnamed(stage, it, |rule| Some(format!("{}aaa", outside(rule.first, rule)?)))),
    Case("PUT of a name that ends as its rule forbids", |stage, it, _| misnamed(stage, it, |rule| Some(format!("aaa{}", outside(rule.last, rule)?)))),
    Case("PUT of a name whose form its rule forbids", |stage, it, _| misnamed(stage, it, ill_formed)),

    Case("PUT without a location", |stage, it, number| located(it).then(|| fresh(stage, it, number, |body| { body.remove("location"); }))?),
    Case("PUT of a location that is none", |stage, it, number| located(it).then(|| fresh(stage, it, number, |body| set(body, "location", json!("nowhere"))))?),
    Case("PUT of a location that is not text", |stage, it, number| located(it).then(|| fresh(stage, it, number, |body| set(body, "location", json!(["westeurope"]))))?),
    Case("PUT of another location than it has", |stage, it, _| located(it).then(|| changed(stage, it, |body| set(body, "location", json!("japaneast"))))),
    Case("PATCH of another location than it has", |stage, it, _| located(it).then(|| alone(stage.ask("PATCH", it, &it.path).json(&json!({ "location": "japaneast" }))))),

    Case("PUT without an api-version", |stage, it, _| Some(alone(stage.world.arm("PUT", &it.path).json(&it.body)))),
    Case("PUT by an api-version that is no date", |stage, it, _| Some(alone(versioned(stage, it, "latest")))),
    Case("PUT by an api-version of no such day", |stage, it, _| Some(alone(versioned(stage, it, "2024-13-45")))),
    Case("PUT by an api-version before its first", |stage, it, _| Some(alone(versioned(stage, it, "2010-01-01")))),
    Case("GET by an api-version before its first", |stage, it, _| Some(alone(stage.world.arm("GET", &format!("{}?api-version=2010-01-01", it.path))))),

    Case("GET of one that is not there", |stage, it, number| Some(alone(stage.ask("GET", it, &it.fresh(number)?)))),
    Case("PATCH of one that is not there", |stage, it, number| Some(alone(stage.ask("PATCH", it, &it.fresh(number)?).json(&json!({ "tags": {} }))))),
    Case("DELETE of one that is not there", |stage, it, number| Some(alone(stage.ask("DELETE", it, &it.fresh(number)?)))),
    Case("PUT inside a parent that is not there", |stage, it, _| orphaned(stage, it, "PUT")),
    Case("GET inside a parent that is not there", |stage, it, _| orphaned(stage, it, "GET")),
    Case("DELETE inside a parent that is not there", |stage, it, _| orphaned(stage, it, "DELETE")),
    Case("the list inside a parent that is not there", |stage, it, _| listed_orphans(stage, it)),
    Case("PUT in a group that is not there", |stage, it, _| strayed(stage, it, "PUT", "gone")),
    Case("GET in a group that is not there", |stage, it, _| strayed(stage, it, "GET", "gone")),
    Case("DELETE in a group that is not there", |stage, it, _| strayed(stage, it, "DELETE", "gone")),
    Case("the list in a group that is not there", |stage, it, _| listed_astray(stage, it)),
    Case("PUT in a subscription that is not there", |stage, it, _| elsewhere(stage, it, "00000000-0000-4000-8000-00000000ffff")),
    Case("PUT in a subscription that is no guid", |stage, it, _| elsewhere(stage, it, "mine")),

    Case("DELETE of one that is locked (CanNotDelete)", |stage, it, _| locked(stage, it, &it.path, "CanNotDelete", "DELETE")),
    Case("PUT of one that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &it.path, "ReadOnly", "PUT")),
    Case("PATCH of one that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &it.path, "ReadOnly", "PATCH")),
    Case("DELETE of one that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &it.path, "ReadOnly", "DELETE")),
    Case("POST of an action on one that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &it.path, "ReadOnly", "POST")),
    Case("DELETE in a group that is locked (CanNotDelete)", |stage, it, _| locked(stage, it, &group_of(stage, it)?, "CanNotDelete", "DELETE")),
    Case("PUT of a new one in a group that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &group_of(stage, it)?, "ReadOnly", "PUT of a new one")),
    Case("PATCH in a group that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &group_of(stage, it)?, "ReadOnly", "PATCH")),
    Case("DELETE in a group that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &group_of(stage, it)?, "ReadOnly", "DELETE")),
    Case("POST of an action in a group that is locked (ReadOnly)", |stage, it, _| locked(stage, it, &group_of(stage, it)?, "ReadOnly", "POST")),

    Case("PUT with If-Match of another ETag", |stage, it, _| Some(alone(stage.put(it, &it.path).with("if-match", "\"other\"")))),
    Case("PUT with If-None-Match: * over one that is there", |stage, it, _| Some(alone(stage.put(it, &it.path).with("if-none-match", "*")))),
    Case("PUT with If-Match: * of one that is not there", |stage, it, number| Some(alone(stage.put(it, &it.fresh(number)?).with("if-match", "*")))),
    Case("PATCH with If-Match of another ETag", |stage, it, _| Some(alone(stage.ask("PATCH", it, &it.path).json(&patch(it)).with("if-match", "\"other\"")))),
    Case("DELETE with If-Match of another ETag", |stage, it, _| Some(alone(stage.ask("DELETE", it, &it.path).with("if-match", "\"other\"")))),

    Case("PUT of a member that no resource has", |stage, it, _| Some(changed(stage, it, |body| set(body, "colour", json!("blue"))))),
    Case("PATCH of a member that no resource has", |stage, it, _| Some(alone(stage.ask("PATCH", it, &it.path).json(&json!({ "colour": "blue" }))))),
    Case("PUT of a property that the type has not", |stage, it, _| Some(changed(stage, it, |body| within(body, "colour", json!("blue"))))),
    Case("PUT of an id that is not the path's", |stage, it, _| Some(changed(stage, it, |body| set(body, "id", json!("/subscriptions/other/resourceGroups/other"))))),
    Case("PUT of a name that is not the path's", |stage, it, _| Some(changed(stage, it, |body| set(body, "name", json!("another"))))),
    Case("PUT of a type that is not the path's", |stage, it, _| Some(changed(stage, it, |body| set(body, "type", json!("Contoso.Other/things"))))),
    Case("PUT of a provisioningState that it has not", |stage, it, _| Some(changed(stage, it, |body| within(body, "provisioningState", json!("Deleting"))))),
    Case("PUT of an identity of no kind", |stage, it, _| Some(changed(stage, it, |body| set(body, "identity", json!({ "type": "Borrowed" }))))),
    Case("PUT of an identity that is not there", |stage, it, _| Some(changed(stage, it, |body| set(body, "identity", a_strangers(stage))))),

    Case("PUT without a body", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path)))),
    Case("PATCH without a body", |stage, it, _| Some(alone(stage.ask("PATCH", it, &it.path)))),
    Case("PUT of what is no JSON", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path).with("content-type", "application/json").body("location=westeurope")))),
    Case("PUT of JSON that ends early", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path).with("content-type", "application/json").body(r#"{"location": "west"#)))),
    Case("PUT of an array", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path).json(&json!([]))))),
    Case("PUT of another content type", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path).with("content-type", "text/xml").body(it.body.to_string())))),
    Case("PUT of more than 4 MiB", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.path).with("content-type", "application/json").body(too_long(it))))),
    Case("PUT of properties that are text", |stage, it, number| fresh(stage, it, number, |body| set(body, "properties", json!("none")))),
    Case("PUT of properties that are a list", |stage, it, number| fresh(stage, it, number, |body| set(body, "properties", json!([])))),
    Case("PUT of a sku that is a number", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "sku", json!(5))))),

    Case("PUT of tags that are a list", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", json!(["a"]))))),
    Case("PUT of a tag whose value is a number", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", json!({ "a": 1 }))))),
    Case("PUT of 51 tags", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", (0..51).map(|at| (format!("tag{at}"), json!(""))).collect::<Map<_, _>>().into())))),
    Case("PUT of a tag with a name of 513 characters", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", json!({ "t".repeat(513): "" }))))),
    Case("PUT of a tag with a value of 257 characters", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", json!({ "a": "v".repeat(257) }))))),
    Case("PUT of a tag with a reserved character in its name", |stage, it, _| tagged(it).then(|| changed(stage, it, |body| set(body, "tags", json!({ "a<b": "" }))))),
    Case("PATCH of a tag with a reserved character in its name", |stage, it, _| tagged(it).then(|| alone(stage.ask("PATCH", it, &it.path).json(&json!({ "tags": { "a<b": "" } }))))),

    Case("PATCH", |stage, it, _| Some(alone(stage.ask("PATCH", it, &it.path).json(&patch(it))))),
    Case("POST of one", |stage, it, _| Some(alone(stage.ask("POST", it, &it.path).json(&json!({}))))),
    Case("POST of an action that it has not", |stage, it, _| Some(alone(stage.ask("POST", it, &format!("{}/paint", it.path)).json(&json!({}))))),
    Case("PUT of the list", |stage, it, _| Some(alone(stage.ask("PUT", it, &it.list()).json(&it.body)))),
    Case("DELETE of the list", |stage, it, _| Some(alone(stage.ask("DELETE", it, &it.list())))),
    Case("OPTIONS of one", |stage, it, _| Some(alone(stage.ask("OPTIONS", it, &it.path)))),

    Case("the list with $top=0", |stage, it, _| Some(alone(listed(stage, it, "$top=0")))),
    Case("the list with $top=many", |stage, it, _| Some(alone(listed(stage, it, "$top=many")))),
    Case("the list with a $filter that is none", |stage, it, _| Some(alone(listed(stage, it, "$filter=colour%20eq%20")))),
    Case("the list with a $filter of what it cannot be filtered by", |stage, it, _| Some(alone(listed(stage, it, "$filter=colour%20eq%20'blue'")))),
    Case("the list with a $skiptoken of somebody's own", |stage, it, _| Some(alone(listed(stage, it, "$skiptoken=%25%25%25")))),
];

fn alone(ask: Ask) -> Steps {
    Steps { before: Vec::new(), ask, after: Vec::new() }
}

/// Whether a kind's resources have a place of their own.
fn located(it: &Subject) -> bool {
    matches!(it.kind.location, Located::Required | Located::Inherited | Located::Optional)
}

/// Whether a kind's resources are rows with the members that all rows have.
fn tagged(it: &Subject) -> bool {
    it.kind.own.is_none()
}

fn set(body: &mut Map<String, Value>, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

/// Sets a member of `properties`.
fn within(body: &mut Map<String, Value>, name: &str, value: Value) {
    let properties = body.entry("properties").or_insert_with(|| json!({}));
    properties[name] = value;
}

fn spoiled(it: &Subject, path: &str, spoil: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let mut body = it.body_at(path).as_object().cloned().unwrap_or_default();
    spoil(&mut body);
    Value::Object(body)
}

/// A PUT of what is there, with a spoiled body.
fn changed(stage: &Stage, it: &Subject, spoil: impl FnOnce(&mut Map<String, Value>)) -> Steps {
    alone(stage.ask("PUT", it, &it.path).json(&spoiled(it, &it.path, spoil)))
}

/// The same of a new one.
fn fresh(
    stage: &Stage,
    it: &Subject,
    number: usize,
    spoil: impl FnOnce(&mut Map<String, Value>),
) -> Option<Steps> {
    let path = it.fresh(number)?;
    Some(alone(stage.ask("PUT", it, &path).json(&spoiled(it, &path, spoil))))
}

fn patch(it: &Subject) -> Value {
    let operation = it.name.ends_with("/tags").then_some(("operation", json!("Merge")));
    let patch = [("tags", json!({})), ("properties", json!({}))].into_iter().chain(operation);
    patch.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn misnamed(stage: &Stage, it: &Subject, name: impl FnOnce(&NameRule) -> Option<String>) -> Option<Steps> {
    let name = name(names::rule(&it.name))?;
    let path = it.beside(&text::percent_encode(&name));
    Some(alone(stage.ask("PUT", it, &path).json(&it.body_at(&it.beside(&name)))))
}

/// Characters to try, none of which a path or a guid has a meaning for.
const CHARACTERS: [char; 6] = ['A', '.', '*', '_', '-', '<'];

/// A character that the class does not have, and the rule otherwise allows.
fn outside(class: Class, rule: &NameRule) -> Option<char> {
    CHARACTERS.into_iter().find(|c| !class.has(*c) && rule.allowed.has(*c))
}

fn inside(rule: &NameRule) -> Option<String> {
    let bad = CHARACTERS.into_iter().find(|c| !rule.allowed.has(*c))?;
    let name = format!("aaa{bad}aaa");
    Some(if rule.special == Special::Guid { format!("{name:a<36}") } else { name })
}

fn ill_formed(rule: &NameRule) -> Option<String> {
    match rule.special {
        Special::SingleHyphens | Special::Container => Some("aa--aa".to_owned()),
        Special::Guid => Some("a".repeat(36)),
        Special::BlobPath | Special::None => None,
    }
}

fn versioned(stage: &Stage, it: &Subject, version: &str) -> Ask {
    stage.world.arm("PUT", &format!("{}?api-version={version}", it.path)).json(&it.body)
}

/// The path, inside a parent of another name.
fn orphan_path(it: &Subject) -> Option<String> {
    let (before, own_name) = it.path.rsplit_once('/')?;
    let (parent, last) = before.rsplit_once('/')?;
    let is_child = it.kind.name.contains('/');
    let (parents, name) = parent.rsplit_once('/')?;
    // A name that the parent's rule allows, and a guid where it wants one.
    let other = if name.len() == 36 { "00000000-0000-4000-8000-0000000000ff" } else { "nobody" };
    is_child.then(|| format!("{parents}/{other}/{last}/{own_name}"))
}

fn orphaned(stage: &Stage, it: &Subject, method: &str) -> Option<Steps> {
    let ask = stage.ask(method, it, &orphan_path(it)?);
    Some(alone(if method == "PUT" { ask.json(&it.body) } else { ask }))
}

fn listed_orphans(stage: &Stage, it: &Subject) -> Option<Steps> {
    let path = orphan_path(it)?;
    Some(alone(stage.ask("GET", it, path.rsplit_once('/')?.0)))
}

fn group_of(stage: &Stage, it: &Subject) -> Option<String> {
    let group = stage.world.group("");
    it.path.starts_with(&format!("{group}/")).then_some(group)
}

fn strayed(stage: &Stage, it: &Subject, method: &str, group: &str) -> Option<Steps> {
    let path = it
        .path
        .replace(&group_of(stage, it)?, &format!("{}/resourceGroups/{group}", stage.world.subscription()));
    let ask = stage.ask(method, it, &path);
    Some(alone(if method == "PUT" { ask.json(&it.body) } else { ask }))
}

fn listed_astray(stage: &Stage, it: &Subject) -> Option<Steps> {
    if it.kind.place == Place::Extension {
        return None;
    }
    let gone = format!("{}/resourceGroups/gone", stage.world.subscription());
    Some(alone(stage.ask("GET", it, &it.list().replace(&group_of(stage, it)?, &gone))))
}

fn elsewhere(stage: &Stage, it: &Subject, subscription: &str) -> Option<Steps> {
    let own = stage.world.subscription();
    let path = it.path.replace(&own, &format!("/subscriptions/{subscription}"));
    it.path.starts_with(&own).then(|| alone(stage.ask("PUT", it, &path).json(&it.body)))
}

/// A request while the scope is locked.
fn locked(stage: &Stage, it: &Subject, scope: &str, level: &str, what: &str) -> Option<Steps> {
    if !it.path.starts_with("/subscriptions/") || !it.is_there {
        return None;
    }
    let lock = format!("{scope}/providers/Microsoft.Authorization/locks/hold?api-version=2020-05-01");
    let ask = match what {
        "POST" => stage.ask("POST", it, &format!("{}/{}", it.path, an_action(it)?)).json(&json!({})),
        "PUT" => stage.put(it, &it.path),
        "PUT of a new one" => stage.put(it, &it.fresh(900).unwrap_or_else(|| it.path.clone())),
        "PATCH" => stage.ask("PATCH", it, &it.path).json(&patch(it)),
        method => stage.ask(method, it, &it.path),
    };
    Some(Steps {
        before: vec![stage.world.arm("PUT", &lock).json(&json!({ "properties": { "level": level } }))],
        ask,
        after: vec![stage.world.arm("DELETE", &lock)],
    })
}

/// The first that is asked for by POST and has no parameters.
fn an_action(it: &Subject) -> Option<&'static str> {
    let is_post = |verb: &&zaffre::arm::kind::Verb| verb.method == zaffre::arm::kind::On::Post;
    it.kind.actions.iter().filter(is_post).map(|verb| verb.name).find(|name| !name.contains('{'))
}

fn too_long(it: &Subject) -> String {
    let text = it.body.to_string();
    format!("{text}{}", " ".repeat(TOO_MANY_BYTES.saturating_sub(text.len())))
}

fn a_strangers(stage: &Stage) -> Value {
    let id = stage.world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nobody");
    json!({ "type": "UserAssigned", "userAssignedIdentities": { id: {} } })
}

fn listed(stage: &Stage, it: &Subject, query: &str) -> Ask {
    stage.world.arm("GET", &format!("{}?api-version={}&{query}", it.list(), it.version))
}
