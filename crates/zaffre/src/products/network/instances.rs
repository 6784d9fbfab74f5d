//! Places in subnets for what is no `networkInterfaces` of its own: the instances of scale sets, whose interfaces are parts of them.

use std::net::IpAddr;

use azure::{error::Result, ids::ResourceId};

use super::{addresses, codes, interfaces, referred, subnets};
use crate::{
    cloud::Draw,
    resources::{Resource, links},
    store::Txn,
};

/// The lowest address that is free in a subnet, which is this configuration's from now on.
pub(crate) fn join(
    txn: &mut Txn,
    by: &Resource,
    configuration: &ResourceId,
    subnet: &ResourceId,
) -> Result<IpAddr> {
    let network = subnet.parent().unwrap_or_else(ResourceId::root);
    referred(txn, by, &network)?;
    let place = referred(txn, by, subnet)?;
    let range = subnets::ranges(&place)?.into_iter().find(azure::cidr::Cidr::is_ipv4);
    let range = range.ok_or_else(|| codes::NO_PREFIX.with([place.id.as_str()]))?;
    let address = addresses::free(txn, &place.id, &range)?;
    let address = address.ok_or_else(|| codes::SUBNET_FULL.with([place.name(), &range.to_string(), "1"]))?;
    addresses::take(txn, &place.id, address, configuration)?;
    links::relink(txn, configuration, &[], &[place.id])?;
    Ok(address)
}

/// It is nobody's again.
pub(crate) fn leave(
    txn: &mut Txn,
    configuration: &ResourceId,
    (subnet, address): (&ResourceId, IpAddr),
) -> Result<()> {
    addresses::give_back(txn, subnet, address)?;
    links::relink(txn, configuration, std::slice::from_ref(subnet), &[])
}

pub(crate) fn mac_address(draw: &mut Draw) -> String {
    interfaces::mac_address(draw.guid().0)
}
