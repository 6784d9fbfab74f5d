//! `publicIPAddresses`: an address by which a machine is reached from outside, which here is a loopback address.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{addresses, codes, or_default, resource_guid};
use crate::{
    arm::{
        codes as arm,
        kind::{Change, Gone, Removal, View},
    },
    resources::{
        Resource, links,
        names::{self, Space},
    },
    store::Txn,
};

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    change.next.properties.shift_remove("ipConfiguration");
    change.next.properties.shift_remove("ipAddress");
    if change.next.text("publicIPAddressVersion").is_some_and(|it| it.eq_ignore_ascii_case("IPv6")) {
        return Err(arm::not_implemented("Microsoft.Network/publicIPAddresses of IPv6"));
    }
    resource_guid(change);
    settle_sku(change.next);
    settle_method(change.next)?;
    settle_name(change)?;
    let present = change.current.and_then(|it| it.text("ipAddress"));
    if let Some(address) = present {
        change.next.set("ipAddress", address);
    } else if change.next.text("publicIPAllocationMethod") == Some("Static") {
        allocate(change.txn, change.next)?;
    }
    Ok(())
}

fn settle_sku(next: &mut Resource) {
    let sku = next.sku.get_or_insert_with(|| json!({}));
    let text = |name: &str| sku.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").unwrap_or_else(|| "Basic".to_owned());
    let tier = text("tier").unwrap_or_else(|| "Regional".to_owned());
    *sku = json!({ "name": name, "tier": tier });
    let defaults = [
        ("publicIPAddressVersion", json!("IPv4")),
        ("publicIPAllocationMethod", json!(if name == "Standard" { "Static" } else { "Dynamic" })),
        ("idleTimeoutInMinutes", json!(4)),
        ("ipTags", json!([])),
    ];
    or_default(&mut next.properties, defaults);
}

/// In Azure's spelling: az of 2018 writes `dynamic`.
fn settle_method(next: &mut Resource) -> Result<()> {
    let given = next.text("publicIPAllocationMethod").unwrap_or_default();
    let known = ["Static", "Dynamic"].into_iter().find(|it| it.eq_ignore_ascii_case(given));
    let refuse = || codes::BAD_FORMAT.with([format!("publicIPAllocationMethod '{given}'")]);
    next.set("publicIPAllocationMethod", known.ok_or_else(refuse)?);
    Ok(())
}

/// `{label}.{location}.cloudapp.azure.com`, which is one resource's alone.
fn settle_name(change: &mut Change<'_>) -> Result<()> {
    let host = host_of(change.next);
    if let Some(before) = change.current.and_then(host_of).filter(|it| Some(it) != host.as_ref()) {
        names::release(change.txn, Space::CloudApp, &before)?;
    }
    let Some(host) = host else { return Ok(()) };
    if !names::claim(change.txn, Space::CloudApp, &host, &change.next.id)? {
        return Err(codes::DNS_TAKEN.with([host]));
    }
    if let Some(settings) = change.next.properties.get_mut("dnsSettings") {
        settings["fqdn"] = json!(host);
    }
    Ok(())
}

fn host_of(resource: &Resource) -> Option<String> {
    let label = resource.text("dnsSettings/domainNameLabel").filter(|it| !it.is_empty())?;
    let location = resource.location.as_deref()?;
    Some(format!("{}.{location}.cloudapp.azure.com", label.to_ascii_lowercase()))
}

/// Gives it an address, if it has none.
pub(super) fn allocate(txn: &mut Txn, resource: &mut Resource) -> Result<()> {
    if resource.text("ipAddress").is_some() {
        return Ok(());
    }
    let address = addresses::take_public(txn, &resource.id)?;
    let exhausted = || codes::PUBLIC_EXHAUSTED.with([addresses::PUBLIC_COUNT.to_string()]);
    resource.set("ipAddress", address.ok_or_else(exhausted)?.to_string());
    Ok(())
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let resource = removal.resource;
    if let Some(user) = removal.users_left(&resource.id)?.first() {
        return Err(codes::PUBLIC_IN_USE.with([resource.id.as_str(), user.as_str()]));
    }
    if let Some(address) = resource.text("ipAddress").and_then(|it| it.parse().ok()) {
        addresses::give_back_public(removal.txn, address)?;
    }
    if let Some(host) = host_of(resource) {
        names::release(removal.txn, Space::CloudApp, &host)?;
    }
    Ok(Gone::Now)
}

/// Who else uses it than this configuration of an interface.
pub(super) fn other_user(
    txn: &Txn,
    address: &ResourceId,
    configuration: &ResourceId,
) -> Result<Option<ResourceId>> {
    Ok(links::users(txn, address)?.into_iter().find(|user| user != configuration))
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    if let Some(user) = links::users(view.txn, &view.resource.id)?.first() {
        properties.insert("ipConfiguration".to_owned(), json!({ "id": user }));
    }
    Ok(properties)
}
