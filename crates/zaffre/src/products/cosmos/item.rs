//! A document as it was sent: checked, made compact, and otherwise left as it is.
//!
//! The text of every value is kept. Numbers that a double cannot hold and the order of properties survive,
//! where a parsed value would lose them; nothing is parsed again until somebody asks for a value.

use std::fmt;

use azure::error::Result;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::codes;

/// The service's own limit, which is on the document as it is sent.
pub(super) const MAX_BYTES: usize = 2 * 1024 * 1024 - 1;
const MAX_DEPTH: usize = 128;
const MAX_ID_BYTES: usize = 1023;
/// What the service writes into a document; what a client sends there is not read.
const SYSTEM: [&str; 5] = ["_rid", "_self", "_etag", "_attachments", "_ts"];
/// A body in Cosmos's binary JSON begins so (cosmos.md §5.1).
const BINARY_PREAMBLE: u8 = 0x80;

pub(super) struct Item {
    pub(super) id: String,
    /// Compact JSON: an object without system properties.
    pub(super) text: String,
}

impl Item {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let text = text_of(body)?;
        if body.len() > MAX_BYTES {
            return Err(codes::TOO_LARGE.bare());
        }
        if is_too_deep(text) {
            return Err(codes::TOO_DEEP.bare());
        }
        let members = members(text)?;
        let id = members.iter().find(|(name, _)| name == "id").map(|(_, value)| value.get());
        let id = id.and_then(|text| serde_json::from_str::<String>(text).ok());
        let Some(id) = id else { return Err(codes::NO_ID.bare()) };
        check_id(&id)?;
        Ok(Item { id, text: compact(&members) })
    }

    /// A property, parsed. None where there is none.
    pub(super) fn value(&self, name: &str) -> Result<Option<Value>> {
        let members = members(&self.text)?;
        let Some((_, value)) = members.iter().find(|(key, _)| key == name) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|error| codes::BAD_JSON.with([error.to_string()]))
    }

    /// Seconds to live, where the document says: positive, or -1 for ever.
    pub(super) fn ttl(&self) -> Result<Option<i32>> {
        match self.value("ttl")? {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64().and_then(|it| i32::try_from(it).ok()) {
                Some(seconds) if seconds == -1 || seconds > 0 => Ok(Some(seconds)),
                _ => Err(codes::BAD_PROPERTY.with(["ttl"])),
            },
        }
    }
}

/// A body as text. Binary JSON is recognized and named.
pub(super) fn text_of(body: &[u8]) -> Result<&str> {
    if body.first() == Some(&BINARY_PREAMBLE) {
        return Err(codes::BINARY_JSON.bare());
    }
    std::str::from_utf8(body).map_err(|_| codes::BAD_JSON.with(["it is not UTF-8"]))
}

/// An id's rules (cosmos.md §5).
pub(super) fn check_id(id: &str) -> Result<()> {
    let wrong = if id.is_empty() {
        "Ensure to provide a unique non-empty string."
    } else if id.len() > MAX_ID_BYTES {
        "An id has at most 1023 bytes."
    } else if id.contains(['/', '\\']) {
        "The resource name presented contains invalid character '/' or '\\'."
    } else if id.chars().any(char::is_control) {
        "The resource name presented contains control characters."
    } else if id.ends_with(' ') {
        "The resource name can't end with space."
    } else {
        return Ok(());
    };
    Err(codes::BAD_ID.with([id, wrong]))
}

/// Brackets outside strings. The parser beneath skips values without counting, so that a body of nothing
/// but brackets would pass it and break whoever reads it next.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

type Members<'t> = Vec<(String, &'t RawValue)>;

/// An object's properties, in order; where one comes twice, the later value stands in the earlier place.
fn members(text: &str) -> Result<Members<'_>> {
    let object: Object<'_> =
        serde_json::from_str(text).map_err(|error| codes::BAD_JSON.with([error.to_string()]))?;
    Ok(object.0)
}

struct Object<'t>(Members<'t>);

impl<'de: 't, 't> Deserialize<'de> for Object<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members: Members<'de> = Vec::new();
                let mut places = std::collections::HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    match places.get(&name) {
                        Some(&place) => members[place] = (name, value),
                        None => {
                            places.insert(name.clone(), members.len());
                            members.push((name, value));
                        }
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn compact(members: &Members<'_>) -> String {
    let mut out = String::from("{");
    for (name, value) in members.iter().filter(|(name, _)| !SYSTEM.contains(&name.as_str())) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        push_compact(value.get(), &mut out);
    }
    out.push('}');
    out
}

/// Copies JSON without the blanks between its tokens.
fn push_compact(json: &str, out: &mut String) {
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\r' | '\n' if !in_string => continue,
            _ => {}
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> String {
        Item::parse(body.as_bytes()).expect("is an item").text
    }

    #[test]
    fn a_document_keeps_its_order_and_its_numbers() {
        for (body, kept) in [
            (r#"{"b": 1, "id" : "x", "a":[ 1 , 2 ]}"#, r#"{"b":1,"id":"x","a":[1,2]}"#),
            (r#"{"id":"x","n":9007199254740993}"#, r#"{"id":"x","n":9007199254740993}"#),
            (r#"{"id":"x","n":1.50,"e":1E2}"#, r#"{"id":"x","n":1.50,"e":1E2}"#),
            (r#"{"id":"x","t":" a \" b "}"#, r#"{"id":"x","t":" a \" b "}"#),
            (r#"{"id":"x","a":1,"a":2}"#, r#"{"id":"x","a":2}"#),
            (r#"{"id":"x","_rid":"r","_ts":1,"_lsn":2}"#, r#"{"id":"x","_lsn":2}"#),
        ] {
            assert_eq!(text(body), kept);
            assert_eq!(text(kept), kept, "what was compact stays");
        }
    }

    #[test]
    fn what_is_no_document_is_refused_in_its_own_words() {
        let deep = format!(r#"{{"id":"x","a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        let brackets = "[".repeat(1 << 20);
        let large = format!(r#"{{"id":"x","a":"{}"}}"#, "y".repeat(MAX_BYTES));
        for (body, code) in [
            ("", &codes::BAD_JSON),
            ("{", &codes::BAD_JSON),
            (r#"{"id":"x"} x"#, &codes::BAD_JSON),
            (r#"["id"]"#, &codes::BAD_JSON),
            (r#"{"id":"x","a":01}"#, &codes::BAD_JSON),
            ("{}", &codes::NO_ID),
            (r#"{"id":1}"#, &codes::NO_ID),
            (r#"{"id":""}"#, &codes::BAD_ID),
            (r#"{"id":"a/b"}"#, &codes::BAD_ID),
            (r#"{"id":"a "}"#, &codes::BAD_ID),
            (deep.as_str(), &codes::TOO_DEEP),
            (brackets.as_str(), &codes::TOO_DEEP),
            (large.as_str(), &codes::TOO_LARGE),
        ] {
            let refused = Item::parse(body.as_bytes()).err().expect("is refused");
            assert!(std::ptr::eq(refused.row, &code.row), "{}: {refused}", &body[..body.len().min(40)]);
        }
        let refused = Item::parse(&[0x80, 0xe8]).err().expect("is refused");
        assert!(std::ptr::eq(refused.row, &codes::BINARY_JSON.row));
    }
}
