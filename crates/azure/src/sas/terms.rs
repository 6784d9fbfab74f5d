//! The terms of a signature: from when until when, for what, from where. A stored policy gives those that it lacks.

use core::net::IpAddr;
use std::{str::FromStr, time::Duration};

use super::{Fault, Permissions};
use crate::time::Timestamp;

/// What either the signature says or the policy that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub start: Option<Timestamp>,
    pub expiry: Option<Timestamp>,
    pub permissions: Option<Permissions>,
}

impl Terms {
    /// The terms with a policy's. None may be in both, and expiry and permissions must be in one.
    pub fn with(self, policy: Terms) -> Result<Terms, Fault> {
        if self.expiry.or(policy.expiry).is_none() {
            return Err(Fault::NoExpiry);
        }
        if self.permissions.or(policy.permissions).is_none() {
            return Err(Fault::NoPermission);
        }
        let is_twice = (self.start.is_some() && policy.start.is_some())
            || (self.expiry.is_some() && policy.expiry.is_some())
            || (self.permissions.is_some() && policy.permissions.is_some());
        if is_twice {
            return Err(Fault::GivenTwice);
        }
        Ok(Terms {
            start: self.start.or(policy.start),
            expiry: self.expiry.or(policy.expiry),
            permissions: self.permissions.or(policy.permissions),
        })
    }

    /// Whether whole terms are good for now.
    pub fn check(self, now: Timestamp) -> Result<(), Fault> {
        check_now(self.start, self.expiry.ok_or(Fault::NoExpiry)?, now)
    }
}

/// Without signed identifier and version, a window may not be longer.
const SHORT: Duration = Duration::from_secs(3600);

/// What begins at no time begins now.
pub(super) fn check_order(
    start: Option<Timestamp>,
    expiry: Timestamp,
    now: Timestamp,
    has_to: bool,
) -> Result<(), Fault> {
    let start = start.unwrap_or(now);
    if start >= expiry { Err(Fault::ExpiryBeforeStart { expiry, start, has_to }) } else { Ok(()) }
}

pub(super) fn check_short(start: Option<Timestamp>, expiry: Timestamp, now: Timestamp) -> Result<(), Fault> {
    let start = start.unwrap_or(now);
    if expiry.distance(start) > SHORT { Err(Fault::WindowTooLong { start, expiry }) } else { Ok(()) }
}

pub(super) fn check_now(start: Option<Timestamp>, expiry: Timestamp, now: Timestamp) -> Result<(), Fault> {
    check_order(start, expiry, now, true)?;
    let start = start.unwrap_or(now);
    if now < start || now >= expiry { Err(Fault::OutsideWindow { start, expiry, now }) } else { Ok(()) }
}

/// `sip`: an address, or the first and the last of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    pub fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

/// The text is no address and no range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARange;

impl FromStr for AddressRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| NotARange);
        let (first, last) = (address(first)?, address(last)?);
        let is_range = first.is_ipv4() == last.is_ipv4() && first <= last;
        if is_range { Ok(AddressRange { first, last }) } else { Err(NotARange) }
    }
}
