//! A deployment on its way, step by step.
//!
//! ```text
//! what nothing waits for ─► each a task: finish its body, PUT, wait until it is done ─► written down ─► what waited for it
//!                                                                       all done ─► Complete: delete the rest ─► outputs ─► end
//! ```
//!
//! What was done is in the store after every step. Whoever goes on (the next start of the program, or
//! another process) reads it, does again what was begun and not written down, and does nothing twice that
//! was: a PUT that comes again finds its resource as it left it. A lease says who is at it.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use azure::{
    error::{Error, Result},
    ids::{ObjectId, ResourceId},
    template::{Ask, Finished, Need, Plan, Planned},
};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    removing, rollback,
    stored::{self, Deployment, Mode, State, Step},
};
use crate::{
    access::Caller,
    arm::{Arm, codes, durations, inside::Answered, kind::Wait, service::rendered},
    directory,
    resources::{
        self,
        operations::{self, Status},
    },
    service::{Cx, Fault},
    store::{
        Txn,
        lease::{self, Lease},
    },
};

/// Steps at work at once.
const AT_ONCE: usize = 16;
/// How long a process that fell silent keeps its deployments.
const TTL: Duration = Duration::from_secs(10);

/// Goes on with a deployment until it has ended. A fault of ours ends it too, as failed.
pub(super) fn to_the_end(arm: Arm, cx: Cx, id: ResourceId) -> Wait<()> {
    let cx = cx.apart();
    Box::pin(async move {
        if let Err(fault) = advance(arm, &cx, &id).await {
            let error = rendered(&Fault::Internal.because(fault));
            // When even this cannot be written, the next start goes on.
            let _ = ended(&cx, &id, State::Failed, Some(error), None).await;
        }
    })
}

/// What became of a step.
struct Stepped {
    at: usize,
    outcome: Result<u16, Failure>,
}

/// A step's error as answers show it, and the status it came with.
struct Failure {
    status: u16,
    error: Value,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { status: error.row.status, error: rendered(&error) }
    }
}

async fn advance(arm: Arm, cx: &Cx, id: &ResourceId) -> Result<()> {
    let lease = mine(cx, id).await?;
    let Some(plan) = cx.read(|txn| stored::plan(txn, id)).await? else { return Ok(()) };
    let mut steps = cx.read(|txn| stored::steps(txn, id)).await?;
    let apart: Vec<Cx> = steps.iter().map(|_| cx.apart()).collect();
    let mut begun: HashSet<usize> = HashSet::new();
    let mut running: JoinSet<Stepped> = JoinSet::new();
    while let Some(deployment) =
        cx.read(|txn| stored::get(txn, id)).await?.filter(|it| !it.state.is_terminal())
    {
        for at in ready(&plan, &steps, &begun, AT_ONCE - running.len()) {
            begun.insert(at);
            let now = cx.cloud.clock.now();
            steps[at] = Step { state: State::Running, started: now, changed: now, ..steps[at].clone() };
            write_step(cx, &lease, id, at, &steps[at]).await?;
            let (cx, planned, deployment) =
                (at_once(&apart[at]), plan.resources[at].clone(), deployment.clone());
            running
                .spawn(async move { Stepped { at, outcome: step(arm, &cx, &deployment, &planned).await } });
        }
        let Some(done) = next(&mut running, &lease).await? else { break };
        let at = done.at;
        steps[at] = after(steps[at].clone(), done.outcome, cx);
        write_step(cx, &lease, id, at, &steps[at]).await?;
    }
    // A canceled deployment lets what is under way end, and begins nothing.
    while let Some(done) = next(&mut running, &lease).await? {
        let at = done.at;
        steps[at] = after(steps[at].clone(), done.outcome, cx);
        write_step(cx, &lease, id, at, &steps[at]).await?;
    }
    conclude(arm, cx, id, &plan, &steps).await?;
    Ok(lease.give_back().await?)
}

/// The same context, now.
fn at_once(cx: &Cx) -> Cx {
    Cx { now: cx.cloud.clock.now(), ..cx.clone() }
}

/// Waits until the deployment is this process's to carry on.
async fn mine(cx: &Cx, id: &ResourceId) -> Result<Lease> {
    let name = format!("deployment {}", id.key());
    let holder = cx.draw().guid();
    loop {
        if let Some(lease) = lease::acquire(&cx.env.store, cx.cloud.id, &name, holder, TTL).await? {
            return Ok(lease);
        }
        // Its holder renews it or is gone; there is nothing else to wait for but its time.
        let _ = tokio::time::timeout(TTL / 4, std::future::pending::<()>()).await;
    }
}

