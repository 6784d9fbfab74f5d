//! A shared access signature as a credential: proved here, and weighed like any other afterwards (blob.md §6).
//!
//! ```text
//! its own times ─► signature ─► stored policy's times ─► protocol ─► address ─► Caller::Sas
//!                  key1, key2, or the key that the delegator was given
//! ```
//!
//! The order is the storage emulator's that Microsoft shipped. Whether the services, the types of resources and the
//! permissions that it names are enough is decided where roles are weighed, against the operation's row; a user
//! delegation's delegator is then asked for the same leave.

use azure::{
    error::Result,
    principal::Principal,
    sas::{Fault, Grant, Kind, Request, Sas, Terms},
};

use super::{Found, auth, codes, op::Op};
use crate::{
    access::Caller,
    door::From,
    keys,
    products::storage::keys::Account,
    service::{Cx, Parts},
};

pub(super) fn authenticate(
    cx: &Cx,
    op: &Op,
    (account, found): (&Account, &Found),
    parts: &Parts,
    sas: &Sas,
) -> Result<Caller> {
    if !matches!(sas.kind, Kind::UserDelegation { .. }) && !account.settings.allows_shared_key {
        return Err(codes::KEYS_NOT_PERMITTED.bare());
    }
    sas.check_window(cx.now).map_err(refused)?;
    check_signature(op, account, parts, sas)?;
    let terms = terms(cx, found, sas)?;
    check_way(cx, sas)?;
    let delegator = delegator(cx, op, found, parts, sas)?;
    let grant = Grant::new(sas, terms, &account.id, op.place(), delegator);
    grant.map(|grant| Caller::Sas(Box::new(grant))).ok_or_else(|| codes::PERMISSION_MISMATCH.bare())
}

fn refused(fault: Fault) -> azure::error::Error {
    auth::failed(fault.to_string())
}

fn check_signature(op: &Op, account: &Account, parts: &Parts, sas: &Sas) -> Result<()> {
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request =
        Request { account: &op.address.account, place: op.place(), headers: &headers, query: &parts.query };
    let text = sas.string_to_sign(&request).map_err(refused)?;
    let is_genuine = match &sas.kind {
        Kind::Account { .. } | Kind::Service { .. } => account.keys.signed(&text, sas.bytes()),
        Kind::UserDelegation { key, .. } => account.delegation.as_ref().is_some_and(|secret| {
            let key = secret.derive(&key.message);
            keys::same(&keys::hmac_sha256(&key, text.as_bytes()), sas.bytes())
        }),
    };
    match is_genuine {
        true => Ok(()),
        false => Err(auth::failed(format!("Signature did not match. String to sign used was {text}"))),
    }
}

/// The whole terms: the signature's own, and those of the stored policy that it names.
fn terms(cx: &Cx, found: &Found, sas: &Sas) -> Result<Terms> {
    let Kind::Service { policy: Some(id), .. } = &sas.kind else { return Ok(sas.terms) };
    let container = found.container.as_ref().ok_or_else(|| auth::failed("Error locating SAS identifier"))?;
    let policy = container.policies.iter().find(|policy| policy.id == *id);
    let policy = policy
        .ok_or_else(|| auth::failed("SAS identifier cannot be found for specified signed identifier"))?
        .terms();
    if policy.permissions.is_some_and(|letters| !letters.are_known_to(sas.version.as_ref())) {
        return Err(codes::FEATURE_VERSION.bare());
    }
    let terms = sas.terms.with(policy).map_err(refused)?;
    terms.check(cx.now).map_err(refused)?;
    Ok(terms)
}

/// By which protocol, and from where. A guest's address is not known at its door, so it is in no range.
fn check_way(cx: &Cx, sas: &Sas) -> Result<()> {
    if sas.is_https_only && !cx.door.tls {
        return Err(codes::PROTOCOL_MISMATCH.bare());
    }
    let Some(range) = sas.addresses else { return Ok(()) };
    let address = match &cx.door.from {
        From::Host(address) => Some(address.ip().to_canonical()),
        From::Guest { .. } => None,
    };
    match address {
        Some(address) if range.holds(address) => Ok(()),
        _ => {
            let shown = address.map_or_else(String::new, |it| it.to_string());
            Err(codes::SOURCE_IP_MISMATCH.with([shown]))
        }
    }
}

/// Whose roles decide: the principal that the key was given to, as the directory has it now. Where the signature is for
/// one other user alone, that one must show a token of theirs.
fn delegator(cx: &Cx, op: &Op, found: &Found, parts: &Parts, sas: &Sas) -> Result<Option<Principal>> {
    let Kind::UserDelegation { .. } = &sas.kind else { return Ok(None) };
    if let Some(wanted) = sas.field("sduoid") {
        let who = auth::token_holder(cx, op, parts)?;
        if who.is_none_or(|who| !who.object_id.to_string().eq_ignore_ascii_case(wanted)) {
            return Err(auth::failed("The signed delegated user is not the user of the request."));
        }
    }
    // One that is gone may do nothing, whatever it was assigned.
    Ok(found.delegator.clone())
}
