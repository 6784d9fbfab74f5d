//! Collections over the wire.

use azure::error::Result;
use serde_json::{Map, Value};

use super::{Call, answer, feed, query};
use crate::{
    products::cosmos::{
        codes,
        collections::{self, Collection},
        databases::Database,
        documents,
    },
    service::Reply,
    store::Txn,
};

pub(super) fn create(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let body = query::object(&call.body)?;
    let Some(name) = body.get("id").and_then(Value::as_str) else { return Err(codes::NO_ID.bare()) };
    let mut draw = call.draw.clone();
    let wanted = (name, &body, call.options().throughput);
    let place = (&call.account.id, &database);
    let collection = collections::create(txn, &mut draw, place, wanted, call.cx.now)?;
    shown(txn, 201, &database, &collection)
}

pub(super) fn read(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let collection = call.collection(txn)?;
    if call.options().if_none_match.as_deref().is_some_and(|it| collection.stamp.is_named_by(it)) {
        return Ok(Reply::new(304).with("etag", collection.stamp.etag()));
    }
    shown(txn, 200, &database, &collection)
}

pub(super) fn replace(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let collection = call.collection(txn)?;
    feed::check_if_match(call, collection.stamp)?;
    let body = query::object(&call.body)?;
    if body.get("id").and_then(Value::as_str) != Some(collection.name.as_str()) {
        return Err(codes::IMMUTABLE.with(["id"]));
    }
    let mut draw = call.draw.clone();
    let changed = (collection, &body);
    let collection = collections::replace(txn, &mut draw, &call.account.id, changed, call.cx.now)?;
    shown(txn, 200, &database, &collection)
}

pub(super) fn delete(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let collection = call.collection(txn)?;
    feed::check_if_match(call, collection.stamp)?;
    collections::delete(txn, &call.account.id, &collection)?;
    Ok(Reply::new(204))
}

pub(super) fn list(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let all = all(call, txn, &database)?;
    feed::metadata(call, (&database.rid(), "DocumentCollections"), all)
}

pub(super) fn query(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let wanted = query::parse(&call.body)?;
    let database = call.owning_database(txn)?;
    let mut all = all(call, txn, &database)?;
    all.retain(|it| wanted.takes(it));
    feed::metadata(call, (&database.rid(), "DocumentCollections"), all)
}

fn all(call: &Call<'_>, txn: &Txn, database: &Database) -> Result<Vec<Map<String, Value>>> {
    let all = collections::list(txn, &call.account.id, database, None, usize::MAX)?;
    Ok(all.iter().map(Collection::shown).collect())
}

fn shown(txn: &Txn, status: u16, database: &Database, collection: &Collection) -> Result<Reply> {
    let lsn = documents::lsn(txn, collection)?;
    let reply = answer::resource(status, &collection.shown(), collection.stamp);
    Ok(answer::about(reply, (&database.name, collection), lsn))
}
