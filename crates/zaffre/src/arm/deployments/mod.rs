//! Deployments: templates carried out, at every scope.
//!
//! ```text
//! PUT ─► prepare.rs: the body, the template, who may ─► a Plan ─► stored.rs ─► run.rs ─► inside.rs: PUT of each resource
//!                        │                                                        │
//!         validate, whatIf: what_if.rs                           GET, operations, status: shown.rs
//! ```
//!
//! The body of a deployment is read as `az` writes it, which is not always JSON (az-cli.md §1.1). A
//! deployment is answered when it has ended or after a moment; it goes on without its request, and after
//! a restart. Nothing of it is done but through the path that a client's own request takes, as the one who
//! asked for it.
//!
//! Templates and parameters may lie elsewhere (`links.rs`). A deployment that fails may fall back to an earlier one
//! (`rollback.rs`). Not here: scripts, which are refused by name.

mod links;
mod of_group;
mod prepare;
mod removing;
mod rollback;
mod run;
mod shown;
pub(super) mod stacks;
mod stored;
mod what_if;

use std::time::Duration;

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    locations,
    names::BadName,
    template::{
        Planned,
        source::{self, Places, Source},
    },
};
use serde_json::{Value, json};

use self::{
    prepare::Prepared,
    stored::{Deployment, State, Step},
};
use super::{
    Arm,
    activity::Note,
    codes, content, durations,
    kind::{Answer, Answers, At, Call, Edit, Function, Kind, Look, On, Own, Run, Verb, Written},
    locked,
    service::{Asked, rendered},
    types::Type,
    write,
};
use crate::{
    access::Caller,
    resources::{
        self,
        locks::Doing,
        operations::{self, Gives, Operation, Status},
    },
    service::{Body, Cx, Permit, Reply},
    store::Txn,
};

pub(super) const NAME: &str = "Microsoft.Resources/deployments";

/// How long an answer waits for the end.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) static OWN: Own = Own {
    get: |look| Ok(stored::get(look.txn, look.id)?.as_ref().map(shown::deployment)),
    list,
    put: unreached,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(absent),
};

pub(super) static VERBS: &[Verb] = &[
    Verb::post(VALIDATE, "validate/action", unreached_verb),
    Verb::post(WHAT_IF, "whatIf/action", unreached_verb),
    Verb::post("cancel", "cancel/action", cancel),
    Verb::post("exportTemplate", "exportTemplate/action", export),
    Verb::get("operations", "operations/read", operations),
    Verb::get("operations/{operation}", "operations/read", operation),
    Verb::get("operationStatuses/{operation}", "operationstatuses/read", status),
];

pub(super) static FUNCTIONS: [Function; 1] = [Function {
    path: "calculateTemplateHash",
    at: At::Tenant,
    method: On::Post,
    action: "",
    versions: &[],
    run: Run::Read(hash),
}];

const VALIDATE: &str = "validate";
const WHAT_IF: &str = "whatIf";

/// Whether a deployment is what the type is.
pub(super) fn is(of: &Type) -> bool {
    of.name == NAME
}

/// A group's deployments have an older address, without a provider, under which the operations of one are
/// asked for to this day: `.../resourceGroups/{group}/deployments/{name}/operations`.
pub(super) fn addressed(id: ResourceId) -> ResourceId {
    let segments: Vec<&str> = id.segments().collect();
    let is_old = segments.get(4).is_some_and(|it| it.eq_ignore_ascii_case("deployments"))
        && id.ancestor(4).resource_group().is_some();
    if !is_old {
        return id;
    }
    let whole = format!("{}/providers/Microsoft.Resources/{}", id.ancestor(4), segments[4..].join("/"));
    ResourceId::parse(&whole).unwrap_or(id)
}

/// Whether the verb judges a deployment that need not be there.
pub(super) fn is_judgement(of: &Type, verb: &Verb) -> bool {
    is(of) && [VALIDATE, WHAT_IF].contains(&verb.name)
}

/// PUT has a function of its own below: it reads more than JSON, and outlives its transaction.
fn unreached(edit: &mut Edit<'_>) -> Result<Written> {
    Err(codes::not_implemented(edit.id.as_str()))
}

fn unreached_verb(call: &mut Call<'_>) -> Result<Answer> {
    Err(codes::not_implemented(call.id.as_str()))
}

