//! `If-Match` and its kin: which of them hold, and what is answered where they do not (blob.md §8).
//!
//! Reads and writes differ. A read may carry any of them, and one that fails because nothing changed is a 304. A
//! write may carry one, or one of two pairs, of which the ETag's half decides; what fails is a 412. They are judged
//! twice: on what was found, before a byte of the body is read, and again inside the transaction that commits.

use azure::{
    error::{Error, Result},
    time::Timestamp,
};

use super::codes;
use crate::service::Parts;

/// When a thing was changed, as its ETag and its `Last-Modified` tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(super) etag: u64,
    pub(super) modified: Timestamp,
}

/// Ticks of 100 ns from the year 1 to 1970: Azure's ETags count from there.
const TICKS_TO_1970: u64 = 621_355_968_000_000_000;

impl Stamp {
    /// The stamp of a change: later than the one before it, whatever the clock says.
    pub(super) fn next(now: Timestamp, before: Option<Stamp>) -> Self {
        let ticks = TICKS_TO_1970 + u64::try_from(now.nanos()).unwrap_or(0) / 100;
        Stamp { etag: ticks.max(before.map_or(0, |before| before.etag + 1)), modified: now }
    }

    /// `"0x8DE28F1A2B3C4D5"`, quotes and all.
    pub(crate) fn quoted(&self) -> String {
        format!("\"0x{:X}\"", self.etag)
    }

    /// As listings print it.
    pub(super) fn bare(&self) -> String {
        format!("0x{:X}", self.etag)
    }
}

/// The conditions of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    matches: Option<Tags>,
    none_match: Option<Tags>,
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<String>),
}

/// What a write does with `If-None-Match: *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// It makes the thing: `*` asks that there be none yet.
    Create,
    /// It changes what must be there: `*` is passed over.
    Change,
}

impl Conditions {
    pub(super) fn of(parts: &Parts) -> Result<Self> {
        Ok(Conditions {
            matches: parts.header("if-match").map(Tags::parse),
            none_match: parts.header("if-none-match").map(Tags::parse),
            modified_since: date(parts, "if-modified-since")?,
            unmodified_since: date(parts, "if-unmodified-since")?,
        })
    }

    /// Whether something that is there may be read.
    pub(super) fn judge_read(&self, current: Stamp) -> Result<()> {
        if self.none_match == Some(Tags::Any) {
            return Err(codes::UNSATISFIABLE.bare());
        }
        if self.matches.as_ref().is_some_and(|tags| !tags.have(current))
            || self.unmodified_since.is_some_and(|since| current.modified.seconds() > since)
        {
            return Err(codes::CONDITION_NOT_MET.bare());
        }
        let differs = self.none_match.as_ref().map(|tags| !tags.have(current));
        let is_newer = self.modified_since.map(|since| current.modified.seconds() > since);
        match (differs, is_newer) {
            (None, None) | (Some(true), _) | (_, Some(true)) => Ok(()),
            (Some(false), _) | (None, Some(false)) => Err(not_modified(current)),
        }
    }

    /// Whether something may be written where `current` is, or where nothing is.
    pub(super) fn judge_write(&self, current: Option<Stamp>, write: Write) -> Result<()> {
        self.check_combination()?;
        let failed = || Err(codes::CONDITION_NOT_MET.bare());
        if let Some(tags) = &self.matches {
            return if current.is_some_and(|it| tags.have(it)) { Ok(()) } else { failed() };
        }
        if let Some(tags) = &self.none_match {
            return match (tags, write, current) {
                (Tags::Any, Write::Create, Some(_)) => Err(codes::BLOB_ALREADY_EXISTS.bare()),
                (Tags::Any, _, _) | (_, _, None) => Ok(()),
                (tags, _, Some(it)) => {
                    if tags.have(it) {
                        failed()
                    } else {
                        Ok(())
                    }
                }
            };
        }
        let Some(current) = current else { return Ok(()) };
        let is_stale = self.modified_since.is_some_and(|since| current.modified.seconds() <= since);
        let is_newer = self.unmodified_since.is_some_and(|since| current.modified.seconds() > since);
        if is_stale || is_newer { failed() } else { Ok(()) }
    }

    /// A write carries at most one condition, or one of two pairs.
    fn check_combination(&self) -> Result<()> {
        let given = (
            self.matches.is_some(),
            self.none_match.is_some(),
            self.modified_since.is_some(),
            self.unmodified_since.is_some(),
        );
        match given {
            (true, false, false, _) | (false, true, _, false) => Ok(()),
            (false, false, modified, unmodified) if !(modified && unmodified) => Ok(()),
            _ => Err(codes::MULTIPLE_CONDITIONS.bare()),
        }
    }
}

