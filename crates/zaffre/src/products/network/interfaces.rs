//! `networkInterfaces`: a machine's place in a subnet, with the addresses it has there and outside.

use std::net::IpAddr;

use azure::{cidr::Cidr, error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{addresses, codes, or_default, public, reference, referred, resource_guid, subnets, weak};
use crate::{
    arm::kind::{Change, Gone, Removal, View},
    resources::{self, Resource, links},
    store::Txn,
};

/// An entry of `ipConfigurations`, with the names that its rules need.
struct Configuration {
    id: ResourceId,
    subnet: Option<ResourceId>,
    public: Option<ResourceId>,
    address: Option<IpAddr>,
    is_static: bool,
    is_ipv4: bool,
}

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    for shown in ["virtualMachine", "primary"] {
        change.next.properties.shift_remove(shown);
    }
    resource_guid(change);
    let before = change.current.map(configurations).transpose()?.unwrap_or_default();
    let next = configurations(change.next)?;
    if next.is_empty() {
        return Err(codes::NO_CONFIGURATION.with([change.next.name()]));
    }
    for gone in before.iter().filter(|it| next.iter().all(|other| other.id != it.id)) {
        let_go(change.txn, gone)?;
    }
    for (at, configuration) in next.iter().enumerate() {
        let was = before.iter().find(|it| it.id == configuration.id);
        settle(change, at, configuration, was)?;
    }
    settle_group(change)?;
    change.cx.env.follower.wake_after(change.txn);
    let mac = change.current.and_then(|it| it.property("macAddress")).cloned();
    let mac = mac.unwrap_or_else(|| json!(mac_address(change.draw.guid().0)));
    change.next.set("macAddress", mac);
    let defaults = [
        ("dnsSettings", json!({ "dnsServers": [], "appliedDnsServers": [] })),
        ("enableAcceleratedNetworking", json!(false)),
        ("enableIPForwarding", json!(false)),
        ("nicType", json!("Standard")),
    ];
    or_default(&mut change.next.properties, defaults);
    Ok(())
}

/// In the range that Azure's own begin with (resources.md §3).
pub(super) fn mac_address(chance: [u8; 16]) -> String {
    format!("00-0D-3A-{:02X}-{:02X}-{:02X}", chance[0], chance[1], chance[2])
}

fn configurations(interface: &Resource) -> Result<Vec<Configuration>> {
    let listed = interface.property("ipConfigurations").and_then(Value::as_array);
    listed.into_iter().flatten().map(|it| configuration(&interface.id, it)).collect()
}

fn configuration(interface: &ResourceId, entry: &Value) -> Result<Configuration> {
    let text = |name: &str| entry["properties"][name].as_str().filter(|it| !it.is_empty());
    let name = entry["name"].as_str().filter(|it| !it.is_empty() && !it.contains('/'));
    let name = name.ok_or_else(|| codes::BAD_FORMAT.with(["an IP configuration has no name"]))?;
    let address = text("privateIPAddress")
        .map(|it| it.parse().map_err(|_| codes::BAD_FORMAT.with([format!("the private address '{it}'")])));
    Ok(Configuration {
        id: interface.child("ipConfigurations", name),
        subnet: reference(entry["properties"].get("subnet"))?,
        public: reference(entry["properties"].get("publicIPAddress"))?,
        address: address.transpose()?,
        is_static: text("privateIPAllocationMethod").is_some_and(|it| it.eq_ignore_ascii_case("Static")),
        is_ipv4: !text("privateIPAddressVersion").is_some_and(|it| it.eq_ignore_ascii_case("IPv6")),
    })
}

/// Gives a configuration its private address, binds its public one, and writes both into the entry.
fn settle(
    change: &mut Change<'_>,
    at: usize,
    next: &Configuration,
    was: Option<&Configuration>,
) -> Result<()> {
    let subnet = next
        .subnet
        .as_ref()
        .ok_or_else(|| codes::BAD_FORMAT.with([format!("{} names no subnet", next.id)]))?;
    let network = subnet.parent().unwrap_or_else(ResourceId::root);
    referred(change.txn, change.next, &network)?;
    let place = referred(change.txn, change.next, subnet)?;
    let address = private_address(change.txn, next, was, &place)?;
    if let Some(was) = was {
        let_go(change.txn, was)?;
    }
    addresses::take(change.txn, subnet, address, &next.id)?;
    if let Some(public) = &next.public {
        bind(change, public, &next.id)?;
    }
    let uses: Vec<_> = next.subnet.iter().chain(&next.public).cloned().collect();
    links::relink(change.txn, &next.id, &[], &uses)?;
    write_entry(change.next, at, next, address);
    Ok(())
}

/// The one that is asked for, else the one it has, else the lowest that is free.
fn private_address(
    txn: &Txn,
    next: &Configuration,
    was: Option<&Configuration>,
    subnet: &Resource,
) -> Result<IpAddr> {
    let ranges = subnets::ranges(subnet)?;
    let range = ranges.iter().find(|it| it.is_ipv4() == next.is_ipv4);
    let range = range.ok_or_else(|| codes::NO_PREFIX.with([subnet.id.as_str()]))?;
    if let (true, Some(address)) = (next.is_static, next.address) {
        return asked_for(txn, next, address, (subnet, range));
    }
    let kept = was.filter(|it| it.subnet == next.subnet).and_then(|it| it.address);
    if let Some(address) = kept.filter(|it| range.holds_address(*it)) {
        return Ok(address);
    }
    let free = addresses::free(txn, &subnet.id, range)?;
    free.ok_or_else(|| codes::SUBNET_FULL.with([subnet.name(), &range.to_string(), "1"]))
}

