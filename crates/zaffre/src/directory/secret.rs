//! Secrets of applications and passwords of users: drawn here, kept as hashes.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use azure::text;
use serde::{Deserialize, Serialize};

use crate::{cloud::Draw, keys};

/// Marks a secret as one of this program's, for people and for scanners of leaked secrets.
const MARK: &str = "zaf.";

/// What is kept of a secret. It has no `Debug`, and compares in constant time.
///
/// One round of SHA-256, with salt, is enough for what is drawn here: 216 bits each, which nobody
/// guesses at any speed. A password that a person chose is hashed slowly.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecretHash {
    salt: String,
    hash: String,
    /// Rounds of PBKDF2; none for what was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounds: Option<NonZeroU32>,
}

/// Some thirty milliseconds of a core for each guess, by whoever has the data directory.
const ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).expect("is not zero");

impl SecretHash {
    pub fn of(secret: &str, draw: &mut Draw) -> Self {
        let salt = text::base64(draw.bytes::<16>());
        let hash = text::base64(digest(&salt, secret));
        SecretHash { salt, hash, rounds: None }
    }

    /// Of a password that a person chose; takes a while, so not inside a transaction.
    pub fn of_chosen(password: &str, draw: &mut Draw) -> Self {
        let salt = text::base64(draw.bytes::<16>());
        let hash = text::base64(slow_digest(&salt, password, ROUNDS));
        SecretHash { salt, hash, rounds: Some(ROUNDS) }
    }

    pub fn matches(&self, secret: &str) -> bool {
        let given = text::base64(match self.rounds {
            Some(rounds) => slow_digest(&self.salt, secret, rounds),
            None => digest(&self.salt, secret),
        });
        keys::same(self.hash.as_bytes(), given.as_bytes())
    }
}

fn digest(salt: &str, secret: &str) -> [u8; 32] {
    keys::sha256(format!("{salt}:{secret}").as_bytes())
}

fn slow_digest(salt: &str, password: &str, rounds: NonZeroU32) -> [u8; 32] {
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt.as_bytes(), password.as_bytes(), &mut out);
    out
}

/// A fresh secret: forty characters that need no quoting in a shell, a form or a header.
pub fn draw(draw: &mut Draw) -> String {
    format!("{MARK}{}", text::base64url(draw.bytes::<27>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Chance;

    #[test]
    fn a_hash_matches_its_secret_alone() {
        let mut chance = Chance::seeded(1).draw();
        let secret = draw(&mut chance);
        let hash = SecretHash::of(&secret, &mut chance);
        assert_eq!(secret.len(), 40);
        assert!(hash.matches(&secret));
        for other in ["", &secret[..39], &secret.to_uppercase(), &format!("{secret} ")] {
            assert!(!hash.matches(other), "{other}");
        }
        let again = SecretHash::of(&secret, &mut chance);
        assert!(again.hash != hash.hash, "the same secret is hashed with other salt");
    }

    #[test]
    fn a_chosen_password_matches_and_another_does_not() {
        let hash = SecretHash::of_chosen("Passw0rd!", &mut Chance::seeded(1).draw());
        assert!(hash.matches("Passw0rd!"));
        assert!(!hash.matches("passw0rd!"));
    }
}
