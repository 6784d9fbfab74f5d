//! PUT and PATCH: what every type shares, around what its kind decides.
//!
//! `put` is the one way in: for a request, and later for each step of a deployment. Everything
//! happens in one transaction: the checks of what must be there, the members that all types have, the
//! identity's principals, the linked checks, the kind's own judgement, the row, the operation.

use std::time::Duration;

use azure::{
    action::Action,
    api_version::ApiVersion,
    error::{Error, Result},
    identity::{self, Block, Desired},
    ids::{Guid, ResourceId},
    names::{self, BadName},
};
use serde_json::{Map, Value};

use super::{
    activity::Note,
    answer, codes, content, document, durations,
    kind::{Answers, Change, Edit, Located, Look, Patch, View, linked},
    location, locked, paths_of,
    precondition::Preconditions,
    providers, tags,
    types::{Type, Types},
};
use crate::{
    access::{Caller, Permit},
    cloud::Draw,
    resources::{
        self, Resource, State,
        identity::Owner,
        locks::Doing,
        operations::{self, Gives, Operation, Status},
    },
    service::Cx,
    store::Txn,
};

/// What is to be written.
pub(super) struct Write<'a> {
    pub id: &'a ResourceId,
    pub of: &'a Type,
    pub version: &'a ApiVersion,
    pub preconditions: &'a Preconditions,
    pub query: &'a [(String, String)],
    pub body: &'a Value,
    pub origin: &'a str,
    pub is_patch: bool,
    pub note: &'a Note,
}

/// What was written.
pub(super) struct Done {
    pub is_new: bool,
    /// As it is shown.
    pub document: Value,
    pub etag: Option<Guid>,
    pub location: Option<String>,
    pub state: State,
    /// The operation by which the end can be followed.
    pub operation: Guid,
}

/// Writes, waits the moment that the kind asks for, and shows what is there then.
pub(super) async fn put(types: &Types, cx: &Cx, permit: &Permit, write: &Write<'_>) -> Result<Done> {
    let draw = cx.draw();
    if write.of.kind.own.is_some() {
        return cx.write(|txn| put_own(types, cx, txn, permit, &mut draw.clone(), write)).await;
    }
    let row = |txn: &mut Txn| put_row(types, cx, txn, permit, &mut draw.clone(), write);
    let Some(settle) = write.of.kind.settle else {
        let write_and_show = |txn: &mut Txn| {
            let (is_new, resource) = row(txn)?;
            show(cx, txn, write, is_new, &resource)
        };
        return cx.write(write_and_show).await;
    };
    let (is_new, resource) = cx.write(row).await?;
    settle(cx, &resource.id).await;
    let show_now = |txn: &Txn| match resources::get(txn, write.id)? {
        Some(resource) => show(cx, txn, write, is_new, &resource),
        None => Err(absent(write.id)),
    };
    cx.read(show_now).await
}

fn show(cx: &Cx, txn: &Txn, write: &Write<'_>, is_new: bool, resource: &Resource) -> Result<Done> {
    let view = View { cx, txn, resource, version: write.version, query: &[], origin: write.origin };
    Ok(Done {
        is_new,
        document: document::whole(write.of, &view)?,
        etag: Some(resource.etag),
        location: resource.location.clone(),
        state: resource.state,
        operation: resource.operation.unwrap_or_default(),
    })
}

