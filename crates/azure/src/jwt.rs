//! Compact tokens (RFC 7515, RFC 7519) without cryptography: what is to be signed, and what was.
//!
//! ```text
//! base64url(header) . base64url(claims) . base64url(signature)
//! '---------- the signed bytes ---------'
//! ```
//!
//! Making one: `claims::AccessToken` gives the claims, `signing_input` the bytes; whoever holds the
//! key signs them and calls `finish`. Reading one: `Unverified::parse` takes it apart and refuses
//! whatever is not exactly this form; the signature over `signed` is verified elsewhere; then
//! `check::check` judges the claims. RS256 is the only algorithm there is: a token that names another
//! does not parse, so that no later step can be talked into one.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::text::{base64url, base64url_decode};

pub mod assertion;
pub mod certificate;
pub mod check;
pub mod claims;
pub mod jwks;

/// The one algorithm Entra ID signs with.
pub const RS256: &str = "RS256";

/// The longest token that is read. Entra's own stay below 16 KiB.
const MAX_BYTES: usize = 32 * 1024;

/// The first part of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    pub alg: String,
    /// The key's thumbprint once more, in version 1 tokens only (entra.md §5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

impl Header {
    /// The header of a version 1 token signed with this key.
    pub fn v1(kid: &str) -> Self {
        Header { x5t: Some(kid.to_owned()), ..Header::v2(kid) }
    }

    /// The header of a version 2 token, and of id tokens.
    pub fn v2(kid: &str) -> Self {
        Header { typ: Some("JWT".to_owned()), alg: RS256.to_owned(), x5t: None, kid: Some(kid.to_owned()) }
    }
}

/// The bytes to sign.
pub fn signing_input(header: &Header, claims: &Value) -> String {
    let header = serde_json::to_vec(header).expect("a header is text");
    format!("{}.{}", base64url(header), base64url(claims.to_string()))
}

/// The token, from the bytes that were signed and their signature.
pub fn finish(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", base64url(signature))
}

/// A token taken apart, of which nobody knows yet whether it is genuine. It has no `Debug`: whoever
/// reads it in a log could use it.
#[derive(Clone)]
pub struct Unverified<'a> {
    pub header: Header,
    pub claims: Map<String, Value>,
    /// The bytes the signature is over.
    pub signed: &'a str,
    pub signature: Vec<u8>,
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    TooLong,
    /// It has not three parts.
    Parts,
    /// A part is not unpadded base64url.
    Encoding,
    /// A part is no JSON object, repeats a member, or has a member of the wrong type.
    Json(String),
    /// It is signed in a way we do not accept.
    Algorithm(String),
    /// The header has extensions that must be understood (`crit`), or is not about a JWT.
    Header,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::TooLong => write!(f, "the token has more than {MAX_BYTES} bytes"),
            Malformed::Parts => f.write_str("the token has not three parts"),
            Malformed::Encoding => f.write_str("a part of the token is not unpadded base64url"),
            Malformed::Json(why) => write!(f, "a part of the token is not the JSON it should be: {why}"),
            Malformed::Algorithm(alg) => {
                write!(f, "the token's `alg` is `{}`, not RS256", alg.escape_default())
            }
            Malformed::Header => f.write_str("the token's header asks for what is not understood"),
        }
    }
}

impl std::error::Error for Malformed {}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, Malformed> {
        if token.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if claims.contains('.') {
            return Err(Malformed::Parts);
        }
        Ok(Unverified {
            header: header_of(object(header)?)?,
            claims: object(claims)?,
            signed,
            signature: base64url_decode(signature).ok_or(Malformed::Encoding)?,
        })
    }
}

fn header_of(members: Map<String, Value>) -> Result<Header, Malformed> {
    let asks_for_more = members.contains_key("crit");
    let header: Header =
        serde_json::from_value(Value::Object(members)).map_err(|error| Malformed::Json(error.to_string()))?;
    if header.alg != RS256 {
        return Err(Malformed::Algorithm(header.alg));
    }
    let is_jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if asks_for_more || !is_jwt {
        return Err(Malformed::Header);
    }
    Ok(header)
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    let bytes = base64url_decode(part).ok_or(Malformed::Encoding)?;
    let Unrepeated(members) =
        serde_json::from_slice(&bytes).map_err(|error| Malformed::Json(error.to_string()))?;
    Ok(members)
}

