//! From words to an expression, by descent.
//!
//! ```text
//! chain      = unary (AND unary)* | unary (OR unary)*
//! unary      = (NOT | !) unary | ( chain ) | function | comparison
//! function   = ActionMatches set | SubOperationMatches set | (Exists | NotExists) attribute
//! comparison = operand operator operand
//! operand    = attribute | value | set
//! set        = { value (, value)* }
//! ```

use super::{
    BadCondition, Expression, MAX_BYTES, MAX_DEPTH, Operand,
    attributes::Name,
    lex::{self, Word},
    operators::{self, Kind, Operator},
};
use crate::action::Pattern;

pub(super) fn condition(text: &str) -> Result<Expression, BadCondition> {
    if text.len() > MAX_BYTES {
        return Err(BadCondition::TooLong);
    }
    let mut parser = Parser { words: lex::words(text)?.into_iter().peekable(), depth: 0 };
    if parser.words.peek().is_none() {
        return Ok(Expression::All(Vec::new()));
    }
    let expression = parser.chain()?;
    match parser.words.next() {
        None => Ok(expression),
        Some(word) => Err(unexpected(&word)),
    }
}

fn unexpected(word: &Word) -> BadCondition {
    BadCondition::Unexpected(word.to_string())
}

/// A value, and whether it was quoted.
type Value = (String, bool);

/// One side of a comparison, as it was written.
enum Side {
    Attribute(Name),
    One(Value),
    Set(Vec<Value>),
}

struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<Word>>,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Result<Word, BadCondition> {
        self.words.next().ok_or(BadCondition::Unclosed)
    }

    fn expect(&mut self, sign: char) -> Result<(), BadCondition> {
        match self.next()? {
            Word::Sign(it) if it == sign => Ok(()),
            word => Err(unexpected(&word)),
        }
    }

    fn chain(&mut self) -> Result<Expression, BadCondition> {
        let first = self.unary()?;
        match self.words.peek() {
            Some(Word::And) => Ok(Expression::All(self.links(first, |it| matches!(it, Word::And))?)),
            Some(Word::Or) => Ok(Expression::Any(self.links(first, |it| matches!(it, Word::Or))?)),
            _ => Ok(first),
        }
    }

    fn links(
        &mut self,
        first: Expression,
        is_link: fn(&Word) -> bool,
    ) -> Result<Vec<Expression>, BadCondition> {
        let mut all = vec![first];
        while self.words.next_if(is_link).is_some() {
            all.push(self.unary()?);
        }
        match self.words.peek() {
            Some(Word::And | Word::Or) => Err(BadCondition::Ambiguous),
            _ => Ok(all),
        }
    }

    /// What nests goes through here, once a level.
    fn unary(&mut self) -> Result<Expression, BadCondition> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(BadCondition::TooDeep);
        }
        let expression = self.unary_within();
        self.depth -= 1;
        expression
    }

    fn unary_within(&mut self) -> Result<Expression, BadCondition> {
        match self.next()? {
            Word::Not => Ok(Expression::Not(Box::new(self.unary()?))),
            Word::Sign('(') => {
                let inner = self.chain()?;
                self.expect(')')?;
                Ok(inner)
            }
            Word::Bare(word) => match word.to_ascii_lowercase().as_str() {
                "actionmatches" => {
                    Ok(Expression::ActionMatches(self.texts()?.into_iter().map(Pattern::from).collect()))
                }
                "suboperationmatches" => Ok(Expression::SubOperationMatches(self.texts()?)),
                "exists" => Ok(Expression::Exists(self.attribute()?)),
                "notexists" => Ok(Expression::Not(Box::new(Expression::Exists(self.attribute()?)))),
                _ => self.comparison(Word::Bare(word)),
            },
            word => self.comparison(word),
        }
    }

    fn attribute(&mut self) -> Result<Name, BadCondition> {
        match self.next()? {
            Word::Attribute(name) => Ok(name),
            word => Err(unexpected(&word)),
        }
    }

    /// A set of quoted values, at least one.
    fn texts(&mut self) -> Result<Vec<String>, BadCondition> {
        self.expect('{')?;
        let quoted = |(text, is_quoted)| if is_quoted { Ok(text) } else { Err(BadCondition::BadValue(text)) };
        self.set()?.into_iter().map(quoted).collect()
    }

    /// What follows `{`.
    fn set(&mut self) -> Result<Vec<Value>, BadCondition> {
        let mut values = Vec::new();
        loop {
            values.push(match self.next()? {
                Word::Text(text) => (text, true),
                Word::Bare(text) => (text, false),
                word => return Err(unexpected(&word)),
            });
            match self.next()? {
                Word::Sign(',') => {}
                Word::Sign('}') => return Ok(values),
                word => return Err(unexpected(&word)),
            }
        }
    }

    fn side(&mut self, word: Word) -> Result<Side, BadCondition> {
        match word {
            Word::Attribute(name) => Ok(Side::Attribute(name)),
            Word::Text(text) => Ok(Side::One((text, true))),
            Word::Bare(text) => Ok(Side::One((text, false))),
            Word::Sign('{') => Ok(Side::Set(self.set()?)),
            word => Err(unexpected(&word)),
        }
    }

    fn comparison(&mut self, first: Word) -> Result<Expression, BadCondition> {
        let left = self.side(first)?;
        let name = match self.next()? {
            Word::Bare(name) => name,
            word => return Err(unexpected(&word)),
        };
        let Some((quantifier, operator)) = operators::named(&name) else {
            return Err(BadCondition::UnknownOperator(name));
        };
        let word = self.next()?;
        let right = self.side(word)?;
        let several = |side: &Side| matches!(side, Side::Set(values) if values.len() > 1);
        let is_across = quantifier.is_some() && !operator.crosses;
        if is_across || (quantifier.is_none() && (several(&left) || several(&right))) {
            return Err(BadCondition::NotAcross(name));
        }
        let (left, right) = (operand(left, operator)?, operand(right, operator)?);
        Ok(Expression::Compare { left, quantifier, operator, right })
    }
}

fn operand(side: Side, operator: &Operator) -> Result<Operand, BadCondition> {
    match side {
        Side::Attribute(name) => Ok(Operand::Attribute(name)),
        Side::One(value) => Ok(Operand::Values(vec![checked(value, operator.kind)?])),
        Side::Set(values) => {
            let values = values.into_iter().map(|value| checked(value, operator.kind));
            values.collect::<Result<_, _>>().map(Operand::Values)
        }
    }
}

fn checked((text, is_quoted): Value, kind: Kind) -> Result<String, BadCondition> {
    if kind.takes(&text, is_quoted) { Ok(text) } else { Err(BadCondition::BadValue(text)) }
}
