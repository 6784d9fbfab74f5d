//! Resources: what every service of Resource Manager shares, below all of them.
//!
//! A resource is one row, whatever its type: an id, a place, tags, an identity, and the properties
//! that its provider wrote. Providers keep what is no document (keys, desired state of machines) in
//! tables of their own, in the same transaction.
//!
//! - `activity.rs`: who changed what, and what came of it.
//! - `rows.rs`: the rows, and the index by type that lists read.
//! - `names.rs`: names that are unique in the cloud, as hosts are: `acct.blob.core.windows.net`.
//! - `identity.rs`: principals that are born and die with their resource; who uses which identity.
//! - `links.rs`: who uses what.
//! - `locks.rs`: what keeps them from being changed or deleted.
//! - `operations.rs`: work that outlives its request, and what its polls are told.
//! - `tags.rs`: those of a subscription too, which is no row.
//! - `registrations.rs`: which namespaces are used.
//! - `tag_names.rs`: names and values of tags that were made before anything has them.
//! - `moving.rs`: a resource under another id.
//! - `removal.rs`: everything that goes with a resource.
//!
//! Nothing here knows HTTP, authorizes anyone or decides what a type allows: `arm` does, and the
//! providers' tables that it is given. Resource groups are rows too (`Microsoft.Resources/resourceGroups`);
//! subscriptions and tenants are the cloud's charter.

pub mod activity;
pub mod identity;
pub mod links;
pub mod locks;
pub mod moving;
pub mod names;
pub mod operations;
pub mod registrations;
pub mod removal;
pub mod rows;
pub mod scheduled_events;
pub mod tag_names;
pub mod tags;

use std::borrow::Cow;

use azure::{
    identity::Identity,
    ids::{Guid, ObjectId, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use rows::{delete, get, group, of_type, put, read, stored, within};

/// The machines of scale sets.
pub const INSTANCES: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";

/// Tags, in the order in which they were written.
pub type Tags = Map<String, Value>;

/// A resource as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// In the casing it was first written with, or in its kind's style.
    pub id: ResourceId,
    /// `Microsoft.Compute/virtualMachines`, in its provider's spelling.
    #[serde(rename = "type")]
    pub kind_name: String,
    /// Normalized: `westeurope`. None for types that have no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Values are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What its provider keeps of `properties`: never a secret, never `provisioningState`.
    #[serde(default)]
    pub properties: Map<String, Value>,
    pub etag: Guid,
    pub created: Timestamp,
    pub changed: Timestamp,
    pub created_by: Option<ObjectId>,
    pub state: State,
    /// The operation that is at work on it, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Guid>,
}

/// `provisioningState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Succeeded,
    Failed,
    Canceled,
    Creating,
    Updating,
    Deleting,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Succeeded => "Succeeded",
            State::Failed => "Failed",
            State::Canceled => "Canceled",
            State::Creating => "Creating",
            State::Updating => "Updating",
            State::Deleting => "Deleting",
        }
    }

    /// Whether nothing more will happen by itself (arm.md §7).
    pub const fn is_terminal(self) -> bool {
        match self {
            State::Succeeded | State::Failed | State::Canceled => true,
            State::Creating | State::Updating | State::Deleting => false,
        }
    }
}

impl Resource {
    /// A resource that has nothing yet but its id and its type.
    pub fn new(id: ResourceId, kind_name: impl Into<String>, etag: Guid, now: Timestamp) -> Self {
        Resource {
            id,
            kind_name: kind_name.into(),
            location: None,
            tags: None,
            sku: None,
            kind: None,
            plan: None,
            zones: None,
            managed_by: None,
            identity: None,
            properties: Map::new(),
            etag,
            created: now,
            changed: now,
            created_by: None,
            state: State::Succeeded,
            operation: None,
        }
    }

    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// What a machine is called: an instance of a scale set by its set too, `web_0`.
    pub fn machine_name(&self) -> Cow<'_, str> {
        match self.id.names()[..] {
            [set, instance] if self.is_instance() => Cow::Owned(format!("{set}_{instance}")),
            _ => Cow::Borrowed(self.name()),
        }
    }

    /// Whether it is a scale set's machine.
    pub fn is_instance(&self) -> bool {
        self.kind_name.eq_ignore_ascii_case(INSTANCES)
    }

    /// A property by its path: `osProfile/computerName`. Names compare as they are written.
    pub fn property(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('/');
        let first = self.properties.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    /// A property that is text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.property(path)?.as_str()
    }

    /// Puts a property at the top level; null takes it away.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        match value.into() {
            Value::Null => self.properties.shift_remove(name),
            value => self.properties.insert(name.to_owned(), value),
        };
    }
}