fn bad_name(name: &str, bad: &BadName) -> Error {
    match bad {
        BadName::Length { .. } => {
            codes::DEPLOYMENT_NAME_TOO_LONG.with([name, &name.chars().count().to_string()])
        }
        bad => codes::INVALID_NAME.with([name, &bad.to_string()]),
    }
}

fn absent(id: &ResourceId) -> Error {
    codes::DEPLOYMENT_NOT_FOUND.with([id.name()])
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let filter = look
        .query
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("$filter"))
        .map(|(_, text)| text.as_str());
    let wanted = match filter {
        None => None,
        Some(filter) => Some(wanted_state(filter).ok_or_else(|| codes::INVALID_FILTER.with([filter]))?),
    };
    let mut found = stored::at(look.txn, look.id)?;
    // The newest first, as Azure lists them.
    found.sort_by_key(|it| std::cmp::Reverse((it.changed, it.id.key().to_owned())));
    let is_wanted = |it: &&Deployment| {
        wanted.as_ref().is_none_or(|wanted| it.state.as_str().eq_ignore_ascii_case(wanted))
    };
    Ok(found.iter().filter(is_wanted).map(shown::deployment).collect())
}

/// `provisioningState eq 'Failed'` is the one filter there is (arm.md §12).
fn wanted_state(filter: &str) -> Option<String> {
    let (name, value) = filter.split_once(" eq ")?;
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    name.trim().eq_ignore_ascii_case("provisioningState").then(|| value.to_owned())
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some(found) = stored::get(edit.txn, edit.id)? else { return Ok(None) };
    if !found.state.is_terminal() {
        return Err(codes::DEPLOYMENT_NOT_CHANGED.with(["delete", edit.id.name(), found.state.as_str()]));
    }
    stored::forget(edit.txn, &found.id)?;
    Ok(Some(shown::deployment(&found)))
}

fn found(txn: &Txn, id: &ResourceId) -> Result<Deployment> {
    stored::get(txn, id)?.ok_or_else(|| absent(id))
}

fn cancel(call: &mut Call<'_>) -> Result<Answer> {
    let deployment = found(call.txn, call.id)?;
    if deployment.state.is_terminal() {
        return Err(codes::DEPLOYMENT_NOT_CHANGED.with([
            "cancel",
            call.id.name(),
            deployment.state.as_str(),
        ]));
    }
    operations::finish(call.txn, deployment.operation, Status::Canceled, call.cx.now)?;
    stored::put(call.txn, &Deployment { state: State::Canceled, changed: call.cx.now, ..deployment })?;
    Ok(Answer::empty(204))
}

fn export(call: &mut Call<'_>) -> Result<Answer> {
    let template = stored::template(call.txn, call.id)?.ok_or_else(|| absent(call.id))?;
    Ok(Answer::ok(json!({ "template": template })))
}

fn hash(call: &Call<'_, &Txn>) -> Result<Answer> {
    let minified = call.body.to_string();
    Ok(Answer::ok(json!({ "minifiedTemplate": minified, "templateHash": azure::template::hash(call.body) })))
}

fn operations(call: &Call<'_, &Txn>) -> Result<Answer> {
    let deployment = found(call.txn, call.id)?;
    let steps = stored::steps(call.txn, call.id)?;
    let begun = steps.iter().filter(|it| it.state != State::Accepted);
    Ok(Answer::ok(json!({ "value": begun.map(|it| shown::operation(&deployment, it)).collect::<Vec<_>>() })))
}

