//! Signing, verifying, comparing: the cryptography, and nothing of what is signed.
//!
//! What claims mean, and which bytes a signature covers, is the `azure` crate's. Here is one ring of
//! RSA keys a store: the newest signs, all verify, each known by the thumbprint of its certificate
//! (`kid` and `x5t` alike, entra.md §1.1).

use std::sync::{Arc, RwLock};

use aws_lc_rs::{
    constant_time, digest,
    encoding::AsDer as _,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{self, KeyPair as _, RsaPublicKeyComponents},
};
use azure::{text, time::Timestamp};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

use crate::store::{CloudId, Store, Table};

/// The ring as it is stored, oldest first.
const SIGNING_KEYS: Table<String, StoredKey> = Table::new("signing_keys");
const CERTIFICATE_YEARS: u64 = 5;

#[derive(Clone, Serialize, Deserialize)]
struct StoredKey {
    pkcs8: String,
    certificate: String,
    created: Timestamp,
}

/// One RSA key with its self-signed certificate.
pub struct SigningKey {
    pub kid: String,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Big-endian modulus and exponent, for the JWKS.
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
    pair: KeyPair,
    created: Timestamp,
}

/// Why no key can be had.
#[derive(Debug)]
pub struct KeyError(String);

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}

impl SigningKey {
    /// Makes a key of 2048 bits; about a tenth of a second of one core.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed("make a key"))?;
        let pkcs8 = pair.as_der().map_err(failed("encode a key"))?;
        let certificate = self_signed(pkcs8.as_ref(), now)?;
        Self::from_parts(pkcs8.as_ref(), certificate, now)
    }

    fn from_parts(pkcs8: &[u8], certificate: Vec<u8>, created: Timestamp) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(pkcs8).map_err(failed("read a key"))?;
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        Ok(SigningKey {
            kid: text::base64url(thumbprint.as_ref()),
            certificate,
            modulus: pair.public_key().modulus().big_endian_without_leading_zero().to_vec(),
            exponent: pair.public_key().exponent().big_endian_without_leading_zero().to_vec(),
            pair,
            created,
        })
    }

    /// RS256 over the signing input.
    #[expect(
        clippy::disallowed_methods,
        reason = "blinding is the library's own; the signature draws no chance"
    )]
    pub fn sign(&self, input: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
            .expect("a 2048 bit key signs SHA-256");
        signature
    }

    pub fn verifies(&self, input: &[u8], signature: &[u8]) -> bool {
        let public = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        public.verify(&signature::RSA_PKCS1_2048_8192_SHA256, input, signature).is_ok()
    }

    fn stored(&self) -> Result<StoredKey, KeyError> {
        let pkcs8 = self.pair.as_der().map_err(failed("encode a key"))?;
        Ok(StoredKey {
            pkcs8: text::base64(pkcs8.as_ref()),
            certificate: text::base64(&self.certificate),
            created: self.created,
        })
    }

    fn restored(stored: &StoredKey) -> Result<Self, KeyError> {
        let bytes = |text: &str| {
            text::base64_decode(text).ok_or_else(|| KeyError("a stored key is not base64".into()))
        };
        Self::from_parts(&bytes(&stored.pkcs8)?, bytes(&stored.certificate)?, stored.created)
    }
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> KeyError {
    move |error| KeyError(format!("cannot {what}: {error}"))
}

fn self_signed(pkcs8: &[u8], now: Timestamp) -> Result<Vec<u8>, KeyError> {
    let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256)
        .map_err(failed("read a key for its certificate"))?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "zaffre token signing");
    let year = i32::try_from(now.civil().year).unwrap_or(2026);
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + CERTIFICATE_YEARS as i32, 1, 1);
    let certificate = params.self_signed(&key).map_err(failed("sign a certificate"))?;
    Ok(certificate.der().to_vec())
}

/// The keys of a store, newest last.
pub struct Keyring {
    keys: RwLock<Vec<Arc<SigningKey>>>,
}

impl Keyring {
    pub fn shared(key: Arc<SigningKey>) -> Self {
        Keyring { keys: RwLock::new(vec![key]) }
    }

    /// The store's ring; a store that has none gets its first key.
    pub async fn open(
        store: &Store,
        now: Timestamp,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let stored = store.read(CloudId::RING, |txn| SIGNING_KEYS.scan(txn, &(), None, usize::MAX)).await?;
        if stored.is_empty() {
            return Self::begin(store, now).await;
        }
        let mut keys =
            stored.iter().map(|(_, key)| SigningKey::restored(key)).collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|key| key.created);
        Ok(Keyring { keys: RwLock::new(keys.into_iter().map(Arc::new).collect()) })
    }

    async fn begin(store: &Store, now: Timestamp) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(now)).await??;
        let stored = key.stored()?;
        let kid = key.kid.clone();
        store.write(CloudId::RING, |txn| SIGNING_KEYS.put(txn, &kid, &stored)).await?;
        Ok(Self::shared(Arc::new(key)))
    }

    /// The key that signs today.
    pub fn signer(&self) -> Arc<SigningKey> {
        let keys = self.keys.read().expect("no holder of this lock panics");
        Arc::clone(keys.last().expect("a ring has a key from its start"))
    }

    pub fn find(&self, kid: &str) -> Option<Arc<SigningKey>> {
        let keys = self.keys.read().expect("no holder of this lock panics");
        keys.iter().find(|key| key.kid == kid).cloned()
    }

    pub fn all(&self) -> Vec<Arc<SigningKey>> {
        self.keys.read().expect("no holder of this lock panics").clone()
    }
}

/// HMAC-SHA256, for Shared Key, SAS and Cosmos's master keys.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_and_one_changed_byte_does_not() {
        let key = SigningKey::generate(Timestamp::from_seconds(1_795_302_174)).expect("makes a key");
        let mut signature = key.sign(b"header.claims");
        assert!(key.verifies(b"header.claims", &signature));
        assert!(!key.verifies(b"header.clains", &signature));
        signature[7] ^= 1;
        assert!(!key.verifies(b"header.claims", &signature));
    }

    #[tokio::test]
    async fn a_ring_is_the_same_when_its_store_is_opened_again() {
        let store = Store::in_memory();
        let now = Timestamp::from_seconds(1_795_302_174);
        let first = Keyring::open(&store, now).await.expect("begins");
        let again = Keyring::open(&store, now).await.expect("restores");
        assert_eq!(first.signer().kid, again.signer().kid);
        assert!(again.signer().verifies(b"x", &first.signer().sign(b"x")));
    }
}
