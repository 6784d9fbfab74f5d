//! `roleAssignments`: who is given a role where, and every rule of giving it (rbac.md §2).

use std::sync::Arc;

use azure::{
    api_version::ApiVersion,
    conditions::{self, Attributes, Condition},
    error::{Error, Result},
    ids::{Guid, ObjectId, ResourceId},
    names::BadName,
    odata::{Filter, Value as Operand},
    principal::PrincipalKind,
    rbac,
    roles::{RoleDefinition, RoleKind},
};
use serde_json::{Value, json};

use super::{definition_id, filter_of, guard, near};
use crate::{
    access::{
        assignments::{self, RoleAssignment},
        management_groups,
    },
    arm::kind::{Edit, Look, Own, Written},
    directory::{self, service_principals},
    store::Txn,
};

azure::error_rows! {
    static TABLE;
    NOT_FOUND = 404 "RoleAssignmentNotFound" "The role assignment '{0}' is not found.", "general knowledge, unverified wording";
    EXISTS = 409 "RoleAssignmentExists" "The role assignment already exists. The ID of the conflicting role assignment is {0}.", "rbac.md §2";
    BAD_NAME = 400 "InvalidRoleAssignmentId" "The role assignment ID '{0}' is not valid. The role assignment ID must be a GUID.", "quoted in Azure/azure-sdk-for-python issue 4621; of DELETE in Azure/azure-service-operator issue 2586";
    UPDATE_NOT_PERMITTED = 400 "RoleAssignmentUpdateNotPermitted" "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.", "rbac.md §2";
    PRINCIPAL_NOT_FOUND = 400 "PrincipalNotFound" "Principal {0} does not exist in the directory {1}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype", "rbac.md §2";
    PRINCIPAL_NOT_FOUND_THEN = 400 "PrincipalNotFound" "Principal {0} does not exist in the directory {1}.", "rbac.md §2, as of 2015";
    UNMATCHED_TYPE = 400 "UnmatchedPrincipalType" "The PrincipalId '{0}' has type '{1}' , which is different from specified PrinciaplType '{2}'.", "rbac.md §2 (sic)";
    ROLE_NOT_FOUND = 400 "RoleDefinitionDoesNotExist" "The specified role definition with ID '{0}' does not exist.", "rbac.md §2";
    BAD_ROLE = 400 "InvalidRoleDefinitionId" "The role definition ID '{0}' is not valid. The role definition ID must be a GUID or a resource ID that ends with one.", "rbac.md §2; wording unverified";
    BAD_PRINCIPAL = 400 "InvalidPrincipalId" "The Principal ID '{0}' is not valid. Principal ID must be a GUID.", "rbac.md §2; wording quoted in Azure/azure-powershell issue 16627";
    BAD_BODY = 400 "InvalidCreateRoleAssignmentRequest" "The request to create role assignment '{0}' is not valid. {1}", "general knowledge, unverified";
    BAD_CONDITION = 400 "InvalidRoleAssignmentCondition" "The given role assignment condition is invalid.", "documented: Troubleshoot Azure role assignment conditions; code unverified";
    DATA_ABOVE_SUBSCRIPTIONS = 400 "InvalidRoleAssignmentScope" "A custom role with DataActions cannot be assigned at the management group scope.", "documented: custom-roles.md; code and wording unverified";
    LIMIT = 400 "RoleAssignmentLimitExceeded" "No more role assignments can be created (code: RoleAssignmentLimitExceeded).", "rbac.md §2; wording unverified";
    LAST_OWNER = 409 "LastRbacAdminAssignment" "Cannot delete the last RBAC admin assignment", "rbac.md §2; code unverified";
    BAD_FILTER = 400 "UnsupportedQuery" "The filter '{0}' is not supported. Supported filters are either 'atScope()' or 'principalId eq '{value}' or assignedTo('{value}')'.", "as quoted by users";
    BAD_DELEGATION = 400 "PrincipalNotFound" "Principal {0} does not exist in the directory {1}.", "documented: delegatedManagedIdentityResourceId says where the identity is looked for; code and wording unverified";
}

const ROLE_ATTRIBUTE: &str = "Microsoft.Authorization/roleAssignments:RoleDefinitionId";
const PRINCIPAL_ATTRIBUTE: &str = "Microsoft.Authorization/roleAssignments:PrincipalId";
const KIND_ATTRIBUTE: &str = "Microsoft.Authorization/roleAssignments:PrincipalType";

