//! Signing, verifying, comparing: the cryptography, and nothing of what is signed.
//!
//! What claims mean, and which bytes a signature covers, is the `azure` crate's. Here is one ring of
//! RSA keys a store: one signs, all verify, each known by the thumbprint of its certificate
//! (`kid` and `x5t` alike, entra.md §1.1).
//!
//! ```text
//! rotate ── a new row, the others retired ── committed ─┬─ this process reads the ring again
//!                                                       └─ so does every other that watches the rows
//! ```
//!
//! A key that was retired stays for as long as anything that it signed can live. Other processes on the same
//! database hear of a rotation within a tenth of a second; until then they sign with the old key, which
//! is why it stays a while longer than a token lives.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

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

use crate::{
    env::Env,
    store::{CloudId, Span, Store, StoreError, Table},
};

/// The ring as it is stored.
const SIGNING_KEYS: Table<String, StoredKey> = Table::new("signing_keys");
const CERTIFICATE_YEARS: u64 = 5;
/// For how long a key stays that signs no longer: a managed identity's token lives for a day, and an hour is for
/// clocks and processes that differ.
pub(crate) const STAYS: Duration = Duration::from_secs(25 * 3600);

#[derive(Clone, Serialize, Deserialize)]
struct StoredKey {
    pkcs8: String,
    certificate: String,
    created: Timestamp,
    #[serde(default)]
    retired: Option<Timestamp>,
}

/// One RSA key with its self-signed certificate.
pub struct SigningKey {
    pub kid: String,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Big-endian modulus and exponent, for the JWKS.
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
    pub created: Timestamp,
    /// Since when it signs no longer.
    pub retired: Option<Timestamp>,
    pair: KeyPair,
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

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        KeyError(error.to_string())
    }
}

impl SigningKey {
    /// Makes a key of 2048 bits; about a tenth of a second of one core.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        Self::generate_certified(now, |key| self_signed(key, now))
    }

    /// Makes a key whose certificate, DER, somebody else makes.
    pub fn generate_certified(
        now: Timestamp,
        certify: impl FnOnce(&rcgen::KeyPair) -> Result<Vec<u8>, rcgen::Error>,
    ) -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed("make a key"))?;
        let pkcs8 = pair.as_der().map_err(failed("encode a key"))?;
        let der = PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec());
        let public = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256)
            .map_err(failed("read a key for its certificate"))?;
        let certificate = certify(&public).map_err(failed("sign a certificate"))?;
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
            created,
            retired: None,
            pair,
        })
    }

    /// When it leaves; never while it signs.
    pub fn leaves(&self) -> Option<Timestamp> {
        self.retired.map(|at| at.plus(STAYS))
    }

    fn is_there(&self, now: Timestamp) -> bool {
        self.leaves().is_none_or(|at| now < at)
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
            retired: self.retired,
        })
    }

    fn restored(stored: &StoredKey) -> Result<Self, KeyError> {
        let bytes = |text: &str| {
            text::base64_decode(text).ok_or_else(|| KeyError("a stored key is not base64".into()))
        };
        let key = Self::from_parts(&bytes(&stored.pkcs8)?, bytes(&stored.certificate)?, stored.created)?;
        Ok(SigningKey { retired: stored.retired, ..key })
    }
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> KeyError {
    move |error| KeyError(format!("cannot {what}: {error}"))
}

fn self_signed(key: &rcgen::KeyPair, now: Timestamp) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "zaffre token signing");
    let year = i32::try_from(now.civil().year).unwrap_or(2026);
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + CERTIFICATE_YEARS as i32, 1, 1);
    Ok(params.self_signed(key)?.der().to_vec())
}

/// The keys of a store: those that were retired, oldest first, and last the one that signs.
pub struct Keyring {
    keys: RwLock<Vec<Arc<SigningKey>>>,
}

impl Keyring {
    pub fn shared(key: Arc<SigningKey>) -> Self {
        Keyring { keys: RwLock::new(vec![key]) }
    }

    /// The store's ring; a store that has none gets its first key.
    pub async fn open(store: &Store, now: Timestamp) -> Result<Self, KeyError> {
        let keys = stored(store).await?;
        if keys.is_empty() {
            return Self::begin(store, now).await;
        }
        Ok(Keyring { keys: RwLock::new(keys) })
    }

    async fn begin(store: &Store, now: Timestamp) -> Result<Self, KeyError> {
        let key = generated(now).await?;
        let row = key.stored()?;
        // Of several processes that begin at once, one makes the key.
        let write = store.write(CloudId::RING, |txn| {
            let is_first = SIGNING_KEYS.scan(txn, &(), None, 1)?.is_empty();
            if is_first {
                SIGNING_KEYS.put(txn, &key.kid, &row)?;
            }
            Ok::<_, StoreError>(())
        });
        write.await?;
        Ok(Keyring { keys: RwLock::new(stored(store).await?) })
    }

