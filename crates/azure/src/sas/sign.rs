//! The strings that are signed: one line each, and which lines there are follows from `sv` (blob.md §6).

use super::{Fault, Kind, Resource, Sas};
use crate::api_version::ApiVersion;

/// What a signature is tried on.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Without `-secondary`.
    pub account: &'a str,
    pub place: Place<'a>,
    /// Names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Decoded.
    pub query: &'a [(String, String)],
}

/// What the request's path names, decoded; a blob without a container lies in `$root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    Account,
    Container(&'a str),
    Blob { container: &'a str, name: &'a str },
}

/// What stands in a line.
#[derive(Clone, Copy)]
enum Slot {
    Field(&'static str),
    /// `snapshot` or `versionid`, where the signature is for one.
    Moment,
    Account,
    Resource,
    /// The headers that `srh` names, and the parameters that `srq` names, as the request has them.
    Headers,
    Parameters,
}

use Slot::{Account, Field, Headers, Moment, Parameters, Resource as Canonical};

/// A line, and from which version it is there; none where it always was.
struct Line(Slot, Option<ApiVersion>);

const fn always(slot: Slot) -> Line {
    Line(slot, None)
}

const fn since(version: &'static str, slot: Slot) -> Line {
    Line(slot, Some(ApiVersion::of(version)))
}

/// Ends with an empty line.
static OF_ACCOUNT: [Line; 11] = [
    always(Account),
    always(Field("sp")),
    always(Field("ss")),
    always(Field("srt")),
    always(Field("st")),
    always(Field("se")),
    always(Field("sip")),
    always(Field("spr")),
    always(Field("sv")),
    since("2020-12-06", Field("ses")),
    always(Field("")),
];

static OF_SERVICE: [Line; 16] = [
    always(Field("sp")),
    always(Field("st")),
    always(Field("se")),
    always(Canonical),
    always(Field("si")),
    since("2015-04-05", Field("sip")),
    since("2015-04-05", Field("spr")),
    since("2012-02-12", Field("sv")),
    since("2018-11-09", Field("sr")),
    since("2018-11-09", Moment),
    since("2020-12-06", Field("ses")),
    since("2013-08-15", Field("rscc")),
    since("2013-08-15", Field("rscd")),
    since("2013-08-15", Field("rsce")),
    since("2013-08-15", Field("rscl")),
    since("2013-08-15", Field("rsct")),
];

static OF_USER_DELEGATION: [Line; 28] = [
    always(Field("sp")),
    always(Field("st")),
    always(Field("se")),
    always(Canonical),
    always(Field("skoid")),
    always(Field("sktid")),
    always(Field("skt")),
    always(Field("ske")),
    always(Field("sks")),
    always(Field("skv")),
    since("2020-02-10", Field("saoid")),
    since("2020-02-10", Field("suoid")),
    since("2020-02-10", Field("scid")),
    since("2025-07-05", Field("skdutid")),
    since("2025-07-05", Field("sduoid")),
    always(Field("sip")),
    always(Field("spr")),
    always(Field("sv")),
    always(Field("sr")),
    always(Moment),
    since("2020-12-06", Field("ses")),
    since("2026-04-06", Headers),
    since("2026-04-06", Parameters),
    always(Field("rscc")),
    always(Field("rscd")),
    always(Field("rsce")),
    always(Field("rscl")),
    always(Field("rsct")),
];

/// From here on the canonical resource begins with the service's name.
static WITH_SERVICE: ApiVersion = ApiVersion::of("2015-02-21");

impl Sas {
    /// The string that must have been signed for this request to be genuine. Refuses a signature for another level
    /// than the request's.
    pub fn string_to_sign(&self, request: &Request<'_>) -> Result<String, Fault> {
        let canonical = self.canonical(request)?;
        let lines: &[Line] = match &self.kind {
            Kind::Account { .. } => &OF_ACCOUNT,
            Kind::Service { .. } => &OF_SERVICE,
            Kind::UserDelegation { .. } => &OF_USER_DELEGATION,
        };
        // Nothing is below everything: a line without a version is in every signature's string.
        let is_there = |line: &&Line| line.1 <= self.version;
        let text = |line: &Line| match line.0 {
            Field(name) => self.field(name).unwrap_or_default().to_owned(),
            Moment => self.moment().to_owned(),
            Account => request.account.to_owned(),
            Canonical => canonical.clone(),
            Headers => self.headers(request),
            Parameters => self.parameters(request),
        };
        Ok(lines.iter().filter(is_there).map(text).collect::<Vec<_>>().join("\n"))
    }

    /// `/blob/{account}/{container}[/{blob}]`, as far as the signature reaches.
    fn canonical(&self, request: &Request<'_>) -> Result<String, Fault> {
        let Some(resource) = self.resource() else { return Ok(String::new()) };
        let below = match (resource, request.place) {
            (_, Place::Account)
            | (Resource::Blob | Resource::Snapshot | Resource::Version, Place::Container(_)) => {
                return Err(Fault::ResourceLevel);
            }
            (Resource::Container, Place::Container(container) | Place::Blob { container, .. }) => {
                container.to_owned()
            }
            (Resource::Directory { .. }, Place::Container(_)) => return Err(Fault::ResourceLevel),
            (Resource::Directory { depth }, Place::Blob { container, name }) => {
                let directory = directory(name, depth).ok_or(Fault::ResourceLevel)?;
                if directory.is_empty() { container.to_owned() } else { format!("{container}/{directory}") }
            }
            (_, Place::Blob { container, name }) => format!("{container}/{name}"),
        };
        let has_service = self.version.as_ref().is_some_and(|it| *it >= WITH_SERVICE);
        let service = if has_service { "/blob" } else { "" };
        Ok(format!("{service}/{}/{below}", request.account))
    }

    fn moment(&self) -> &str {
        let name = match self.resource() {
            Some(Resource::Snapshot) => "snapshot",
            Some(Resource::Version) => "versionid",
            Some(Resource::Container | Resource::Blob | Resource::Directory { .. }) | None => return "",
        };
        self.field(name).unwrap_or_default()
    }

    fn headers(&self, request: &Request<'_>) -> String {
        let value = |name: &str| {
            let found = request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value).to_owned()
        };
        self.named("srh").map(|name| format!("{name}:{}\n", value(name))).collect()
    }

    fn parameters(&self, request: &Request<'_>) -> String {
        let value = |name: &str| {
            let found = request.query.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value).to_owned()
        };
        self.named("srq").map(|name| format!("\n{name}:{}", value(name))).collect()
    }

    /// The names in a list with commas.
    fn named(&self, field: &str) -> impl Iterator<Item = &str> {
        self.field(field).unwrap_or_default().split(',').filter(|name| !name.is_empty())
    }
}

/// So many first segments of a blob's name, of which there must be more.
pub(super) fn directory(name: &str, depth: usize) -> Option<&str> {
    let ends = std::iter::once(0).chain(name.match_indices('/').map(|(at, _)| at));
    ends.enumerate().find(|(count, _)| *count == depth).map(|(_, end)| &name[..end])
}
