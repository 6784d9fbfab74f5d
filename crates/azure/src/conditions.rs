//! Conditions on role assignments and on permissions, version 2.0 (rbac.md §4).
//!
//! A condition is a sentence about one attempt: its action, its suboperation, and what is known of
//! the resource, the request, the principal and the environment. It is read once, where the role or
//! the assignment that carries it is read, and asked for every action that its carrier would grant:
//!
//! ```text
//! text ── lex ──► words ── parse ──► expression ── evaluate(action, attributes) ──► true, false, unknown
//! ```
//!
//! ```
//! use azure::{action::Action, conditions::{Attributes, Condition, Truth}};
//! let condition = Condition::from(
//!     "!(ActionMatches{'a/blobs/read'}) OR @Resource[a/containers:name] StringEquals 'public'",
//! );
//! let here = Attributes::none().resource("a/containers:name", "secret");
//! assert_eq!(condition.ask(&Action::of("a/blobs/read"), &here), Truth::False);
//! assert_eq!(condition.ask(&Action::of("a/blobs/write"), &here), Truth::True);
//! ```
//!
//! Everything fails closed. An attribute that nobody supplied makes a comparison unknown, and so does
//! a value that is not of the operator's kind; the negation of unknown is unknown. A text that is not
//! understood whole is unknown whatever is asked of it. What grants under a condition grants only
//! when it is true; what denies under one denies unless it is false.
//!
//! Length and depth are bounded, so that reading and asking are too. What is refused that a more
//! lenient reader might guess at: `a AND b OR c` without parentheses (the documentation calls its
//! order ambiguous), several values without a quantifier, quantifiers on operators that the
//! documentation lists without them.

mod attributes;
mod evaluate;
mod lex;
mod operators;
mod parse;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::attributes::{Attributes, Source};
use self::{
    attributes::Name,
    operators::{Operator, Quantifier},
};
use crate::action::{Action, Pattern};

/// The only version there is of `conditionVersion`; 1.0 was never public.
pub const VERSION: &str = "2.0";

/// The longest condition Azure takes, and the deepest that is read here.
const MAX_BYTES: usize = 8 * 1024;
const MAX_DEPTH: usize = 64;

/// A condition as it was written, read once. A blank one asks nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Condition {
    text: Box<str>,
    read: Result<Expression, BadCondition>,
}

/// An answer. Unknown is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCondition {
    TooLong,
    TooDeep,
    /// A quote, a bracket, a brace or a parenthesis that does not close.
    Unclosed,
    /// `AND` and `OR` beside each other without parentheses.
    Ambiguous,
    /// This stands where it cannot.
    Unexpected(String),
    UnknownSource(String),
    UnknownOperator(String),
    /// The operator compares one value, or has no such quantifier.
    NotAcross(String),
    /// The value is not of the operator's kind.
    BadValue(String),
}

impl Condition {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Refuses what would never be true because it is not understood.
    pub fn check(&self) -> Result<(), &BadCondition> {
        self.read.as_ref().map(|_| ())
    }

    /// Whether it holds for this action, as far as the attributes tell.
    pub fn ask(&self, action: &Action, attributes: &Attributes) -> Truth {
        match &self.read {
            Ok(expression) => evaluate::ask(expression, action, attributes),
            Err(_) => Truth::Unknown,
        }
    }
}

/// A condition's sentence.
#[derive(Clone, Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    ActionMatches(Vec<Pattern>),
    SubOperationMatches(Vec<String>),
    Exists(Name),
    Compare { left: Operand, quantifier: Option<Quantifier>, operator: &'static Operator, right: Operand },
}

#[derive(Clone, Debug)]
enum Operand {
    Attribute(Name),
    /// Each is of the operator's kind: parsing has checked it.
    Values(Vec<String>),
}

impl From<&str> for Condition {
    fn from(text: &str) -> Self {
        Condition { text: text.into(), read: parse::condition(text) }
    }
}

impl From<String> for Condition {
    fn from(text: String) -> Self {
        Condition { read: parse::condition(&text), text: text.into() }
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text.into()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.text)
    }
}

impl fmt::Display for BadCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadCondition::TooLong => write!(f, "it is longer than {MAX_BYTES} bytes"),
            BadCondition::TooDeep => write!(f, "it is nested deeper than {MAX_DEPTH}"),
            BadCondition::Unclosed => f.write_str("a quote, bracket, brace or parenthesis does not close"),
            BadCondition::Ambiguous => f.write_str("`AND` and `OR` are mixed without parentheses"),
            BadCondition::Unexpected(word) => write!(f, "`{}` is not expected", word.escape_default()),
            BadCondition::UnknownSource(word) => write!(f, "`@{}` is no source", word.escape_default()),
            BadCondition::UnknownOperator(word) => write!(f, "`{}` is no operator", word.escape_default()),
            BadCondition::NotAcross(word) => {
                write!(f, "`{}` does not compare several values so", word.escape_default())
            }
            BadCondition::BadValue(word) => {
                write!(f, "`{}` is no value for its operator", word.escape_default())
            }
        }
    }
}

impl std::error::Error for BadCondition {}

#[cfg(test)]
mod tests;
