//! `/metadata/instance`: what a machine may know of itself, whole or leaf by leaf.
//!
//! The document is made from the stored machine, cut down to what the asked api-version knows, and
//! walked by the path. All its primitives are text; what does not apply is empty, never absent.

mod compute;
mod network;
mod since;

use azure::error::Result;
use serde_json::{Value, json};

pub(super) use self::{
    compute::of as compute,
    network::{interfaces, referred},
};
use super::{codes, machine::Machine};
use crate::service::{Cx, Parts, Reply};

/// A part of the document, and how it is to be printed.
pub(crate) struct Asked {
    path: Vec<String>,
    version: &'static str,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

impl Asked {
    /// `below` is what the path has behind `/metadata/instance`.
    pub(super) fn read(parts: &Parts, below: &str, version: &'static str) -> Result<Self> {
        let format = match parts.query("format") {
            None => Format::Json,
            Some(it) if it.eq_ignore_ascii_case("json") => Format::Json,
            Some(it) if it.eq_ignore_ascii_case("text") => Format::Text,
            Some(_) => return Err((&codes::BAD_FORMAT).into()),
        };
        let path = below.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        Ok(Asked { path, version, format })
    }
}

pub(super) async fn answer(cx: &Cx, machine: &Machine, asked: &Asked) -> Result<Reply> {
    let network = cx.read(|txn| network::of(txn, &machine.vm)).await?;
    let mut document = json!({ "compute": compute::of(&machine.vm), "network": network });
    since::cut(&mut document, asked.version);
    let found = walk(&document, &asked.path).ok_or(&codes::NOT_FOUND)?;
    match asked.format {
        Format::Text => Ok(Reply::new(200).typed("text/plain; charset=utf-8", as_text(found))),
        Format::Json if found.is_object() || found.is_array() => Ok(Reply::json(200, found)),
        Format::Json => {
            let leaf = asked.path.last().cloned().unwrap_or_default();
            Err(codes::LEAF_AS_JSON.with([leaf]))
        }
    }
}

/// The part of a document at a path. Names compare without case; lists are walked by number.
fn walk<'d>(document: &'d Value, path: &[String]) -> Option<&'d Value> {
    path.iter().try_fold(document, |value, segment| match value {
        Value::Object(members) => {
            let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(segment));
            found.map(|(_, value)| value)
        }
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A leaf is its text; anything else lists what is in it, one a line, with a slash where there is more
/// below.
fn as_text(value: &Value) -> String {
    let line = |name: String, value: &Value| match value.is_object() || value.is_array() {
        true => format!("{name}/"),
        false => name,
    };
    let lines: Vec<String> = match value {
        Value::String(text) => return text.clone(),
        Value::Object(members) => members.iter().map(|(name, value)| line(name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, value)| line(at.to_string(), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return value.to_string(),
    };
    lines.join("\n")
}

/// A property as the document prints it: text, whatever it is in Resource Manager.
pub(super) fn text(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => json!(text),
        Some(Value::Bool(it)) => json!(it.to_string()),
        Some(Value::Number(it)) => json!(it.to_string()),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => json!(""),
    }
}
