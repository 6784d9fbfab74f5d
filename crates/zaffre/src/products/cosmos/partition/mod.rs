//! Partition keys: what a collection's definition says, what a request names, what a document has.

pub(super) mod hash;

use azure::error::Result;
use serde_json::Value;

use super::{codes, item::Item};

/// One part of a partition key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Component {
    /// The document has nothing at the path.
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hashing {
    V1,
    V2,
    /// Up to three paths, each hashed alone.
    Multi,
}

/// A collection's partition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// Each path as the names it goes through.
    pub(super) paths: Vec<Vec<String>>,
    pub(super) hashing: Hashing,
    /// Made by the service for a collection that had none: items may come without a key.
    pub(super) is_system: bool,
}

const MAX_PATHS: usize = 3;

impl Definition {
    /// Reads `{"paths":["/pk"],"kind":"Hash","version":2}`; an absent version is 1.
    pub(super) fn parse(value: &Value) -> Result<Self> {
        let paths = value["paths"].as_array().map(Vec::as_slice).unwrap_or_default();
        let paths = paths.iter().map(|path| path.as_str().and_then(split_path));
        let paths = paths.collect::<Option<Vec<_>>>().filter(|paths| !paths.is_empty());
        let Some(paths) = paths else { return Err(codes::BAD_PARTITION_KEY.bare()) };
        let kind = value.get("kind").map_or(Some("Hash"), Value::as_str);
        let version = value.get("version").map_or(Some(1), Value::as_u64);
        let hashing = match (kind, version) {
            (Some("Hash"), Some(1)) => Hashing::V1,
            (Some("Hash"), Some(2)) => Hashing::V2,
            (Some("MultiHash"), Some(2)) => Hashing::Multi,
            (Some("MultiHash"), _) => return Err(codes::SUBPARTITIONING_IS_V2.bare()),
            _ => return Err(codes::BAD_PARTITION_KEY.bare()),
        };
        match hashing {
            Hashing::Multi if paths.len() > MAX_PATHS => Err(codes::TOO_MANY_PARTITION_PATHS.bare()),
            Hashing::V1 | Hashing::V2 if paths.len() > 1 => Err(codes::BAD_PARTITION_KEY.bare()),
            Hashing::V1 | Hashing::V2 | Hashing::Multi => {
                let is_system = value["systemKey"].as_bool() == Some(true);
                Ok(Definition { paths, hashing, is_system })
            }
        }
    }

    /// What the document has at the paths.
    pub(super) fn of(&self, item: &Item) -> Result<Vec<Component>> {
        self.paths.iter().map(|path| component_at(item, path)).collect()
    }

    /// The key that a request for one item names; it has every component.
    pub(super) fn whole(&self, named: Vec<Component>) -> Result<Vec<Component>> {
        let named = self.named(named)?;
        if named.len() < self.paths.len() { Err(codes::TOO_FEW_COMPONENTS.bare()) } else { Ok(named) }
    }

    /// The key that a request for many items names, which may be the beginning of a hierarchical one.
    pub(super) fn named(&self, named: Vec<Component>) -> Result<Vec<Component>> {
        match named.len() {
            // What SDKs send for "none"; only a key that the service made may be absent so.
            0 if self.is_system => Ok(vec![Component::Undefined]),
            0 => Err(codes::TOO_FEW_COMPONENTS.bare()),
            given if given > self.paths.len() => Err(codes::TOO_MANY_COMPONENTS.bare()),
            _ => Ok(named),
        }
    }

    pub(super) fn effective(&self, components: &[Component]) -> Vec<u8> {
        hash::effective(self.hashing, components)
    }
}

/// Reads the header's JSON array: `["a"]`, `[1]`, `[null]`, `[{}]` for what is undefined.
pub(super) fn parse_header(text: &str) -> Result<Vec<Component>> {
    let bad = || codes::BAD_PARTITION_KEY_HEADER.with([text]);
    let values: Vec<Value> = serde_json::from_str(text).map_err(|_| bad())?;
    values.iter().map(|value| component(value).ok_or_else(bad)).collect()
}

