//! `virtualNetworks/virtualNetworkPeerings`: one half of what joins two networks; joined they are when each has its half.
//!
//! ```text
//! first half   Initiated ──▶ the other's half is made: both Connected ──▶ either is deleted: the one that is left Disconnected
//! ```
//!
//! Machines of networks that are joined reach each other by address, as far as rules let them, and not by name: the platform's resolver
//! answers for one network (virtual-network-peering-overview.md). A peering leads no further than to the other network. Each half says
//! whether the machines of its own network may begin anything there (`allowVirtualNetworkAccess`); that they pass on what is others'
//! (`allowForwardedTraffic`) is kept, as no machine here does.

use azure::{cidr::Cidr, error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    codes,
    nested::{Item, Nested},
    or_default, reference, vnets,
};
use crate::{
    arm::{
        codes as arm,
        kind::{Change, Gone, Removal, View},
    },
    resources::{self, Resource},
    store::Txn,
};

pub(super) static NESTED: Nested = Nested {
    member: "virtualNetworkPeerings",
    type_name: "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
    judge,
    drop: let_go,
};

const REMOTE: &str = "remoteVirtualNetwork";
const STATE: &str = "peeringState";
const CONNECTED: &str = "Connected";
const DISCONNECTED: &str = "Disconnected";

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    NESTED.put(change)
}

fn judge(change: &mut Change<'_>, item: Item<'_>) -> Result<()> {
    let Item { parent, before, next } = item;
    for shown in
        [STATE, "peeringSyncLevel", "remoteAddressSpace", "remoteVirtualNetworkAddressSpace", "resourceGuid"]
    {
        next.properties.shift_remove(shown);
    }
    if let Some(name) = ["useRemoteGateways", "enableOnlyIPv6Peering"]
        .into_iter()
        .find(|it| next.property(it) == Some(&json!(true)))
    {
        return Err(arm::not_implemented(format!("{} with {name}", NESTED.type_name)));
    }
    let remote = remote_of(next)?;
    let there = resources::get(change.txn, &remote)?.filter(|it| it.id != parent.id);
    let there = there.ok_or_else(|| codes::REFERENCE_NOT_FOUND.with([remote.as_str(), next.id.as_str()]))?;
    if before.map(remote_of).transpose()?.is_some_and(|it| it != remote) {
        return Err(codes::REMOTE_CHANGED.with([next.id.as_str()]));
    }
    check_siblings(change.txn, parent, next, &there)?;
    let state = match half_of(change.txn, &there.id, &parent.id)? {
        None => before.and_then(|it| it.text(STATE)).unwrap_or("Initiated").to_owned(),
        Some(other) if other.text(STATE) == Some(DISCONNECTED) => {
            return Err(codes::REMOTE_DISCONNECTED.with([
                next.id.as_str(),
                other.id.as_str(),
                parent.id.as_str(),
            ]));
        }
        Some(mut other) => {
            other.set(STATE, CONNECTED);
            resources::put(change.txn, &other)?;
            CONNECTED.to_owned()
        }
    };
    next.set(STATE, state);
    change.cx.env.follower.wake_after(change.txn);
    let defaults = [
        ("allowVirtualNetworkAccess", json!(true)),
        ("allowForwardedTraffic", json!(false)),
        ("allowGatewayTransit", json!(false)),
        ("useRemoteGateways", json!(false)),
        ("doNotVerifyRemoteGateways", json!(false)),
        ("peerCompleteVnets", json!(true)),
    ];
    or_default(&mut next.properties, defaults);
    Ok(())
}

