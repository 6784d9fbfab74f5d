//! Tokens: which of the machine's identities is meant, and its token.

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    text,
};
use serde::Serialize;
use serde_json::json;

use super::{
    codes,
    machine::{AttachedIdentity, Machine},
};
use crate::{
    directory::{
        Minted,
        mint::{self, Audience, Purpose},
        resources,
    },
    service::{Body, Cx, Parts, Reply},
    store::Txn,
};

const FORM_BYTES: usize = 16 << 10;

/// Where the parameters are, and how the answer looks.
pub(crate) enum TokenRequest {
    Metadata(Parameters),
    Extension(Parameters),
    /// The extension's, with its parameters in the body.
    ExtensionForm,
}

pub(crate) struct Parameters {
    resource: String,
    selector: Option<Selector>,
    bypass_cache: bool,
}

/// Which identity is meant, in the caller's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Client(String),
    Object(String),
    Resource(String),
}

/// A parameter's name, and what it selects by. `mi_res_id` is what older pages call `msi_res_id`
/// (imds.md §2.1).
pub(super) type Selects = fn(String) -> Selector;
static SELECTORS: &[(&str, Selects)] = &[
    ("client_id", Selector::Client),
    ("object_id", Selector::Object),
    ("msi_res_id", Selector::Resource),
    ("mi_res_id", Selector::Resource),
];

impl TokenRequest {
    pub(super) fn of_query(parts: &Parts) -> Result<Self> {
        Parameters::read(&parts.query).map(TokenRequest::Metadata)
    }

    pub(super) fn of_extension(parts: &Parts) -> Result<Self> {
        Parameters::read(&parts.query).map(TokenRequest::Extension)
    }

    pub(super) fn of_form() -> Self {
        TokenRequest::ExtensionForm
    }
}

impl Parameters {
    fn read(pairs: &[(String, String)]) -> Result<Self> {
        let get = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let mut selectors = SELECTORS.iter().filter_map(|(name, by)| Some(by(get(name)?.to_owned())));
        let selector = selectors.next();
        if selectors.next().is_some() {
            return Err((&codes::MANY_SELECTORS).into());
        }
        let bypass_cache = match get("bypass_cache") {
            None => false,
            Some("true") => true,
            Some(_) => return Err((&codes::BAD_BYPASS).into()),
        };
        let resource = get("resource").filter(|it| !it.is_empty()).ok_or(&codes::MISSING_RESOURCE)?;
        Ok(Parameters { resource: resource.to_owned(), selector, bypass_cache })
    }

    async fn of_body(body: Body) -> Result<Self> {
        let bytes = body.bytes(FORM_BYTES).await?;
        let pairs =
            std::str::from_utf8(&bytes).ok().and_then(text::form_decode).ok_or(&codes::MALFORMED_FORM)?;
        let is_repeated =
            |at: &usize| pairs[..*at].iter().any(|(name, _)| name.eq_ignore_ascii_case(&pairs[*at].0));
        match (0..pairs.len()).find(is_repeated) {
            Some(at) => Err(codes::REPEATED_PARAMETER.with([&pairs[at].0])),
            None => Self::read(&pairs),
        }
    }
}

/// Which identity is meant (imds.md §2.2): the one that is named; else the machine's own; else the
/// only one there is.
pub(super) fn select<'m>(
    identities: &'m [AttachedIdentity],
    selector: Option<&Selector>,
) -> Result<&'m AttachedIdentity, Error> {
    if let Some(selector) = selector {
        let named = identities.iter().find(|identity| selector.names(identity));
        return named.ok_or_else(|| (&codes::IDENTITY_NOT_FOUND).into());
    }
    let own = identities.iter().find(|identity| identity.resource.is_none());
    match (own, identities) {
        (Some(own), _) => Ok(own),
        (None, [only]) => Ok(only),
        (None, []) => Err((&codes::IDENTITY_NOT_FOUND).into()),
        (None, _) => Err((&codes::MANY_IDENTITIES).into()),
    }
}

impl Selector {
    pub(super) fn names(&self, identity: &AttachedIdentity) -> bool {
        match self {
            Selector::Client(id) => id.parse() == Ok(identity.client_id),
            Selector::Object(id) => id.parse() == Ok(identity.object_id),
            Selector::Resource(id) => {
                let id = ResourceId::parse(id).ok();
                id.is_some() && id == identity.resource
            }
        }
    }
}

