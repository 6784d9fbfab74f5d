//! Which row of the table a request is.

use azure::error::Result;
use http::Method;

use super::{
    ask::{Answer, Ask, Form},
    changes, codes, credentials, deleted, grants, links, lists,
    objects::{self, Set},
    roles,
};
use crate::{cloud::Draw, service::Parts, store::Txn};

pub(super) type Read = fn(&Ask<'_>, &Txn) -> Result<Answer>;
pub(super) type Change = fn(&Ask<'_>, &mut Txn, &mut Draw) -> Result<Answer>;

#[derive(Clone, Copy)]
pub(super) enum Effect {
    Read(Read),
    Change(Change),
    /// Requests in a request.
    Batch,
}

pub(super) struct Route {
    method: Method,
    /// Behind the version. A first segment may have alternatives; `*` stands for one segment.
    path: &'static str,
    pub(super) name: &'static str,
    pub(super) effect: Effect,
}

const fn get(path: &'static str, name: &'static str, read: Read) -> Route {
    Route { method: Method::GET, path, name, effect: Effect::Read(read) }
}

/// An action that changes nothing.
const fn ask(path: &'static str, name: &'static str, read: Read) -> Route {
    Route { method: Method::POST, path, name, effect: Effect::Read(read) }
}

const fn post(path: &'static str, name: &'static str, change: Change) -> Route {
    Route { method: Method::POST, path, name, effect: Effect::Change(change) }
}

const fn patch(path: &'static str, name: &'static str, change: Change) -> Route {
    Route { method: Method::PATCH, path, name, effect: Effect::Change(change) }
}

const fn put(path: &'static str, name: &'static str, change: Change) -> Route {
    Route { method: Method::PUT, path, name, effect: Effect::Change(change) }
}

const fn delete(path: &'static str, name: &'static str, change: Change) -> Route {
    Route { method: Method::DELETE, path, name, effect: Effect::Change(change) }
}

/// Every route, as the log names it: a method and a name.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.as_str(), route.name))
}

/// Fixed words stand before stars. A `$count` or a `$ref` at the end of what is read is no part of it (`Form`), nor is
/// the type that a list is narrowed to.
static ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "$batch", name: "batch", effect: Effect::Batch },
    get("organization", "list organization", objects::organization),
    get("organization/*", "get organization", objects::one_organization),
    get("domains", "list domains", objects::domains),
    ask("directoryObjects/getByIds", "getByIds", objects::by_ids),
    get("applications|servicePrincipals|users|groups", "list", lists::list),
    post("applications", "create application", changes::create_application),
    post("servicePrincipals", "create servicePrincipal", changes::create_service_principal),
    post("users", "create user", changes::create_user),
    post("groups", "create group", changes::create_group),
    get("applications|servicePrincipals|users|groups|directoryObjects/*", "get", objects::get),
    patch("applications|servicePrincipals|users|groups/*", "update", changes::update),
    delete("applications|servicePrincipals|users|groups|directoryObjects/*", "delete", changes::delete),
    post("applications|servicePrincipals/*/addPassword", "addPassword", credentials::add_password),
    post("applications|servicePrincipals/*/removePassword", "removePassword", credentials::remove_password),
    get(
        "applications/*/federatedIdentityCredentials",
        "list federatedIdentityCredentials",
        credentials::list_federated,
    ),
    post(
        "applications/*/federatedIdentityCredentials",
        "create federatedIdentityCredential",
        credentials::add_federated,
    ),
    get(
        "applications/*/federatedIdentityCredentials/*",
        "get federatedIdentityCredential",
        credentials::get_federated,
    ),
    patch(
        "applications/*/federatedIdentityCredentials/*",
        "update federatedIdentityCredential",
        credentials::update_federated,
    ),
    delete(
        "applications/*/federatedIdentityCredentials/*",
        "delete federatedIdentityCredential",
        credentials::remove_federated,
    ),
    get("applications|servicePrincipals|groups/*/owners", "list owners", links::follow),
    post("applications|servicePrincipals|groups/*/owners/$ref", "add owner", links::add_owner),
    delete("applications|servicePrincipals|groups/*/owners/*/$ref", "remove owner", links::remove_owner),
    get("servicePrincipals|users/*/ownedObjects", "list ownedObjects", links::follow),
    get("users/*/directReports", "list directReports", links::follow),
    get("users/*/manager", "get manager", links::manager),
    put("users/*/manager/$ref", "set manager", links::set_manager),
    delete("users/*/manager/$ref", "remove manager", links::remove_manager),
    get("groups/*/members", "list members", links::follow),
    get("groups/*/transitiveMembers", "list transitiveMembers", links::follow),
    post("groups/*/members/$ref", "add member", links::add_member),
    delete("groups/*/members/*/$ref", "remove member", links::remove_member),
    get("servicePrincipals|users|groups/*/memberOf", "list memberOf", links::follow),
    get("servicePrincipals|users|groups/*/transitiveMemberOf", "list transitiveMemberOf", links::follow),
    ask(
        "servicePrincipals|users|groups|directoryObjects/*/getMemberGroups",
        "getMemberGroups",
        links::get_member_groups,
    ),
    ask(
        "servicePrincipals|users|groups|directoryObjects/*/getMemberObjects",
        "getMemberObjects",
        links::get_member_groups,
    ),
    ask(
        "servicePrincipals|users|groups|directoryObjects/*/checkMemberGroups",
        "checkMemberGroups",
        links::check_member_groups,
    ),
    ask(
        "servicePrincipals|users|groups|directoryObjects/*/checkMemberObjects",
        "checkMemberObjects",
        links::check_member_groups,
    ),
    get(
        "servicePrincipals|users|groups/*/appRoleAssignments",
        "list appRoleAssignments",
        links::app_role_assignments,
    ),
    post(
        "servicePrincipals|users|groups/*/appRoleAssignments",
        "create appRoleAssignment",
        links::assign_app_role,
    ),
    delete(
        "servicePrincipals|users|groups/*/appRoleAssignments/*",
        "delete appRoleAssignment",
        links::unassign_app_role,
    ),
    get("servicePrincipals/*/appRoleAssignedTo", "list appRoleAssignedTo", links::app_role_assigned_to),
    post("servicePrincipals/*/appRoleAssignedTo", "create appRoleAssignment", links::assign_app_role),
    delete("servicePrincipals/*/appRoleAssignedTo/*", "delete appRoleAssignment", links::unassign_app_role),
    get("oauth2PermissionGrants", "list oauth2PermissionGrants", grants::list),
    post("oauth2PermissionGrants", "create oauth2PermissionGrant", grants::create),
    get("oauth2PermissionGrants/*", "get oauth2PermissionGrant", grants::get),
    patch("oauth2PermissionGrants/*", "update oauth2PermissionGrant", grants::update),
    delete("oauth2PermissionGrants/*", "delete oauth2PermissionGrant", grants::delete),
    get("servicePrincipals|users/*/oauth2PermissionGrants", "list oauth2PermissionGrants", grants::of_object),
    get("directory/deletedItems", "list deletedItems", deleted::list),
    get("directory/deletedItems/*", "get deletedItem", deleted::get),
    post("directory/deletedItems/*/restore", "restore deletedItem", deleted::restore),
    delete("directory/deletedItems/*", "delete deletedItem", deleted::purge),
    get("directoryRoles", "list directoryRoles", roles::list),
    get("directoryRoles/*", "get directoryRole", roles::get),
    get("directoryRoles/*/members", "list members of directoryRole", roles::list_members),
    post("directoryRoles/*/members/$ref", "add member of directoryRole", roles::add_member),
    delete("directoryRoles/*/members/*/$ref", "remove member of directoryRole", roles::remove_member),
    get("directoryRoleTemplates", "list directoryRoleTemplates", roles::templates),
    get("roleManagement/directory/roleDefinitions", "list roleDefinitions", roles::definitions),
    get("roleManagement/directory/roleDefinitions/*", "get roleDefinition", roles::one_definition),
    get("roleManagement/directory/roleAssignments", "list roleAssignments", roles::assignments),
    post("roleManagement/directory/roleAssignments", "create roleAssignment", roles::assign),
    get("roleManagement/directory/roleAssignments/*", "get roleAssignment", roles::one_assignment),
    delete("roleManagement/directory/roleAssignments/*", "delete roleAssignment", roles::unassign),
];

