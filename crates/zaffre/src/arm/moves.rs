//! Moving resources from one group to another: `moveResources`, and `validateMoveResources`, which judges alone.
//!
//! A resource goes with everything inside it and with its identity: the principal is the same, and what names
//! the resource names it where it now is (`resources::moving`). Its users need not go along, since a cloud has one
//! subscription; Azure demands that between subscriptions. Roles that were given at it do not follow, and locks
//! stand in the way (arm.md §9). What a product keeps beside the row is its kind's to move (`Kind::moves`).
//!
//! The move is done when it is answered; its `Location` says so with 204, as the platform's does in the end. A
//! virtual machine that runs is begun anew under its new id.

use azure::{action::Action, error::Result, ids::ResourceId};
use serde_json::Value;

use super::{
    codes, content,
    kind::{Answer, Call, Follow, Moves, linked},
    locked, own,
    types::{Type, Types},
    write,
};
use crate::{
    resources::{
        self, Resource, State,
        locks::Doing,
        moving::{self, Move},
        operations::{self, Gives, Operation},
    },
    store::Txn,
};

/// Documented: "Move resources", the number of one request.
const MOST: usize = 800;
const MOVE: &str = "Microsoft.Resources/subscriptions/resourceGroups/moveResources/action";
const WRITE: Action = Action::of("Microsoft.Resources/subscriptions/resourceGroups/write");

/// One resource, where it is, and where it goes.
struct Step {
    of: Type,
    from: ResourceId,
    to: ResourceId,
}

pub(super) fn carry_out(types: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let steps = judged(types, call)?;
    let (etag, now) = (call.draw.guid(), call.cx.now);
    for step in &steps {
        let moved = Move { from: &step.from, to: &step.to };
        let inside = resources::within(call.txn, &step.from, None, usize::MAX)?;
        for child in inside {
            let Some(to) = moved.of(&child.id) else { continue };
            beside(call, &types.of(&child.id)?, &Move { from: &child.id, to: &to })?;
        }
        beside(call, &step.of, &moved)?;
        moving::rows(call.txn, &moved, (etag, now))?;
    }
    accepted(call)
}

/// What the kind keeps elsewhere.
fn beside(call: &mut Call<'_>, of: &Type, moved: &Move<'_>) -> Result<()> {
    match of.kind.moves {
        Moves::With(along) => along(call.cx, call.txn, moved),
        Moves::Freely | Moves::Never | Moves::NotYet => Ok(()),
    }
}

pub(super) fn validate(types: &Types, call: &mut Call<'_>) -> Result<Answer> {
    judged(types, call)?;
    accepted(call)
}

fn accepted(call: &mut Call<'_>) -> Result<Answer> {
    let who = call.permit.caller().principal().map(|it| it.object_id);
    let group = own::scope_of(call.id);
    let operation = Operation::new(call.draw.guid(), &group, Gives::NoContent, call.cx.now).by(who).done();
    operations::begin(call.txn, &operation)?;
    Ok(Answer::begun(operation.id, Follow::Location))
}

/// What is to be moved where, if all of it may be.
fn judged(types: &Types, call: &mut Call<'_>) -> Result<Vec<Step>> {
    let source = group(call.txn, &own::scope_of(call.id))?;
    let target = target(types, call, &source)?;
    let wanted = asked(call.body)?;
    for group in [&source.id, &target] {
        locked::check(call.txn, Doing::Writing, (group, &types.of(group)?))?;
    }
    let mut steps: Vec<Step> = Vec::new();
    for text in wanted {
        let step = step(types, call.txn, (&source.id, &target), text)?;
        if steps.iter().any(|it| it.from == step.from) {
            return Err(invalid(&format!("the resource '{}' is named twice", step.from)));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn invalid(why: &str) -> azure::error::Error {
    codes::INVALID_MOVE.with([why])
}

fn group(txn: &Txn, id: &ResourceId) -> Result<Resource> {
    write::group_is_there(txn, id)?;
    resources::get(txn, id)?.ok_or_else(|| write::absent(id))
}

/// The group that they go to: another one, there, in which the caller may write.
fn target(types: &Types, call: &mut Call<'_>, source: &Resource) -> Result<ResourceId> {
    let text = content::text(call.body, "targetResourceGroup")?.unwrap_or_default();
    let id = ResourceId::parse(&text).ok().filter(|it| it.group_scope().as_ref() == Some(it));
    let id = id.ok_or_else(|| invalid("'targetResourceGroup' is not the id of a resource group"))?;
    if id.subscription() != Some(call.cx.cloud.charter.subscription) {
        return Err(codes::SUBSCRIPTION_NOT_FOUND.with([id.segments().nth(1).unwrap_or_default()]));
    }
    let id = types.spelled(&id);
    linked(call.cx, call.txn, call.permit, (MOVE, &source.id), vec![(WRITE, id.clone())])?;
    if id == source.id {
        return Err(invalid("the source and the target resource group are the same"));
    }
    Ok(group(call.txn, &id)?.id)
}

fn asked(body: &Value) -> Result<Vec<&str>> {
    let list = body.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() || list.len() > MOST {
        return Err(invalid(&format!("'resources' names from one to {MOST} resources")));
    }
    list.iter().map(|it| it.as_str().ok_or_else(|| invalid("'resources' holds ids"))).collect()
}

fn step(types: &Types, txn: &Txn, (source, target): (&ResourceId, &ResourceId), text: &str) -> Result<Step> {
    let id =
        ResourceId::parse(text).map_err(|_| invalid(&format!("'{text}' is not the id of a resource")))?;
    if id.group_scope().as_ref() != Some(source) || id.namespace().is_none() {
        return Err(invalid(&format!("the resource '{id}' is not in the source resource group")));
    }
    if id.parent().as_ref() != Some(source) {
        return Err(invalid(&format!("the resource '{id}' is part of another one, with which it moves")));
    }
    let of = types.of(&id)?;
    let Some(resource) = resources::get(txn, &id)? else { return Err(write::absent(&types.spelled(&id))) };
    match of.kind.moves {
        Moves::Freely | Moves::With(_) => {}
        Moves::Never => return Err(codes::MOVE_NOT_SUPPORTED.with([&of.name])),
        Moves::NotYet => return Err(codes::not_implemented(format!("{}/move", of.name))),
    }
    if resource.state != State::Succeeded {
        return Err(codes::MOVE_STATE.with([id.as_str(), resource.state.as_str()]));
    }
    locked::check(txn, Doing::Writing, (&resource.id, &of))?;
    locked::check(txn, Doing::Deleting, (&resource.id, &of))?;
    let to =
        Move { from: source, to: target }.of(&resource.id).ok_or_else(|| invalid("an id is too long"))?;
    if resources::rows::exists(txn, &to)? {
        return Err(codes::MOVE_TAKEN.with([to.as_str()]));
    }
    Ok(Step { of, from: resource.id, to })
}
