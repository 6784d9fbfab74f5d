//! The machines of scale sets: virtual machines in all but their making, which is their set's, and their names, which are numbers.
//!
//! An instance is a row as a virtual machine's is, inside its set: whoever runs machines, and whoever tells them of
//! themselves, needs to know no more. Its disks are resources of the set's group that go with it; its interfaces are rows inside it, with
//! addresses of the set's subnet. Its identities are its set's (`resources::identity::given`).

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{codes, custom_data, scale_sets, view as machine_view, vm};
use crate::{
    arm::{
        self, codes as arm_codes,
        kind::{Change, Gone, Removal, View},
    },
    cloud::Draw,
    products::{self, network},
    resources::{self, INSTANCES, Resource, identity},
    service::Cx,
    store::Txn,
};

pub(super) const INTERFACES: &str =
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces";

/// A set's machines, the oldest first.
pub(super) fn of(txn: &Txn, set: &ResourceId) -> Result<Vec<Resource>> {
    let mut all = resources::of_type(txn, INSTANCES, set, None, usize::MAX)?;
    all.sort_by_key(|it| it.name().parse::<u64>().unwrap_or_default());
    Ok(all)
}

/// An instance is its set's to make and to change.
pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    Err(arm_codes::not_implemented(format!("{} by PUT or PATCH", change.next.kind_name)))
}

/// Makes the machine of this number, as the set's model says.
pub(super) fn make(change: &mut Change<'_>, number: u64) -> Result<()> {
    let set = change.next.clone();
    let id = set.id.child("virtualMachines", &number.to_string());
    let mut instance = Resource::new(id, INSTANCES, change.draw.guid(), change.cx.now);
    (instance.location, instance.tags) = (set.location.clone(), set.tags.clone());
    instance.created_by = set.created_by;
    instance.zones = zone_of(&set, number);
    instance.properties = model(&set, number);
    instance.set("model", set.property("model").cloned().unwrap_or_default());
    instance.set(identity::GIVEN, identity::to_give(&set));
    take_sku(&set, &mut instance);
    let configured = instance.property("networkProfileConfiguration/networkInterfaceConfigurations").cloned();
    let mut interfaces = Vec::new();
    for configuration in configured.as_ref().and_then(Value::as_array).into_iter().flatten() {
        interfaces.push(json!({ "id": interface(change, &instance, configuration)? }));
    }
    instance.set("networkProfile", json!({ "networkInterfaces": interfaces }));
    let name = format!("{}_{}", set.name(), instance.machine_name());
    let mut of_instance = Change {
        cx: change.cx,
        txn: &mut *change.txn,
        permit: change.permit,
        draw: &mut *change.draw,
        version: change.version,
        current: None,
        next: &mut instance,
        body: change.body,
        is_patch: false,
        action: change.action,
    };
    vm::complete(&mut of_instance, &name)?;
    custom_data::copy(change.txn, &set.id, &instance.id)?;
    resources::put(change.txn, &instance)
}

fn zone_of(set: &Resource, number: u64) -> Option<Value> {
    let zones = set.zones.as_ref()?.as_array().filter(|it| !it.is_empty())?;
    let at = usize::try_from(number).unwrap_or_default() % zones.len();
    Some(json!([zones[at]]))
}

/// What the set's model says about one machine.
fn model(set: &Resource, number: u64) -> Map<String, Value> {
    let mut properties =
        set.property("virtualMachineProfile").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(system) = properties.get_mut("osProfile").and_then(Value::as_object_mut) {
        let prefix = system.shift_remove("computerNamePrefix");
        let prefix = prefix.as_ref().and_then(Value::as_str).unwrap_or_else(|| set.name());
        system.insert("computerName".to_owned(), json!(format!("{prefix}{}", counted(number))));
    }
    let storage = properties.entry("storageProfile").or_insert_with(|| json!({}));
    if !storage["osDisk"].is_object() {
        storage["osDisk"] = json!({});
    }
    storage["osDisk"].as_object_mut().map(|it| it.shift_remove("name"));
    storage["osDisk"]["deleteOption"] = json!("Delete");
    for disk in storage.get_mut("dataDisks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(disk) = disk.as_object_mut() {
            disk.shift_remove("name");
            disk.insert("deleteOption".to_owned(), json!("Delete"));
        }
    }
    if let Some(network) = properties.shift_remove("networkProfile") {
        properties.insert("networkProfileConfiguration".to_owned(), network);
    }
    properties.insert("modelDefinitionApplied".to_owned(), json!("VirtualMachineScaleSet"));
    properties
}

/// Six digits of base 36, as the platform numbers its machines' names.
fn counted(mut number: u64) -> String {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        let at = u8::try_from(number % 36).unwrap_or_default();
        *digit = if at < 10 { b'0' + at } else { b'A' + at - 10 };
        number /= 36;
    }
    digits.iter().map(|it| char::from(*it)).collect()
}

/// The size is the set's.
pub(super) fn take_sku(set: &Resource, instance: &mut Resource) {
    let mut sku = set.sku.clone().unwrap_or_default();
    sku.as_object_mut().map(|it| it.shift_remove("capacity"));
    instance.set("hardwareProfile", json!({ "vmSize": sku["name"] }));
    instance.sku = Some(sku);
}