fn put_row(
    types: &Types,
    cx: &Cx,
    txn: &mut Txn,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
) -> Result<(bool, Resource)> {
    locked::check(txn, Doing::Writing, (write.id, write.of))?;
    let current = resources::get(txn, write.id)?;
    admit(types, cx, txn, write, current.is_some())?;
    let mut next = start(cx, permit, draw, write, current.as_ref())?;
    shared(txn, write, current.as_ref(), &mut next)?;
    let desired = desired_identity(write, current.as_ref())?;
    let wanted = demands(write, current.as_ref(), &next, desired.as_ref());
    let action = write.of.action("write");
    linked(cx, txn, permit, (&action, write.id), wanted)?;
    if let Some(desired) = desired {
        settle_identity(cx, txn, draw, write, current.as_ref(), &mut next, &desired)?;
    }
    let mut change = Change {
        cx,
        txn,
        permit,
        draw,
        version: write.version,
        current: current.as_ref(),
        next: &mut next,
        body: write.body,
        is_patch: write.is_patch,
        action: &action,
    };
    (write.of.kind.put)(&mut change)?;
    let lasting = lasting(cx, write, current.is_none());
    let was_done = next.state.is_terminal();
    if let Some((state, _)) = lasting.filter(|_| next.state == State::Succeeded) {
        next.state = state;
    }
    begin(cx, txn, permit, draw, write, current.as_ref(), &mut next)?;
    if let (Some((_, lasts)), Some(operation)) = (lasting, next.operation) {
        operations::hold(txn, operation, cx.now.plus(lasts))?;
        if was_done {
            operations::finish(txn, operation, Status::Succeeded { output: None }, cx.now)?;
        }
    }
    resources::put(txn, &next)?;
    let (status, is_followed) = answer::of_write(write.of, current.is_none(), next.state);
    write.note.done(txn, status, next.operation.filter(|_| is_followed))?;
    Ok((current.is_none(), next))
}

/// What state the platform would leave it in, and for how long.
fn lasting(cx: &Cx, write: &Write<'_>, is_new: bool) -> Option<(State, Duration)> {
    let (state, doing) = match is_new {
        true => (State::Creating, durations::Doing::Creating),
        false => (State::Updating, durations::Doing::Updating),
    };
    durations::of_write(cx, write.of, doing).map(|lasts| (state, lasts))
}

/// The resource as it was, ready to be changed, if it may be.
fn start(
    cx: &Cx,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
    current: Option<&Resource>,
) -> Result<Resource> {
    if write.is_patch && current.is_none() {
        return Err(absent(write.id));
    }
    write.preconditions.check(current.map(|it| it.etag))?;
    let mut next = current.cloned().unwrap_or_else(|| first(cx, permit, draw, write));
    if next.state == State::Deleting {
        return Err(codes::BUSY.with([write.id.as_str()]));
    }
    next.etag = draw.guid();
    next.changed = cx.now;
    // Work that is going on goes on; what ended badly may now end well.
    if next.state.is_terminal() {
        next.state = State::Succeeded;
    }
    Ok(next)
}

/// What must hold before a resource may be there at all: its name, its group, its parent.
fn admit(types: &Types, cx: &Cx, txn: &Txn, write: &Write<'_>, exists: bool) -> Result<()> {
    if !exists && !write.is_patch {
        check_name(write)?;
        providers::check_registered(txn, &write.of.name)?;
    }
    if !write.of.is_group() {
        group_is_there(txn, write.id)?;
    }
    let verb = if write.is_patch { "update" } else { "write" };
    parents_are_there(types, cx, txn, write.id, (write.version, write.origin), verb)
}

fn check_name(write: &Write<'_>) -> Result<()> {
    check_name_of(write.id, write.of)
}

/// The name is one that the type allows.
pub(super) fn check_name_of(id: &ResourceId, of: &Type) -> Result<()> {
    let name = id.name();
    names::rule(&of.name).check(name).map_err(|bad| match (of.kind.bad_name, bad) {
        (Some(own), bad) => own(name, &bad),
        (None, BadName::Characters(which)) if of.is_group() => codes::INVALID_GROUP_NAME.with([name, &which]),
        (None, BadName::Last(which)) if of.is_group() => {
            codes::INVALID_GROUP_NAME.with([name, &which.to_string()])
        }
        (None, bad) => codes::INVALID_NAME.with([name, &bad.to_string()]),
    })
}

/// The group that an id lies in is there and stays.
pub(super) fn group_is_there(txn: &Txn, id: &ResourceId) -> Result<()> {
    let Some(name) = id.resource_group() else { return Ok(()) };
    match resources::group(txn, id)? {
        None => Err(codes::GROUP_NOT_FOUND.with([name])),
        Some(group) if group.state == State::Deleting => Err(codes::GROUP_BEING_DELETED.with([name])),
        Some(_) => Ok(()),
    }
}

