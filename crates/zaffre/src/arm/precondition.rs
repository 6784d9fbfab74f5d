//! `If-Match` and `If-None-Match` (arm.md §6).

use azure::{error::Result, ids::Guid};

use super::codes;
use crate::service::Parts;

/// What a request demands of the resource's ETag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preconditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

pub(super) fn etag(value: Guid) -> String {
    format!("\"{value}\"")
}

impl Preconditions {
    pub(super) fn of(parts: &Parts) -> Self {
        let header = |name| parts.header(name).map(str::to_owned);
        Preconditions { if_match: header("if-match"), if_none_match: header("if-none-match") }
    }

    /// Whether a write may go on over what is there.
    pub(super) fn check(&self, current: Option<Guid>) -> Result<()> {
        let matches = self.if_match.as_ref().is_none_or(|list| names(list, current));
        let differs = self.if_none_match.as_ref().is_none_or(|list| !names(list, current));
        if matches && differs { Ok(()) } else { Err((&codes::PRECONDITION_FAILED).into()) }
    }
}

/// Whether a list of ETags, or `*`, names what is there. Weak ones are as good here as strong ones.
fn names(list: &str, current: Option<Guid>) -> bool {
    let Some(current) = current else { return false };
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.split(',').map(plain).any(|tag| tag == "*" || tag.parse() == Ok(current))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_resource_provider_contract_holds() {
        let there = Guid([7; 16]);
        let tag = etag(there);
        for (if_match, if_none_match, current, goes_on) in [
            (None, None, None, true),
            (None, None, Some(there), true),
            (Some("*"), None, None, false),
            (Some("*"), None, Some(there), true),
            (Some(tag.as_str()), None, None, false),
            (Some(tag.as_str()), None, Some(there), true),
            (Some("\"x\""), None, Some(there), false),
            (None, Some("*"), None, true),
            (None, Some("*"), Some(there), false),
        ] {
            let text = |it: Option<&str>| it.map(str::to_owned);
            let asked = Preconditions { if_match: text(if_match), if_none_match: text(if_none_match) };
            assert_eq!(asked.check(current).is_ok(), goes_on, "{asked:?} over {current:?}");
        }
    }
}