    /// A new key signs from now on; those before it verify until nothing that they signed can live. Gives the
    /// new key.
    pub async fn rotate(&self, store: &Store, now: Timestamp) -> Result<Arc<SigningKey>, KeyError> {
        let key = generated(now).await?;
        let new = key.stored()?;
        // A ring that came from elsewhere, as a test's, has keys without rows.
        let known = self
            .all()
            .iter()
            .map(|key| Ok((key.kid.clone(), key.stored()?)))
            .collect::<Result<Vec<_>, KeyError>>()?;
        let write = store.write(CloudId::RING, |txn| {
            let rows = SIGNING_KEYS.scan(txn, &(), None, usize::MAX)?;
            let unwritten = known.iter().filter(|(kid, _)| !rows.iter().any(|(row, _)| row == kid)).cloned();
            for (kid, row) in rows.iter().cloned().chain(unwritten.collect::<Vec<_>>()) {
                let retired = row.retired.unwrap_or(now);
                match now < retired.plus(STAYS) {
                    true => SIGNING_KEYS.put(txn, &kid, &StoredKey { retired: Some(retired), ..row })?,
                    false => SIGNING_KEYS.delete(txn, &kid)?,
                }
            }
            SIGNING_KEYS.put(txn, &key.kid, &new)
        });
        write.await?;
        self.read_again(store).await?;
        Ok(self.signer())
    }

    async fn read_again(&self, store: &Store) -> Result<(), KeyError> {
        let keys = stored(store).await?;
        if !keys.is_empty() {
            *self.keys.write().expect("no holder of this lock panics") = keys;
        }
        Ok(())
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

    /// Those by which a token can still be verified.
    pub fn current(&self, now: Timestamp) -> Vec<Arc<SigningKey>> {
        self.all().into_iter().filter(|key| key.is_there(now)).collect()
    }
}

/// Reads the ring again whenever its rows change, in whatever process, for as long as there is a store.
pub(crate) async fn follow(env: &Arc<Env>) -> Result<(), StoreError> {
    let mut watch = SIGNING_KEYS.watch(&env.store, CloudId::RING, Span::under(&())).await?;
    // What was committed between the first reading and the watch.
    let _ = env.keys.read_again(&env.store).await;
    let env = Arc::downgrade(env);
    tokio::spawn(async move {
        while watch.next().await.is_ok() {
            let Some(env) = env.upgrade() else { return };
            // A store that cannot be read says so to everybody; the next change is another try.
            let _ = env.keys.read_again(&env.store).await;
        }
    });
    Ok(())
}

async fn generated(now: Timestamp) -> Result<SigningKey, KeyError> {
    tokio::task::spawn_blocking(move || SigningKey::generate(now)).await.map_err(failed("make a key"))?
}

/// The stored ring, the key that signs last.
async fn stored(store: &Store) -> Result<Vec<Arc<SigningKey>>, KeyError> {
    let rows = store.read(CloudId::RING, |txn| SIGNING_KEYS.scan(txn, &(), None, usize::MAX)).await?;
    let mut keys = rows.iter().map(|(_, row)| SigningKey::restored(row)).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by_key(|key| (key.retired.is_none(), key.created));
    Ok(keys.into_iter().map(Arc::new).collect())
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

    #[tokio::test]
    async fn a_retired_key_verifies_until_nothing_that_it_signed_can_live() {
        let store = Store::in_memory();
        let now = Timestamp::from_seconds(1_795_302_174);
        let ring = Keyring::open(&store, now).await.expect("begins");
        let first = ring.signer();
        let second = ring.rotate(&store, now).await.expect("rotates");
        assert_ne!(first.kid, second.kid);
        assert_eq!(ring.signer().kid, second.kid);
        assert_eq!(ring.find(&first.kid).and_then(|key| key.retired), Some(now));
        let kids = |ring: &Keyring, at: Timestamp| -> Vec<String> {
            ring.current(at).iter().map(|key| key.kid.clone()).collect()
        };
        let last = now.plus(STAYS);
        assert_eq!(kids(&ring, last.minus(Duration::from_secs(1))), [first.kid.clone(), second.kid.clone()]);
        assert_eq!(kids(&ring, last), std::slice::from_ref(&second.kid));
        let again = Keyring::open(&store, last).await.expect("restores");
        assert_eq!(again.signer().kid, second.kid, "after a restart, too");
        let third = ring.rotate(&store, last).await.expect("rotates");
        assert!(ring.find(&first.kid).is_none(), "the next rotation sweeps");
        assert_eq!(ring.all().last().map(|key| key.kid.clone()), Some(third.kid.clone()));
        assert!(ring.find(&second.kid).is_some());
    }
}