/// What Graph has and this program has not: named when it is asked for. The last word of a path, or its first.
static LATER: &[&str] = &[
    "addKey",
    "administrativeUnits",
    "delta",
    "devices",
    "identity",
    "policies",
    "removeKey",
    "subscribedSkus",
    "subscriptions",
];

/// A path, taken apart.
pub(super) struct Path {
    /// `https://graph.microsoft.com/v1.0`.
    pub(super) root: String,
    /// The whole address without its query, for the next page.
    pub(super) address: String,
    pub(super) segments: Vec<String>,
    pub(super) is_me: bool,
    pub(super) form: Form,
    /// The type that a list is narrowed to: `microsoft.graph.user`.
    pub(super) cast: Option<String>,
}

impl Path {
    /// `/v1.0/users('a@b')/memberOf` has the segments `users`, `a@b`, `memberOf`; `/me/…` is `users`
    /// with a key that only the token tells.
    pub(super) fn parse(parts: &Parts) -> Result<Path> {
        let path = parts.path.as_deref().unwrap_or_default();
        let mut given = path.split('/').filter(|it| !it.is_empty());
        let version = given.next().unwrap_or_default();
        if !["v1.0", "beta"].iter().any(|known| known.eq_ignore_ascii_case(version)) {
            return Err(codes::NO_VERSION.with([version]));
        }
        let mut segments: Vec<String> = given.flat_map(keyed).collect();
        let is_me = segments.first().is_some_and(|it| it.eq_ignore_ascii_case("me"));
        if is_me {
            segments.splice(0..1, ["users".to_owned(), "me".to_owned()]);
        }
        let form = form(&parts.method, &mut segments);
        let cast = cast(&mut segments);
        let origin = parts.origin();
        let root = format!("{origin}/{version}");
        Ok(Path { root, address: format!("{origin}{}", parts.raw_path), segments, is_me, form, cast })
    }

