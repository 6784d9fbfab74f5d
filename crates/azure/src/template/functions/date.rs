//! Times and durations.

use std::time::Duration;

use serde_json::Value;

use super::{Arguments, codes, dotnet};
use crate::{
    error::Result,
    template::evaluate::{Scope, Stand},
    time::Timestamp,
};

/// `20201120T143412Z`, what `utcNow()` gives without a format.
const COMPACT: &str = "yyyyMMddTHHmmssZ";
const EXTENDED: &str = "yyyy-MM-ddTHH:mm:ssZ";

/// Only in a parameter's default: elsewhere two deployments of one template would differ.
pub(super) fn utc_now(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    if scope.stand != Stand::Default {
        return Err(codes::NOT_EXPECTED.with([arguments.function]));
    }
    let format = arguments.maybe(0).map_or(Ok(COMPACT), |_| arguments.text(0))?;
    printed(arguments, scope.context.now, format)
}

fn printed(arguments: &Arguments<'_>, at: Timestamp, format: &str) -> Result<Value> {
    let text = dotnet::time(at, format);
    text.map(Value::String).ok_or_else(|| codes::BAD_FORMAT.with([format, arguments.function]))
}

/// In the format that is asked for, else in that of the base (documented: Date functions for ARM
/// templates, dateTimeAdd: the tables there show what a shell made of it).
pub(super) fn date_time_add(arguments: &Arguments<'_>) -> Result<Value> {
    let base = arguments.text(0)?;
    let (at, own_format) = read(arguments, base)?;
    let duration = arguments.text(1)?;
    let moved = moved(at, duration).ok_or_else(|| codes::BAD_DURATION.with([duration]))?;
    let format = arguments.maybe(2).map_or(Ok(own_format), |_| arguments.text(2))?;
    printed(arguments, moved, format)
}

pub(super) fn date_time_from_epoch(arguments: &Arguments<'_>) -> Result<Value> {
    let seconds = arguments.int(0)?;
    let at = seconds.checked_mul(1_000_000_000).map(Timestamp::from_nanos);
    match at {
        Some(at) => printed(arguments, at, EXTENDED),
        None => Err(codes::BAD_TIME.with([arguments.function, &seconds.to_string()])),
    }
}

pub(super) fn date_time_to_epoch(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(read(arguments, arguments.text(0)?)?.0.seconds().into())
}

/// The time, and how it is written.
fn read(arguments: &Arguments<'_>, text: &str) -> Result<(Timestamp, &'static str)> {
    let bad = || codes::BAD_TIME.with([arguments.function, text]);
    if !text.is_ascii() {
        return Err(bad());
    }
    if text.len() == COMPACT.len() && text.as_bytes()[8] == b'T' && text.ends_with('Z') {
        let extended = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &text[..4],
            &text[4..6],
            &text[6..8],
            &text[9..11],
            &text[11..13],
            &text[13..15]
        );
        return Timestamp::parse_iso(&extended).map(|at| (at, COMPACT)).ok_or_else(bad);
    }
    let format = match (text.contains(' '), text.contains('.')) {
        (true, _) => "u",
        (false, true) => "o",
        (false, false) => EXTENDED,
    };
    let normal = text.replacen(' ', "T", 1);
    let (normal, offset) = without_offset(&normal).ok_or_else(bad)?;
    let at = Timestamp::parse_iso(&normal).ok_or_else(bad)?;
    let utc = at.nanos().checked_sub(offset * 60 * 1_000_000_000).ok_or_else(bad)?;
    Ok((Timestamp::from_nanos(utc), format))
}

/// In UTC's form, and the minutes that it is ahead of UTC; without a zone it is UTC.
fn without_offset(text: &str) -> Option<(String, i64)> {
    let Some((_, clock)) = text.split_once('T').filter(|_| !text.ends_with('Z')) else {
        return Some((text.to_owned(), 0));
    };
    let Some(at) = clock.find(['+', '-']) else { return Some((format!("{text}Z"), 0)) };
    let (hours, minutes) = clock[at + 1..].split_once(':').unwrap_or((&clock[at + 1..], "0"));
    let offset = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    let date = &text[..text.len() - clock.len()];
    Some((format!("{date}{}Z", &clock[..at]), if clock[at..].starts_with('-') { -offset } else { offset }))
}

/// `P3Y6M4DT12H30M5S`, `P2W`, with a sign before it or none.
fn moved(at: Timestamp, duration: &str) -> Option<Timestamp> {
    let (direction, rest) = duration.strip_prefix('-').map_or((1, duration), |rest| (-1, rest));
    let rest = rest.strip_prefix('P').filter(|it| !it.is_empty() && *it != "T")?;
    let (date, clock) = rest.split_once('T').unwrap_or((rest, ""));
    let mut months = 0_i64;
    let mut nanos = 0_i64;
    for (count, unit) in parts(date)? {
        let whole = count as i64;
        match unit {
            'Y' => months = months.checked_add(whole.checked_mul(12)?)?,
            'M' => months = months.checked_add(whole)?,
            'W' => nanos = nanos.checked_add(span(count, 604_800.0)?)?,
            'D' => nanos = nanos.checked_add(span(count, 86_400.0)?)?,
            _ => return None,
        }
    }
    for (count, unit) in parts(clock)? {
        let seconds = match unit {
            'H' => 3600.0,
            'M' => 60.0,
            'S' => 1.0,
            _ => return None,
        };
        nanos = nanos.checked_add(span(count, seconds)?)?;
    }
    let at = plus_months(at, direction * months)?;
    let span = Duration::from_nanos(u64::try_from(nanos).ok()?);
    Some(if direction > 0 { at.plus(span) } else { at.minus(span) })
}

fn span(count: f64, seconds: f64) -> Option<i64> {
    let nanos = count * seconds * 1e9;
    (nanos < 9e18).then_some(nanos as i64)
}

fn parts(text: &str) -> Option<Vec<(f64, char)>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let unit = rest[end..].chars().next()?;
        found.push((rest[..end].parse().ok()?, unit));
        rest = &rest[end + unit.len_utf8()..];
    }
    Some(found)
}

/// A day that the month does not have becomes its last, as .NET's `AddMonths` has it.
fn plus_months(at: Timestamp, months: i64) -> Option<Timestamp> {
    let civil = at.civil();
    let since = (civil.year * 12 + i64::from(civil.month) - 1).checked_add(months)?;
    let (year, month) = (since.div_euclid(12), since.rem_euclid(12) + 1);
    let first = Timestamp::parse_iso(&format!("{year:04}-{month:02}-01"))?;
    let within = at.nanos().rem_euclid(86_400 * 1_000_000_000);
    let days = (28..=31)
        .rev()
        .find(|day| Timestamp::parse_iso(&format!("{year:04}-{month:02}-{day:02}")).is_some())?;
    let day = i64::from(civil.day).min(days);
    let nanos = first.nanos().checked_add((day - 1) * 86_400 * 1_000_000_000)?;
    nanos.checked_add(within).map(Timestamp::from_nanos)
}