/// What a resource is inside of is there, whoever keeps it; the outermost that is not is named.
pub(super) fn parents_are_there(
    types: &Types,
    cx: &Cx,
    txn: &Txn,
    id: &ResourceId,
    (version, origin): (&ApiVersion, &str),
    verb: &str,
) -> Result<()> {
    let is_inside = |id: &ResourceId| id.names().len() > 1 && id.namespace().is_some();
    let Some(parent) = id.parent().filter(|_| is_inside(id)) else { return Ok(()) };
    parents_are_there(types, cx, txn, &parent, (version, origin), verb)?;
    let caller = &Caller::Anonymous;
    if is_there(types, &Look { cx, txn, caller, id: &parent, version, query: &[], origin })? {
        return Ok(());
    }
    let child = types.of(id)?.name;
    let child = child.split_once('/').map_or(child.as_str(), |(_, behind)| behind);
    Err(codes::PARENT_NOT_FOUND.with([verb, child, parent.as_str()]))
}

/// Whether a resource is there, whoever keeps it.
pub(super) fn is_there(types: &Types, look: &Look<'_>) -> Result<bool> {
    match types.of(look.id)?.kind.own {
        Some(own) => Ok((own.get)(look)?.is_some()),
        None => resources::rows::exists(look.txn, look.id),
    }
}

fn first(cx: &Cx, permit: &Permit, draw: &mut Draw, write: &Write<'_>) -> Resource {
    let mut resource = Resource::new(write.id.clone(), &write.of.name, draw.guid(), cx.now);
    resource.created_by = permit.caller().principal().map(|it| it.object_id);
    resource
}

/// The members that all types have.
fn shared(txn: &Txn, write: &Write<'_>, current: Option<&Resource>, next: &mut Resource) -> Result<()> {
    let body = write.body;
    if !write.is_patch || body.get("tags").is_some() {
        next.tags = content::map(body, "tags")?.map(tags::checked).transpose()?;
    }
    if write.is_patch && write.of.kind.patch == Patch::TagsOnly {
        return Ok(());
    }
    place(txn, write, current, next)?;
    if write.is_patch {
        return patch(body, next);
    }
    next.sku = content::map(body, "sku")?.map(Value::Object);
    next.kind = content::text(body, "kind")?;
    next.plan = body.get("plan").filter(|it| !it.is_null()).cloned();
    next.zones = body.get("zones").filter(|it| !it.is_null()).cloned();
    next.managed_by = content::text(body, "managedBy")?;
    next.properties = content::map(body, "properties")?.unwrap_or_default();
    same_state(current, &mut next.properties)
}

fn patch(body: &Value, next: &mut Resource) -> Result<()> {
    if let Some(sku) = content::map(body, "sku")? {
        let mut merged = next.sku.take().and_then(|it| it.as_object().cloned()).unwrap_or_default();
        content::merge(&mut merged, sku);
        next.sku = Some(Value::Object(merged));
    }
    if let Some(properties) = content::map(body, "properties")? {
        content::merge(&mut next.properties, properties);
        next.properties.shift_remove("provisioningState");
    }
    Ok(())
}

/// A client that sends the state back must have read the present one (arm.md §6).
fn same_state(current: Option<&Resource>, properties: &mut Map<String, Value>) -> Result<()> {
    let sent = properties.shift_remove("provisioningState");
    match (sent.as_ref().and_then(Value::as_str), current) {
        (Some(sent), Some(current)) if !sent.eq_ignore_ascii_case(current.state.as_str()) => {
            Err(codes::WRONG_STATE.with([sent, current.state.as_str()]))
        }
        _ => Ok(()),
    }
}

/// The location: given, inherited, and never another one.
fn place(txn: &Txn, write: &Write<'_>, current: Option<&Resource>, next: &mut Resource) -> Result<()> {
    let given = content::text(write.body, "location")?.filter(|it| !it.trim().is_empty());
    let given = match (write.of.kind.location, given) {
        (Located::Nowhere, _) | (_, None) => None,
        (_, Some(given)) => Some(location::checked(&given, &write.of.name)?),
    };
    let present = current.and_then(|it| it.location.clone());
    next.location = match (present, given, write.of.kind.location) {
        (Some(present), Some(given), _) if present != given => {
            return Err(elsewhere(write, &present, &given));
        }
        (Some(present), ..) => Some(present),
        (None, Some(given), _) => Some(given),
        (None, None, Located::Required) => return Err((&codes::LOCATION_REQUIRED).into()),
        (None, None, Located::Inherited) => inherited(txn, write.id)?,
        (None, None, Located::Optional | Located::Nowhere) => None,
    };
    Ok(())
}

