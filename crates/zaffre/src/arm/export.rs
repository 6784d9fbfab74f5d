//! `exportTemplate`: a group's resources as a template that would make them again.
//!
//! Names become parameters, ids of what is exported too become `resourceId(..)`, and what a resource lies in or
//! names is what it depends on. What only the platform says (states, endpoints, principals) is left out. What is
//! kept elsewhere than in rows (containers, databases, role assignments) is not exported, nor are secrets, which
//! no row has.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    codes, content, document,
    kind::{Answer, Call, View},
    own,
    types::Types,
    write,
};
use crate::resources::{self, Resource};

/// Members that are the platform's to say.
static READ_ONLY: &[&str] = &[
    "provisioningState",
    "resourceGuid",
    "vmId",
    "timeCreated",
    "instanceView",
    "principalId",
    "clientId",
    "tenantId",
    "etag",
    "primaryEndpoints",
    "secondaryEndpoints",
    "primaryLocation",
    "secondaryLocation",
    "statusOfPrimary",
    "statusOfSecondary",
    "creationTime",
    "keyCreationTime",
    "documentEndpoint",
    "readLocations",
    "writeLocations",
    "instanceId",
    "keysMetadata",
    "macAddress",
];
/// Members of the document that a template's resource has too.
static KEPT: &[&str] = &["location", "tags", "kind", "managedBy", "sku", "plan", "zones"];

/// What is exported, and how its name is written.
struct Exported {
    rows: Vec<Resource>,
    parameterizes: bool,
}

pub(super) fn template(types: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let group = own::scope_of(call.id);
    write::group_is_there(call.txn, &group)?;
    let options = content::text(call.body, "options")?.unwrap_or_default().to_ascii_lowercase();
    let skips = ["skipresourcenameparameterization", "skipallparameterization"];
    let exported = Exported {
        rows: wanted(call, &group)?,
        parameterizes: !options.split(',').any(|it| skips.contains(&it.trim())),
    };
    let mut all = Vec::new();
    for row in &exported.rows {
        all.push(resource(types, call, &exported, row)?);
    }
    let parameters: Map<String, Value> = match exported.parameterizes {
        true => exported.rows.iter().filter(|it| is_top(&it.id)).map(parameter).collect(),
        false => Map::new(),
    };
    Ok(Answer::ok(json!({ "template": {
        "$schema": "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": parameters,
        "variables": {},
        "resources": all,
    } })))
}

/// `["*"]` is everything in the group.
fn wanted(call: &Call<'_>, group: &ResourceId) -> Result<Vec<Resource>> {
    let list = call.body.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if named.is_empty() {
        return Err(codes::INVALID_CONTENT.with(["Required property 'resources' not found in JSON"]));
    }
    let all = resources::within(call.txn, group, None, usize::MAX)?;
    if named.contains(&"*") {
        return Ok(all);
    }
    let mut found = Vec::new();
    for text in named {
        let bad = |why: azure::ids::BadId| codes::INVALID_CONTENT.with([format!("'{text}' is no id: {why}")]);
        let id = ResourceId::parse(text).map_err(bad)?;
        let row = all.iter().find(|it| it.id == id).ok_or_else(|| write::absent(&id))?;
        found.push(row.clone());
    }
    Ok(found)
}

fn is_top(id: &ResourceId) -> bool {
    id.names().len() == 1
}

/// `virtualNetworks_net_name`.
fn parameter_of(id: &ResourceId) -> String {
    let kind = id.resource_type().unwrap_or_default();
    let kind = kind.split('/').nth(1).unwrap_or_default();
    let name = id.names().first().copied().unwrap_or_default();
    format!("{kind}_{name}_name")
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() { it } else { '_' })
        .collect()
}

fn parameter(row: &Resource) -> (String, Value) {
    (parameter_of(&row.id), json!({ "defaultValue": row.name(), "type": "String" }))
}