/// What a list may be asked for, and together (role-assignments-list-rest). `principalId` and `atScope()` cannot be
/// (rbac.md §2); the rows with `atScopeAndBelow()` and with `roleDefinitionId` are not in that page.
const FILTERS: &[&[&str]] = &[
    &["atscope"],
    &["atscopeandbelow"],
    &["assignedto"],
    &["principalid"],
    &["roledefinitionid"],
    &["assignedto", "atscope"],
    &["assignedto", "atscopeandbelow"],
    &["atscopeandbelow", "principalid"],
];

/// Until then, documents have no `principalType`; until the other, no condition and no description.
static TYPED_SINCE: ApiVersion = ApiVersion::of("2018-09-01-preview");
static CONDITIONAL_SINCE: ApiVersion = ApiVersion::of("2020-04-01-preview");

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: true,
    absent: Some(|id: &ResourceId| NOT_FOUND.with([id.name()])),
};

fn guid_of(id: &ResourceId) -> Result<Guid> {
    id.name().parse().map_err(|_| BAD_NAME.with([id.name()]))
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    guid_of(look.id)?;
    Ok(assignments::get(look.txn, look.id)?.map(|it| shown(look, &it)))
}

fn shown(look: &Look<'_>, it: &RoleAssignment) -> Value {
    let role = definition_id(&it.scope, look.cx.cloud.charter.subscription, it.role);
    let mut properties = json!({ "roleDefinitionId": role, "principalId": it.principal });
    if *look.version >= TYPED_SINCE {
        properties["principalType"] = json!(it.principal_kind.as_str());
    }
    properties["scope"] = json!(it.scope);
    if *look.version >= CONDITIONAL_SINCE {
        properties["condition"] = json!(it.condition);
        properties["conditionVersion"] = json!(it.condition_version);
    }
    properties["createdOn"] = json!(it.created.iso());
    properties["updatedOn"] = json!(it.updated.iso());
    properties["createdBy"] = json!(it.created_by);
    properties["updatedBy"] = json!(it.updated_by);
    if *look.version >= CONDITIONAL_SINCE {
        properties["delegatedManagedIdentityResourceId"] = json!(it.delegated_identity);
        properties["description"] = json!(it.description);
    }
    json!({
        "properties": properties,
        "id": it.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": it.name,
    })
}

pub(super) fn bad_name(name: &str, _: &BadName) -> Error {
    BAD_NAME.with([name])
}

/// Those near the scope (`near`) that the filter wants.
fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let filter = filter_of(look, FILTERS, &BAD_FILTER)?;
    let assigned_to = filter.as_ref().and_then(|it| it.call("assignedTo")).flatten().cloned();
    let all = match assigned_to {
        Some(Operand::Text(text)) => reaching(look.txn, &text)?,
        Some(_) => return Err(BAD_PRINCIPAL.with([""])),
        None => assignments::within(look.txn, &ResourceId::root())?,
    };
    let near = near(look, filter.as_ref())?;
    let wanted = |it: &&RoleAssignment| {
        near(&it.scope) && filter.as_ref().is_none_or(|filter| is_wanted(filter, it, look))
    };
    Ok(all.iter().filter(wanted).map(|it| shown(look, it)).collect())
}

/// Those of a principal, and of the groups it is in (rbac.md §2).
fn reaching(txn: &Txn, principal: &str) -> Result<Vec<RoleAssignment>> {
    let principal = ObjectId(principal.parse().map_err(|_| BAD_PRINCIPAL.with([principal]))?);
    let mut all = assignments::of(txn, principal)?;
    for group in directory::groups::of(txn, principal)? {
        all.extend(assignments::of(txn, group)?);
    }
    Ok(all)
}

fn is_wanted(filter: &Filter, it: &RoleAssignment, look: &Look<'_>) -> bool {
    filter.matches(&|path| match path {
        "principalid" | "properties/principalid" => vec![Operand::Text(it.principal.to_string())],
        // By its guid, or by its id as it is shown.
        "roledefinitionid" | "properties/roledefinitionid" => {
            let id = definition_id(&it.scope, look.cx.cloud.charter.subscription, it.role);
            vec![Operand::Text(it.role.to_string()), Operand::Text(id.to_string())]
        }
        _ => Vec::new(),
    })
}

