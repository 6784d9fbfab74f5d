//! The token endpoints.
//!
//! ```text
//! form ──► grant ──► client: which application, by what proof ──► resource ──► mint
//! ```
//!
//! Both endpoints give the same tokens: which version one has is its resource's to say (entra.md §2.1).
//! They differ in how the resource is named (`resource`, or a scope that ends in `/.default`) and in
//! whether the answer's numbers are text. What a user is asked for is in `users`.

use azure::{
    error::{Error, Result},
    jwt::claims::Bearer,
    text,
};
use serde_json::{Value, json};

use super::{
    client::{self, Proof},
    codes,
    form::Form,
    on_behalf_of,
    routes::{Tenant, Version},
    scopes, users,
};
use crate::{
    directory::{
        Minted, Subject,
        mint::{self, Audience},
        resources::{self, Resource},
        service_principals,
    },
    service::{Body, Cx, Reply},
    store::Txn,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// What the request line and the headers say.
pub(crate) struct TokenRequest {
    pub(super) tenant: Tenant,
    pub(super) version: Version,
    /// Client id and secret of a Basic header.
    pub(super) basic: Option<(String, String)>,
    pub(super) is_form: bool,
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
    let form = Form::read(request.is_form, body).await?;
    match form.required("grant_type")? {
        "client_credentials" => client_credentials(cx, &request, &form).await,
        "password" => users::password(cx, &request, &form).await,
        "refresh_token" => users::refresh(cx, &request, &form).await,
        "authorization_code" => users::authorization_code(cx, &request, &form).await,
        "device_code" | "urn:ietf:params:oauth:grant-type:device_code" => {
            users::device_code(cx, &request, &form).await
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => on_behalf_of::answer(cx, &request, &form).await,
        other => Err(unsupported(other)),
    }
}

/// Grants that Entra ID has and this program does not; the log tells them from those that nobody has.
static LATER: &[&str] = &["urn:ietf:params:oauth:grant-type:saml2-bearer"];

fn unsupported(grant: &str) -> Error {
    let error = codes::UNSUPPORTED_GRANT.with([grant]);
    match LATER.contains(&grant) {
        true => error.because(format!("NotImplemented: the grant `{grant}`")),
        false => error,
    }
}

async fn client_credentials(cx: &Cx, request: &TokenRequest, form: &Form) -> Result<Reply> {
    let (client, proof) = client::shown(cx, request, form).await?;
    if matches!(proof, Proof::None) {
        return Err((&codes::NO_SECRET).into());
    }
    match request.tenant {
        Tenant::This => {}
        Tenant::Common => return Err((&codes::NO_TENANT).into()),
        Tenant::Consumers => return Err((&codes::NOT_OVER_CONSUMERS).into()),
        Tenant::Organizations => return Err(codes::APPLICATION_NOT_FOUND.with([client, "organizations"])),
    }
    let asked = scopes::of_application(form, request.version)?;
    let capabilities = scopes::capabilities(form)?;
    let (subject, audience) = cx.read(|txn| admit(cx, txn, (client, &proof), asked)).await?;
    let audience = Audience { capabilities, ..audience };
    let minted = mint::mint(cx, subject, audience, mint::APPLICATION_LIFETIME);
    Ok(Reply::json(200, &granted(cx, request.version, asked, &minted)))
}

/// The application, if its proof is good and the tenant has both it and the resource.
fn admit(cx: &Cx, txn: &Txn, shown: (&str, &Proof<'_>), asked: &str) -> Result<(Subject, Audience)> {
    let client = client::admit(cx, txn, shown)?;
    let (id, tenant) = (client.id, cx.cloud.charter.tenant);
    let missing = || codes::NO_SERVICE_PRINCIPAL.with([id.to_string(), tenant.to_string()]);
    let principal = service_principals::of_application(txn, id)?.ok_or_else(missing)?;
    if !principal.account_enabled {
        return Err(codes::APPLICATION_DISABLED.with([id.to_string(), principal.display_name]));
    }
    let resource = resource(cx, txn, asked)?;
    if resource.keeps_out(txn, principal.object_id)? {
        let (of, of_name) =
            resource.own.map(|it| (it.client_id.to_string(), it.display_name)).unwrap_or_default();
        return Err(codes::NOT_ASSIGNED.with([id.to_string(), principal.display_name, of, of_name]));
    }
    let audience = resource.audience(txn, principal.object_id)?;
    let bearer = match (client.application, principal.resource_id) {
        (None, Some(identity)) => Bearer::UserAssigned { identity, used_from: None },
        _ => Bearer::App(client.credential),
    };
    Ok((Subject { object_id: principal.object_id, client: id, bearer }, audience))
}

pub(super) fn resource(cx: &Cx, txn: &Txn, name: &str) -> Result<Resource> {
    let unknown = || codes::RESOURCE_NOT_FOUND.with([name, &cx.cloud.charter.display_name]);
    resources::find(txn, name)?.ok_or_else(unknown)
}

/// The members that every grant answers with.
pub(super) fn granted(cx: &Cx, version: Version, audience: &str, minted: &Minted) -> Value {
    let seconds = minted.expires_in(cx.now);
    match version {
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
    }
}
