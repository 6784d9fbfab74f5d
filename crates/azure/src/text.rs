//! Percent signs, forms and base64, as the web and Azure's clients write them.

use base64::{
    Engine,
    engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Decodes `%41` once. A percent sign that does not begin an escape stays as it is; bytes that are
/// not UTF-8 are refused.
pub fn percent_decode(text: &str) -> Option<String> {
    decode(text, false)
}

fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
            u8::from_str_radix(pair, 16).ok()
        });
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

/// Escapes everything but letters, digits and `-._~`.
pub fn percent_encode(text: &str) -> String {
    percent_encode_but(text, "")
}

/// Escapes everything but letters, digits, `-._~` and the given characters.
pub fn percent_encode_but(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain =
            byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte);
        if plain {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The pairs of a query string or a form body, decoded, in order. `None` where a name or value is
/// not UTF-8.
pub fn form_decode(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64, with or without its padding.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    either(&STANDARD, &STANDARD_NO_PAD, text)
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads unpadded base64url and nothing else: RFC 7515 allows no padding.
pub fn base64url_decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn either(padded: &GeneralPurpose, bare: &GeneralPurpose, text: &str) -> Option<Vec<u8>> {
    padded.decode(text).or_else(|_| bare.decode(text)).ok()
}

/// Hexadecimal in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| hex_digits(*byte)).map(char::from).collect()
}

/// One byte in hexadecimal, in lower case.
pub const fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once_and_stray_percent_signs_stay() {
        for (text, decoded) in [
            ("a%20b", Some("a b")),
            ("%2541", Some("%41")),
            ("100%", Some("100%")),
            ("%zz", Some("%zz")),
            ("%+1", Some("%+1")),
            ("%ff", None),
        ] {
            assert_eq!(percent_decode(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn a_form_reads_plus_as_space_and_keeps_order_and_repeats() {
        let pairs = form_decode("a=1+2&b=%26&a=&c").expect("is UTF-8");
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", "&"), ("a", ""), ("c", "")]);
    }
}
