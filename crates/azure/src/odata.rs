//! `$filter`: the part of OData's grammar that clients of Resource Manager and Graph use.
//!
//! ```text
//! filter  = and { "or" and }          and = not { "and" not }        not = [ "not" ] primary
//! primary = "(" filter ")"
//!         | path ("eq" | "ne" | "gt" | "ge" | "lt" | "le") literal
//!         | path "in" "(" literal { "," literal } ")"
//!         | path "/any(" name ":" filter ")"
//!         | ("startswith" | "endswith" | "contains") "(" path "," literal ")"
//!         | "substringof(" literal "," path ")"
//!         | ("atScope" | "assignedTo" | …) "(" [ literal ] ")"
//! ```
//!
//! Names compare without regard to case (az sends `displayname` as the user typed it), and so do texts,
//! as Azure compares them (rbac.md §1). A path has no, one or several values: `eq` is true when one of
//! them is equal, `ne` when none is. What `atScope()` and its like mean is the service's to know: they
//! are true here, and `call` finds them.
//!
//! ```
//! use azure::odata::{Filter, Value};
//! let filter = Filter::parse("displayName eq 'x' or startswith(mail,'a@')").unwrap();
//! assert!(filter.matches(&|path| match path {
//!     "displayname" => vec![Value::Text("X".into())],
//!     _ => vec![],
//! }));
//! ```

use std::{cmp::Ordering, fmt};

mod parse;

/// A filter, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare {
        path: String,
        operator: Operator,
        value: Value,
    },
    Test {
        path: String,
        test: Test,
        value: String,
    },
    /// A function of the service, such as `assignedTo('id')`, with its name as it came.
    Call {
        name: String,
        argument: Option<Value>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    StartsWith,
    EndsWith,
    Contains,
}

/// A literal, or what a path stands for. A word without quotes (a guid, a date) is text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFilter {
    TooLong,
    TooDeep,
    /// What stands there cannot stand there; empty at the end.
    Unexpected(String),
    /// A text's quote is not closed.
    Unclosed,
    /// No such function.
    UnknownFunction(String),
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadFilter::TooLong => f.write_str("the filter is too long"),
            BadFilter::TooDeep => f.write_str("the filter is too deep"),
            BadFilter::Unexpected(what) if what.is_empty() => f.write_str("the filter ends too early"),
            BadFilter::Unexpected(what) => write!(f, "`{}` cannot stand there", what.escape_default()),
            BadFilter::Unclosed => f.write_str("a text has no closing quote"),
            BadFilter::UnknownFunction(name) => write!(f, "there is no function `{}`", name.escape_default()),
        }
    }
}

impl std::error::Error for BadFilter {}

impl Filter {
    /// Reads decoded text.
    pub fn parse(text: &str) -> Result<Filter, BadFilter> {
        parse::filter(text)
    }

    /// Whether it holds for what has these values. Paths are asked for in lower case, as
    /// `properties/principalid`.
    pub fn matches(&self, values: &impl Fn(&str) -> Vec<Value>) -> bool {
        match self {
            Filter::And(one, other) => one.matches(values) && other.matches(values),
            Filter::Or(one, other) => one.matches(values) || other.matches(values),
            Filter::Not(inner) => !inner.matches(values),
            Filter::Compare { path, operator, value } => operator.holds(&values(path), value),
            Filter::Test { path, test, value } => values(path).iter().any(|it| test.holds(it, value)),
            Filter::Call { .. } => true,
        }
    }

    /// The parts that all must hold: `a and b and c` has three.
    pub fn conjuncts(&self) -> Vec<&Filter> {
        match self {
            Filter::And(one, other) => [one.conjuncts(), other.conjuncts()].concat(),
            other => vec![other],
        }
    }