fn not_modified(current: Stamp) -> Error {
    codes::NOT_MODIFIED.bare().and("etag", current.quoted()).and("last-modified", current.modified.rfc1123())
}

impl Tags {
    fn parse(text: &str) -> Self {
        match text.trim() {
            "*" => Tags::Any,
            tags => Tags::These(tags.split(',').map(|tag| tag.trim().trim_matches('"').to_owned()).collect()),
        }
    }

    fn have(&self, stamp: Stamp) -> bool {
        match self {
            Tags::Any => true,
            Tags::These(tags) => tags.iter().any(|tag| *tag == stamp.bare()),
        }
    }
}

fn date(parts: &Parts, name: &'static str) -> Result<Option<i64>> {
    let Some(text) = parts.header(name) else { return Ok(None) };
    let refused = || codes::INVALID_HEADER.bare().and("HeaderName", name).and("HeaderValue", text);
    Timestamp::parse_rfc1123(text).map(|at| Some(at.seconds())).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_302_174;

    fn stamp() -> Stamp {
        Stamp::next(Timestamp::from_seconds(NOW), None)
    }

    fn conditions(headers: &[(&str, String)]) -> Conditions {
        let value =
            |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        let since = |name| value(name).and_then(Timestamp::parse_rfc1123).map(Timestamp::seconds);
        Conditions {
            matches: value("match").map(Tags::parse),
            none_match: value("none").map(Tags::parse),
            modified_since: since("modified"),
            unmodified_since: since("unmodified"),
        }
    }

    #[test]
    fn each_condition_decides_as_azure_says() {
        let tag = || stamp().quoted();
        let other = || "\"0x8D0\"".to_owned();
        let at = |offset: i64| Timestamp::from_seconds(NOW + offset).rfc1123();
        // Conditions, then what a read, a creating write and a changing write answer.
        let rows = [
            (vec![], "ok", "ok", "ok"),
            (vec![("match", tag())], "ok", "ok", "ok"),
            (vec![("match", other())], "412", "412", "412"),
            (vec![("match", "*".into())], "ok", "ok", "ok"),
            (vec![("match", format!("{}, {}", other(), tag()))], "ok", "ok", "ok"),
            (vec![("none", tag())], "304", "412", "412"),
            (vec![("none", other())], "ok", "ok", "ok"),
            (vec![("none", "*".into())], "400", "409", "ok"),
            (vec![("modified", at(-1))], "ok", "ok", "ok"),
            (vec![("modified", at(0))], "304", "412", "412"),
            (vec![("unmodified", at(0))], "ok", "ok", "ok"),
            (vec![("unmodified", at(-1))], "412", "412", "412"),
            (vec![("none", tag()), ("modified", at(-1))], "ok", "412", "412"),
            (vec![("none", tag()), ("modified", at(0))], "304", "412", "412"),
            (vec![("match", tag()), ("unmodified", at(-1))], "412", "ok", "ok"),
            (vec![("match", tag()), ("none", other())], "ok", "400", "400"),
            (vec![("modified", at(-1)), ("unmodified", at(0))], "ok", "400", "400"),
        ];
        let word = |outcome: Result<()>| match outcome {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.row.status.to_string(),
        };
        for (headers, read, create, change) in rows {
            let it = conditions(&headers);
            assert_eq!(word(it.judge_read(stamp())), read, "read {headers:?}");
            assert_eq!(word(it.judge_write(Some(stamp()), Write::Create)), create, "create {headers:?}");
            assert_eq!(word(it.judge_write(Some(stamp()), Write::Change)), change, "change {headers:?}");
        }
    }

    #[test]
    fn where_nothing_is_only_a_match_fails() {
        for (headers, outcome) in [
            (vec![("match", "*".to_owned())], Err("ConditionNotMet")),
            (vec![("none", "*".to_owned())], Ok(())),
            (vec![("unmodified", Timestamp::from_seconds(1).rfc1123())], Ok(())),
        ] {
            let found = conditions(&headers).judge_write(None, Write::Create).map_err(|error| error.row.code);
            assert_eq!(found, outcome, "{headers:?}");
        }
    }

    #[test]
    fn two_changes_in_one_instant_have_two_tags() {
        let first = stamp();
        let second = Stamp::next(first.modified, Some(first));
        assert!(first.quoted().starts_with("\"0x8D"));
        assert_ne!(first.quoted(), second.quoted());
    }
}
