//! Networks in CIDR notation, of both families. What a range is, `crate::cidr` knows.

use core::net::IpAddr;

use serde_json::{Value, json};

use super::{Arguments, codes};
use crate::{cidr::Cidr, error::Result};

fn network(arguments: &Arguments<'_>) -> Result<Cidr> {
    let text = arguments.text(0)?;
    text.parse().map_err(|_| codes::BAD_NETWORK.with([arguments.function, text]))
}

/// The offsets of the first and the last host: between the network's own address and the broadcast address,
/// where there are such.
fn usable(network: &Cidr) -> (u128, u128) {
    let last = network.last_offset();
    if network.is_ipv4() && network.prefix() < 31 { (1, last - 1) } else { (0, last) }
}

fn spelled(network: &Cidr, offset: u128) -> Option<String> {
    network.at(offset).map(|it: IpAddr| it.to_string())
}

pub(super) fn parse(arguments: &Arguments<'_>) -> Result<Value> {
    let network = network(arguments)?;
    let (first, last) = usable(&network);
    let mut parsed = json!({ "network": spelled(&network, 0), "netmask": network.netmask().to_string() });
    if network.is_ipv4() {
        parsed["broadcast"] = spelled(&network, network.last_offset()).into();
    }
    parsed["firstUsable"] = spelled(&network, first).into();
    parsed["lastUsable"] = spelled(&network, last).into();
    parsed["cidr"] = network.prefix().into();
    Ok(parsed)
}

pub(super) fn subnet(arguments: &Arguments<'_>) -> Result<Value> {
    let network = network(arguments)?;
    let (prefix, index) = (arguments.int(1)?, arguments.int(2)?);
    let found = u8::try_from(prefix).ok().zip(u128::try_from(index).ok());
    match found.and_then(|(prefix, index)| network.subnet(prefix, index)) {
        Some(subnet) => Ok(subnet.to_string().into()),
        None => Err(codes::BEYOND_NETWORK.with([
            arguments.function,
            &format!("/{prefix}, {index}"),
            arguments.text(0).unwrap_or_default(),
        ])),
    }
}

/// Host zero is the first after the network's own address, in both families (as the page's examples have it).
pub(super) fn host(arguments: &Arguments<'_>) -> Result<Value> {
    let network = network(arguments)?;
    let index = arguments.int(1)?;
    let beyond = || {
        codes::BEYOND_NETWORK.with([
            arguments.function,
            &index.to_string(),
            arguments.text(0).unwrap_or_default(),
        ])
    };
    let (_, last) = usable(&network);
    let first = u128::from(network.width() - network.prefix() > 1);
    let offset = u128::try_from(index).ok().and_then(|it| first.checked_add(it)).filter(|it| *it <= last);
    offset.and_then(|it| spelled(&network, it)).map(Value::from).ok_or_else(beyond)
}
