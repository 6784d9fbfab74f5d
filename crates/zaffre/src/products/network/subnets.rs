//! `virtualNetworks/subnets`: a part of a network's addresses, from which interfaces take theirs.

use azure::{cidr::Cidr, error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    codes, ids,
    nested::{Item, Nested},
    or_default, reference, referred, vnets,
};
use crate::{
    arm::kind::{Change, Gone, Removal, View},
    resources::{Resource, links},
    store::Txn,
};

pub(super) static NESTED: Nested =
    Nested { member: "subnets", type_name: "Microsoft.Network/virtualNetworks/subnets", judge, drop };

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    NESTED.put(change)
}

fn judge(change: &mut Change<'_>, item: Item<'_>) -> Result<()> {
    let Item { parent, before, next } = item;
    next.properties.shift_remove("ipConfigurations");
    let ranges = ranges(next)?;
    if ranges.is_empty() {
        return Err(codes::NO_PREFIX.with([next.id.as_str()]));
    }
    placed(change.txn, parent, next, &ranges)?;
    let group = |it: &Resource| reference(it.property("networkSecurityGroup"));
    let now = group(next)?;
    if let Some(group) = &now {
        let by = Resource { location: parent.location.clone(), ..next.clone() };
        referred(change.txn, &by, group)?;
    }
    let was: Vec<_> = before.map(group).transpose()?.flatten().into_iter().collect();
    links::relink(change.txn, &next.id, &was, &now.into_iter().collect::<Vec<_>>())?;
    change.cx.env.follower.wake_after(change.txn);
    let defaults = [
        ("delegations", json!([])),
        ("privateEndpointNetworkPolicies", json!("Disabled")),
        ("privateLinkServiceNetworkPolicies", json!("Enabled")),
    ];
    or_default(&mut next.properties, defaults);
    Ok(())
}

/// Inside the network, and beside the other subnets.
fn placed(txn: &Txn, network: &Resource, next: &Resource, ranges: &[Cidr]) -> Result<()> {
    let space = vnets::prefixes(network)?;
    if !ranges.iter().all(|range| space.iter().any(|it| it.holds(range))) {
        return Err(codes::SUBNET_OUTSIDE.with([next.name(), network.name()]));
    }
    for other in NESTED.rows(txn, &network.id)?.iter().filter(|it| it.id != next.id) {
        let taken = self::ranges(other)?;
        if ranges.iter().any(|range| taken.iter().any(|it| it.overlaps(range))) {
            return Err(codes::SUBNETS_OVERLAP.with([next.name(), network.name()]));
        }
    }
    Ok(())
}

/// Its ranges: `addressPrefix`, or `addressPrefixes` where it has two families.
pub(super) fn ranges(subnet: &Resource) -> Result<Vec<Cidr>> {
    let many = subnet.property("addressPrefixes").and_then(Value::as_array).into_iter().flatten();
    let one = subnet.property("addressPrefix").filter(|it| !it.is_null());
    let texts = one.into_iter().chain(many.filter(|it| Some(*it) != one));
    texts.map(|it| range(it.as_str().unwrap_or_default(), &subnet.id)).collect()
}

/// A range that is written as Azure wants it, from its first address.
pub(super) fn range(text: &str, of: &ResourceId) -> Result<Cidr> {
    let range: Cidr = text.parse().map_err(|_| codes::BAD_PREFIX.with([text, of.as_str()]))?;
    match range.is_canonical() {
        true => Ok(range),
        false => Err(codes::BAD_NOTATION.with([text, of.as_str(), &range.canonical().to_string()])),
    }
}

/// One that its network no longer lists.
fn drop(txn: &mut Txn, subnet: &Resource) -> Result<()> {
    match links::users(txn, &subnet.id)?.first() {
        Some(user) => Err(codes::SUBNET_IN_USE.with([subnet.name(), user.as_str()])),
        None => forget(txn, subnet),
    }
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    if let Some(user) = removal.users_left(&removal.resource.id)?.first() {
        return Err(codes::SUBNET_IN_USE.with([removal.resource.name(), user.as_str()]));
    }
    forget(removal.txn, removal.resource).map(|()| Gone::Now)
}

fn forget(txn: &mut Txn, subnet: &Resource) -> Result<()> {
    let group: Vec<_> = reference(subnet.property("networkSecurityGroup"))?.into_iter().collect();
    links::relink(txn, &subnet.id, &group, &[])
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    properties(view.txn, view.resource)
}

/// With the configurations of interfaces that are in it.
pub(super) fn properties(txn: &Txn, subnet: &Resource) -> Result<Map<String, Value>> {
    let mut properties = subnet.properties.clone();
    let users = links::users(txn, &subnet.id)?;
    if !users.is_empty() {
        properties.insert("ipConfigurations".to_owned(), ids(&users));
    }
    Ok(properties)
}