/// What a body asks for.
struct Request {
    role: Guid,
    principal: ObjectId,
    kind: Option<PrincipalKind>,
    condition: Option<String>,
    condition_version: Option<String>,
    description: Option<String>,
    delegated_identity: Option<ResourceId>,
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let request = read(edit.id, edit.body)?;
    let name = guid_of(edit.id)?;
    let scope = edit.id.extended();
    edit.confirm(asked_about(edit.txn, &request)?)?;
    let known = assignments::named(edit.txn, name)?;
    if let Some(known) = known.as_ref().filter(|it| !is_same(it, &request, &scope)) {
        debug_assert_eq!(known.name, name);
        return Err((&UPDATE_NOT_PERMITTED).into());
    }
    let role = assignable(edit, request.role, &scope)?;
    if rbac::group_of(&scope).is_some() && role.kind == RoleKind::Custom && has_data_actions(&role) {
        return Err((&DATA_ABOVE_SUBSCRIPTIONS).into());
    }
    let kind = principal_kind(edit, &request)?;
    check_delegation(edit, &request)?;
    let twin = assignments::of(edit.txn, request.principal)?;
    if let Some(twin) = twin.iter().find(|it| it.name != name && is_same(it, &request, &scope)) {
        return Err(EXISTS.with([twin.name.simple()]));
    }
    if known.is_none() && is_full(edit, &scope)? {
        return Err((&LIMIT).into());
    }
    let assignment = assignment(edit, known.as_ref(), request, kind, (name, scope));
    assignments::put(edit.txn, &assignment)?;
    // `createdBy` is null in the answer to the PUT, and filled afterwards (rbac.md §2).
    let body = shown(&edit.look(), &RoleAssignment { created_by: None, ..assignment });
    Ok(Written { is_new: known.is_none(), body })
}

/// What delegation conditions know of a request for an assignment (conditions-authorization-actions-attributes).
fn asked_about(txn: &Txn, request: &Request) -> Result<Attributes> {
    let known = directory::get(txn, request.principal)?.map(|it| it.kind());
    let attributes = Attributes::none()
        .request(ROLE_ATTRIBUTE, request.role.to_string())
        .request(PRINCIPAL_ATTRIBUTE, request.principal.to_string());
    Ok(match request.kind.or(known) {
        Some(kind) => attributes.request(KIND_ATTRIBUTE, kind.as_str()),
        None => attributes,
    })
}

/// What they know of one that is taken away.
fn stored_about(it: &RoleAssignment) -> Attributes {
    Attributes::none()
        .resource(ROLE_ATTRIBUTE, it.role.to_string())
        .resource(PRINCIPAL_ATTRIBUTE, it.principal.to_string())
        .resource(KIND_ATTRIBUTE, it.principal_kind.as_str())
}

fn is_same(it: &RoleAssignment, request: &Request, scope: &ResourceId) -> bool {
    it.role == request.role && it.principal == request.principal && it.scope == *scope
}

/// The role, if it may be given at the scope: elsewhere a custom role is not there.
fn assignable(edit: &Edit<'_>, role: Guid, scope: &ResourceId) -> Result<Arc<RoleDefinition>> {
    let hierarchy = management_groups::hierarchy(edit.txn, &edit.cx.cloud.charter)?;
    let is_here =
        |role: &Arc<RoleDefinition>| role.assignable_scopes.iter().any(|it| hierarchy.holds(it, scope));
    let found = assignments::role(edit.txn, role)?.filter(is_here);
    found.ok_or_else(|| ROLE_NOT_FOUND.with([role.simple()]))
}

/// An identity that is said to be a resource's is looked for there (delegatedManagedIdentityResourceId).
fn check_delegation(edit: &Edit<'_>, request: &Request) -> Result<()> {
    let Some(resource) = &request.delegated_identity else { return Ok(()) };
    let found = service_principals::get(edit.txn, request.principal)?.and_then(|it| it.resource_id);
    match found.is_some_and(|it| it == *resource) {
        true => Ok(()),
        false => Err(BAD_DELEGATION
            .with([request.principal.0.simple(), edit.cx.cloud.charter.tenant.to_string()])
            .because(format!("{resource} has no such identity"))),
    }
}

fn has_data_actions(role: &RoleDefinition) -> bool {
    role.permissions.iter().any(|permission| !permission.data_actions.is_empty())
}

