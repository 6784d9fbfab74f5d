//! A set of public keys (RFC 7517), as issuers of tokens publish it.
//!
//! Only what verifies RS256 is read: Entra ID takes no other signature of an issuer that it federates with
//! (entra-docs, "workload identity federation considerations"). Keys of other kinds are passed over,
//! as the standard asks.

use std::fmt;

use serde_json::Value;

use crate::text::base64url_decode;

/// One RSA key, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub kid: String,
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSet {
    /// It has no list `keys`.
    NoKeys,
    /// None of its keys is an RSA key for signatures with a `kid`.
    NoneUsable,
}

impl fmt::Display for BadSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadSet::NoKeys => "the document has no list `keys`",
            BadSet::NoneUsable => "none of the keys is an RSA key for RS256 with a `kid`, `n` and `e`",
        })
    }
}

impl std::error::Error for BadSet {}

/// The keys of a set that RS256 is verified with.
pub fn parse(set: &Value) -> Result<Vec<PublicKey>, BadSet> {
    let keys = set.get("keys").and_then(Value::as_array).ok_or(BadSet::NoKeys)?;
    let usable: Vec<PublicKey> = keys.iter().filter_map(usable).collect();
    if usable.is_empty() { Err(BadSet::NoneUsable) } else { Ok(usable) }
}

fn usable(key: &Value) -> Option<PublicKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let is_for_this = text("kty") == Some("RSA")
        && text("use").is_none_or(|it| it == "sig")
        && text("alg").is_none_or(|it| it == super::RS256);
    let number = |name: &str| base64url_decode(text(name)?).filter(|it| !it.is_empty());
    is_for_this.then_some(())?;
    Some(PublicKey { kid: text("kid")?.to_owned(), modulus: number("n")?, exponent: number("e")? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rsa_keys_for_signatures_are_read_and_others_passed_over() {
        let good = json!({"kty": "RSA", "kid": "a", "n": "AQID", "e": "AQAB"});
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            json!({ "keys": [key] })
        };
        for (set, kids) in [
            (json!({ "keys": [good, {"kty": "EC", "kid": "b", "crv": "P-256"}] }), Ok(vec!["a"])),
            (with("use", json!("sig")), Ok(vec!["a"])),
            (with("alg", json!("RS256")), Ok(vec!["a"])),
            (with("use", json!("enc")), Err(BadSet::NoneUsable)),
            (with("alg", json!("HS256")), Err(BadSet::NoneUsable)),
            (with("kty", json!("oct")), Err(BadSet::NoneUsable)),
            (with("kid", Value::Null), Err(BadSet::NoneUsable)),
            (with("n", json!("")), Err(BadSet::NoneUsable)),
            (with("e", json!("AQAB=")), Err(BadSet::NoneUsable)),
            (json!({ "keys": [] }), Err(BadSet::NoneUsable)),
            (json!({ "keys": {} }), Err(BadSet::NoKeys)),
            (json!([]), Err(BadSet::NoKeys)),
        ] {
            let found = parse(&set);
            let found = found.as_ref().map(|keys| keys.iter().map(|it| it.kid.as_str()).collect());
            assert_eq!(found.map_err(|why| *why), kids, "{set}");
        }
    }
}
