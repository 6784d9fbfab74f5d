//! Management groups, as they are stored: a tree above the cloud's subscription.
//!
//! They are kept here because they decide about access: what is given at a group holds for everything below
//! it (`azure::rbac::Hierarchy`). The root group is there without a row, named by the tenant's id, and is
//! given one when somebody renames it.

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    rbac::{self, Hierarchy},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::derived;
use crate::{
    cloud::Charter,
    store::{Table, Txn},
};

/// By name, in lower case.
const GROUPS: Table<String, ManagementGroup> = Table::new("management_groups");
/// Under which group a subscription is; those without a row are under the root group.
const SUBSCRIPTIONS: Table<Guid, String> = Table::new("management_group_subscriptions");
const SETTINGS: Table<u64, Settings> = Table::new("management_group_settings");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagementGroup {
    pub name: String,
    pub display_name: String,
    /// The name of the group above; the root group has none.
    pub parent: Option<String>,
    /// How often it was written.
    pub version: u64,
    pub updated: Timestamp,
    pub updated_by: Option<ObjectId>,
}

/// What the root group says about all: `managementGroups/settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether a group is made only by who may write the root group.
    pub requires_authorization: bool,
    /// Where groups go that name no parent; none: below the root group.
    pub default_group: Option<String>,
}

impl ManagementGroup {
    pub fn id(&self) -> ResourceId {
        rbac::group(&self.name)
    }

    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The root group's name.
pub fn root_name(charter: &Charter) -> String {
    charter.tenant.to_string()
}

/// Every group with the place of the subscription, read once.
pub struct Tree {
    /// The root group first.
    pub groups: Vec<ManagementGroup>,
    pub subscription: ResourceId,
    /// The name of the group that the subscription is under.
    pub holder: String,
}

pub fn tree(txn: &Txn, charter: &Charter) -> Result<Tree> {
    let root = ManagementGroup {
        name: root_name(charter),
        display_name: "Tenant Root Group".to_owned(),
        parent: None,
        version: 1,
        updated: charter.created,
        updated_by: None,
    };
    let mut groups = vec![root];
    for (_, group) in GROUPS.scan(txn, &(), None, usize::MAX)? {
        match group.parent {
            None => groups[0] = group,
            Some(_) => groups.push(group),
        }
    }
    let holder = SUBSCRIPTIONS.get(txn, &charter.subscription.0)?.unwrap_or_else(|| root_name(charter));
    Ok(Tree { groups, subscription: ResourceId::subscription_scope(charter.subscription), holder })
}

impl Tree {
    pub fn root(&self) -> &ManagementGroup {
        &self.groups[0]
    }

    pub fn get(&self, name: &str) -> Option<&ManagementGroup> {
        self.groups.iter().find(|group| group.is_named(name))
    }

    /// The groups right below one.
    pub fn children<'t>(&'t self, of: &'t ManagementGroup) -> impl Iterator<Item = &'t ManagementGroup> {
        let is_child = |it: &&ManagementGroup| it.parent.as_deref().is_some_and(|name| of.is_named(name));
        self.groups.iter().filter(is_child)
    }

    pub fn holds_subscription(&self, group: &ManagementGroup) -> bool {
        group.is_named(&self.holder)
    }

    /// The groups above one, nearest first, down to the root group.
    pub fn above<'t>(&'t self, group: &'t ManagementGroup) -> impl Iterator<Item = &'t ManagementGroup> {
        let parent = |group: &ManagementGroup| self.get(group.parent.as_deref()?);
        std::iter::successors(parent(group), move |group| parent(group)).take(rbac::MAX_DEPTH + 1)
    }

    /// How many levels of groups there are below one.
    pub fn height(&self, group: &ManagementGroup) -> usize {
        self.children(group).map(|child| 1 + self.height(child)).max().unwrap_or(0)
    }

    /// As the evaluator walks it.
    pub fn hierarchy(&self) -> Hierarchy {
        let parents = self.groups.iter().filter_map(|it| Some((it.id(), rbac::group(it.parent.as_deref()?))));
        Hierarchy::new(parents.chain([(self.subscription.clone(), rbac::group(&self.holder))]))
    }
}

pub fn hierarchy(txn: &Txn, charter: &Charter) -> Result<Hierarchy> {
    Ok(tree(txn, charter)?.hierarchy())
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, group: &ManagementGroup) -> Result<()> {
    derived::changed(txn)?;
    Ok(GROUPS.put(txn, &group.name.to_ascii_lowercase(), group)?)
}

pub fn delete(txn: &mut Txn, name: &str) -> Result<()> {
    derived::changed(txn)?;
    Ok(GROUPS.delete(txn, &name.to_ascii_lowercase())?)
}

/// Puts the cloud's subscription under a group.
pub fn place_subscription(txn: &mut Txn, charter: &Charter, group: &str) -> Result<()> {
    derived::changed(txn)?;
    Ok(SUBSCRIPTIONS.put(txn, &charter.subscription.0, &group.to_owned())?)
}

pub fn settings(txn: &Txn) -> Result<Option<Settings>> {
    Ok(SETTINGS.get(txn, &0)?)
}

pub fn put_settings(txn: &mut Txn, settings: &Settings) -> Result<()> {
    Ok(SETTINGS.put(txn, &0, settings)?)
}

pub fn delete_settings(txn: &mut Txn) -> Result<()> {
    Ok(SETTINGS.delete(txn, &0)?)
}
