//! Deployments and their operations as they are shown.

use std::time::Duration;

use azure::{
    ids::ResourceId,
    template::{Plan, Planned},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use super::{
    rollback::Rollback,
    stored::{Deployment, State, Step},
};

pub(super) fn deployment(of: &Deployment) -> Value {
    let mut document = Map::from_iter([
        ("id".to_owned(), json!(of.id)),
        ("name".to_owned(), json!(of.id.name())),
        ("type".to_owned(), json!("Microsoft.Resources/deployments")),
    ]);
    document.extend(of.location.as_ref().map(|it| ("location".to_owned(), json!(it))));
    document.extend(of.tags.as_ref().map(|it| ("tags".to_owned(), json!(it))));
    let mut properties = json!({
        "templateHash": of.template_hash,
        "parameters": of.parameters,
        "mode": of.mode.as_str(),
        "provisioningState": of.state.as_str(),
        "timestamp": of.changed.iso(),
        "duration": span(of.started, of.changed),
        "correlationId": of.correlation,
        "providers": of.providers,
        "dependencies": of.dependencies,
    });
    if let Some(link) = &of.link {
        properties["templateLink"] = link.shown();
    }
    if let Some(rollback) = &of.rollback {
        properties["onErrorDeployment"] = rollback.shown();
    }
    if of.state == State::Succeeded {
        properties["outputs"] = of.outputs.as_ref().map_or_else(|| json!({}), outputs);
        properties["outputResources"] = of.resources.iter().map(|id| json!({ "id": id })).collect();
    }
    if let Some(error) = &of.error {
        properties["error"] = error.clone();
    }
    document.insert("properties".to_owned(), properties);
    Value::Object(document)
}

/// The same as it was before anything of it was done.
pub(super) fn begun(of: &Deployment) -> Value {
    let state = if of.state == State::Failed { State::Accepted } else { of.state };
    let rollback = of.rollback.as_ref().map(Rollback::untouched);
    deployment(&Deployment { state, changed: of.started, error: None, outputs: None, rollback, ..of.clone() })
}

/// Outputs with their names as the platform prints them.
fn outputs(of: &Value) -> Value {
    let named = of.as_object().into_iter().flatten();
    named.map(|(name, output)| (camel_cased(name), output.clone())).collect()
}

/// The capitals that a name begins with, as small letters, but for the first of its second word: azure-cli 2.91 reads the
/// output `vmss` of its own template, which calls it `VMSS`.
fn camel_cased(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let capitals = letters.iter().take_while(|it| it.is_ascii_uppercase()).count();
    let small = match capitals {
        0 | 1 => capitals,
        all if all == letters.len() || !letters[all].is_ascii_lowercase() => all,
        all => all - 1,
    };
    letters
        .iter()
        .enumerate()
        .map(|(at, it)| if at < small { it.to_ascii_lowercase() } else { *it })
        .collect()
}

/// `PT1.5S`.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let span: Duration = from.distance(to);
    match span.subsec_nanos() / 100 {
        0 => format!("PT{}S", span.as_secs()),
        fraction => format!("PT{}.{}S", span.as_secs(), format!("{fraction:07}").trim_end_matches('0')),
    }
}

/// An operation: a step, or the evaluation of the outputs.
pub(super) fn operation(deployment: &Deployment, step: &Step) -> Value {
    let name = step.operation.simple().to_uppercase()[..16].to_owned();
    let mut properties = json!({
        "provisioningOperation": "Create",
        "provisioningState": step.state.as_str(),
        "timestamp": step.changed.iso(),
        "duration": span(step.started, step.changed),
        "trackingId": step.operation,
        "serviceRequestId": step.operation,
        "statusCode": step.status,
    });
    if let Some(error) = &step.error {
        properties["statusMessage"] = json!({ "error": error });
    }
    properties["targetResource"] =
        json!({ "id": step.id, "resourceType": step.resource_type, "resourceName": step.name });
    json!({ "id": format!("{}/operations/{name}", deployment.id), "operationId": name, "properties": properties })
}

/// Types, each with its locations.
type Located = Vec<(String, Vec<Value>)>;

/// The namespaces and types that a plan deploys, each with its locations.
pub(super) fn providers(plan: &Plan) -> Value {
    let mut namespaces: Vec<(String, Located)> = Vec::new();
    for resource in &plan.resources {
        let (namespace, kind) =
            resource.resource_type.split_once('/').unwrap_or((&resource.resource_type, ""));
        let location = resource.unfinished().get("location").cloned().unwrap_or(Value::Null);
        let at = namespaces.iter().position(|(name, _)| name.eq_ignore_ascii_case(namespace));
        let at = at.unwrap_or_else(|| {
            namespaces.push((namespace.to_owned(), Vec::new()));
            namespaces.len() - 1
        });
        let types = &mut namespaces[at].1;
        match types.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(kind)) {
            Some((_, locations)) if locations.contains(&location) => {}
            Some((_, locations)) => locations.push(location),
            None => types.push((kind.to_owned(), vec![location])),
        }
    }
    let shown = |(namespace, types): (String, Located)| {
        let types: Vec<Value> = types
            .into_iter()
            .map(|(kind, locations)| json!({ "resourceType": kind, "locations": locations }))
            .collect();
        json!({ "namespace": namespace, "resourceTypes": types })
    };
    namespaces.into_iter().map(shown).collect()
}

/// What waits for what.
pub(super) fn dependencies(plan: &Plan) -> Value {
    let named =
        |it: &Planned| json!({ "id": it.id, "resourceType": it.resource_type, "resourceName": it.name });
    let waiting = plan.resources.iter().filter(|it| !it.waits_for.is_empty());
    let shown = waiting.map(|it| {
        let mut shown = json!({ "dependsOn": it.waits_for.iter().map(|at| named(&plan.resources[*at])).collect::<Vec<_>>() });
        shown["id"] = json!(it.id);
        shown["resourceType"] = json!(it.resource_type);
        shown["resourceName"] = json!(it.name);
        shown
    });
    shown.collect()
}

/// The ids of a plan's resources, each as `{"id": ..}`.
pub(super) fn ids(plan: &Plan) -> Value {
    plan.resources.iter().map(|it| json!({ "id": it.id })).collect()
}

/// The status document of a deployment's operation.
pub(super) fn status(of: &Deployment) -> Value {
    let mut shown = json!({ "status": of.state.as_str() });
    if let Some(error) = &of.error {
        shown["error"] = error.clone();
    }
    shown
}

/// Where a deployment's status is asked for.
pub(super) fn status_link(origin: &str, id: &ResourceId, of: &Deployment, version: &str) -> String {
    format!("{origin}{id}/operationStatuses/{}?api-version={version}", of.operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_outputs_begin_small() {
        for (name, printed) in [
            ("VMSS", "vmss"),
            ("storageId", "storageId"),
            ("StorageId", "storageId"),
            ("URLOfIt", "urlOfIt"),
            ("A", "a"),
            ("IP4", "ip4"),
            ("_X", "_X"),
            ("", ""),
        ] {
            assert_eq!(camel_cased(name), printed);
        }
    }
}