pub(super) async fn answer(cx: &Cx, machine: &Machine, request: &TokenRequest, body: Body) -> Result<Reply> {
    let from_body;
    let (asked, is_old) = match request {
        TokenRequest::Metadata(asked) => (asked, false),
        TokenRequest::Extension(asked) => (asked, true),
        TokenRequest::ExtensionForm => {
            from_body = Parameters::of_body(body).await?;
            (&from_body, true)
        }
    };
    let identity = select(&machine.identities, asked.selector.as_ref())?;
    // Azure's own have no roles that a principal of ours could have been given.
    let audience = match resources::is_azures(&asked.resource) {
        true => Some(Audience::from(&asked.resource)),
        false => cx.read(|txn| audience(txn, identity, &asked.resource)).await?,
    };
    let audience = audience.ok_or_else(|| unknown_resource(cx, &asked.resource))?;
    let minted = token(cx, (machine, identity), asked, audience);
    Ok(match is_old {
        true => old_answer(cx, asked, &minted),
        false => granted(cx, asked, identity, &minted),
    })
}

/// The resource, and which of its application's roles the identity has.
fn audience(txn: &Txn, identity: &AttachedIdentity, resource: &str) -> Result<Option<Audience>> {
    let found = resources::find(txn, resource)?;
    found.map(|it| it.audience(txn, identity.object_id)).transpose()
}

fn token(
    cx: &Cx,
    (machine, identity): (&Machine, &AttachedIdentity),
    asked: &Parameters,
    audience: Audience,
) -> Minted {
    let purpose = Purpose::new(cx, &machine.vm.id, identity.object_id, &asked.resource);
    let subject = (machine.subject(identity), audience);
    mint::mint_or_keep(cx, purpose, subject, mint::MANAGED_IDENTITY_LIFETIME, asked.bypass_cache)
}

/// Entra ID's refusal, as IMDS passes it on.
fn unknown_resource(cx: &Cx, resource: &str) -> Error {
    codes::RESOURCE_NOT_FOUND.with([
        resource.to_owned(),
        cx.cloud.charter.display_name.clone(),
        cx.request_id.to_string(),
        cx.correlation_id.to_string(),
        cx.now.iso_seconds().replacen('T', " ", 1),
    ])
}

/// Every value is text (imds.md §2.3).
fn granted(cx: &Cx, asked: &Parameters, identity: &AttachedIdentity, minted: &Minted) -> Reply {
    let expires_in = minted.expires_in(cx.now).to_string();
    let (object_id, msi_res_id) = match &asked.selector {
        Some(Selector::Object(id)) => (Some(id.as_str()), None),
        Some(Selector::Resource(id)) => (None, Some(id.as_str())),
        Some(Selector::Client(_)) | None => (None, None),
    };
    let granted = Granted {
        access_token: &minted.token,
        client_id: identity.client_id.to_string(),
        expires_in: &expires_in,
        expires_on: minted.expires.seconds().to_string(),
        ext_expires_in: &expires_in,
        not_before: minted.not_before.seconds().to_string(),
        resource: &asked.resource,
        token_type: "Bearer",
        object_id,
        msi_res_id,
    };
    Reply::json(200, &granted)
}

/// The answer, written as it is: no tree is built for what is asked for most.
#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    client_id: String,
    expires_in: &'a str,
    expires_on: String,
    ext_expires_in: &'a str,
    not_before: String,
    resource: &'a str,
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msi_res_id: Option<&'a str>,
}

/// The extension's answer: a refresh token that is empty, and no client id (imds.md §4).
fn old_answer(cx: &Cx, asked: &Parameters, minted: &Minted) -> Reply {
    Reply::json(
        200,
        &json!({
            "access_token": &*minted.token,
            "refresh_token": "",
            "expires_in": minted.expires_in(cx.now).to_string(),
            "expires_on": minted.expires.seconds().to_string(),
            "not_before": minted.not_before.seconds().to_string(),
            "resource": asked.resource,
            "token_type": "Bearer",
        }),
    )
}

/// The tenant that the machine's identities are of.
pub(super) fn info(cx: &Cx, machine: &Machine) -> Result<Reply> {
    match machine.identities.is_empty() {
        true => Err((&codes::IDENTITY_NOT_FOUND).into()),
        false => Ok(Reply::json(200, &json!({ "tenantId": cx.cloud.charter.tenant }))),
    }
}
