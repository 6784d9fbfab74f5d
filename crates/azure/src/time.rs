//! Points in time, and the three ways Azure prints them.
//!
//! A `Timestamp` is a count of nanoseconds since 1970 in UTC. Nothing here reads a clock: whoever
//! needs to know the time is given it. The calendar is the proleptic Gregorian one, computed from
//! days by shifting the year to begin in March, so that the leap day is the year's last.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_FROM_YEAR_ZERO_TO_1970: i64 = 719_468;
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A timestamp taken apart, in UTC. `month` and `day` count from one; `weekday` from Sunday, zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub nanosecond: u32,
    pub weekday: u32,
}

impl Timestamp {
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds * NANOS_PER_SECOND)
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down: what `exp`, `nbf` and `_ts` count in.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    pub fn plus(self, duration: Duration) -> Self {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Timestamp(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The absolute distance between two instants.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    pub fn civil(self) -> Civil {
        let (days, within) =
            (self.seconds().div_euclid(SECONDS_PER_DAY), self.seconds().rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = date_of(days);
        let unsigned = |value: i64| u32::try_from(value).expect("a part of a day is small and positive");
        Civil {
            year,
            month,
            day,
            hour: unsigned(within / 3600),
            minute: unsigned(within / 60 % 60),
            second: unsigned(within % 60),
            nanosecond: unsigned(self.0.rem_euclid(NANOS_PER_SECOND)),
            weekday: unsigned((days + 4).rem_euclid(7)),
        }
    }

    /// `Sat, 21 Nov 2026 23:02:54 GMT`: `Date`, `Last-Modified`, `x-ms-date`.
    pub fn rfc1123(self) -> String {
        let c = self.civil();
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            DAYS[c.weekday as usize],
            c.day,
            MONTHS[c.month as usize - 1],
            c.year,
            c.hour,
            c.minute,
            c.second
        )
    }

    /// `2026-11-21T23:02:54Z`.
    pub fn iso_seconds(self) -> String {
        let c = self.civil();
        format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
    }

    /// `2026-11-21T23:02:54.1234567Z`: .NET's round-trip form, which most of Azure prints.
    pub fn iso(self) -> String {
        let whole = self.iso_seconds();
        format!("{}.{:07}Z", &whole[..whole.len() - 1], self.civil().nanosecond / 100)
    }

    /// Reads `Sat, 21 Nov 2026 23:02:54 GMT`, the weekday unchecked.
    pub fn parse_rfc1123(text: &str) -> Option<Self> {
        let (_, rest) = text.trim().split_once(',')?;
        let mut words = rest.split_ascii_whitespace();
        let day = words.next()?.parse().ok()?;
        let name = words.next()?;
        let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? as i64 + 1;
        let year = words.next()?.parse().ok()?;
        let clock = words.next()?;
        let zone = words.next()?;
        if !zone.eq_ignore_ascii_case("GMT") && !zone.eq_ignore_ascii_case("UTC") {
            return None;
        }
        let (hour, minute, second) = clock_of(clock)?;
        checked(year, month, day, hour, minute, second, 0)
    }

    /// Reads `2026-11-21`, `2026-11-21T23:02Z`, `…:54Z` and `…:54.1234567Z`. Only UTC is understood.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let (date, clock) = text.split_once('T').unwrap_or((text, "00:00Z"));
        let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
        let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let clock = clock.strip_suffix('Z').or_else(|| clock.strip_suffix("+00:00"))?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let (hour, minute, second) = clock_of(clock)?;
        checked(year, month, day, hour, minute, second, nanos_of(fraction)?)
    }
}

fn clock_of(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().ok());
    let clock = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    parts.next().is_none().then_some(clock)
}

fn nanos_of(fraction: &str) -> Option<i64> {
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").parse().ok()
}

fn checked(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
) -> Option<Timestamp> {
    let possible = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !possible {
        return None;
    }
    let days = days_of(year, month, day);
    if date_of(days) != (year, month as u32, day as u32) {
        return None;
    }
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos).map(Timestamp)
}

/// Days since 1970 of a date; `date_of` is its inverse.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_FROM_YEAR_ZERO_TO_1970
}

fn date_of(days: i64) -> (i64, u32, u32) {
    let days = days + DAYS_FROM_YEAR_ZERO_TO_1970;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_print_and_read_back() {
        for (seconds, rfc, iso) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT", "2000-02-29T12:34:56Z"),
            (1_795_302_174, "Sat, 21 Nov 2026 23:02:54 GMT", "2026-11-21T23:02:54Z"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59Z"),
        ] {
            let at = Timestamp::from_seconds(seconds);
            assert_eq!(at.rfc1123(), rfc);
            assert_eq!(at.iso_seconds(), iso);
            assert_eq!(Timestamp::parse_rfc1123(rfc), Some(at));
            assert_eq!(Timestamp::parse_iso(iso), Some(at));
        }
        let fine = Timestamp::from_nanos(1_795_302_174_123_456_700);
        assert_eq!(fine.iso(), "2026-11-21T23:02:54.1234567Z");
        assert_eq!(Timestamp::parse_iso(&fine.iso()), Some(fine));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-11-21T24:00Z",
            "2026-11-21T10:00",
            "x",
            "",
            "2026-11-21T1:2:3:4Z",
        ] {
            assert_eq!(Timestamp::parse_iso(text), None, "{text}");
        }
        assert_eq!(Timestamp::parse_rfc1123("Sat, 21 Nov 2026 23:02:54 CET"), None);
    }
}
