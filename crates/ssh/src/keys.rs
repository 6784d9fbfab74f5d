//! The key by which a machine is known, and the keys by which its users are.

use russh::keys::ssh_key::authorized_keys::Entry;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{Algorithm, PrivateKey, PublicKey};

/// A machine's own key (Ed25519). Made of the same seed, it is the same key.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

impl HostKey {
    pub fn from_seed(seed: &[u8; 32]) -> HostKey {
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
        HostKey(PrivateKey::new(pair, "").expect("a pair of keys and no comment make a key"))
    }

    /// `ssh-ed25519 AAAA...`, as a line of `known_hosts` ends.
    pub fn public(&self) -> String {
        self.0.public_key().to_openssh().expect("a key of ours can be written down")
    }

    pub(crate) fn private(&self) -> PrivateKey {
        self.0.clone()
    }
}

/// Whether a key is among these lines. Lines that cannot be read, and those with options, which would limit what their key is good
/// for in ways that are not known here, admit nobody.
pub(crate) fn admits(lines: &[String], key: &PublicKey) -> bool {
    let entries = lines.iter().filter_map(|line| line.trim().parse::<Entry>().ok());
    entries
        .filter(|entry| entry.config_opts().is_empty())
        .any(|entry| entry.public_key().key_data() == key.key_data())
}

/// Signatures with SHA-1 are taken by nobody any more (OpenSSH 8.8).
pub(crate) fn is_strong(algorithm: &Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa)
}
