//! What Resource Manager answers itself, on no provider's behalf: one row a path (arm.md §9).

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use http::Method;

use super::{
    codes,
    kind::{Answer, Call, On},
    metadata, path,
    path::What,
    polls, providers, subscriptions,
    types::Types,
};
use crate::store::Txn;

/// One of Resource Manager's own.
pub(super) struct Row {
    pub method: On,
    pub path: &'static str,
    pub who: Who,
    pub run: fn(&Types, &Call<'_, &Txn>) -> Result<Answer>,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Anyone,
    /// Any caller with a name, who is shown what it may see.
    SignedIn,
    /// Whoever may do this in the subscription of the path.
    May(&'static str),
    /// Whoever may register the `{namespace}`.
    MayRegister,
    /// Whoever began the `{operation}`, or may read what it is about.
    Follower,
}

const fn get(path: &'static str, who: Who, run: fn(&Types, &Call<'_, &Txn>) -> Result<Answer>) -> Row {
    Row { method: On::Get, path, who, run }
}

const fn post(path: &'static str, who: Who, run: fn(&Types, &Call<'_, &Txn>) -> Result<Answer>) -> Row {
    Row { method: On::Post, path, who, run }
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
    post("/subscriptions/{subscription}/providers/{namespace}/register", Who::MayRegister, providers::get),
    post("/subscriptions/{subscription}/providers/{namespace}/unregister", Who::MayRegister, later),
    get("/providers/{namespace}/operations", Who::SignedIn, providers::operations),
    get("/providers/Microsoft.Authorization/providerOperations", Who::SignedIn, providers::metadata),
    get(
        "/providers/Microsoft.Authorization/providerOperations/{namespace}",
        Who::SignedIn,
        providers::metadata_of_one,
    ),
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
    get(
        "/subscriptions/{subscription}/tagNames",
        Who::May("Microsoft.Resources/subscriptions/tagNames/read"),
        later,
    ),
    post(
        "/subscriptions/{subscription}/resourceGroups/{group}/exportTemplate",
        Who::May("Microsoft.Resources/subscriptions/resourceGroups/write"),
        later,
    ),
    post(
        "/subscriptions/{subscription}/resourceGroups/{group}/moveResources",
        Who::May("Microsoft.Resources/subscriptions/resourceGroups/moveResources/action"),
        later,
    ),
    post(
        "/subscriptions/{subscription}/resourceGroups/{group}/validateMoveResources",
        Who::May("Microsoft.Resources/subscriptions/resourceGroups/validateMoveResources/action"),
        later,
    ),
    post("/providers/Microsoft.Resources/checkResourceName", Who::SignedIn, later),
];

/// The row of a path; 405 where there is one for other methods alone.
pub(super) fn find(method: &Method, segments: &[&str]) -> Option<Result<What>> {
    let named = |row: &&'static Row| path::matches(row.path, segments).is_some();
    let mut rows = ROWS.iter().filter(named).peekable();
    rows.peek()?;
    let id = || format!("/{}", segments.join("/"));
    Some(match rows.find(|row| path::is_method(row.method, method)) {
        Some(row) => Ok(What::Own { row, path: path::matches(row.path, segments).unwrap_or_default() }),
        None => Err(codes::METHOD_NOT_ALLOWED.with([method.as_str(), &id()])),
    })
}

/// The operation of the path, if its name can be one's.
pub(super) fn operation_of(path: &path::Parameters) -> Option<Guid> {
    path.iter().find(|(name, _)| *name == "operation")?.1.parse().ok()
}

/// The subscription or the group of the path; the root where it names neither.
pub(super) fn scope_of(id: &ResourceId) -> ResourceId {
    id.group_scope().or_else(|| id.subscription_root()).unwrap_or_else(ResourceId::root)
}

fn later(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    Err(codes::not_implemented(call.id.name()))
}
