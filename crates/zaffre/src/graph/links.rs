//! Owners, members, memberships, application roles.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};
use serde_json::{Value, json};

use super::{
    ask::{Answer, Ask},
    codes,
    objects::{self, Object},
};
use crate::{
    cloud::Draw,
    directory::{
        ServicePrincipal, applications, groups,
        links::{self, AppRoleAssignment},
        service_principals,
    },
    store::Txn,
};

/// Joins the second object to the first; `false` where they are joined.
pub(super) type Link = fn(&mut Txn, ObjectId, ObjectId) -> Result<bool>;
type Step = fn(&Txn, ObjectId) -> Result<Vec<ObjectId>>;

/// The objects that a step leads to from the one that is named.
fn listed(ask: &Ask<'_>, txn: &Txn, step: Step) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    let mut found = Vec::new();
    for id in step(txn, object.id())? {
        let other = objects::any(txn, id)?;
        let is_taken = |it: &Object| ask.query.takes(&it.whole(&ask.cx.cloud.charter));
        found.extend(other.filter(is_taken).map(|it| it.typed(ask)));
    }
    Ok(ask.all("directoryObjects", found))
}

pub(super) fn owners(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, links::owners)
}

pub(super) fn owned(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, links::owned)
}

pub(super) fn members(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, groups::members)
}

pub(super) fn transitive_members(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, groups::transitive_members)
}

pub(super) fn member_of(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, groups::direct)
}

pub(super) fn transitive_member_of(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, groups::of)
}

/// The object that `https://graph.microsoft.com/v1.0/directoryObjects/{id}` names; any collection will do.
pub(super) fn referred(txn: &Txn, reference: &str, property: &str) -> Result<Object> {
    let id = reference.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let bad = || codes::NO_REFERENCE.with([property]);
    let id: Guid = id.parse().map_err(|_| bad())?;
    objects::any(txn, ObjectId(id))?.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([id.to_string()]))
}

fn join(ask: &Ask<'_>, txn: &mut Txn, property: &'static str, link: Link) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Some(object.id()))?;
    let other = referred(txn, ask.text("@odata.id").unwrap_or_default(), property)?;
    match link(txn, object.id(), other.id())? {
        true => Ok(Answer::Empty),
        false => Err(codes::LINKED_ALREADY.with([property])),
    }
}

fn part(ask: &Ask<'_>, txn: &mut Txn, unlink: Link) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Some(object.id()))?;
    let key = ask.key(1)?;
    let absent = || codes::OBJECT_NOT_FOUND.with([&key]);
    let other = ObjectId(key.parse().map_err(|_| absent())?);
    match unlink(txn, object.id(), other)? {
        true => Ok(Answer::Empty),
        false => Err(absent()),
    }
}

pub(super) fn add_owner(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    join(ask, txn, "owners", links::add_owner)
}

pub(super) fn remove_owner(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    part(ask, txn, links::remove_owner)
}

pub(super) fn add_member(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    join(ask, txn, "members", groups::add)
}

pub(super) fn remove_member(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    part(ask, txn, groups::remove)
}

pub(super) fn get_member_groups(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let ids = groups::of(txn, objects::named(ask, txn)?.id())?;
    Ok(ask.all("Collection(Edm.String)", ids.iter().map(|id| json!(id)).collect()))
}

/// Those of the given groups that it is in.
pub(super) fn check_member_groups(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let ids = groups::of(txn, objects::named(ask, txn)?.id())?;
    let asked = ask.body.get("groupIds").or_else(|| ask.body.get("ids")).and_then(Value::as_array);
    let asked = asked.ok_or_else(|| codes::MISSING.with(["groupIds", "checkMemberGroups"]))?;
    let is_in = |it: &&Value| {
        it.as_str().and_then(|it| it.parse().ok()).is_some_and(|id: Guid| ids.contains(&ObjectId(id)))
    };
    Ok(ask.all("Collection(Edm.String)", asked.iter().filter(is_in).cloned().collect()))
}

fn service_principal(txn: &Txn, id: ObjectId) -> Result<ServicePrincipal> {
    service_principals::get(txn, id)?.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([id.to_string()]))
}