/// The next step that is done; meanwhile the lease is kept.
async fn next(running: &mut JoinSet<Stepped>, lease: &Lease) -> Result<Option<Stepped>> {
    loop {
        match tokio::time::timeout(TTL / 3, running.join_next()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(done))) => return Ok(Some(done)),
            Ok(Some(Err(panic))) => return Err(Fault::Internal.because(panic)),
            Err(_) => {
                let _ = lease.renew().await?;
            }
        }
    }
}

/// Steps that wait for nothing any more.
fn ready(plan: &Plan, steps: &[Step], begun: &HashSet<usize>, room: usize) -> Vec<usize> {
    let is_free = |at: &usize| {
        !begun.contains(at)
            && !steps[*at].state.is_terminal()
            && plan.resources[*at].waits_for.iter().all(|before| steps[*before].state == State::Succeeded)
    };
    (0..steps.len()).filter(is_free).take(room).collect()
}

async fn write_step(cx: &Cx, lease: &Lease, id: &ResourceId, at: usize, step: &Step) -> Result<()> {
    let now = cx.cloud.clock.now();
    cx.write(|txn| {
        if !lease.check(txn)? {
            return Err(Fault::Internal.because("another process carries the deployment on"));
        }
        stored::put_step(txn, id, at, step)?;
        match stored::get(txn, id)?.filter(|it| !it.state.is_terminal()) {
            Some(deployment) => {
                stored::put(txn, &Deployment { state: State::Running, changed: now, ..deployment })
            }
            None => Ok(()),
        }
    })
    .await
}

fn after(step: Step, outcome: Result<u16, Failure>, cx: &Cx) -> Step {
    let changed = cx.cloud.clock.now();
    match outcome {
        Ok(status) => Step { state: State::Succeeded, status: word(status), changed, ..step },
        Err(Failure { status, error }) => {
            Step { state: State::Failed, status: word(status), error: Some(error), changed, ..step }
        }
    }
}

/// `201` is `Created`, `409` is `Conflict`.
fn word(status: u16) -> String {
    let status = http::StatusCode::from_u16(status).ok();
    status.and_then(|it| it.canonical_reason()).unwrap_or("Unknown").replace(' ', "")
}

/// The deployer as the directory has it now.
async fn deployer(cx: &Cx, deployment: &Deployment) -> Result<Caller> {
    caller_of(cx, deployment.deployer).await
}

/// Whoever has this object id; nobody where it is gone.
pub(super) async fn caller_of(cx: &Cx, who: ObjectId) -> Result<Caller> {
    let found = cx.read(|txn| directory::principal_of(txn, &cx.cloud.charter, who)).await?;
    Ok(found.map_or(Caller::Anonymous, Caller::Principal))
}

async fn step(arm: Arm, cx: &Cx, deployment: &Deployment, planned: &Planned) -> Result<u16, Failure> {
    let caller = deployer(cx, deployment).await?;
    let body = asked(&arm, cx, &caller, |answers| planned.body(answers)).await?;
    if planned.is_deployment() {
        return super::nested(arm, cx, &caller, (planned, &body), deployment)
            .await
            .map_err(|(status, error)| Failure { status, error });
    }
    let line = (Method::PUT, planned.id.as_str(), planned.api_version.as_str());
    let Answered { status, .. } = arm.inside(cx, &caller, line, &body).await?;
    settled(cx, &planned.id).await?;
    Ok(status)
}

/// Finishes what still has expressions, asking the cloud for what they need.
pub(super) async fn asked(
    arm: &Arm,
    cx: &Cx,
    caller: &Caller,
    finish: impl Fn(&BTreeMap<Need, Value>) -> Result<Finished>,
) -> Result<Value> {
    let mut answers = BTreeMap::new();
    loop {
        match finish(&answers)? {
            Finished::Done(value) => return Ok(value),
            Finished::Waiting(needs) => {
                for need in needs {
                    let answer = answer(arm, cx, caller, &need).await?;
                    answers.insert(need, answer);
                }
            }
        }
    }
}

async fn answer(arm: &Arm, cx: &Cx, caller: &Caller, need: &Need) -> Result<Value> {
    let version = need.api_version.as_str();
    let answered = match &need.ask {
        Ask::Resource => arm.inside(cx, caller, (Method::GET, &need.id, version), &Value::Null).await?,
        Ask::List { action, body } => {
            let path = format!("{}/{action}", need.id);
            let body = serde_json::from_str(body).unwrap_or(Value::Null);
            arm.inside(cx, caller, (Method::POST, &path, version), &body).await?
        }
    };
    Ok(answered.document)
}

