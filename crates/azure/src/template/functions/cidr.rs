//! Networks in CIDR notation, of both families.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::{Arguments, codes};
use crate::error::Result;

/// A network: its first address as a number, and how many bits name it.
struct Network {
    first: u128,
    prefix: u32,
    /// 32 or 128.
    bits: u32,
}

impl Network {
    fn read(arguments: &Arguments<'_>) -> Result<Network> {
        let text = arguments.text(0)?;
        let bad = || codes::BAD_NETWORK.with([arguments.function, text]);
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let prefix: u32 = prefix.parse().map_err(|_| bad())?;
        let (number, bits) = match address.parse::<IpAddr>().map_err(|_| bad())? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        if prefix > bits {
            return Err(bad());
        }
        let network = Network { first: 0, prefix, bits };
        Ok(Network { first: number & network.mask(), ..network })
    }

    /// Ones where the network is named.
    fn mask(&self) -> u128 {
        let all = u128::MAX >> (128 - self.bits);
        all & !self.inside()
    }

    /// Ones where its hosts differ.
    fn inside(&self) -> u128 {
        match self.bits - self.prefix {
            0 => 0,
            free => u128::MAX >> (128 - free),
        }
    }

    fn last(&self) -> u128 {
        self.first | self.inside()
    }

    fn spelled(&self, address: u128) -> String {
        match u32::try_from(address) {
            Ok(address) if self.bits == 32 => Ipv4Addr::from(address).to_string(),
            _ => Ipv6Addr::from(address).to_string(),
        }
    }

    /// The hosts between the network's own address and the broadcast address, where there are such.
    fn usable(&self) -> (u128, u128) {
        if self.bits == 32 && self.prefix < 31 {
            (self.first + 1, self.last() - 1)
        } else {
            (self.first, self.last())
        }
    }
}

pub(super) fn parse(arguments: &Arguments<'_>) -> Result<Value> {
    let network = Network::read(arguments)?;
    let (first, last) = network.usable();
    let mut parsed =
        json!({ "network": network.spelled(network.first), "netmask": network.spelled(network.mask()) });
    if network.bits == 32 {
        parsed["broadcast"] = network.spelled(network.last()).into();
    }
    parsed["firstUsable"] = network.spelled(first).into();
    parsed["lastUsable"] = network.spelled(last).into();
    parsed["cidr"] = network.prefix.into();
    Ok(parsed)
}

pub(super) fn subnet(arguments: &Arguments<'_>) -> Result<Value> {
    let network = Network::read(arguments)?;
    let (prefix, index) = (arguments.int(1)?, arguments.int(2)?);
    let beyond = || {
        codes::BEYOND_NETWORK.with([
            arguments.function,
            &format!("/{prefix}, {index}"),
            arguments.text(0).unwrap_or_default(),
        ])
    };
    let prefix = u32::try_from(prefix)
        .ok()
        .filter(|it| (network.prefix..=network.bits).contains(it))
        .ok_or_else(beyond)?;
    let index = u128::try_from(index).map_err(|_| beyond())?;
    let count = prefix - network.prefix;
    if count < 64 && index >= 1 << count {
        return Err(beyond());
    }
    let shift = network.bits - prefix;
    let first = if shift == 128 { network.first } else { network.first | index << shift };
    Ok(format!("{}/{prefix}", network.spelled(first)).into())
}

/// Host zero is the first after the network's own address, in both families (as the page's examples have it).
pub(super) fn host(arguments: &Arguments<'_>) -> Result<Value> {
    let network = Network::read(arguments)?;
    let index = arguments.int(1)?;
    let beyond = || {
        codes::BEYOND_NETWORK.with([
            arguments.function,
            &index.to_string(),
            arguments.text(0).unwrap_or_default(),
        ])
    };
    let (_, last) = network.usable();
    let first = if network.bits - network.prefix > 1 { network.first + 1 } else { network.first };
    let address = u128::try_from(index).ok().and_then(|it| first.checked_add(it)).filter(|it| *it <= last);
    address.map(|it| network.spelled(it).into()).ok_or_else(beyond)
}
