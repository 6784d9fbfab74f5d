//! Reading a filter: words, then the grammar of the module above by descent.

use super::{BadFilter, Filter, Operator, Test, Value};

const MAX_BYTES: usize = 16 * 1024;
const MAX_DEPTH: usize = 50;

/// Functions whose meaning the service knows.
const CALLS: [&str; 5] = ["atScope", "atScopeAndBelow", "atExactScope", "assignedTo", "asTarget"];

pub(super) fn filter(text: &str) -> Result<Filter, BadFilter> {
    if text.len() > MAX_BYTES {
        return Err(BadFilter::TooLong);
    }
    let mut parser = Parser { words: words(text)?, at: 0, depth: 0, variables: Vec::new() };
    let filter = parser.or()?;
    match parser.peek() {
        None => Ok(filter),
        Some(word) => Err(BadFilter::Unexpected(word.to_string())),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Text(String),
    Bare(String),
    Sign(char),
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Word::Text(text) => write!(f, "'{text}'"),
            Word::Bare(text) => f.write_str(text),
            Word::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

fn words(text: &str) -> Result<Vec<Word>, BadFilter> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' => quoted(&rest[1..])?,
            '(' | ')' | ',' | ':' => (Word::Sign(first), &rest[1..]),
            _ => bare(rest, first)?,
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// A text; a quote in it is written twice.
fn quoted(mut rest: &str) -> Result<(Word, &str), BadFilter> {
    let mut text = String::new();
    loop {
        let (part, after) = rest.split_once('\'').ok_or(BadFilter::Unclosed)?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                rest = more;
            }
            None => return Ok((Word::Text(text), after)),
        }
    }
}

/// A name, a number, a guid, a date. Only what begins with a digit can have a colon in it.
fn bare(rest: &str, first: char) -> Result<(Word, &str), BadFilter> {
    let is_part =
        |c: char| c.is_alphanumeric() || "_.$-/@+".contains(c) || (c == ':' && first.is_ascii_digit());
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    match end {
        0 => Err(BadFilter::Unexpected(first.to_string())),
        _ => Ok((Word::Bare(rest[..end].to_owned()), &rest[end..])),
    }
}

struct Parser {
    words: Vec<Word>,
    at: usize,
    depth: usize,
    /// The variables of the `any` around, and the paths they stand for.
    variables: Vec<(String, String)>,
}