fn inherited(txn: &Txn, id: &ResourceId) -> Result<Option<String>> {
    let parent = id.parent().map(|it| resources::get(txn, &it)).transpose()?.flatten();
    Ok(parent.and_then(|it| it.location))
}

fn elsewhere(write: &Write<'_>, present: &str, given: &str) -> Error {
    match write.of.is_group() {
        true => codes::GROUP_ELSEWHERE.with([given, present]),
        false => {
            let group = write.id.resource_group().unwrap_or_default();
            codes::RESOURCE_ELSEWHERE.with([write.id.name(), present, group, given])
        }
    }
}

/// Which identities there should be; none where the body does not say anything about them.
fn desired_identity(write: &Write<'_>, current: Option<&Resource>) -> Result<Option<Desired>> {
    if write.is_patch && write.of.kind.patch == Patch::TagsOnly {
        return Ok(None);
    }
    let shape = document::shape(write.of, write.version);
    let value = write.body.get("identity");
    let is_said = value.is_some_and(|it| !it.is_null());
    if is_said && write.of.is_known() && write.of.kind.identity.is_none() {
        return Err(codes::IDENTITY_NOT_SUPPORTED.with([&write.of.name]));
    }
    let invalid = |bad: identity::BadIdentity| codes::INVALID_IDENTITY.with([bad.to_string()]);
    let Some(block) = Block::parse(value, shape).map_err(invalid)? else { return Ok(None) };
    let present = current.and_then(|it| it.identity.as_ref()).map(|it| it.desired()).unwrap_or_default();
    let settle = if write.is_patch { identity::merge_patch } else { identity::put };
    settle(&present, Some(&block)).map(Some).map_err(invalid)
}

/// What it takes to put an identity on a resource.
pub(super) const ASSIGN: Action =
    Action::of("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action");

/// What else the caller must be allowed to do: with identities that are new, with what the body links.
fn demands(
    write: &Write<'_>,
    current: Option<&Resource>,
    next: &Resource,
    desired: Option<&Desired>,
) -> Vec<(Action, ResourceId)> {
    let present = current.and_then(|it| it.identity.as_ref()).map(|it| it.desired()).unwrap_or_default();
    let added = desired.map(|it| identity::added(&present, it)).unwrap_or_default();
    let mut wanted: Vec<_> = added.into_iter().map(|id| (ASSIGN, id.clone())).collect();
    for link in write.of.kind.links {
        let before = current.map(|it| paths_of(&it.properties, link.path)).unwrap_or_default();
        for id in paths_of(&next.properties, link.path) {
            if !before.contains(&id) {
                wanted.push((Action::of(link.action), id));
            }
        }
    }
    wanted
}

fn settle_identity(
    cx: &Cx,
    txn: &mut Txn,
    draw: &mut Draw,
    write: &Write<'_>,
    current: Option<&Resource>,
    next: &mut Resource,
    desired: &Desired,
) -> Result<()> {
    let owner = Owner { id: &next.id, tenant: cx.cloud.charter.tenant, now: cx.now };
    let named = named_identities(write.body);
    let current = current.and_then(|it| it.identity.as_ref());
    match resources::identity::settle(txn, draw, &owner, current, desired, |id| named.contains(id))? {
        Ok(identity) => next.identity = identity,
        Err(missing) => {
            return Err(codes::FAILED_IDENTITY_OPERATION.with([next.id.as_str(), missing.as_str()]));
        }
    }
    Ok(())
}

/// The identities that the body names, to have them: one that is named must be there.
fn named_identities(body: &Value) -> Vec<ResourceId> {
    let block = body.get("identity");
    let map = block.and_then(|it| it.get("userAssignedIdentities")).and_then(Value::as_object);
    let keys = map.into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(id, _)| id.as_str());
    let list = block.and_then(|it| it.get("identityIds")).and_then(Value::as_array);
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    keys.chain(list).filter_map(|id| ResourceId::parse(id).ok()).collect()
}

