//! A condition's words.

use super::{
    BadCondition,
    attributes::{Name, Source},
};

#[derive(Clone, Debug)]
pub(super) enum Word {
    /// `'…'`, without its quotes.
    Text(String),
    /// An operator, a function, a number, a guid, `true`.
    Bare(String),
    /// `@Request[…]`.
    Attribute(Name),
    And,
    Or,
    Not,
    /// One of `(){},`.
    Sign(char),
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Word::Text(text) => write!(f, "'{text}'"),
            Word::Bare(text) => f.write_str(text),
            Word::Attribute(name) => write!(f, "@{}[{}]", name.source, name.text),
            Word::And => f.write_str("AND"),
            Word::Or => f.write_str("OR"),
            Word::Not => f.write_str("NOT"),
            Word::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

pub(super) fn words(text: &str) -> Result<Vec<Word>, BadCondition> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' => quoted(&rest[1..])?,
            '@' => attribute(&rest[1..])?,
            '(' | ')' | '{' | '}' | ',' => (Word::Sign(first), &rest[1..]),
            '!' => (Word::Not, &rest[1..]),
            '&' if rest.starts_with("&&") => (Word::And, &rest[2..]),
            '|' if rest.starts_with("||") => (Word::Or, &rest[2..]),
            _ => bare(rest, first)?,
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// A backslash keeps a quote from ending the text, and stays before anything else: `Like` reads `\*`.
fn quoted(rest: &str) -> Result<(Word, &str), BadCondition> {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((Word::Text(text), &rest[at + 1..])),
            '\\' if rest[at..].starts_with("\\'") => {
                letters.next();
                text.push('\'');
            }
            _ => text.push(letter),
        }
    }
    Err(BadCondition::Unclosed)
}

fn attribute(rest: &str) -> Result<(Word, &str), BadCondition> {
    let (source, after) = rest.split_once('[').ok_or(BadCondition::Unclosed)?;
    let (text, after) = after.split_once(']').ok_or(BadCondition::Unclosed)?;
    let source: Source =
        source.trim().parse().map_err(|()| BadCondition::UnknownSource(source.to_owned()))?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Err(BadCondition::Unexpected("[]".to_owned()));
    }
    Ok((Word::Attribute(Name { source, text }), after))
}

fn bare(rest: &str, first: char) -> Result<(Word, &str), BadCondition> {
    let is_in_it = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    let end = rest.find(|letter| !is_in_it(letter)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let word = match word.to_ascii_uppercase().as_str() {
        "" => return Err(BadCondition::Unexpected(first.to_string())),
        "AND" => Word::And,
        "OR" => Word::Or,
        "NOT" => Word::Not,
        _ => Word::Bare(word.to_owned()),
    };
    Ok((word, after))
}
