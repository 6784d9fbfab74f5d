//! `sqlRoleDefinitions`: the two built-in roles, and an account's own (rbac.md §6).

use azure::{
    api_version::ApiVersion,
    cosmos_roles,
    error::{Error, Result},
    ids::{Guid, ResourceId},
    roles::{Permission, RoleDefinition, RoleKind},
};
use serde_json::{Value, json};

use super::{document, guid_of, v};
use crate::{
    access::sql_roles,
    arm::kind::{Edit, Look, Own, Written},
    products::cosmos::codes,
};

const MOST: usize = 100;
/// Until then the type is a number in answers, as was recorded; documentation shows text (rbac.md §6).
static LAST_WITH_NUMBERS: ApiVersion = v("2021-04-15");

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| codes::ROLE_NOT_FOUND.with(["definition", id.name()])),
};

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let account = look.id.account();
    let Some(role) = guid_of(look.id) else { return Ok(None) };
    let found = sql_roles::definition(look.txn, &account, role)?;
    Ok(found.map(|role| shown(&account, &role, look.version)))
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let account = look.id.account();
    let own = sql_roles::definitions(look.txn, &account)?;
    // The recorded list of then has an account's own alone; documentation of now shows the built-in ones first.
    let shows_built_in = *look.version > LAST_WITH_NUMBERS;
    let built_in = cosmos_roles::all().iter().map(AsRef::as_ref).filter(|_| shows_built_in);
    let all = built_in.chain(&own);
    Ok(all.map(|role| shown(&account, role, look.version)).collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let account = edit.id.account();
    let id = changeable(edit.id)?;
    let role = parse(&account, id, &edit.body["properties"])?;
    let others = sql_roles::definitions(edit.txn, &account)?;
    let is_new = others.iter().all(|other| other.id != id);
    let names = others.iter().filter(|other| other.id != id).map(|other| other.name.as_str());
    let built_in = cosmos_roles::all().iter().map(|other| other.name.as_str());
    if names.chain(built_in).any(|name| name.eq_ignore_ascii_case(&role.name)) {
        let why = format!("A SQL role definition named '{}' already exists.", role.name.escape_default());
        return Err(codes::ROLE_CONFLICT.with([why]));
    }
    if is_new && others.len() >= MOST {
        return Err(codes::ROLE_LIMIT.with([&MOST.to_string(), "definitions"]));
    }
    sql_roles::put_definition(edit.txn, &account, &role)?;
    Ok(Written { is_new, body: shown(&account, &role, edit.version) })
}

/// A role that somebody has stays.
fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let account = edit.id.account();
    let id = changeable(edit.id)?;
    let Some(role) = sql_roles::definition(edit.txn, &account, id)? else { return Ok(None) };
    let assignments = sql_roles::assignments(edit.txn, &account)?;
    if assignments.iter().any(|assignment| assignment.role == id) {
        let why = format!("The SQL role definition [{id}] is in use by a SQL role assignment.");
        return Err(codes::ROLE_CONFLICT.with([why]));
    }
    sql_roles::delete_definition(edit.txn, &account, id)?;
    Ok(Some(shown(&account, &role, edit.version)))
}

fn changeable(id: &ResourceId) -> Result<Guid> {
    let guid = guid_of(id).ok_or_else(|| invalid("The name of a SQL role definition is a GUID."))?;
    if cosmos_roles::by_id(guid).is_some() {
        return Err(codes::ROLE_BUILT_IN.with([guid.to_string()]));
    }
    Ok(guid)
}

fn invalid(why: impl Into<String>) -> Error {
    codes::ROLE_INVALID.with([why])
}

fn parse(account: &ResourceId, id: Guid, properties: &Value) -> Result<RoleDefinition> {
    let name = properties["roleName"].as_str().filter(|name| !name.trim().is_empty());
    let Some(name) = name else { return Err(invalid("A SQL role definition must have a 'roleName'.")) };
    let is_custom = match &properties["type"] {
        Value::Null => true,
        Value::String(text) => text.eq_ignore_ascii_case("CustomRole"),
        other => other.as_u64() == Some(1),
    };
    if !is_custom {
        return Err(invalid("Only a SQL role definition of type 'CustomRole' can be created."));
    }
    let scopes = listed(&properties["assignableScopes"]).iter().map(|scope| {
        let text = scope.as_str().unwrap_or_default();
        cosmos_roles::scope(account, text).map_err(|bad| invalid(format!("The scope is invalid: {bad}.")))
    });
    let scopes = scopes.collect::<Result<Vec<_>>>()?;
    let permissions =
        listed(&properties["permissions"]).iter().map(permission).collect::<Result<Vec<_>>>()?;
    if scopes.is_empty() || permissions.is_empty() {
        return Err(invalid("A SQL role definition must have 'assignableScopes' and 'permissions'."));
    }
    Ok(RoleDefinition {
        id,
        name: name.to_owned(),
        description: None,
        kind: RoleKind::Custom,
        permissions,
        assignable_scopes: scopes,
    })
}

fn permission(value: &Value) -> Result<Permission> {
    if !listed(&value["notDataActions"]).is_empty() {
        return Err(invalid("'notDataActions' are not supported."));
    }
    let actions = listed(&value["dataActions"]).iter().map(|action| {
        let text = action.as_str().unwrap_or_default();
        cosmos_roles::data_action(text).map_err(|bad| invalid(format!("The data action is invalid: {bad}.")))
    });
    let data_actions = actions.collect::<Result<Vec<_>>>()?;
    if data_actions.is_empty() {
        return Err(invalid("A permission must have 'dataActions'."));
    }
    Ok(Permission { data_actions, ..Permission::default() })
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn shown(account: &ResourceId, role: &RoleDefinition, version: &ApiVersion) -> Value {
    let kind = match role.kind {
        RoleKind::BuiltIn if *version <= LAST_WITH_NUMBERS => json!(0),
        RoleKind::Custom if *version <= LAST_WITH_NUMBERS => json!(1),
        kind => json!(kind.as_str()),
    };
    let permissions: Vec<Value> = role
        .permissions
        .iter()
        .map(|it| {
            let actions: Vec<&str> = it.data_actions.iter().map(|action| action.as_str()).collect();
            json!({ "dataActions": actions, "notDataActions": [] })
        })
        .collect();
    // A built-in role's scope is the account that is asked.
    let scopes: Vec<&ResourceId> = match role.kind {
        RoleKind::BuiltIn => vec![account],
        RoleKind::Custom => role.assignable_scopes.iter().collect(),
    };
    let properties = json!({
        "roleName": role.name,
        "type": kind,
        "assignableScopes": scopes,
        "permissions": permissions,
    });
    document(&account.child("sqlRoleDefinitions", &role.id.to_string()), "sqlRoleDefinitions", properties)
}
