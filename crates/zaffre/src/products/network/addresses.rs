//! Which addresses are taken: private ones by subnet, public ones in the whole cloud.
//!
//! A public address is one of this machine's loopback addresses, so that it can be reached from here and from
//! nowhere else.

use std::net::{IpAddr, Ipv4Addr};

use azure::{cidr::Cidr, error::Result, ids::ResourceId};

use crate::{
    resources::moving::Move,
    service::Cx,
    store::{Table, Txn},
};

/// By subnet, then offset in the range of its family, as text that sorts; who has it.
const PRIVATE: Table<(ResourceId, String), ResourceId> = Table::new("private_addresses");
/// By offset in `PUBLIC_RANGE`.
const PUBLIC: Table<u64, ResourceId> = Table::new("public_addresses");

/// 127.77.0.0/16.
const PUBLIC_RANGE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 0);
/// The first four of a range and its last are Azure's own (virtual-networks-faq.md).
const RESERVED: u128 = 4;
pub(super) const PUBLIC_COUNT: u64 = 65_000;

fn key(subnet: &ResourceId, address: IpAddr) -> (ResourceId, String) {
    let family = if address.is_ipv4() { 4 } else { 6 };
    let bits = match address {
        IpAddr::V4(it) => u128::from(it.to_bits()),
        IpAddr::V6(it) => it.to_bits(),
    };
    (subnet.clone(), format!("{family}{bits:032x}"))
}

/// Whether the platform keeps it for itself.
pub(super) fn is_reserved(range: &Cidr, address: IpAddr) -> bool {
    range.offset(address).is_none_or(|offset| offset < RESERVED || offset == range.last_offset())
}

/// Who has a private address.
pub(super) fn holder(txn: &Txn, subnet: &ResourceId, address: IpAddr) -> Result<Option<ResourceId>> {
    Ok(PRIVATE.get(txn, &key(subnet, address))?)
}

pub(super) fn take(txn: &mut Txn, subnet: &ResourceId, address: IpAddr, who: &ResourceId) -> Result<()> {
    Ok(PRIVATE.put(txn, &key(subnet, address), who)?)
}

pub(super) fn give_back(txn: &mut Txn, subnet: &ResourceId, address: IpAddr) -> Result<()> {
    Ok(PRIVATE.delete(txn, &key(subnet, address))?)
}

/// The lowest address of the range that nobody has.
pub(super) fn free(txn: &Txn, subnet: &ResourceId, range: &Cidr) -> Result<Option<IpAddr>> {
    Ok(free_ones(txn, subnet, range, 1)?.first().copied())
}

/// The lowest addresses of the range that nobody has, at most so many.
pub(super) fn free_ones(txn: &Txn, subnet: &ResourceId, range: &Cidr, most: usize) -> Result<Vec<IpAddr>> {
    let mut taken = PRIVATE
        .scan(txn, &(subnet.clone(),), None, usize::MAX)?
        .into_iter()
        .map(|((_, it), _)| it)
        .peekable();
    let mut found = Vec::new();
    for offset in RESERVED..range.last_offset() {
        let Some(address) = range.at(offset).filter(|_| found.len() < most) else { break };
        let wanted = key(subnet, address).1;
        while taken.peek().is_some_and(|it| *it < wanted) {
            taken.next();
        }
        if taken.peek() != Some(&wanted) {
            found.push(address);
        }
    }
    Ok(found)
}

/// Takes the lowest public address that nobody has; none where there is none left.
pub(super) fn take_public(txn: &mut Txn, who: &ResourceId) -> Result<Option<Ipv4Addr>> {
    let taken = PUBLIC.scan(txn, &(), None, usize::MAX)?;
    let mut offset = u64::try_from(RESERVED).unwrap_or_default();
    for (other, _) in taken {
        if other == offset {
            offset += 1;
        }
    }
    if offset >= PUBLIC_COUNT {
        return Ok(None);
    }
    PUBLIC.put(txn, &offset, who)?;
    let offset = u32::try_from(offset).unwrap_or_default();
    Ok(Some(Ipv4Addr::from_bits(PUBLIC_RANGE.to_bits() + offset)))
}

pub(super) fn give_back_public(txn: &mut Txn, address: Ipv4Addr) -> Result<()> {
    let offset = address.to_bits().wrapping_sub(PUBLIC_RANGE.to_bits());
    Ok(PUBLIC.delete(txn, &u64::from(offset))?)
}

/// Whoever has addresses has them under another id; so does the subnet that they are of.
pub(super) fn moved(_: &Cx, txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    for ((subnet, address), holder) in PRIVATE.scan(txn, &(), None, usize::MAX)? {
        let (new_subnet, new_holder) = (moved.of(&subnet), moved.of(&holder));
        if new_subnet.is_none() && new_holder.is_none() {
            continue;
        }
        PRIVATE.delete(txn, &(subnet.clone(), address.clone()))?;
        PRIVATE.put(txn, &(new_subnet.unwrap_or(subnet), address), &new_holder.unwrap_or(holder))?;
    }
    for (offset, holder) in PUBLIC.scan(txn, &(), None, usize::MAX)? {
        if let Some(new) = moved.of(&holder) {
            PUBLIC.put(txn, &offset, &new)?;
        }
    }
    Ok(())
}
