//! Network security rules: who may send what to whom, judged as Azure judges it (network-security-groups-overview.md).
//!
//! A group's rules are asked by priority, the lowest number first, and the first that fits decides; behind a group's own stand the
//! default ones. Where both a subnet and an interface have a group, both must allow; where neither has, everything may pass.

use core::{net::IpAddr, ops::RangeInclusive};
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cidr::Cidr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Other,
}

/// What begins between two addresses. Ports are 0 where the protocol has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub protocol: Protocol,
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    priority: u64,
    direction: Direction,
    allows: bool,
    /// None: every protocol.
    protocol: Option<Protocol>,
    source: Side,
    destination: Side,
}

/// One side of a rule. What a list of its addresses or ports does not say, it does not have.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    who: Vec<Who>,
    ports: Vec<RangeInclusive<u16>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Anybody,
    Within(Cidr),
    /// The service tag `VirtualNetwork`.
    Network,
    /// The service tag `Internet`: whoever is not in the network.
    Internet,
    /// A tag of a service that has no machines here.
    Nobody,
}

impl Rule {
    /// From a rule's properties as they are stored; none where they are no rule's.
    pub fn parse(properties: &Map<String, Value>) -> Option<Rule> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
        let is = |name: &str, word: &str| text(name).eq_ignore_ascii_case(word);
        let protocol = match text("protocol").to_ascii_lowercase().as_str() {
            "*" => None,
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "icmp" => Some(Protocol::Icmp),
            _ => Some(Protocol::Other),
        };
        Some(Rule {
            priority: properties.get("priority")?.as_u64()?,
            direction: if is("direction", "Inbound") { Direction::Inbound } else { Direction::Outbound },
            allows: is("access", "Allow"),
            protocol,
            source: Side::parse(properties, "source"),
            destination: Side::parse(properties, "destination"),
        })
    }

    fn fits(&self, direction: Direction, traffic: &Traffic, network: &[Cidr]) -> bool {
        self.direction == direction
            && self.protocol.is_none_or(|it| it == traffic.protocol)
            && self.source.fits(traffic.source, traffic.protocol, network)
            && self.destination.fits(traffic.destination, traffic.protocol, network)
    }
}

impl Side {
    fn parse(properties: &Map<String, Value>, side: &str) -> Side {
        let texts = |one: String, many: String| {
            let many = properties.get(&many).and_then(Value::as_array).into_iter().flatten();
            let one = properties.get(&one);
            one.into_iter().chain(many).filter_map(Value::as_str).filter(|it| !it.is_empty())
        };
        let prefixes = texts(format!("{side}AddressPrefix"), format!("{side}AddressPrefixes"));
        let ports = texts(format!("{side}PortRange"), format!("{side}PortRanges"));
        Side { who: prefixes.map(who).collect(), ports: ports.filter_map(port_range).collect() }
    }

    fn fits(&self, (address, port): (IpAddr, u16), protocol: Protocol, network: &[Cidr]) -> bool {
        let is_within = || network.iter().any(|it| it.holds_address(address));
        let is_one = |who: &Who| match who {
            Who::Anybody => true,
            Who::Within(range) => range.holds_address(address),
            Who::Network => is_within(),
            Who::Internet => !is_within(),
            Who::Nobody => false,
        };
        let has_ports = matches!(protocol, Protocol::Tcp | Protocol::Udp);
        let has_port = !has_ports || self.ports.iter().any(|it| it.contains(&port));
        has_port && self.who.iter().any(is_one)
    }
}

fn who(text: &str) -> Who {
    let range = || {
        text.parse()
            .ok()
            .or_else(|| format!("{text}/32").parse().ok())
            .or_else(|| format!("{text}/128").parse().ok())
    };
    match text.to_ascii_lowercase().as_str() {
        "*" => Who::Anybody,
        "virtualnetwork" => Who::Network,
        "internet" => Who::Internet,
        _ => range().map_or(Who::Nobody, Who::Within),
    }
}

fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    match text.split_once('-') {
        _ if text == "*" => Some(0..=u16::MAX),
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => text.parse().ok().map(|port| port..=port),
    }
}

/// The groups that a machine's interface is under, and the ranges of its virtual network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// Each sorted by priority.
    groups: Vec<Vec<Rule>>,
    network: Vec<Cidr>,
}

impl Security {
    /// `groups` each with its default rules, in any order.
    pub fn new(mut groups: Vec<Vec<Rule>>, network: Vec<Cidr>) -> Self {
        groups.iter_mut().for_each(|rules| rules.sort_by_key(|it| it.priority));
        Security { groups, network }
    }

