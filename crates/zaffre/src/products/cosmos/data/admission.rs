//! Who asks, and what that takes (cosmos.md §2).
//!
//! ```text
//! type=master    signed with one of four keys; two of them only read
//! type=aad       a token of this cloud, for Cosmos DB or for this account; Cosmos's own roles decide
//! type=resource  a token of a user of the database: not here yet
//! ```

use std::time::Duration;

use azure::{
    cosmos_key::{self, Authorization, Request},
    error::{Error, Result},
    ids::ResourceId,
    jwt::check::Fault,
    rbac::{Access, Plane},
    time::Timestamp,
};

use super::{
    Account, Found, Op,
    operations::{self, Needs},
};
use crate::{
    access::Why,
    directory::{TokenFault, resources, verify},
    products::cosmos::codes,
    service::{Caller, Cx, Parts, Refusal, Requirement},
};

/// By how much a signature's date may differ from ours.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

pub(super) fn authenticate(cx: &Cx, op: &Op, account: &Account, parts: &Parts) -> Result<Caller> {
    let Some(header) = parts.header("authorization") else { return Ok(Caller::Anonymous) };
    match Authorization::parse(header).map_err(|_| codes::BAD_AUTHORIZATION.bare())? {
        Authorization::Master { signature } => {
            let caller = by_key(cx, account, parts, &signature)?;
            check_metadata(op, account)?;
            Ok(caller)
        }
        Authorization::Aad { token } => by_token(cx, account, parts, &token),
        Authorization::Resource { .. } => Err(codes::not_yet("resource tokens")),
    }
}

fn by_key(cx: &Cx, account: &Account, parts: &Parts, signature: &[u8]) -> Result<Caller> {
    if account.is_local_auth_disabled {
        return Err(codes::LOCAL_AUTH_DISABLED.bare());
    }
    let x_ms_date = parts.header("x-ms-date").unwrap_or_default();
    let date = parts.header("date").unwrap_or_default();
    let signed_at = [x_ms_date, date].into_iter().find(|text| !text.is_empty());
    let Some(signed_at) = signed_at.and_then(Timestamp::parse_rfc1123) else {
        return Err(codes::NO_DATE.bare());
    };
    let payloads = payloads(parts, x_ms_date, date);
    let Some(key) = account.keys.signer(signature, &payloads) else {
        let shown = payloads.into_iter().next().unwrap_or_default();
        return Err(codes::WRONG_KEY.with([shown]));
    };
    check_skew(cx.now, signed_at)?;
    Ok(Caller::CosmosKey { account: account.id.clone(), read_only: key.is_read_only() })
}

/// An account may keep its databases, collections, offers and scripts to Resource Manager, which then no key changes
/// (cosmos.md §2.4).
fn check_metadata(op: &Op, account: &Account) -> Result<()> {
    let is_change = matches!(op.row.needs, Needs::KeyToWrite) && op.target.method != "GET";
    match account.is_metadata_managed && is_change {
        true => Err(codes::ONLY_BY_MANAGER.with([op.target.method.as_str(), op.row.resource_type()])),
        false => Ok(()),
    }
}

/// A client that sends `x-ms-date` signs no `Date`, though its HTTP library may send one.
fn payloads(parts: &Parts, x_ms_date: &str, date: &str) -> Vec<String> {
    let request = Request {
        verb: parts.method.as_str(),
        path: &parts.raw_path,
        x_ms_date,
        date: "",
        resolve_for: parts.query("$resolveFor"),
    };
    let mut all = if x_ms_date.is_empty() { Vec::new() } else { cosmos_key::payloads(&request) };
    if !date.is_empty() {
        all.extend(cosmos_key::payloads(&Request { date, ..request }));
    }
    all
}

fn check_skew(now: Timestamp, signed_at: Timestamp) -> Result<()> {
    if now.distance(signed_at) <= MAX_SKEW {
        return Ok(());
    }
    let until = signed_at.plus(MAX_SKEW);
    Err(codes::SKEWED.with([signed_at.rfc1123(), until.rfc1123(), now.rfc1123()]))
}

