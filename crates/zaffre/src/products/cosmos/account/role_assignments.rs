//! `sqlRoleAssignments`: who has which of Cosmos's roles, and where in the account (rbac.md §6).

use azure::{
    cosmos_roles,
    error::{Error, Result},
    ids::{ObjectId, ResourceId},
    roles::{RoleDefinition, RoleKind},
};
use serde_json::{Value, json};

use super::{document, guid_of};
use crate::{
    access::sql_roles::{self, SqlRoleAssignment},
    arm::kind::{Edit, Look, Own, Written},
    directory,
    products::cosmos::codes,
};

const MOST: usize = 2000;

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| codes::ROLE_NOT_FOUND.with(["assignment", id.name()])),
};

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let Some(name) = guid_of(look.id) else { return Ok(None) };
    let found = sql_roles::assignment(look.txn, &look.id.account(), name)?;
    Ok(found.as_ref().map(shown))
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let all = sql_roles::assignments(look.txn, &look.id.account())?;
    Ok(all.iter().map(shown).collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let assignment = parse(edit)?;
    let others = sql_roles::assignments(edit.txn, &assignment.account)?;
    let is_new = others.iter().all(|other| other.name != assignment.name);
    let is_same = |other: &&SqlRoleAssignment| {
        let means = |it: &SqlRoleAssignment| (it.principal, it.role, it.scope.to_string());
        other.name != assignment.name && means(other) == means(&assignment)
    };
    if let Some(other) = others.iter().find(is_same) {
        let why = format!("The SQL role assignment [{}] already says the same.", other.name);
        return Err(codes::ROLE_CONFLICT.with([why]));
    }
    if is_new && others.len() >= MOST {
        return Err(codes::ROLE_LIMIT.with([&MOST.to_string(), "assignments"]));
    }
    sql_roles::put_assignment(edit.txn, &assignment)?;
    Ok(Written { is_new, body: shown(&assignment) })
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let account = edit.id.account();
    let Some(name) = guid_of(edit.id) else { return Ok(None) };
    let Some(was) = sql_roles::assignment(edit.txn, &account, name)? else { return Ok(None) };
    sql_roles::delete_assignment(edit.txn, &account, name)?;
    Ok(Some(shown(&was)))
}

fn invalid(why: impl Into<String>) -> Error {
    codes::ROLE_INVALID.with([why])
}

fn parse(edit: &Edit<'_>) -> Result<SqlRoleAssignment> {
    let account = edit.id.account();
    let name = guid_of(edit.id).ok_or_else(|| invalid("The name of a SQL role assignment is a GUID."))?;
    let text = |member: &str| edit.body["properties"][member].as_str().unwrap_or_default();
    let role = text("roleDefinitionId");
    let role = cosmos_roles::role_id(&account, role)
        .map_err(|bad| invalid(format!("The role definition is invalid: {bad}.")))?;
    let Some(definition) = sql_roles::definition(edit.txn, &account, role)? else {
        return Err(codes::ROLE_NOT_FOUND.with(["definition", &role.to_string()]));
    };
    let scope = cosmos_roles::scope(&account, text("scope"))
        .map_err(|bad| invalid(format!("The scope is invalid: {bad}.")))?;
    if !is_assignable(&definition, &scope) {
        return Err(invalid(format!("The role [{role}] cannot be assigned at scope [{scope}].")));
    }
    Ok(SqlRoleAssignment { account, name, scope, principal: principal(edit, text("principalId"))?, role })
}

/// A custom role says where it may be given; names below the account differ by case.
fn is_assignable(role: &RoleDefinition, scope: &ResourceId) -> bool {
    let holds = |at: &ResourceId| at.holds_to_the_letter(scope);
    role.kind == RoleKind::BuiltIn || role.assignable_scopes.iter().any(holds)
}

fn principal(edit: &Edit<'_>, text: &str) -> Result<ObjectId> {
    let id = text.parse().ok().map(ObjectId);
    let found = id.map(|id| directory::get(edit.txn, id)).transpose()?.flatten();
    let tenant = edit.cx.cloud.charter.tenant.to_string();
    found.map(|it| it.object_id()).ok_or_else(|| codes::ROLE_PRINCIPAL.with([text, &tenant]))
}

fn shown(assignment: &SqlRoleAssignment) -> Value {
    let role = assignment.account.child("sqlRoleDefinitions", &assignment.role.to_string());
    let properties =
        json!({ "roleDefinitionId": role, "scope": assignment.scope, "principalId": assignment.principal });
    document(&assignment.id(), "sqlRoleAssignments", properties)
}
