//! When something was written last: `_etag` and `_ts`.

use azure::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A change's mark: the time, and a number that differs from one change to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) change: u64,
    /// Whole seconds since 1970.
    pub(super) seconds: i64,
}

impl Stamp {
    pub(super) fn new(change: u64, now: Timestamp) -> Self {
        Stamp { change, seconds: now.seconds() }
    }

    /// `"00006700-0000-0000-0000-5a8271e90000"`, quotes and all: the last group is the time (cosmos.md §4.2).
    pub(super) fn etag(self) -> String {
        let change = self.change;
        let groups = [change >> 16, change >> 32, change >> 48].map(|part| part & 0xffff);
        format!(
            "\"{:04x}{:04x}-{:04x}-{:04x}-0000-{:08x}0000\"",
            change & 0xffff,
            groups[0],
            groups[1],
            groups[2],
            self.seconds
        )
    }

    /// Whether an `If-Match` or `If-None-Match` names it: by itself, with or without quotes, or by `*`.
    pub(super) fn is_named_by(self, condition: &str) -> bool {
        let etag = self.etag();
        let bare = |text: &str| text.trim().trim_matches('"').to_owned();
        condition.split(',').any(|one| one.trim() == "*" || bare(one) == bare(&etag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_carries_the_change_and_the_time() {
        let stamp = Stamp { change: 0x67, seconds: 0x5a82_71e9 };
        assert_eq!(stamp.etag(), "\"00670000-0000-0000-0000-5a8271e90000\"");
        let next = Stamp { change: 0x68, ..stamp };
        assert_ne!(stamp.etag(), next.etag());
        for (condition, is_named) in [
            (stamp.etag().as_str(), true),
            ("00670000-0000-0000-0000-5a8271e90000", true),
            ("*", true),
            (next.etag().as_str(), false),
            ("", false),
        ] {
            assert_eq!(stamp.is_named_by(condition), is_named, "{condition}");
        }
    }
}
