//! Partition key ranges: a collection has one physical partition, the whole space.

use azure::error::Result;
use serde_json::json;

use super::{Call, answer};
use crate::{products::cosmos::documents, service::Reply, store::Txn};

/// The number that the range has among its collection's.
const NUMBER: u64 = 2;

/// SDKs read this feed incrementally and go on until they are told that nothing is new (cosmos.md §4.5).
pub(super) fn list(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let collection = call.owning_collection(txn)?;
    let lsn = documents::lsn(txn, &collection)?;
    // The ranges are as old as their collection, and never change.
    let stamp = collection.stamp;
    let about = |reply| answer::about(reply, (&database.name, &collection), lsn).with("etag", stamp.etag());
    if call.options().if_none_match.as_deref().is_some_and(|it| stamp.is_named_by(it)) {
        return Ok(about(Reply::new(304)));
    }
    let rid = collection.rid.partition_key_range(NUMBER);
    let range = json!({
        "_rid": rid,
        "id": "0",
        "_etag": stamp.etag(),
        "minInclusive": "",
        "maxExclusive": "FF",
        "ridPrefix": 0,
        "_self": format!("{}pkranges/{rid}/", collection.rid.self_link()),
        "throughputFraction": 1,
        "status": "online",
        "parents": [],
        "ownedArchivalPKRangeIds": [],
        "_ts": stamp.seconds,
        "lsn": lsn,
    });
    let body = json!({ "_rid": collection.rid.text(), "PartitionKeyRanges": [range], "_count": 1 });
    Ok(about(answer::json(200, &body)).with("x-ms-item-count", "1"))
}
