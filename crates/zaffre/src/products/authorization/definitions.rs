//! `roleDefinitions`: built-in and custom roles (rbac.md §1).

use std::sync::{Arc, LazyLock};

use azure::{
    action::{Action, Pattern},
    api_version::ApiVersion,
    error::{Error, Result, Row},
    ids::{Guid, ResourceId},
    names::BadName,
    odata::{Filter, Value as Operand},
    rbac::{self, Access, Plane},
    roles::{self, Permission, RoleDefinition, RoleKind},
};
use serde_json::{Value, json};

use super::{definition_id, filter_of};
use crate::{
    access::{
        self, Caller,
        assignments::{self, RoleHistory},
        management_groups,
    },
    arm::{
        demands::{self, Demand},
        kind::{Edit, Look, Own, Written},
    },
    products::PROVIDERS,
    store::Txn,
};

azure::error_rows! {
    static TABLE;
    NOT_FOUND = 404 "RoleDefinitionDoesNotExist" "The specified role definition with ID '{0}' does not exist.", "rbac.md §2; at a GET, unverified";
    BAD_NAME = 400 "InvalidRoleDefinitionId" "The role definition ID '{0}' is not valid. The role definition ID must be a GUID.", "code quoted in public reports; wording as for role assignments";
    BAD_BODY = 400 "InvalidRoleDefinition" "The role definition is invalid: {0}.", "unverified";
    BAD_SCOPE = 400 "LinkedInvalidPropertyId" "Property id '{0}' at path 'properties.assignableScopes' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.", "general knowledge, unverified";
    SAME_NAME = 409 "RoleDefinitionWithSameNameExists" "A custom role with the same name already exists in this directory. Use a different name.", "rbac.md §1; wording unverified";
    BUILT_IN = 400 "InvalidRoleDefinitionOperation" "The built-in role '{0}' cannot be changed or deleted.", "unverified";
    LIMIT = 400 "RoleDefinitionLimitExceeded" "Role definition limit exceeded. No more role definitions can be created (code: RoleDefinitionLimitExceeded).", "documented: troubleshoot-limits.md; status unverified";
    MANY_GROUPS = 400 "InvalidRoleDefinition" "A custom role can have only one management group in its assignable scopes.", "documented: custom-roles.md; code and wording unverified";
    BAD_ACTION = 400 "InvalidActionOrNotAction" "'{0}' does not match any of the actions supported by the providers.", "as quoted by users; here, for what can be no action or is a data action";
    BAD_DATA_ACTION = 400 "InvalidDataActionOrNotDataAction" "'{0}' does not match any of the actions supported by the providers.", "as quoted by users; here, for what can be no action or is none of data";
    HAS_ASSIGNMENTS = 400 "RoleDefinitionHasAssignments" "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).", "rbac.md §1; wording unverified";
    BAD_FILTER = 400 "UnsupportedQuery" "The filter '{0}' is not supported.", "as for role assignments; here unverified";
}

/// What a list may be asked for, and together (role-definitions-list, Role Definitions - List).
const FILTERS: &[&[&str]] = &[
    &["rolename"],
    &["type"],
    &["name"],
    &["atscope"],
    &["atexactscope"],
    &["atscopeandbelow"],
    &["rolename", "type"],
    &["atscopeandbelow", "rolename"],
    &["atscopeandbelow", "type"],
    &["atscopeandbelow", "rolename", "type"],
];

/// Since when permissions name data actions (recorded without them at 2015-07-01).
static DATA_ACTIONS_SINCE: ApiVersion = ApiVersion::of("2018-01-01-preview");

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: true,
    absent: Some(|id: &ResourceId| NOT_FOUND.with([plain(id.name())])),
};

pub(super) fn bad_name(name: &str, _: &BadName) -> Error {
    BAD_NAME.with([name])
}

fn guid_of(id: &ResourceId) -> Result<Guid> {
    id.name().parse().map_err(|_| BAD_NAME.with([id.name()]))
}

/// Thirty-two digits, as messages print ids.
pub(super) fn plain(name: &str) -> String {
    name.parse::<Guid>().map_or_else(|_| name.to_owned(), |guid| guid.simple())
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let role = assignments::role(look.txn, guid_of(look.id)?)?;
    let role = match role {
        Some(role) if look.id.extended().is_root() && !is_seen(look, &role)? => None,
        role => role,
    };
    role.map(|role| shown(look, &look.id.extended(), &role)).transpose()
}

