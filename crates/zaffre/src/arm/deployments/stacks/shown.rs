//! A stack as it is shown.

use azure::ids::ResourceId;
use serde_json::{Map, Value, json};

use super::{super::shown::span, NAME, stored::Stack};

pub(super) fn stack(of: &Stack) -> Value {
    let mut document = Map::from_iter([
        ("id".to_owned(), json!(of.id)),
        ("name".to_owned(), json!(of.id.name())),
        ("type".to_owned(), json!(NAME)),
    ]);
    document.extend(of.location.as_ref().map(|it| ("location".to_owned(), json!(it))));
    document.extend(of.tags.as_ref().map(|it| ("tags".to_owned(), json!(it))));
    let system_data = json!({ "createdAt": of.created.iso(), "lastModifiedAt": of.changed.iso(), "lastModifiedBy": of.deployer });
    document.insert("systemData".to_owned(), system_data);
    document.insert("properties".to_owned(), Value::Object(properties(of)));
    Value::Object(document)
}

fn properties(of: &Stack) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Value| {
        shown.insert(name.to_owned(), value);
    };
    set("actionOnUnmanage", of.actions.shown());
    set("bypassStackOutOfSyncError", json!(false));
    set("correlationId", json!(of.correlation));
    set("deletedResources", references(&of.deleted));
    set("denySettings", of.deny.shown());
    set("deploymentId", json!(of.deployment));
    if let Some(scope) = &of.deployment_scope {
        set("deploymentScope", json!(scope));
    }
    if let Some(description) = &of.description {
        set("description", json!(description));
    }
    set("detachedResources", references(&of.detached));
    set("duration", json!(span(of.started, of.changed)));
    if let Some(error) = &of.error {
        set("error", error.clone());
    }
    let failed = of.failed.iter().map(|(id, error)| json!({ "id": id, "error": error }));
    set("failedResources", failed.collect());
    set("outputs", of.outputs.clone().unwrap_or_else(|| json!({})));
    set("parameters", of.parameters.clone());
    set("provisioningState", json!(of.state.as_str()));
    let managed = of.managed.iter();
    let managed =
        managed.map(|id| json!({ "denyStatus": of.deny_status(id), "id": id, "status": "managed" }));
    set("resources", managed.collect());
    shown
}

fn references(ids: &[ResourceId]) -> Value {
    ids.iter().map(|id| json!({ "id": id })).collect()
}
