//! The token endpoints.
//!
//! ```text
//! form ──► grant ──► client: which application, by what proof ──► resource ──► mint
//! ```
//!
//! Both endpoints give the same tokens, since every resource here is one whose tokens are of version 1
//! (entra.md §2.1). They differ in how the resource is named (`resource`, or a scope that ends in
//! `/.default`) and in whether the answer's numbers are text.

use azure::{
    error::{Error, Result},
    ids::ClientId,
    jwt::claims::{Bearer, Credential},
    text,
};
use serde_json::json;

use super::{
    codes,
    routes::{Tenant, Version},
};
use crate::{
    directory::{
        Minted, Subject,
        applications::{self, SecretFault},
        mint, resources, service_principals,
    },
    service::{Body, Cx, Reply},
    store::Txn,
};

/// Assertions are the longest that clients send; they stay below 32 KiB.
const FORM_BYTES: usize = 128 << 10;

const FORM: &str = "application/x-www-form-urlencoded";
const DEFAULT: &str = "/.default";

/// What the request line and the headers say.
pub(crate) struct TokenRequest {
    tenant: Tenant,
    version: Version,
    /// Client id and secret of a Basic header.
    basic: Option<(String, String)>,
    is_form: bool,
}

impl TokenRequest {
    pub(super) fn read(
        tenant: Tenant,
        version: Version,
        authorization: Option<&str>,
        content_type: Option<&str>,
    ) -> Result<Self> {
        let media_type = content_type.and_then(|it| it.split(';').next()).map(str::trim);
        let basic = authorization.and_then(|it| strip_scheme(it, "Basic"));
        Ok(TokenRequest {
            tenant,
            version,
            basic: basic.map(|it| credentials(it).ok_or(&codes::MALFORMED)).transpose()?,
            is_form: media_type.is_some_and(|it| it.eq_ignore_ascii_case(FORM)),
        })
    }
}

fn strip_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (found, rest) = header.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Id and secret, each form-encoded before they were joined (RFC 6749 §2.3.1).
fn credentials(encoded: &str) -> Option<(String, String)> {
    let joined = String::from_utf8(text::base64_decode(encoded)?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((text::percent_decode(id)?, text::percent_decode(secret)?))
}

pub(super) async fn answer(cx: &Cx, request: TokenRequest, body: Body) -> Result<Reply> {
    let form = Form::read(&request, body).await?;
    match form.required("grant_type")? {
        "client_credentials" => client_credentials(cx, &request, &form).await,
        other => Err(unsupported(other)),
    }
}

/// Grants that Entra ID has and this program does not, yet; the log tells them from those that nobody
/// has.
static LATER: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "password",
    "device_code",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
];

fn unsupported(grant: &str) -> Error {
    let error = codes::UNSUPPORTED_GRANT.with([grant]);
    match LATER.contains(&grant) {
        true => error.because(format!("NotImplemented: the grant `{grant}`")),
        false => error,
    }
}

async fn client_credentials(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let (client, secret) = proof(request, form)?;
    match request.tenant {
        Tenant::This => {}
        Tenant::Common => return Err((&codes::NO_TENANT).into()),
        Tenant::Consumers => return Err((&codes::NOT_OVER_CONSUMERS).into()),
        Tenant::Organizations => return Err(codes::APPLICATION_NOT_FOUND.with([client, "organizations"])),
    }
    let audience = match request.version {
        Version::V1 => form.required("resource")?,
        Version::V2 => audience_of_scope(form)?,
    };
    let subject = cx.read(|txn| admit(cx, txn, (client, secret), audience)).await?;
    let minted = mint::mint(cx, subject, audience, mint::APPLICATION_LIFETIME).await?;
    Ok(granted(cx, request.version, audience, &minted))
}

