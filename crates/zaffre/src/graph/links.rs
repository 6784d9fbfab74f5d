//! Owners, members, memberships, managers, application roles.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask},
    codes, lists,
    objects::{self, Object, Set},
    permissions::{Area, Change},
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

/// The links that lead from an object to others.
static NAVIGATION: &[(&[Set], &str, Step)] = &[
    (&[Set::Applications, Set::ServicePrincipals, Set::Groups], "owners", links::owners),
    (&[Set::ServicePrincipals, Set::Users], "ownedObjects", links::owned),
    (&[Set::Groups], "members", groups::members),
    (&[Set::Groups], "transitiveMembers", groups::transitive_members),
    (&[Set::ServicePrincipals, Set::Users, Set::Groups], "memberOf", groups::direct),
    (&[Set::ServicePrincipals, Set::Users, Set::Groups], "transitiveMemberOf", groups::of),
    (&[Set::Users], "directReports", links::direct_reports),
];

/// The step that a link's name means, from an object of this type.
pub(super) fn navigation(from: Set, name: &str) -> Option<Step> {
    let row =
        NAVIGATION.iter().find(|(sets, known, _)| sets.contains(&from) && known.eq_ignore_ascii_case(name));
    row.map(|(_, _, step)| *step)
}

/// The objects that the path's last word leads to from the one that is named.
pub(super) fn follow(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    let name = ask.last();
    let step = navigation(object.set(), name).ok_or_else(|| codes::SEGMENT_NOT_FOUND.with([name]))?;
    let mut found = Vec::new();
    for id in step(txn, object.id())? {
        found.extend(objects::any(txn, id)?);
    }
    lists::typed(ask, txn, found)
}

pub(super) fn manager(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let user = objects::named(ask, txn)?;
    let manager = links::manager(txn, user.id())?;
    let manager = manager.map(|id| objects::any(txn, id)).transpose()?.flatten();
    let manager = manager.ok_or_else(|| codes::OBJECT_NOT_FOUND.with(["manager"]))?;
    let Value::Object(typed) = manager.typed(ask, txn)? else { return Ok(Answer::Empty) };
    Ok(ask.entity(200, "directoryObjects", typed))
}

pub(super) fn set_manager(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let user = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(user.id()))?;
    let manager = referred(txn, ask.text("@odata.id").unwrap_or_default(), "manager")?;
    links::set_manager(txn, user.id(), Some(manager.id()))?;
    Ok(Answer::Empty)
}

pub(super) fn remove_manager(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let user = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(user.id()))?;
    links::set_manager(txn, user.id(), None)?;
    Ok(Answer::Empty)
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
    ask.may_change(txn, Change::Of(object.id()))?;
    let other = referred(txn, ask.text("@odata.id").unwrap_or_default(), property)?;
    match link(txn, object.id(), other.id())? {
        true => Ok(Answer::Empty),
        false => Err(codes::LINKED_ALREADY.with([property])),
    }
}

fn part(ask: &Ask<'_>, txn: &mut Txn, unlink: Link) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(object.id()))?;
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

fn shown(txn: &Txn, it: &AppRoleAssignment) -> Result<Map<String, Value>> {
    let principal = objects::any(txn, it.principal)?;
    let kind = principal.as_ref().map(|it| it.set().resource());
    let name = |object: Option<Object>| match object? {
        Object::Application(it) => Some(it.display_name),
        Object::ServicePrincipal(it) => Some(it.display_name),
        Object::User(it) => Some(it.display_name),
        Object::Group(it) => Some(it.display_name),
    };
    let all = json!({
        "id": it.id,
        "deletedDateTime": null,
        "appRoleId": it.app_role,
        "createdDateTime": it.created.iso_seconds(),
        "principalDisplayName": name(principal),
        "principalId": it.principal,
        "principalType": kind,
        "resourceDisplayName": name(objects::any(txn, it.resource)?),
        "resourceId": it.resource,
    });
    Ok(all.as_object().cloned().unwrap_or_default())
}

pub(super) fn app_role_assignments(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    let all = links::assignments(txn, object.id())?;
    let all = all.iter().map(|it| shown(txn, it)).collect::<Result<_>>()?;
    lists::plain(ask, &format!("{}('{}')/appRoleAssignments", object.set().name(), object.id()), all)
}

pub(super) fn app_role_assigned_to(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let id = objects::named(ask, txn)?.id();
    let all = links::assigned_to(txn, id)?;
    let all = all.iter().map(|it| shown(txn, it)).collect::<Result<_>>()?;
    lists::plain(ask, &format!("servicePrincipals('{id}')/appRoleAssignedTo"), all)
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
    ask.may_change_any(txn, Area::AppRoles)?;
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
    Ok(ask.entity(201, "appRoleAssignments", shown(txn, &assignment)?))
}

/// The role is one that the resource offers, by itself or by its application, or no role at all: mere access.
fn check_role(txn: &Txn, resource: &ServicePrincipal, role: Guid) -> Result<()> {
    let application = applications::get(txn, resource.app_id)?;
    let document = application.as_ref().map_or(&resource.document, |it| &it.document);
    let offered = document.get("appRoles").and_then(Value::as_array);
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
    ask.may_change_any(txn, Area::AppRoles)?;
    links::unassign(txn, &found)?;
    Ok(Answer::Empty)
}
