//! A template and its parameters to a plan.
//!
//! ```text
//! parameters.rs ─ types.rs ─┐
//! names.rs: variables, functions ─► resources.rs: loops, ids ─► bodies ─► order.rs ─► plan.rs
//! outputs.rs ───────────────┘
//! ```
//!
//! All of it is a function of values: the same template, parameters and context give the same plan.
//! What a plan still holds as expressions waits only for what the cloud knows (`Need`s).

mod names;
mod order;
mod outputs;
mod parameters;
mod plan;
mod resources;
mod types;

use serde_json::{Map, Value};

pub use self::{
    outputs::Output,
    plan::{Finished, Plan, Planned, Shown},
};

use self::names::Document;
use super::{
    codes,
    context::Context,
    functions::{murmur_hash_64, type_of},
    source::{Place, Places},
};
use crate::error::{Error, Result};

/// Bytes of a template (arm.md §12).
const SIZE: usize = 4 << 20;

/// How many of each a template may have (arm.md §12).
static LIMITS: &[(&str, usize)] = &[("parameters", 256), ("variables", 256), ("outputs", 64)];

/// Resources of a template, every turn of every loop counted (arm.md §12).
const RESOURCES: usize = 800;

/// A template, and where its parts stood.
#[derive(Clone, Copy)]
pub(super) struct Template<'a> {
    pub members: &'a Map<String, Value>,
    pub places: &'a Places,
}

impl<'a> Template<'a> {
    /// Reads the frame: the limits, the language, and that the sections are what they must be.
    fn read(value: &'a Value, places: &'a Places) -> Result<Template<'a>> {
        let Value::Object(members) = value else { return Err((&codes::NO_TEMPLATE).into()) };
        let size = value.to_string().len();
        if size > SIZE {
            return Err(codes::SIZE.with([size.to_string()]));
        }
        let template = Template { members, places };
        template.required("$schema")?;
        template.required("contentVersion")?;
        template.required("resources")?;
        let language = template.text("languageVersion")?.unwrap_or("1.0");
        if !language.starts_with("1.") && !language.starts_with("2.") {
            return Err(codes::BAD_LANGUAGE.with([language]));
        }
        for (section, limit) in LIMITS {
            let count = template.section(section)?.map_or(0, Map::len);
            if count > *limit {
                return Err(codes::LIMIT.with([(*section).to_owned(), limit.to_string(), count.to_string()]));
            }
        }
        Ok(template)
    }

    fn required(&self, name: &str) -> Result<()> {
        if self.members.contains_key(name) {
            return Ok(());
        }
        let Place { line, column } = self.places.of("");
        Err(codes::NO_MEMBER.with([name, "", &line.to_string(), &column.to_string()]))
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(&format!("/{name}"), "String", other)),
        }
    }

    /// A member that is an object, or absent.
    fn section(&self, name: &str) -> Result<Option<&'a Map<String, Value>>> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(self.wrong(&format!("/{name}"), "Object", other)),
        }
    }

    fn wrong(&self, path: &str, wanted: &str, found: &Value) -> Error {
        let [line, column] = self.place(path);
        codes::WRONG_MEMBER.with([path.trim_start_matches('/'), &line, &column, wanted, type_of(found)])
    }

    /// The line and the column of a path, for a message.
    fn place(&self, path: &str) -> [String; 2] {
        let Place { line, column } = self.places.of(path);
        [line.to_string(), column.to_string()]
    }
}

/// Makes the plan. Refuses with `InvalidTemplate`, naming the line, the column and the resource.
///
/// `parameters` is what the deployment's body has under that name: `{"name": {"value": ..}}`.
pub fn expand(template: &Value, places: &Places, parameters: &Value, context: &Context) -> Result<Plan> {
    planned(template, places, parameters, context).map_err(whole)
}

fn planned(template: &Value, places: &Places, parameters: &Value, context: &Context) -> Result<Plan> {
    let template = Template::read(template, places)?;
    let document = Document::new(template, context, parameters)?;
    document.resolve()?;
    let drafts = resources::drafts(&document)?;
    document.know(&drafts);
    let planned = order::ordered(&document, drafts)?;
    let outputs = outputs::outputs(&document)?;
    Ok(Plan { resources: planned, outputs, parameters: document.shown() })
}

/// A detail in the sentence that says what it is a detail of.
fn whole(error: Error) -> Error {
    let is_whole =
        [&codes::VALIDATION_FAILED, &codes::EXPRESSION_FAILED, &codes::NOT_JSON, &codes::PARAMETER_SECRET]
            .iter()
            .any(|row| std::ptr::eq(*row, error.row));
    if is_whole { error } else { codes::VALIDATION_FAILED.with([error.message()]) }
}

/// A number that follows from what the template says, whatever its blanks: Azure shows one, in decimal,
/// and does not say how it is made; this one is ours.
pub fn hash(template: &Value) -> String {
    murmur_hash_64(template.to_string().as_bytes()).to_string()
}
