//! DELETE, and everything that goes along.

use std::sync::LazyLock;

use azure::{
    action::Action,
    error::Result,
    ids::{Guid, ResourceId},
    rbac::{Access, Plane},
};
use serde_json::Value;

use super::{
    answer, codes,
    durations::{self, Doing},
    kind::{Edit, Gone, Provider, Removal},
    locked,
    types::{Type, Types},
    write::{self, Write},
};
use crate::{
    access::{Permit, denials},
    cloud::Draw,
    resources::{
        self, Resource, State, locks,
        operations::{self, Gives, Operation, Status},
        removal,
    },
    service::Cx,
    store::Txn,
};

/// What became of a deletion.
pub(super) enum Removed {
    /// There was nothing.
    Nothing,
    Gone {
        /// The operation that tells of it; it may still be running.
        operation: Guid,
        location: Option<String>,
        /// What was there, where its kind shows it.
        shown: Option<Value>,
        /// Whether it goes on behind the answer, since the platform would take its time.
        lasts: bool,
    },
}

impl Removed {
    fn lasts(&self) -> bool {
        matches!(self, Removed::Gone { lasts: true, .. })
    }
}

/// Deletes a resource with everything inside it, through each kind's own `delete`, in one transaction.
/// `write` carries the target and the conditions; its body is not read.
pub(super) async fn delete(types: &Types, cx: &Cx, permit: &Permit, write: &Write<'_>) -> Result<Removed> {
    let draw = cx.draw();
    let removed = cx
        .write(|txn| {
            locked::check(txn, locks::Doing::Deleting, (write.id, write.of))?;
            if !write.of.is_group() {
                write::group_is_there(txn, write.id)?;
            }
            let asked = (write.version, write.origin);
            write::parents_are_there(types, cx, txn, write.id, asked, "delete")?;
            let removed = match write.of.kind.own {
                Some(_) => delete_own(types, cx, txn, permit, &mut draw.clone(), write),
                None => delete_row(types, cx, txn, permit, &mut draw.clone(), write),
            }?;
            let (status, begun) = match (&removed, answer::of_removal(write.of, removed.lasts())) {
                (Removed::Nothing, _) => (204, None),
                (Removed::Gone { operation, .. }, (status, true)) => (status, Some(*operation)),
                (Removed::Gone { .. }, (status, false)) => (status, None),
            };
            write.note.done(txn, status, begun)?;
            Ok(removed)
        })
        .await?;
    types.providers().flat_map(|provider| provider.kinds).for_each(|kind| (kind.sweep)(cx));
    Ok(removed)
}

fn delete_row(
    types: &Types,
    cx: &Cx,
    txn: &mut Txn,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
) -> Result<Removed> {
    let Some(resource) = resources::get(txn, write.id)? else {
        return if write.of.is_group() { Err(write::absent(write.id)) } else { Ok(Removed::Nothing) };
    };
    write.preconditions.check(Some(resource.etag))?;
    let location = resource.location.clone();
    let lasting = durations::of_write(cx, write.of, Doing::Deleting);
    let gone = |operation| Removed::Gone { operation, location, shown: None, lasts: lasting.is_some() };
    if let (State::Deleting, Some(operation)) = (resource.state, resource.operation) {
        return Ok(gone(operation));
    }
    let who = permit.caller().principal().map(|it| it.object_id);
    let operation = Operation::new(draw.guid(), &resource.id, Gives::Nothing, cx.now).by(who);
    if let Some(running) = resource.operation {
        operations::finish(txn, running, Status::Canceled, cx.now)?;
    }
    operations::begin(txn, &operation)?;
    if let Some(lasting) = lasting {
        operations::hold(txn, operation.id, cx.now.plus(lasting))?;
    }
    let mut also = Vec::new();
    let all = resources::within(txn, &resource.id, None, usize::MAX)?;
    check_denied(types, cx, txn, permit, &all)?;
    for inside in all.into_iter().rev() {
        take(cx, txn, draw, &types.of(&inside.id)?, inside, (write.id, &[], &mut also))?;
    }
    let resource = Resource { operation: Some(operation.id), ..resource };
    take(cx, txn, draw, write.of, resource, (write.id, write.query, &mut also))?;
    while let Some(next) = also.pop() {
        if let Some(next) = resources::get(txn, &next)? {
            let of = types.of(&next.id)?;
            locked::check(txn, locks::Doing::Deleting, (&next.id, &of))?;
            take(cx, txn, draw, &of, next, (write.id, &[], &mut also))?;
        }
    }
    Ok(gone(operation.id))
}

