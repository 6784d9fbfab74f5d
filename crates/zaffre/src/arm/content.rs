//! A request's body: at most 4 MB of JSON, an object where there is one.

use azure::error::{Error, Result};
use serde_json::{Map, Value};

use super::{codes, members};
use crate::service::Body;

pub(super) const LIMIT: usize = 4 << 20;

/// What PUT and PATCH carry. Their body is an object of JSON, and says so or says nothing; that of a `definition` has the
/// members that every resource may have.
pub(super) async fn object(content_type: Option<&str>, body: Body, is_definition: bool) -> Result<Value> {
    let bytes = bytes(content_type, body).await?;
    let value = if bytes.is_empty() { Value::Null } else { parse(&bytes)? };
    match value {
        Value::Null => Err(codes::INVALID_CONTENT.with(["The request content is empty"])),
        value @ Value::Object(_) if is_definition => members::of_definition(value, &bytes),
        value @ Value::Object(_) => Ok(value),
        _ => Err(codes::INVALID_CONTENT.with(["The request content is not an object"])),
    }
}

/// What POST carries, if anything: an empty body may come under any name (arm.md §4).
pub(super) async fn any(content_type: Option<&str>, body: Body) -> Result<Value> {
    let bytes = body.bytes(LIMIT).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    match content_type.filter(|it| !is_json(it)) {
        Some(other) => Err(codes::UNSUPPORTED_MEDIA_TYPE.with([other])),
        None => parse(&bytes),
    }
}

/// The bytes of a body that reads itself: what says that it is JSON, or says nothing.
pub(super) async fn bytes(content_type: Option<&str>, body: Body) -> Result<bytes::Bytes> {
    match content_type.filter(|it| !is_json(it)) {
        Some(other) => Err(codes::UNSUPPORTED_MEDIA_TYPE.with([other])),
        None => body.bytes(LIMIT).await,
    }
}

/// serde_json stops at 128 levels, so that no nesting reaches the stack's end.
fn parse(bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(malformed)
}

fn malformed(cause: serde_json::Error) -> Error {
    codes::INVALID_CONTENT.with([cause.to_string()])
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

/// A member that is text, or absent; null counts as absent. Refuses what is of another type.
pub(super) fn text(body: &Value, name: &str) -> Result<Option<String>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(codes::INVALID_CONTENT.with([format!("The member '{name}' is not text")])),
    }
}

/// A member that is an object, or absent. Refuses what is of another type.
pub(super) fn map(body: &Value, name: &str) -> Result<Option<Map<String, Value>>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map.clone())),
        Some(_) => Err(codes::INVALID_CONTENT.with([format!("The member '{name}' is not an object")])),
    }
}

/// JSON merge patch, RFC 7396.
pub(super) fn merge(into: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (value, into.get_mut(&name)) {
            (Value::Null, _) => {
                into.shift_remove(&name);
            }
            (Value::Object(patch), Some(Value::Object(present))) => merge(present, patch),
            (Value::Object(patch), _) => {
                let mut fresh = Map::new();
                merge(&mut fresh, patch);
                into.insert(name, Value::Object(fresh));
            }
            (value, _) => {
                into.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_what_its_rfc_shows() {
        for (present, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let (Value::Object(mut into), Value::Object(patch)) = (present, patch) else {
                panic!("the rows are objects")
            };
            merge(&mut into, patch);
            assert_eq!(Value::Object(into), merged);
        }
    }
}
