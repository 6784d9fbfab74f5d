//! Deployment stacks: a template whose resources belong together, and what becomes of those that it names no more.
//!
//! ```text
//! PUT ─► a deployment (`super`) ─► its resources ─► those of before that are not among them: deleted or let go
//! DELETE ─► all of them: deleted or let go ─► the stack itself
//! ```
//!
//! A stack is done as its deployer's deployment is, step by step, with the deployer's own roles; after a restart
//! it is gone on with. What is kept is in `stored.rs`, as it is shown in `shown.rs`; what it forbids in `deny.rs`.
//!
//! With `denySettings` a stack forbids everybody to change what it manages, by deny assignments that are its own: they are
//! made when it has ended, and the stack itself is spared by them (`Cx::stack`). To set them, or to change such a stack, is
//! an action of its own.

mod deny;
mod shown;
mod stored;

use azure::{
    action::Action as Demanded,
    error::{Error, Result},
    ids::ResourceId,
    template::source::Source,
};
use http::Method;
use serde_json::{Map, Value, json};

use self::{
    deny::{Deny, DenyMode},
    stored::{Action, Actions, Stack, State},
};
use super::{
    PATIENCE, begin, prepare, read, removing, run,
    stored::{self as deployments, Deployment},
};
use crate::{
    access::{Caller, denials},
    arm::{
        Arm,
        activity::Note,
        codes, content, filter,
        kind::{Answer, Answers, Call, Edit, Kind, Own, Verb, Written, linked},
        locked,
        polls::Links,
        service::{Asked, rendered},
        tags,
        types::Type,
        write,
    },
    cloud::Draw,
    resources::{
        self,
        locks::Doing,
        operations::{self, Gives, Operation, Status},
    },
    service::{Body, Cx, Permit, Reply},
    store::Txn,
};

pub(in crate::arm) const NAME: &str = "Microsoft.Resources/deploymentStacks";

static VERSIONS: [azure::api_version::ApiVersion; 3] = [
    azure::api_version::ApiVersion::of("2022-08-01-preview"),
    azure::api_version::ApiVersion::of("2024-03-01"),
    azure::api_version::ApiVersion::of("2025-07-01"),
];

static OWN: Own = Own {
    get: |look| Ok(stored::get(look.txn, look.id)?.as_ref().map(shown::stack)),
    list: |look| Ok(stored::at(look.txn, look.id)?.iter().map(shown::stack).collect()),
    put: unreached,
    patch: None,
    delete: |edit| Err(codes::not_implemented(edit.id.as_str())),
    delete_shows: false,
    absent: Some(absent),
};

static VERBS: &[Verb] = &[
    Verb::post("exportTemplate", "exportTemplate/action", export),
    Verb::post(VALIDATE, "validate/action", |call| Err(codes::not_implemented(call.id.as_str()))),
];

const VALIDATE: &str = "validate";

pub(in crate::arm) const KIND: Kind = Kind {
    actions: VERBS,
    answers: Answers::CreatedThenAsync,
    ..Kind::extension("deploymentStacks", &VERSIONS, &OWN)
};

pub(in crate::arm) fn is(of: &Type) -> bool {
    of.name == NAME
}

/// Whether the verb judges a stack that need not be there.
pub(in crate::arm) fn is_judgement(of: &Type, verb: &Verb) -> bool {
    is(of) && verb.name == VALIDATE
}

/// PUT and DELETE have functions of their own below: they outlive their transaction.
fn unreached(edit: &mut Edit<'_>) -> Result<Written> {
    Err(codes::not_implemented(edit.id.as_str()))
}

fn absent(id: &ResourceId) -> Error {
    codes::STACK_NOT_FOUND.with([id.name()])
}

fn export(call: &mut Call<'_>) -> Result<Answer> {
    let stack = stored::get(call.txn, call.id)?.ok_or_else(|| absent(call.id))?;
    let template = deployments::template(call.txn, &stack.deployment)?.ok_or_else(|| absent(call.id))?;
    Ok(Answer::ok(json!({ "template": template })))
}

/// What a request says of a stack, but for its template.
struct Wanted {
    actions: Actions,
    deny: Deny,
    description: Option<String>,
    deployment_scope: Option<ResourceId>,
    location: Option<String>,
    tags: Option<resources::Tags>,
    /// The body of the deployment.
    source: Source,
}

