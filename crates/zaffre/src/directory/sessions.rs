//! What is between a sign-in and its tokens: authorization codes, device codes, refresh tokens.
//!
//! Each is drawn, given to the client once, and kept as a hash. Whoever redeems one gives the time; a
//! code that was redeemed stays, so that its second coming is told from a wrong one.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{ClientId, ObjectId},
    text,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    cloud::Draw,
    keys,
    store::{Table, Txn},
};

const CODES: Table<String, Code> = Table::new("authorization_codes");
const DEVICES: Table<String, Device> = Table::new("device_codes");
/// What a person types, to the device code's hash.
const USER_CODES: Table<String, String> = Table::new("device_user_codes");
const REFRESH_TOKENS: Table<String, Refresh> = Table::new("refresh_tokens");

/// About ten minutes (entra.md §3.2).
pub const CODE_LIFETIME: Duration = Duration::from_secs(600);
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(900);
/// Ninety days from each use (entra.md §2).
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

#[derive(Clone, Serialize, Deserialize)]
pub struct Code {
    pub user: ObjectId,
    pub client: ClientId,
    pub redirect_uri: String,
    pub scopes: String,
    pub nonce: Option<String>,
    /// Of PKCE: the verifier's hash, or the verifier.
    pub challenge: Option<Challenge>,
    pub expires: Timestamp,
    pub is_redeemed: bool,
    /// Somebody came with it a second time: it was stolen, and so may be what was given for it.
    #[serde(default)]
    pub is_replayed: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub enum Challenge {
    S256(String),
    Plain(String),
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Device {
    pub client: ClientId,
    pub scopes: String,
    pub user_code: String,
    pub expires: Timestamp,
    pub answer: Answer,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Pending,
    Declined,
    Approved(ObjectId),
    Redeemed,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Refresh {
    pub user: ObjectId,
    pub client: ClientId,
    pub expires: Timestamp,
    /// The hash of the code that the sign-in began with.
    #[serde(default)]
    pub origin: Option<String>,
}

impl Refresh {
    /// Whether the code that all began with was used twice since (RFC 6749 §4.1.2).
    pub fn is_revoked(&self, txn: &Txn) -> Result<bool> {
        let Some(origin) = &self.origin else { return Ok(false) };
        Ok(CODES.get(txn, origin)?.is_none_or(|code| code.is_replayed))
    }
}

impl Challenge {
    /// Whether the verifier is the one that this was made of.
    pub fn is_met_by(&self, verifier: &str) -> bool {
        match self {
            Challenge::S256(hash) => {
                keys::same(hash.as_bytes(), text::base64url(keys::sha256(verifier.as_bytes())).as_bytes())
            }
            Challenge::Plain(plain) => keys::same(plain.as_bytes(), verifier.as_bytes()),
        }
    }
}

/// Under what a secret is kept.
pub fn hash(secret: &str) -> String {
    text::base64url(keys::sha256(secret.as_bytes()))
}

fn drawn(draw: &mut Draw, mark: &str) -> String {
    format!("{mark}{}", text::base64url(draw.bytes::<32>()))
}

/// A new code for what was agreed on.
pub fn give_code(txn: &mut Txn, draw: &mut Draw, code: &Code) -> Result<String> {
    let secret = drawn(draw, "1.");
    CODES.put(txn, &hash(&secret), code)?;
    Ok(secret)
}

pub fn code(txn: &Txn, secret: &str) -> Result<Option<Code>> {
    Ok(CODES.get(txn, &hash(secret))?)
}

pub fn put_code(txn: &mut Txn, secret: &str, code: &Code) -> Result<()> {
    Ok(CODES.put(txn, &hash(secret), code)?)
}

/// A new device code; the user code is in `device`.
pub fn give_device(txn: &mut Txn, draw: &mut Draw, device: &Device) -> Result<String> {
    let secret = drawn(draw, "");
    USER_CODES.put(txn, &device.user_code, &hash(&secret))?;
    DEVICES.put(txn, &hash(&secret), device)?;
    Ok(secret)
}

/// Nine letters and digits, none of which is taken for another.
pub fn user_code(draw: &mut Draw) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    draw.bytes::<9>().iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

pub fn device(txn: &Txn, secret: &str) -> Result<Option<Device>> {
    Ok(DEVICES.get(txn, &hash(secret))?)
}

pub fn put_device(txn: &mut Txn, secret: &str, device: &Device) -> Result<()> {
    Ok(DEVICES.put(txn, &hash(secret), device)?)
}

/// The person's answer to a user code. `false`: nobody waits for it.
pub fn answer_device(txn: &mut Txn, user_code: &str, answer: Answer, now: Timestamp) -> Result<bool> {
    let Some(hash) = USER_CODES.get(txn, &user_code.trim().to_uppercase())? else { return Ok(false) };
    let Some(device) = DEVICES.get(txn, &hash)? else { return Ok(false) };
    if device.answer != Answer::Pending || now >= device.expires {
        return Ok(false);
    }
    DEVICES.put(txn, &hash, &Device { answer, ..device })?;
    Ok(true)
}

pub fn give_refresh(txn: &mut Txn, draw: &mut Draw, refresh: &Refresh) -> Result<String> {
    let secret = drawn(draw, "1.");
    REFRESH_TOKENS.put(txn, &hash(&secret), refresh)?;
    Ok(secret)
}

pub fn refresh(txn: &Txn, secret: &str) -> Result<Option<Refresh>> {
    Ok(REFRESH_TOKENS.get(txn, &hash(secret))?)
}
