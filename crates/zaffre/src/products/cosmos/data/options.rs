//! What a request's headers ask for, read once.

use azure::error::Result;

use crate::{
    products::cosmos::{
        codes,
        offers::Throughput,
        partition::{self, Component},
    },
    service::Parts,
};

pub(super) struct Options {
    pub(super) partition_key: Option<Vec<Component>>,
    /// A physical partition, by its id. There is one.
    pub(super) range_id: Option<String>,
    /// A stretch of effective partition keys.
    pub(super) stretch: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    /// `Prefer: return=minimal`: answers to writes have no body.
    pub(super) is_minimal: bool,
    pub(super) page: Page,
    pub(super) continuation: Option<String>,
    pub(super) throughput: Option<Throughput>,
    /// `x-ms-cosmos-migrate-offer-to-…`: the other kind of throughput.
    pub(super) migrate: Option<Migrate>,
    pub(super) may_cross_partitions: bool,
    /// The highest write that the client has seen, where it sent a session token.
    pub(super) session: Option<u64>,
    pub(super) intended_collection: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrate {
    ToAutoscale,
    ToManual,
}

/// How many there are on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Nothing was said.
    Default,
    /// As many as go into an answer.
    Dynamic,
    Of(usize),
}

impl Page {
    const DEFAULT: usize = 100;
    const DYNAMIC: usize = 1000;

    pub(super) fn items(self) -> usize {
        match self {
            Page::Default => Page::DEFAULT,
            Page::Dynamic => Page::DYNAMIC,
            Page::Of(items) => items,
        }
    }
}

impl Options {
    pub(super) fn parse(parts: &Parts) -> Result<Self> {
        // An empty header is how some SDKs say nothing.
        let header = |name: &str| parts.header(name).map(str::trim).filter(|value| !value.is_empty());
        let owned = |name: &str| header(name).map(str::to_owned);
        let is_set = |name: &str| header(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let partition_key =
            header("x-ms-documentdb-partitionkey").map(partition::parse_header).transpose()?;
        Ok(Options {
            partition_key,
            range_id: owned("x-ms-documentdb-partitionkeyrangeid"),
            stretch: stretch(header("x-ms-start-epk"), header("x-ms-end-epk"))?,
            if_match: owned("if-match"),
            if_none_match: owned("if-none-match"),
            is_minimal: header("prefer").is_some_and(|it| it.eq_ignore_ascii_case("return=minimal")),
            page: header("x-ms-max-item-count").map_or(Ok(Page::Default), page)?,
            continuation: owned("x-ms-continuation"),
            throughput: throughput(
                header("x-ms-offer-throughput"),
                header("x-ms-cosmos-offer-autopilot-settings"),
            )?,
            migrate: if is_set("x-ms-cosmos-migrate-offer-to-autopilot") {
                Some(Migrate::ToAutoscale)
            } else if is_set("x-ms-cosmos-migrate-offer-to-manual-throughput") {
                Some(Migrate::ToManual)
            } else {
                None
            },
            may_cross_partitions: is_set("x-ms-documentdb-query-enablecrosspartition"),
            session: header("x-ms-session-token").map(session).transpose()?,
            intended_collection: owned("x-ms-cosmos-intended-collection-rid"),
        })
    }
}

fn page(text: &str) -> Result<Page> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(Page::Dynamic),
        Ok(items) if items > 0 => Ok(Page::Of(usize::try_from(items).unwrap_or(usize::MAX))),
        _ => Err(codes::BAD_PAGE_SIZE.with([text])),
    }
}

fn stretch(start: Option<&str>, end: Option<&str>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let bytes = |name: &str, text: &str| unhex(text).ok_or_else(|| codes::BAD_HEADER.with([text, name]));
    let start = bytes("x-ms-start-epk", start.unwrap_or(""))?;
    Ok(Some((start, bytes("x-ms-end-epk", end.unwrap_or("FF"))?)))
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| (byte as char).to_digit(16);
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? * 16 + digit(*low)?) as u8));
    if rest.is_empty() { bytes.collect() } else { None }
}

fn throughput(manual: Option<&str>, autoscale: Option<&str>) -> Result<Option<Throughput>> {
    let bad = |text: &str, name: &str| codes::BAD_HEADER.with([text, name]);
    let manual = manual.map(|text| text.parse().map_err(|_| bad(text, "x-ms-offer-throughput")));
    let autoscale = autoscale.map(|text| {
        let settings: Option<serde_json::Value> = serde_json::from_str(text).ok();
        let max = settings.and_then(|settings| settings["maxThroughput"].as_u64());
        max.ok_or_else(|| bad(text, "x-ms-cosmos-offer-autopilot-settings"))
    });
    Throughput::of(manual.transpose()?, autoscale.transpose()?)
}

/// `0:-1#12`, `0:1#12#3=4`, `0:12`; several, comma-joined (cosmos.md §9).
fn session(text: &str) -> Result<u64> {
    let lsn = |one: &str| -> Option<u64> {
        let (_, rest) = one.trim().split_once(':')?;
        match rest.split_once('#') {
            Some((_, lsns)) => lsns.split('#').next()?.parse().ok(),
            None => rest.parse().ok(),
        }
    };
    let all = text.split(',').map(lsn).collect::<Option<Vec<_>>>();
    all.and_then(|all| all.into_iter().max()).ok_or_else(|| codes::BAD_SESSION.with([text]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_tokens_of_every_form_give_their_lsn() {
        for (text, lsn) in [
            ("0:-1#12", Some(12)),
            ("0:1#12#3=4", Some(12)),
            ("0:12", Some(12)),
            ("0:-1#3,0:-1#12", Some(12)),
            ("12", None),
            ("0:-1#x", None),
        ] {
            assert_eq!(session(text).ok(), lsn, "{text}");
        }
    }

    #[test]
    fn page_sizes_are_positive_or_minus_one() {
        for (text, parsed) in
            [("-1", Some(Page::Dynamic)), ("5", Some(Page::Of(5))), ("0", None), ("-2", None), ("x", None)]
        {
            assert_eq!(page(text).ok(), parsed, "{text}");
        }
        assert_eq!(unhex("05Ff"), Some(vec![5, 255]));
        assert_eq!(unhex("5"), None);
        assert_eq!(unhex("é"), None);
    }
}
