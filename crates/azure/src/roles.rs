//! Role definitions: what a role allows, and every role Azure comes with.
//!
//! The built-in roles are facts, kept in `roles/builtin.txt` (its format is `table`'s, which reads
//! and writes it). The first question about any of them finds where each begins; a role's own lines
//! are read, and its patterns compiled, when that role is first asked for. A cloud uses a handful of
//! the nine hundred, so neither start nor memory pays for the rest.
//!
//! Refreshing them: `cargo run -p azure --example make_roles -- FILE`, FILE being a JSON list of
//! `{id, roleName, permissions}`.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, Pattern},
    conditions::Condition,
    ids::{Guid, ResourceId},
};

pub mod table;

/// A role. Its `id` is the guid that ends its resource id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleDefinition {
    pub id: Guid,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub kind: RoleKind,
    pub permissions: Vec<Permission>,
    pub assignable_scopes: Vec<ResourceId>,
}

/// Whose role it is, as `properties.type` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleKind {
    #[serde(rename = "BuiltInRole")]
    BuiltIn,
    #[serde(rename = "CustomRole")]
    Custom,
}

impl RoleKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            RoleKind::BuiltIn => "BuiltInRole",
            RoleKind::Custom => "CustomRole",
        }
    }
}

/// One permission object. What the `not` lists take away, they take from this object alone: another
/// object, or another role, may still grant it (rbac.md §3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    pub actions: Vec<Pattern>,
    pub not_actions: Vec<Pattern>,
    pub data_actions: Vec<Pattern>,
    pub not_data_actions: Vec<Pattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_version: Option<String>,
}

impl Permission {
    /// Whether this object lets the management action through. Says nothing of its condition.
    pub fn grants_action(&self, action: &Action) -> bool {
        grants(&self.actions, &self.not_actions, action)
    }

    /// What is left of this object where another one is forbidden: this one without it, and what of it is spared after all.
    /// Patterns that meet in neither's words are left out of what is spared.
    pub fn without(&self, denied: &Permission) -> Vec<Permission> {
        let both = |own: &[Pattern], theirs: &[Pattern]| own.iter().chain(theirs).cloned().collect();
        let left = Permission {
            not_actions: both(&self.not_actions, &denied.actions),
            not_data_actions: both(&self.not_data_actions, &denied.data_actions),
            ..self.clone()
        };
        let spared = Permission {
            actions: common(&self.actions, &denied.not_actions),
            data_actions: common(&self.data_actions, &denied.not_data_actions),
            ..self.clone()
        };
        let is_something = !(spared.actions.is_empty() && spared.data_actions.is_empty());
        [left].into_iter().chain(is_something.then_some(spared)).collect()
    }

    /// Whether this object lets the data action through. Says nothing of its condition.
    pub fn grants_data_action(&self, action: &Action) -> bool {
        grants(&self.data_actions, &self.not_data_actions, action)
    }
}

/// What the patterns of both lists name.
fn common(one: &[Pattern], other: &[Pattern]) -> Vec<Pattern> {
    let meet = |one: &Pattern, other: &Pattern| {
        let holds = |it: &Pattern, text: &str| it.matches(&Action::from(text));
        match (one.as_str().strip_suffix('*'), other.as_str().strip_prefix('*')) {
            _ if holds(one, other.as_str()) => Some(other.clone()),
            _ if holds(other, one.as_str()) => Some(one.clone()),
            (Some(head), Some(tail)) => Some(Pattern::from(format!("{head}*{tail}"))),
            _ => None,
        }
    };
    one.iter().flat_map(|one| other.iter().filter_map(move |other| meet(one, other))).collect()
}

fn grants(patterns: &[Pattern], but: &[Pattern], action: &Action) -> bool {
    any_match(patterns, action) && !any_match(but, action)
}

pub(crate) fn any_match(patterns: &[Pattern], action: &Action) -> bool {
    patterns.iter().any(|pattern| pattern.matches(action))
}

/// The built-in role with this id.
pub fn by_id(id: Guid) -> Option<Arc<RoleDefinition>> {
    BUILT_IN.by_id.get(&id).map(|at| BUILT_IN.role(*at))
}

/// The built-in role of this name, in any case.
pub fn by_name(name: &str) -> Option<Arc<RoleDefinition>> {
    BUILT_IN.by_name.get(name.to_ascii_lowercase().as_str()).map(|at| BUILT_IN.role(*at))
}

/// Every built-in role, by name.
pub fn all() -> impl ExactSizeIterator<Item = Arc<RoleDefinition>> {
    (0..BUILT_IN.blocks.len()).map(|at| BUILT_IN.role(at))
}

static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(BuiltIn::index);

struct BuiltIn {
    blocks: Vec<(table::Block<'static>, OnceLock<Arc<RoleDefinition>>)>,
    by_id: HashMap<Guid, usize>,
    by_name: HashMap<String, usize>,
}

impl BuiltIn {
    fn index() -> Self {
        let blocks: Vec<_> = table::blocks(include_str!("roles/builtin.txt"))
            .map(|block| (block.expect("the committed table is well formed"), OnceLock::new()))
            .collect();
        let by_id = blocks.iter().enumerate().map(|(at, (block, _))| (block.id, at)).collect();
        let by_name = blocks
            .iter()
            .enumerate()
            .map(|(at, (block, _))| (block.name().to_ascii_lowercase(), at))
            .collect();
        BuiltIn { blocks, by_id, by_name }
    }

    fn role(&self, at: usize) -> Arc<RoleDefinition> {
        let (block, role) = &self.blocks[at];
        let read = || Arc::new(block.role().expect("the committed table is well formed"));
        role.get_or_init(read).clone()
    }
}

#[cfg(test)]
mod tests;
