//! What is kept of a deployment: a head, a row for each of its steps, and while it runs, its plan.

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    template::Plan,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    links::Link,
    of_group::{self, OfGroup},
    rollback::Rollback,
};
use crate::{
    resources::Tags,
    store::{Span, Table, Txn},
};

pub(super) const DEPLOYMENTS: Table<ResourceId, Deployment> = Table::new("deployments");
const STEPS: Table<(ResourceId, u32), Step> = Table::new("deployment_steps");
/// With the values of secure parameters in its bodies: it goes when the deployment ends.
const PLANS: Table<ResourceId, Plan> = Table::new("deployment_plans");
const TEMPLATES: Table<ResourceId, Value> = Table::new("deployment_templates");

/// A deployment's head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub id: ResourceId,
    /// When the group that it lies in was made: a group of the same name made later has nothing of it.
    pub group_created: Option<Timestamp>,
    pub location: Option<String>,
    pub tags: Option<Tags>,
    /// Who asked for it. Every step is that principal's.
    pub deployer: ObjectId,
    pub correlation: Guid,
    /// By which its status is asked for.
    pub operation: Guid,
    /// The step of another deployment that this is.
    pub is_nested: bool,
    pub mode: Mode,
    pub template_hash: String,
    /// Where the template was found, if not in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// As answers show them, secrets without their value.
    pub parameters: Value,
    pub providers: Value,
    pub dependencies: Value,
    pub started: Timestamp,
    pub changed: Timestamp,
    pub state: State,
    pub outputs: Option<Value>,
    pub resources: Vec<String>,
    /// What is done where it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    pub error: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    Incremental,
    Complete,
}

/// How far a deployment or a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Accepted,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// One resource of a deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub operation: Guid,
    pub id: String,
    pub resource_type: String,
    pub name: String,
    pub state: State,
    pub started: Timestamp,
    pub changed: Timestamp,
    /// `Created`, `Conflict`.
    pub status: String,
    pub error: Option<Value>,
}

impl Mode {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Mode::Incremental => "Incremental",
            Mode::Complete => "Complete",
        }
    }

    pub(super) fn read(text: &str) -> Option<Mode> {
        [Mode::Incremental, Mode::Complete].into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text))
    }
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            State::Accepted => "Accepted",
            State::Running => "Running",
            State::Succeeded => "Succeeded",
            State::Failed => "Failed",
            State::Canceled => "Canceled",
        }
    }

    pub(super) const fn is_terminal(self) -> bool {
        match self {
            State::Accepted | State::Running => false,
            State::Succeeded | State::Failed | State::Canceled => true,
        }
    }
}

impl OfGroup for Deployment {
    fn group_created(&self) -> Option<Timestamp> {
        self.group_created
    }
}

/// A deployment, if it is one of the group that is there now.
pub(super) fn get(txn: &Txn, id: &ResourceId) -> Result<Option<Deployment>> {
    of_group::get(txn, &DEPLOYMENTS, id)
}

/// Those of a scope, and of nothing inside it.
pub(super) fn at(txn: &Txn, scope: &ResourceId) -> Result<Vec<Deployment>> {
    of_group::at(txn, &DEPLOYMENTS, scope)
}

/// Those that have not ended, whoever's step they are left out: what a restart goes on with.
pub(super) fn unfinished(txn: &Txn) -> Result<Vec<ResourceId>> {
    let mut found = Vec::new();
    for row in DEPLOYMENTS.rows(txn, Span::within(&(), &ResourceId::root())) {
        let (id, deployment) = row?;
        if !deployment.state.is_terminal() && !deployment.is_nested {
            found.push(id);
        }
    }
    Ok(found)
}

/// Begins one, in the place of any of its name before.
pub(super) fn begin(
    txn: &mut Txn,
    deployment: &Deployment,
    plan: &Plan,
    template: &Value,
    steps: &[Step],
) -> Result<()> {
    forget(txn, &deployment.id)?;
    DEPLOYMENTS.put(txn, &deployment.id, deployment)?;
    PLANS.put(txn, &deployment.id, plan)?;
    TEMPLATES.put(txn, &deployment.id, template)?;
    for (at, step) in (0..).zip(steps) {
        STEPS.put(txn, &(deployment.id.clone(), at), step)?;
    }
    Ok(())
}

pub(super) fn put(txn: &mut Txn, deployment: &Deployment) -> Result<()> {
    if deployment.state.is_terminal() {
        PLANS.delete(txn, &deployment.id)?;
    }
    Ok(DEPLOYMENTS.put(txn, &deployment.id, deployment)?)
}

pub(super) fn forget(txn: &mut Txn, id: &ResourceId) -> Result<()> {
    for at in 0..u32::try_from(steps(txn, id)?.len()).unwrap_or(u32::MAX) {
        STEPS.delete(txn, &(id.clone(), at))?;
    }
    DEPLOYMENTS.delete(txn, id)?;
    PLANS.delete(txn, id)?;
    Ok(TEMPLATES.delete(txn, id)?)
}

pub(super) fn plan(txn: &Txn, id: &ResourceId) -> Result<Option<Plan>> {
    Ok(PLANS.get(txn, id)?)
}

pub(super) fn template(txn: &Txn, id: &ResourceId) -> Result<Option<Value>> {
    Ok(TEMPLATES.get(txn, id)?)
}

pub(super) fn steps(txn: &Txn, id: &ResourceId) -> Result<Vec<Step>> {
    let mut found = Vec::new();
    // A plan has at most 800 steps, numbered without gaps.
    while let Some(step) = STEPS.get(txn, &(id.clone(), u32::try_from(found.len()).unwrap_or(u32::MAX)))? {
        found.push(step);
    }
    Ok(found)
}

pub(super) fn put_step(txn: &mut Txn, id: &ResourceId, at: usize, step: &Step) -> Result<()> {
    Ok(STEPS.put(txn, &(id.clone(), u32::try_from(at).unwrap_or(u32::MAX)), step)?)
}
