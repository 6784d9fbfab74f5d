//! The virtual networks that machines of this process are in, and how a machine is put into one.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use azure::{
    ids::ResourceId,
    security_rules::{Direction, Protocol, Security, Traffic},
};
use guest::{Flow, Interface, Network, Rules};

use super::lock;
use crate::{cloud::CloudId, products::network::places::Place};

/// All of them, by cloud and id.
#[derive(Default)]
pub(super) struct Networks(Mutex<HashMap<(CloudId, ResourceId), Network>>);

impl Networks {
    pub(super) fn of(&self, cloud: CloudId, place: &Place) -> Network {
        lock(&self.0).entry((cloud, place.network.clone())).or_default().clone()
    }

    /// Forgets those of a cloud that no machine is to be in. One that somebody is still in goes with them.
    pub(super) fn keep(&self, cloud: CloudId, wanted: &[&ResourceId]) {
        lock(&self.0).retain(|(of, network), _| *of != cloud || wanted.contains(&network));
    }
}

/// The interface that a guest gets for its place.
pub(super) fn interface(place: &Place) -> Interface {
    let route = |range: &azure::cidr::Cidr| match range.at(0) {
        Some(IpAddr::V4(first)) => Some((first, range.prefix())),
        _ => None,
    };
    Interface::new(place.mac, place.addresses.clone(), place.ranges.iter().filter_map(route).collect())
}

/// How a network knows a machine.
pub(super) fn in_network(place: &Place, hostname: &str) -> guest::Place {
    let addresses: Vec<Ipv4Addr> = place.addresses.iter().map(|(address, _)| *address).collect();
    let names = vec![hostname.to_owned(), format!("{hostname}.{}", place.suffix)];
    guest::Place { mac: place.mac, addresses, names, rules: judged(place) }
}

pub(super) fn judged(place: &Place) -> Arc<dyn Rules> {
    Arc::new(Judged(place.security.clone()))
}

struct Judged(Security);

impl Rules for Judged {
    fn lets_out(&self, flow: &Flow) -> bool {
        self.0.allows(Direction::Outbound, &traffic(flow))
    }

    fn lets_in(&self, flow: &Flow) -> bool {
        self.0.allows(Direction::Inbound, &traffic(flow))
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
