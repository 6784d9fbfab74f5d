//! The one verification of tokens.
//!
//! A token is taken apart, its signature held against the key of the ring that its `kid` names (what
//! else a header may say of keys is not read), and its claims judged. The first two give the same
//! answer every time, so a token that passed them is remembered by its hash; the claims are judged on
//! every request, by that request's clock and resource.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure::{
    jwt::{
        Malformed, Unverified,
        check::{self, Believed, Expectation},
        claims,
    },
    principal::{Principal, PrincipalKind},
};
use serde_json::{Map, Value};

use super::{bounded::Bounded, mint};
use crate::{
    keys::{self, Keyring},
    service::Cx,
};

/// Why a token is not believed. Each protocol has its own words for these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no token, or is signed in a way that Entra ID does not sign.
    Malformed(Malformed),
    /// It names no key of ours, or none at all.
    UnknownKey,
    BadSignature,
    /// It is genuine, and no good here or now.
    Claims(check::Fault),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenFault::Malformed(why) => why.fmt(f),
            TokenFault::UnknownKey => f.write_str("the token names no key of this cloud"),
            TokenFault::BadSignature => f.write_str("the token's signature is not over its claims"),
            TokenFault::Claims(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for TokenFault {}

/// Whom the token speaks for, if it is genuine, current, this cloud's, and for one of the audiences
/// (`ResourceApp::audiences`).
pub fn verify(cx: &Cx, token: &str, audiences: &[String]) -> Result<Principal, TokenFault> {
    let issuers = [claims::issuer(cx.cloud.charter.tenant)];
    judge(cx, token, &issuers, audiences).map(principal)
}

/// What a token says that an application presents as its own: of either version, since each application
/// chooses. Azure's services take version 1 alone, and ask `verify`.
pub fn presented(cx: &Cx, token: &str, audiences: &[String]) -> Result<Believed, TokenFault> {
    let tenant = cx.cloud.charter.tenant;
    judge(cx, token, &[claims::issuer(tenant), claims::issuer_v2(tenant)], audiences)
}

fn judge(cx: &Cx, token: &str, issuers: &[String], audiences: &[String]) -> Result<Believed, TokenFault> {
    let genuine = cx.env.tokens.verified.genuine(&cx.env.keys, token)?;
    let expected = Expectation {
        issuers,
        audiences,
        tenant: cx.cloud.charter.tenant,
        aio: Some(&mint::mark(&cx.cloud)),
        // One clock mints and verifies.
        skew: Duration::ZERO,
    };
    check::check(&genuine.claims, cx.now, &expected).map_err(TokenFault::Claims)
}

/// Groups are not in the token; who decides about access reads them from the directory.
fn principal(believed: Believed) -> Principal {
    let kind = if believed.is_app { PrincipalKind::ServicePrincipal } else { PrincipalKind::User };
    let name = believed.user_name.or_else(|| believed.app_id.map(|id| id.to_string()));
    Principal {
        object_id: believed.object_id,
        tenant: believed.tenant,
        kind,
        app_id: believed.app_id,
        name: name.map(Into::into),
    }
}

/// A token with our signature.
struct Genuine {
    kid: String,
    claims: Map<String, Value>,
}

/// Tokens whose signature was verified, by their hash.
pub(super) struct Verified(Mutex<Bounded<[u8; 32], Arc<Genuine>>>);

const KEPT: usize = 4096;

impl Default for Verified {
    fn default() -> Self {
        Verified(Mutex::new(Bounded::new(KEPT)))
    }
}

impl Verified {
    fn genuine(&self, ring: &Keyring, token: &str) -> Result<Arc<Genuine>, TokenFault> {
        let hash = keys::sha256(token.as_bytes());
        let known = self.0.lock().expect("no holder of this lock panics").get(&hash);
        // A key may have left the ring since.
        if let Some(known) = known.filter(|it| ring.find(&it.kid).is_some()) {
            return Ok(known);
        }
        let genuine = Arc::new(verify_signature(ring, token)?);
        self.0.lock().expect("no holder of this lock panics").put(hash, Arc::clone(&genuine));
        Ok(genuine)
    }
}

fn verify_signature(ring: &Keyring, token: &str) -> Result<Genuine, TokenFault> {
    let token = Unverified::parse(token).map_err(TokenFault::Malformed)?;
    let kid = token.header.kid.ok_or(TokenFault::UnknownKey)?;
    let key = ring.find(&kid).ok_or(TokenFault::UnknownKey)?;
    if !key.verifies(token.signed.as_bytes(), &token.signature) {
        return Err(TokenFault::BadSignature);
    }
    Ok(Genuine { kid, claims: token.claims })
}