/// The client's id and its secret, from the one place where they are.
fn proof<'r>(request: &'r TokenRequest, form: &'r Form) -> Result<(&'r str, &'r str)> {
    if let Some((client, secret)) = &request.basic {
        let is_twice = form.get("client_secret").is_some();
        let is_other = form.get("client_id").is_some_and(|it| !it.eq_ignore_ascii_case(client));
        return match is_twice || is_other {
            true => Err((&codes::MALFORMED).into()),
            false => Ok((client, secret)),
        };
    }
    let client = form.required("client_id")?;
    match form.get("client_secret") {
        Some(secret) => Ok((client, secret)),
        None if form.get("client_assertion").is_some() => {
            Err(codes::NOT_IMPLEMENTED.with(["client_assertion"]))
        }
        None => Err((&codes::NO_SECRET).into()),
    }
}

/// The resource of the one scope that a client may ask for as itself. `/.default` is taken off once:
/// what is left is the audience, slash and all (az-cli.md §1.6).
fn audience_of_scope(form: &Form) -> Result<&str> {
    if form.get("resource").is_some() {
        return Err((&codes::RESOURCE_OVER_V2).into());
    }
    let scope = form.required("scope")?;
    match scope.strip_suffix(DEFAULT) {
        None => Err(codes::NOT_DEFAULT_SCOPE.with([scope])),
        Some(resource) if resource.is_empty() || resource.contains(char::is_whitespace) => {
            Err(codes::INVALID_SCOPE.with([scope]))
        }
        Some(resource) => Ok(resource),
    }
}

/// The application, if the secret is its own and the tenant has both it and the resource.
fn admit(cx: &Cx, txn: &Txn, (client, secret): (&str, &str), audience: &str) -> Result<Subject> {
    let charter = &cx.cloud.charter;
    let unknown = || codes::APPLICATION_NOT_FOUND.with([client, &charter.display_name]);
    let id: ClientId = client.parse().map_err(|_| unknown())?;
    let application = applications::get(txn, id)?.ok_or_else(unknown)?;
    application.believes(secret, cx.now).map_err(|fault| match fault {
        SecretFault::Wrong => codes::WRONG_SECRET.with([id.to_string()]),
        SecretFault::Expired => codes::EXPIRED_SECRET.with([id.to_string()]),
    })?;
    let missing = || codes::NO_SERVICE_PRINCIPAL.with([id.to_string(), charter.tenant.to_string()]);
    let principal = service_principals::of_application(txn, id)?.ok_or_else(missing)?;
    if !principal.account_enabled {
        return Err(codes::APPLICATION_DISABLED.with([id.to_string(), application.display_name]));
    }
    if !resources::is_known(txn, audience)? {
        return Err(codes::RESOURCE_NOT_FOUND.with([audience, &charter.display_name]));
    }
    let bearer = Bearer::App(Credential::Secret);
    Ok(Subject { object_id: principal.object_id, client: id, bearer })
}

fn granted(cx: &Cx, version: Version, audience: &str, minted: &Minted) -> Reply {
    let seconds = minted.expires_in(cx.now);
    let body = match version {
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": seconds.to_string(),
            "ext_expires_in": seconds.to_string(),
            "expires_on": minted.expires.seconds().to_string(),
            "not_before": minted.not_before.seconds().to_string(),
            "resource": audience,
            "access_token": &*minted.token,
        }),
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": &*minted.token,
        }),
    };
    Reply::json(200, &body)
}

/// The parameters of the body.
struct Form(Vec<(String, String)>);

impl Form {
    /// A body of another type counts as a form without parameters: Entra ID then misses `grant_type`.
    async fn read(request: &TokenRequest, body: Body) -> Result<Self> {
        let bytes = body.bytes(FORM_BYTES).await?;
        if !request.is_form {
            return Ok(Form(Vec::new()));
        }
        let pairs = std::str::from_utf8(&bytes).ok().and_then(text::form_decode).ok_or(&codes::MALFORMED)?;
        let is_repeated = |at: usize| pairs[..at].iter().any(|(name, _)| *name == pairs[at].0);
        match (0..pairs.len()).any(is_repeated) {
            true => Err((&codes::MALFORMED).into()),
            false => Ok(Form(pairs)),
        }
    }

    /// A parameter that is there and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or_else(|| codes::MISSING_PARAMETER.with([name]))
    }
}
