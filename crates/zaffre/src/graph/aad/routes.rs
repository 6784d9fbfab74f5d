//! Which row of the table a request is: the service's paths, behind the tenant, and the function of Graph's that each is.

use azure::error::Result;
use http::Method;

use super::{credentials, members};
use crate::graph::{
    changes, codes, grants, links, lists, objects,
    routes::{self, Change, Effect, Read},
};

/// What an answer holds, and so how it is turned into this service's.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Objects of the directory, one or a list.
    Objects,
    /// Members of something else, whose type is named: as `odata.type`, and as `objectType`.
    Plain(&'static str, &'static str),
    /// Where objects are.
    References,
    /// As it is.
    Values(&'static str),
}

pub(super) struct Route {
    method: Method,
    path: &'static str,
    pub(super) name: &'static str,
    /// The path that Graph's function reads, where it is another: each star takes one of this path's keys.
    pub(super) graph: Option<&'static str>,
    pub(super) effect: Effect,
    pub(super) shape: Shape,
}

const fn row(
    method: Method,
    (path, graph): (&'static str, Option<&'static str>),
    name: &'static str,
    (effect, shape): (Effect, Shape),
) -> Route {
    Route { method, path, name, graph, effect, shape }
}

const fn get(path: &'static str, name: &'static str, read: Read, shape: Shape) -> Route {
    row(Method::GET, (path, None), name, (Effect::Read(read), shape))
}

const fn ask(
    path: &'static str,
    graph: Option<&'static str>,
    name: &'static str,
    read: (Read, Shape),
) -> Route {
    row(Method::POST, (path, graph), name, (Effect::Read(read.0), read.1))
}

const fn make(path: &'static str, name: &'static str, change: Change, shape: Shape) -> Route {
    row(Method::POST, (path, None), name, (Effect::Change(change), shape))
}

/// A change that answers nothing.
const fn change(
    method: Method,
    path: (&'static str, Option<&'static str>),
    name: &'static str,
    of: Change,
) -> Route {
    row(method, path, name, (Effect::Change(of), Shape::Objects))
}

const ROLE: Shape = Shape::Plain("AppRoleAssignment", "AppRoleAssignment");
const GRANT: Shape = Shape::Plain("OAuth2PermissionGrant", "OAuth2PermissionGrant");
const TENANT: Shape = Shape::Plain("TenantDetail", "Company");
const TEXTS: Shape = Shape::Values("Collection(Edm.String)");

