//! The words of an expression, each with the place where it begins.

use super::codes;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    Text(String),
    LeftParenthesis,
    RightParenthesis,
    LeftBracket,
    RightBracket,
    Comma,
    Dot,
    Question,
}

impl Token {
    /// What messages call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Token::Name(_) => "Identifier",
            Token::Int(_) => "Integer",
            Token::Text(_) => "Literal",
            Token::LeftParenthesis => "LeftParenthesis",
            Token::RightParenthesis => "RightParenthesis",
            Token::LeftBracket => "LeftSquareBracket",
            Token::RightBracket => "RightSquareBracket",
            Token::Comma => "Comma",
            Token::Dot => "Dot",
            Token::Question => "QuestionMark",
        }
    }
}

/// All tokens of the text, which is whole between its brackets.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(found) };
        let at = text.len() - rest.len();
        let (token, length) = match first {
            '(' => (Token::LeftParenthesis, 1),
            ')' => (Token::RightParenthesis, 1),
            '[' => (Token::LeftBracket, 1),
            ']' => (Token::RightBracket, 1),
            ',' => (Token::Comma, 1),
            '.' => (Token::Dot, 1),
            '?' => (Token::Question, 1),
            '\'' => literal(text, rest, at)?,
            '0'..='9' | '-' | '+' => number(text, rest, at)?,
            'a'..='z' | 'A'..='Z' | '_' => name(rest),
            other => return Err(unexpected(text, other, at)),
        };
        found.push(token);
        rest = &rest[length..];
    }
}

fn unexpected(text: &str, found: char, at: usize) -> crate::error::Error {
    codes::BAD_CHARACTER.with([text.to_owned(), found.to_string(), at.to_string()])
}

fn name(rest: &str) -> (Token, usize) {
    let length = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(rest.len());
    (Token::Name(rest[..length].to_owned()), length)
}

fn number(text: &str, rest: &str, at: usize) -> Result<(Token, usize)> {
    let digits = rest[1..].find(|it: char| !it.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
    let first = rest.chars().next().unwrap_or_default();
    let int = rest[..digits].parse().map_err(|_| unexpected(text, first, at))?;
    Ok((Token::Int(int), digits))
}

/// `'it''s'`: two quotes stand for one.
fn literal(text: &str, rest: &str, at: usize) -> Result<(Token, usize)> {
    let mut value = String::new();
    let mut from = 1;
    loop {
        let Some(quote) = rest[from..].find('\'') else {
            return Err(codes::UNTERMINATED.with([text.to_owned(), at.to_string()]));
        };
        value.push_str(&rest[from..from + quote]);
        from += quote + 1;
        if !rest[from..].starts_with('\'') {
            return Ok((Token::Text(value), from));
        }
        value.push('\'');
        from += 1;
    }
}
