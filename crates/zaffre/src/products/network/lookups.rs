//! What clients ask of a region, or of a network, before they make something there.

use std::net::IpAddr;

use azure::{cidr::Cidr, error::Result, locations};
use serde_json::json;

use super::{VERSIONS, addresses, codes, subnets};
use crate::{
    arm::{
        kind::{Answer, Call, Function},
        usages::{self, Usage},
    },
    resources::names::{self, Space},
    store::Txn,
};

/// So many others are told where an address is taken.
const OTHERS: usize = 5;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::look_up(
        &VERSIONS,
        "locations/{location}/CheckDnsNameAvailability",
        "Microsoft.Network/locations/checkDnsNameAvailability/read",
        dns_name,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/usages",
        "Microsoft.Network/locations/usages/read",
        usages,
    ),
];

/// Whether `{label}.{location}.cloudapp.azure.com` is nobody's.
fn dns_name(call: &Call<'_, &Txn>) -> Result<Answer> {
    let label = call.query("domainNameLabel").filter(|it| !it.is_empty());
    let label = label.ok_or_else(|| codes::MISSING_QUERY.with(["domainNameLabel"]))?;
    let location = locations::normalize(call.parameter("location"));
    let host = format!("{}.{location}.cloudapp.azure.com", label.to_ascii_lowercase());
    let is_free = names::find(call.txn, Space::CloudApp, &host)?.is_none();
    Ok(Answer::ok(json!({ "available": is_free })))
}

/// Azure's names; limits as documented for a subscription and a region ("Azure subscription and service limits").
static USAGES: &[Usage] = &[
    Usage("VirtualNetworks", "Virtual Networks", 1000, "Microsoft.Network/virtualNetworks"),
    Usage("PublicIPAddresses", "Public IP Addresses", 1000, "Microsoft.Network/publicIPAddresses"),
    Usage(
        "NetworkSecurityGroups",
        "Network Security Groups",
        5000,
        "Microsoft.Network/networkSecurityGroups",
    ),
    Usage("NetworkInterfaces", "Network Interfaces", 65_536, "Microsoft.Network/networkInterfaces"),
];

/// Network's usages have ids.
fn usages(call: &Call<'_, &Txn>) -> Result<Answer> {
    let location = call.parameter("location");
    let mut all = usages::counted(call, USAGES)?;
    for usage in &mut all {
        let name = usage["name"]["value"].as_str().unwrap_or_default();
        let id = format!("{}/providers/Microsoft.Network/locations/{location}/usages/{name}", call.id);
        usage["id"] = json!(id);
    }
    Ok(Answer::ok(json!({ "value": all })))
}

/// `GET {network}/CheckIPAddressAvailability?ipAddress=`: whether one may have it, and which others one may have.
pub(super) fn ip_address(call: &Call<'_, &Txn>) -> Result<Answer> {
    let network = call.resource.expect("a verb on a row has its row");
    let asked = call.query("ipAddress").unwrap_or_default();
    let address: IpAddr = asked.parse().map_err(|_| codes::MISSING_QUERY.with(["ipAddress"]))?;
    for subnet in subnets::NESTED.rows(call.txn, &network.id)? {
        let holds = |range: &&Cidr| range.offset(address).is_some();
        let Some(range) = subnets::ranges(&subnet)?.iter().find(holds).cloned() else { continue };
        let is_reserved = addresses::is_reserved(&range, address);
        let is_free = !is_reserved && addresses::holder(call.txn, &subnet.id, address)?.is_none();
        let others = if is_free { 0 } else { OTHERS };
        return Ok(Answer::ok(json!({
            "available": is_free,
            "availableIPAddresses": addresses::free_ones(call.txn, &subnet.id, &range, others)?,
            "isPlatformReserved": is_reserved,
        })));
    }
    Err(codes::ADDRESS_IN_NO_SUBNET.with([asked, network.name()]))
}
