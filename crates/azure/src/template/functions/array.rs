//! Arrays, and what text has in common with them.

use serde_json::Value;

use super::{Arguments, codes, type_of};
use crate::{error::Result, template::evaluate::member};

/// The most elements that `range` gives (documented: Array functions for ARM templates, range).
const RANGE: i64 = 10_000;

pub(super) fn array(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(match arguments.get(0) {
        array @ Value::Array(_) => array.clone(),
        other => Value::Array(vec![other.clone()]),
    })
}

pub(super) fn create_array(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Array(arguments.values.to_vec()))
}

/// Arrays to an array, anything else to text.
pub(super) fn concat(arguments: &Arguments<'_>) -> Result<Value> {
    let arrays = arguments.values.iter().filter(|it| it.is_array()).count();
    if arrays == 0 {
        return joined(arguments);
    }
    if arrays < arguments.len() {
        return Err(codes::MIXED.with([arguments.function, "Array"]));
    }
    Ok(arguments.values.iter().filter_map(Value::as_array).flatten().cloned().collect())
}

fn joined(arguments: &Arguments<'_>) -> Result<Value> {
    let mut text = String::new();
    for (at, value) in arguments.values.iter().enumerate() {
        match value {
            Value::Object(_) | Value::Null => return Err(arguments.wrong(at, "String")),
            other => text.push_str(&super::shown(other)),
        }
    }
    super::text::within_limit(arguments.function, text)
}

/// An element, a member's name whatever its case, or a part of text.
pub(super) fn contains(arguments: &Arguments<'_>) -> Result<Value> {
    let wanted = arguments.get(1);
    Ok(Value::Bool(match arguments.get(0) {
        Value::Array(elements) => elements.contains(wanted),
        Value::Object(members) => member(members, &super::shown(wanted)).is_some(),
        Value::String(text) => match wanted {
            Value::String(_) | Value::Number(_) => text.contains(&super::shown(wanted)),
            _ => return Err(arguments.wrong(1, "String")),
        },
        _ => return Err(arguments.wrong(0, "Array")),
    }))
}

pub(super) fn empty(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::Bool(match arguments.get(0) {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => return Err(arguments.wrong(0, "Array")),
    }))
}

pub(super) fn length(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(Value::from(match arguments.get(0) {
        Value::Array(elements) => elements.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.encode_utf16().count(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(arguments.wrong(0, "Array")),
    }))
}

pub(super) fn first(arguments: &Arguments<'_>) -> Result<Value> {
    match arguments.get(0) {
        Value::Array(elements) => Ok(elements.first().cloned().unwrap_or(Value::Null)),
        Value::String(text) => Ok(text.chars().next().map(String::from).unwrap_or_default().into()),
        _ => Err(arguments.wrong(0, "Array")),
    }
}

pub(super) fn last(arguments: &Arguments<'_>) -> Result<Value> {
    match arguments.get(0) {
        Value::Array(elements) => Ok(elements.last().cloned().unwrap_or(Value::Null)),
        Value::String(text) => Ok(text.chars().next_back().map(String::from).unwrap_or_default().into()),
        _ => Err(arguments.wrong(0, "Array")),
    }
}

/// One array of the elements of arrays.
pub(super) fn flatten(arguments: &Arguments<'_>) -> Result<Value> {
    let mut all = Vec::new();
    for inner in arguments.array(0)? {
        let Value::Array(inner) = inner else {
            return Err(codes::ARGUMENT.with([arguments.function, "1", "Array of arrays", type_of(inner)]));
        };
        all.extend(inner.iter().cloned());
    }
    Ok(Value::Array(all))
}

/// Counted from one, the last first.
pub(super) fn index_from_end(arguments: &Arguments<'_>) -> Result<Value> {
    from_end(arguments)?.ok_or_else(|| codes::OUT_OF_BOUNDS.with([super::shown(arguments.get(1))]))
}

/// The same, and null where there is none.
pub(super) fn try_index_from_end(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(from_end(arguments)?.unwrap_or(Value::Null))
}

fn from_end(arguments: &Arguments<'_>) -> Result<Option<Value>> {
    let elements = arguments.array(0)?;
    let back = usize::try_from(arguments.int(1)?).ok().filter(|it| *it > 0);
    Ok(back.and_then(|back| elements.len().checked_sub(back)).map(|at| elements[at].clone()))
}

/// Elements are compared whole, text without regard to case; -1 where there is none.
pub(super) fn index_of(arguments: &Arguments<'_>) -> Result<Value> {
    found(
        arguments,
        |elements, wanted| elements.iter().position(|it| it == wanted),
        |text, part| text.find(part),
    )
}

pub(super) fn last_index_of(arguments: &Arguments<'_>) -> Result<Value> {
    found(
        arguments,
        |elements, wanted| elements.iter().rposition(|it| it == wanted),
        |text, part| text.rfind(part),
    )
}

fn found(
    arguments: &Arguments<'_>,
    in_array: fn(&[Value], &Value) -> Option<usize>,
    in_text: fn(&str, &str) -> Option<usize>,
) -> Result<Value> {
    let at = match arguments.get(0) {
        Value::Array(elements) => in_array(elements, arguments.get(1)),
        Value::String(text) => {
            let (text, part) = (text.to_lowercase(), arguments.text(1)?.to_lowercase());
            in_text(&text, &part).map(|at| text[..at].encode_utf16().count())
        }
        _ => return Err(arguments.wrong(0, "String")),
    };
    Ok(at.map_or(Value::from(-1), Value::from))
}

pub(super) fn range(arguments: &Arguments<'_>) -> Result<Value> {
    let (from, count) = (arguments.int(0)?, arguments.int(1)?);
    let last = from.checked_add(count).filter(|last| *last <= i64::from(i32::MAX));
    match last.filter(|_| (0..=RANGE).contains(&count)) {
        Some(last) => Ok((from..last).map(Value::from).collect()),
        None => Err(codes::RANGE.with([from.to_string(), count.to_string()])),
    }
}

pub(super) fn skip(arguments: &Arguments<'_>) -> Result<Value> {
    let count = usize::try_from(arguments.int(1)?.max(0)).unwrap_or(usize::MAX);
    match arguments.get(0) {
        Value::Array(elements) => Ok(elements.iter().skip(count).cloned().collect()),
        Value::String(text) => Ok(text.chars().skip(count).collect::<String>().into()),
        _ => Err(arguments.wrong(0, "Array")),
    }
}

pub(super) fn take(arguments: &Arguments<'_>) -> Result<Value> {
    let count = usize::try_from(arguments.int(1)?.max(0)).unwrap_or(usize::MAX);
    match arguments.get(0) {
        Value::Array(elements) => Ok(elements.iter().take(count).cloned().collect()),
        Value::String(text) => Ok(text.chars().take(count).collect::<String>().into()),
        _ => Err(arguments.wrong(0, "Array")),
    }
}