/// "Azure AD Graph API reference", 1.6.
static ROUTES: &[Route] = &[
    get("tenantDetails", "list tenantDetails", objects::organization, TENANT),
    get("tenantDetails/*", "get tenantDetail", objects::one_organization, TENANT),
    ask(
        "getObjectsByObjectIds",
        Some("directoryObjects/getByIds"),
        "getObjectsByObjectIds",
        (objects::by_ids, Shape::Objects),
    ),
    ask("isMemberOf", Some("groups"), "isMemberOf", (members::is_member_of, Shape::Values("Edm.Boolean"))),
    get("applications|servicePrincipals|users|groups", "list", lists::list, Shape::Objects),
    make("applications", "create application", changes::create_application, Shape::Objects),
    make("servicePrincipals", "create servicePrincipal", changes::create_service_principal, Shape::Objects),
    make("users", "create user", changes::create_user, Shape::Objects),
    make("groups", "create group", changes::create_group, Shape::Objects),
    get(
        "applications|servicePrincipals|users|groups|directoryObjects/*",
        "get",
        objects::get,
        Shape::Objects,
    ),
    change(Method::PATCH, ("applications|servicePrincipals|users|groups/*", None), "update", changes::update),
    change(
        Method::DELETE,
        ("applications|servicePrincipals|users|groups|directoryObjects/*", None),
        "delete",
        changes::delete,
    ),
    get(
        "applications|servicePrincipals/*/passwordCredentials",
        "list passwordCredentials",
        credentials::list_passwords,
        Shape::Values("passwordCredentials"),
    ),
    change(
        Method::PATCH,
        ("applications|servicePrincipals/*/passwordCredentials", None),
        "update passwordCredentials",
        credentials::update_passwords,
    ),
    get(
        "applications|servicePrincipals/*/keyCredentials",
        "list keyCredentials",
        credentials::list_keys,
        Shape::Values("keyCredentials"),
    ),
    change(
        Method::PATCH,
        ("applications/*/keyCredentials", Some("applications/*")),
        "update keyCredentials",
        changes::update,
    ),
    get("applications|servicePrincipals|groups/*/owners", "list owners", links::follow, Shape::Objects),
    get("servicePrincipals|users/*/ownedObjects", "list ownedObjects", links::follow, Shape::Objects),
    get("groups/*/members", "list members", links::follow, Shape::Objects),
    get("servicePrincipals|users|groups/*/memberOf", "list memberOf", links::follow, Shape::Objects),
    get("users/*/directReports", "list directReports", links::follow, Shape::Objects),
    get("users/*/manager", "get manager", links::manager, Shape::Objects),
    ask(
        "servicePrincipals|users|groups/*/getMemberGroups",
        None,
        "getMemberGroups",
        (links::get_member_groups, TEXTS),
    ),
    ask(
        "servicePrincipals|users|groups/*/getMemberObjects",
        None,
        "getMemberObjects",
        (links::get_member_groups, TEXTS),
    ),
    ask(
        "servicePrincipals|users|groups/*/checkMemberGroups",
        None,
        "checkMemberGroups",
        (links::check_member_groups, TEXTS),
    ),
    row(
        Method::GET,
        ("groups/*/$links/members", Some("groups/*/members")),
        "list links to members",
        (Effect::Read(links::follow), Shape::References),
    ),
    change(
        Method::POST,
        ("groups/*/$links/members", Some("groups/*/members")),
        "add member",
        links::add_member,
    ),
    change(
        Method::DELETE,
        ("groups/*/$links/members/*", Some("groups/*/members/*")),
        "remove member",
        links::remove_member,
    ),
    row(
        Method::GET,
        ("applications|servicePrincipals|groups/*/$links/owners", Some("*/*/owners")),
        "list links to owners",
        (Effect::Read(links::follow), Shape::References),
    ),
    change(
        Method::POST,
        ("applications|servicePrincipals|groups/*/$links/owners", Some("*/*/owners")),
        "add owner",
        links::add_owner,
    ),
    change(
        Method::DELETE,
        ("applications|servicePrincipals|groups/*/$links/owners/*", Some("*/*/owners/*")),
        "remove owner",
        links::remove_owner,
    ),
    change(
        Method::PUT,
        ("users/*/$links/manager", Some("users/*/manager")),
        "set manager",
        links::set_manager,
    ),
    change(
        Method::DELETE,
        ("users/*/$links/manager", Some("users/*/manager")),
        "remove manager",
        links::remove_manager,
    ),
    get(
        "servicePrincipals|users|groups/*/appRoleAssignments",
        "list appRoleAssignments",
        links::app_role_assignments,
        ROLE,
    ),
    make(
        "servicePrincipals|users|groups/*/appRoleAssignments",
        "create appRoleAssignment",
        links::assign_app_role,
        ROLE,
    ),
    change(
        Method::DELETE,
        ("servicePrincipals|users|groups/*/appRoleAssignments/*", None),
        "delete appRoleAssignment",
        links::unassign_app_role,
    ),
    get("servicePrincipals/*/appRoleAssignedTo", "list appRoleAssignedTo", links::app_role_assigned_to, ROLE),
    get("oauth2PermissionGrants", "list oauth2PermissionGrants", grants::list, GRANT),
    make("oauth2PermissionGrants", "create oauth2PermissionGrant", grants::create, GRANT),
    get("oauth2PermissionGrants/*", "get oauth2PermissionGrant", grants::get, GRANT),
    change(Method::PATCH, ("oauth2PermissionGrants/*", None), "update oauth2PermissionGrant", grants::update),
    change(
        Method::DELETE,
        ("oauth2PermissionGrants/*", None),
        "delete oauth2PermissionGrant",
        grants::delete,
    ),
    get(
        "servicePrincipals|users/*/oauth2PermissionGrants",
        "list oauth2PermissionGrants",
        grants::of_object,
        GRANT,
    ),
];

/// What the service had and this program has not: named when it is asked for.
static LATER: &[&str] =
    &["contacts", "deletedApplications", "devices", "directoryRoles", "domains", "policies"];

/// The row, and what stands for its stars.
pub(super) fn find(method: &Method, segments: &[String]) -> Result<(&'static Route, Vec<String>)> {
    let matching = || ROUTES.iter().filter_map(|route| Some((route, routes::takes(route.path, segments)?)));
    match matching().find(|(route, _)| route.method == *method) {
        Some(found) => Ok(found),
        None if matching().next().is_some() => Err((&codes::WRONG_METHOD).into()),
        None => Err(unknown(segments)),
    }
}

fn unknown(segments: &[String]) -> azure::error::Error {
    let first = segments.first().map_or("", String::as_str);
    match LATER.iter().find(|known| known.eq_ignore_ascii_case(first)) {
        Some(name) => codes::NOT_IMPLEMENTED.with([*name]),
        None => codes::SEGMENT_NOT_FOUND.with([segments.last().map_or("", String::as_str)]),
    }
}

/// The segments that Graph's function reads.
pub(super) fn graph_segments(route: &Route, given: &[String], keys: &[String]) -> Vec<String> {
    let Some(graph) = route.graph else { return given.to_vec() };
    // A first star is the collection, whatever it is.
    let first = given.first().cloned();
    let mut keys = match graph.starts_with("*/") {
        true => first.into_iter().chain(keys.iter().cloned()).collect::<Vec<_>>(),
        false => keys.to_vec(),
    }
    .into_iter();
    graph
        .split('/')
        .map(|it| if it == "*" { keys.next().unwrap_or_default() } else { it.to_owned() })
        .collect()
}
