//! What Resource Manager answers itself, on no provider's behalf: one row a path (arm.md §9).

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use http::Method;

use super::{
    activity, codes, export,
    kind::{Answer, Call},
    metadata, moves, path,
    path::What,
    polls, providers, resource_names, subscriptions, tag_names,
    types::Types,
};
use crate::store::Txn;

/// One of Resource Manager's own.
pub(super) struct Row {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub run: Run,
}

/// What it does.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// Reads alone; a body is not looked at.
    Read(Reads),
    /// In one writing transaction, with the body that came.
    Write(Writes),
}

type Reads = fn(&Types, &Call<'_, &Txn>) -> Result<Answer>;
type Writes = fn(&Types, &mut Call<'_>) -> Result<Answer>;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Anyone,
    /// Any caller with a name, who is shown what it may see.
    SignedIn,
    /// Whoever may do this at the group of the path, or at its subscription where it names no group.
    May(&'static str),
    /// The same, and more when the body has been read.
    MayAndMore(&'static str),
    /// Whoever may register the `{namespace}`, or unregister it.
    MayRegister,
    /// Whoever began the `{operation}`, or may read what it is about.
    Follower,
}

const fn get(path: &'static str, who: Who, run: Reads) -> Row {
    Row { method: Method::GET, path, who, run: Run::Read(run) }
}

const fn write(method: Method, path: &'static str, who: Who, run: Writes) -> Row {
    Row { method, path, who, run: Run::Write(run) }
}

pub(super) static ROWS: &[Row] = &[
    get("/metadata/endpoints", Who::Anyone, metadata::endpoints),
    get("/tenants", Who::SignedIn, subscriptions::tenants),
    get("/subscriptions", Who::SignedIn, subscriptions::list),
    get("/subscriptions/{subscription}", Who::SignedIn, subscriptions::get),
    get("/subscriptions/{subscription}/locations", Who::SignedIn, subscriptions::locations),
    get("/subscriptions/{subscription}/resources", Who::SignedIn, subscriptions::resources),
    get(
        "/subscriptions/{subscription}/resourceGroups/{group}/resources",
        Who::SignedIn,
        subscriptions::resources,
    ),
    get("/subscriptions/{subscription}/resourceGroups", Who::SignedIn, subscriptions::groups),
    get("/providers", Who::SignedIn, providers::list),
    get("/providers/{namespace}", Who::SignedIn, providers::get),
    get("/subscriptions/{subscription}/providers", Who::SignedIn, providers::list),
    get("/subscriptions/{subscription}/providers/{namespace}", Who::SignedIn, providers::get),
    write(
        Method::POST,
        "/subscriptions/{subscription}/providers/{namespace}/register",
        Who::MayRegister,
        providers::register,
    ),
    write(
        Method::POST,
        "/subscriptions/{subscription}/providers/{namespace}/unregister",
        Who::MayRegister,
        providers::unregister,
    ),
    get("/providers/{namespace}/operations", Who::SignedIn, providers::operations),
    get("/providers/Microsoft.Authorization/providerOperations", Who::SignedIn, providers::metadata),
    get(
        "/providers/Microsoft.Authorization/providerOperations/{namespace}",
        Who::SignedIn,
        providers::metadata_of_one,
    ),
    get(
        "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values",
        Who::SignedIn,
        activity::of_subscription,
    ),
    get("/providers/Microsoft.Insights/eventtypes/management/values", Who::SignedIn, activity::of_tenant),
    get("/providers/Microsoft.Insights/eventcategories", Who::SignedIn, activity::categories),
    get("/subscriptions/{subscription}/operationresults/{operation}", Who::Follower, polls::result),
    get(
        "/subscriptions/{subscription}/providers/{namespace}/locations/{location}/operations/{operation}",
        Who::Follower,
        polls::status,
    ),
    get(
        "/subscriptions/{subscription}/providers/{namespace}/locations/{location}/operationresults/{operation}",
        Who::Follower,
        polls::result,
    ),
    // Of what is in no subscription: deployments of management groups and of the tenant.
    get("/providers/{namespace}/locations/{location}/operations/{operation}", Who::Follower, polls::status),
    get(
        "/providers/{namespace}/locations/{location}/operationresults/{operation}",
        Who::Follower,
        polls::result,
    ),
    get(
        "/subscriptions/{subscription}/tagNames",
        Who::May("Microsoft.Resources/subscriptions/tagNames/read"),
        tag_names::list,
    ),
    write(
        Method::PUT,
        "/subscriptions/{subscription}/tagNames/{name}",
        Who::May("Microsoft.Resources/subscriptions/tagNames/write"),
        tag_names::put_name,
    ),
    write(
        Method::DELETE,
        "/subscriptions/{subscription}/tagNames/{name}",
        Who::May("Microsoft.Resources/subscriptions/tagNames/delete"),
        tag_names::delete_name,
    ),
    write(
        Method::PUT,
        "/subscriptions/{subscription}/tagNames/{name}/tagValues/{value}",
        Who::May("Microsoft.Resources/subscriptions/tagNames/tagValues/write"),
        tag_names::put_value,
    ),
    write(
        Method::DELETE,
        "/subscriptions/{subscription}/tagNames/{name}/tagValues/{value}",
        Who::May("Microsoft.Resources/subscriptions/tagNames/tagValues/delete"),
        tag_names::delete_value,
    ),
    write(
        Method::POST,
        "/subscriptions/{subscription}/resourceGroups/{group}/exportTemplate",
        Who::May("Microsoft.Resources/subscriptions/resourceGroups/write"),
        export::template,
    ),
    write(
        Method::POST,
        "/subscriptions/{subscription}/resourceGroups/{group}/moveResources",
        Who::MayAndMore("Microsoft.Resources/subscriptions/resourceGroups/moveResources/action"),
        moves::carry_out,
    ),
    write(
        Method::POST,
        "/subscriptions/{subscription}/resourceGroups/{group}/validateMoveResources",
        Who::MayAndMore("Microsoft.Resources/subscriptions/resourceGroups/validateMoveResources/action"),
        moves::validate,
    ),
    write(
        Method::POST,
        "/providers/Microsoft.Resources/checkResourceName",
        Who::SignedIn,
        resource_names::check,
    ),
    write(
        Method::POST,
        "/subscriptions/{subscription}/providers/Microsoft.Resources/checkResourceName",
        Who::SignedIn,
        resource_names::check,
    ),
];

/// The row of a path; 405 where there is one for other methods alone.
pub(super) fn find(method: &Method, segments: &[&str]) -> Option<Result<What>> {
    let named = |row: &&'static Row| path::matches(row.path, segments).is_some();
    let mut rows = ROWS.iter().filter(named).peekable();
    rows.peek()?;
    let id = || format!("/{}", segments.join("/"));
    Some(match rows.find(|row| row.method == *method) {
        Some(row) => Ok(What::Own { row, path: path::matches(row.path, segments).unwrap_or_default() }),
        None => Err(codes::METHOD_NOT_ALLOWED.with([method.as_str(), &id()])),
    })
}

/// The operation of the path, if its name can be one's.
pub(super) fn operation_of(path: &path::Parameters) -> Option<Guid> {
    path.iter().find(|(name, _)| *name == "operation")?.1.parse().ok()
}

/// `Microsoft.Compute/register/action`, of the path's namespace and its last word.
pub(super) fn register_action(path: &path::Parameters, at: &str) -> String {
    let namespace = path.iter().find(|(name, _)| *name == "namespace").map_or("", |(_, it)| it.as_str());
    let is_end = at.trim_end_matches('/').to_ascii_lowercase().ends_with("/unregister");
    format!("{namespace}/{}/action", if is_end { "unregister" } else { "register" })
}

/// The subscription or the group of the path; the root where it names neither.
pub(super) fn scope_of(id: &ResourceId) -> ResourceId {
    id.group_scope().or_else(|| id.subscription_root()).unwrap_or_else(ResourceId::root)
}
