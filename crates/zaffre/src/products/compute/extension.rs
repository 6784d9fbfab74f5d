//! Extensions of virtual machines: the old identity extension, by which a guest answers at localhost:50342, and the one that says who
//! may sign in (`vm_access`).
//!
//! Every other extension would install something, which guests cannot do yet: it is refused by its name rather than kept
//! as if it had run. What is in `protectedSettings` is kept nowhere here.

use azure::error::{Error, Result};
use serde_json::{Map, Value, json};

use super::{codes, machine, vm_access};
use crate::{
    arm::{
        self,
        kind::{Change, Gone, Removal},
    },
    resources::{Resource, State},
};

pub(super) const PUBLISHER: &str = "Microsoft.ManagedIdentity";
/// One for each system; their differences are no client's to see (imds.md §4).
pub(super) const TYPES: &[&str] = &["ManagedIdentityExtensionForLinux", "ManagedIdentityExtensionForWindows"];
/// Where the extension listens when nothing else is said (imds.md §4).
const PORT: u16 = 50342;

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let properties = &mut change.next.properties;
    let protected = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case("protectedSettings"));
    let protected = protected.map(|(_, value)| value.clone()).unwrap_or_default();
    properties.retain(|name, value| !value.is_null() && !name.eq_ignore_ascii_case("protectedSettings"));
    properties.shift_remove("instanceView");
    let is_access = check_type(properties)?;
    properties.entry("autoUpgradeMinorVersion").or_insert(json!(true));
    match is_access {
        true => vm_access::apply(change, &protected)?,
        false => settle_port(properties)?,
    }
    let vm = change.next.id.parent().expect("an extension is inside its machine");
    let Some(mut machine) = machine::get(change.txn, &vm)? else { return Ok(()) };
    machine
        .operations
        .extend(change.current.filter(|it| !it.state.is_terminal()).and_then(|it| it.operation));
    if change.cx.env.follower.is_there() {
        change.next.state = if change.is_create() { State::Creating } else { State::Updating };
    }
    machine::put(change.cx, change.txn, &vm, &machine)
}

fn settle_port(properties: &mut Map<String, Value>) -> Result<()> {
    let settings = properties.entry("settings").or_insert_with(|| json!({}));
    if port_in(Some(settings)).is_none() {
        return Err(codes::INVALID_PARAMETER.with(["settings.port"]).at("settings.port"));
    }
    if let Some(settings) = settings.as_object_mut() {
        settings.entry("port").or_insert(json!(PORT));
    }
    Ok(())
}

/// Whether it is about who may sign in; the old identity extension otherwise.
fn check_type(properties: &Map<String, Value>) -> Result<bool> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    let (publisher, name) = (text("publisher"), text("type"));
    for (parameter, value) in [("publisher", publisher), ("type", name)] {
        if value.is_empty() {
            return Err(codes::INVALID_PARAMETER.with([parameter]).at(parameter));
        }
    }
    match vm_access::is_it(publisher, name) {
        true => Ok(true),
        false if is_ours(publisher, name) => Ok(false),
        false => Err(unknown(publisher, name)),
    }
}

fn is_ours(publisher: &str, name: &str) -> bool {
    publisher.eq_ignore_ascii_case(PUBLISHER) && TYPES.iter().any(|it| it.eq_ignore_ascii_case(name))
}

fn unknown(publisher: &str, name: &str) -> Error {
    arm::codes::not_implemented(format!("extension {publisher}/{name}"))
}

/// The port of an extension's settings: the usual one where none is said; none where it is no port.
fn port_in(settings: Option<&Value>) -> Option<u16> {
    match settings.and_then(|it| it.get("port")) {
        None | Some(Value::Null) => Some(PORT),
        Some(Value::String(text)) => text.parse().ok().filter(|it| *it > 0),
        Some(value) => u16::try_from(value.as_u64()?).ok().filter(|it| *it > 0),
    }
}

/// Where the guest listens for this extension, while there is one.
pub(super) fn port(extension: &Resource) -> Option<u16> {
    let is_ours = is_ours(extension.text("publisher")?, extension.text("type")?);
    port_in(extension.property("settings")).filter(|_| is_ours && extension.state != State::Deleting)
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let vm = removal.resource.id.parent().expect("an extension is inside its machine");
    // Written as it is: whoever runs the machine may be another process, and hears of rows alone.
    if let Some(machine) = machine::get(removal.txn, &vm)? {
        machine::put(removal.cx, removal.txn, &vm, &machine)?;
    }
    Ok(Gone::Now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_a_number_or_one_as_text_or_the_usual_one() {
        for (settings, port) in [
            (json!({}), Some(50342)),
            (json!({ "port": null }), Some(50342)),
            (json!({ "port": 50343 }), Some(50343)),
            (json!({ "port": "50343" }), Some(50343)),
            (json!({ "port": 0 }), None),
            (json!({ "port": 70000 }), None),
            (json!({ "port": -1 }), None),
            (json!({ "port": [1] }), None),
        ] {
            assert_eq!(port_in(Some(&settings)), port, "{settings}");
        }
    }
}