/// Those that can be given at the scope: all that are built in, and custom ones by their scopes.
fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let filter = filter_of(look, FILTERS, &BAD_FILTER)?;
    let below = filter.as_ref().is_some_and(|it| it.call("atScopeAndBelow").is_some());
    let hierarchy = management_groups::hierarchy(look.txn, &look.cx.cloud.charter)?;
    let custom = assignments::custom_roles(look.txn)?.into_iter().map(Arc::new);
    let at =
        |scope: &ResourceId| hierarchy.holds(scope, look.id) || (below && hierarchy.holds(look.id, scope));
    let mut near = Vec::new();
    for role in custom {
        let is_near = match look.id.is_root() {
            true => is_seen(look, &role)?,
            false => role.assignable_scopes.iter().any(at),
        };
        near.extend(is_near.then_some(role));
    }
    let wanted = |role: &Arc<RoleDefinition>| filter.as_ref().is_none_or(|it| is_wanted(it, role));
    roles::all().chain(near).filter(wanted).map(|role| shown(look, look.id, &role)).collect()
}

/// In the tenant everybody with a name sees the built-in roles, and custom ones that may be given where it may read
/// roles.
fn is_seen(look: &Look<'_>, role: &RoleDefinition) -> Result<bool> {
    if role.kind == RoleKind::BuiltIn || matches!(look.caller, Caller::Anonymous) {
        return Ok(true);
    }
    let read = Action::of("Microsoft.Authorization/roleDefinitions/read");
    for scope in &role.assignable_scopes {
        let access = Access::to(read.clone(), scope.clone(), Plane::Control);
        if access::may(look.cx, look.txn, look.caller, access)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_wanted(filter: &Filter, role: &RoleDefinition) -> bool {
    let text = |text: &str| vec![Operand::Text(text.to_owned())];
    filter.matches(&|path| match path {
        "rolename" | "properties/rolename" => text(&role.name),
        "type" | "properties/type" => text(role.kind.as_str()),
        "name" => text(&role.id.to_string()),
        _ => Vec::new(),
    })
}

fn shown(look: &Look<'_>, scope: &ResourceId, role: &RoleDefinition) -> Result<Value> {
    let history = match role.kind {
        RoleKind::BuiltIn => None,
        RoleKind::Custom => assignments::role_history(look.txn, role.id)?,
    };
    let id = definition_id(scope, look.cx.cloud.charter.subscription, role.id);
    let permissions: Vec<Value> = role.permissions.iter().map(|it| permission(it, look.version)).collect();
    Ok(json!({
        "properties": {
            "roleName": role.name,
            "type": role.kind.as_str(),
            "description": role.description,
            "assignableScopes": role.assignable_scopes,
            "permissions": permissions,
            "createdOn": history.map(|it| it.created.iso()),
            "updatedOn": history.map(|it| it.updated.iso()),
            "createdBy": history.and_then(|it| it.created_by),
            "updatedBy": history.and_then(|it| it.updated_by),
        },
        "id": id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
    }))
}

fn permission(it: &Permission, version: &ApiVersion) -> Value {
    let mut shown = json!({ "actions": it.actions, "notActions": it.not_actions });
    if *version >= DATA_ACTIONS_SINCE {
        shown["dataActions"] = json!(it.data_actions);
        shown["notDataActions"] = json!(it.not_data_actions);
    }
    if let Some(condition) = &it.condition {
        shown["condition"] = json!(condition);
        shown["conditionVersion"] = json!(it.condition_version);
    }
    shown
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let role = read(edit.id, edit.body)?;
    if let Some(built_in) = roles::by_id(role.id) {
        return Err(BUILT_IN.with([built_in.name.clone()]));
    }
    let groups = role.assignable_scopes.iter().filter(|scope| rbac::group_of(scope).is_some());
    if groups.count() > 1 {
        return Err((&MANY_GROUPS).into());
    }
    for scope in &role.assignable_scopes {
        edit.demand("Microsoft.Authorization/roleDefinitions/write", scope)?;
    }
    let is_same = |it: &RoleDefinition| it.id != role.id && it.name.eq_ignore_ascii_case(&role.name);
    if roles::by_name(&role.name).is_some() || assignments::custom_roles(edit.txn)?.iter().any(is_same) {
        return Err((&SAME_NAME).into());
    }
    let is_new = assignments::role(edit.txn, role.id)?.is_none();
    if is_new && assignments::custom_roles(edit.txn)?.len() >= edit.cx.env.settings.role_limits.custom_roles {
        return Err((&LIMIT).into());
    }
    assignments::put_custom_role(edit.txn, &role)?;
    let who = edit.permit.caller().principal().map(|it| it.object_id);
    let known = assignments::role_history(edit.txn, role.id)?;
    let history = RoleHistory {
        created: known.map_or(edit.cx.now, |it| it.created),
        updated: edit.cx.now,
        created_by: known.map_or(who, |it| it.created_by),
        updated_by: who,
    };
    assignments::put_role_history(edit.txn, role.id, history)?;
    let mut body = shown(&edit.look(), &edit.id.extended(), &role)?;
    // As with assignments, the answer to the PUT does not say yet by whom it was made (custom-roles-rest).
    body["properties"]["createdBy"] = Value::Null;
    Ok(Written { is_new, body })
}

fn read(id: &ResourceId, body: &Value) -> Result<RoleDefinition> {
    let bad = |what: &str| BAD_BODY.with([what]);
    // az sends the members flat when it was given a file of its own form; the wire has `properties`.
    let properties = body.get("properties").filter(|it| it.is_object()).unwrap_or(body);
    let name = properties.get("roleName").and_then(Value::as_str).filter(|it| !it.trim().is_empty());
    let scopes = properties.get("assignableScopes").and_then(Value::as_array).filter(|it| !it.is_empty());
    let permissions = properties.get("permissions").and_then(Value::as_array).filter(|it| !it.is_empty());
    Ok(RoleDefinition {
        id: guid_of(id)?,
        name: name.ok_or_else(|| bad("it has no roleName"))?.to_owned(),
        description: properties.get("description").and_then(Value::as_str).map(str::to_owned),
        kind: RoleKind::Custom,
        permissions: permissions
            .ok_or_else(|| bad("it has no permissions"))?
            .iter()
            .map(read_permission)
            .collect::<Result<_>>()?,
        assignable_scopes: scopes
            .ok_or_else(|| bad("it has no assignableScopes"))?
            .iter()
            .map(read_scope)
            .collect::<Result<_>>()?,
    })
}

fn read_permission(value: &Value) -> Result<Permission> {
    let Value::Object(members) = value else { return Err(BAD_BODY.with(["a permission is no object"])) };
    let members = members.iter().filter(|(_, value)| !value.is_null());
    let members: Value = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    let permission: Permission =
        serde_json::from_value(members).map_err(|cause| BAD_BODY.with([cause.to_string()]))?;
    let actions = permission.actions.iter().chain(&permission.not_actions);
    check_patterns(actions, &BAD_ACTION, |plane| plane == Plane::Control)?;
    let data_actions = permission.data_actions.iter().chain(&permission.not_data_actions);
    check_patterns(data_actions, &BAD_DATA_ACTION, |plane| plane != Plane::Control)?;
    Ok(permission)
}

/// Refuses what can name no action, and what spells out one of the other world. Azure knows every action that there is,
/// and refuses what names none; here only those are known that something demands, so others are believed, and so is
/// what has a star.
fn check_patterns<'p>(
    mut patterns: impl Iterator<Item = &'p Pattern>,
    row: &'static Row,
    is_here: fn(Plane) -> bool,
) -> Result<()> {
    static DEMANDS: LazyLock<Vec<Demand>> = LazyLock::new(|| demands::all(PROVIDERS));
    let is_strange = |pattern: &&Pattern| {
        let is_spelled_out = !pattern.as_str().contains('*');
        let mut named = DEMANDS.iter().filter(|it| is_spelled_out && pattern.matches(&it.action)).peekable();
        !may_name_actions(pattern.as_str()) || (named.peek().is_some() && !named.any(|it| is_here(it.plane)))
    };
    match patterns.find(is_strange) {
        Some(stranger) => Err(row.with([stranger.as_str()])),
        None => Ok(()),
    }
}

/// `*`, or a path in which `*` may stand anywhere.
fn may_name_actions(pattern: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "*/._-".contains(c);
    pattern.chars().all(is_allowed) && (pattern == "*" || pattern.contains('/'))
}

/// A subscription, a group or a management group: not the root, and no wildcard.
fn read_scope(value: &Value) -> Result<ResourceId> {
    let text = value.as_str().unwrap_or_default();
    let refused = || -> Error { BAD_SCOPE.with([text]) };
    let scope = ResourceId::parse(text).map_err(|_| refused())?;
    let is_place = scope.subscription().is_some() || scope.namespace().is_some();
    if is_place && !text.contains('*') { Ok(scope) } else { Err(refused()) }
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let guid = guid_of(edit.id)?;
    if let Some(role) = roles::by_id(guid) {
        return Err(BUILT_IN.with([role.name.clone()]));
    }
    if is_assigned(edit.txn, guid)? {
        return Err((&HAS_ASSIGNMENTS).into());
    }
    let Some(role) = assignments::role(edit.txn, guid)? else { return Ok(None) };
    let was = shown(&edit.look(), &edit.id.extended(), &role)?;
    assignments::delete_custom_role(edit.txn, guid)?;
    Ok(Some(was))
}

fn is_assigned(txn: &Txn, role: Guid) -> Result<bool> {
    Ok(assignments::within(txn, &ResourceId::root())?.iter().any(|it| it.role == role))
}
