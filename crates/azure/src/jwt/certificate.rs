//! The public key in a certificate, whatever else is in it.
//!
//! A certificate by which an application proves itself is a frame around a key: nobody checks its names, dates or
//! signature, and az makes some of version 1, which a library for TLS refuses to read. So only the frame is taken off:
//!
//! ```text
//! Certificate     SEQUENCE { tbsCertificate, signatureAlgorithm, signature }        (RFC 5280 §4.1)
//! tbsCertificate  SEQUENCE { [0] version?, serialNumber, signature, issuer, validity, subject,
//!                            subjectPublicKeyInfo, ... }
//! ```

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The certificate's `subjectPublicKeyInfo`, in DER. `None` where the frame is none.
pub fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let outer = element(certificate).filter(|it| it.tag == SEQUENCE && it.rest.is_empty())?;
    let mut inner = element(outer.content).filter(|it| it.tag == SEQUENCE)?.content;
    if element(inner)?.tag == VERSION {
        inner = element(inner)?.rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        inner = element(inner).filter(|it| it.tag == tag)?.rest;
    }
    element(inner).filter(|it| it.tag == SEQUENCE).map(|it| it.whole)
}

struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
    /// What stands behind it.
    rest: &'a [u8],
}

/// The first element: a tag, a length of one byte or of up to three more, that many bytes.
fn element(input: &[u8]) -> Option<Element<'_>> {
    let (tag, first) = (*input.first()?, *input.get(1)?);
    let (head, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x83 => {
            let digits = input.get(2..2 + usize::from(first & 0x7f))?;
            (2 + digits.len(), digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)))
        }
        _ => return None,
    };
    let (whole, rest) = input.split_at_checked(head + length)?;
    Some(Element { tag, whole, content: &whole[head..], rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).expect("is short");
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, content].concat()
    }

    fn certificate(version: &[u8], key: &[u8]) -> Vec<u8> {
        let empty = sequence(SEQUENCE, &[]);
        let tbs = sequence(SEQUENCE, &[version, &[INTEGER, 1, 7], &empty, &empty, &empty, &empty, key]);
        sequence(SEQUENCE, &[&tbs, &empty, &[0x03, 1, 0]])
    }

    #[test]
    fn the_key_is_found_in_every_version_and_at_every_length() {
        let version_3 = sequence(VERSION, &[&[INTEGER, 1, 2]]);
        for key in [sequence(SEQUENCE, &[&[1; 3]]), sequence(SEQUENCE, &[&[1; 130]])] {
            for version in [&[][..], &version_3] {
                assert_eq!(public_key(&certificate(version, &key)), Some(key.as_slice()));
            }
        }
    }

    #[test]
    fn what_is_cut_short_or_no_certificate_has_no_key() {
        let whole = certificate(&[], &sequence(SEQUENCE, &[&[1; 130]]));
        for end in 0..whole.len() {
            assert_eq!(public_key(&whole[..end]), None, "{end}");
        }
        let longer = [whole.as_slice(), &[0]].concat();
        for other in [&longer[..], &[SEQUENCE, 0x84, 0, 0, 0, 0], &[SEQUENCE, 0], b"-----BEGIN"] {
            assert_eq!(public_key(other), None, "{other:?}");
        }
    }
}
