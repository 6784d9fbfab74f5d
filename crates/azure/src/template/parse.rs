//! Text to expressions.
//!
//! A string of a template is an expression where it begins with `[` and ends with `]`; `[[` at its
//! beginning stands for one bracket of plain text. Between the brackets:
//!
//! ```text
//! expression = first { "." ["?"] name | "[" ["?"] expression "]" }
//! first      = integer | 'text' | [name "."] name "(" [expression { "," expression }] ")"
//! ```

use super::{
    ast::{Call, Expression},
    codes,
    lex::{self, Token},
};
use crate::error::Result;

/// Characters of one expression, with its brackets (arm.md §12).
pub const LIMIT: usize = 24_576;

/// Expressions within expressions: enough for any template, and little enough for any stack.
const DEPTH: usize = 80;

/// What a string of a template is.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    Plain(String),
    Expression(Expression),
}

/// Reads a string as the language does. Refuses an expression that is malformed or too long.
pub fn text(source: &str) -> Result<Text> {
    if let Some(plain) = source.strip_prefix("[[") {
        return Ok(Text::Plain(format!("[{plain}")));
    }
    match source.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        None => Ok(Text::Plain(source.to_owned())),
        Some(_) if source.chars().count() > LIMIT => {
            Err(codes::TOO_LONG.with([source.chars().count().to_string()]))
        }
        Some(inner) => expression(inner).map(Text::Expression),
    }
}

/// Whether the string is an expression, well formed or not.
pub fn is_expression(source: &str) -> bool {
    source.starts_with('[') && source.ends_with(']') && !source.starts_with("[[")
}

/// The string that the language reads as this text, whatever is in it.
pub fn escaped(plain: String) -> String {
    if plain.starts_with('[') && (plain.ends_with(']') || plain.starts_with("[[")) {
        format!("[{plain}")
    } else {
        plain
    }
}

/// Reads what stands between the brackets.
pub fn expression(text: &str) -> Result<Expression> {
    let tokens = lex::tokens(text)?;
    let mut parser = Parser { text, tokens: tokens.into_iter().peekable(), depth: 0 };
    let found = parser.expression()?;
    match parser.tokens.next() {
        None if depth(&found) > DEPTH => Err(codes::TOO_DEEP.with([DEPTH.to_string()])),
        None => Ok(found),
        Some(other) => Err(parser.malformed("EndOfData", Some(&other))),
    }
}

/// A chain of properties is as deep as it is long.
fn depth(of: &Expression) -> usize {
    match of {
        Expression::Int(_) | Expression::Text(_) => 1,
        Expression::Call(call) => 1 + call.arguments.iter().map(depth).max().unwrap_or(0),
        Expression::Property { of, key, .. } => 1 + depth(of).max(depth(key)),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(codes::TOO_DEEP.with([DEPTH.to_string()]));
        }
        let mut found = self.first()?;
        while let Some((key, is_safe)) = self.property()? {
            found = Expression::Property { of: Box::new(found), key: Box::new(key), is_safe };
        }
        self.depth -= 1;
        Ok(found)
    }

    fn first(&mut self) -> Result<Expression> {
        match self.tokens.next() {
            Some(Token::Int(int)) => Ok(Expression::Int(int)),
            Some(Token::Text(text)) => Ok(Expression::Text(text)),
            Some(Token::Name(name)) => self.call(name).map(Expression::Call),
            other => Err(self.malformed("Identifier", other.as_ref())),
        }
    }

    fn call(&mut self, first: String) -> Result<Call> {
        let (namespace, name) = match self.take(&Token::Dot) {
            true => (Some(first), self.name()?),
            false => (None, first),
        };
        self.expect(&Token::LeftParenthesis)?;
        let mut arguments = Vec::new();
        if !self.take(&Token::RightParenthesis) {
            arguments.push(self.expression()?);
            while self.take(&Token::Comma) {
                arguments.push(self.expression()?);
            }
            self.expect(&Token::RightParenthesis)?;
        }
        Ok(Call { namespace, name, arguments })
    }

    fn property(&mut self) -> Result<Option<(Expression, bool)>> {
        if self.take(&Token::Dot) {
            let is_safe = self.take(&Token::Question);
            return Ok(Some((Expression::Text(self.name()?), is_safe)));
        }
        if self.take(&Token::LeftBracket) {
            let is_safe = self.take(&Token::Question);
            let key = self.expression()?;
            self.expect(&Token::RightBracket)?;
            return Ok(Some((key, is_safe)));
        }
        Ok(None)
    }

    fn name(&mut self) -> Result<String> {
        match self.tokens.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(self.malformed("Identifier", other.as_ref())),
        }
    }

    fn take(&mut self, wanted: &Token) -> bool {
        self.tokens.next_if_eq(wanted).is_some()
    }

    fn expect(&mut self, wanted: &Token) -> Result<()> {
        match self.tokens.next() {
            Some(found) if found == *wanted => Ok(()),
            other => Err(self.malformed(wanted.kind(), other.as_ref())),
        }
    }

    fn malformed(&self, wanted: &str, found: Option<&Token>) -> crate::error::Error {
        codes::MALFORMED.with([self.text, wanted, found.map_or("EndOfData", Token::kind)])
    }
}
