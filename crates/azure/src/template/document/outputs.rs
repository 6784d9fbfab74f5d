//! Outputs: what a deployment gives back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{names::Document, types};
use crate::{
    error::{Error, Result},
    template::{codes, evaluate::Stand},
};

/// One output, its value as far as it is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    /// As answers print it: `String`.
    pub kind: String,
    pub is_secure: bool,
    /// A template's value: what is not known yet is an expression.
    pub(super) value: Value,
}

pub(super) fn outputs(document: &Document<'_>) -> Result<Vec<Output>> {
    let section = document.template.section("outputs")?;
    let mut outputs = Vec::new();
    for (name, definition) in section.into_iter().flatten() {
        let failed = |error: Error| refused(document, name, &error.message());
        if !is_wanted(document, definition).map_err(failed)? {
            continue;
        }
        let kind = types::kind(document.template, definition).map_err(|why| refused(document, name, &why))?;
        let value = value(document, definition).map_err(failed)?;
        outputs.push(Output {
            name: name.clone(),
            kind: kind.shown.to_owned(),
            is_secure: kind.is_secure,
            value,
        });
    }
    Ok(outputs)
}

fn refused(document: &Document<'_>, name: &str, why: &str) -> Error {
    let [line, column] = document.template.place(&format!("/outputs/{name}"));
    codes::OUTPUT_INVALID.with([name, &line, &column, why])
}

fn is_wanted(document: &Document<'_>, definition: &Value) -> Result<bool> {
    let Some(condition) = definition.get("condition").filter(|it| !it.is_null()) else { return Ok(true) };
    let holds = document.scope(Stand::Early).settled_value(condition)?;
    holds.as_bool().ok_or_else(|| codes::ARGUMENT.with(["condition", "1", "Boolean", super::type_of(&holds)]))
}

/// The value, or the elements of a copy.
fn value(document: &Document<'_>, definition: &Value) -> Result<Value> {
    let scope = document.scope(Stand::Late);
    let Some(copy) = definition.get("copy").filter(|it| !it.is_null()) else {
        let missing = || codes::NO_PROPERTY.with(["value", "type"]);
        return scope.partial(definition.get("value").ok_or_else(missing)?);
    };
    let count = copy.get("count").cloned().unwrap_or(Value::Null);
    let input = copy.get("input").cloned().unwrap_or(Value::Null);
    let elements =
        scope.partial(&json!({ "copy": [{ "name": "output", "count": count, "input": input }] }))?;
    Ok(elements.get("output").cloned().unwrap_or(Value::Null))
}

impl Output {
    /// Judges the final value by the output's type.
    pub(super) fn judged(&self, value: &Value) -> Result<()> {
        let found = super::type_of(value);
        let wanted = match self.kind.as_str() {
            "String" | "SecureString" => "String",
            "Int" => "Integer",
            "Bool" => "Boolean",
            "Array" => "Array",
            _ => "Object",
        };
        match found == wanted || found == "Null" {
            true => Ok(()),
            false => {
                let why = format!(
                    "Template output JToken type is not valid. Expected '{wanted}'. Actual '{found}'"
                );
                Err(codes::OUTPUT_DETAIL.with([&self.name, &why]))
            }
        }
    }
}
