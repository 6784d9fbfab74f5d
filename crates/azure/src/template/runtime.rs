//! What only the cloud knows: what resources look like once they are deployed.

use std::collections::BTreeMap;

use serde_json::Value;

/// A question to the cloud.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Need {
    /// The resource asked about.
    pub id: String,
    pub api_version: String,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Ask {
    /// The resource itself, whole: `reference` takes its `properties` unless it was asked for `'Full'`.
    Resource,
    /// What a `list*` action answers, when it is sent this body (as text; empty for none).
    List { action: String, body: String },
}

/// Answers, as far as there are any.
pub trait Runtime {
    /// None: not known yet.
    fn answer(&self, need: &Need) -> Option<Value>;
}

/// Nothing is deployed yet.
pub struct Nothing;

impl Runtime for Nothing {
    fn answer(&self, _: &Need) -> Option<Value> {
        None
    }
}

impl Runtime for BTreeMap<Need, Value> {
    fn answer(&self, need: &Need) -> Option<Value> {
        self.get(need).cloned()
    }
}
