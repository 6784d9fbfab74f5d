//! The rules of every request, and which operation a path is.
//!
//! The rules are held in one order: what keeps a request from being forwarded to this service by a
//! server that was tricked into it (the header that only a program sets, and none that a proxy adds)
//! comes before anything is said about paths.

use azure::error::{Error, Result};
use http::Method;

use super::{codes, instance::Asked, token::TokenRequest};
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

/// The three newest, newest first.
pub(super) fn newest() -> Vec<&'static str> {
    VERSIONS.iter().rev().take(3).copied().collect()
}

/// A request, read as far as its headers.
pub(crate) enum Op {
    Token(TokenRequest),
    Info,
    Instance(Asked),
    Versions,
    NotImplemented(&'static str),
}

impl Op {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Op::Token(_) => "identity/oauth2/token",
            Op::Info => "identity/info",
            Op::Instance(_) => "instance",
            Op::Versions => "versions",
            Op::NotImplemented(what) => what,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Token,
    Info,
    Instance,
    Versions,
    NotImplemented,
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
    // The versions of these are their own (imds.md §7): nothing is said about them.
    not_yet("metadata/attested/document"),
    not_yet("metadata/scheduledevents"),
    not_yet("metadata/loadbalancer"),
];

const fn at(path: &'static str, since: &'static str, kind: Kind) -> Route {
    Route { path, and_below: false, since: Some(since), kind }
}

const fn not_yet(path: &'static str) -> Route {
    Route { path, and_below: false, since: None, kind: Kind::NotImplemented }
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
    let path = parts.path.as_deref().unwrap_or_default();
    let first = path.get(..PREFIX.len()).unwrap_or_default();
    is_extension(parts) || first.eq_ignore_ascii_case(PREFIX)
}

const PREFIX: &str = "/metadata/identity";

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
    if let Kind::NotImplemented = route.kind {
        return Ok(Op::NotImplemented(route.path));
    }
    if parts.method != Method::GET {
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
        Kind::Versions | Kind::NotImplemented => Ok(Op::Versions),
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