fn wanted(id: &ResourceId, source: Source) -> Result<Wanted> {
    let body = &source.value;
    let properties = content::map(body, "properties")?
        .ok_or_else(|| codes::INVALID_CONTENT.with(["Required property 'properties' not found in JSON"]))?;
    let deny = Deny::read(properties.get("denySettings").unwrap_or(&Value::Null))?;
    let actions = Actions::read(properties.get("actionOnUnmanage").unwrap_or(&Value::Null))?;
    let scope = properties.get("deploymentScope").and_then(Value::as_str);
    let deployment_scope = scope.map(ResourceId::parse).transpose().map_err(|why| {
        codes::INVALID_CONTENT.with([format!("The member 'deploymentScope' is no scope: {why}")])
    })?;
    if deployment_scope.as_ref().is_some_and(|it| !id.extended().holds(it)) && !id.extended().is_root() {
        return Err(
            codes::INVALID_CONTENT.with(["The member 'deploymentScope' is not within the stack's scope"])
        );
    }
    let location = content::text(body, "location")?;
    let tags = content::map(body, "tags")?.map(tags::checked).transpose()?;
    let description = properties.get("description").and_then(Value::as_str).map(str::to_owned);
    let taken = ["template", "templateLink", "parameters", "parametersLink"];
    let mut of_deployment: Map<String, Value> =
        properties.into_iter().filter(|(name, _)| taken.contains(&name.as_str())).collect();
    of_deployment.insert("mode".to_owned(), json!("Incremental"));
    let value = json!({ "location": location, "properties": of_deployment });
    let source = Source { value, places: source.places };
    Ok(Wanted { actions, deny, description, deployment_scope, location, tags, source })
}

/// `{stack}-{minute}{three letters}`, as the platform names the deployments of stacks.
fn deployment_of(cx: &Cx, id: &ResourceId, scope: &ResourceId) -> ResourceId {
    let minute: String = cx.now.iso_seconds().chars().filter(char::is_ascii_digit).take(12).collect();
    let name = format!("{}-{}{}", id.name(), &minute[2..], &cx.draw().guid().simple()[..3]);
    scope.provider("Microsoft.Resources", "deployments", &name)
}