impl Parser {
    fn or(&mut self) -> Result<Filter, BadFilter> {
        let mut filter = self.and()?;
        while self.takes_word("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, BadFilter> {
        let mut filter = self.not()?;
        while self.takes_word("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.not()?));
        }
        Ok(filter)
    }

    fn not(&mut self) -> Result<Filter, BadFilter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(BadFilter::TooDeep);
        }
        let filter = match self.takes_word("not") {
            true => Filter::Not(Box::new(self.not()?)),
            false => self.primary()?,
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn primary(&mut self) -> Result<Filter, BadFilter> {
        if self.takes_sign('(') {
            let filter = self.or()?;
            self.sign(')')?;
            return Ok(filter);
        }
        let name = self.name()?;
        if !self.takes_sign('(') {
            return self.comparison(&name);
        }
        if let Some(path) = strip_suffix(&name, "/any") {
            return self.any(path);
        }
        let filter = self.function(&name)?;
        self.sign(')')?;
        Ok(filter)
    }

    fn comparison(&mut self, name: &str) -> Result<Filter, BadFilter> {
        let word = self.name()?;
        check_path(name)?;
        let operator = match word.to_ascii_lowercase().as_str() {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "gt" => Operator::Gt,
            "ge" => Operator::Ge,
            "lt" => Operator::Lt,
            "le" => Operator::Le,
            "in" => return self.one_of(name),
            _ => return Err(BadFilter::Unexpected(word)),
        };
        Ok(Filter::Compare { path: self.resolve(name), operator, value: self.literal()? })
    }

    /// `path in ('a','b')`, behind its operator: any of these comparisons.
    fn one_of(&mut self, name: &str) -> Result<Filter, BadFilter> {
        self.sign('(')?;
        let mut any: Option<Filter> = None;
        loop {
            let one =
                Filter::Compare { path: self.resolve(name), operator: Operator::Eq, value: self.literal()? };
            any = Some(match any {
                Some(any) => Filter::Or(Box::new(any), Box::new(one)),
                None => one,
            });
            if !self.takes_sign(',') {
                break;
            }
        }
        self.sign(')')?;
        any.ok_or_else(|| BadFilter::Unexpected(String::new()))
    }

    /// `path/any(c:…)`, behind its opening parenthesis. Inside, `c` is the path's values.
    fn any(&mut self, path: &str) -> Result<Filter, BadFilter> {
        let variable = self.name()?;
        self.sign(':')?;
        let path = self.resolve(path);
        self.variables.push((variable.to_lowercase(), path));
        let filter = self.or()?;
        self.variables.pop();
        self.sign(')')?;
        Ok(filter)
    }

    /// A function's arguments, between its parentheses.
    fn function(&mut self, name: &str) -> Result<Filter, BadFilter> {
        let test = match name.to_ascii_lowercase().as_str() {
            "startswith" => Test::StartsWith,
            "endswith" => Test::EndsWith,
            "contains" => Test::Contains,
            "substringof" => return self.substring_of(),
            _ if CALLS.iter().any(|known| known.eq_ignore_ascii_case(name)) => return self.call(name),
            _ => return Err(BadFilter::UnknownFunction(name.to_owned())),
        };
        let path = self.path()?;
        self.sign(',')?;
        Ok(Filter::Test { path: self.resolve(&path), test, value: self.text()? })
    }

    /// The one test whose path comes last.
    fn substring_of(&mut self) -> Result<Filter, BadFilter> {
        let value = self.text()?;
        self.sign(',')?;
        let path = self.path()?;
        Ok(Filter::Test { path: self.resolve(&path), test: Test::Contains, value })
    }

    fn call(&mut self, name: &str) -> Result<Filter, BadFilter> {
        let argument = match self.peek() {
            Some(Word::Sign(')')) => None,
            _ => Some(self.literal()?),
        };
        Ok(Filter::Call { name: name.to_owned(), argument })
    }

    /// A path in lower case, with the variable it begins with replaced by what that stands for.
    fn resolve(&self, path: &str) -> String {
        let path = path.to_lowercase();
        let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
        match self.variables.iter().rev().find(|(variable, _)| variable == first) {
            Some((_, stands_for)) if rest.is_empty() => stands_for.clone(),
            Some((_, stands_for)) => format!("{stands_for}/{rest}"),
            None => path,
        }
    }

    fn literal(&mut self) -> Result<Value, BadFilter> {
        Ok(match self.next()? {
            Word::Text(text) => Value::Text(text),
            Word::Bare(word) => match word.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => match word.parse() {
                    Ok(number) if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                        Value::Number(number)
                    }
                    _ => Value::Text(word),
                },
            },
            Word::Sign(sign) => return Err(BadFilter::Unexpected(sign.to_string())),
        })
    }

    fn text(&mut self) -> Result<String, BadFilter> {
        match self.next()? {
            Word::Text(text) => Ok(text),
            other => Err(BadFilter::Unexpected(other.to_string())),
        }
    }

    fn name(&mut self) -> Result<String, BadFilter> {
        match self.next()? {
            Word::Bare(name) => Ok(name),
            other => Err(BadFilter::Unexpected(other.to_string())),
        }
    }

    fn path(&mut self) -> Result<String, BadFilter> {
        let name = self.name()?;
        check_path(&name).map(|()| name)
    }

    fn sign(&mut self, sign: char) -> Result<(), BadFilter> {
        match self.next()? {
            Word::Sign(found) if found == sign => Ok(()),
            other => Err(BadFilter::Unexpected(other.to_string())),
        }
    }

    fn takes_sign(&mut self, sign: char) -> bool {
        let is_there = self.peek() == Some(&Word::Sign(sign));
        self.at += usize::from(is_there);
        is_there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Word::Bare(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(is_there);
        is_there
    }

    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn next(&mut self) -> Result<Word, BadFilter> {
        let word = self.peek().cloned().ok_or(BadFilter::Unexpected(String::new()))?;
        self.at += 1;
        Ok(word)
    }
}

/// What is compared is something that rows have: `1 eq 1` and `true eq true` are about nothing.
fn check_path(name: &str) -> Result<(), BadFilter> {
    let is_literal = ["true", "false", "null"].iter().any(|it| name.eq_ignore_ascii_case(it));
    let begins_well = name.starts_with(|c: char| c.is_alphabetic() || "_@".contains(c));
    match begins_well && !is_literal {
        true => Ok(()),
        false => Err(BadFilter::Unexpected(name.to_owned())),
    }
}

fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len()).filter(|at| name.is_char_boundary(*at))?;
    name[at..].eq_ignore_ascii_case(suffix).then_some(&name[..at])
}
