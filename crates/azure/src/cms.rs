//! A signed message: a content, its signature, and the certificates to check it with (RFC 5652).
//!
//! What is signed is not the content but a set of attributes that holds its digest. So it goes in two
//! steps, between which the caller signs:
//!
//! ```text
//! content ─► digest ─► signed_attributes ─► signature ─► signed_message
//! ```
//!
//! One signer, RSA with SHA-256, named by issuer and serial number; the content is inside. Nothing here reads
//! such messages.

use crate::{
    der::{self, INTEGER, OCTET_STRING, SEQUENCE, UTC_TIME},
    time::Timestamp,
};

const SIGNED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 2];
const DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 1];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113549, 1, 9, 4];
const SIGNING_TIME: &[u64] = &[1, 2, 840, 113549, 1, 9, 5];
const SHA_256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const RSA: &[u64] = &[1, 2, 840, 113549, 1, 1, 1];
const NULL: &[u8] = &[5, 0];
/// `[0]`, where it is a constructed value in a place of its own.
const CONTEXT_0: u8 = 0xa0;

/// The attributes that are signed, as they are signed: the content's digest and when that was done.
pub fn signed_attributes(sha256: &[u8; 32], at: Timestamp) -> Vec<u8> {
    let attribute =
        |name: &[u64], value: Vec<u8>| der::sequence([&der::oid(name), &der::set_of(vec![value])]);
    der::set_of(vec![
        attribute(CONTENT_TYPE, der::oid(DATA)),
        attribute(SIGNING_TIME, der::value(UTC_TIME, utc(at).as_bytes())),
        attribute(MESSAGE_DIGEST, der::value(OCTET_STRING, sha256)),
    ])
}

/// The whole message. The first certificate is the signer's; `None` if it cannot be read as one.
pub fn signed_message(
    content: &[u8],
    attributes: &[u8],
    signature: &[u8],
    certificates: &[&[u8]],
) -> Option<Vec<u8>> {
    let signer = issuer_and_serial(certificates.first()?)?;
    let sha256 = der::sequence([&der::oid(SHA_256), NULL]);
    let version = der::value(INTEGER, &[1]);
    // In the message the set stands under a tag of its own (RFC 5652 §5.4).
    let implicit = der::value(CONTEXT_0, der::read(attributes)?.0.content);
    let signer = der::sequence([
        &version,
        &signer,
        &sha256,
        &implicit,
        &der::sequence([&der::oid(RSA), NULL]),
        &der::value(OCTET_STRING, signature),
    ]);
    let content = der::value(CONTEXT_0, &der::value(OCTET_STRING, content));
    let data = der::sequence([
        &version,
        &der::set_of(vec![sha256]),
        &der::sequence([&der::oid(DATA), &content]),
        &der::value(CONTEXT_0, &certificates.concat()),
        &der::set_of(vec![signer]),
    ]);
    Some(der::sequence([&der::oid(SIGNED_DATA), &der::value(CONTEXT_0, &data)]))
}

/// `IssuerAndSerialNumber` of a certificate (RFC 5280 §4.1).
fn issuer_and_serial(certificate: &[u8]) -> Option<Vec<u8>> {
    let of = |bytes, tag: u8| der::read(bytes).filter(|(read, _)| read.tag == tag);
    let (certificate, _) = of(certificate, SEQUENCE)?;
    let (body, _) = of(certificate.content, SEQUENCE)?;
    let (_version, rest) = of(body.content, CONTEXT_0)?;
    let (serial, rest) = of(rest, INTEGER)?;
    let (_algorithm, rest) = of(rest, SEQUENCE)?;
    let (issuer, _) = of(rest, SEQUENCE)?;
    Some(der::sequence([issuer.whole, serial.whole]))
}

/// `YYMMDDhhmmssZ`: good until 2049.
fn utc(at: Timestamp) -> String {
    let it = at.civil();
    let year = it.year % 100;
    format!("{year:02}{:02}{:02}{:02}{:02}{:02}Z", it.month, it.day, it.hour, it.minute, it.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_a_sorted_set_that_holds_the_digest_and_the_time() {
        let attributes = signed_attributes(&[7; 32], Timestamp::from_seconds(1_795_302_174));
        let (set, rest) = der::read(&attributes).expect("is DER");
        assert_eq!((set.tag, rest.len()), (der::SET, 0));
        let mut members = Vec::new();
        let mut left = set.content;
        while let Some((member, rest)) = der::read(left) {
            members.push(member.whole);
            left = rest;
        }
        assert_eq!(members.len(), 3);
        assert!(members.is_sorted());
        let holds = |part: &[u8]| attributes.windows(part.len()).any(|it| it == part);
        assert!(holds(&[7; 32]));
        assert!(holds(b"261121230254Z"));
    }

    #[test]
    fn what_is_no_certificate_signs_nothing() {
        for bytes in [&[][..], &[0x30, 0], &[0x30, 2, 0x30, 0]] {
            assert_eq!(
                signed_message(b"", &signed_attributes(&[0; 32], Timestamp::default()), &[], &[bytes]),
                None
            );
        }
        assert_eq!(signed_message(b"", &[], &[], &[]), None);
    }
}
