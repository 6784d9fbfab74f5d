//! `virtualNetworks`: ranges of addresses, cut into subnets. One goes when its subnets may, which are asked first.

use azure::{cidr::Cidr, error::Result};
use serde_json::{Map, Value, json};

use super::{codes, nested, or_default, peerings, resource_guid, subnets};
use crate::{
    arm::kind::{Change, View},
    resources::Resource,
};

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    if prefixes(change.next)?.is_empty() {
        return Err(codes::NO_PREFIX.with([change.next.id.as_str()]));
    }
    resource_guid(change);
    or_default(&mut change.next.properties, [("enableDdosProtection", json!(false))]);
    peerings::NESTED.write(change)?;
    let is_given = change.next.properties.get("subnets").is_some_and(Value::is_array);
    subnets::NESTED.write(change)?;
    if is_given { Ok(()) } else { still_inside(change) }
}

/// The ranges of the network, each written from its first address.
pub(super) fn prefixes(network: &Resource) -> Result<Vec<Cidr>> {
    let listed = network.property("addressSpace/addressPrefixes").and_then(Value::as_array);
    let texts = listed.into_iter().flatten().map(|it| it.as_str().unwrap_or_default());
    texts.map(|text| subnets::range(text, &network.id)).collect()
}

/// A network that shrinks keeps its subnets inside.
fn still_inside(change: &Change<'_>) -> Result<()> {
    let ranges = prefixes(change.next)?;
    for subnet in subnets::NESTED.rows(change.txn, &change.next.id)? {
        for range in subnets::ranges(&subnet)? {
            if !ranges.iter().any(|it| it.holds(&range)) {
                return Err(codes::SUBNET_OUTSIDE.with([subnet.name(), change.next.name()]));
            }
        }
    }
    Ok(())
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    let mut listed = Vec::new();
    for subnet in subnets::NESTED.listed(view.txn, view.resource, &mut properties)? {
        listed.push(nested::shown(&subnet, subnets::properties(view.txn, &subnet)?));
    }
    properties.insert("subnets".to_owned(), Value::Array(listed));
    let mut listed = Vec::new();
    for peering in peerings::NESTED.listed(view.txn, view.resource, &mut properties)? {
        listed.push(nested::shown(&peering, peerings::properties(view.txn, &peering)?));
    }
    properties.insert("virtualNetworkPeerings".to_owned(), Value::Array(listed));
    Ok(properties)
}