fn by_token(cx: &Cx, account: &Account, parts: &Parts, token: &str) -> Result<Caller> {
    let mut audiences = resources::COSMOS.audiences_at(parts.host());
    audiences.push(format!("https://{}", super::accounts::host(&account.name, None)));
    verify::verify(cx, token, &audiences).map(Caller::Principal).map_err(refused_token)
}

fn refused_token(fault: TokenFault) -> Error {
    let why = fault.to_string();
    match &fault {
        TokenFault::Malformed(_) => codes::TOKEN_FORMAT.with([why]),
        TokenFault::UnknownKey => codes::TOKEN_KEY.bare(),
        TokenFault::BadSignature => codes::TOKEN_SIGNATURE.bare(),
        TokenFault::Claims(claims) => match claims {
            Fault::NotYetValid { .. } => codes::TOKEN_EARLY.with([why]),
            Fault::Expired { .. } => codes::TOKEN_EXPIRED.with([why]),
            Fault::WrongIssuer { .. } | Fault::WrongTenant { .. } | Fault::WrongCloud => {
                codes::TOKEN_ISSUER.with([why])
            }
            Fault::WrongAudience { .. } => codes::TOKEN_AUDIENCE.with([why]),
            Fault::Missing(_) => codes::TOKEN_FORMAT.with([why]),
            Fault::MissingOid => codes::TOKEN_NO_OID.bare(),
        },
    }
}

fn is_account_read(op: &Op) -> bool {
    op.target.segments.is_empty()
}

pub(super) fn requires(op: &Op, found: &Found) -> Requirement {
    let any = match op.row.needs {
        Needs::Metadata => &operations::READ_METADATA[..],
        Needs::Data(actions) => actions,
        Needs::KeyToRead => &operations::KEY_TO_READ[..],
        Needs::KeyToWrite => &operations::KEY_TO_WRITE[..],
    };
    let on = op.target.scope(&found.account, found.database.as_ref(), found.collection.as_ref());
    // The account is read by whoever may read metadata on any scope in it.
    let access = Access { or_within: is_account_read(op), ..Access::any(any, on, Plane::Cosmos) };
    Requirement::Access { all: vec![access], later: false }
}

pub(super) fn refuse(op: &Op, found: &Found, refusal: &Refusal) -> Error {
    let Why::Denied { access, .. } = &refusal.why else { return codes::NO_AUTHORIZATION.bare() };
    let Some(who) = refusal.caller.principal() else { return codes::READ_ONLY_KEY.bare() };
    let account = found.account.name.clone();
    let action = access.any.first().map(|action| action.as_str().to_owned()).unwrap_or_default();
    let place = place(&found.account.id, &access.on);
    let who = who.object_id.to_string();
    let needs_key = matches!(op.row.needs, Needs::KeyToRead | Needs::KeyToWrite);
    let unknown = op.target.unknown_rid(found.database.as_ref(), found.collection.as_ref());
    if let Some(rid) = unknown.filter(|_| !needs_key) {
        let kind = op.row.resource_type().to_owned();
        return codes::NO_SUCH_RID.with([account, rid, who, action, kind]);
    }
    let args = [account.clone(), who, action, place];
    match op.row.needs {
        Needs::KeyToRead | Needs::KeyToWrite => {
            codes::NOT_BY_TOKEN.with([account, op.target.method.clone(), op.target.path()])
        }
        Needs::Metadata if is_account_read(op) => codes::NO_ACCOUNT_ROLE.with(args),
        Needs::Metadata => codes::NO_METADATA_ROLE.with(args),
        Needs::Data(_) if found.collection.as_ref().is_some_and(|it| op.target.is_by_rid(it)) => {
            codes::NO_DATA_ROLE_BY_RID.with(args)
        }
        Needs::Data(_) => codes::NO_DATA_ROLE.with(args),
    }
}

/// `/` for the account, `dbs/d/colls/c` below it (rbac.md §6).
fn place(account: &ResourceId, on: &ResourceId) -> String {
    let below: Vec<&str> = on.segments().skip(account.segments().count()).collect();
    if below.is_empty() { "/".to_owned() } else { below.join("/") }
}
