//! What of a machine can be reached from outside, at its public address.
//!
//! Security groups decide (`azure::security_rules`). A machine that none guards is open at an address of the Basic SKU, and closed at one of the
//! Standard SKU (public-ip-addresses.md, "SKU": "secure by default").
//!
//! Who comes from outside comes from this host, and which of the Internet's addresses that would be, nobody can say. A rule that lets in some
//! public addresses is meant for its author, who sits here: so one may be at any of those that rules let in.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

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

/// A public address of a machine, and what of it is open from outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Opening {
    pub(crate) public: Ipv4Addr,
    /// The private address behind it.
    pub(crate) private: Ipv4Addr,
    /// TCP ports, in order.
    ports: Vec<RangeInclusive<u16>>,
}

impl Opening {
    pub(crate) fn lets_in(&self, port: u16) -> bool {
        self.ports.iter().any(|it| it.contains(&port))
    }

    /// Whether there is a port beside this one.
    pub(crate) fn has_others_than(&self, port: u16) -> bool {
        !self.ports.is_empty() && self.ports != [port..=port]
    }
}

/// The public addresses of these interfaces.
pub(crate) fn openings(txn: &Txn, interfaces: &[Resource]) -> Result<Vec<Opening>> {
    let mut all = Vec::new();
    for interface in interfaces {
        let Some(place) = places::of(txn, interface)? else { continue };
        let configurations = interface.property("ipConfigurations").and_then(Value::as_array);
        for configuration in configurations.into_iter().flatten().map(|it| &it["properties"]) {
            let private = configuration["privateIPAddress"].as_str().and_then(|it| it.parse().ok());
            let Some(id) = reference(configuration.get("publicIPAddress"))? else { continue };
            let (Some(private), Some(public)) = (private, resources::get(txn, &id)?) else { continue };
            let Some(address) = public.text("ipAddress").and_then(|it| it.parse().ok()) else { continue };
            let ports = ports_let_in(&place.security, &public, private);
            all.push(Opening { public: address, private, ports });
        }
    }
    Ok(all)
}

fn ports_let_in(security: &Security, public: &Resource, private: Ipv4Addr) -> Vec<RangeInclusive<u16>> {
    security.ports_let_in(|port| is_open(security, public, (private.into(), port)))
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

    #[test]
    fn an_opening_is_as_wide_as_the_rules_behind_it() {
        let private = Ipv4Addr::new(10, 0, 0, 4);
        let opening = |rules: &[&str]| {
            let rules = rules.iter().map(|it| rule(it)).collect();
            let security = Security::new(vec![rules], vec!["10.0.0.0/16".parse().expect("a range")]);
            let ports = ports_let_in(&security, &address("Standard"), private);
            Opening { public: Ipv4Addr::LOCALHOST, private, ports }
        };
        let ssh_alone = opening(&["1000 Allow * 22 *"]);
        assert!(ssh_alone.lets_in(22) && !ssh_alone.lets_in(80) && !ssh_alone.has_others_than(22));
        let web = opening(&["900 Deny * 443 *", "1000 Allow * 22,80-443 *"]);
        assert!(web.lets_in(80) && web.lets_in(442) && !web.lets_in(443) && web.has_others_than(22));
        assert!(!opening(&["1000 Allow VirtualNetwork * *"]).has_others_than(22));
    }
}
