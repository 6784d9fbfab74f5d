//! Resource Manager: every resource type of every provider, by one contract.
//!
//! ```text
//! path.rs ── what a request is about ──► service.rs ── token, roles ──► read, write.rs, remove.rs, list.rs
//!    ▲                                                                      │
//! types.rs ◄── kind.rs: the tables that providers are            answer.rs, document.rs, polls.rs
//! ```
//!
//! A provider fills in tables (`kind.rs`) and the few functions that are its own; what all types share
//! is here, once. The providers are handed over by whoever makes an `Arm`: this folder names none of
//! them. A type that nobody provides is kept as it was sent, under the same rules, and its answers say
//! so in a header. `own.rs` lists what Resource Manager answers itself: subscriptions, locations,
//! providers, the status of operations.
//!
//! `deployments/` carries templates out, through `inside.rs`: the same steps, without a socket. `activity/` writes
//! down who changed what.

mod activity;
mod answer;
pub mod codes;
mod content;
pub mod demands;
mod deployments;
mod document;
mod durations;
mod export;
mod filter;
mod groups;
mod headers;
mod inside;
pub mod kind;
pub mod limits;
mod list;
mod location;
mod locked;
pub(crate) mod members;
mod metadata;
mod moves;
mod own;
mod path;
mod polls;
mod precondition;
mod providers;
mod remove;
mod resource_names;
mod scope_tags;
pub mod served;
mod service;
mod subscriptions;
mod tag_names;
mod tags;
mod template_specs;
mod tokens;
mod types;
pub mod usages;
mod write;

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value};

use self::{
    kind::{Kind, Look, Provider, View},
    types::{Type, Types},
};

pub use self::groups::PROVIDER;
pub(crate) use self::remove::along;
pub use self::service::{Asked, Op};

/// Resource Manager, over the providers that it was handed.
#[derive(Clone, Copy)]
pub struct Arm {
    types: Types,
}

impl Arm {
    pub const fn new(providers: &'static [&'static Provider]) -> Self {
        Arm { types: Types::new(providers) }
    }
}

/// A resource of a provider's own as it is shown, for lists that are the provider's.
pub(crate) fn shown(provider: &'static Provider, view: &View<'_>) -> Result<Value> {
    let name = &view.resource.kind_name;
    let is_its = |kind: &&Kind| name.eq_ignore_ascii_case(&format!("{}/{}", provider.namespace, kind.name));
    let kind = provider.kinds.iter().find(is_its).expect("a provider lists its own");
    document::whole(&Type { kind, name: name.clone() }, view)
}

/// Whether a resource of any type is there, whoever keeps it.
pub(crate) fn is_there(providers: &'static [&'static Provider], look: &Look<'_>) -> Result<bool> {
    write::is_there(&Types::new(providers), look)
}

/// The ids at a link's path: `properties/networkProfile/networkInterfaces/*/id`.
fn paths_of(properties: &Map<String, Value>, path: &str) -> Vec<ResourceId> {
    let path = path.strip_prefix("properties/").unwrap_or(path);
    let mut names = path.split('/');
    let first = names.next().and_then(|name| properties.get(name));
    let mut values: Vec<&Value> = first.into_iter().collect();
    for name in names {
        values = match name {
            "*" => values.into_iter().filter_map(Value::as_array).flatten().collect(),
            name => values.into_iter().filter_map(|value| value.get(name)).collect(),
        };
    }
    values.into_iter().filter_map(Value::as_str).filter_map(|id| ResourceId::parse(id).ok()).collect()
}

#[cfg(test)]
mod tests;
