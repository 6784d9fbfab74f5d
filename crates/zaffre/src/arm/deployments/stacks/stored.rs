//! What is kept of a stack.

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deny::Deny;
use crate::{
    arm::{
        codes,
        deployments::of_group::{self, OfGroup},
    },
    resources::Tags,
    store::{Span, Table, Txn},
};

const STACKS: Table<ResourceId, Stack> = Table::new("deployment_stacks");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stack {
    pub id: ResourceId,
    /// When the group that it lies in was made: a group of the same name made later has nothing of it.
    pub group_created: Option<Timestamp>,
    pub location: Option<String>,
    pub tags: Option<Tags>,
    pub description: Option<String>,
    pub actions: Actions,
    pub deployment_scope: Option<ResourceId>,
    #[serde(default)]
    pub deny: Deny,
    /// The last one.
    pub deployment: ResourceId,
    /// Who asked last. Every step is that principal's.
    pub deployer: ObjectId,
    pub correlation: Guid,
    pub operation: Guid,
    pub created: Timestamp,
    pub started: Timestamp,
    pub changed: Timestamp,
    pub state: State,
    pub parameters: Value,
    pub outputs: Option<Value>,
    pub error: Option<Value>,
    pub managed: Vec<ResourceId>,
    pub deleted: Vec<ResourceId>,
    pub detached: Vec<ResourceId>,
    /// What could not be deleted, and why.
    pub failed: Vec<(ResourceId, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Deploying,
    Succeeded,
    Failed,
    Deleting,
}

impl State {
    /// Stacks spell their states in small letters.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            State::Deploying => "deploying",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Deleting => "deleting",
        }
    }

    pub(super) const fn is_terminal(self) -> bool {
        match self {
            State::Succeeded | State::Failed => true,
            State::Deploying | State::Deleting => false,
        }
    }
}

/// What becomes of a resource that is managed no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    Delete,
    Detach,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Action::Delete => "delete",
            Action::Detach => "detach",
        }
    }

    fn read(value: &Value) -> Result<Action> {
        let Some(text) = value.as_str() else { return Ok(Action::Detach) };
        let found =
            [Action::Delete, Action::Detach].into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            codes::INVALID_CONTENT.with([format!("'{text}' is neither 'delete' nor 'detach'")])
        })
    }
}

/// The same by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Actions {
    resources: Action,
    groups: Action,
    management_groups: Action,
}

impl Actions {
    /// What is not said is let go.
    pub(super) fn read(given: &Value) -> Result<Actions> {
        Ok(Actions {
            resources: Action::read(&given["resources"])?,
            groups: Action::read(&given["resourceGroups"])?,
            management_groups: Action::read(&given["managementGroups"])?,
        })
    }

    pub(super) fn of(&self, id: &ResourceId) -> Action {
        let kind = id.resource_type().unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "microsoft.resources/resourcegroups" => self.groups,
            "microsoft.management/managementgroups" => self.management_groups,
            _ => self.resources,
        }
    }

    pub(super) fn shown(&self) -> Value {
        json!({
            "managementGroups": self.management_groups.as_str(),
            "resourceGroups": self.groups.as_str(),
            "resources": self.resources.as_str(),
        })
    }
}

impl OfGroup for Stack {
    fn group_created(&self) -> Option<Timestamp> {
        self.group_created
    }
}

/// A stack, if it is one of the group that is there now.
pub(super) fn get(txn: &Txn, id: &ResourceId) -> Result<Option<Stack>> {
    of_group::get(txn, &STACKS, id)
}

/// Those of a scope, and of nothing inside it.
pub(super) fn at(txn: &Txn, scope: &ResourceId) -> Result<Vec<Stack>> {
    of_group::at(txn, &STACKS, scope)
}

pub(super) fn unfinished(txn: &Txn) -> Result<Vec<ResourceId>> {
    let mut found = Vec::new();
    for row in STACKS.rows(txn, Span::under(&())) {
        let (_, stack) = row?;
        if !stack.state.is_terminal() {
            found.push(stack.id);
        }
    }
    Ok(found)
}

pub(super) fn put(txn: &mut Txn, stack: &Stack) -> Result<()> {
    Ok(STACKS.put(txn, &stack.id, stack)?)
}

pub(super) fn delete(txn: &mut Txn, id: &ResourceId) -> Result<()> {
    Ok(STACKS.delete(txn, id)?)
}
