//! Where a machine is: its interface's place in a virtual network, and the security rules around it, as whoever runs machines needs them.

use std::net::{IpAddr, Ipv4Addr};

use azure::{
    cidr::Cidr,
    error::Result,
    ids::ResourceId,
    security_rules::{Rule, Security},
};
use serde_json::Value;

pub(crate) use super::peerings::Peer;
use super::{groups, peerings, reference, rules, subnets, vnets};
use crate::{
    resources::{self, Resource},
    store::Txn,
};

/// An interface in its network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The virtual network.
    pub(crate) network: ResourceId,
    pub(crate) mac: [u8; 6],
    /// Its addresses of version 4, each with the length of its subnet's prefix; the primary one first.
    pub(crate) addresses: Vec<(Ipv4Addr, u8)>,
    /// The network's ranges.
    pub(crate) ranges: Vec<Cidr>,
    /// What stands behind the names of the network's machines.
    pub(crate) suffix: String,
    pub(crate) security: Security,
    /// The networks that it is joined to.
    pub(crate) peers: Vec<Peer>,
    /// Whether its subnet and its addresses let anything out to the Internet, before any rule is asked.
    pub(crate) has_outbound: bool,
}

/// Where an interface is; none where it has no address in a network that is there.
pub(crate) fn of(txn: &Txn, interface: &Resource) -> Result<Option<Place>> {
    let entries = interface.property("ipConfigurations").and_then(Value::as_array);
    let mut found: Option<(Resource, Resource)> = None;
    let mut addresses = Vec::new();
    for properties in entries.into_iter().flatten().map(|it| &it["properties"]) {
        let address = properties["privateIPAddress"].as_str().and_then(|it| it.parse::<Ipv4Addr>().ok());
        let (Some(address), Some(subnet)) = (address, reference(properties.get("subnet"))?) else { continue };
        let Some(subnet) = resources::get(txn, &subnet)? else { continue };
        let range = subnets::ranges(&subnet)?.into_iter().find(|it| it.holds_address(IpAddr::V4(address)));
        let Some(range) = range else { continue };
        let place = (address, range.prefix());
        if properties["primary"] == true {
            addresses.insert(0, place)
        } else {
            addresses.push(place)
        }
        if found.is_none()
            && let Some(network) =
                subnet.id.parent().map(|it| resources::get(txn, &it)).transpose()?.flatten()
        {
            found = Some((network, subnet));
        }
    }
    let Some((network, subnet)) = found else { return Ok(None) };
    let ranges: Vec<Cidr> = vnets::prefixes(&network)?;
    let peers = peerings::of(txn, &network.id)?;
    // What the tag `VirtualNetwork` means holds those that are open too (network-security-groups-overview.md, service tags).
    let open = peers.iter().filter(|it| it.is_open).flat_map(|it| &it.ranges);
    let near: Vec<Cidr> = ranges.iter().chain(open).cloned().collect();
    Ok(Some(Place {
        mac: mac(interface),
        addresses,
        suffix: suffix(&network),
        security: Security::new(around(txn, [&subnet, interface])?, near),
        ranges,
        peers,
        network: network.id,
        has_outbound: has_outbound(&subnet, interface)?,
    }))
}

/// A private subnet lets nobody out but by a NAT gateway or a public address (default-outbound-access.md).
fn has_outbound(subnet: &Resource, interface: &Resource) -> Result<bool> {
    let is_private = subnet.property("defaultOutboundAccess").and_then(Value::as_bool) == Some(false);
    let entries = interface.property("ipConfigurations").and_then(Value::as_array);
    let has_public = |it: &Value| Ok(reference(it["properties"].get("publicIPAddress"))?.is_some());
    let has_public: Vec<bool> = entries.into_iter().flatten().map(has_public).collect::<Result<_>>()?;
    Ok(!is_private || has_public.contains(&true) || reference(subnet.property("natGateway"))?.is_some())
}

/// The rules of the groups of a subnet and an interface, the default ones with each.
fn around(txn: &Txn, places: [&Resource; 2]) -> Result<Vec<Vec<Rule>>> {
    let mut all = Vec::new();
    for place in places {
        let Some(group) = reference(place.property("networkSecurityGroup"))? else { continue };
        let rows = rules::NESTED.rows(txn, &group)?;
        let own = rows.iter().filter_map(|it| Rule::parse(&it.properties));
        all.push(own.chain(groups::default_rules()).collect());
    }
    Ok(all)
}

/// Resource Manager writes it with hyphens.
fn mac(interface: &Resource) -> [u8; 6] {
    let mut mac = [0; 6];
    let parts = interface.text("macAddress").unwrap_or_default().split('-');
    for (byte, text) in mac.iter_mut().zip(parts) {
        *byte = u8::from_str_radix(text, 16).unwrap_or_default();
    }
    mac
}

/// One of the network's own, as Azure makes one up for each: `….ax.internal.cloudapp.net`.
fn suffix(network: &Resource) -> String {
    let guid: String =
        network.text("resourceGuid").unwrap_or_default().replace('-', "").chars().take(26).collect();
    format!("{guid}.ax.internal.cloudapp.net")
}