fn shown(txn: &Txn, it: &AppRoleAssignment) -> Result<Value> {
    let principal = objects::any(txn, it.principal)?;
    let kind = principal.as_ref().map(|it| it.set().resource());
    let name = |object: Option<Object>| match object? {
        Object::Application(it) => Some(it.display_name),
        Object::ServicePrincipal(it) => Some(it.display_name),
        Object::User(it) => Some(it.display_name),
        Object::Group(it) => Some(it.display_name),
    };
    Ok(json!({
        "id": it.id,
        "deletedDateTime": null,
        "appRoleId": it.app_role,
        "createdDateTime": it.created.iso_seconds(),
        "principalDisplayName": name(principal),
        "principalId": it.principal,
        "principalType": kind,
        "resourceDisplayName": name(objects::any(txn, it.resource)?),
        "resourceId": it.resource,
    }))
}

pub(super) fn app_role_assignments(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    let all = links::assignments(txn, object.id())?;
    let all = all.iter().map(|it| shown(txn, it)).collect::<Result<_>>()?;
    Ok(ask.all(&format!("{}('{}')/appRoleAssignments", object.set().name(), object.id()), all))
}

pub(super) fn app_role_assigned_to(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let id = objects::named(ask, txn)?.id();
    let all = links::assigned_to(txn, id)?;
    let all = all.iter().map(|it| shown(txn, it)).collect::<Result<_>>()?;
    Ok(ask.all(&format!("servicePrincipals('{id}')/appRoleAssignedTo"), all))
}

pub(super) fn assign_app_role(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    objects::named(ask, txn)?;
    let of = |name: &'static str| -> Result<Guid> {
        let text = ask.text(name).ok_or_else(|| codes::MISSING.with([name, "AppRoleAssignment"]))?;
        text.parse().map_err(|_| codes::WRONG_TYPE.with([name, "AppRoleAssignment"]))
    };
    let assignment = AppRoleAssignment {
        id: draw.guid(),
        app_role: of("appRoleId")?,
        principal: ObjectId(of("principalId")?),
        resource: ObjectId(of("resourceId")?),
        created: ask.cx.now,
    };
    let resource = service_principal(txn, assignment.resource)?;
    ask.may_change(txn, Some(resource.object_id))?;
    if objects::any(txn, assignment.principal)?.is_none() {
        return Err(codes::OBJECT_NOT_FOUND.with([assignment.principal.to_string()]));
    }
    check_role(txn, &resource, assignment.app_role)?;
    let same =
        |it: &AppRoleAssignment| it.app_role == assignment.app_role && it.principal == assignment.principal;
    if links::assigned_to(txn, resource.object_id)?.iter().any(same) {
        return Err((&codes::ROLE_ASSIGNED).into());
    }
    links::assign(txn, &assignment)?;
    let Value::Object(whole) = shown(txn, &assignment)? else { return Ok(Answer::Empty) };
    Ok(ask.entity(201, "appRoleAssignments", whole))
}

/// The role is one that the resource's application offers, or no role at all: mere access.
fn check_role(txn: &Txn, resource: &ServicePrincipal, role: Guid) -> Result<()> {
    let application = applications::get(txn, resource.app_id)?;
    let offered = application.as_ref().and_then(|it| it.document.get("appRoles")).and_then(Value::as_array);
    let is_offered = offered
        .into_iter()
        .flatten()
        .any(|it| it.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()) == Some(role));
    if is_offered || role == Guid([0; 16]) { Ok(()) } else { Err((&codes::NO_SUCH_ROLE).into()) }
}

pub(super) fn unassign_app_role(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let object = objects::named(ask, txn)?.id();
    let key = ask.key(1)?;
    let all = [links::assignments(txn, object)?, links::assigned_to(txn, object)?].concat();
    let found = all.into_iter().find(|it| Ok(it.id) == key.parse());
    let found = found.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key]))?;
    ask.may_change(txn, Some(found.resource))?;
    links::unassign(txn, &found)?;
    Ok(Answer::Empty)
}
