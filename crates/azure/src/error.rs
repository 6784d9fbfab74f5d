//! Errors as values: a row of a table, and what fills its blanks.
//!
//! Each protocol keeps one table of `Row`s (code, status, message template, where it is known from)
//! and renders an `Error` in exactly one function. The caller reads the row; the log alone reads
//! the cause. `{0}`, `{1}` … in a template stand for the arguments, in order.
//!
//! ```
//! use azure::error::Row;
//! static GROUP_NOT_FOUND: Row = Row {
//!     code: "ResourceGroupNotFound",
//!     status: 404,
//!     template: "Resource group '{0}' could not be found.",
//!     source: "arm.md §4",
//! };
//! let error = GROUP_NOT_FOUND.with(["rg"]);
//! assert_eq!(error.message(), "Resource group 'rg' could not be found.");
//! ```

use std::fmt;

/// One kind of refusal, as a protocol's table lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub code: &'static str,
    pub status: u16,
    pub template: &'static str,
    /// Where this code, status and wording are known from; `unverified` where nobody has seen them.
    pub source: &'static str,
}

/// A protocol's table, written as one: `NAME = status "Code" "template", "source";`, each a static [`Row`].
///
/// The first line says who may use them and what the list of them all is called, which tests go through.
///
/// ```
/// azure::error_rows! {
///     pub(crate) static TABLE;
///     GROUP_NOT_FOUND = 404 "ResourceGroupNotFound" "Resource group '{0}' could not be found.", "arm.md §4";
/// }
/// assert_eq!(GROUP_NOT_FOUND.status, 404);
/// ```
#[macro_export]
macro_rules! error_rows {
    (
        $vis:vis static $table:ident;
        $($name:ident = $status:literal $code:literal $template:literal, $source:literal;)*
    ) => {
        $($vis static $name: $crate::error::Row = $crate::error::Row {
            code: $code,
            status: $status,
            template: $template,
            source: $source,
        };)*
        /// All of them.
        #[cfg(test)]
        #[allow(dead_code, reason = "not every table is gone through")]
        $vis static $table: &[&$crate::error::Row] = &[$(&$name),*];
    };
}

/// A refusal or a fault, on its way to the one function that renders it.
#[derive(Debug)]
pub struct Error {
    pub row: &'static Row,
    pub args: Vec<String>,
    /// The part of the request that is at fault, where the protocol has a place for it.
    pub target: Option<String>,
    /// What a protocol carries besides code and message: a sub-status, a detail element, a challenge.
    pub extra: Vec<(&'static str, String)>,
    /// Inner errors, where the protocol lists them.
    pub details: Vec<Error>,
    /// What happened inside. The log sees it; no answer does.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Row {
    /// This refusal with its blanks filled in order.
    pub fn with<const N: usize>(&'static self, args: [impl Into<String>; N]) -> Error {
        Error {
            row: self,
            args: args.into_iter().map(Into::into).collect(),
            target: None,
            extra: Vec::new(),
            details: Vec::new(),
            cause: None,
        }
    }

    /// This refusal, which has no blanks.
    pub fn bare(&'static self) -> Error {
        self.with::<0>([] as [&str; 0])
    }
}

impl From<&'static Row> for Error {
    fn from(row: &'static Row) -> Self {
        row.bare()
    }
}

impl Error {
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.extra.push((name, value.into()));
        self
    }

    pub fn extra(&self, name: &str) -> Option<&str> {
        self.extra.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// The template with its blanks filled; a blank without an argument stays empty.
    pub fn message(&self) -> String {
        let mut text = String::with_capacity(self.row.template.len() + 64);
        let mut rest = self.row.template;
        while let Some((before, blank)) = rest.split_once('{') {
            text.push_str(before);
            match blank.split_once('}').and_then(|(n, after)| Some((n.parse::<usize>().ok()?, after))) {
                Some((index, after)) => {
                    text.push_str(self.args.get(index).map_or("", String::as_str));
                    rest = after;
                }
                None => {
                    text.push('{');
                    rest = blank;
                }
            }
        }
        text.push_str(rest);
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.row.code, self.message())?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    static ROW: Row = Row { code: "X", status: 400, template: "a '{0}' {\"b\"} {1}.", source: "test" };

    #[test]
    fn blanks_are_filled_in_order_and_other_braces_stay() {
        assert_eq!(ROW.with(["one", "two"]).message(), "a 'one' {\"b\"} two.");
        assert_eq!(ROW.bare().message(), "a '' {\"b\"} .");
    }

    #[test]
    fn an_argument_is_never_read_as_a_template() {
        assert_eq!(ROW.with(["{1}", "x"]).message(), "a '{1}' {\"b\"} x.");
    }
}
