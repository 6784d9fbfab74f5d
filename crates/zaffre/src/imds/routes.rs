//! The rules of every request, and which operation a path is.
//!
//! The rules are held in one order: what keeps a request from being forwarded to this service by a
//! server that was tricked into it (the header that only a program sets, and none that a proxy adds)
//! comes before anything is said about paths.

use azure::error::{Error, Result};
use http::Method;

use super::{attested, codes, events, instance::Asked, limits::Category, token::TokenRequest};
use crate::{door::Entrance, service::Parts};

/// Every api-version, oldest first (imds.md §1). Others are refused, newer ones too.
pub(super) static VERSIONS: &[&str] = &[
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2024-03-15",
    "2024-07-17",
    "2025-04-07",
];

/// The three newest of the category that was asked, newest first.
pub(super) fn newest(parts: &Parts) -> Vec<&'static str> {
    let versions = if is_about_events(parts) { events::VERSIONS } else { VERSIONS };
    versions.iter().rev().take(3).copied().collect()
}

/// A request, read as far as its headers.
pub(crate) enum Op {
    Token(TokenRequest),
    Info,
    Instance(Asked),
    Attested(attested::Asked),
    LoadBalancer,
    Events(events::Asked),
    Versions,
}

impl Op {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Op::Token(_) => "identity/oauth2/token",
            Op::Info => "identity/info",
            Op::Instance(_) => "instance",
            Op::Attested(_) => "attested/document",
            Op::LoadBalancer => "loadbalancer",
            Op::Events(_) => "scheduledevents",
            Op::Versions => "versions",
        }
    }

    /// Whose limit it counts towards.
    pub(super) fn category(&self) -> Category {
        match self {
            Op::Token(_) | Op::Info => Category::Identity,
            Op::Instance(_) | Op::Attested(_) | Op::LoadBalancer | Op::Events(_) | Op::Versions => {
                Category::General
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Token,
    Info,
    Instance,
    Attested,
    LoadBalancer,
    Events,
    Versions,
}

struct Route {
    /// In lower case, as a whole number of segments.
    path: &'static str,
    /// Whether what lies below the path is this operation too.
    and_below: bool,
    /// The first api-version that has it.
    since: Option<&'static str>,
    kind: Kind,
}

static ROUTES: &[Route] = &[
    at("metadata/identity/oauth2/token", "2018-02-01", Kind::Token),
    at("metadata/identity/info", "2018-02-01", Kind::Info),
    Route { path: "metadata/instance", and_below: true, since: Some("2017-04-02"), kind: Kind::Instance },
    Route { path: "metadata/versions", and_below: false, since: None, kind: Kind::Versions },
    at("metadata/attested/document", "2018-10-01", Kind::Attested),
    at("metadata/loadbalancer", "2020-10-01", Kind::LoadBalancer),
    Route { path: "metadata/scheduledevents", and_below: false, since: None, kind: Kind::Events },
];

const fn at(path: &'static str, since: &'static str, kind: Kind) -> Route {
    Route { path, and_below: false, since: Some(since), kind }
}

impl Route {
    /// What lies below the route's own path, if the path is its.
    fn takes<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (front, below) = path.split_at_checked(self.path.len())?;
        let is_whole = below.is_empty() || (self.and_below && below.starts_with('/'));
        (is_whole && front.eq_ignore_ascii_case(self.path)).then(|| below.trim_start_matches('/'))
    }
}

pub(super) fn is_extension(parts: &Parts) -> bool {
    parts.door.entrance == Entrance::Extension
}

/// Whether a refusal has a code: whether it is about identities.
pub(super) fn is_about_identity(parts: &Parts) -> bool {
    is_extension(parts) || is_below(parts, "/metadata/identity")
}

pub(super) fn is_about_events(parts: &Parts) -> bool {
    is_below(parts, "/metadata/scheduledevents")
}

fn is_below(parts: &Parts, prefix: &str) -> bool {
    let path = parts.path.as_deref().unwrap_or_default();
    path.get(..prefix.len()).is_some_and(|front| front.eq_ignore_ascii_case(prefix))
}

pub(super) fn parse(parts: &Parts) -> Result<Op> {
    if parts.headers.contains_key("x-forwarded-for") {
        return Err((&codes::FORWARDED).into());
    }
    match is_extension(parts) {
        true => parse_extension(parts),
        false => parse_metadata(parts),
    }
}

fn parse_metadata(parts: &Parts) -> Result<Op> {
    if !has_metadata_header(parts) {
        return Err((&codes::NO_METADATA_HEADER).into());
    }
    let path = parts.path.as_deref().unwrap_or_default().trim_matches('/');
    let mut routes = ROUTES.iter().filter_map(|route| Some((route, route.takes(path)?)));
    let (route, below) = routes.next().ok_or(&codes::NOT_FOUND)?;
    let takes_post = matches!(route.kind, Kind::Events);
    if parts.method != Method::GET && !(takes_post && parts.method == Method::POST) {
        return Err(wrong_method(parts));
    }
    refuse_repeats(parts)?;
    let version = match route.since {
        Some(since) => version(parts, since)?,
        None => "",
    };
    match route.kind {
        Kind::Token => TokenRequest::of_query(parts).map(Op::Token),
        Kind::Info => Ok(Op::Info),
        Kind::Instance => Asked::read(parts, below, version).map(Op::Instance),
        Kind::Attested => attested::Asked::read(parts, version).map(Op::Attested),
        Kind::LoadBalancer => Ok(Op::LoadBalancer),
        Kind::Events => events::Asked::read(parts).map(Op::Events),
        Kind::Versions => Ok(Op::Versions),
    }
}

/// The old endpoint knows one path, and no versions (imds.md §4).
fn parse_extension(parts: &Parts) -> Result<Op> {
    if !has_metadata_header(parts) {
        return Err((&codes::NO_METADATA_HEADER_OLD).into());
    }
    let path = parts.path.as_deref().unwrap_or_default();
    if !path.trim_end_matches('/').eq_ignore_ascii_case("/oauth2/token") {
        return Err(codes::UNKNOWN_SOURCE.with([path]));
    }
    refuse_repeats(parts)?;
    match parts.method {
        Method::GET => TokenRequest::of_extension(parts).map(Op::Token),
        Method::POST => Ok(Op::Token(TokenRequest::of_form())),
        _ => Err(wrong_method(parts)),
    }
}

fn wrong_method(parts: &Parts) -> Error {
    codes::WRONG_METHOD.with([parts.method.as_str()])
}

/// Exactly one header, whose value is `true`: in lower case where identities are at stake; elsewhere
/// Azure's own samples write `True` (imds.md §1).
fn has_metadata_header(parts: &Parts) -> bool {
    let mut values = parts.headers.get_all("metadata").iter();
    match (values.next(), values.next()) {
        (Some(value), None) if is_about_identity(parts) => value == "true",
        (Some(value), None) => value.as_bytes().eq_ignore_ascii_case(b"true"),
        _ => false,
    }
}

fn refuse_repeats(parts: &Parts) -> Result<()> {
    match parts.repeated_query() {
        Some(name) => Err(codes::REPEATED_PARAMETER.with([name])),
        None => Ok(()),
    }
}

/// The api-version, one of the list that is not older than its category.
fn version(parts: &Parts, since: &str) -> Result<&'static str> {
    let asked = parts.query("api-version").unwrap_or_default();
    let known = VERSIONS.iter().find(|version| **version == asked && **version >= since);
    known.copied().ok_or_else(|| (&codes::BAD_VERSION).into())
}