fn is_full(edit: &Edit<'_>, scope: &ResourceId) -> Result<bool> {
    let limits = &edit.cx.env.settings.role_limits;
    let counted = match (scope.subscription_root(), rbac::group_of(scope)) {
        (Some(subscription), _) => Some((subscription, limits.assignments_in_a_subscription)),
        (None, Some(group)) => Some((group, limits.assignments_in_a_management_group)),
        (None, None) => None,
    };
    match counted {
        Some((place, most)) => Ok(assignments::within(edit.txn, &place)?.len() >= most),
        None => Ok(false),
    }
}

fn assignment(
    edit: &Edit<'_>,
    known: Option<&RoleAssignment>,
    request: Request,
    kind: PrincipalKind,
    (name, scope): (Guid, ResourceId),
) -> RoleAssignment {
    let who = edit.permit.caller().principal().map(|it| it.object_id);
    let plain = RoleAssignment::plain(name, &scope, (request.principal, kind), request.role, edit.cx.now);
    RoleAssignment {
        condition: request.condition,
        condition_version: request.condition_version,
        description: request.description,
        delegated_identity: request.delegated_identity.map(|it| it.to_string()),
        created: known.map_or(edit.cx.now, |it| it.created),
        created_by: known.map_or(who, |it| it.created_by),
        updated_by: who,
        ..plain
    }
}

fn read(id: &ResourceId, body: &Value) -> Result<Request> {
    let bad = |why: &str| BAD_BODY.with([id.name(), why]);
    let properties =
        body.get("properties").filter(|it| it.is_object()).ok_or_else(|| bad("It has no properties."))?;
    let text = |name: &str| properties.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    let role = text("roleDefinitionId").unwrap_or_default();
    let role_guid = role.rsplit('/').find(|it| !it.is_empty()).and_then(|it| it.parse().ok());
    let principal = text("principalId").unwrap_or_default();
    let kind =
        text("principalType").map(|it| it.parse::<PrincipalKind>().map_err(|why| bad(&why.to_string())));
    let delegated = text("delegatedManagedIdentityResourceId").map(|id| {
        ResourceId::parse(id).map_err(|why| bad(&format!("delegatedManagedIdentityResourceId: {why}.")))
    });
    let condition = text("condition").map(str::to_owned);
    let condition_version = text("conditionVersion").map(str::to_owned);
    if let Some(text) = &condition {
        // Azure says the same of a version that it does not know as of a text that it cannot read.
        if condition_version.as_deref() != Some(conditions::VERSION) {
            return Err(BAD_CONDITION
                .bare()
                .because(format!("its conditionVersion is not {}", conditions::VERSION)));
        }
        Condition::from(text.as_str())
            .check()
            .map_err(|why| BAD_CONDITION.bare().because(why.to_string()))?;
    }
    Ok(Request {
        role: role_guid.ok_or_else(|| BAD_ROLE.with([role]))?,
        principal: ObjectId(principal.parse().map_err(|_| BAD_PRINCIPAL.with([principal]))?),
        kind: kind.transpose()?,
        condition,
        condition_version,
        description: text("description").map(str::to_owned),
        delegated_identity: delegated.transpose()?,
    })
}

/// The principal's kind as the directory knows it. Whoever names a kind is believed about a principal
/// that the directory does not know yet.
fn principal_kind(edit: &Edit<'_>, request: &Request) -> Result<PrincipalKind> {
    let found = directory::get(edit.txn, request.principal)?.map(|it| it.kind());
    match (found, request.kind) {
        (Some(real), Some(given)) if real != given => {
            Err(UNMATCHED_TYPE.with([request.principal.0.simple().as_str(), real.as_str(), given.as_str()]))
        }
        (Some(real), _) => Ok(real),
        (None, Some(given)) => Ok(given),
        (None, None) => {
            let row =
                if *edit.version < TYPED_SINCE { &PRINCIPAL_NOT_FOUND_THEN } else { &PRINCIPAL_NOT_FOUND };
            Err(row.with([request.principal.0.simple(), edit.cx.cloud.charter.tenant.to_string()]))
        }
    }
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    guid_of(edit.id)?;
    let Some(was) = assignments::get(edit.txn, edit.id)? else {
        edit.confirm_nothing()?;
        return Ok(None);
    };
    edit.confirm(stored_about(&was))?;
    if guard::leaves_nobody(edit, &was)? {
        return Err((&LAST_OWNER).into());
    }
    assignments::delete(edit.txn, edit.id, edit.cx.now)?;
    Ok(Some(shown(&edit.look(), &was)))
}
