//! Certificates as Java reads them: a trust store of its first form, JKS, which every version reads and no library is needed for.
//!
//! ```text
//! FEEDFEED, 2, count      all numbers big-endian
//! each: 2, alias, milliseconds since 1970, "X.509", length, DER      texts behind two bytes of length
//! SHA-1 of the password (UTF-16), "Mighty Aphrodite" and all of the above
//! ```
//!
//! The digest guards against accidents alone, as the password is everybody's: `changeit`, which Java's own store has too. Readers
//! that give none do not look at it. Source: OpenJDK, `sun.security.provider.JavaKeyStore`.

use aws_lc_rs::digest;
use azure::time::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED: u32 = 2;
const PASSWORD: &str = "changeit";
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// A store of all the certificates in a file of PEM; what is none in it is left out.
pub(super) fn jks(pem: &[u8], now: Timestamp) -> Vec<u8> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    let mut store = [MAGIC, VERSION, length(certificates.len())].map(u32::to_be_bytes).concat();
    for (number, certificate) in certificates.iter().enumerate() {
        store.extend(TRUSTED.to_be_bytes());
        store.extend(text(&format!("{number:04}")));
        store.extend((now.seconds() * 1000).to_be_bytes());
        store.extend(text("X.509"));
        store.extend(length(certificate.len()).to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let digest = digest_of(&store);
    store.extend(digest);
    store
}

fn digest_of(store: &[u8]) -> Vec<u8> {
    let password: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let all = [&password, WHITENER, store].concat();
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &all).as_ref().to_vec()
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("names here are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("certificates are short and few")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::Clock, front::ca::Authority};

    #[test]
    fn a_store_holds_each_certificate_and_its_digest() {
        let authority = Authority::in_memory(|| Clock::System.now()).expect("an authority");
        let twice = format!("{0}what is none\n{0}", authority.certificate());
        let der = authority.certificate_der().expect("DER");
        let store = jks(twice.as_bytes(), Timestamp::from_seconds(1_795_302_174));
        assert_eq!(store[..12], [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 2]);
        assert_eq!(store[12..16], [0, 0, 0, 2]);
        assert_eq!(&store[16..22], b"\x00\x040000");
        assert_eq!(store[22..30], 1_795_302_174_000_u64.to_be_bytes());
        assert_eq!(&store[30..37], b"\x00\x05X.509");
        let one = 29 + der.len();
        assert_eq!(&store[41..41 + der.len()], &der);
        assert_eq!(store.len(), 12 + 2 * one + 20);
        let (all, digest) = store.split_at(store.len() - 20);
        assert_eq!(digest_of(all), digest);
    }
}
