//! Objects: made, merged, taken apart.

use serde_json::{Map, Value, json};

use super::{Arguments, codes};
use crate::{
    error::Result,
    template::{
        evaluate::{member, property},
        source,
    },
};

/// Keys and values in turn.
pub(super) fn create_object(arguments: &Arguments<'_>) -> Result<Value> {
    if arguments.len() % 2 == 1 {
        return Err(codes::ARGUMENTS.with([
            arguments.function,
            "an even number of",
            &arguments.len().to_string(),
        ]));
    }
    let mut made = Map::new();
    for at in (0..arguments.len()).step_by(2) {
        made.insert(arguments.text(at)?.to_owned(), arguments.get(at + 1).clone());
    }
    Ok(Value::Object(made))
}

/// Keys and values as an array, in the order of the keys.
pub(super) fn items(arguments: &Arguments<'_>) -> Result<Value> {
    let sorted = sorted(arguments.object(0)?);
    Ok(sorted.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect())
}

pub(super) fn object_keys(arguments: &Arguments<'_>) -> Result<Value> {
    Ok(sorted(arguments.object(0)?).into_iter().map(|(key, _)| Value::from(key.as_str())).collect())
}

fn sorted(of: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut all: Vec<_> = of.iter().collect();
    all.sort_by_key(|(key, _)| (key.to_lowercase(), (*key).clone()));
    all
}

/// Text to what it means. `null` gives null.
pub(super) fn json(arguments: &Arguments<'_>) -> Result<Value> {
    from_text(arguments, arguments.text(0)?)
}

/// JSON as Newtonsoft reads it, which takes more than is JSON: the documentation's example of `base64ToJson` is in
/// single quotes.
pub(super) fn from_text(arguments: &Arguments<'_>, text: &str) -> Result<Value> {
    let loosely = |_| source::read(text).map(|it| it.value);
    serde_json::from_str(text).or_else(loosely).map_err(|_| arguments.not_convertible("JSON"))
}

/// All of them. Objects are merged to any depth, the later winning; arrays within are not (documented:
/// Object functions for ARM templates, union).
pub(super) fn union(arguments: &Arguments<'_>) -> Result<Value> {
    match arguments.get(0) {
        Value::Object(first) => {
            let mut all = first.clone();
            for at in 1..arguments.len() {
                merge(
                    &mut all,
                    arguments
                        .values
                        .get(at)
                        .and_then(Value::as_object)
                        .ok_or_else(|| mixed(arguments, "Object"))?,
                );
            }
            Ok(Value::Object(all))
        }
        Value::Array(_) => {
            let mut all: Vec<Value> = Vec::new();
            for value in arguments.values {
                let elements = value.as_array().ok_or_else(|| mixed(arguments, "Array"))?;
                for element in elements {
                    if !all.contains(element) {
                        all.push(element.clone());
                    }
                }
            }
            Ok(Value::Array(all))
        }
        _ => Err(arguments.wrong(0, "Array")),
    }
}

fn mixed(arguments: &Arguments<'_>, wanted: &str) -> crate::error::Error {
    codes::MIXED.with([arguments.function, wanted])
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// What all have: elements in the first one's order; members that are equal, objects within judged likewise.
pub(super) fn intersection(arguments: &Arguments<'_>) -> Result<Value> {
    match arguments.get(0) {
        Value::Object(first) => {
            let mut common = first.clone();
            for at in 1..arguments.len() {
                let other = arguments.get(at).as_object().ok_or_else(|| mixed(arguments, "Object"))?;
                common = in_both(&common, other);
            }
            Ok(Value::Object(common))
        }
        Value::Array(first) => {
            let mut common: Vec<Value> = Vec::new();
            let others: Vec<&Vec<Value>> = (1..arguments.len())
                .map(|at| arguments.get(at).as_array().ok_or_else(|| mixed(arguments, "Array")))
                .collect::<Result<_>>()?;
            for element in first {
                if others.iter().all(|it| it.contains(element)) && !common.contains(element) {
                    common.push(element.clone());
                }
            }
            Ok(Value::Array(common))
        }
        _ => Err(arguments.wrong(0, "Array")),
    }
}

fn in_both(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let common = |(name, value): (&String, &Value)| match (value, member(other, name)?) {
        (Value::Object(one), Value::Object(other)) => {
            Some((name.clone(), Value::Object(in_both(one, other))))
        }
        (one, other) if one == other => Some((name.clone(), one.clone())),
        _ => None,
    };
    one.iter().filter_map(common).collect()
}

/// The objects of an array, the later winning, without looking inside.
pub(super) fn shallow_merge(arguments: &Arguments<'_>) -> Result<Value> {
    let mut all = Map::new();
    for element in arguments.array(0)? {
        let members = element.as_object().ok_or_else(|| mixed(arguments, "Object"))?;
        all.extend(members.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(Value::Object(all))
}

/// Down a path of names and indices; null where it ends.
pub(super) fn try_get(arguments: &Arguments<'_>) -> Result<Value> {
    let mut found = arguments.get(0).clone();
    for key in &arguments.values[1..] {
        if found.is_null() {
            return Ok(Value::Null);
        }
        found = property(&found, key, true)?;
    }
    Ok(found)
}