fn asked_for(
    txn: &Txn,
    next: &Configuration,
    address: IpAddr,
    (subnet, range): (&Resource, &Cidr),
) -> Result<IpAddr> {
    let words = || [address.to_string(), range.to_string()];
    if !range.holds_address(address) {
        return Err(codes::ADDRESS_OUTSIDE.with(words()));
    }
    if addresses::is_reserved(range, address) {
        return Err(codes::ADDRESS_RESERVED.with(words()));
    }
    match addresses::holder(txn, &subnet.id, address)?.filter(|it| *it != next.id) {
        Some(other) => {
            Err(codes::ADDRESS_TAKEN.with([next.id.as_str(), &address.to_string(), other.as_str()]))
        }
        None => Ok(address),
    }
}

/// A public address is one configuration's; a dynamic one is given now.
fn bind(change: &mut Change<'_>, public: &ResourceId, configuration: &ResourceId) -> Result<()> {
    let mut address = referred(change.txn, change.next, public)?;
    if let Some(other) = public::other_user(change.txn, public, configuration)? {
        return Err(codes::PUBLIC_TAKEN.with([change.next.id.as_str(), public.as_str(), other.as_str()]));
    }
    public::allocate(change.txn, &mut address)?;
    resources::put(change.txn, &address)
}

fn write_entry(interface: &mut Resource, at: usize, configuration: &Configuration, address: IpAddr) {
    let list = interface.properties.get_mut("ipConfigurations").and_then(Value::as_array_mut);
    let Some(entry) = list.and_then(|it| it.get_mut(at)) else { return };
    let mut properties = entry["properties"].as_object().cloned().unwrap_or_default();
    properties.insert("privateIPAddress".to_owned(), json!(address.to_string()));
    let method = if configuration.is_static { "Static" } else { "Dynamic" };
    properties.insert("privateIPAllocationMethod".to_owned(), json!(method));
    let defaults = [
        ("primary", json!(at == 0)),
        ("privateIPAddressVersion", json!(if configuration.is_ipv4 { "IPv4" } else { "IPv6" })),
    ];
    or_default(&mut properties, defaults);
    properties.shift_remove("provisioningState");
    *entry = json!({ "name": configuration.id.name(), "properties": properties });
}

/// Gives back what a configuration has.
fn let_go(txn: &mut Txn, configuration: &Configuration) -> Result<()> {
    if let (Some(subnet), Some(address)) = (&configuration.subnet, configuration.address) {
        addresses::give_back(txn, subnet, address)?;
    }
    let used: Vec<_> = configuration.subnet.iter().chain(&configuration.public).cloned().collect();
    links::relink(txn, &configuration.id, &used, &[])
}

fn settle_group(change: &mut Change<'_>) -> Result<()> {
    let group = |it: &Resource| reference(it.property("networkSecurityGroup"));
    let now = group(change.next)?;
    if let Some(group) = &now {
        referred(change.txn, change.next, group)?;
    }
    let was: Vec<_> = change.current.map(group).transpose()?.flatten().into_iter().collect();
    links::relink(change.txn, &change.next.id, &was, &now.into_iter().collect::<Vec<_>>())
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let interface = removal.resource;
    if let Some(user) = removal.users_left(&interface.id)?.first() {
        return Err(codes::INTERFACE_IN_USE.with([interface.id.as_str(), user.as_str()]));
    }
    for configuration in configurations(interface)? {
        let_go(removal.txn, &configuration)?;
    }
    removal.also.extend(leaving_along(removal.txn, interface)?);
    let group: Vec<_> = reference(interface.property("networkSecurityGroup"))?.into_iter().collect();
    links::relink(removal.txn, &interface.id, &group, &[]).map(|()| Gone::Now)
}

/// The public addresses that were to go with the interface: it says so itself, or they do.
fn leaving_along(txn: &Txn, interface: &Resource) -> Result<Vec<ResourceId>> {
    let goes = |properties: Option<&Value>| properties.is_some_and(|it| it["deleteOption"] == "Delete");
    let entries = interface.property("ipConfigurations").and_then(Value::as_array);
    let mut leaving = Vec::new();
    for public in entries.into_iter().flatten().map(|it| &it["properties"]["publicIPAddress"]) {
        let Some(id) = reference(Some(public))? else { continue };
        let own = resources::get(txn, &id)?.map(|it| Value::Object(it.properties));
        if goes(public.get("properties")) || goes(own.as_ref()) {
            leaving.push(id);
        }
    }
    Ok(leaving)
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let interface = view.resource;
    let mut properties = interface.properties.clone();
    if let Some(entries) = properties.get_mut("ipConfigurations").and_then(Value::as_array_mut) {
        entries.iter_mut().for_each(|entry| *entry = shown(interface, entry));
    }
    if let Some(machine) = links::users(view.txn, &interface.id)?.first() {
        properties.insert("virtualMachine".to_owned(), json!({ "id": machine }));
        properties.insert("primary".to_owned(), json!(true));
    }
    Ok(properties)
}

fn shown(interface: &Resource, entry: &Value) -> Value {
    let name = entry["name"].as_str().unwrap_or_default();
    let mut properties = entry["properties"].as_object().cloned().unwrap_or_default();
    properties.insert("provisioningState".to_owned(), json!(interface.state.as_str()));
    json!({
        "name": name,
        "id": interface.id.child("ipConfigurations", name),
        "etag": weak(interface.etag),
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": properties,
    })
}