    /// The collection, in its own spelling where a route has it.
    pub(super) fn set(&self) -> &str {
        self.segments.first().map_or("", String::as_str)
    }
}

/// What a list is asked to be, which the last word of a path that is read says.
fn form(method: &Method, segments: &mut Vec<String>) -> Form {
    let form = match segments.last().map(String::as_str) {
        Some("$count") => Form::Count,
        Some("$ref") => Form::References,
        _ => Form::Objects,
    };
    if method != Method::GET || form == Form::Objects {
        return Form::Objects;
    }
    segments.pop();
    form
}

/// `microsoft.graph.user` narrows a list; before an action, `microsoft.graph.` is only its full name.
fn cast(segments: &mut Vec<String>) -> Option<String> {
    const NAMESPACE: &str = "microsoft.graph.";
    let at = segments
        .iter()
        .position(|it| it.get(..NAMESPACE.len()).is_some_and(|it| it.eq_ignore_ascii_case(NAMESPACE)))?;
    if Set::of_type(&segments[at]).is_some() {
        return Some(segments.remove(at));
    }
    segments[at].drain(..NAMESPACE.len());
    None
}

/// `applications(appId='x')` is two segments, and so is `users('x')`.
pub(super) fn keyed(segment: &str) -> Vec<String> {
    let key = segment.strip_suffix(')').and_then(|it| it.split_once('('));
    match key {
        Some((set, key)) if !set.is_empty() && !key.is_empty() => {
            let (name, value) = key.split_once('=').unwrap_or(("", key));
            let value = value.trim_matches('\'').replace("''", "'");
            let key = if name.is_empty() { value } else { format!("{name}={value}") };
            vec![set.to_owned(), key]
        }
        _ => vec![segment.to_owned()],
    }
}

/// The row, and what stands for its stars.
pub(super) fn find(method: &Method, path: &Path) -> Result<(&'static Route, Vec<String>)> {
    let matching = || ROUTES.iter().filter_map(|route| Some((route, takes(route.path, &path.segments)?)));
    let answers =
        |route: &Route| route.method == *method || (route.method == Method::GET && *method == Method::HEAD);
    match matching().find(|(route, _)| answers(route)) {
        Some(found) => Ok(found),
        None if matching().next().is_some() => Err((&codes::WRONG_METHOD).into()),
        None => Err(unknown(path)),
    }
}

fn unknown(path: &Path) -> azure::error::Error {
    let last = path.segments.last().map_or("", String::as_str);
    let later = LATER.iter().find(|known| [path.set(), last].iter().any(|it| it.eq_ignore_ascii_case(known)));
    match later {
        Some(name) => codes::NOT_IMPLEMENTED.with([*name]),
        None => codes::SEGMENT_NOT_FOUND.with([last]),
    }
}

/// What stands for the stars of a path.
pub(super) fn takes(path: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut patterns = path.split('/');
    let mut keys = Vec::new();
    for segment in segments {
        let pattern = patterns.next()?;
        if pattern == "*" {
            keys.push(segment.clone());
        } else if !pattern.split('|').any(|word| word.eq_ignore_ascii_case(segment)) {
            return None;
        }
    }
    patterns.next().is_none().then_some(keys)
}
