//! Whether a machine can be reached from outside, at its public address.
//!
//! Security groups decide (`azure::security_rules`). A machine that none guards is open at an address of the Basic SKU, and closed at one of the
//! Standard SKU (public-ip-addresses.md, "SKU": "secure by default").
//!
//! Who comes from outside comes from this host, and which of the Internet's addresses that would be, nobody can say. A rule that lets in some
//! public addresses is meant for its author, who sits here: so one may be at any of those that rules let in.

use std::net::{IpAddr, Ipv4Addr};

use azure::{
    error::Result,
    security_rules::{Direction, Protocol, Security, Traffic},
};
use serde_json::Value;

use super::{places, reference};
use crate::{
    resources::{self, Resource},
    store::Txn,
};

/// Somebody on the Internet: an address that is nobody's (RFC 5737), and a port of the kind that clients have.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PORT: u16 = 50_000;

/// The first public address of these interfaces at which a TCP port is open from outside.
pub(crate) fn open_address(txn: &Txn, interfaces: &[Resource], port: u16) -> Result<Option<Ipv4Addr>> {
    for interface in interfaces {
        let Some(place) = places::of(txn, interface)? else { continue };
        let configurations = interface.property("ipConfigurations").and_then(Value::as_array);
        for configuration in configurations.into_iter().flatten().map(|it| &it["properties"]) {
            let private = configuration["privateIPAddress"].as_str().and_then(|it| it.parse().ok());
            let Some(id) = reference(configuration.get("publicIPAddress"))? else { continue };
            let (Some(private), Some(public)) = (private, resources::get(txn, &id)?) else { continue };
            let address = public.text("ipAddress").and_then(|it| it.parse().ok());
            if address.is_some() && is_open(&place.security, &public, (private, port)) {
                return Ok(address);
            }
        }
    }
    Ok(None)
}

/// Whether anybody from outside is let in; behind a public address, rules are held against the private one.
fn is_open(security: &Security, public: &Resource, to: (IpAddr, u16)) -> bool {
    let is_basic = public.sku.as_ref().is_none_or(|it| it["name"] != "Standard");
    if !security.is_guarded() {
        return is_basic;
    }
    let sources = security.sources_let_in().into_iter().filter(is_public);
    sources.chain([STRANGER]).any(|source| {
        let traffic = Traffic { protocol: Protocol::Tcp, source: (source, PORT), destination: to };
        security.allows(Direction::Inbound, &traffic)
    })
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !it.is_private() && !it.is_link_local() && !it.is_loopback(),
        IpAddr::V6(it) => !it.is_unique_local() && !it.is_unicast_link_local() && !it.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use azure::{ids::ResourceId, security_rules::Rule, time::Timestamp};
    use serde_json::json;

    use super::*;
    use crate::cloud::Chance;

    /// `priority access source ports destination`.
    fn rule(text: &str) -> Rule {
        let words: Vec<&str> = text.split(' ').collect();
        let [priority, access, source, ports, to] = words[..] else { panic!("{text}") };
        let properties = json!({
            "priority": priority.parse::<u64>().expect("a number"),
            "access": access,
            "direction": "Inbound",
            "protocol": "Tcp",
            "sourceAddressPrefix": source,
            "sourcePortRange": "*",
            "destinationPortRanges": ports.split(',').collect::<Vec<_>>(),
            "destinationAddressPrefix": to,
        });
        Rule::parse(properties.as_object().expect("an object")).expect("a rule")
    }

    fn address(sku: &str) -> Resource {
        let id = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/ip";
        let etag = Chance::seeded(1).draw().guid();
        let id = ResourceId::parse(id).expect("an id");
        let mut address =
            Resource::new(id, "Microsoft.Network/publicIPAddresses", etag, Timestamp::from_seconds(0));
        address.sku = Some(json!({ "name": sku }));
        address
    }

    #[test]
    fn rules_decide_and_without_any_the_sku_does() {
        let to = ("10.0.0.4".parse().expect("an address"), 22);
        let network = || vec!["10.0.0.0/16".parse().expect("a range")];
        for (rules, is_open_then) in [
            (&["1000 Allow * 80 *"][..], false),
            (&["1000 Allow * 22 *"], true),
            (&["1000 Allow Internet 20-25 *"], true),
            (&["900 Deny * * *", "1000 Allow * 22 *"], false),
            (&["1000 Allow VirtualNetwork 22 *"], false),
            (&["1000 Allow 10.0.0.0/8 22 *"], false),
            // Somebody's own address on the Internet: who sits here.
            (&["1000 Allow 203.0.113.7 22 *"], true),
            (&["900 Deny 203.0.113.7 22 *", "1000 Allow * 22 *"], true),
            (&["1000 Allow * 22 10.0.0.5"], false),
        ] {
            let security = Security::new(vec![rules.iter().map(|it| rule(it)).collect()], network());
            assert_eq!(is_open(&security, &address("Standard"), to), is_open_then, "{rules:?}");
        }
        let unguarded = Security::new(Vec::new(), network());
        assert!(is_open(&unguarded, &address("Basic"), to));
        assert!(!is_open(&unguarded, &address("Standard"), to));
    }
}
