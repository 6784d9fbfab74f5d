//! How a virtual machine is shown: its properties, its extensions, what it was last seen doing.

use azure::{error::Result, ids::ResourceId, time::Timestamp};
use serde_json::{Map, Value, json};

use super::{
    images::System,
    machine::{self, Power, Seen},
};
use crate::{
    arm::kind::{Answer, Call, View},
    resources::{self, Resource, State},
    store::Txn,
};

/// More than a machine may have.
const EXTENSIONS: usize = 100;
/// What a machine is said to run beside its system, in words that no client reads.
const AGENT_VERSION: &str = "2.9.1.1";

/// In which of its availability set's domains a machine is.
const DOMAINS: [&str; 2] = ["platformFaultDomain", "platformUpdateDomain"];

/// The first version whose machines and scale sets have an `etag` (azure-mgmt-compute 31.0.0, its changes).
const ETAG: azure::api_version::ApiVersion = azure::api_version::ApiVersion::of("2024-03-01");
/// The first version that prints `timeCreated` (general knowledge, unverified).
const TIME_CREATED: azure::api_version::ApiVersion = azure::api_version::ApiVersion::of("2021-11-01");

pub(super) fn properties(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    if !expands(view, "userData") {
        properties.shift_remove("userData");
    }
    // These are the instance view's to tell.
    for name in DOMAINS {
        properties.shift_remove(name);
    }
    if *view.version >= TIME_CREATED {
        properties.insert("timeCreated".to_owned(), json!(view.resource.created.iso()));
    }
    if expands(view, "instanceView") {
        properties.insert("instanceView".to_owned(), instance_view(view.txn, view.resource)?);
    }
    Ok(properties)
}

/// Whether `$expand` names it.
pub(super) fn expands(view: &View<'_>, what: &str) -> bool {
    let named = view.query.iter().filter(|(name, _)| name.eq_ignore_ascii_case("$expand"));
    named.flat_map(|(_, value)| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(what))
}

/// The machine's `etag`, and `resources`: its extensions, whole, where there are any.
pub(super) fn beside(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut beside = etag(view)?;
    let all = extensions(view.txn, &view.resource.id)?;
    if !all.is_empty() {
        beside.insert("resources".to_owned(), all.iter().map(extension).collect());
    }
    Ok(beside)
}

/// The header's, in the document too, so that a client may send it back.
pub(super) fn etag(view: &View<'_>) -> Result<Map<String, Value>> {
    let etag = || ("etag".to_owned(), json!(format!("\"{}\"", view.resource.etag)));
    Ok((*view.version >= ETAG).then(etag).into_iter().collect())
}

pub(super) fn extensions(txn: &Txn, vm: &ResourceId) -> Result<Vec<Resource>> {
    resources::of_type(txn, "Microsoft.Compute/virtualMachines/extensions", vm, None, EXTENSIONS)
}

fn extension(extension: &Resource) -> Value {
    let mut properties = extension.properties.clone();
    properties.insert("provisioningState".to_owned(), json!(extension.state.as_str()));
    json!({
        "id": extension.id,
        "name": extension.name(),
        "type": extension.kind_name,
        "location": extension.location,
        "properties": properties,
    })
}

/// `GET {vm}/instanceView`.
pub(super) fn instance(call: &Call<'_, &Txn>) -> Result<Answer> {
    let vm = call.resource.expect("a verb on a row has its row");
    Ok(Answer::ok(instance_view(call.txn, vm)?))
}

fn instance_view(txn: &Txn, vm: &Resource) -> Result<Value> {
    let machine = machine::get(txn, &vm.id)?;
    let is_generalized = machine.as_ref().is_some_and(|it| it.is_generalized);
    let seen = machine.and_then(|it| it.seen);
    let is_up = seen.as_ref().is_some_and(|it| it.power == Power::Running && it.problem.is_none());
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    for name in DOMAINS {
        if let Some(domain) = vm.property(name) {
            set(name, domain.clone());
        }
    }
    if is_up {
        set("computerName", json!(vm.text("osProfile/computerName")));
        set("osName", json!(System::of(vm).as_str().to_lowercase()));
        let ready = status("ProvisioningState/succeeded", "Ready", seen_at(vm, seen.as_ref()));
        set(
            "vmAgent",
            json!({ "vmAgentVersion": AGENT_VERSION, "statuses": [ready], "extensionHandlers": [] }),
        );
    }
    let disk = status("ProvisioningState/succeeded", "Provisioning succeeded", vm.created);
    let data = vm.property("storageProfile/dataDisks").and_then(Value::as_array);
    let disks = vm.property("storageProfile/osDisk").into_iter().chain(data.into_iter().flatten());
    set("disks", disks.map(|it| json!({ "name": it["name"], "statuses": [disk] })).collect());
    let extensions = extensions(txn, &vm.id)?;
    if !extensions.is_empty() {
        set("extensions", extensions.iter().map(extension_instance).collect());
    }
    let mut statuses = statuses(vm, seen.as_ref());
    if is_generalized {
        let generalized =
            json!({ "code": "OSState/generalized", "level": "Info", "displayStatus": "VM generalized" });
        statuses.insert(1, generalized);
    }
    set("statuses", json!(statuses));
    Ok(Value::Object(view))
}

fn statuses(vm: &Resource, seen: Option<&Seen>) -> Vec<Value> {
    let mut statuses = vec![provisioning(vm, seen)];
    if let Some(seen) = seen {
        let (code, display) = seen.power.status();
        statuses.push(json!({ "code": code, "level": "Info", "displayStatus": display }));
    }
    statuses
}

fn provisioning(of: &Resource, seen: Option<&Seen>) -> Value {
    let (code, display) = match of.state {
        State::Succeeded => ("ProvisioningState/succeeded", "Provisioning succeeded"),
        State::Failed => ("ProvisioningState/failed", "Provisioning failed"),
        State::Canceled => ("ProvisioningState/canceled", "Provisioning canceled"),
        State::Creating => ("ProvisioningState/creating", "Creating"),
        State::Updating => ("ProvisioningState/updating", "Updating"),
        State::Deleting => ("ProvisioningState/deleting", "Deleting"),
    };
    let mut status = status(code, display, seen_at(of, seen));
    if let (State::Failed, Some(problem)) = (of.state, seen.and_then(|it| it.problem.as_ref())) {
        status["level"] = json!("Error");
        status["message"] = json!(problem);
    }
    status
}

fn seen_at(vm: &Resource, seen: Option<&Seen>) -> Timestamp {
    seen.map_or(vm.changed, |it| it.since)
}

fn status(code: &str, display: &str, time: Timestamp) -> Value {
    json!({ "code": code, "level": "Info", "displayStatus": display, "time": time.iso() })
}

fn extension_instance(extension: &Resource) -> Value {
    json!({
        "name": extension.name(),
        "type": format!("{}.{}", extension.text("publisher").unwrap_or_default(), extension.text("type").unwrap_or_default()),
        "typeHandlerVersion": extension.text("typeHandlerVersion"),
        "statuses": [provisioning(extension, None)],
    })
}