pub(in crate::arm) async fn put(
    arm: &Arm,
    cx: &Cx,
    permit: Permit,
    (id, of): (&ResourceId, &Type),
    (asked, note): (&Asked, &Note),
    body: Body,
) -> Result<Reply> {
    let wanted = wanted(id, read(asked, body).await?)?;
    let cx = &as_stack(cx, id);
    let caller = permit.caller();
    cx.read(|txn| may_deny(cx, txn, &permit, (id, "write"), Some(&wanted.deny))).await?;
    let Some(who) = caller.principal() else { return Err((&codes::NO_AUTHORIZATION).into()) };
    write::check_name_of(id, of)?;
    let scope = wanted.deployment_scope.clone().unwrap_or_else(|| id.extended());
    let deployment = deployment_of(cx, id, &scope);
    let line = || (Method::PUT, deployment.as_str(), "2024-11-01");
    if let Some(refusal) = cx.read(|txn| arm.refusal(cx, txn, caller, line())).await? {
        return Err(codes::refused(&refusal));
    }
    let prepared = prepare::prepared(arm, cx, caller, &deployment, &wanted.source, None).await?;
    let of_deployment = arm.types.find(super::NAME)?;
    let operation = cx.draw().guid();
    let stack = Stack {
        id: id.clone(),
        group_created: None,
        location: wanted.location.clone(),
        tags: wanted.tags.clone(),
        description: wanted.description.clone(),
        actions: wanted.actions,
        deny: wanted.deny.clone(),
        deployment_scope: wanted.deployment_scope.clone(),
        deployment: deployment.clone(),
        deployer: who.object_id,
        correlation: cx.correlation_id,
        operation,
        created: cx.now,
        started: cx.now,
        changed: cx.now,
        state: State::Deploying,
        parameters: prepared.plan.shown_parameters(),
        outputs: None,
        error: None,
        managed: Vec::new(),
        deleted: Vec::new(),
        detached: Vec::new(),
        failed: Vec::new(),
    };
    let is_new = cx
        .write(|txn| {
            locked::check(txn, Doing::Writing, (id, of))?;
            write::group_is_there(txn, id)?;
            let before = stored::get(txn, id)?;
            if let Some(active) = before.as_ref().filter(|it| !it.state.is_terminal()) {
                return Err(codes::BUSY.with([active.id.as_str()]));
            }
            let stack = Stack {
                group_created: resources::group(txn, id)?.map(|it| it.created),
                created: before.as_ref().map_or(cx.now, |it| it.created),
                managed: before.as_ref().map(|it| it.managed.clone()).unwrap_or_default(),
                ..stack.clone()
            };
            stored::put(txn, &stack)?;
            let begun = Operation::new(operation, id, Gives::Nothing, cx.now).by(Some(who.object_id));
            operations::begin(txn, &begun)?;
            note.done(txn, if before.is_none() { 201 } else { 200 }, Some(operation))?;
            Ok(before.is_none())
        })
        .await?;
    if let Err(error) = begin(cx, caller, (&deployment, &of_deployment), prepared, None).await {
        // What it managed it still does.
        let stack = cx.read(|txn| stored::get(txn, id)).await?.unwrap_or(stack);
        let broken = failed(stack, &codes::STACK_DEPLOYMENT_FAILED, vec![rendered(&error)]);
        let draw = cx.draw();
        cx.write(|txn| conclude(txn, &mut draw.clone(), &broken, cx.now)).await?;
        return Err(error);
    }
    let running = tokio::spawn(to_the_end(*arm, cx.clone(), id.clone()));
    // Too late is no failure: the answer then says how to follow the rest.
    let _ = tokio::time::timeout(PATIENCE, running).await;
    let stack = cx.read(|txn| stored::get(txn, id)).await?.ok_or_else(|| absent(id))?;
    let reply = |stack: &Stack| Reply::json(if is_new { 201 } else { 200 }, &shown::stack(stack));
    Ok(match stack.state {
        State::Succeeded => reply(&stack),
        State::Deploying | State::Deleting => followed(reply(&stack), asked, &stack),
        // A failure is told by the status, as a deployment's is.
        State::Failed => {
            let begun = Stack { state: State::Deploying, error: None, failed: Vec::new(), ..stack.clone() };
            followed(reply(&begun), asked, &stack)
        }
    })
}

fn followed(reply: Reply, asked: &Asked, stack: &Stack) -> Reply {
    let links = Links::of((&asked.origin, &asked.requested), &stack.id, None, stack.operation);
    reply.with("Azure-AsyncOperation", &links.status).with("Retry-After", asked.retry_after)
}

/// Goes on with a stack until it has ended.
pub(in crate::arm) async fn to_the_end(arm: Arm, cx: Cx, id: ResourceId) {
    let cx = as_stack(&cx, &id);
    let Ok(Some(stack)) = cx.read(|txn| stored::get(txn, &id)).await else { return };
    let ended = match stack.state {
        State::Deploying => deployed(&arm, &cx, stack).await,
        State::Deleting => deleted(&arm, &cx, stack).await,
        State::Succeeded | State::Failed => return,
    };
    // When even this cannot be written, the next start goes on.
    if let Ok(stack) = ended {
        let draw = cx.draw();
        let _ = cx.write(|txn| conclude(txn, &mut draw.clone(), &stack, cx.cloud.clock.now())).await;
    }
}

/// What is done from here on is the stack's: its own deny assignments do not forbid it.
fn as_stack(cx: &Cx, id: &ResourceId) -> Cx {
    Cx { stack: Some(id.clone()), ..cx.clone() }
}

/// Whoever makes a stack deny, or changes one that does, may do that besides (documented: "Create and deploy Azure
/// deployment stacks", which roles there are).
fn may_deny(
    cx: &Cx,
    txn: &Txn,
    permit: &Permit,
    (id, verb): (&ResourceId, &str),
    wanted: Option<&Deny>,
) -> Result<()> {
    let present = stored::get(txn, id)?.map(|it| it.deny);
    if present.iter().chain(wanted).all(|it| it.mode == DenyMode::None) {
        return Ok(());
    }
    let action = Demanded::of("Microsoft.Resources/deploymentStacks/manageDenySetting/action");
    linked(cx, txn, permit, (&format!("{NAME}/{verb}"), id), vec![(action, id.clone())])
}

