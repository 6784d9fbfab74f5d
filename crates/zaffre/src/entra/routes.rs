//! Paths: which operation, of which tenant.
//!
//! A path is the tenant's segment and what follows; what follows is looked up in one table, without
//! case (az-cli.md §13: old clients ask for `UserRealm`).

use azure::{error::Result, ids::Guid};
use http::{Method, header};

use super::{codes, discovery::InstanceQuery, sign_in::Authorize, token::TokenRequest};
use crate::service::{Cx, Parts};

/// A request, read as far as its headers.
pub(crate) enum Op {
    Configuration { tenant: Tenant, version: Version },
    Keys { tenant: Tenant, version: Version },
    Instance(InstanceQuery),
    UserRealm { user: String },
    Token(TokenRequest),
    Authorize(Authorize),
    DeviceCode(TokenRequest),
    DevicePage { is_sent: bool, is_form: bool },
    NotImplemented(&'static str),
}

/// Of an endpoint: how it names things, not which tokens it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// What the first segment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// This cloud's one, by id or by domain.
    This,
    Common,
    Organizations,
    Consumers,
}

#[derive(Clone, Copy)]
enum Kind {
    Configuration(Version),
    Keys(Version),
    Instance,
    UserRealm,
    Token(Version),
    Authorize,
    DeviceCode(Version),
    DevicePage,
    NotImplemented(&'static str),
}

struct Route {
    method: Method,
    /// Behind the tenant, in lower case; a `*` at the end stands for one more segment.
    path: &'static str,
    kind: Kind,
}

static ROUTES: &[Route] = &[
    get("v2.0/.well-known/openid-configuration", Kind::Configuration(Version::V2)),
    get(".well-known/openid-configuration", Kind::Configuration(Version::V1)),
    get("discovery/v2.0/keys", Kind::Keys(Version::V2)),
    get("discovery/keys", Kind::Keys(Version::V1)),
    get("discovery/instance", Kind::Instance),
    get("userrealm/*", Kind::UserRealm),
    post("oauth2/v2.0/token", Kind::Token(Version::V2)),
    post("oauth2/token", Kind::Token(Version::V1)),
    get("oauth2/v2.0/authorize", Kind::Authorize),
    post("oauth2/v2.0/authorize", Kind::Authorize),
    get("oauth2/authorize", Kind::Authorize),
    post("oauth2/authorize", Kind::Authorize),
    get("oauth2/deviceauth", Kind::DevicePage),
    post("oauth2/deviceauth", Kind::DevicePage),
    get("oauth2/v2.0/logout", Kind::NotImplemented("logout")),
    get("oauth2/logout", Kind::NotImplemented("logout")),
    post("oauth2/v2.0/devicecode", Kind::DeviceCode(Version::V2)),
    post("oauth2/devicecode", Kind::DeviceCode(Version::V1)),
];

const fn get(path: &'static str, kind: Kind) -> Route {
    Route { method: Method::GET, path, kind }
}

const fn post(path: &'static str, kind: Kind) -> Route {
    Route { method: Method::POST, path, kind }
}

impl Route {
    /// What the `*` stands for, or the empty text; `None` where the path is another one.
    fn takes<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some(fixed) = self.path.strip_suffix('*') else {
            return path.eq_ignore_ascii_case(self.path).then_some("");
        };
        let (front, last) = path.split_at_checked(fixed.len())?;
        let is_one = !last.is_empty() && !last.contains('/');
        (is_one && front.eq_ignore_ascii_case(fixed)).then_some(last)
    }

    /// HEAD is answered like GET.
    fn answers(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

impl Op {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Op::Configuration { .. } => "openid-configuration",
            Op::Keys { .. } => "keys",
            Op::Instance(_) => "instance discovery",
            Op::UserRealm { .. } => "userrealm",
            Op::Token(_) => "token",
            Op::Authorize(_) => "authorize",
            Op::DeviceCode(_) => "devicecode",
            Op::DevicePage { .. } => "deviceauth",
            Op::NotImplemented(name) => name,
        }
    }
}

pub(super) fn parse(cx: &Cx, parts: &Parts) -> Result<Op> {
    let path = parts.path.as_deref().unwrap_or_default();
    let (segment, rest) = path.trim_start_matches('/').split_once('/').ok_or(&codes::NOT_FOUND)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let routes = || ROUTES.iter().filter_map(|route| Some((route, route.takes(rest)?)));
    let (first, _) = routes().next().ok_or(&codes::NOT_FOUND)?;
    let (route, last) = routes()
        .find(|(route, _)| route.answers(&parts.method))
        .ok_or_else(|| codes::WRONG_METHOD.with([first.method.as_str(), parts.method.as_str()]))?;
    let token_request = |version| {
        let tenant = tenant(cx, segment)?;
        let header = parts.header(header::AUTHORIZATION.as_str());
        TokenRequest::read(tenant, version, header, parts.header(header::CONTENT_TYPE.as_str()))
    };
    let is_form = || Ok::<_, azure::error::Error>(token_request(Version::V2)?.is_form);
    match route.kind {
        Kind::Configuration(version) => Ok(Op::Configuration { tenant: discovered(cx, segment)?, version }),
        Kind::Keys(version) => Ok(Op::Keys { tenant: discovered(cx, segment)?, version }),
        Kind::Instance => InstanceQuery::read(parts).map(Op::Instance),
        Kind::UserRealm => Ok(Op::UserRealm { user: last.to_owned() }),
        Kind::Token(version) => token_request(version).map(Op::Token),
        Kind::Authorize => Ok(Op::Authorize(Authorize::read(parts, is_form()?)?)),
        Kind::DeviceCode(version) => token_request(version).map(Op::DeviceCode),
        Kind::DevicePage => Ok(Op::DevicePage { is_sent: parts.method == Method::POST, is_form: is_form()? }),
        Kind::NotImplemented(name) => Ok(Op::NotImplemented(name)),
    }
}

/// Whether a person sees the answer.
pub(super) fn is_page(parts: &Parts) -> bool {
    let last = parts.raw_path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    ["authorize", "deviceauth"].iter().any(|page| page.eq_ignore_ascii_case(last))
}

/// The tenant of a document. Personal accounts have none here.
fn discovered(cx: &Cx, segment: &str) -> Result<Tenant> {
    match resolve(cx, segment) {
        Some(Tenant::Consumers) | None => Err(codes::DISCOVERY_TENANT_NOT_FOUND.with([segment])),
        Some(tenant) => Ok(tenant),
    }
}

fn tenant(cx: &Cx, segment: &str) -> Result<Tenant> {
    resolve(cx, segment).ok_or_else(|| match may_be_a_tenant(segment) {
        true => codes::TENANT_NOT_FOUND.with([segment]),
        false => codes::NOT_A_TENANT.with([segment]),
    })
}

fn resolve(cx: &Cx, segment: &str) -> Option<Tenant> {
    let is = |name: &str| segment.eq_ignore_ascii_case(name);
    let charter = &cx.cloud.charter;
    if is(&charter.domain) || segment.parse() == Ok(charter.tenant) {
        return Some(Tenant::This);
    }
    let names = [
        ("common", Tenant::Common),
        ("organizations", Tenant::Organizations),
        ("consumers", Tenant::Consumers),
    ];
    names.into_iter().find(|(name, _)| is(name)).map(|(_, tenant)| tenant)
}

/// Whether a text has the form of a tenant: a guid, or a name of two labels and more.
fn may_be_a_tenant(segment: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    segment.parse::<Guid>().is_ok() || (segment.contains('.') && segment.split('.').all(is_label))
}
