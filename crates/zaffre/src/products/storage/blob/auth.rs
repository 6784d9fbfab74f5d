//! Who asks: a token, a key's signature, or nobody (blob.md §4, §5).
//!
//! Each scheme is absent, proved or failed, and the next is tried only where one is absent. Shared access signatures
//! are in `signed.rs`; a request that carries one beside another credential is refused.

use std::time::Duration;

use azure::{
    error::{Error, Result},
    jwt::check::Fault,
    principal::Principal,
    shared_key::{self, Presented, Signature},
    time::Timestamp,
};
use http::{HeaderValue, header};

use super::{Found, codes, op::Op, signed, version::Version};
use crate::{
    access::Caller,
    directory::{TokenFault, resources::STORAGE, verify},
    door::Entrance,
    products::storage::keys::Account,
    service::{Cx, Parts},
};

/// How far a client's clock may be off.
const SKEW: Duration = Duration::from_secs(15 * 60);
const DETAIL: &str = "AuthenticationErrorDetail";

pub(super) fn authenticate(cx: &Cx, op: &Op, found: &Found, parts: &Parts) -> Result<Caller> {
    let account = found.account.as_ref().ok_or_else(|| codes::RESOURCE_NOT_FOUND.bare())?;
    // The drop-in port is there for clients that speak plain HTTP to it.
    if account.settings.requires_https && !cx.door.tls && cx.door.entrance != Entrance::Blob {
        return Err(codes::REQUIRES_HTTPS.bare());
    }
    match (&op.sas, parts.headers.get(header::AUTHORIZATION)) {
        (None, None) => Ok(Caller::Anonymous),
        (None, Some(authorization)) => by_header(cx, op, account, parts, authorization),
        // The one signature that wants a token beside it.
        (Some(sas), Some(_)) if sas.field("sduoid").is_none() => Err(codes::INVALID_AUTHENTICATION.bare()),
        (Some(sas), _) => signed::authenticate(cx, op, (account, found), parts, sas),
    }
}

fn by_header(
    cx: &Cx,
    op: &Op,
    account: &Account,
    parts: &Parts,
    authorization: &HeaderValue,
) -> Result<Caller> {
    // What cannot be read proves nothing, and is not nothing.
    let authorization = authorization.to_str().map_err(|_| codes::INVALID_AUTHENTICATION.bare())?;
    if let Some(token) = bearer_token(authorization) {
        return bearer(cx, op, token).map(Caller::Principal);
    }
    match Presented::parse(Some(authorization)) {
        Presented::Signature(signature) => shared_key(cx, op, account, parts, &signature),
        Presented::Malformed | Presented::Absent => Err(codes::INVALID_AUTHENTICATION.bare()),
    }
}

/// The principal of the request's token, if it has one.
pub(super) fn token_holder(cx: &Cx, op: &Op, parts: &Parts) -> Result<Option<Principal>> {
    let authorization = parts.header(header::AUTHORIZATION.as_str());
    authorization.and_then(bearer_token).map(|token| bearer(cx, op, token)).transpose()
}

pub(super) fn failed(detail: impl Into<String>) -> Error {
    codes::AUTHENTICATION_FAILED.bare().and(DETAIL, detail)
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn bearer(cx: &Cx, op: &Op, token: &str) -> Result<Principal> {
    if !cx.door.tls {
        return Err(failed("Authentication scheme Bearer is not allowed with HTTP."));
    }
    if op.version() < Version::BEARER {
        return Err(failed("Authentication scheme Bearer is not supported in this version."));
    }
    let audiences = STORAGE.audiences_at(&format!("{}.blob.core.windows.net", op.address.account));
    match verify::verify(cx, token, &audiences) {
        Ok(principal) => Ok(principal),
        Err(fault) => Err(challenge(cx, codes::BAD_TOKEN.bare()).and(DETAIL, words(&fault)).because(fault)),
    }
}

/// What the service says of a token (blob.md §5).
fn words(fault: &TokenFault) -> &'static str {
    match fault {
        TokenFault::Malformed(_) => "The token is not a well-formed JWT.",
        TokenFault::UnknownKey | TokenFault::BadSignature => {
            "Signature validation failed. Keys did not match."
        }
        TokenFault::Claims(fault) => match fault {
            Fault::Expired { .. } => "Lifetime validation failed. The token is expired.",
            Fault::NotYetValid { .. } => "Lifetime validation failed. The token is not yet valid.",
            Fault::WrongAudience { .. } => "Audience validation failed. Audience did not match.",
            Fault::WrongIssuer { .. } | Fault::WrongTenant { .. } | Fault::WrongCloud => {
                "Issuer validation failed. Issuer did not match."
            }
            Fault::Missing(_) | Fault::MissingOid => "The token lacks a claim.",
        },
    }
}

/// Tells where a token for this could be had; SDKs read both parts (blob.md §5).
pub(super) fn challenge(cx: &Cx, error: Error) -> Error {
    let tenant = cx.cloud.charter.tenant;
    let authority = format!("https://login.microsoftonline.com/{tenant}/oauth2/authorize");
    let text = format!("Bearer authorization_uri={authority} resource_id=https://storage.azure.com");
    error.and("www-authenticate", text)
}

fn shared_key(
    cx: &Cx,
    op: &Op,
    account: &Account,
    parts: &Parts,
    signature: &Signature<'_>,
) -> Result<Caller> {
    if !account.settings.allows_shared_key {
        return Err(codes::KEYS_NOT_PERMITTED.bare());
    }
    let signer = signature.account.strip_suffix("-secondary").unwrap_or(signature.account);
    if signer != op.address.account {
        return Err(failed("The account of the Authorization header is not the account of the request."));
    }
    check_date(cx, parts)?;
    let candidates = candidates(op, parts, signature);
    if candidates.iter().any(|text| account.keys.signed(text, &signature.bytes)) {
        return Ok(Caller::AccountKey(account.id.clone()));
    }
    Err(failed(format!(
        "The MAC signature found in the HTTP request '{}' is not the same as any computed signature. \
         Server used following string to sign: '{}'.",
        signature.text,
        candidates.first().map_or("", String::as_str)
    )))
}

fn candidates(op: &Op, parts: &Parts, signature: &Signature<'_>) -> Vec<String> {
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request = shared_key::Request {
        method: parts.method.as_str(),
        headers: &headers,
        path: &parts.raw_path,
        query: &parts.raw_query,
        account: &op.address.account,
        is_secondary: op.address.is_secondary,
    };
    shared_key::candidates(signature.scheme, &request)
}

/// A signature is good for a quarter of an hour around its date.
fn check_date(cx: &Cx, parts: &Parts) -> Result<()> {
    let text = parts.header("x-ms-date").or_else(|| parts.header("date")).unwrap_or_default();
    match Timestamp::parse_rfc1123(text) {
        Some(date) if date.distance(cx.now) <= SKEW => Ok(()),
        Some(_) => Err(failed(format!("Request date header too old: '{text}'"))),
        None => Err(failed("The Date header in the request is incorrect.")),
    }
}
