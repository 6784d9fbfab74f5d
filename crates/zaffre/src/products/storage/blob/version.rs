//! `x-ms-version`: which year's behaviour a request asks for (blob.md §2).
//!
//! Any well-formed date is served, the newer than known as the newest known: the SDKs are always ahead of
//! somebody's list. So a version is a number to compare, and the features below say from when they hold.

use azure::error::Result;

use super::codes;
use crate::service::Parts;

/// `2026-04-06` is `20260406`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32);

impl Version {
    /// What a request that names none gets.
    const OLDEST: Version = Version::on(2009, 9, 19);
    pub(super) const CONDITIONAL_READS: Version = Version::on(2013, 8, 15);
    pub(super) const LARGE_PUTS: Version = Version::on(2016, 5, 31);
    pub(super) const BEARER: Version = Version::on(2017, 11, 9);
    pub(super) const CHALLENGES: Version = Version::on(2019, 12, 12);
    pub(super) const LARGEST_PUTS: Version = Version::on(2019, 12, 12);
    pub(super) const ENCODED_NAMES: Version = Version::on(2021, 2, 12);

    const fn on(year: u32, month: u32, day: u32) -> Self {
        Version(year * 10_000 + month * 100 + day)
    }

    /// What the request says: in its header, else with its shared access signature, whose own version it is where
    /// nothing else is said (blob.md §2).
    pub(super) fn named(parts: &Parts) -> Option<&str> {
        let with_signature = || {
            parts.query("sig")?;
            parts.query("api-version").or_else(|| parts.query("sv"))
        };
        parts.header("x-ms-version").or_else(with_signature)
    }

    /// The one the request names. Refuses what is no date.
    pub(super) fn of(parts: &Parts) -> Result<Option<Self>> {
        let Some(text) = Self::named(parts) else { return Ok(None) };
        let refused =
            || codes::INVALID_HEADER.bare().and("HeaderName", "x-ms-version").and("HeaderValue", text);
        Self::parse(text).map(Some).ok_or_else(refused)
    }

    pub(super) fn or_oldest(asked: Option<Self>) -> Self {
        asked.unwrap_or(Self::OLDEST)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
        let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
        let number = digits
            .iter()
            .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))?;
        let (month, day) = (number / 100 % 100, number % 100);
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Version(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_versions_and_nothing_else_is() {
        for (text, version) in [
            ("2026-04-06", Some(Version::on(2026, 4, 6))),
            ("2099-12-31", Some(Version::on(2099, 12, 31))),
            ("2026-13-01", None),
            ("2026-4-6", None),
            ("latest", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text), version, "{text}");
        }
    }
}
