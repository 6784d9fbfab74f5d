//! Address ranges as networks write them: `10.0.0.0/24`, `fd00::/64`.
//!
//! A range compares by what it holds. Its text is kept by whoever wrote it; here is its meaning.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{fmt, str::FromStr};

/// An address, and how many of its leading bits the range's addresses share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// The text is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARange;

impl fmt::Display for NotARange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address, a slash and a number of bits")
    }
}

impl std::error::Error for NotARange {}

impl FromStr for Cidr {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (address, prefix) = text.split_once('/').ok_or(NotARange)?;
        let address: IpAddr = address.parse().map_err(|_| NotARange)?;
        // `u8` alone would take `+8` and `08`.
        let is_plain =
            prefix == "0" || (!prefix.starts_with('0') && prefix.bytes().all(|it| it.is_ascii_digit()));
        let prefix: u8 = prefix.parse().map_err(|_| NotARange)?;
        if is_plain && prefix <= width(address) { Ok(Cidr { address, prefix }) } else { Err(NotARange) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Cidr {
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The same range, written from its first address: `10.0.0.7/24` is `10.0.0.0/24`.
    pub fn canonical(&self) -> Cidr {
        Cidr { address: self.at(0).unwrap_or(self.address), ..*self }
    }

    pub fn is_canonical(&self) -> bool {
        self.canonical() == *self
    }

    pub fn holds_address(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && bits(address) & self.mask() == self.first()
    }

    /// Whether every address of the other is one of this range's.
    pub fn holds(&self, other: &Cidr) -> bool {
        other.prefix >= self.prefix && self.holds_address(other.address)
    }

    pub fn overlaps(&self, other: &Cidr) -> bool {
        self.holds(other) || other.holds(self)
    }

    /// The address that is `offset` behind the first, if the range has it.
    pub fn at(&self, offset: u128) -> Option<IpAddr> {
        let last = !self.mask() & full(width(self.address));
        (offset <= last).then(|| address(self.first() + offset, self.is_ipv4()))
    }

    /// How far behind the first an address of the range is.
    pub fn offset(&self, address: IpAddr) -> Option<u128> {
        self.holds_address(address).then(|| bits(address) - self.first())
    }

    /// How many leading bits its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// 32 or 128.
    pub fn width(&self) -> u8 {
        width(self.address)
    }

    /// Ones where its addresses are the same: `255.255.255.0`.
    pub fn netmask(&self) -> IpAddr {
        address(self.mask(), self.is_ipv4())
    }

    /// The range of a longer prefix that is the `index`th in this one, if there are so many.
    pub fn subnet(&self, prefix: u8, index: u128) -> Option<Cidr> {
        let count = prefix.checked_sub(self.prefix).filter(|_| prefix <= self.width())?;
        let is_there = count >= 128 || index < 1 << count;
        let shift = self.width() - prefix;
        let offset = if shift >= 128 { 0 } else { index.checked_shl(u32::from(shift))? };
        is_there.then(|| Cidr { address: address(self.first() | offset, self.is_ipv4()), prefix })
    }

    /// The offset of the last address.
    pub fn last_offset(&self) -> u128 {
        !self.mask() & full(width(self.address))
    }

    fn first(&self) -> u128 {
        bits(self.address) & self.mask()
    }

    fn mask(&self) -> u128 {
        let host = width(self.address) - self.prefix;
        full(width(self.address)) & !full(host)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// So many ones.
fn full(count: u8) -> u128 {
    if count == 128 { u128::MAX } else { (1 << count) - 1 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => u128::from(it.to_bits()),
        IpAddr::V6(it) => it.to_bits(),
    }
}

fn address(bits: u128, is_ipv4: bool) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if is_ipv4 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Cidr {
        text.parse().expect("a range")
    }

    #[test]
    fn a_range_is_an_address_and_a_number_of_its_bits() {
        for text in ["10.0.0.0/24", "0.0.0.0/0", "10.1.2.3/32", "fd00::/64", "::/0", "fd00::1/128"] {
            assert_eq!(range(text).to_string(), text);
        }
        for text in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/24",
            "fd00::/129",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/",
            "a/8",
            "",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(NotARange), "{text}");
        }
    }

    #[test]
    fn ranges_hold_and_overlap_by_their_addresses() {
        for (one, other, holds, overlaps) in [
            ("10.0.0.0/16", "10.0.5.0/24", true, true),
            ("10.0.5.0/24", "10.0.0.0/16", false, true),
            ("10.0.0.0/24", "10.0.1.0/24", false, false),
            ("10.0.0.9/24", "10.0.0.0/24", true, true),
            ("0.0.0.0/0", "10.0.0.0/8", true, true),
            ("::/0", "10.0.0.0/8", false, false),
            ("fd00::/48", "fd00:0:0:1::/64", true, true),
        ] {
            assert_eq!(range(one).holds(&range(other)), holds, "{one} holds {other}");
            assert_eq!(range(one).overlaps(&range(other)), overlaps, "{one} overlaps {other}");
        }
    }

    #[test]
    fn a_range_has_so_many_of_a_longer_prefix() {
        for (text, prefix, index, subnet) in [
            ("10.0.0.0/16", 24, 3, Some("10.0.3.0/24")),
            ("10.0.0.7/16", 16, 0, Some("10.0.0.0/16")),
            ("10.0.0.0/16", 24, 256, None),
            ("10.0.0.0/16", 8, 0, None),
            ("10.0.0.0/16", 33, 0, None),
            ("::/0", 128, u128::MAX, Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")),
            ("::/0", 0, 0, Some("::/0")),
            ("fd00::/48", 64, 1, Some("fd00:0:0:1::/64")),
        ] {
            let found = range(text).subnet(prefix, index).map(|it| it.to_string());
            assert_eq!(found.as_deref(), subnet, "{text} {prefix} {index}");
        }
        assert_eq!(range("10.0.0.0/20").netmask().to_string(), "255.255.240.0");
    }

    #[test]
    fn addresses_are_counted_from_the_first() {
        let at = |text: &str, offset| range(text).at(offset).map(|it| it.to_string());
        assert_eq!(at("10.0.0.7/24", 4).as_deref(), Some("10.0.0.4"));
        assert_eq!(at("10.0.0.0/24", 255).as_deref(), Some("10.0.0.255"));
        assert_eq!(at("10.0.0.0/24", 256), None);
        assert_eq!(at("fd00::/64", 4).as_deref(), Some("fd00::4"));
        assert_eq!(range("10.0.0.0/24").offset("10.0.0.9".parse().expect("an address")), Some(9));
        assert_eq!(range("10.0.0.0/24").offset("10.0.1.9".parse().expect("an address")), None);
        assert_eq!(range("10.0.0.7/24").canonical(), range("10.0.0.0/24"));
        assert_eq!(range("::/0").last_offset(), u128::MAX);
    }
}
