//! A resource as it is shown.

use azure::{api_version::ApiVersion, error::Result, identity::Shape};
use serde_json::{Map, Value, json};

use super::{
    groups,
    kind::{IdStyle, View},
    types::Type,
};
use crate::resources::Resource;

/// The document of a resource, as its api-version shows it.
pub(super) fn whole(of: &Type, view: &View<'_>) -> Result<Value> {
    let resource = view.resource;
    let mut properties = (of.kind.view)(view)?;
    if of.kind.shows_state {
        properties.insert("provisioningState".to_owned(), json!(resource.state.as_str()));
    }
    let mut document = summary(of, resource, view.version);
    document.append(&mut (of.kind.beside)(view)?);
    document.insert("properties".to_owned(), Value::Object(properties));
    Ok(Value::Object(document))
}

/// What generic lists show: everything but `properties`.
pub(super) fn summary(of: &Type, resource: &Resource, version: &ApiVersion) -> Map<String, Value> {
    let mut document = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            document.insert(name.to_owned(), value);
        }
    };
    let is_typed = !of.is_group() || *version >= groups::TYPED_SINCE;
    set("id", Some(json!(styled(of, resource))));
    set("name", Some(json!(resource.name())));
    set("type", is_typed.then(|| json!(resource.kind_name)));
    set("location", resource.location.as_ref().map(|it| json!(it)));
    set("tags", resource.tags.clone().map(Value::Object));
    set("kind", resource.kind.as_ref().map(|it| json!(it)));
    set("managedBy", resource.managed_by.as_ref().map(|it| json!(it)));
    set("sku", resource.sku.clone());
    set("plan", resource.plan.clone());
    set("zones", resource.zones.clone());
    set("identity", resource.identity.as_ref().and_then(|it| it.render(shape(of, version))));
    document
}

/// How this version spells the identity block. What nobody provides may have one in today's shape.
pub(super) fn shape(of: &Type, version: &ApiVersion) -> Shape {
    match of.kind.identity {
        Some(shape) => shape(version),
        None if of.is_known() => Shape::Absent,
        None => Shape::Map,
    }
}

/// The id in its kind's style.
pub(super) fn styled(of: &Type, resource: &Resource) -> String {
    let id = resource.id.to_string();
    match of.kind.style {
        IdStyle::AsWritten => id,
        IdStyle::LowerCaseGroups => lower_segment(&id, "resourcegroups"),
    }
}

fn lower_segment(id: &str, literal: &str) -> String {
    let style = |segment: &str| match segment.eq_ignore_ascii_case(literal) {
        true => literal.to_owned(),
        false => segment.to_owned(),
    };
    id.split('/').map(style).collect::<Vec<_>>().join("/")
}
