//! Whether a value is what a type definition asks for.
//!
//! A definition is `{"type": .., constraints}` or `{"$ref": "#/definitions/name"}`. The five types and
//! their secure kin are the same whatever the case of their names; the rest is for language version 2.0.

use serde_json::{Map, Value};

use super::Template;
use crate::template::{codes, evaluate::member, functions::type_of};

/// A base type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// As answers print it: `SecureString`.
    pub shown: &'static str,
    /// What JSON calls it.
    json: &'static str,
    pub is_secure: bool,
}

static KINDS: &[Kind] = &[
    Kind { shown: "String", json: "String", is_secure: false },
    Kind { shown: "SecureString", json: "String", is_secure: true },
    Kind { shown: "Int", json: "Integer", is_secure: false },
    Kind { shown: "Bool", json: "Boolean", is_secure: false },
    Kind { shown: "Object", json: "Object", is_secure: false },
    Kind { shown: "SecureObject", json: "Object", is_secure: true },
    Kind { shown: "Array", json: "Array", is_secure: false },
];

/// How deep definitions may refer to one another.
const DEPTH: usize = 32;

/// The base type of a definition, through its references.
pub(super) fn kind(template: Template<'_>, definition: &Value) -> Result<&'static Kind, String> {
    let definition = resolved(template, definition)?;
    let named = definition.get("type").and_then(Value::as_str).unwrap_or_default();
    KINDS
        .iter()
        .find(|it| it.shown.eq_ignore_ascii_case(named))
        .ok_or_else(|| format!("The type '{named}' is not a type of the template language."))
}

/// The definition with what it refers to; its own members win.
fn resolved(template: Template<'_>, definition: &Value) -> Result<Map<String, Value>, String> {
    let mut merged = definition.as_object().cloned().unwrap_or_default();
    for _ in 0..DEPTH {
        let Some(Value::String(path)) = merged.shift_remove("$ref") else { return Ok(merged) };
        let found = path.strip_prefix("#/definitions/").and_then(|name| {
            let name = name.replace("~1", "/").replace("~0", "~");
            template.members.get("definitions")?.get(&name)?.as_object()
        });
        let found = found.ok_or_else(|| codes::DEFINITION_UNKNOWN.with([path]).message())?;
        for (name, value) in found {
            merged.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Err("The type definitions refer to one another in a circle.".to_owned())
}

/// Nothing where the value is as the definition has it, else the sentence that says why not.
pub(super) fn check(template: Template<'_>, definition: &Value, value: &Value) -> Result<(), String> {
    checked(template, definition, value, DEPTH)
}

fn checked(template: Template<'_>, definition: &Value, value: &Value, depth: usize) -> Result<(), String> {
    if depth == 0 {
        return Err("The type definitions are nested too deeply.".to_owned());
    }
    let rules = resolved(template, definition)?;
    let is_nullable = rules.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    if value.is_null() && is_nullable {
        return Ok(());
    }
    let kind = kind(template, &Value::Object(rules.clone()))?;
    if type_of(value) != kind.json {
        return Err(format!(
            "Expected a value of type '{}', but received a value of type '{}'. Please see https://aka.ms/arm-create-parameter-file for usage details.",
            expected(kind),
            type_of(value)
        ));
    }
    allowed(&rules, value)?;
    match value {
        Value::String(text) => length(&rules, text.chars().count()),
        Value::Number(number) => size(&rules, number.as_i64()),
        Value::Array(elements) => {
            length(&rules, elements.len())?;
            array(template, &rules, elements, depth)
        }
        Value::Object(members) => object(template, &rules, members, depth),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

/// What messages call the wanted type: both, where there is a secure one.
fn expected(kind: &Kind) -> &'static str {
    match kind.json {
        "String" => "String, Uri",
        other => other,
    }
}

/// One of the allowed values; of an array, each element may be one of them.
fn allowed(rules: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let Some(allowed) = rules.get("allowedValues").and_then(Value::as_array) else { return Ok(()) };
    let each = value.as_array().filter(|_| !allowed.iter().any(Value::is_array));
    let is_allowed =
        allowed.contains(value) || each.is_some_and(|it| it.iter().all(|it| allowed.contains(it)));
    if is_allowed { Ok(()) } else { Err(format!("{NOT_ALLOWED}{}", listed(allowed))) }
}

/// How the refusal of `allowed` begins: the parameter's own sentence is another one.
pub(super) const NOT_ALLOWED: &str = "The value is not part of the allowed value(s): ";

fn listed(values: &[Value]) -> String {
    let shown = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    values.iter().map(shown).collect::<Vec<_>>().join(",")
}

fn length(rules: &Map<String, Value>, length: usize) -> Result<(), String> {
    let bound = |name: &str| rules.get(name).and_then(Value::as_u64).and_then(|it| usize::try_from(it).ok());
    if let Some(least) = bound("minLength").filter(|least| length < *least) {
        return Err(format!(
            "Length of the value should be greater than or equal to '{least}'. Please see https://aka.ms/arm-create-parameter-file for usage details."
        ));
    }
    match bound("maxLength").filter(|most| length > *most) {
        Some(most) => Err(format!(
            "Length of the value should be less than or equal to '{most}'. Please see https://aka.ms/arm-create-parameter-file for usage details."
        )),
        None => Ok(()),
    }
}

fn size(rules: &Map<String, Value>, value: Option<i64>) -> Result<(), String> {
    let bound = |name: &str| rules.get(name).and_then(Value::as_i64);
    let Some(value) = value else { return Ok(()) };
    if let Some(least) = bound("minValue").filter(|least| value < *least) {
        return Err(format!(
            "The value should be greater than or equal to '{least}'. Please see https://aka.ms/arm-create-parameter-file for usage details."
        ));
    }
    match bound("maxValue").filter(|most| value > *most) {
        Some(most) => Err(format!(
            "The value should be less than or equal to '{most}'. Please see https://aka.ms/arm-create-parameter-file for usage details."
        )),
        None => Ok(()),
    }
}

fn array(
    template: Template<'_>,
    rules: &Map<String, Value>,
    elements: &[Value],
    depth: usize,
) -> Result<(), String> {
    let first = rules.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if elements.len() < first.len() {
        return Err(format!("The array should have at least '{}' elements.", first.len()));
    }
    for (at, element) in elements.iter().enumerate() {
        let definition = first.get(at).or_else(|| rules.get("items"));
        match definition {
            Some(Value::Bool(false)) => {
                return Err(format!("The array should have no more than '{}' elements.", first.len()));
            }
            Some(definition @ Value::Object(_)) => {
                checked(template, definition, element, depth - 1)
                    .map_err(|why| format!("Element '{at}': {why}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn object(
    template: Template<'_>,
    rules: &Map<String, Value>,
    members: &Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    let declared = rules.get("properties").and_then(Value::as_object);
    for (name, definition) in declared.into_iter().flatten() {
        let value = member(members, name).unwrap_or(&Value::Null);
        let is_nullable =
            || resolved(template, definition).is_ok_and(|it| it.get("nullable") == Some(&Value::Bool(true)));
        if value.is_null() && !is_nullable() {
            return Err(format!("The required property '{name}' is missing."));
        }
        checked(template, definition, value, depth - 1).map_err(|why| format!("Property '{name}': {why}"))?;
    }
    if let Some(union) = rules.get("discriminator") {
        return discriminated(template, union, members, depth);
    }
    let is_declared = |name: &str| declared.is_some_and(|it| member(it, name).is_some());
    for (name, value) in members.iter().filter(|(name, _)| !is_declared(name)) {
        match rules.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                return Err(format!("The property '{name}' is not permitted on objects of this type."));
            }
            Some(definition @ Value::Object(_)) => {
                checked(template, definition, value, depth - 1)
                    .map_err(|why| format!("Property '{name}': {why}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The member that says which definition holds for the rest.
fn discriminated(
    template: Template<'_>,
    union: &Value,
    members: &Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    let name = union.get("propertyName").and_then(Value::as_str).unwrap_or_default();
    let mapping = union.get("mapping").and_then(Value::as_object).cloned().unwrap_or_default();
    let tag = member(members, name).and_then(Value::as_str).unwrap_or_default();
    let definition = mapping.get(tag).ok_or_else(|| {
        format!(
            "The property '{name}' should be one of '{}'.",
            mapping.keys().cloned().collect::<Vec<_>>().join(",")
        )
    })?;
    let mut rest = members.clone();
    let says = |it: &Value| {
        resolved(template, it).is_ok_and(|it| it.get("properties").and_then(|it| it.get(name)).is_some())
    };
    if !says(definition) {
        rest.shift_remove(name);
    }
    checked(template, definition, &Value::Object(rest), depth - 1)
}
