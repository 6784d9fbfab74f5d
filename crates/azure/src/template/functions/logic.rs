//! True and false, which of two comes first, and what is taken instead.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Arguments, codes};
use crate::{
    error::Result,
    template::{
        ast::{Call, Expression},
        evaluate::{Outcome, Scope},
    },
};

pub(super) fn yes(_: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(true))
}

pub(super) fn no(_: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(false))
}

pub(super) fn null(_: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Null)
}

pub(super) fn and(arguments: &Arguments<'_>) -> Result<Value> {
    let all: Vec<bool> = (0..arguments.len()).map(|at| arguments.bool(at)).collect::<Result<_>>()?;
    Ok(Value::Bool(all.into_iter().all(|it| it)))
}

pub(super) fn or(arguments: &Arguments<'_>) -> Result<Value> {
    let all: Vec<bool> = (0..arguments.len()).map(|at| arguments.bool(at)).collect::<Result<_>>()?;
    Ok(Value::Bool(all.into_iter().any(|it| it)))
}

pub(super) fn not(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(!arguments.bool(0)?))
}

/// `bool('true')`, `bool(1)`.
pub(super) fn bool(arguments: &Arguments<'_>) -> Result<Value> {
    let found = match arguments.get(0) {
        Value::Bool(bool) => Some(*bool),
        Value::Number(number) => number.as_i64().map(|it| it != 0),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        Value::String(_) => None,
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(arguments.wrong(0, "String")),
    };
    found.map(Value::Bool).ok_or_else(|| arguments.not_convertible("Boolean"))
}

/// The first that is not null.
pub(super) fn coalesce(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(arguments.values.iter().find(|it| !it.is_null()).cloned().unwrap_or(Value::Null))
}

/// Equal to the letter; objects whatever the order of their members.
pub(super) fn equals(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(arguments.get(0) == arguments.get(1)))
}

/// Refuses the deployment in the template's own words.
pub(super) fn fail(arguments: &Arguments<'_>) -> Result<Value> {
    Err(codes::FAILED.with([arguments.text(0)?]))
}

pub(super) fn less(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(compared(arguments)? == Ordering::Less))
}

pub(super) fn less_or_equals(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(compared(arguments)? != Ordering::Greater))
}

pub(super) fn greater(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(compared(arguments)? == Ordering::Greater))
}

pub(super) fn greater_or_equals(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(compared(arguments)? != Ordering::Less))
}

fn compared(arguments: &Arguments<'_>) -> Result<Ordering> {
    match (arguments.get(0), arguments.get(1)) {
        (Value::Number(_), _) => Ok(arguments.int(0)?.cmp(&arguments.int(1)?)),
        (Value::String(one), _) => Ok(collated(one, arguments.text(1)?)),
        _ => Err(arguments.wrong(0, "Integer")),
    }
}

/// As .NET's invariant culture orders: signs, digits, letters whatever their case; and where only case
/// differs, small letters first (documented: `less('A', 'a')` is false).
fn collated(one: &str, other: &str) -> Ordering {
    let class = |it: char| (it.is_alphabetic(), it.is_numeric(), it.to_lowercase().next().unwrap_or(it));
    let by_letters = one.chars().map(class).cmp(other.chars().map(class));
    let by_case = || one.chars().map(char::is_uppercase).cmp(other.chars().map(char::is_uppercase));
    by_letters.then_with(by_case)
}

/// Only the branch that is taken is evaluated.
pub(super) fn if_(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let [condition, yes, no] = call.arguments.as_slice() else {
        return Err(codes::ARGUMENTS.with(["if", "3", &call.arguments.len().to_string()]));
    };
    match scope.evaluate(condition)? {
        Outcome::Known(Value::Bool(true)) => scope.evaluate(yes),
        Outcome::Known(Value::Bool(false)) => scope.evaluate(no),
        Outcome::Known(other) => Err(Arguments { function: "if", values: &[other] }.wrong(0, "Boolean")),
        Outcome::Later(condition) => {
            let branches = vec![condition, branch(scope, yes), branch(scope, no)];
            Ok(Outcome::Later(Expression::call("if", branches)))
        }
    }
}

/// A branch that may not be taken: what is wrong with it matters only when it is.
fn branch(scope: &Scope<'_>, expression: &Expression) -> Expression {
    match scope.evaluate(expression) {
        Ok(outcome) => outcome.into_expression(),
        Err(error) => Expression::call("fail", vec![Expression::text(error.message())]),
    }
}