fn component(value: &Value) -> Option<Component> {
    match value {
        Value::Null => Some(Component::Null),
        Value::Bool(it) => Some(Component::Bool(*it)),
        Value::Number(it) => it.as_f64().map(Component::Number),
        Value::String(it) => Some(Component::Text(it.clone())),
        Value::Object(it) if it.is_empty() => Some(Component::Undefined),
        Value::Object(_) | Value::Array(_) => None,
    }
}

fn component_at(item: &Item, path: &[String]) -> Result<Component> {
    let (first, rest) = path.split_first().expect("a path that was parsed has a name");
    let Some(value) = item.value(first)? else { return Ok(Component::Undefined) };
    let found = rest.iter().try_fold(&value, |value, name| value.get(name));
    match found {
        None => Ok(Component::Undefined),
        Some(Value::Object(_) | Value::Array(_)) => Err(codes::PARTITION_KEY_MISMATCH.bare()),
        Some(value) => component(value).ok_or_else(|| codes::PARTITION_KEY_MISMATCH.bare()),
    }
}

/// `/a/b`, `/"with a blank"/c`. None where it is no path to a property.
fn split_path(path: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('/')?;
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        };
        if name.is_empty() {
            return None;
        }
        names.push(name.to_owned());
        rest = after;
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_go_through_names_quoted_or_not() {
        for (path, names) in [
            ("/pk", Some(vec!["pk"])),
            ("/a/b", Some(vec!["a", "b"])),
            ("/\"a b\"/c", Some(vec!["a b", "c"])),
            ("pk", None),
            ("/", None),
            ("", None),
            ("/a//b", None),
            ("/\"a", None),
        ] {
            let found = split_path(path);
            assert_eq!(found, names.map(|all| all.into_iter().map(str::to_owned).collect()), "{path}");
        }
    }

    #[test]
    fn definitions_say_how_they_hash() {
        for (definition, hashing) in [
            (json!({ "paths": ["/pk"], "kind": "Hash" }), Some(Hashing::V1)),
            (json!({ "paths": ["/pk"] }), Some(Hashing::V1)),
            (json!({ "paths": ["/pk"], "kind": "Hash", "version": 2 }), Some(Hashing::V2)),
            (json!({ "paths": ["/a", "/b"], "kind": "MultiHash", "version": 2 }), Some(Hashing::Multi)),
            (json!({ "paths": ["/a", "/b"], "kind": "MultiHash" }), None),
            (json!({ "paths": ["/a", "/b", "/c", "/d"], "kind": "MultiHash", "version": 2 }), None),
            (json!({ "paths": ["/a", "/b"], "kind": "Hash", "version": 2 }), None),
            (json!({ "paths": [], "kind": "Hash" }), None),
            (json!({ "paths": ["pk"], "kind": "Hash" }), None),
            (json!("/pk"), None),
        ] {
            let found = Definition::parse(&definition).ok().map(|it| it.hashing);
            assert_eq!(found, hashing, "{definition}");
        }
    }

    #[test]
    fn a_header_is_an_array_of_plain_values() {
        use Component::{Bool, Null, Number, Text, Undefined};
        for (header, parsed) in [
            (r#"["a"]"#, Some(vec![Text("a".to_owned())])),
            (r#"["\u00e9"]"#, Some(vec![Text("é".to_owned())])),
            ("[1, true, null, {}]", Some(vec![Number(1.0), Bool(true), Null, Undefined])),
            ("[]", Some(vec![])),
            (r#"[["a"]]"#, None),
            (r#"[{"a":1}]"#, None),
            ("a", None),
            (r#""a""#, None),
            ("", None),
        ] {
            assert_eq!(parse_header(header).ok(), parsed, "{header}");
        }
    }
}
