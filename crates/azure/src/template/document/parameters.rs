//! Parameters: what a template declares, what a deployment gives.

use serde_json::{Map, Value};

use super::{
    Template,
    types::{self, NOT_ALLOWED},
};
use crate::{
    error::{Error, Result},
    template::codes,
};

/// One parameter of a template.
pub(super) struct Declared<'a> {
    pub name: &'a str,
    definition: &'a Value,
}

pub(super) fn declared(template: Template<'_>) -> Result<Vec<Declared<'_>>> {
    let section = template.section("parameters")?;
    let declared = |(name, definition): (&'_ String, &'_ Value)| -> Result<()> {
        if definition.is_object() {
            Ok(())
        } else {
            Err(template.wrong(&format!("/parameters/{name}"), "Object", definition))
        }
    };
    section.into_iter().flatten().try_for_each(declared)?;
    Ok(section.into_iter().flatten().map(|(name, definition)| Declared { name, definition }).collect())
}

/// The values of a deployment's body: `{"name": {"value": ..}}`, all of them declared.
pub(super) fn given(declared: &[Declared<'_>], given: &Value) -> Result<Map<String, Value>> {
    let Value::Object(given) = given else { return Ok(Map::new()) };
    let is_declared = |name: &str| declared.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    let unknown: Vec<&str> = given.keys().map(String::as_str).filter(|it| !is_declared(it)).collect();
    if !unknown.is_empty() {
        let names: Vec<&str> = declared.iter().map(|it| it.name).collect();
        return Err(codes::PARAMETER_UNKNOWN.with([unknown.join(", "), names.join(", ")]));
    }
    let value = |(name, entry): (&String, &Value)| match (entry.get("value"), entry.get("reference")) {
        (Some(value), _) => Ok((name.clone(), value.clone())),
        (None, Some(_)) => Err(codes::PARAMETER_SECRET.with([name])),
        (None, None) if entry.as_object().is_some_and(Map::is_empty) => Ok((name.clone(), Value::Null)),
        (None, None) => Err(codes::PARAMETER_FORM.with([name])),
    };
    given.iter().map(value).collect()
}

impl Declared<'_> {
    fn path(&self) -> String {
        format!("/parameters/{}", self.name)
    }

    /// Its type as answers print it, and whether its value is shown to nobody.
    pub(super) fn kind(&self, template: Template<'_>) -> (&'static str, bool) {
        types::kind(template, self.definition).map_or(("Object", true), |it| (it.shown, it.is_secure))
    }

    /// The value given, else the default, else null where that may be; judged by the definition.
    pub(super) fn value(
        &self,
        template: Template<'_>,
        given: Option<&Value>,
        evaluate: impl FnOnce(&Value) -> Result<Value>,
    ) -> Result<Value> {
        let default = self.definition.get("defaultValue");
        let value = match (given.filter(|it| !it.is_null() || default.is_none()), default) {
            (Some(given), _) => given.clone(),
            (None, Some(default)) => evaluate(default).map_err(|error| self.bad_default(template, &error))?,
            (None, None) => Value::Null,
        };
        if value.is_null() && !self.may_be_null(template, given.is_some()) {
            let [line, column] = template.place(&self.path());
            return Err(codes::PARAMETER_MISSING.with([self.name, &line, &column]));
        }
        types::check(template, self.definition, &value)
            .map_err(|why| self.refused(template, &value, &why))?;
        Ok(value)
    }

    fn bad_default(&self, template: Template<'_>, error: &Error) -> Error {
        let [line, column] = template.place(&format!("{}/defaultValue", self.path()));
        codes::DEFAULT_INVALID.with([self.name, &line, &column, &error.message()])
    }

    fn may_be_null(&self, template: Template<'_>, is_given: bool) -> bool {
        is_given || types::check(template, self.definition, &Value::Null).is_ok()
    }

    fn refused(&self, template: Template<'_>, value: &Value, why: &str) -> Error {
        let [line, column] = template.place(&self.path());
        let (_, is_secure) = self.kind(template);
        match why.strip_prefix(NOT_ALLOWED) {
            Some(allowed) => {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let shown = if is_secure { String::new() } else { shown };
                codes::PARAMETER_NOT_ALLOWED.with([&shown, self.name, &line, &column, allowed])
            }
            None => codes::PARAMETER_INVALID.with([self.name, &line, &column, why]),
        }
    }
}
