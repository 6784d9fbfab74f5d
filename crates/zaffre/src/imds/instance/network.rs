//! The `network` part, from the network interfaces that the virtual machine names.
//!
//! An interface that is not stored, or an address that was not given yet, is left out: a machine whose
//! network nobody described has none.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::text;
use crate::{
    resources::{self, Resource},
    store::Txn,
};

pub(super) fn of(txn: &Txn, vm: &Resource) -> Result<Value> {
    let shown = interfaces(txn, vm)?.iter().map(|it| interface(txn, it)).collect::<Result<Vec<_>>>()?;
    Ok(json!({ "interface": shown }))
}

/// Those that are stored, in the machine's order.
pub(in crate::imds) fn interfaces(txn: &Txn, vm: &Resource) -> Result<Vec<Resource>> {
    let named = vm.property("networkProfile/networkInterfaces").and_then(Value::as_array);
    let found = named.into_iter().flatten().map(|reference| referred(txn, Some(reference)));
    found.filter_map(Result::transpose).collect()
}

/// The resource that `{"id": …}` names.
pub(in crate::imds) fn referred(txn: &Txn, reference: Option<&Value>) -> Result<Option<Resource>> {
    let id = reference.and_then(|it| it.get("id")).and_then(Value::as_str);
    match id.and_then(|id| ResourceId::parse(id).ok()) {
        Some(id) => resources::get(txn, &id),
        None => Ok(None),
    }
}

fn interface(txn: &Txn, stored: &Resource) -> Result<Value> {
    let (mut addresses, mut subnets, mut addresses_v6) = (Vec::new(), Vec::new(), Vec::new());
    let configurations = stored.property("ipConfigurations").and_then(Value::as_array);
    for configuration in configurations.into_iter().flatten() {
        let of = |name: &str| configuration.get("properties").and_then(|it| it.get(name));
        let private = text(of("privateIPAddress"));
        if of("privateIPAddressVersion").and_then(Value::as_str) == Some("IPv6") {
            addresses_v6.push(json!({ "privateIpAddress": private }));
            continue;
        }
        let public = referred(txn, of("publicIPAddress"))?;
        let public = text(public.as_ref().and_then(|it| it.property("ipAddress")));
        addresses.push(json!({ "privateIpAddress": private, "publicIpAddress": public }));
        if let Some(subnet) = subnet(txn, of("subnet"))? {
            subnets.push(subnet);
        }
    }
    Ok(json!({
        "ipv4": { "ipAddress": addresses, "subnet": subnets },
        "ipv6": { "ipAddress": addresses_v6 },
        "macAddress": mac_address(stored),
    }))
}

/// `{"address": "10.0.0.0", "prefix": "24"}`.
fn subnet(txn: &Txn, reference: Option<&Value>) -> Result<Option<Value>> {
    let stored = referred(txn, reference)?;
    let range = stored.as_ref().and_then(|it| it.text("addressPrefix"));
    let parts = range.and_then(|range| range.split_once('/'));
    Ok(parts.map(|(address, prefix)| json!({ "address": address, "prefix": prefix })))
}

/// Twelve digits; Resource Manager writes hyphens between.
fn mac_address(stored: &Resource) -> String {
    stored.text("macAddress").unwrap_or_default().replace('-', "")
}