    /// Whether there is a group at all.
    pub fn is_guarded(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The first address of every range that an inbound rule lets in.
    pub fn sources_let_in(&self) -> Vec<IpAddr> {
        let rules = self.groups.iter().flatten();
        let inbound = rules.filter(|it| it.allows && it.direction == Direction::Inbound);
        let first = |who: &Who| match who {
            Who::Within(range) => range.at(0),
            Who::Anybody | Who::Network | Who::Internet | Who::Nobody => None,
        };
        inbound.flat_map(|it| it.source.who.iter().filter_map(first)).collect()
    }

    /// Where what inbound rules say of ports may change, from one port to the next: the first port of each such stretch.
    fn stretches(&self) -> BTreeSet<u16> {
        let rules = self.groups.iter().flatten().filter(|it| it.direction == Direction::Inbound);
        let ports = rules.flat_map(|it| &it.destination.ports);
        ports.flat_map(|it| [Some(*it.start()), it.end().checked_add(1)]).flatten().chain([0]).collect()
    }

    /// All ports of a destination that are let in, where each one can be asked for.
    pub fn ports_let_in(&self, is_let_in: impl Fn(u16) -> bool) -> Vec<RangeInclusive<u16>> {
        let stretches: Vec<u16> = self.stretches().into_iter().collect();
        let ends = stretches.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
        let mut all: Vec<RangeInclusive<u16>> = Vec::new();
        for (first, last) in stretches.iter().copied().zip(ends).filter(|(first, _)| is_let_in(*first)) {
            match all.last_mut().filter(|it| it.end().checked_add(1) == Some(first)) {
                Some(before) => *before = *before.start()..=last,
                None => all.push(first..=last),
            }
        }
        all
    }

    /// Whether every group lets this pass.
    pub fn allows(&self, direction: Direction, traffic: &Traffic) -> bool {
        let decides = |rules: &Vec<Rule>| {
            let first = rules.iter().find(|it| it.fits(direction, traffic, &self.network));
            first.is_some_and(|it| it.allows)
        };
        self.groups.iter().all(decides)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(priority: u16, direction: &str, access: &str, [from, to]: [&str; 2], ports: &str) -> Rule {
        let properties = json!({
            "priority": priority, "direction": direction, "access": access, "protocol": "Tcp",
            "sourceAddressPrefix": from, "destinationAddressPrefix": to,
            "sourcePortRange": "*", "destinationPortRanges": ports.split(',').collect::<Vec<_>>(),
        });
        Rule::parse(properties.as_object().expect("an object")).expect("a rule")
    }

    fn traffic(from: &str, to: &str, port: u16) -> Traffic {
        let address = |text: &str| text.parse().expect("an address");
        Traffic { protocol: Protocol::Tcp, source: (address(from), 40_000), destination: (address(to), port) }
    }

    fn network() -> Vec<Cidr> {
        vec!["10.0.0.0/16".parse().expect("a range")]
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = vec![
            rule(65_500, "Inbound", "Deny", ["*", "*"], "*"),
            rule(65_000, "Inbound", "Allow", ["VirtualNetwork", "VirtualNetwork"], "*"),
            rule(100, "Inbound", "Allow", ["Internet", "*"], "80,8000-8010"),
            rule(110, "Inbound", "Deny", ["10.0.1.0/24", "10.0.0.4"], "22"),
            rule(120, "Inbound", "Allow", ["Storage.WestEurope", "*"], "443"),
        ];
        let security = Security::new(vec![rules], network());
        for (from, port, allowed) in [
            ("203.0.113.1", 80, true),
            ("203.0.113.1", 8010, true),
            ("203.0.113.1", 8011, false),
            ("203.0.113.1", 443, false),
            ("10.0.1.7", 22, false),
            ("10.0.2.7", 22, true),
            ("10.0.1.7", 80, true),
        ] {
            let allows = security.allows(Direction::Inbound, &traffic(from, "10.0.0.4", port));
            assert_eq!(allows, allowed, "{from} to {port}");
        }
        assert!(
            !security.allows(Direction::Outbound, &traffic("10.0.0.4", "10.0.0.5", 80)),
            "no rule, no leave"
        );
    }

    #[test]
    fn both_groups_must_allow_and_no_group_lets_everything_pass() {
        let allow = || vec![rule(100, "Inbound", "Allow", ["*", "*"], "*")];
        let deny = || vec![rule(100, "Inbound", "Deny", ["*", "*"], "*")];
        for (groups, allowed) in [
            (vec![], true),
            (vec![allow()], true),
            (vec![allow(), deny()], false),
            (vec![allow(), allow()], true),
        ] {
            let security = Security::new(groups, network());
            assert_eq!(security.allows(Direction::Inbound, &traffic("10.0.0.5", "10.0.0.4", 80)), allowed);
        }
    }

    #[test]
    fn ports_let_in_are_told_as_ranges() {
        let rules = vec![
            rule(100, "Inbound", "Deny", ["*", "*"], "22,8000-8005"),
            rule(110, "Inbound", "Allow", ["*", "*"], "20-25,80,81,8000-9000"),
            rule(120, "Outbound", "Allow", ["*", "*"], "7"),
            rule(65_500, "Inbound", "Deny", ["*", "*"], "*"),
        ];
        let security = Security::new(vec![rules], network());
        let is_let_in = |port| security.allows(Direction::Inbound, &traffic("203.0.113.1", "10.0.0.4", port));
        assert_eq!(security.ports_let_in(is_let_in), [20..=21, 23..=25, 80..=81, 8006..=9000]);
        let everything = Security::new(Vec::new(), network());
        assert_eq!(everything.ports_let_in(|_| true), [0..=u16::MAX]);
        assert!(everything.ports_let_in(|_| false).is_empty());
    }

    #[test]
    fn what_has_no_ports_is_not_asked_for_them() {
        let mut rule = rule(100, "Inbound", "Allow", ["*", "*"], "80");
        rule.protocol = None;
        let security = Security::new(vec![vec![rule]], network());
        let ping = Traffic { protocol: Protocol::Icmp, ..traffic("10.0.0.5", "10.0.0.4", 0) };
        assert!(security.allows(Direction::Inbound, &ping));
        assert!(!security.allows(Direction::Inbound, &traffic("10.0.0.5", "10.0.0.4", 81)));
    }
}
