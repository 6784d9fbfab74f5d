//! Judging the claims of a token whose signature is genuine.
//!
//! Everything a resource relies on is looked at in one place: who issued it, for whom, in which
//! directory and cloud, from when until when, and about whom. What comes out is what the rest of
//! the program may believe.

use std::{fmt, time::Duration};

use serde_json::{Map, Value};

use crate::{
    ids::{ClientId, ObjectId, TenantId},
    time::Timestamp,
};

/// What a resource expects of a token.
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    /// Any of these, to the letter.
    pub issuers: &'a [String],
    /// Any of these, without regard to case and to one slash at the end (cosmos.md §2.3).
    pub audiences: &'a [String],
    pub tenant: TenantId,
    /// What `aio` must be, where a cloud marks its tokens with it.
    pub aio: Option<&'a str>,
    /// By how much clocks may differ.
    pub skew: Duration,
}

/// What a token says, once it was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    pub object_id: ObjectId,
    pub tenant: TenantId,
    /// `appid` or `azp`.
    pub app_id: Option<ClientId>,
    /// `upn`, `unique_name` or `preferred_username`: a person's sign-in name.
    pub user_name: Option<String>,
    /// `idtyp` is `app`, or nobody's `scp` is there: no user stands behind it.
    pub is_app: bool,
    pub expires: Timestamp,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    NotYetValid {
        not_before: Timestamp,
    },
    Expired {
        at: Timestamp,
    },
    WrongIssuer {
        found: String,
    },
    WrongAudience {
        found: String,
    },
    WrongTenant {
        found: String,
    },
    WrongCloud,
    /// A claim is absent or not of its type.
    Missing(&'static str),
    MissingOid,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotYetValid { not_before } => {
                write!(f, "the token is not valid before {}", not_before.iso_seconds())
            }
            Fault::Expired { at } => write!(f, "the token expired at {}", at.iso_seconds()),
            Fault::WrongIssuer { found } => write!(f, "the issuer is `{}`", found.escape_default()),
            Fault::WrongAudience { found } => write!(f, "the audience is `{}`", found.escape_default()),
            Fault::WrongTenant { found } => write!(f, "the tenant is `{}`", found.escape_default()),
            Fault::WrongCloud => f.write_str("the token is another cloud's"),
            Fault::Missing(claim) => write!(f, "the token has no proper `{claim}`"),
            Fault::MissingOid => f.write_str("the token has no proper `oid`"),
        }
    }
}

impl std::error::Error for Fault {}