/// A JSON object none of whose members comes twice: two readers of a repeated `alg` or `oid` may
/// each believe another one.
struct Unrepeated(Map<String, Value>);

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Unrepeated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unrepeated, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` comes twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Unrepeated(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use serde_json::json;

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.{}", base64url(header), base64url(claims), base64url("signature"))
    }

    #[test]
    fn what_was_made_is_taken_apart_again() {
        let claims = json!({"oid": "x", "exp": 1});
        let input = signing_input(&Header::v1("thumb"), &claims);
        let token = finish(&input, b"signature");
        let read = Unverified::parse(&token).expect("a token");
        assert_eq!(read.header, Header::v1("thumb"));
        assert_eq!(Value::Object(read.claims), claims);
        assert_eq!((read.signed, read.signature.as_slice()), (input.as_str(), b"signature".as_slice()));
    }

    #[test]
    fn the_header_has_the_members_entra_writes_in_their_order() {
        let text = |header: &Header| serde_json::to_string(header).expect("writes");
        assert_eq!(text(&Header::v1("k")), r#"{"typ":"JWT","alg":"RS256","x5t":"k","kid":"k"}"#);
        assert_eq!(text(&Header::v2("k")), r#"{"typ":"JWT","alg":"RS256","kid":"k"}"#);
    }

    #[test]
    fn whatever_is_not_exactly_a_token_is_refused() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert!(Unverified::parse(&good).is_ok());
        for (text, why) in [
            (String::new(), "parts"),
            ("a.b".to_owned(), "parts"),
            (format!("{good}.x"), "parts"),
            (format!("{good}="), "encoding"),
            (format!("{good}+"), "encoding"),
            (format!(" {good}"), "encoding"),
            (token("[]", "{}"), "json"),
            (token("{}", "{}"), "json"),
            (token(r#"{"alg":"RS256"}"#, "null"), "json"),
            (token(r#"{"alg":"RS256"}"#, r#"{"oid":"a","oid":"b"}"#), "json"),
            (token(r#"{"alg":"RS256","alg":"none"}"#, "{}"), "json"),
            (token(r#"{"alg":["RS256"]}"#, "{}"), "json"),
            (token(r#"{"alg":"RS256"}x"#, "{}"), "json"),
            (token(r#"{"alg":"none"}"#, "{}"), "algorithm"),
            (token(r#"{"alg":"HS256"}"#, "{}"), "algorithm"),
            (token(r#"{"alg":"rs256"}"#, "{}"), "algorithm"),
            (token(r#"{"alg":"RS256","crit":["x"]}"#, "{}"), "header"),
            (token(r#"{"alg":"RS256","typ":"at+xml"}"#, "{}"), "header"),
            (token(r#"{"alg":"RS256"}"#, &" ".repeat(MAX_BYTES)), "too long"),
        ] {
            let found = match Unverified::parse(&text).err().expect(&text) {
                Malformed::TooLong => "too long",
                Malformed::Parts => "parts",
                Malformed::Encoding => "encoding",
                Malformed::Json(_) => "json",
                Malformed::Algorithm(_) => "algorithm",
                Malformed::Header => "header",
            };
            assert_eq!(found, why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(token in "[a-zA-Z0-9_.=-]{0,80}|\\PC{0,40}") {
            let _ = Unverified::parse(&token);
        }

        #[test]
        fn any_claims_and_signature_come_back(name in "\\PC{0,9}", value in any::<i64>(),
                                              signature in prop::collection::vec(any::<u8>(), 0..99)) {
            let claims = json!({ name: value });
            let token = finish(&signing_input(&Header::v2("k"), &claims), &signature);
            let read = Unverified::parse(&token).expect("a token");
            prop_assert_eq!((Value::Object(read.claims), read.signature), (claims, signature));
        }
    }
}
