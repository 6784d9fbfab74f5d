//! What a caller wants to do, and the patterns by which roles name it.
//!
//! An `Action` is a path such as `Microsoft.Compute/virtualMachines/start/action`. A `Pattern` is an
//! action in which `*` stands for any run of characters, `/` included, anywhere and several times
//! (rbac.md §3). Both compare without regard to ASCII case: Azure's own roles spell `DocumentDb` and
//! `DocumentDB`, `listKeys` and `listkeys`.
//!
//! ```
//! use azure::action::{Action, Pattern};
//! let read = Action::from("microsoft.compute/virtualmachines/READ");
//! assert!(Pattern::from("*/read").matches(&read));
//! assert!(Pattern::from("Microsoft.Compute/*").matches(&read));
//! ```
//!
//! Matching allocates nothing. The pieces between the stars are found from left to right, each as
//! early as it can be: an earlier end never leaves less room for the pieces that follow, so nothing
//! is ever tried twice.

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Serialize};

/// An operation's name. Compares without regard to case; prints as it came.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Action(pub Cow<'static, str>);

impl Action {
    /// An action known when the program is built.
    pub const fn of(text: &'static str) -> Self {
        Action(Cow::Borrowed(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Action {
    fn from(text: &str) -> Self {
        Action(Cow::Owned(text.to_owned()))
    }
}

impl From<String> for Action {
    fn from(text: String) -> Self {
        Action(Cow::Owned(text))
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Action {}

impl Hash for Action {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_without_case(&self.0, state);
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({})", self.0)
    }
}

/// What a role says about actions, such as `Microsoft.Compute/*/read`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: Box<str>,
    shape: Shape,
}

/// The cheap kinds of pattern, told apart once so that most of them are one comparison.
#[derive(Clone, Copy)]
enum Shape {
    /// No star.
    Exact,
    /// One star, at the end.
    Prefix,
    /// One star, at the start.
    Suffix,
    /// Anything else.
    Pieces,
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the action is one of those this names.
    pub fn matches(&self, action: &Action) -> bool {
        let (text, action) = (self.text.as_bytes(), action.0.as_bytes());
        match self.shape {
            Shape::Exact => text.eq_ignore_ascii_case(action),
            Shape::Prefix => starts_with(action, &text[..text.len() - 1]),
            Shape::Suffix => ends_with(action, &text[1..]),
            Shape::Pieces => pieces_match(text, action),
        }
    }
}

impl Shape {
    fn of(text: &str) -> Self {
        match (text.bytes().filter(|byte| *byte == b'*').count(), text.starts_with('*'), text.ends_with('*'))
        {
            (0, ..) => Shape::Exact,
            (1, _, true) => Shape::Prefix,
            (1, true, _) => Shape::Suffix,
            _ => Shape::Pieces,
        }
    }
}

/// Matches the general case. `A/*/B` also names `A/B`: the role's
/// `userAssignedIdentities/*/assign/action` is what Azure accepts for the check of
/// `userAssignedIdentities/assign/action` (rbac.md §3). So a piece that begins with `/` may share the
/// `/` that the piece before it ended with.
fn pieces_match(pattern: &[u8], action: &[u8]) -> bool {
    let mut pieces = pattern.split(|byte| *byte == b'*').peekable();
    let first = pieces.next().unwrap_or_default();
    if !starts_with(action, first) {
        return false;
    }
    let (mut end, mut last) = (first.len(), first);
    while let Some(piece) = pieces.next() {
        let shared = usize::from(last.ends_with(b"/") && piece.starts_with(b"/"));
        let rest = &action[end - shared..];
        if pieces.peek().is_none() {
            return ends_with(rest, piece);
        }
        let Some(at) = find(rest, piece) else { return false };
        end = end - shared + at + piece.len();
        last = piece;
    }
    end == action.len()
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn ends_with(text: &[u8], suffix: &[u8]) -> bool {
    text.len().checked_sub(suffix.len()).is_some_and(|at| text[at..].eq_ignore_ascii_case(suffix))
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window.eq_ignore_ascii_case(piece))
}

fn hash_without_case<H: Hasher>(text: &str, state: &mut H) {
    for byte in text.bytes() {
        state.write_u8(byte.to_ascii_lowercase());
    }
    state.write_u8(0xff);
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Pattern { shape: Shape::of(text), text: text.into() }
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Pattern { shape: Shape::of(&text), text: text.into() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text.into()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_without_case(&self.text, state);
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

#[cfg(test)]
mod tests;