/// No range is in two networks that one machine reaches, and no network is reached twice.
fn check_siblings(txn: &Txn, parent: &Resource, next: &Resource, remote: &Resource) -> Result<()> {
    let ranges = vnets::prefixes(remote)?;
    let overlap = |with: &Resource| -> Result<Option<(Cidr, Cidr)>> {
        let own = vnets::prefixes(with)?;
        let pairs = own.iter().flat_map(|own| ranges.iter().map(move |it| (*own, *it)));
        Ok(pairs.into_iter().find(|(own, it)| own.overlaps(it)))
    };
    let refuse = |with: &Resource, (own, it): (Cidr, Cidr)| {
        let words = [
            next.id.to_string(),
            with.id.to_string(),
            remote.id.to_string(),
            own.to_string(),
            it.to_string(),
        ];
        Err(codes::PEERS_OVERLAP.with(words))
    };
    if let Some(pair) = overlap(parent)? {
        return refuse(parent, pair);
    }
    for sibling in NESTED.rows(txn, &parent.id)?.iter().filter(|it| it.id != next.id) {
        let other = remote_of(sibling)?;
        if other == remote.id {
            return Err(codes::PEERED_ALREADY.with([
                next.id.as_str(),
                sibling.id.as_str(),
                remote.id.as_str(),
            ]));
        }
        if let Some(other) = resources::get(txn, &other)?
            && let Some(pair) = overlap(&other)?
        {
            return refuse(&other, pair);
        }
    }
    Ok(())
}

fn remote_of(peering: &Resource) -> Result<ResourceId> {
    let missing = || codes::BAD_FORMAT.with([format!("{} names no {REMOTE}", peering.id)]);
    reference(peering.property(REMOTE))?.ok_or_else(missing)
}

/// A network's half of its peering with another.
fn half_of(txn: &Txn, network: &ResourceId, other: &ResourceId) -> Result<Option<Resource>> {
    let rows = NESTED.rows(txn, network)?;
    Ok(rows.into_iter().find(|it| remote_of(it).is_ok_and(|remote| remote == *other)))
}

/// A half that goes leaves the other one of no use.
fn let_go(txn: &mut Txn, gone: &Resource) -> Result<()> {
    let Some(network) = gone.id.parent() else { return Ok(()) };
    if let Some(mut other) = half_of(txn, &remote_of(gone)?, &network)? {
        other.set(STATE, DISCONNECTED);
        resources::put(txn, &other)?;
    }
    Ok(())
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let_go(removal.txn, removal.resource)?;
    removal.cx.env.follower.wake_after(removal.txn);
    Ok(Gone::Now)
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    properties(view.txn, view.resource)
}

/// With what is on the other side, as it is now.
pub(super) fn properties(txn: &Txn, peering: &Resource) -> Result<Map<String, Value>> {
    let mut properties = peering.properties.clone();
    properties.insert("peeringSyncLevel".to_owned(), json!("FullyInSync"));
    if let Some(remote) = resources::get(txn, &remote_of(peering)?)? {
        let space = remote.property("addressSpace").cloned().unwrap_or_default();
        properties.insert("remoteAddressSpace".to_owned(), space.clone());
        properties.insert("remoteVirtualNetworkAddressSpace".to_owned(), space);
        properties
            .insert("resourceGuid".to_owned(), remote.property("resourceGuid").cloned().unwrap_or_default());
    }
    Ok(properties)
}

/// A network that one is joined to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Peer {
    pub(crate) network: ResourceId,
    pub(crate) ranges: Vec<Cidr>,
    /// Whether machines of one's own may begin something there.
    pub(crate) is_open: bool,
}

/// What a network is joined to.
pub(super) fn of(txn: &Txn, network: &ResourceId) -> Result<Vec<Peer>> {
    let mut peers = Vec::new();
    for half in NESTED.rows(txn, network)?.iter().filter(|it| it.text(STATE) == Some(CONNECTED)) {
        if let Some(remote) = resources::get(txn, &remote_of(half)?)? {
            let is_open = half.property("allowVirtualNetworkAccess") != Some(&json!(false));
            peers.push(Peer { ranges: vnets::prefixes(&remote)?, network: remote.id, is_open });
        }
    }
    Ok(peers)
}
