//! What a collection's body may say, and what the service adds to it (cosmos.md §4.3).

use azure::error::Result;
use serde_json::{Map, Value, json};

use super::{codes, partition};

/// What an answer shows, in this order; other properties are not kept.
const PROPERTIES: [&str; 16] = [
    "indexingPolicy",
    "partitionKey",
    "defaultTtl",
    "ttlPropertyPath",
    "uniqueKeyPolicy",
    "conflictResolutionPolicy",
    "geospatialConfig",
    "computedProperties",
    "vectorEmbeddingPolicy",
    "fullTextPolicy",
    "changeFeedPolicy",
    "analyticalStorageTtl",
    "clientEncryptionPolicy",
    "dataMaskingPolicy",
    "materializedViewDefinition",
    "backupPolicy",
];

/// The definition of a new collection: what was asked for, and defaults for the rest.
pub(super) fn of_new(body: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut kept = given(body);
    if let Some(key) = kept.get_mut("partitionKey") {
        partition::Definition::parse(key)?;
        if let Some(key) = key.as_object_mut() {
            key.entry("kind").or_insert_with(|| json!("Hash"));
        }
    }
    let policy = indexing(kept.get("indexingPolicy"))?;
    kept.insert("indexingPolicy".to_owned(), policy);
    kept.entry("conflictResolutionPolicy").or_insert_with(conflict_resolution);
    kept.entry("geospatialConfig").or_insert_with(|| json!({ "type": "Geography" }));
    check_ttl(kept.get("defaultTtl"))?;
    check_unique_keys(kept.get("uniqueKeyPolicy"))?;
    Ok(in_order(kept))
}

/// The definition that replaces another: whole, but for what cannot change.
pub(super) fn of_replaced(
    current: &Map<String, Value>,
    body: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut next = body.clone();
    for fixed in ["partitionKey", "uniqueKeyPolicy"] {
        match (current.get(fixed), body.get(fixed)) {
            (Some(old), None | Some(Value::Null)) => drop(next.insert(fixed.to_owned(), old.clone())),
            (Some(old), Some(new)) if is_same(old, new) => drop(next.insert(fixed.to_owned(), old.clone())),
            (None, None | Some(Value::Null)) => {}
            (Some(_) | None, Some(_)) => return Err(codes::IMMUTABLE.with([fixed])),
        }
    }
    of_new(&next)
}

/// Whether a body repeats what stands: a client may leave out the defaults.
fn is_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => new.iter().all(|(name, value)| {
            let default = match name.as_str() {
                "version" => json!(1),
                "uniqueKeys" => json!([]),
                _ => Value::Null,
            };
            old.get(name).unwrap_or(&default) == value
        }),
        _ => old == new,
    }
}

fn given(body: &Map<String, Value>) -> Map<String, Value> {
    let known = PROPERTIES.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    known.filter(|(_, value)| !value.is_null()).collect()
}

fn in_order(mut kept: Map<String, Value>) -> Map<String, Value> {
    PROPERTIES.iter().filter_map(|name| Some(((*name).to_owned(), kept.remove(*name)?))).collect()
}

fn indexing(given: Option<&Value>) -> Result<Value> {
    let bad = || codes::BAD_PROPERTY.with(["indexingPolicy"]);
    let given = match given {
        None => Map::new(),
        Some(Value::Object(given)) => given.clone(),
        Some(_) => return Err(bad()),
    };
    let mode = given.get("indexingMode").map_or(Some("consistent"), Value::as_str).ok_or_else(bad)?;
    let mode = mode.to_ascii_lowercase();
    if !["consistent", "lazy", "none"].contains(&mode.as_str()) {
        return Err(bad());
    }
    let is_on = mode != "none";
    let paths = |all: Value| if is_on { json!([all]) } else { json!([]) };
    let mut policy = Map::new();
    policy.insert("indexingMode".to_owned(), json!(mode));
    policy.insert("automatic".to_owned(), given.get("automatic").cloned().unwrap_or(json!(is_on)));
    // Whoever names a path at all decides about all of them.
    let names_paths = given.contains_key("includedPaths") || given.contains_key("excludedPaths");
    let included = if names_paths { json!([]) } else { paths(json!({ "path": "/*" })) };
    let excluded = if names_paths { json!([]) } else { paths(json!({ "path": "/\"_etag\"/?" })) };
    policy.insert("includedPaths".to_owned(), given.get("includedPaths").cloned().unwrap_or(included));
    policy.insert("excludedPaths".to_owned(), given.get("excludedPaths").cloned().unwrap_or(excluded));
    for (name, value) in given {
        policy.entry(name).or_insert(value);
    }
    Ok(Value::Object(policy))
}

