//! `…/apis/sql/databases/{database}/containers/{container}` and their `settings/throughput`: how databases were reached
//! before 2019-08-01. They are the same databases; here their ids are read, and what today's paths show is shown flat,
//! as it was then (azure-mgmt-cosmosdb 0.6: SqlDatabase, SqlContainer, Throughput).

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{document, not_found, sql, throughput};
use crate::{
    arm::kind::{Edit, Look, Own, Written},
    products::cosmos::codes,
};

/// The one API that there is.
const SQL: &str = "sql";

/// `apis/sql` is only a step of the path.
pub(super) static APIS: Own = Own {
    get: |look| Ok(is_sql(look.id).then(|| document(look.id, "apis", json!({})))),
    list: |look| Ok(vec![document(&look.id.child("apis", SQL), "apis", json!({}))]),
    put: |_| -> Result<Written> { Err(codes::METHOD_NOT_ALLOWED.bare()) },
    patch: None,
    delete: |_| Err(codes::METHOD_NOT_ALLOWED.bare()),
    delete_shows: false,
    absent: Some(|id: &ResourceId| other_api(id)),
};
pub(super) static DATABASES: Own = Own { list: |look| list(look, "databases", &sql::DATABASES), ..ANY };
pub(super) static CONTAINERS: Own = Own { list: |look| list(look, "containers", &sql::CONTAINERS), ..ANY };
pub(super) static SETTINGS: Own = Own { list: |look| list(look, "settings", &throughput::OWN), ..ANY };

const ANY: Own = Own {
    get,
    list: |_| Ok(Vec::new()),
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(not_found),
};

fn is_sql(id: &ResourceId) -> bool {
    id.names().get(1).is_some_and(|api| api.eq_ignore_ascii_case(SQL))
}

fn other_api(id: &ResourceId) -> azure::error::Error {
    let api = id.names().get(1).copied().unwrap_or_default().escape_default().to_string();
    codes::not_yet(format!("the API '{api}' of an account"))
}

/// What the id names by today's paths, and who keeps it. Nothing where the last word is no setting that there is.
fn modern(id: &ResourceId) -> Option<(ResourceId, &'static Own)> {
    let names = id.names();
    let at = |place: usize| names.get(place).copied().unwrap_or_default();
    let (account, database) = (id.account(), at(2));
    let database = account.child("sqlDatabases", database);
    let is_throughput = id.name().eq_ignore_ascii_case("throughput");
    let container = || database.child("containers", at(3));
    let kind = id.resource_type().unwrap_or_default().to_ascii_lowercase();
    match (kind.rsplit('/').next().unwrap_or_default(), names.len()) {
        ("databases", _) => Some((database, &sql::DATABASES)),
        ("containers", _) => Some((container(), &sql::CONTAINERS)),
        ("settings", 4) if is_throughput => {
            Some((database.child("throughputSettings", "default"), &throughput::OWN))
        }
        ("settings", _) if is_throughput => {
            Some((container().child("throughputSettings", "default"), &throughput::OWN))
        }
        _ => None,
    }
}

/// The document of today in the words of then.
fn old(id: &ResourceId, shown: &Value) -> Value {
    let names = id.resource_type().unwrap_or_default();
    let kind = names.splitn(3, '/').nth(2).unwrap_or_default();
    document(id, kind, shown["properties"]["resource"].clone())
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let Some((id, own)) = modern(look.id) else { return Ok(None) };
    let found = (own.get)(&Look { id: &id, ..*look })?;
    Ok(found.map(|shown| old(look.id, &shown)))
}

/// What today's list of the same shows, each under its id of then.
fn list(look: &Look<'_>, kind: &str, own: &Own) -> Result<Vec<Value>> {
    let parent = modern(look.id).map_or_else(|| look.id.account(), |(id, _)| id);
    let all = (own.list)(&Look { id: &parent, ..*look })?;
    let shown = |it: &Value| {
        let name = it["name"].as_str().unwrap_or_default();
        let name = if kind == "settings" { "throughput" } else { name };
        old(&look.id.child(kind, name), it)
    };
    Ok(all.iter().map(shown).collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let Some((id, own)) = modern(edit.id) else { return Err(codes::METHOD_NOT_ALLOWED.bare()) };
    let as_was = edit.id;
    let written = (own.put)(&mut as_now(edit, &id))?;
    Ok(Written { is_new: written.is_new, body: old(as_was, &written.body) })
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some((id, own)) = modern(edit.id) else { return Ok(None) };
    (own.delete)(&mut as_now(edit, &id))
}

fn as_now<'e>(edit: &'e mut Edit<'_>, id: &'e ResourceId) -> Edit<'e> {
    Edit {
        cx: edit.cx,
        txn: edit.txn,
        permit: edit.permit,
        draw: edit.draw,
        id,
        version: edit.version,
        query: edit.query,
        body: edit.body,
        origin: edit.origin,
        action: edit.action,
    }
}