/// A text that is no expression, whatever it begins with.
fn literal(text: &str) -> String {
    if text.starts_with('[') { format!("[{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Exported {
    fn has(&self, id: &ResourceId) -> bool {
        self.rows.iter().any(|it| it.id == *id)
    }

    /// The names behind the type, each as an expression has it.
    fn names(&self, id: &ResourceId) -> Vec<String> {
        let mut names: Vec<String> = id.names().into_iter().map(quoted).collect();
        let is_parameter = self.parameterizes && self.rows.iter().any(|it| is_top(&it.id) && it.id.holds(id));
        if let Some(first) = names.first_mut().filter(|_| is_parameter) {
            *first = format!("parameters('{}')", parameter_of(id));
        }
        names
    }

    fn name(&self, id: &ResourceId) -> String {
        match (self.parameterizes, self.names(id).as_slice()) {
            (false, _) => literal(&id.names().join("/")),
            (true, [one]) => format!("[{one}]"),
            (true, names) => format!("[concat({})]", names.join(", '/', ")),
        }
    }

    fn reference(&self, id: &ResourceId) -> String {
        let kind = quoted(&id.resource_type().unwrap_or_default());
        format!("[resourceId({kind}, {})]", self.names(id).join(", "))
    }

    /// Drops what the platform says, and writes ids of what is exported as expressions. Notes what was named.
    fn rewrite(&self, value: Value, named: &mut Vec<ResourceId>) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.into_iter().filter(|(name, _)| !READ_ONLY.contains(&name.as_str()));
                kept.map(|(name, value)| (name, self.rewrite(value, named))).collect()
            }
            Value::Array(items) => items.into_iter().map(|it| self.rewrite(it, named)).collect(),
            Value::String(text) => {
                let id = text.starts_with('/').then(|| ResourceId::parse(&text).ok()).flatten();
                match id.filter(|it| self.has(it)) {
                    Some(id) => {
                        let reference = self.reference(&id);
                        named.push(id);
                        Value::String(reference)
                    }
                    None => Value::String(literal(&text)),
                }
            }
            other => other,
        }
    }
}

fn resource(types: &Types, call: &Call<'_>, exported: &Exported, row: &Resource) -> Result<Value> {
    let of = types.of(&row.id)?;
    let newest = of.kind.versions.iter().max().cloned();
    let version = newest.unwrap_or_else(|| azure::api_version::ApiVersion::of("2024-11-01"));
    let view = View {
        cx: call.cx,
        txn: call.txn,
        resource: row,
        version: &version,
        query: &[],
        origin: call.origin,
    };
    let mut shown = document::whole(&of, &view)?;
    let mut named = Vec::new();
    let mut written = Map::from_iter([
        ("type".to_owned(), json!(of.name)),
        ("apiVersion".to_owned(), json!(version.as_str())),
        ("name".to_owned(), json!(exported.name(&row.id))),
    ]);
    for name in KEPT {
        if let Some(value) = shown.get_mut(*name).map(Value::take) {
            written.insert((*name).to_owned(), exported.rewrite(value, &mut named));
        }
    }
    if let Some(identity) = shown.get("identity") {
        written.insert("identity".to_owned(), identity_of(identity));
    }
    let mut properties = shown["properties"].take();
    // What lies inside and is exported itself need not be said twice; its parent's own list names it.
    strip_ids(&mut properties);
    written.insert("properties".to_owned(), exported.rewrite(properties, &mut named));
    named.extend(row.id.parent().filter(|it| exported.has(it)));
    named.retain(|it| !it.holds(&row.id) || Some(it) == row.id.parent().as_ref());
    named.sort_by(|one, other| one.key().cmp(other.key()));
    named.dedup();
    // A list inside a parent names its children, which wait for the parent: not the other way round.
    named.retain(|it| !row.id.holds(it));
    if !named.is_empty() {
        written
            .insert("dependsOn".to_owned(), named.iter().map(|it| json!(exported.reference(it))).collect());
    }
    Ok(Value::Object(written))
}

/// `{"id": …}` beside a name and properties is what the platform calls an inner part: its name is enough.
fn strip_ids(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("name") && map.contains_key("properties") {
                map.shift_remove("id");
                map.shift_remove("type");
            }
            map.values_mut().for_each(strip_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_ids),
        _ => {}
    }
}

/// The block as a request writes it: without the principals.
fn identity_of(identity: &Value) -> Value {
    let mut block = json!({ "type": identity["type"] });
    if let Some(ids) = identity["userAssignedIdentities"].as_object() {
        block["userAssignedIdentities"] = ids.keys().map(|id| (id.clone(), json!({}))).collect();
    }
    block
}