    /// Every path that something is said about, in lower case.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Filter::And(one, other) | Filter::Or(one, other) => [one.paths(), other.paths()].concat(),
            Filter::Not(inner) => inner.paths(),
            Filter::Compare { path, .. } | Filter::Test { path, .. } => vec![path],
            Filter::Call { .. } => Vec::new(),
        }
    }

    /// The same about other paths; they come in lower case.
    #[must_use]
    pub fn renamed(self, name: &impl Fn(&str) -> String) -> Filter {
        let both = |one: Filter, other: Filter| (Box::new(one.renamed(name)), Box::new(other.renamed(name)));
        match self {
            Filter::And(one, other) => {
                let (one, other) = both(*one, *other);
                Filter::And(one, other)
            }
            Filter::Or(one, other) => {
                let (one, other) = both(*one, *other);
                Filter::Or(one, other)
            }
            Filter::Not(inner) => Filter::Not(Box::new(inner.renamed(name))),
            Filter::Compare { path, operator, value } => {
                Filter::Compare { path: name(&path), operator, value }
            }
            Filter::Test { path, test, value } => Filter::Test { path: name(&path), test, value },
            call @ Filter::Call { .. } => call,
        }
    }

    /// The names of what all must hold, in lower case and in order, where it is nothing but functions of the service
    /// and paths that are equal to a text: lists that answer to a few such filters know them by this.
    pub fn plain_parts(&self) -> Option<Vec<String>> {
        let name = |part: &&Filter| match part {
            Filter::Call { name, .. } => Some(name.to_ascii_lowercase()),
            Filter::Compare { path, operator: Operator::Eq, value: Value::Text(_) } => {
                Some(path.strip_prefix("properties/").unwrap_or(path).to_owned())
            }
            _ => None,
        };
        let mut names = self.conjuncts().iter().map(name).collect::<Option<Vec<String>>>()?;
        names.sort_unstable();
        Some(names)
    }

    /// The argument of a function of the service that must hold, by its name in any case. `None`
    /// where it is not called, `Some(None)` where it is called without an argument.
    pub fn call(&self, function: &str) -> Option<Option<&Value>> {
        self.conjuncts().into_iter().find_map(|part| match part {
            Filter::Call { name, argument } if name.eq_ignore_ascii_case(function) => Some(argument.as_ref()),
            _ => None,
        })
    }

    /// The text a path must be equal to, where the filter says so: an index can be asked for it.
    pub fn required(&self, path: &str) -> Option<&str> {
        self.conjuncts().into_iter().find_map(|part| match part {
            Filter::Compare { path: given, operator: Operator::Eq, value: Value::Text(text) }
                if given.eq_ignore_ascii_case(path) =>
            {
                Some(text.as_str())
            }
            _ => None,
        })
    }
}

impl Operator {
    fn holds(self, values: &[Value], literal: &Value) -> bool {
        let any = |test: &dyn Fn(Ordering) -> bool| {
            values.iter().any(|value| value.compare(literal).is_some_and(test))
        };
        let is_equal = || match literal {
            Value::Null => values.iter().all(|value| *value == Value::Null),
            _ => any(&Ordering::is_eq),
        };
        match self {
            Operator::Eq => is_equal(),
            Operator::Ne => !is_equal(),
            Operator::Gt => any(&Ordering::is_gt),
            Operator::Ge => any(&Ordering::is_ge),
            Operator::Lt => any(&Ordering::is_lt),
            Operator::Le => any(&Ordering::is_le),
        }
    }
}

impl Test {
    fn holds(self, value: &Value, text: &str) -> bool {
        let Value::Text(value) = value else { return false };
        let (value, text) = (value.to_lowercase(), text.to_lowercase());
        match self {
            Test::StartsWith => value.starts_with(&text),
            Test::EndsWith => value.ends_with(&text),
            Test::Contains => value.contains(&text),
        }
    }
}

impl Value {
    /// How it stands to another of the same type; to one of another type, not at all.
    fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(one), Value::Text(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
            (Value::Number(one), Value::Number(other)) => one.partial_cmp(other),
            (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
            (Value::Null, Value::Null) => Some(Ordering::Equal),
            (Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null, _) => None,
        }
    }
}

#[cfg(test)]
mod tests;
