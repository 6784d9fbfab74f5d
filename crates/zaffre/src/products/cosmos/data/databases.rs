//! Databases over the wire.

use azure::error::Result;

use super::{Call, answer, feed, query};
use crate::{
    products::cosmos::{codes, databases},
    service::Reply,
    store::Txn,
};

pub(super) fn create(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let body = query::object(&call.body)?;
    let Some(name) = body.get("id").and_then(|id| id.as_str()) else { return Err(codes::NO_ID.bare()) };
    let mut draw = call.draw.clone();
    let wanted = (name, call.options().throughput);
    let database = databases::create(txn, &mut draw, &call.account.id, wanted, call.cx.now)?;
    Ok(answer::resource(201, &database.shown(), database.stamp))
}

pub(super) fn read(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let database = call.database(txn)?;
    Ok(answer::resource(200, &database.shown(), database.stamp))
}

pub(super) fn delete(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let database = call.database(txn)?;
    feed::check_if_match(call, database.stamp)?;
    databases::delete(txn, &call.account.id, &database)?;
    Ok(Reply::new(204))
}

pub(super) fn list(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let all = databases::list(txn, &call.account.id, None, usize::MAX)?;
    feed::metadata(call, ("", "Databases"), all.iter().map(|it| it.shown()).collect())
}

pub(super) fn query(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let wanted = query::parse(&call.body)?;
    let all = databases::list(txn, &call.account.id, None, usize::MAX)?;
    let shown = all.iter().map(|it| it.shown()).filter(|it| wanted.takes(it));
    feed::metadata(call, ("", "Databases"), shown.collect())
}
