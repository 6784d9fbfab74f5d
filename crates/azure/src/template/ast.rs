//! An expression as a tree, and its one spelling.
//!
//! `Display` prints what the parser reads back as the same tree. That is how a plan keeps what is only
//! known at run time: as the text of an expression in which everything else has been filled in.

use std::fmt;

use serde_json::{Number, Value};

/// What stands between the brackets of `[...]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Int(i64),
    Text(String),
    Call(Call),
    /// `of.name`, `of['name']`, `of[0]`; safe (`of.?name`, `of[?0]`) gives null for what is not there.
    Property {
        of: Box<Expression>,
        key: Box<Expression>,
        is_safe: bool,
    },
}

/// `name(..)`, or of a template's own functions `namespace.name(..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub namespace: Option<String>,
    pub name: String,
    pub arguments: Vec<Expression>,
}

impl Expression {
    pub fn call(name: &str, arguments: Vec<Expression>) -> Self {
        Expression::Call(Call { namespace: None, name: name.to_owned(), arguments })
    }

    pub fn text(text: impl Into<String>) -> Self {
        Expression::Text(text.into())
    }

    /// The expression that gives this value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Expression::call("null", Vec::new()),
            Value::Bool(true) => Expression::call("true", Vec::new()),
            Value::Bool(false) => Expression::call("false", Vec::new()),
            Value::String(text) => Expression::text(text),
            Value::Number(number) => Expression::of_number(number),
            Value::Array(_) | Value::Object(_) => {
                Expression::call("json", vec![Expression::text(value.to_string())])
            }
        }
    }

    fn of_number(number: &Number) -> Self {
        match number.as_i64() {
            Some(int) => Expression::Int(int),
            None => Expression::call("json", vec![Expression::text(number.to_string())]),
        }
    }

    /// Every call in it, the outer before the inner.
    pub fn calls(&self) -> Vec<&Call> {
        let mut found = Vec::new();
        self.gather(&mut found);
        found
    }

    fn gather<'a>(&'a self, into: &mut Vec<&'a Call>) {
        match self {
            Expression::Int(_) | Expression::Text(_) => {}
            Expression::Call(call) => {
                into.push(call);
                call.arguments.iter().for_each(|it| it.gather(into));
            }
            Expression::Property { of, key, .. } => {
                of.gather(into);
                key.gather(into);
            }
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Int(int) => write!(f, "{int}"),
            Expression::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Expression::Call(call) => call.fmt(f),
            Expression::Property { of, key, is_safe } => match (&**key, is_safe) {
                (Expression::Text(name), true) if is_name(name) => write!(f, "{of}.?{name}"),
                (Expression::Text(name), false) if is_name(name) => write!(f, "{of}.{name}"),
                (key, true) => write!(f, "{of}[?{key}]"),
                (key, false) => write!(f, "{of}[{key}]"),
            },
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}.")?;
        }
        write!(f, "{}(", self.name)?;
        for (at, argument) in self.arguments.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{argument}")?;
        }
        f.write_str(")")
    }
}

/// Whether it can stand without quotes.
pub(super) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|it| it.is_ascii_alphabetic() || it == '_')
        && characters.all(|it| it.is_ascii_alphanumeric() || it == '_')
}
