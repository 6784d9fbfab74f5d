//! Text: cut, joined, encoded.

use serde_json::Value;

use super::{Arguments, codes, object};
use crate::{
    error::Result,
    text::{base64 as encode, base64_decode, percent_decode, percent_encode},
};

/// Characters of one literal. Azure's limit, which its own messages name.
const LITERAL: usize = 131_072;

/// Text that a function made, if it may be that long.
pub(super) fn within_limit(function: &str, text: String) -> Result<Value> {
    match text.len() > 8 * LITERAL {
        true => Err(codes::TOO_LARGE.with([function, &(8 * LITERAL).to_string()])),
        false => Ok(Value::String(text)),
    }
}

pub(super) fn base64(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(encode(arguments.text(0)?).into())
}

pub(super) fn base64_to_string(arguments: &Arguments<'_>) -> Result<Value> {
    decoded(arguments, arguments.text(0)?).map(Value::String)
}

pub(super) fn base64_to_json(arguments: &Arguments<'_>) -> Result<Value> {
    let text = decoded(arguments, arguments.text(0)?)?;
    object::from_text(arguments, &text)
}

fn decoded(arguments: &Arguments<'_>, text: &str) -> Result<String> {
    let bytes = base64_decode(text).ok_or_else(|| arguments.not_convertible("base64"))?;
    String::from_utf8(bytes).map_err(|_| arguments.not_convertible("String"))
}

pub(super) fn data_uri(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(format!("data:text/plain;charset=utf8;base64,{}", encode(arguments.text(0)?)).into())
}

pub(super) fn data_uri_to_string(arguments: &Arguments<'_>) -> Result<Value> {
    let text = arguments.text(0)?;
    let parts = text.strip_prefix("data:").and_then(|it| it.split_once(','));
    let (head, data) = parts.ok_or_else(|| arguments.not_convertible("data URI"))?;
    match head.to_ascii_lowercase().ends_with(";base64") {
        true => decoded(arguments, data).map(Value::String),
        false => percent_decode(data).map(Value::String).ok_or_else(|| arguments.not_convertible("String")),
    }
}

/// Without regard to case.
pub(super) fn starts_with(arguments: &Arguments<'_>) -> Result<Value> {
    let (text, part) = (arguments.text(0)?.to_lowercase(), arguments.text(1)?.to_lowercase());
    Ok(Value::Bool(text.starts_with(&part)))
}

/// Without regard to case.
pub(super) fn ends_with(arguments: &Arguments<'_>) -> Result<Value> {
    let (text, part) = (arguments.text(0)?.to_lowercase(), arguments.text(1)?.to_lowercase());
    Ok(Value::Bool(text.ends_with(&part)))
}

pub(super) fn join(arguments: &Arguments<'_>) -> Result<Value> {
    let parts: Vec<String> = arguments.array(0)?.iter().map(super::shown).collect();
    within_limit(arguments.function, parts.join(arguments.text(1)?))
}

pub(super) fn pad_left(arguments: &Arguments<'_>) -> Result<Value> {
    let text = match arguments.get(0) {
        text @ (Value::String(_) | Value::Number(_)) => super::shown(text),
        _ => return Err(arguments.wrong(0, "String")),
    };
    let length = usize::try_from(arguments.int(1)?).map_err(|_| arguments.wrong(1, "Integer"))?;
    if length > LITERAL {
        return Err(codes::TOO_LARGE.with([arguments.function, &LITERAL.to_string()]));
    }
    let mut filling = arguments.maybe(2).map_or(Ok(" "), |_| arguments.text(2))?.chars();
    let (Some(filling), None) = (filling.next(), filling.next()) else {
        return Err(arguments.wrong(2, "Character"));
    };
    let missing = length.saturating_sub(text.chars().count());
    Ok((filling.to_string().repeat(missing) + &text).into())
}

/// To the letter.
pub(super) fn replace(arguments: &Arguments<'_>) -> Result<Value> {
    let (text, old, new) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if old.is_empty() {
        return Err(arguments.wrong(1, "String of at least one character"));
    }
    let longest = text.len().saturating_mul(new.len().max(1));
    if longest > 64 * LITERAL {
        return Err(codes::TOO_LARGE.with([arguments.function, &LITERAL.to_string()]));
    }
    within_limit(arguments.function, text.replace(old, new))
}

/// At one delimiter, or at any of several; what is empty stays.
pub(super) fn split(arguments: &Arguments<'_>) -> Result<Value> {
    let text = arguments.text(0)?;
    let delimiters: Vec<&str> = match arguments.get(1) {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![arguments.text(1)?],
    };
    let mut parts = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while at < text.len() {
        let cut = delimiters.iter().find(|it| !it.is_empty() && text[at..].starts_with(**it));
        match cut {
            Some(delimiter) => {
                parts.push(Value::from(&text[from..at]));
                at += delimiter.len();
                from = at;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(Value::from(&text[from..]));
    Ok(Value::Array(parts))
}

/// Anything to text: objects and arrays as JSON without blanks.
pub(super) fn string(arguments: &Arguments<'_>) -> Result<Value> {
    within_limit(arguments.function, super::shown(arguments.get(0)))
}

pub(super) fn substring(arguments: &Arguments<'_>) -> Result<Value> {
    let characters: Vec<char> = arguments.text(0)?.chars().collect();
    let total = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let from = arguments.int(1)?;
    let length = arguments.maybe(2).map_or(Ok(total.saturating_sub(from)), |_| arguments.int(2))?;
    let end = from.saturating_add(length);
    if from < 0 || length < 0 || end > total {
        return Err(codes::BEYOND_TEXT.with([from.to_string(), length.to_string(), total.to_string()]));
    }
    let (from, end) = (usize::try_from(from).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    Ok(characters[from..end].iter().collect::<String>().into())
}

pub(super) fn to_lower(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(arguments.text(0)?.to_lowercase().into())
}

pub(super) fn to_upper(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(arguments.text(0)?.to_uppercase().into())
}

pub(super) fn trim(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(arguments.text(0)?.trim().into())
}

pub(super) fn uri_component(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(percent_encode(arguments.text(0)?).into())
}

pub(super) fn uri_component_to_string(arguments: &Arguments<'_>) -> Result<Value> {
    percent_decode(arguments.text(0)?).map(Value::String).ok_or_else(|| arguments.not_convertible("String"))
}

/// The second, as seen from the first: RFC 3986, section 5.2. A base without a slash at its end loses its
/// last segment (documented: String functions for ARM templates, uri).
pub(super) fn uri(arguments: &Arguments<'_>) -> Result<Value> {
    let (base, relative) = (arguments.text(0)?, arguments.text(1)?);
    let (scheme, behind) = base.split_once("://").ok_or_else(|| arguments.not_convertible("URI"))?;
    if relative.contains("://") {
        return Ok(relative.into());
    }
    if let Some(other) = relative.strip_prefix("//") {
        return Ok(format!("{scheme}://{other}").into());
    }
    let behind = behind.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
    let (wanted, tail) = relative.split_at(relative.find(['?', '#']).unwrap_or(relative.len()));
    let joined = match (wanted.is_empty(), wanted.starts_with('/')) {
        (true, _) => path.to_owned(),
        (false, true) => wanted.to_owned(),
        (false, false) => format!("{}/{wanted}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    Ok(format!("{scheme}://{host}{}{tail}", without_dots(&joined)).into())
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let is_folder = path.ends_with("/.") || path.ends_with("/..");
    format!("/{}{}", kept.join("/"), if is_folder && !kept.is_empty() { "/" } else { "" })
}