/// Waits until a resource is as it should be. Refused where it never will be.
async fn settled(cx: &Cx, id: &str) -> Result<(), Failure> {
    let Ok(id) = ResourceId::parse(id) else { return Ok(()) };
    let mut reports = cx.env.follower.reports();
    loop {
        durations::settle(cx).await?;
        let Some(resource) = cx.read(|txn| resources::get(txn, &id)).await? else { return Ok(()) };
        match resource.state {
            resources::State::Failed | resources::State::Canceled => {
                return Err(codes::TERMINAL_STATE.with([id.as_str(), resource.state.as_str()]).into());
            }
            state if state.is_terminal() => return Ok(()),
            _ => {
                // Whoever is at work reports; some finish without a word, so one looks again.
                let _ = tokio::time::timeout(Duration::from_secs(2), reports.changed()).await;
            }
        }
    }
}

/// All steps that could be done are done.
async fn conclude(arm: Arm, cx: &Cx, id: &ResourceId, plan: &Plan, steps: &[Step]) -> Result<()> {
    let Some(deployment) = cx.read(|txn| stored::get(txn, id)).await?.filter(|it| !it.state.is_terminal())
    else {
        return Ok(());
    };
    let failed: Vec<&Value> = steps.iter().filter_map(|it| it.error.as_ref()).collect();
    if !failed.is_empty() {
        let error = rendered(&(&codes::DEPLOYMENT_FAILED).into());
        return fallen(arm, cx, &deployment, with_details(error, id, &failed)).await;
    }
    let caller = deployer(cx, &deployment).await?;
    if deployment.mode == Mode::Complete
        && let Err(error) = remove_others(&arm, cx, &caller, id, plan).await
    {
        return fallen(arm, cx, &deployment, rendered(&error)).await;
    }
    match asked(&arm, cx, &caller, |answers| plan.outputs(answers)).await {
        Ok(outputs) => ended(cx, id, State::Succeeded, None, Some(outputs)).await,
        Err(error) => fallen(arm, cx, &deployment, rendered(&error)).await,
    }
}

/// It has failed, and ends so when what it falls back to has ended.
async fn fallen(arm: Arm, cx: &Cx, failed: &Deployment, error: Value) -> Result<()> {
    let caller = deployer(cx, failed).await?;
    if let Some(rollback) = rollback::carry_out(arm, cx, &caller, failed).await? {
        let write = |txn: &mut Txn| match stored::get(txn, &failed.id)? {
            Some(deployment) => {
                stored::put(txn, &Deployment { rollback: Some(rollback.clone()), ..deployment })
            }
            None => Ok(()),
        };
        cx.write(write).await?;
    }
    ended(cx, &failed.id, State::Failed, Some(error), None).await
}

fn with_details(mut error: Value, id: &ResourceId, failed: &[&Value]) -> Value {
    error["target"] = json!(id);
    error["details"] = failed.iter().map(|it| (*it).clone()).collect();
    error
}

async fn ended(
    cx: &Cx,
    id: &ResourceId,
    state: State,
    error: Option<Value>,
    outputs: Option<Value>,
) -> Result<()> {
    let changed = cx.cloud.clock.now();
    cx.write(|txn| match stored::get(txn, id)?.filter(|it| !it.state.is_terminal()) {
        None => Ok(()),
        Some(deployment) => {
            let (error, outputs) = (error.clone(), outputs.clone());
            operations::finish(txn, deployment.operation, status_of(state, error.as_ref()), changed)?;
            stored::put(txn, &Deployment { state, changed, error, outputs, ..deployment })
        }
    })
    .await
}

/// The same for whoever follows the operation: the activity log.
fn status_of(state: State, error: Option<&Value>) -> Status {
    let said = |name: &str| error.and_then(|it| it[name].as_str()).unwrap_or_default().to_owned();
    match state {
        State::Failed => Status::Failed { code: said("code"), message: said("message") },
        State::Canceled => Status::Canceled,
        State::Accepted | State::Running | State::Succeeded => Status::Succeeded { output: None },
    }
}

/// Complete mode: what the template does not name goes, as the deployer may delete it.
async fn remove_others(arm: &Arm, cx: &Cx, caller: &Caller, id: &ResourceId, plan: &Plan) -> Result<()> {
    let group = id.extended();
    let kept: Vec<ResourceId> =
        plan.resources.iter().filter_map(|it| ResourceId::parse(&it.id).ok()).collect();
    let all = cx.read(|txn| resources::within(txn, &group, None, usize::MAX)).await?;
    let is_other = |it: &resources::Resource| {
        let is_top = it.id.parent().as_ref() == Some(&group);
        let is_kept = kept.iter().any(|kept| *kept == it.id || it.id.holds(kept));
        is_top && !is_kept && it.managed_by.is_none()
    };
    let others = all.into_iter().filter(is_other).map(|it| it.id).collect();
    match removing::all((arm, cx, caller), others).await.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
