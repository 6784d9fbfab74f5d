//! Tokens that clients sign to prove themselves (RFC 7523): taken apart, not yet believed.
//!
//! Unlike the tokens that Entra ID signs, they may be signed with PS256 too, and name their key by its
//! certificate's thumbprint (entra.md §3.1).

use serde_json::{Map, Value};

use super::{MAX_BYTES, Malformed, object};
use crate::text::base64url_decode;

/// How an assertion is signed. There are no others: a token that names another does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Ps256,
}

/// An assertion taken apart. No `Debug`: whoever reads it in a log could use it.
#[derive(Clone)]
pub struct Assertion<'a> {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// SHA-1 of the certificate.
    pub x5t: Option<Vec<u8>>,
    /// SHA-256 of the certificate.
    pub x5t_s256: Option<Vec<u8>>,
    pub claims: Map<String, Value>,
    /// The bytes the signature is over.
    pub signed: &'a str,
    pub signature: Vec<u8>,
}

impl<'a> Assertion<'a> {
    pub fn parse(token: &'a str) -> Result<Self, Malformed> {
        if token.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if claims.contains('.') {
            return Err(Malformed::Parts);
        }
        let header = object(header)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if header.contains_key("crit") {
            return Err(Malformed::Header);
        }
        let algorithm = match text("alg") {
            Some("RS256") => Algorithm::Rs256,
            Some("PS256") => Algorithm::Ps256,
            other => return Err(Malformed::Algorithm(other.unwrap_or_default().to_owned())),
        };
        // MSAL for Python writes thumbprints with the padding that RFC 7515 leaves out (its `_encode_thumbprint`).
        let bytes = |name: &str| text(name).and_then(|it| base64url_decode(it.trim_end_matches('=')));
        Ok(Assertion {
            algorithm,
            kid: text("kid").map(str::to_owned),
            x5t: bytes("x5t"),
            x5t_s256: bytes("x5t#S256"),
            claims: object(claims)?,
            signed,
            signature: base64url_decode(signature).ok_or(Malformed::Encoding)?,
        })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// The audience; of a list, its one member.
    pub fn audience(&self) -> Option<&str> {
        match self.claims.get("aud")? {
            Value::String(text) => Some(text),
            Value::Array(list) if list.len() == 1 => list[0].as_str(),
            _ => None,
        }
    }

    /// Whether this second, in seconds since 1970, lies between `nbf` and `exp`; one without `exp` never
    /// does. A client's clock may differ by `skew` seconds.
    pub fn is_current(&self, now: i64, skew: i64) -> bool {
        // Numbers may have fractions (RFC 7519 §2), and MSAL for Python's have.
        let seconds = |name: &str| self.claims.get(name).map(|it| it.as_f64().map(|it| it.floor() as i64));
        let begun = match seconds("nbf") {
            None => true,
            Some(begins) => begins.is_some_and(|begins| begins <= now + skew),
        };
        begun && seconds("exp").flatten().is_some_and(|end| now - skew < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::base64url;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.{}", base64url(header), base64url(claims), base64url("signature"))
    }

    #[test]
    fn both_algorithms_parse_and_no_other() {
        for (header, algorithm) in [
            (r#"{"alg":"RS256","x5t":"AQI"}"#, Some(Algorithm::Rs256)),
            (r#"{"alg":"PS256","x5t#S256":"AQI"}"#, Some(Algorithm::Ps256)),
            (r#"{"alg":"none"}"#, None),
            (r#"{"alg":"HS256"}"#, None),
            (r#"{"alg":"RS256","crit":["x"]}"#, None),
            (r#"{"alg":"RS256","alg":"none"}"#, None),
        ] {
            let text = token(header, "{}");
            assert_eq!(Assertion::parse(&text).ok().map(|it| it.algorithm), algorithm, "{header}");
        }
    }

    #[test]
    fn a_thumbprint_is_the_same_with_padding_and_without() {
        for header in [r#"{"alg":"RS256","x5t":"AQIDBA"}"#, r#"{"alg":"RS256","x5t":"AQIDBA=="}"#] {
            let text = token(header, "{}");
            let thumbprint = Assertion::parse(&text).ok().and_then(|it| it.x5t);
            assert_eq!(thumbprint, Some(vec![1, 2, 3, 4]), "{header}");
        }
    }

    #[test]
    fn an_assertion_has_its_time() {
        for (claims, is_current) in [
            (r#"{"exp":1001}"#, true),
            (r#"{"exp":990,"nbf":900}"#, true),
            (r#"{"exp":1001.75,"nbf":999.5}"#, true),
            (r#"{"exp":900}"#, false),
            (r#"{"exp":"2000"}"#, false),
            (r#"{"exp":2000,"nbf":"900"}"#, false),
            (r#"{"nbf":900}"#, false),
            (r#"{"exp":2000,"nbf":1100}"#, false),
        ] {
            let text = token(r#"{"alg":"RS256"}"#, claims);
            let assertion = Assertion::parse(&text).unwrap_or_else(|_| panic!("{claims}"));
            assert_eq!(assertion.is_current(1000, 30), is_current, "{claims}");
        }
    }
}