/// What is not done yet, or is answered as if it were not, leaves an operation behind. Where the
/// resource is just where a running one left it, that one goes on.
fn begin(
    cx: &Cx,
    txn: &mut Txn,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
    current: Option<&Resource>,
    next: &mut Resource,
) -> Result<()> {
    let is_done = next.state.is_terminal();
    let goes_on = current.is_some_and(|it| !is_done && it.state == next.state && it.operation.is_some());
    if goes_on {
        return Ok(());
    }
    let answers_later = match write.of.kind.answers {
        Answers::Immediate | Answers::Ok | Answers::CreatedThenAsync => false,
        Answers::AcceptedThenLocation | Answers::OkThenAsync | Answers::Enqueued => true,
    };
    if is_done && !answers_later {
        return Ok(());
    }
    let who = permit.caller().principal().map(|it| it.object_id);
    let operation = Operation::new(draw.guid(), &next.id, Gives::Resource, cx.now).by(who);
    let operation = if is_done { operation.done() } else { operation };
    next.operation = Some(operation.id);
    operations::begin(txn, &operation)
}

fn put_own(
    types: &Types,
    cx: &Cx,
    txn: &mut Txn,
    permit: &Permit,
    draw: &mut Draw,
    write: &Write<'_>,
) -> Result<Done> {
    let own = write.of.kind.own.expect("the caller looked");
    let id = write.id;
    locked::check(txn, Doing::Writing, (id, write.of))?;
    let look = Look {
        cx,
        txn,
        caller: permit.caller(),
        id,
        version: write.version,
        query: write.query,
        origin: write.origin,
    };
    let exists = (own.get)(&look)?.is_some();
    admit(types, cx, txn, write, exists)?;
    if write.is_patch && !exists {
        return Err(own.absent.map_or_else(|| absent(id), |absent| absent(id)));
    }
    write.preconditions.check(exists.then(Guid::default))?;
    content::map(write.body, "properties")?;
    let action = write.of.action("write");
    let operation = draw.guid();
    let mut edit = Edit {
        cx,
        txn,
        permit,
        draw,
        id,
        version: write.version,
        query: write.query,
        body: write.body,
        origin: write.origin,
        action: &action,
    };
    let written = match (write.is_patch, own.patch) {
        (false, _) => (own.put)(&mut edit)?,
        (true, Some(patch)) => patch(&mut edit)?,
        (true, None) => return Err(codes::METHOD_NOT_ALLOWED.with(["PATCH", id.as_str()])),
    };
    if write.of.kind.answers != Answers::Immediate {
        let who = permit.caller().principal().map(|it| it.object_id);
        operations::begin(txn, &Operation::new(operation, id, Gives::Resource, cx.now).by(who).done())?;
        if let Some((_, lasts)) = lasting(cx, write, written.is_new) {
            operations::hold(txn, operation, cx.now.plus(lasts))?;
        }
    }
    let (status, is_followed) = answer::of_write(write.of, written.is_new, State::Succeeded);
    write.note.done(txn, status, is_followed.then_some(operation))?;
    let location = resources::group(txn, id)?.and_then(|it| it.location);
    Ok(Done {
        is_new: written.is_new,
        document: written.body,
        etag: None,
        location,
        state: State::Succeeded,
        operation,
    })
}

/// 404 for a resource that is not there.
pub(super) fn absent(id: &ResourceId) -> Error {
    let behind: Vec<&str> = id.segments().collect();
    let at = behind.iter().rposition(|it| it.eq_ignore_ascii_case("providers")).map_or(0, |at| at + 1);
    // Azure writes the type whole and then the names: `Microsoft.Compute/virtualMachines/vm1/extensions/e`.
    let what = behind[at..].join("/");
    match (id.namespace(), id.resource_group()) {
        (None, Some(group)) => codes::GROUP_NOT_FOUND.with([group]),
        (Some(_), Some(group)) => codes::RESOURCE_NOT_FOUND.with([what.as_str(), group]),
        (_, None) => codes::RESOURCE_NOT_FOUND_OUTSIDE.with([what]),
    }
}