fn conflict_resolution() -> Value {
    json!({ "mode": "LastWriterWins", "conflictResolutionPath": "/_ts", "conflictResolutionProcedure": "" })
}

fn check_ttl(ttl: Option<&Value>) -> Result<()> {
    let is_good =
        |ttl: &Value| ttl.as_i64().is_some_and(|it| it == -1 || (1..=i64::from(i32::MAX)).contains(&it));
    match ttl {
        Some(ttl) if !is_good(ttl) => Err(codes::BAD_PROPERTY.with(["defaultTtl"])),
        Some(_) | None => Ok(()),
    }
}

/// Unique keys are not enforced yet, so a collection that counts on them is refused rather than made.
fn check_unique_keys(policy: Option<&Value>) -> Result<()> {
    let keys = policy.and_then(|policy| policy.get("uniqueKeys")).and_then(Value::as_array);
    match keys {
        Some(keys) if !keys.is_empty() => Err(codes::not_yet("collections with unique keys")),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_new_collection_gets_the_documented_defaults() {
        let body = json!({ "id": "c", "_rid": "x", "partitionKey": { "paths": ["/pk"], "version": 2 } });
        let made = Value::Object(of_new(&object(body)).expect("is a definition"));
        assert_eq!(
            made,
            json!({
                "indexingPolicy": { "indexingMode": "consistent", "automatic": true,
                    "includedPaths": [{ "path": "/*" }], "excludedPaths": [{ "path": "/\"_etag\"/?" }] },
                "partitionKey": { "paths": ["/pk"], "version": 2, "kind": "Hash" },
                "conflictResolutionPolicy": { "mode": "LastWriterWins", "conflictResolutionPath": "/_ts",
                    "conflictResolutionProcedure": "" },
                "geospatialConfig": { "type": "Geography" },
            })
        );
    }

    #[test]
    fn a_replacement_is_whole_but_keeps_its_partition_key() {
        let current = of_new(&object(json!({ "partitionKey": { "paths": ["/pk"] }, "defaultTtl": 60 })));
        let current = current.expect("is a definition");
        let replaced = |body: Value| of_replaced(&current, &object(body));
        let next = replaced(json!({ "id": "c" })).expect("is replaced");
        assert!(!next.contains_key("defaultTtl") && next.contains_key("partitionKey"), "{next:?}");
        let again = json!({ "partitionKey": { "paths": ["/pk"], "kind": "Hash", "version": 1 } });
        assert!(replaced(again).is_ok(), "a client may spell out the defaults");
        let refused = replaced(json!({ "partitionKey": { "paths": ["/other"] } })).expect_err("is fixed");
        assert!(std::ptr::eq(refused.row, &codes::IMMUTABLE.row));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for body in [
            json!({ "defaultTtl": 0 }),
            json!({ "defaultTtl": "1" }),
            json!({ "indexingPolicy": { "indexingMode": "sometimes" } }),
            json!({ "indexingPolicy": [] }),
            json!({ "partitionKey": { "paths": ["pk"] } }),
            json!({ "uniqueKeyPolicy": { "uniqueKeys": [{ "paths": ["/a"] }] } }),
        ] {
            assert!(of_new(&object(body.clone())).is_err(), "{body}");
        }
    }
}
