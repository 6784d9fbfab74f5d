//! Which row of the table a request is.

use azure::error::Result;
use http::Method;

use super::{
    ask::{Answer, Ask},
    changes, codes, credentials, links, objects,
};
use crate::{cloud::Draw, service::Parts, store::Txn};

pub(super) type Read = fn(&Ask<'_>, &Txn) -> Result<Answer>;
pub(super) type Change = fn(&Ask<'_>, &mut Txn, &mut Draw) -> Result<Answer>;

#[derive(Clone, Copy)]
pub(super) enum Effect {
    Read(Read),
    Change(Change),
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

const fn delete(path: &'static str, name: &'static str, change: Change) -> Route {
    Route { method: Method::DELETE, path, name, effect: Effect::Change(change) }
}

/// Fixed words stand before stars.
static ROUTES: &[Route] = &[
    get("organization", "list organization", objects::organization),
    get("organization/*", "get organization", objects::one_organization),
    ask("directoryObjects/getByIds", "getByIds", objects::by_ids),
    get("applications|servicePrincipals|users|groups/$count", "count", objects::count),
    get("applications|servicePrincipals|users|groups", "list", objects::list),
    post("applications", "create application", changes::create_application),
    post("servicePrincipals", "create servicePrincipal", changes::create_service_principal),
    post("users", "create user", changes::create_user),
    post("groups", "create group", changes::create_group),
    get("applications|servicePrincipals|users|groups|directoryObjects/*", "get", objects::get),
    patch("applications|servicePrincipals|users|groups/*", "update", changes::update),
    delete("applications|servicePrincipals|users|groups|directoryObjects/*", "delete", changes::delete),
    post("applications/*/addPassword", "addPassword", credentials::add_password),
    post("applications/*/removePassword", "removePassword", credentials::remove_password),
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
    get("applications|servicePrincipals|groups/*/owners", "list owners", links::owners),
    post("applications|servicePrincipals|groups/*/owners/$ref", "add owner", links::add_owner),
    delete("applications|servicePrincipals|groups/*/owners/*/$ref", "remove owner", links::remove_owner),
    get("servicePrincipals|users/*/ownedObjects", "list ownedObjects", links::owned),
    get("groups/*/members", "list members", links::members),
    get("groups/*/transitiveMembers", "list transitiveMembers", links::transitive_members),
    post("groups/*/members/$ref", "add member", links::add_member),
    delete("groups/*/members/*/$ref", "remove member", links::remove_member),
    get("servicePrincipals|users|groups/*/memberOf", "list memberOf", links::member_of),
    get(
        "servicePrincipals|users|groups/*/transitiveMemberOf",
        "list transitiveMemberOf",
        links::transitive_member_of,
    ),
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
];

/// What Graph has and this program has not: named when it is asked for.
static LATER: &[&str] = &[
    "$batch",
    "deletedItems",
    "directory",
    "directoryRoles",
    "domains",
    "identity",
    "oauth2PermissionGrants",
    "policies",
    "roleManagement",
    "subscribedSkus",
];

/// A path, taken apart.
pub(super) struct Path {
    /// `https://graph.microsoft.com/v1.0`.
    pub(super) root: String,
    /// The whole address without its query, for the next page.
    pub(super) address: String,
    pub(super) segments: Vec<String>,
    pub(super) is_me: bool,
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
        let origin = parts.origin();
        let root = format!("{origin}/{version}");
        Ok(Path { root, address: format!("{origin}{}", parts.raw_path), segments, is_me })
    }

    /// The collection, in its own spelling where a route has it.
    pub(super) fn set(&self) -> &str {
        self.segments.first().map_or("", String::as_str)
    }
}

/// `applications(appId='x')` is two segments, and so is `users('x')`.
fn keyed(segment: &str) -> Vec<String> {
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
    let matching = || ROUTES.iter().filter_map(|route| Some((route, takes(route, &path.segments)?)));
    let answers =
        |route: &Route| route.method == *method || (route.method == Method::GET && *method == Method::HEAD);
    match matching().find(|(route, _)| answers(route)) {
        Some(found) => Ok(found),
        None if matching().next().is_some() => Err((&codes::WRONG_METHOD).into()),
        None => Err(unknown(path)),
    }
}

fn unknown(path: &Path) -> azure::error::Error {
    let is_later = LATER.iter().any(|known| known.eq_ignore_ascii_case(path.set()));
    match is_later {
        true => codes::NOT_IMPLEMENTED.with([path.set()]),
        false => codes::SEGMENT_NOT_FOUND.with([path.segments.last().map_or("", String::as_str)]),
    }
}

fn takes(route: &Route, segments: &[String]) -> Option<Vec<String>> {
    let mut patterns = route.path.split('/');
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