fn operation(call: &Call<'_, &Txn>) -> Result<Answer> {
    let deployment = found(call.txn, call.id)?;
    let name = call.parameter("operation");
    let steps = stored::steps(call.txn, call.id)?;
    let shown = steps.iter().map(|it| shown::operation(&deployment, it));
    let named = |it: &Value| it["operationId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(name));
    shown.into_iter().find(named).map(Answer::ok).ok_or_else(|| codes::OPERATION_NOT_FOUND.with([name]))
}

fn status(call: &Call<'_, &Txn>) -> Result<Answer> {
    let deployment = found(call.txn, call.id)?;
    let name = call.parameter("operation");
    if name.parse() != Ok(deployment.operation) {
        return Err(codes::OPERATION_NOT_FOUND.with([name]));
    }
    let answer = Answer::ok(shown::status(&deployment));
    Ok(if deployment.state.is_terminal() { answer } else { answer.with("Retry-After", durations::SOON) })
}

/// A body, with everything that `az` writes into it.
async fn read(asked: &Asked, body: Body) -> Result<Source> {
    let bytes = content::bytes(asked.content_type(), body).await?;
    let text =
        std::str::from_utf8(&bytes).map_err(|cause| codes::INVALID_CONTENT.with([cause.to_string()]))?;
    let source = source::read(text)?;
    if source.value.is_object() {
        Ok(source)
    } else {
        Err(codes::INVALID_CONTENT.with(["The request content is not an object"]))
    }
}

/// PUT: judged, written down, begun; answered with the end when that comes at once.
pub(super) async fn put(
    arm: &Arm,
    cx: &Cx,
    permit: Permit,
    (id, of): (&ResourceId, &Type),
    (asked, note): (&Asked, &Note),
    body: Body,
) -> Result<Reply> {
    let source = read(asked, body).await?;
    let prepared = prepare::prepared(arm, cx, permit.caller(), id, &source, None).await?;
    let is_new = begin(cx, permit.caller(), (id, of), prepared, Some(note)).await?;
    let running = tokio::spawn(run::to_the_end(*arm, cx.clone(), id.clone()));
    // Too late is no failure: the answer then says how to follow the rest.
    let _ = tokio::time::timeout(PATIENCE, running).await;
    let deployment = cx.read(|txn| found(txn, id)).await?;
    let status = if is_new { 201 } else { 200 };
    Ok(match deployment.state.is_terminal() && deployment.state != State::Failed {
        true => Reply::json(status, &shown::deployment(&deployment)),
        // A failure is told by the status: an answer that carried it would look like a refused request.
        false => {
            let reply = Reply::json(status, &shown::begun(&deployment));
            let link = shown::status_link(&asked.origin, id, &deployment, &asked.requested);
            reply.with("Azure-AsyncOperation", &link).with("Retry-After", durations::SOON)
        }
    })
}

/// The name of a deployment above a group belongs to one location.
fn stays(id: &ResourceId, there: Option<&str>, asked: Option<&str>) -> Result<()> {
    match (there, asked) {
        (Some(there), Some(asked)) if locations::normalize(there) != locations::normalize(asked) => {
            Err(codes::DEPLOYMENT_ELSEWHERE.with([asked, id.name(), there]))
        }
        _ => Ok(()),
    }
}

/// Writes the deployment down; without a note, as a step of another one or of a stack. Says whether there was none of its name.
async fn begin(
    cx: &Cx,
    caller: &Caller,
    (id, of): (&ResourceId, &Type),
    prepared: Prepared,
    note: Option<&Note>,
) -> Result<bool> {
    let Some(who) = caller.principal() else { return Err((&codes::NO_AUTHORIZATION).into()) };
    write::check_name_of(id, of)?;
    let draw = cx.draw();
    let now = cx.now;
    let (providers, dependencies) = (shown::providers(&prepared.plan), shown::dependencies(&prepared.plan));
    cx.write(|txn| {
        let mut draw = draw.clone();
        locked::check(txn, Doing::Writing, (id, of))?;
        write::group_is_there(txn, id)?;
        let before = stored::get(txn, id)?;
        if let Some(active) = before.as_ref().filter(|it| !it.state.is_terminal()) {
            return Err(codes::DEPLOYMENT_ACTIVE.with([id.name(), &active.started.iso()]));
        }
        stays(id, before.as_ref().and_then(|it| it.location.as_deref()), prepared.location.as_deref())?;
        let deployment = Deployment {
            id: id.clone(),
            group_created: resources::group(txn, id)?.map(|it| it.created),
            location: prepared.location.clone(),
            tags: prepared.tags.clone(),
            deployer: who.object_id,
            correlation: cx.correlation_id,
            operation: draw.guid(),
            is_nested: note.is_none(),
            mode: prepared.mode,
            template_hash: prepared.template_hash.clone(),
            link: prepared.link.clone(),
            parameters: prepared.plan.shown_parameters(),
            providers: providers.clone(),
            dependencies: dependencies.clone(),
            started: now,
            changed: now,
            state: State::Accepted,
            outputs: None,
            resources: prepared.plan.resources.iter().map(|it| it.id.clone()).collect(),
            rollback: prepared.rollback.clone(),
            error: None,
        };
        let step = |it: &Planned| Step {
            operation: draw.guid(),
            id: it.id.clone(),
            resource_type: it.resource_type.clone(),
            name: it.name.clone(),
            state: State::Accepted,
            started: now,
            changed: now,
            status: "OK".to_owned(),
            error: None,
        };
        let steps: Vec<Step> = prepared.plan.resources.iter().map(step).collect();
        stored::begin(txn, &deployment, &prepared.plan, &prepared.template, &steps)?;
        let operation = Operation::new(deployment.operation, id, Gives::Nothing, now).by(Some(who.object_id));
        operations::begin(txn, &operation)?;
        if let Some(note) = note {
            note.done(txn, if before.is_none() { 201 } else { 200 }, Some(operation.id))?;
        }
        Ok(before.is_none())
    })
    .await
}

/// A deployment that is a step of another one: carried to its end here. One that was under way goes on.
async fn nested(
    arm: Arm,
    cx: &Cx,
    caller: &Caller,
    (planned, body): (&Planned, &Value),
    parent: &Deployment,
) -> Result<u16, (u16, Value)> {
    let failed = |error: Error| (error.row.status, rendered(&error));
    let id = ResourceId::parse(&planned.id)
        .map_err(|why| failed(codes::INVALID_PATH.with([planned.id.clone(), why.to_string()])))?;
    let id = arm.types.spelled(&id);
    let of = arm.types.of(&id).map_err(failed)?;
    let present = cx.read(|txn| stored::get(txn, &id)).await.map_err(failed)?;
    let goes_on = present
        .is_some_and(|it| !it.state.is_terminal() && it.is_nested && it.correlation == parent.correlation);
    if !goes_on {
        let source = Source { value: body.clone(), places: Places::default() };
        let cx = Cx { correlation_id: parent.correlation, ..cx.clone() };
        let prepared =
            prepare::prepared(&arm, &cx, caller, &id, &source, parent.link.as_ref()).await.map_err(failed)?;
        begin(&cx, caller, (&id, &of), prepared, None).await.map_err(failed)?;
    }
    run::to_the_end(arm, cx.clone(), id.clone()).await;
    let ended = cx.read(|txn| found(txn, &id)).await.map_err(failed)?;
    match (ended.state, ended.error) {
        (State::Succeeded, _) => Ok(200),
        (_, Some(error)) => Err((409, error)),
        (state, None) => Err(failed(codes::TERMINAL_STATE.with([id.as_str(), state.as_str()]))),
    }
}

/// `validate` and `whatIf`: a deployment judged and not begun.
pub(super) async fn judged(
    arm: &Arm,
    cx: &Cx,
    permit: Permit,
    (id, verb): (&ResourceId, &Verb),
    asked: &Asked,
    body: Body,
) -> Result<Reply> {
    let source = read(asked, body).await?;
    let prepared = prepare::prepared(arm, cx, permit.caller(), id, &source, None).await?;
    if verb.name == WHAT_IF {
        let changes = what_if::changes(arm, cx, permit.caller(), id, &prepared).await?;
        let properties = json!({ "correlationId": cx.correlation_id, "changes": changes, "diagnostics": [] });
        return Ok(Reply::json(200, &json!({ "status": "Succeeded", "properties": properties })));
    }
    let plan = &prepared.plan;
    let properties = json!({
        "templateHash": prepared.template_hash,
        "parameters": plan.shown_parameters(),
        "mode": prepared.mode.as_str(),
        "provisioningState": "Succeeded",
        "timestamp": cx.now.iso(),
        "duration": "PT0S",
        "correlationId": cx.correlation_id,
        "providers": shown::providers(plan),
        "dependencies": shown::dependencies(plan),
        "validatedResources": shown::ids(plan),
    });
    Ok(Reply::json(200, &json!({ "id": id, "name": id.name(), "type": NAME, "properties": properties })))
}

/// The kind's row.
pub(super) const fn kind(versions: &'static [azure::api_version::ApiVersion]) -> Kind {
    // DELETE is followed by its 202: `az` takes no 200 (its SDK, deployments.begin_delete).
    Kind {
        actions: VERBS,
        answers: Answers::CreatedThenAsync,
        bad_name: Some(bad_name),
        ..Kind::extension("deployments", versions, &OWN)
    }
}

impl Arm {
    /// Goes on with every deployment and every stack that had not ended when the program did.
    pub async fn resume(&self, cx: &Cx) -> Result<()> {
        for id in cx.read(stored::unfinished).await? {
            tokio::spawn(run::to_the_end(*self, cx.clone(), id));
        }
        for id in cx.read(stacks::unfinished).await? {
            tokio::spawn(stacks::to_the_end(*self, cx.clone(), id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
