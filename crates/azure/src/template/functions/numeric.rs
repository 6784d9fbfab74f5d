//! Whole numbers. Results that do not fit 64 bits are refused.

use serde_json::Value;

use super::{Arguments, codes};
use crate::error::Result;

fn whole(arguments: &Arguments<'_>, by: fn(i64, i64) -> Option<i64>) -> Result<Value> {
    let result = by(arguments.int(0)?, arguments.int(1)?);
    result.map(Value::from).ok_or_else(|| codes::OVERFLOW.with([arguments.function]))
}

fn parted(arguments: &Arguments<'_>, by: fn(i64, i64) -> Option<i64>) -> Result<Value> {
    if arguments.int(1)? == 0 {
        return Err(codes::DIVIDED_BY_ZERO.with([arguments.function]));
    }
    whole(arguments, by)
}

pub(super) fn add(arguments: &Arguments<'_>) -> Result<Value> {
    whole(arguments, i64::checked_add)
}

pub(super) fn sub(arguments: &Arguments<'_>) -> Result<Value> {
    whole(arguments, i64::checked_sub)
}

pub(super) fn mul(arguments: &Arguments<'_>) -> Result<Value> {
    whole(arguments, i64::checked_mul)
}

pub(super) fn div(arguments: &Arguments<'_>) -> Result<Value> {
    parted(arguments, i64::checked_div)
}

pub(super) fn modulo(arguments: &Arguments<'_>) -> Result<Value> {
    parted(arguments, i64::checked_rem)
}

/// `int('4')`, `int(4)`.
pub(super) fn int(arguments: &Arguments<'_>) -> Result<Value> {
    let found = match arguments.get(0) {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|it| it.trunc() as i64)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(arguments.wrong(0, "String"));
        }
    };
    found.map(Value::from).ok_or_else(|| arguments.not_convertible("Integer"))
}

/// `float('3.0')`, for what a body sends on: the language cannot reckon with it.
pub(super) fn float(arguments: &Arguments<'_>) -> Result<Value> {
    let found = match arguments.get(0) {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(arguments.wrong(0, "String"));
        }
    };
    let finite = found.filter(|it: &f64| it.is_finite());
    finite.map(Value::from).ok_or_else(|| arguments.not_convertible("Float"))
}

pub(super) fn max(arguments: &Arguments<'_>) -> Result<Value> {
    extreme(arguments, |all| all.max())
}

pub(super) fn min(arguments: &Arguments<'_>) -> Result<Value> {
    extreme(arguments, |all| all.min())
}

/// Of one array, or of all arguments.
fn extreme(arguments: &Arguments<'_>, pick: fn(std::vec::IntoIter<i64>) -> Option<i64>) -> Result<Value> {
    let of: &[Value] = match arguments.get(0) {
        Value::Array(elements) if arguments.len() == 1 => elements,
        _ => arguments.values,
    };
    let inner = Arguments { function: arguments.function, values: of };
    let ints: Vec<i64> = (0..of.len()).map(|at| inner.int(at)).collect::<Result<_>>()?;
    pick(ints.into_iter()).map(Value::from).ok_or_else(|| arguments.wrong(0, "Integer"))
}
