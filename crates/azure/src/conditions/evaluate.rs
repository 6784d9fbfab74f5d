//! Asking an expression: three-valued logic, as one match.

use std::borrow::Cow;

use super::{Attributes, Expression, Operand, Truth, operators::Quantifier};
use crate::action::Action;

pub(super) fn ask(expression: &Expression, action: &Action, attributes: &Attributes) -> Truth {
    let ask = |it: &Expression| ask(it, action, attributes);
    match expression {
        Expression::All(parts) => all(parts.iter().map(ask)),
        Expression::Any(parts) => any(parts.iter().map(ask)),
        Expression::Not(part) => ask(part).negated(),
        Expression::ActionMatches(patterns) => patterns.iter().any(|it| it.matches(action)).into(),
        Expression::SubOperationMatches(names) => {
            let is_named = |it: &String| names.iter().any(|name| name.eq_ignore_ascii_case(it));
            attributes.suboperations().iter().any(is_named).into()
        }
        // Of an attempt that is not known whole, what is missing may yet come.
        Expression::Exists(name) => match attributes.values(name) {
            Some(values) => (!values.is_empty()).into(),
            None if attributes.is_partial() => Truth::Unknown,
            None => Truth::False,
        },
        Expression::Compare { left, quantifier, operator, right } => {
            let (Some(left), Some(right)) = (left.values(attributes), right.values(attributes)) else {
                return Truth::Unknown;
            };
            across(*quantifier, &left, &right, |left, right| operator.compare(left, right).into())
        }
    }
}

impl Operand {
    fn values<'a>(&'a self, attributes: &'a Attributes) -> Option<Cow<'a, [String]>> {
        match self {
            Operand::Attribute(name) => attributes.values(name),
            Operand::Values(values) => Some(Cow::Borrowed(values)),
        }
    }
}

/// A side without any value satisfies nothing, not even `ForAll`.
fn across(
    quantifier: Option<Quantifier>,
    left: &[String],
    right: &[String],
    compare: impl Fn(&str, &str) -> Truth,
) -> Truth {
    let Some(quantifier) = quantifier else {
        return match (left, right) {
            ([left], [right]) => compare(left, right),
            _ => Truth::Unknown,
        };
    };
    if left.is_empty() || right.is_empty() {
        return Truth::False;
    }
    fold(
        quantifier.every_left,
        left.iter().map(|left| fold(quantifier.every_right, right.iter().map(|right| compare(left, right)))),
    )
}

fn fold(every: bool, parts: impl Iterator<Item = Truth>) -> Truth {
    if every { all(parts) } else { any(parts) }
}

/// False as soon as one is; true when all are.
fn all(parts: impl Iterator<Item = Truth>) -> Truth {
    any(parts.map(Truth::negated)).negated()
}

/// True as soon as one is; false when all are.
fn any(parts: impl Iterator<Item = Truth>) -> Truth {
    let mut so_far = Truth::False;
    for part in parts {
        match part {
            Truth::True => return Truth::True,
            Truth::Unknown => so_far = Truth::Unknown,
            Truth::False => {}
        }
    }
    so_far
}

impl Truth {
    fn negated(self) -> Self {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(is_true: bool) -> Self {
        if is_true { Truth::True } else { Truth::False }
    }
}

impl From<Option<bool>> for Truth {
    fn from(answer: Option<bool>) -> Self {
        answer.map_or(Truth::Unknown, Truth::from)
    }
}
