//! `api-version`: which one was asked for, and which one is served.
//!
//! Clients of every year come to the same cloud. A version older than a kind's first, or no version
//! at all, is refused with the list of those that are; any other date, between two known ones or
//! newer than the newest, is served as the nearest older one.
//!
//! ```
//! use azure::api_version::{ApiVersion, resolve};
//! static KNOWN: [ApiVersion; 2] = [ApiVersion::of("2017-12-01"), ApiVersion::of("2018-06-01")];
//! assert_eq!(resolve("2030-01-01", &KNOWN).unwrap(), &KNOWN[1]);
//! assert!(resolve("2016-01-01", &KNOWN).is_err());
//! ```

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

/// `2018-06-01`, `2015-08-31-PREVIEW`: a date, and a suffix where it is no stable version. Compares
/// without regard to case; a preview comes before the stable version of its day.
#[derive(Clone)]
pub struct ApiVersion {
    text: Cow<'static, str>,
    /// `20180601`.
    date: u32,
}

const DATE_BYTES: usize = "2018-06-01".len();

impl ApiVersion {
    /// A version known when the program is built. Does not compile where it is no version.
    pub const fn of(text: &'static str) -> Self {
        match date_of(text.as_bytes()) {
            Some(date) => ApiVersion { text: Cow::Borrowed(text), date },
            None => panic!("not an api-version"),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_preview(&self) -> bool {
        !self.suffix().is_empty()
    }

    fn suffix(&self) -> &str {
        &self.text[DATE_BYTES..]
    }
}

/// The date as a number, where the text is a date and maybe a hyphen and letters.
const fn date_of(text: &[u8]) -> Option<u32> {
    if text.len() < DATE_BYTES || text.len() > DATE_BYTES + 24 {
        return None;
    }
    let (mut at, mut date) = (0, 0);
    while at < text.len() {
        let byte = text[at];
        match at {
            4 | 7 | DATE_BYTES if byte == b'-' => {}
            4 | 7 | DATE_BYTES => return None,
            _ if at < DATE_BYTES && byte.is_ascii_digit() => date = date * 10 + (byte - b'0') as u32,
            _ if at > DATE_BYTES && byte.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        at += 1;
    }
    let (month, day) = (date / 100 % 100, date % 100);
    let exists = month >= 1 && month <= 12 && day >= 1 && day <= 31;
    if exists && text.len() != DATE_BYTES + 1 { Some(date) } else { None }
}

/// The text is no `YYYY-MM-DD[-suffix]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAVersion;

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an api-version")
    }
}

impl std::error::Error for NotAVersion {}

impl FromStr for ApiVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let date = date_of(text.as_bytes()).ok_or(NotAVersion)?;
        Ok(ApiVersion { text: Cow::Owned(text.to_owned()), date })
    }
}

impl Ord for ApiVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.date, !it.is_preview(), it.suffix().to_ascii_lowercase());
        self.date.cmp(&other.date).then_with(|| key(self).cmp(&key(other)))
    }
}

impl PartialOrd for ApiVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ApiVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ApiVersion {}

impl Hash for ApiVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What was asked for is served by no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    pub requested: String,
    /// What is, newest first, as Azure's messages list it (arm.md §2).
    pub supported: String,
}

/// The known version that serves the requested one. `known` may be in any order.
pub fn resolve<'k>(requested: &str, known: &'k [ApiVersion]) -> Result<&'k ApiVersion, Unsupported> {
    let nearest_older = |asked: ApiVersion| known.iter().filter(|it| **it <= asked).max();
    let found = requested.parse().ok().and_then(nearest_older);
    found.ok_or_else(|| Unsupported { requested: requested.to_owned(), supported: list(known) })
}

fn list(known: &[ApiVersion]) -> String {
    let mut newest_first: Vec<&ApiVersion> = known.iter().collect();
    newest_first.sort_by(|one, other| other.cmp(one));
    newest_first.into_iter().map(ApiVersion::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    static KNOWN: [ApiVersion; 4] = [
        ApiVersion::of("2015-08-31-PREVIEW"),
        ApiVersion::of("2018-11-30"),
        ApiVersion::of("2021-09-30-preview"),
        ApiVersion::of("2022-01-31-preview"),
    ];

    #[test]
    fn the_nearest_older_version_serves() {
        for (requested, served) in [
            ("2015-08-31-preview", Some(0)),
            ("2015-08-31-PREVIEW", Some(0)),
            ("2015-08-31", Some(0)),
            ("2018-11-29", Some(0)),
            ("2018-11-30-preview", Some(0)),
            ("2018-11-30", Some(1)),
            ("2021-09-30", Some(2)),
            ("2022-01-31-preview", Some(3)),
            ("2099-12-31", Some(3)),
            ("2015-08-30", None),
            ("2015-08-31-alpha", None),
            ("", None),
            ("latest", None),
            ("2018-11", None),
            ("2018-13-01", None),
            ("2018-11-30-", None),
            ("2018-11-30preview", None),
            ("2018-11-30 ", None),
            ("2018-11-30-pre view", None),
        ] {
            assert_eq!(resolve(requested, &KNOWN).ok(), served.map(|at: usize| &KNOWN[at]), "{requested}");
        }
    }

    #[test]
    fn a_refusal_lists_what_is_served_newest_first() {
        let refused = resolve("x", &KNOWN).expect_err("no version");
        assert_eq!(
            refused.supported,
            "2022-01-31-preview, 2021-09-30-preview, 2018-11-30, 2015-08-31-PREVIEW"
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_order_agrees_with_equality(
            one in "20[12][0-9]-0[1-9]-[12][0-9](-[pP]review)?", other in "\\PC{0,12}|2018-0[12]-0[12](-preview)?"
        ) {
            let one: ApiVersion = one.parse().expect("a version");
            prop_assert_eq!(one.to_string().to_uppercase().parse::<ApiVersion>(), Ok(one.clone()));
            if let Ok(other) = other.parse::<ApiVersion>() {
                prop_assert!((one == other) == (one.to_string().eq_ignore_ascii_case(other.as_str())));
            }
        }
    }
}
