//! The virtual networks that machines of this process are in, and how a machine is put into one.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use azure::{
    cidr::Cidr,
    ids::ResourceId,
    security_rules::{Direction, Protocol, Security, Traffic},
};
use guest::{Flow, Interface, Network, Outside, Rules};

use super::lock;
use crate::{cloud::CloudId, products::network::places::Place};

/// All of them, by cloud and id.
#[derive(Default)]
pub(super) struct Networks(Mutex<HashMap<(CloudId, ResourceId), Network>>);

impl Networks {
    pub(super) fn of(&self, cloud: CloudId, place: &Place) -> Network {
        lock(&self.0).entry((cloud, place.network.clone())).or_default().clone()
    }

    /// Forgets those of a cloud that no machine is to be in, and joins the others as these places say. One that somebody is still in
    /// goes with them.
    pub(super) fn keep<'a>(&self, cloud: CloudId, places: impl Iterator<Item = &'a Place>) {
        let wanted: HashMap<&ResourceId, &Place> = places.map(|it| (&it.network, it)).collect();
        let mut networks = lock(&self.0);
        networks.retain(|(of, network), _| *of != cloud || wanted.contains_key(network));
        for (network, place) in wanted {
            let at = |network: &ResourceId| networks.get(&(cloud, network.clone())).cloned();
            if let Some(own) = at(network) {
                own.set_peers(&place.peers.iter().filter_map(|it| at(&it.network)).collect::<Vec<_>>());
            }
        }
    }
}

/// The interface that a guest gets for its place. Where there is something outside, a way leads there too; where there is not, whoever tries is
/// told so at once.
pub(super) fn interface(place: &Place, has_outside: bool) -> Interface {
    let everywhere = has_outside.then_some((Ipv4Addr::UNSPECIFIED, 0));
    let ways = ways(place).into_iter().chain(everywhere);
    Interface::new(place.mac, place.addresses.clone(), ways.collect())
}

/// What is reached through a place's interface: its network, and those that it is joined to.
pub(super) fn ways(place: &Place) -> Vec<(Ipv4Addr, u8)> {
    let ranges = place.ranges.iter().chain(place.peers.iter().flat_map(|it| &it.ranges));
    let way = |range: &Cidr| match range.at(0) {
        Some(IpAddr::V4(first)) => Some((first, range.prefix())),
        _ => None,
    };
    ranges.filter_map(way).collect()
}

/// How a network knows a machine.
pub(super) fn in_network(place: &Place, hostname: &str, outside: Option<Arc<dyn Outside>>) -> guest::Place {
    let addresses: Vec<Ipv4Addr> = place.addresses.iter().map(|(address, _)| *address).collect();
    let names = vec![hostname.to_owned(), format!("{hostname}.{}", place.suffix)];
    guest::Place { mac: place.mac, addresses, names, rules: judged(place), outside }
}

pub(super) fn judged(place: &Place) -> Arc<dyn Rules> {
    Arc::new(Judged::of(place))
}

/// What stands around a machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    security: Security,
    /// Ranges of networks that its own is joined to and lets its machines begin nothing in.
    closed: Vec<Cidr>,
    /// Its network's ranges, and those of the networks that this one is joined to.
    near: Vec<Cidr>,
    has_outbound: bool,
}

impl Judged {
    pub(super) fn of(place: &Place) -> Judged {
        let closed = place.peers.iter().filter(|it| !it.is_open).flat_map(|it| it.ranges.clone()).collect();
        let near = place.ranges.iter().chain(place.peers.iter().flat_map(|it| &it.ranges)).cloned().collect();
        Judged { security: place.security.clone(), closed, near, has_outbound: place.has_outbound }
    }
}

impl Rules for Judged {
    fn lets_out(&self, flow: &Flow) -> bool {
        let to = IpAddr::V4(*flow.destination.ip());
        let is_closed = self.closed.iter().any(|it| it.holds_address(to));
        !is_closed && self.security.allows(Direction::Outbound, &traffic(flow))
    }

    fn lets_in(&self, flow: &Flow) -> bool {
        self.security.allows(Direction::Inbound, &traffic(flow))
    }

    /// An address near by that nobody has is nobody's outside, either.
    fn lets_leave(&self, flow: &Flow) -> bool {
        let destination = IpAddr::V4(*flow.destination.ip());
        let is_outside = !self.near.iter().any(|it| it.holds_address(destination));
        is_outside && self.has_outbound && self.lets_out(flow)
    }
}

fn traffic(flow: &Flow) -> Traffic {
    let protocol = match flow.protocol {
        guest::Protocol::Tcp => Protocol::Tcp,
        guest::Protocol::Udp => Protocol::Udp,
        guest::Protocol::Icmp => Protocol::Icmp,
        guest::Protocol::Other(_) => Protocol::Other,
    };
    let side = |it: std::net::SocketAddrV4| (IpAddr::V4(*it.ip()), it.port());
    Traffic { protocol, source: side(flow.source), destination: side(flow.destination) }
}