/// What goes with its group, or with its parent, is not to be deleted where a deny assignment forbids that.
fn check_denied(types: &Types, cx: &Cx, txn: &Txn, permit: &Permit, inside: &[Resource]) -> Result<()> {
    let denials = denials::all(txn)?;
    let is_denied = |it: &&Resource| denials.iter().any(|denial| denial.scope.holds(&it.id));
    for resource in inside.iter().filter(is_denied) {
        let action = types.of(&resource.id)?.action("delete");
        let access = Access::to(Action::from(action), resource.id.clone(), Plane::Control);
        permit.also(cx, txn, vec![access])?.map_err(|refusal| codes::refused(&refusal))?;
    }
    Ok(())
}

/// Takes away what goes along with something that a kind's worker ended, with everything inside it, through each kind's own
/// `delete`. What is locked or in use stays.
pub(crate) fn along(
    cx: &Cx,
    txn: &mut Txn,
    draw: &mut Draw,
    providers: &'static [&'static Provider],
    (whole, mut also): (&ResourceId, Vec<ResourceId>),
) -> Result<()> {
    let types = Types::new(providers);
    while let Some(id) = also.pop() {
        let Some(resource) = resources::get(txn, &id)? else { continue };
        if locked::check(txn, locks::Doing::Deleting, (&id, &types.of(&id)?)).is_err() {
            continue;
        }
        let inside = resources::within(txn, &id, None, usize::MAX)?;
        for next in inside.into_iter().rev().chain([resource]) {
            let of = types.of(&next.id)?;
            match take(cx, txn, draw, &of, next, (whole, FORCED.as_slice(), &mut also)) {
                Err(error) if error.row.status >= 500 => return Err(error),
                Err(_) | Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// The query of a deletion that nobody is asked about any more.
static FORCED: LazyLock<[(String, String); 1]> =
    LazyLock::new(|| [("forceDeletion".to_owned(), "true".to_owned())]);

/// Takes one resource away, or marks it for its kind's worker.
fn take(
    cx: &Cx,
    txn: &mut Txn,
    draw: &mut Draw,
    of: &Type,
    mut resource: Resource,
    (whole, query, also): (&ResourceId, &[(String, String)], &mut Vec<ResourceId>),
) -> Result<()> {
    let operation = match resource.operation.filter(|_| resource.state != State::Deleting) {
        Some(operation) => operation,
        None => draw.guid(),
    };
    let mut removal = Removal { cx, txn, draw, resource: &resource, whole, also, query, operation };
    let gone = (of.kind.delete)(&mut removal)?;
    let is_held = operations::is_held(txn, operation)?;
    if gone == Gone::Now && is_held {
        operations::finish(txn, operation, Status::Succeeded { output: None }, cx.now)?;
    }
    if gone == Gone::Now && !is_held && (!of.is_group() || is_empty(txn, &resource.id)?) {
        denials::forget_on(txn, &resource.id)?;
        return removal::complete(txn, &resource, cx.now);
    }
    resource.state = State::Deleting;
    resource.operation = Some(operation);
    resources::put(txn, &resource)
}

fn is_empty(txn: &Txn, id: &ResourceId) -> Result<bool> {
    Ok(resources::within(txn, id, None, 1)?.is_empty())
}

fn delete_own(
    types: &Types,
    cx: &Cx,
    txn: &mut Txn,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
) -> Result<Removed> {
    let own = write.of.kind.own.expect("the caller looked");
    let (action, operation) = (write.of.action("delete"), draw.guid());
    let mut edit = Edit {
        cx,
        txn,
        permit,
        draw,
        id: write.id,
        version: write.version,
        query: write.query,
        body: &Value::Null,
        origin: write.origin,
        action: &action,
    };
    write.preconditions.check((own.get)(&edit.look())?.map(|_| Guid::default()).or(Some(Guid::default())))?;
    let Some(was) = (own.delete)(&mut edit)? else { return Ok(Removed::Nothing) };
    // Documents that nobody provides may lie inside.
    let mut also = Vec::new();
    for inside in resources::within(txn, write.id, None, usize::MAX)?.into_iter().rev() {
        take(cx, txn, draw, &types.of(&inside.id)?, inside, (write.id, &[], &mut also))?;
    }
    let who = permit.caller().principal().map(|it| it.object_id);
    operations::begin(txn, &Operation::new(operation, write.id, Gives::Nothing, cx.now).by(who).done())?;
    let lasting = durations::of_write(cx, write.of, Doing::Deleting);
    if let Some(lasting) = lasting {
        operations::hold(txn, operation, cx.now.plus(lasting))?;
    }
    let location = resources::group(txn, write.id)?.and_then(|it| it.location);
    Ok(Removed::Gone {
        operation,
        location,
        shown: own.delete_shows.then_some(was),
        lasts: lasting.is_some(),
    })
}