fn conclude(txn: &mut Txn, draw: &mut Draw, stack: &Stack, now: azure::time::Timestamp) -> Result<()> {
    let said =
        |name: &str| stack.error.as_ref().and_then(|it| it[name].as_str()).unwrap_or_default().to_owned();
    let status = match stack.state {
        State::Failed => Status::Failed { code: said("code"), message: said("message") },
        State::Succeeded | State::Deploying | State::Deleting => Status::Succeeded { output: None },
    };
    operations::finish(txn, stack.operation, status, now)?;
    match stack.state {
        State::Deleting => {
            denials::replace_those_of(txn, &stack.id, &[])?;
            stored::delete(txn, &stack.id)
        }
        State::Deploying | State::Succeeded | State::Failed => {
            stack.deny_all(txn, draw)?;
            stored::put(txn, &Stack { changed: now, ..stack.clone() })
        }
    }
}

async fn deployed(arm: &Arm, cx: &Cx, stack: Stack) -> Result<Stack> {
    run::to_the_end(*arm, cx.clone(), stack.deployment.clone()).await;
    let Some(deployment) = cx.read(|txn| deployments::get(txn, &stack.deployment)).await? else {
        return Ok(failed(stack, &codes::STACK_DEPLOYMENT_FAILED, Vec::new()));
    };
    let made = cx.read(|txn| made_by(txn, &deployment)).await?;
    let now = made.resources;
    if deployment.state != deployments::State::Succeeded {
        let details = deployment.error.clone().into_iter().collect();
        // What was managed still is; what was made by the way is too.
        let mut managed = stack.managed.clone();
        managed.extend(now.into_iter().filter(|it| !stack.managed.contains(it)));
        let stack = Stack { managed, failed: made.failed, ..stack };
        return Ok(failed(stack, &codes::STACK_DEPLOYMENT_FAILED, details));
    }
    let left = stack.managed.iter().filter(|it| !now.contains(it)).cloned().collect();
    let outputs = deployment.outputs.clone();
    let stack = unmanage(arm, cx, Stack { managed: now, outputs, ..stack }, left).await?;
    if stack.failed.is_empty() {
        return Ok(Stack { state: State::Succeeded, error: None, ..stack });
    }
    Ok(not_deleted(stack))
}

async fn deleted(arm: &Arm, cx: &Cx, stack: Stack) -> Result<Stack> {
    let left = stack.managed.clone();
    let stack = unmanage(arm, cx, Stack { managed: Vec::new(), ..stack }, left).await?;
    if stack.failed.is_empty() {
        return Ok(stack);
    }
    Ok(not_deleted(stack))
}

/// What could not be deleted is managed as before.
fn not_deleted(stack: Stack) -> Stack {
    let (ids, details): (Vec<_>, Vec<_>) = stack.failed.iter().cloned().unzip();
    let managed = stack.managed.iter().cloned().chain(ids).collect();
    failed(Stack { managed, ..stack }, &codes::STACK_DELETE_FAILED, details)
}

fn failed(stack: Stack, row: &'static azure::error::Row, details: Vec<Value>) -> Stack {
    let mut error = rendered(&row.with([stack.correlation.to_string()]));
    error["details"] = Value::Array(details);
    Stack { state: State::Failed, error: Some(error), ..stack }
}

/// Deletes or lets go what a stack manages no more, the last one first.
async fn unmanage(arm: &Arm, cx: &Cx, stack: Stack, left: Vec<ResourceId>) -> Result<Stack> {
    let is_deleted = |id: &ResourceId| stack.actions.of(id) == Action::Delete;
    let (gone, detached): (Vec<_>, Vec<_>) = left.into_iter().partition(is_deleted);
    let caller = run::caller_of(cx, stack.deployer).await?;
    let refused = removing::all((arm, cx, &caller), gone.iter().rev().cloned().collect()).await;
    let failed: Vec<(ResourceId, Value)> =
        refused.into_iter().map(|(id, error)| (id, rendered(&error))).collect();
    let deleted = gone.into_iter().filter(|it| failed.iter().all(|(id, _)| id != it)).collect();
    Ok(Stack { deleted, detached, failed, ..stack })
}

