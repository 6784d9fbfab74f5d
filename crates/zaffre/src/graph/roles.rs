//! Directory roles, by both of their interfaces: `directoryRoles` with members, and `roleManagement/directory` with
//! definitions and assignments. Every built-in role counts as activated, and its id is its template's; assignments are
//! for the whole directory. Custom roles and administrative units are not done.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    text,
};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask},
    codes, links, lists, objects,
    permissions::Area,
};
use crate::{
    cloud::Draw,
    directory::{
        self,
        roles::{self, DirectoryRole},
    },
    store::Txn,
};

const ASSIGNMENT: &str = "UnifiedRoleAssignment";

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn role(it: &DirectoryRole) -> Map<String, Value> {
    members(json!({
        "id": it.id,
        "deletedDateTime": null,
        "description": it.says,
        "displayName": it.name,
        "roleTemplateId": it.id,
    }))
}

fn template(it: &DirectoryRole) -> Map<String, Value> {
    members(json!({ "id": it.id, "deletedDateTime": null, "description": it.says, "displayName": it.name }))
}

fn definition(it: &DirectoryRole) -> Map<String, Value> {
    members(json!({
        "id": it.id,
        "description": it.says,
        "displayName": it.name,
        "isBuiltIn": true,
        "isEnabled": true,
        "resourceScopes": ["/"],
        "templateId": it.id,
        "version": "1",
        "rolePermissions": [],
    }))
}

fn assignment((principal, role): (ObjectId, Guid)) -> Map<String, Value> {
    members(json!({
        "id": text::base64url([principal.0.0, role.0].concat()),
        "principalId": principal,
        "directoryScopeId": "/",
        "roleDefinitionId": role,
    }))
}

/// The role that the path's first star names, by id or by `roleTemplateId=`.
fn named(ask: &Ask<'_>) -> Result<&'static DirectoryRole> {
    let key = ask.key(0)?;
    let id = key.strip_prefix("roleTemplateId=").unwrap_or(&key);
    let found = id.parse().ok().and_then(roles::find);
    found.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key.as_str()]))
}

fn id(it: &DirectoryRole) -> Guid {
    it.id.parse().expect("the table holds guids")
}

pub(super) fn list(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    lists::plain(ask, "directoryRoles", roles::ALL.iter().map(role).collect())
}

pub(super) fn get(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    Ok(ask.entity(200, "directoryRoles", role(named(ask)?)))
}

pub(super) fn templates(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    lists::plain(ask, "directoryRoleTemplates", roles::ALL.iter().map(template).collect())
}

pub(super) fn list_members(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let role = id(named(ask)?);
    let mut found = Vec::new();
    for (principal, _) in roles::all(txn)?.into_iter().filter(|(_, of)| *of == role) {
        found.extend(objects::any(txn, principal)?);
    }
    lists::typed(ask, txn, found)
}

pub(super) fn add_member(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Roles)?;
    let role = id(named(ask)?);
    let member = links::referred(txn, ask.text("@odata.id").unwrap_or_default(), "members")?.id();
    if roles::of(txn, member)?.contains(&role) {
        return Err(codes::LINKED_ALREADY.with(["members"]));
    }
    roles::give(txn, member, role)?;
    Ok(Answer::Empty)
}

pub(super) fn remove_member(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Roles)?;
    let role = id(named(ask)?);
    let key = ask.key(1)?;
    let member = key.parse().map(ObjectId).map_err(|_| codes::OBJECT_NOT_FOUND.with([&key]))?;
    take(txn, (member, role), &key)
}

fn take(txn: &mut Txn, (principal, role): (ObjectId, Guid), name: &str) -> Result<Answer> {
    if !roles::of(txn, principal)?.contains(&role) {
        return Err(codes::OBJECT_NOT_FOUND.with([name]));
    }
    roles::take(txn, principal, role)?;
    Ok(Answer::Empty)
}

pub(super) fn definitions(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    let all = roles::ALL.iter().map(definition).collect();
    lists::plain(ask, "roleManagement/directory/roleDefinitions", all)
}

pub(super) fn one_definition(ask: &Ask<'_>, _txn: &Txn) -> Result<Answer> {
    Ok(ask.entity(200, "roleManagement/directory/roleDefinitions", definition(named(ask)?)))
}

pub(super) fn assignments(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let all = roles::all(txn)?.into_iter().map(assignment).collect();
    lists::plain(ask, "roleManagement/directory/roleAssignments", all)
}

/// The assignment that the path's star names.
fn named_assignment(ask: &Ask<'_>, txn: &Txn) -> Result<(ObjectId, Guid)> {
    let key = ask.key(0)?;
    let found = roles::all(txn)?.into_iter().find(|it| assignment(*it)["id"] == key.as_str());
    found.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key]))
}

pub(super) fn one_assignment(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let found = assignment(named_assignment(ask, txn)?);
    Ok(ask.entity(200, "roleManagement/directory/roleAssignments", found))
}

pub(super) fn assign(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Roles)?;
    let of = |name: &'static str| -> Result<Guid> {
        let text = ask.text(name).ok_or_else(|| codes::MISSING.with([name, ASSIGNMENT]))?;
        text.parse().map_err(|_| codes::WRONG_TYPE.with([name, ASSIGNMENT]))
    };
    let (principal, role) = (ObjectId(of("principalId")?), of("roleDefinitionId")?);
    if ask.text("directoryScopeId") != Some("/") {
        return Err(codes::WRONG_TYPE.with(["directoryScopeId", ASSIGNMENT]));
    }
    if roles::find(role).is_none() {
        return Err(codes::OBJECT_NOT_FOUND.with([role.to_string()]));
    }
    if directory::get(txn, principal)?.is_none() {
        return Err(codes::OBJECT_NOT_FOUND.with([principal.to_string()]));
    }
    if roles::of(txn, principal)?.contains(&role) {
        return Err((&codes::ROLE_ASSIGNED).into());
    }
    roles::give(txn, principal, role)?;
    Ok(ask.entity(201, "roleManagement/directory/roleAssignments", assignment((principal, role))))
}

pub(super) fn unassign(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Roles)?;
    let found = named_assignment(ask, txn)?;
    take(txn, found, &ask.key(0)?)
}