/// Judges the claims. The issuer comes before the rest: what another directory says is not read.
pub fn check(
    claims: &Map<String, Value>,
    now: Timestamp,
    expected: &Expectation<'_>,
) -> Result<Believed, Fault> {
    let issuer = text(claims, "iss")?;
    if !expected.issuers.iter().any(|known| known == issuer) {
        return Err(Fault::WrongIssuer { found: issuer.to_owned() });
    }
    let tenant = text(claims, "tid")?;
    if tenant.parse() != Ok(expected.tenant) {
        return Err(Fault::WrongTenant { found: tenant.to_owned() });
    }
    let cloud = claims.get("aio").and_then(Value::as_str);
    if expected.aio.is_some() && expected.aio != cloud {
        return Err(Fault::WrongCloud);
    }
    let expires = check_times(claims, now, expected.skew)?;
    let audience = text(claims, "aud")?;
    if !expected.audiences.iter().any(|known| is_same_audience(known, audience)) {
        return Err(Fault::WrongAudience { found: audience.to_owned() });
    }
    let object_id = text(claims, "oid").ok().and_then(|oid| oid.parse().ok()).ok_or(Fault::MissingOid)?;
    let any_of = |names: &[&'static str]| names.iter().find_map(|name| text(claims, name).ok());
    Ok(Believed {
        object_id,
        tenant: expected.tenant,
        app_id: any_of(&["appid", "azp"]).and_then(|id| id.parse().ok()),
        user_name: any_of(&["upn", "unique_name", "preferred_username"]).map(str::to_owned),
        is_app: any_of(&["idtyp"]) == Some("app") || any_of(&["scp"]).is_none(),
        expires,
    })
}

fn check_times(claims: &Map<String, Value>, now: Timestamp, skew: Duration) -> Result<Timestamp, Fault> {
    let (not_before, expires) = (time(claims, "nbf")?, time(claims, "exp")?);
    if now.plus(skew) < not_before {
        return Err(Fault::NotYetValid { not_before });
    }
    if expires.plus(skew) <= now {
        return Err(Fault::Expired { at: expires });
    }
    Ok(expires)
}

/// Whether two audiences name the same resource: `https://storage.azure.com` and with a slash.
pub fn is_same_audience(one: &str, other: &str) -> bool {
    let bare = |text: &'_ str| text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    bare(one) == bare(other)
}

fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, Fault> {
    claims.get(name).and_then(Value::as_str).ok_or(Fault::Missing(name))
}

fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, Fault> {
    /// A timestamp counts nanoseconds and ends in the year 2262.
    const LAST_SECOND: i64 = i64::MAX / 1_000_000_000;
    claims
        .get(name)
        .and_then(Value::as_i64)
        .filter(|seconds| (0..=LAST_SECOND).contains(seconds))
        .map(Timestamp::from_seconds)
        .ok_or(Fault::Missing(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: &str = "11111111-1111-1111-1111-111111111111";
    const OID: &str = "22222222-2222-2222-2222-222222222222";
    const NOW: i64 = 1_000_000;

    fn judge(change: Value) -> Result<Believed, Fault> {
        let mut claims = json!({
            "aud": "https://storage.azure.com/", "iss": "https://sts.windows.net/t/", "nbf": NOW - 300,
            "exp": NOW + 3600, "oid": OID, "tid": TENANT, "aio": "cloud", "appid": OID, "idtyp": "app",
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let expected = Expectation {
            issuers: &["https://sts.windows.net/t/".to_owned()],
            audiences: &["https://storage.azure.com".to_owned(), "guid".to_owned()],
            tenant: TENANT.parse().expect("a guid"),
            aio: Some("cloud"),
            skew: Duration::from_secs(300),
        };
        check(claims.as_object().expect("an object"), Timestamp::from_seconds(NOW), &expected)
    }

    #[test]
    fn a_good_token_tells_who_it_is_about() {
        let believed = judge(json!({})).expect("is good");
        assert_eq!(believed.object_id.to_string(), OID);
        assert_eq!(believed.app_id, OID.parse().ok());
        assert!(believed.is_app);
        assert_eq!(believed.expires.seconds(), NOW + 3600);
        assert_eq!(judge(json!({"upn": "a@b"})).expect("is good").user_name.as_deref(), Some("a@b"));
    }

    #[test]
    fn each_fault_is_told_apart() {
        let at = Timestamp::from_seconds;
        let found = |text: &str| text.to_owned();
        for (change, fault) in [
            (json!({"nbf": NOW + 300}), None),
            (json!({"nbf": NOW + 301}), Some(Fault::NotYetValid { not_before: at(NOW + 301) })),
            (json!({"exp": NOW - 299}), None),
            (json!({"exp": NOW - 300}), Some(Fault::Expired { at: at(NOW - 300) })),
            (json!({"exp": null}), Some(Fault::Missing("exp"))),
            (json!({"exp": "9999999999"}), Some(Fault::Missing("exp"))),
            (json!({"exp": i64::MAX}), Some(Fault::Missing("exp"))),
            (json!({"nbf": -1}), Some(Fault::Missing("nbf"))),
            (
                json!({"iss": "https://sts.windows.net/t"}),
                Some(Fault::WrongIssuer { found: found("https://sts.windows.net/t") }),
            ),
            (json!({"iss": 1}), Some(Fault::Missing("iss"))),
            (json!({"aud": "HTTPS://storage.azure.com"}), None),
            (json!({"aud": "guid"}), None),
            (
                json!({"aud": "https://storage.azure.com//"}),
                Some(Fault::WrongAudience { found: found("https://storage.azure.com//") }),
            ),
            (
                json!({"aud": "https://storage.azure.com.evil"}),
                Some(Fault::WrongAudience { found: found("https://storage.azure.com.evil") }),
            ),
            (json!({"aud": ["https://storage.azure.com"]}), Some(Fault::Missing("aud"))),
            (json!({"tid": OID}), Some(Fault::WrongTenant { found: found(OID) })),
            (json!({"tid": null}), Some(Fault::Missing("tid"))),
            (json!({"aio": "other"}), Some(Fault::WrongCloud)),
            (json!({"aio": null}), Some(Fault::WrongCloud)),
            (json!({"oid": null}), Some(Fault::MissingOid)),
            (json!({"oid": "me"}), Some(Fault::MissingOid)),
        ] {
            assert_eq!(judge(change.clone()).err(), fault, "{change}");
        }
    }
}
