//! Bearer tokens, and what Resource Manager says to those it does not take (arm.md §3).

use azure::{
    error::{Error, Result, Row},
    jwt::check::Fault as Claim,
    time::Timestamp,
};

use super::codes;
use crate::{
    access::Caller,
    directory::{self, TokenFault, resources::ARM},
    service::{Cx, Parts},
};

/// The extra under which a refusal carries its challenge.
pub(super) const CHALLENGE: &str = "www-authenticate";

/// The caller by its bearer token; without a header nobody.
pub(super) fn authenticate(cx: &Cx, parts: &Parts) -> Result<Caller> {
    let Some(header) = parts.headers.get(http::header::AUTHORIZATION) else { return Ok(Caller::Anonymous) };
    let invalid = || {
        challenged(
            cx,
            parts,
            (&codes::INVALID_AUTHORIZATION).into(),
            "The authentication scheme is not supported.",
        )
    };
    let text = header.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.trim().split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("Bearer") || token.trim().is_empty() {
        return Err(invalid());
    }
    match directory::verify::verify(cx, token.trim(), &audiences()) {
        Ok(principal) => Ok(Caller::Principal(principal)),
        Err(fault) => Err(refused(cx, parts, fault)),
    }
}

fn audiences() -> Vec<String> {
    ARM.identifiers.iter().map(|it| (*it).to_owned()).collect()
}

/// Nobody said who they are.
pub(super) fn missing(cx: &Cx, authority: &str) -> Error {
    let error: Error = (&codes::NO_AUTHORIZATION).into();
    error.and(
        CHALLENGE,
        challenge(cx, authority, "The authentication failed because of missing 'Authorization' header."),
    )
}

fn refused(cx: &Cx, parts: &Parts, fault: TokenFault) -> Error {
    let invalid = |row: &'static Row, description: &str| challenged(cx, parts, row.into(), description);
    let error = match &fault {
        TokenFault::Malformed(_) => invalid(&codes::INVALID_TOKEN, "Could not parse the token."),
        TokenFault::UnknownKey | TokenFault::BadSignature => {
            invalid(&codes::INVALID_TOKEN, "The signature of the token could not be verified.")
        }
        TokenFault::Claims(claim) => by_claim(cx, parts, claim),
    };
    error.because(fault)
}

fn by_claim(cx: &Cx, parts: &Parts, claim: &Claim) -> Error {
    let tenant = cx.cloud.charter.tenant;
    let of = |error: Error, description: &str| challenged(cx, parts, error, description);
    match claim {
        Claim::Expired { at } => {
            of(codes::EXPIRED_TOKEN.with([spelled(*at), spelled(cx.now)]), "The access token expired.")
        }
        Claim::WrongAudience { found } => {
            of(codes::WRONG_AUDIENCE.with([found]), "The access token is for another audience.")
        }
        Claim::WrongIssuer { found } | Claim::WrongTenant { found } => {
            let ours = format!("https://sts.windows.net/{tenant}/");
            let authority = format!("https://login.windows.net/{tenant}");
            of(
                codes::WRONG_TENANT.with([found, &ours, &authority]),
                "The access token is from the wrong issuer.",
            )
        }
        Claim::NotYetValid { .. } | Claim::WrongCloud | Claim::Missing(_) | Claim::MissingOid => {
            of((&codes::INVALID_TOKEN).into(), "The access token is invalid.")
        }
    }
}

/// `11/21/2026 11:02:54 PM`.
fn spelled(at: Timestamp) -> String {
    let c = at.civil();
    let (hour, half) = (c.hour % 12, if c.hour < 12 { "AM" } else { "PM" });
    let hour = if hour == 0 { 12 } else { hour };
    format!("{}/{}/{} {hour}:{:02}:{:02} {half}", c.month, c.day, c.year, c.minute, c.second)
}

fn challenged(cx: &Cx, parts: &Parts, error: Error, description: &str) -> Error {
    let path = parts.path.as_deref().unwrap_or_default();
    error.and(CHALLENGE, challenge(cx, &authority(cx, path), description))
}

fn challenge(_: &Cx, authority: &str, description: &str) -> String {
    format!(
        "Bearer authorization_uri=\"{authority}\", error=\"invalid_token\", error_description=\"{description}\""
    )
}

/// Where to get a token for what the path names: clients learn a subscription's tenant here.
pub(super) fn authority(cx: &Cx, path: &str) -> String {
    let charter = &cx.cloud.charter;
    let mut segments = path.split('/').filter(|it| !it.is_empty());
    let is_subscription = segments.next().is_some_and(|it| it.eq_ignore_ascii_case("subscriptions"));
    let is_ours =
        is_subscription && segments.next().and_then(|it| it.parse().ok()) == Some(charter.subscription);
    match is_ours {
        true => format!("https://login.windows.net/{}", charter.tenant),
        false => "https://login.windows.net/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_in_the_expiry_message() {
        for (seconds, text) in [
            (1_795_302_174, "11/21/2026 11:02:54 PM"),
            (0, "1/1/1970 12:00:00 AM"),
            (951_827_696, "2/29/2000 12:34:56 PM"),
        ] {
            assert_eq!(spelled(Timestamp::from_seconds(seconds)), text);
        }
    }
}