/// What a deployment made, and what it did not.
#[derive(Default)]
struct Made {
    resources: Vec<ResourceId>,
    failed: Vec<(ResourceId, Value)>,
}

/// By its steps, and those of the deployments in it.
fn made_by(txn: &Txn, deployment: &Deployment) -> Result<Made> {
    let mut made = Made::default();
    for step in deployments::steps(txn, &deployment.id)? {
        let Ok(id) = ResourceId::parse(&step.id) else { continue };
        if let Some(inner) = deployments::get(txn, &id)? {
            let inner = made_by(txn, &inner)?;
            made.resources.extend(inner.resources);
            made.failed.extend(inner.failed);
        } else if step.state == deployments::State::Succeeded {
            made.resources.push(id);
        } else if let Some(error) = step.error {
            made.failed.push((id, error));
        }
    }
    Ok(made)
}

pub(in crate::arm) async fn delete(
    arm: &Arm,
    cx: &Cx,
    permit: Permit,
    (id, of): (&ResourceId, &Type),
    (asked, note): (&Asked, &Note),
) -> Result<Reply> {
    let cx = &as_stack(cx, id);
    cx.read(|txn| may_deny(cx, txn, &permit, (id, "delete"), None)).await?;
    let Some(who) = permit.caller().principal() else { return Err((&codes::NO_AUTHORIZATION).into()) };
    let asked_for = |name: &str| filter::query(&asked.query, &format!("unmanageAction.{name}"));
    let given = json!({
        "resources": asked_for("Resources"),
        "resourceGroups": asked_for("ResourceGroups"),
        "managementGroups": asked_for("ManagementGroups"),
    });
    let actions = Actions::read(&given)?;
    let operation = cx.draw().guid();
    let is_there = cx
        .write(|txn| {
            locked::check(txn, Doing::Deleting, (id, of))?;
            write::group_is_there(txn, id)?;
            let Some(stack) = stored::get(txn, id)? else {
                note.done(txn, 204, None)?;
                return Ok(false);
            };
            if !stack.state.is_terminal() {
                return Err(codes::BUSY.with([stack.id.as_str()]));
            }
            let (state, deployer, correlation) = (State::Deleting, who.object_id, cx.correlation_id);
            let next = Stack { actions, operation, state, deployer, correlation, started: cx.now, ..stack };
            stored::put(txn, &next)?;
            let begun = Operation::new(operation, id, Gives::Nothing, cx.now).by(Some(who.object_id));
            operations::begin(txn, &begun)?;
            note.done(txn, 202, Some(operation))?;
            Ok(true)
        })
        .await?;
    if !is_there {
        return Ok(Reply::new(204));
    }
    let running = tokio::spawn(to_the_end(*arm, cx.clone(), id.clone()));
    let _ = tokio::time::timeout(PATIENCE, running).await;
    let links = Links::of((&asked.origin, &asked.requested), id, None, operation);
    let reply = Reply::new(202).with("Azure-AsyncOperation", &links.status).with("Location", &links.result);
    Ok(reply.with("Retry-After", asked.retry_after))
}

/// `validate`: a stack judged and not begun.
pub(in crate::arm) async fn judged(
    arm: &Arm,
    cx: &Cx,
    caller: &Caller,
    id: &ResourceId,
    asked: &Asked,
    body: Body,
) -> Result<Reply> {
    let wanted = wanted(id, read(asked, body).await?)?;
    let cx = &as_stack(cx, id);
    let scope = wanted.deployment_scope.clone().unwrap_or_else(|| id.extended());
    let deployment = deployment_of(cx, id, &scope);
    let prepared = prepare::prepared(arm, cx, caller, &deployment, &wanted.source, None).await?;
    let properties = json!({
        "actionOnUnmanage": wanted.actions.shown(),
        "correlationId": cx.correlation_id,
        "denySettings": wanted.deny.shown(),
        "deploymentScope": scope,
        "parameters": prepared.plan.shown_parameters(),
        "validatedResources": super::shown::ids(&prepared.plan),
    });
    Ok(Reply::json(200, &json!({ "id": id, "name": id.name(), "type": NAME, "properties": properties })))
}

/// Stacks that had not ended when the program did.
pub(in crate::arm) fn unfinished(txn: &Txn) -> Result<Vec<ResourceId>> {
    stored::unfinished(txn)
}
