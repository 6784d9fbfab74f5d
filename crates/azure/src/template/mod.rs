//! The template language of Resource Manager.
//!
//! ```text
//! text ─ source.rs ─► value ─ document/ ─► Plan ─► body(runtime), outputs(runtime)
//!                               │
//!          lex.rs ─ parse.rs ─ ast.rs ─ evaluate.rs ─ functions/
//! ```
//!
//! A template is JSON in which strings may be expressions. `expand` reads it with its parameters and
//! what the deployment knows of itself (`Context`), and gives a `Plan`: every resource with its id and
//! its body, and what must be deployed before it. Whatever only the cloud can say, `reference` and
//! `list*`, is left in the plan as an expression over ids; whoever carries the plan out asks for the
//! `Need`s and finishes each body when its turn comes. A plan is data and outlives the process.
//!
//! ```
//! use azure::template::{self, Context, Finished, Nothing, context::{self, Place}};
//! use serde_json::{Value, json};
//!
//! let source = template::source::read(
//!     r#"{
//!         "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
//!         "contentVersion": "1.0.0.0",
//!         "parameters": { "name": { "type": "string" } },
//!         "resources": [{
//!             "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01",
//!             "name": "[toLower(parameters('name'))]", "location": "westeurope"
//!         }]
//!     }"#,
//! )?;
//! let context = Context {
//!     place: Place::Group { subscription: "s".to_owned(), group: "g".to_owned() },
//!     deployment: json!({}), deployer: json!({}), tenant: json!({}), subscription: json!({}), group: json!({}),
//!     management_group: Value::Null, environment: context::public_cloud(), providers: json!([]),
//!     now: Default::default(), chance: Default::default(),
//! };
//! let plan = template::expand(&source.value, &source.places, &json!({"name": {"value": "ONE"}}), &context)?;
//! assert_eq!(plan.resources[0].id, "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/one");
//! assert_eq!(plan.resources[0].body(&Nothing)?, Finished::Done(json!({"location": "westeurope"})));
//! # Ok::<(), azure::error::Error>(())
//! ```
//!
//! What is not here: which types there are, and whether a body suits its type. Secrets of key vaults in
//! parameters are refused by name.

mod ast;
pub mod codes;
pub mod context;
mod document;
mod evaluate;
mod functions;
mod lex;
pub mod parse;
mod runtime;
pub mod source;

pub use self::{
    ast::{Call, Expression},
    context::Context,
    document::{Finished, Output, Plan, Planned, Shown, expand, hash},
    runtime::{Ask, Need, Nothing, Runtime},
};

#[cfg(test)]
mod tests;
