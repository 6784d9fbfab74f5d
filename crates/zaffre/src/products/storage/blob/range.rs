//! The part of a blob that a read asks for: `x-ms-range`, or `Range` where that is absent.

use std::ops::Range;

use azure::error::{Error, Result};

use super::codes;
use crate::service::Parts;

/// `bytes=first-last`, the last byte included, or open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    first: u64,
    last: Option<u64>,
}

impl Asked {
    pub(super) fn of(parts: &Parts) -> Result<Option<Self>> {
        for name in ["x-ms-range", "range"] {
            if let Some(text) = parts.header(name) {
                let refused =
                    || codes::INVALID_HEADER.bare().and("HeaderName", name).and("HeaderValue", text);
                return Self::parse(text).map(Some).ok_or_else(refused);
            }
        }
        Ok(None)
    }

    /// Azure knows no ranges counted from the end, and no lists of ranges.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        let first = first.parse().ok()?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        last.is_none_or(|last| first <= last).then_some(Asked { first, last })
    }

    /// The bytes of a blob this long; one that begins behind its end cannot be satisfied, so an empty blob has
    /// no ranges at all (blob.md §17).
    pub(super) fn within(self, length: u64) -> Result<Range<u64>> {
        if self.first >= length {
            return Err(out_of(length));
        }
        let end = self.last.map_or(length, |last| last.saturating_add(1).min(length));
        Ok(self.first..end)
    }
}

fn out_of(length: u64) -> Error {
    codes::INVALID_RANGE.bare().and("content-range", format!("bytes */{length}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob_and_refused_behind_it() {
        for (text, length, expected) in [
            ("bytes=0-3", 10, Some(0..4)),
            ("bytes=0-33554431", 10, Some(0..10)),
            ("bytes=4-", 10, Some(4..10)),
            ("bytes=9-9", 10, Some(9..10)),
            ("bytes=10-", 10, None),
            ("bytes=0-", 0, None),
            ("bytes=0-18446744073709551615", 10, Some(0..10)),
        ] {
            let asked = Asked::parse(text).expect(text);
            assert_eq!(asked.within(length).ok(), expected, "{text} of {length}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["bytes=-5", "bytes=5-4", "bytes=a-b", "0-5", "bytes=0-1,3-4", "bytes=", "bytes=1"] {
            assert_eq!(Asked::parse(text), None, "{text}");
        }
    }
}
