//! What a stack forbids: deny assignments on what it manages, that are its own.

use azure::{
    action::Pattern,
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    rbac::EVERYONE,
    roles::Permission,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stored::Stack;
use crate::{
    access::denials::{self, Denial},
    arm::codes,
    cloud::Draw,
    store::Txn,
};

/// What nobody may do to what a stack manages (azure-mgmt-resource-deploymentstacks, DenySettings).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Deny {
    pub mode: DenyMode,
    pub applies_to_children: bool,
    pub excluded_principals: Vec<ObjectId>,
    pub excluded_actions: Vec<Pattern>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DenyMode {
    #[default]
    None,
    Delete,
    WriteAndDelete,
}

impl DenyMode {
    const ALL: [DenyMode; 3] = [DenyMode::None, DenyMode::Delete, DenyMode::WriteAndDelete];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            DenyMode::None => "none",
            DenyMode::Delete => "denyDelete",
            DenyMode::WriteAndDelete => "denyWriteAndDelete",
        }
    }

    /// What is forbidden, and what of that is not.
    const fn actions(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            DenyMode::None => (&[], &[]),
            DenyMode::Delete => (&["*/delete"], &["Microsoft.Authorization/locks/delete"]),
            DenyMode::WriteAndDelete => (&["*"], &["*/read", "Microsoft.Authorization/locks/delete"]),
        }
    }
}

/// So many may be excluded (DenySettings).
const EXCLUDED_PRINCIPALS: usize = 5;
const EXCLUDED_ACTIONS: usize = 200;

impl Deny {
    /// `denySettings`; nobody is denied anything where there are none.
    pub(super) fn read(given: &Value) -> Result<Deny> {
        let bad = |why: String| codes::INVALID_CONTENT.with([why]);
        let text = given["mode"].as_str().unwrap_or("none");
        let mode = DenyMode::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        let mode = mode.ok_or_else(|| bad(format!("'{text}' is no mode of denySettings")))?;
        let principals = texts(given, "excludedPrincipals")?;
        let excluded_principals: Vec<ObjectId> = principals
            .iter()
            .map(|it| it.parse())
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| bad("a principal that denySettings exclude is no id".to_owned()))?;
        let excluded_actions: Vec<Pattern> =
            texts(given, "excludedActions")?.into_iter().map(Pattern::from).collect();
        if excluded_principals.len() > EXCLUDED_PRINCIPALS || excluded_actions.len() > EXCLUDED_ACTIONS {
            return Err(bad(format!(
                "denySettings exclude at most {EXCLUDED_PRINCIPALS} principals and {EXCLUDED_ACTIONS} actions"
            )));
        }
        let applies_to_children = given["applyToChildScopes"].as_bool().unwrap_or_default();
        Ok(Deny { mode, applies_to_children, excluded_principals, excluded_actions })
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({ "applyToChildScopes": self.applies_to_children, "mode": self.mode.as_str() });
        if !self.excluded_principals.is_empty() {
            shown["excludedPrincipals"] = json!(self.excluded_principals);
        }
        if !self.excluded_actions.is_empty() {
            shown["excludedActions"] = json!(self.excluded_actions);
        }
        shown
    }

    /// The deny assignment on something that a stack manages.
    fn on(&self, stack: &ResourceId, at: &ResourceId, name: Guid) -> Denial {
        let (actions, spared) = self.mode.actions();
        let patterns = |all: &[&'static str]| all.iter().map(|it| Pattern::from(*it)).collect::<Vec<_>>();
        let mut not_actions = patterns(spared);
        not_actions.extend(self.excluded_actions.iter().filter(|it| !spared.contains(&it.as_str())).cloned());
        Denial {
            id: at.provider("Microsoft.Authorization", "denyAssignments", &name.to_string()),
            name,
            title: format!("Deny assignment '{name}' created by Deployment Stack '{stack}'."),
            description: Some("Created by Deployment Stack.".to_owned()),
            scope: at.clone(),
            does_not_apply_to_child_scopes: !self.applies_to_children,
            principals: vec![EVERYONE],
            excluded_principals: self.excluded_principals.clone(),
            permissions: vec![Permission {
                actions: patterns(actions),
                not_actions,
                ..Permission::default()
            }],
            is_system_protected: true,
            made_by: Some(stack.clone()),
        }
    }
}

/// A list of texts, or nothing.
fn texts<'v>(given: &'v Value, name: &str) -> Result<Vec<&'v str>> {
    let bad =
        || codes::INVALID_CONTENT.with([format!("The member '{name}' of denySettings is no list of texts")]);
    match &given[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(all) => all.iter().map(|it| it.as_str().ok_or_else(bad)).collect(),
        _ => Err(bad()),
    }
}

impl Stack {
    /// How something that it manages is denied; what lies outside its own scope is not.
    pub(super) fn deny_status(&self, id: &ResourceId) -> &'static str {
        let is_within = self.id.extended().holds(id) || self.id.extended().is_root();
        match self.deny.mode {
            DenyMode::None => DenyMode::None.as_str(),
            mode if is_within => mode.as_str(),
            _ => "inapplicable",
        }
    }

    /// Makes the deny assignments what the stack says, on what it manages now.
    pub(super) fn deny_all(&self, txn: &mut Txn, draw: &mut Draw) -> Result<()> {
        let is_denied = |id: &&ResourceId| self.deny_status(id) == self.deny.mode.as_str();
        let denied = self.managed.iter().filter(|_| self.deny.mode != DenyMode::None).filter(is_denied);
        let now: Vec<Denial> = denied.map(|id| self.deny.on(&self.id, id, draw.guid())).collect();
        denials::replace_those_of(txn, &self.id, &now)
    }
}