/// What a set says of its machines' interfaces can be done.
pub(super) fn check_interfaces(profile: Option<&Value>) -> Result<()> {
    let bad = |name: &'static str| codes::INVALID_PARAMETER.with([name]).at(name);
    let list = profile.and_then(|it| it.get("networkInterfaceConfigurations"));
    let Some(list) = list else { return Ok(()) };
    for configuration in list.as_array().ok_or_else(|| bad("networkInterfaceConfigurations"))? {
        if !configuration["name"].as_str().is_some_and(is_name) {
            return Err(bad("networkInterfaceConfigurations.name"));
        }
        for place in places(configuration) {
            if !place["name"].as_str().is_some_and(is_name) {
                return Err(bad("ipConfigurations.name"));
            }
            // az writes it without capitals.
            let members = place["properties"].as_object().into_iter().flatten();
            if members.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("publicIPAddressConfiguration"))
            {
                let what = "virtualMachineScaleSets with a publicIPAddressConfiguration";
                return Err(arm_codes::not_implemented(format!("Microsoft.Compute/{what}")));
            }
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

fn places(configuration: &Value) -> impl Iterator<Item = &Value> {
    configuration["properties"]["ipConfigurations"].as_array().into_iter().flatten()
}

/// Makes an interface of the instance, with an address for each of its configurations.
fn interface(change: &mut Change<'_>, instance: &Resource, configuration: &Value) -> Result<ResourceId> {
    let name = configuration["name"].as_str().unwrap_or_default();
    let id = instance.id.child("networkInterfaces", name);
    let mut row = Resource::new(id.clone(), INTERFACES, change.draw.guid(), change.cx.now);
    row.properties = configuration["properties"].as_object().cloned().unwrap_or_default();
    let mut places_of = Vec::new();
    for (at, place) in places(configuration).enumerate() {
        places_of.push(settled(change, instance, &id, (at, place))?);
    }
    row.set("ipConfigurations", places_of);
    row.set("macAddress", network::instances::mac_address(change.draw));
    row.set("virtualMachine", json!({ "id": instance.id }));
    resources::put(change.txn, &row)?;
    Ok(id)
}

fn settled(
    change: &mut Change<'_>,
    instance: &Resource,
    interface: &ResourceId,
    (at, place): (usize, &Value),
) -> Result<Value> {
    let name = place["name"].as_str().unwrap_or_default();
    let id = interface.child("ipConfigurations", name);
    let mut properties = place["properties"].as_object().cloned().unwrap_or_default();
    let missing = || codes::MISSING_PARAMETER.with(["subnet"]).at("subnet");
    let subnet = subnet_of(place).ok_or_else(missing)?;
    let address = network::instances::join(change.txn, instance, &id, &subnet)?;
    for (name, value) in [
        ("privateIPAddress", json!(address.to_string())),
        ("privateIPAllocationMethod", json!("Dynamic")),
        ("privateIPAddressVersion", json!("IPv4")),
    ] {
        properties.insert(name.to_owned(), value);
    }
    properties.entry("primary").or_insert(json!(at == 0));
    Ok(json!({ "name": name, "id": id, "properties": properties }))
}

fn subnet_of(place: &Value) -> Option<ResourceId> {
    ResourceId::parse(place["properties"]["subnet"]["id"].as_str()?).ok()
}

/// Ends an instance whose set wants it no more.
pub(super) fn end(
    cx: &Cx,
    txn: &mut Txn,
    draw: &mut Draw,
    (set, instance): (&ResourceId, &Resource),
) -> Result<()> {
    arm::along(cx, txn, draw, products::PROVIDERS, (set, vec![instance.id.clone()]))
}

/// One that is deleted by itself makes its set so much smaller.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let instance = removal.resource;
    if *removal.whole == instance.id
        && let Some(mut set) = scale_sets::of(removal.txn, &instance.id)?
    {
        let left = scale_sets::capacity(&set).saturating_sub(1);
        if let Some(sku) = &mut set.sku {
            sku["capacity"] = json!(left);
        }
        resources::put(removal.txn, &set)?;
    }
    vm::delete(removal)
}

/// An interface goes with its instance, and gives its addresses back.
pub(super) fn delete_interface(removal: &mut Removal<'_>) -> Result<Gone> {
    let interface = removal.resource;
    if *removal.whole == interface.id {
        return Err(arm_codes::not_implemented(format!("{INTERFACES} by DELETE")));
    }
    let listed = interface.property("ipConfigurations").and_then(Value::as_array);
    for place in listed.into_iter().flatten() {
        let id = interface.id.child("ipConfigurations", place["name"].as_str().unwrap_or_default());
        let address = place["properties"]["privateIPAddress"].as_str().and_then(|it| it.parse().ok());
        if let (Some(subnet), Some(address)) = (subnet_of(place), address) {
            network::instances::leave(removal.txn, &id, (&subnet, address))?;
        }
    }
    Ok(Gone::Now)
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = machine_view::properties(view)?;
    scale_sets::hide(&mut properties);
    let set = scale_sets::of(view.txn, &view.resource.id)?;
    let is_latest = scale_sets::is_latest(set.as_ref(), view.resource);
    properties.insert("latestModelApplied".to_owned(), json!(is_latest));
    Ok(properties)
}

/// `web_0`, and the number alone.
pub(super) fn names(view: &View<'_>) -> Result<Map<String, Value>> {
    let instance = view.resource;
    Ok(Map::from_iter([
        ("name".to_owned(), json!(instance.machine_name())),
        ("instanceId".to_owned(), json!(instance.name())),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_counted_in_six_digits() {
        for (number, text) in [(0, "000000"), (9, "000009"), (10, "00000A"), (36, "000010"), (1295, "0000ZZ")]
        {
            assert_eq!(counted(number), text);
        }
    }
}
