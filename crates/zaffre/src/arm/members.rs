//! Members that an object does not have, refused as Azure's readers of JSON refuse them.
//!
//! Resource Manager reads every resource's outermost members before its provider sees it, in any case of letters:
//! one that no resource has is refused by name, with the place in the body where it stands. What is in `properties` is
//! the provider's to read.

use azure::error::Result;
use serde_json::{Map, Value};

use super::codes;

/// What a resource may have, whatever its type.
const DEFINITION: [&str; 19] = [
    "apiVersion",
    "etag",
    "extendedLocation",
    "id",
    "identity",
    "kind",
    "location",
    "managedBy",
    "managedByExtended",
    "name",
    "placement",
    "plan",
    "properties",
    "scale",
    "sku",
    "systemData",
    "tags",
    "type",
    "zones",
];

/// The body with its outermost members as they are spelled; refuses those that no resource has.
pub(super) fn of_definition(body: Value, bytes: &[u8]) -> Result<Value> {
    let Value::Object(given) = body else { return Ok(body) };
    let mut spelled = Map::with_capacity(given.len());
    for (name, value) in given {
        let known = DEFINITION.iter().find(|it| it.eq_ignore_ascii_case(&name));
        let Some(known) = known else {
            return Err(codes::INVALID_CONTENT.with([not_found(bytes, &[&name], "ResourceDefinition")]));
        };
        spelled.insert((*known).to_owned(), value);
    }
    Ok(Value::Object(spelled))
}

/// What is said of a member that an object of the type does not have, with where it stands in the JSON.
pub(crate) fn not_found(json: &[u8], path: &[&str], of_type: &str) -> String {
    let (line, position) = place_of(json, path).unwrap_or_default();
    let name = path.last().copied().unwrap_or_default();
    let path = path.join(".").replace(".[", "[");
    format!(
        "Could not find member '{name}' on object of type '{of_type}'. Path '{path}', line {line}, position {position}."
    )
}

/// The line and the position behind the colon of a member; elements of a list are `[0]`, `[1]`.
fn place_of(json: &[u8], path: &[&str]) -> Option<(usize, usize)> {
    let mut walk = Walk { json, at: 0 };
    let at = walk.find(path)?;
    let before = &json[..at];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let characters = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count();
    Some((before.iter().filter(|byte| **byte == b'\n').count() + 1, characters(&before[line_start..])))
}

/// A walk through JSON that has been read before, so that it is known to be well-formed.
struct Walk<'a> {
    json: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    /// Behind the colon of the member at the path, from the value that begins here.
    fn find(&mut self, path: &[&str]) -> Option<usize> {
        let (wanted, behind) = path.split_first()?;
        let open = self.next()?;
        let mut number = 0;
        loop {
            match self.peek()? {
                b'}' | b']' => return None,
                b',' => self.at += 1,
                _ => {}
            }
            let name = if open == b'{' {
                let name = self.text()?;
                self.next().filter(|it| *it == b':')?;
                name
            } else {
                number += 1;
                format!("[{}]", number - 1)
            };
            match (name == *wanted, behind.is_empty()) {
                (true, true) => return Some(self.at),
                (true, false) => return self.find(behind),
                (false, _) => self.skip()?,
            }
        }
    }

    /// Past a whole value.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.text()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
            if depth == 0 && matches!(self.peek()?, b',' | b'}' | b']') {
                return Some(());
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        let begin = self.at;
        self.next().filter(|it| *it == b'"')?;
        loop {
            match *self.json.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_slice(&self.json[begin..self.at]).ok()
    }

    fn peek(&mut self) -> Option<u8> {
        while self.json.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek();
        self.at += 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_found_where_it_stands() {
        for (text, path, place) in [
            (r#"{"names":[]}"#, &["names"][..], Some((1, 9))),
            ("{\n  \"location\": \"a\",\n  \"AccountType\": 1}", &["AccountType"], Some((3, 16))),
            (r#"{"a": {"b": "}", "c": [1, {"d": 2}]}, "d": 3}"#, &["d"], Some((1, 42))),
            (r#"{"a": {"b": "\"}", "c": [1, {"d": 2}]}}"#, &["a", "c", "[1]", "d"], Some((1, 33))),
            (r#"{"a": {"b": 1}}"#, &["b"], None),
        ] {
            assert_eq!(place_of(text.as_bytes(), path), place, "{text}");
        }
    }

    #[test]
    fn what_no_resource_has_is_refused_and_letters_of_any_case_are_taken() {
        let read = |text: &str| of_definition(serde_json::from_str(text).expect("JSON"), text.as_bytes());
        assert_eq!(
            read(r#"{"Location": "a", "TAGS": {}}"#).expect("is taken"),
            json!({"location": "a", "tags": {}})
        );
        let refused = read("{\n\"location\": \"a\",\n \"AccountType\": \"b\"}").expect_err("no such member");
        assert_eq!(
            refused.message(),
            "The request content was invalid and could not be deserialized: 'Could not find member 'AccountType' on object of type 'ResourceDefinition'. Path 'AccountType', line 3, position 15.'."
        );
    }
}
