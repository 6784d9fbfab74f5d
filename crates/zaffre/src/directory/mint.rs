//! The one mint of tokens.
//!
//! Every access token of every protocol is made here: the claims are `azure::jwt`'s, the key is the
//! ring's newest, the clock and the chance are the cloud's. Signing takes a quarter of a millisecond of
//! a core and is done where it is asked for (docs/decisions/signing.md); IMDS, which gives the same token for a
//! day, keeps what was signed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use azure::{
    ids::{ClientId, ObjectId, ResourceId},
    jwt::{
        self, Header,
        claims::{AccessToken, Bearer, TokenVersion},
    },
    text,
    time::Timestamp,
};

use super::bounded::Bounded;
use crate::{
    cloud::{Cloud, CloudId},
    keys,
    service::Cx,
};

/// What applications and users get. Azure draws between 60 and 90 minutes (entra.md §2); the least of
/// that, always, lets a test say when a token expires. The second that is missing is Azure's: its
/// answers say 3599.
pub const APPLICATION_LIFETIME: Duration = Duration::from_secs(3599);
/// What managed identities get (imds.md §2.3).
pub const MANAGED_IDENTITY_LIFETIME: Duration = Duration::from_secs(86_400);

/// Whom a token is about.
#[derive(Clone, Debug)]
pub struct Subject {
    pub object_id: ObjectId,
    pub client: ClientId,
    pub bearer: Bearer,
}

/// What a token is for, and what it says of the subject there. A bare name is one of Azure's own services.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// `aud`.
    pub name: String,
    pub version: TokenVersion,
    /// Application roles that the subject has on the resource.
    pub roles: Vec<String>,
    /// What the client says it can do (`xms_cc`).
    pub capabilities: Vec<String>,
}

impl<T: AsRef<str> + ?Sized> From<&T> for Audience {
    fn from(name: &T) -> Self {
        Audience { name: name.as_ref().to_owned(), ..Audience::default() }
    }
}

/// A signed token.
#[derive(Clone)]
pub struct Minted {
    pub token: Arc<str>,
    pub not_before: Timestamp,
    pub expires: Timestamp,
}

impl Minted {
    /// Whole seconds of life that are left.
    pub fn expires_in(&self, now: Timestamp) -> i64 {
        (self.expires.seconds() - now.seconds()).max(0)
    }
}

/// Signs a token about the subject for the audience.
pub fn mint(cx: &Cx, subject: Subject, audience: impl Into<Audience>, lifetime: Duration) -> Minted {
    let token = access_token(cx, subject, audience.into(), lifetime);
    let (not_before, expires) = (token.not_before(), token.expires());
    let header: fn(&str) -> Header = match token.version {
        TokenVersion::V1 => Header::v1,
        TokenVersion::V2 => Header::v2,
    };
    Minted { token: signed(cx, header, &token.claims()).into(), not_before, expires }
}

/// Signs an id token, whose claims its one user writes: it is the client's own, and no service believes it.
pub fn sign_id_token(cx: &Cx, mut claims: serde_json::Value) -> String {
    claims["aio"] = mark(&cx.cloud).into();
    signed(cx, Header::v2, &claims)
}

fn signed(cx: &Cx, header: fn(&str) -> Header, claims: &serde_json::Value) -> String {
    let key = cx.env.keys.signer();
    let input = jwt::signing_input(&header(&key.kid), claims);
    jwt::finish(&input, &key.sign(input.as_bytes()))
}

fn access_token(cx: &Cx, subject: Subject, audience: Audience, lifetime: Duration) -> AccessToken {
    let mut draw = cx.draw();
    AccessToken {
        version: audience.version,
        audience: audience.name,
        tenant: cx.cloud.charter.tenant,
        issued: Timestamp::from_seconds(cx.now.seconds()),
        lifetime,
        client: subject.client,
        object_id: subject.object_id,
        bearer: subject.bearer,
        uti: text::base64url(draw.bytes::<16>()),
        rh: format!("1.{}.", text::base64url(draw.bytes::<40>())),
        aio: mark(&cx.cloud),
        roles: audience.roles,
        capabilities: audience.capabilities,
        tenant_created: cx.cloud.charter.created,
    }
}

/// The cloud's mark in `aio`, a claim that clients may not read: tokens of one cloud are no good in
/// another, even where both are the same tenant.
pub(super) fn mark(cloud: &Cloud) -> String {
    let id = cloud.id.0.to_be_bytes();
    let tenant = cloud.charter.tenant.0.0;
    text::base64url(&keys::sha256(&[b"zaffre cloud".as_slice(), &id, &tenant].concat())[..24])
}

/// What a kept token was signed for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Purpose {
    pub cloud: CloudId,
    /// Which machine asked: two that share an identity get tokens that name each (`xms_az_rid`).
    pub vm: ResourceId,
    pub principal: ObjectId,
    /// The resource as it was asked for.
    pub audience: String,
    kid: String,
}

impl Purpose {
    pub fn new(cx: &Cx, vm: &ResourceId, principal: ObjectId, audience: &str) -> Self {
        Purpose {
            cloud: cx.cloud.id,
            vm: vm.clone(),
            principal,
            audience: audience.to_owned(),
            kid: cx.env.keys.signer().kid.clone(),
        }
    }
}

/// Tokens that were signed and may be given again.
pub(super) struct MintedTokens(Mutex<Bounded<Purpose, Minted>>);

const KEPT: usize = 10_000;

impl Default for MintedTokens {
    fn default() -> Self {
        MintedTokens(Mutex::new(Bounded::new(KEPT)))
    }
}

impl MintedTokens {
    fn get(&self, purpose: &Purpose) -> Option<Minted> {
        self.0.lock().expect("no holder of this lock panics").get(purpose)
    }

    fn put(&self, purpose: Purpose, minted: Minted) {
        self.0.lock().expect("no holder of this lock panics").put(purpose, minted);
    }
}

/// How much of a kept token's life must be left for it to be given again. Azure renews its own some
/// time before they end; when exactly is not documented.
const RENEWED_BEFORE_END: i64 = 300;

/// The token that was signed for this purpose before, while it lives; else, or where a fresh one is
/// asked for, a new one. Whether the subject still exists is for the caller to have asked.
pub fn mint_or_keep(
    cx: &Cx,
    purpose: Purpose,
    (subject, audience): (Subject, Audience),
    lifetime: Duration,
    fresh: bool,
) -> Minted {
    let kept = if fresh { None } else { cx.env.tokens.minted.get(&purpose) };
    // A clock that was moved back makes a token one of the future.
    let is_good = |it: &Minted| it.not_before <= cx.now && it.expires_in(cx.now) > RENEWED_BEFORE_END;
    if let Some(kept) = kept.filter(is_good) {
        return kept;
    }
    let minted = mint(cx, subject, audience, lifetime);
    cx.env.tokens.minted.put(purpose, minted.clone());
    minted
}
