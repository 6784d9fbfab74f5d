//! Many at once: documents page by page, and metadata.
//!
//! A page ends after as many as were asked for or after four megabytes, whichever is first. Its continuation
//! names the last document shown, so that what is written or deleted meanwhile neither repeats nor hides
//! another.

use azure::{error::Result, text};
use serde_json::{Map, Value, json};

use super::{Call, answer, query};
use crate::{
    products::cosmos::{
        codes,
        collections::Collection,
        documents::{self, Address, Range},
        partition::hash,
        stamp::Stamp,
    },
    service::Reply,
    store::Txn,
};

const MAX_PAGE_BYTES: usize = 4 << 20;
const ONLY_RANGE: &str = "0";

pub(super) fn list(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let collection = call.owning_collection(txn)?;
    let range = range(call, &collection)?;
    page(call, txn, &collection, &range)
}

/// A query for everything is a feed of documents.
pub(super) fn query(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let wanted = query::parse(&call.body)?;
    if wanted.filter.is_some() {
        return Err(codes::not_yet("the SQL query engine, which a filter over documents needs"));
    }
    let collection = call.owning_collection(txn)?;
    let range = range(call, &collection)?;
    let options = call.options();
    let is_scoped =
        options.partition_key.is_some() || options.range_id.is_some() || options.stretch.is_some();
    if !is_scoped && !options.may_cross_partitions && collection.partition_key()?.is_some() {
        return Err(codes::CROSS_PARTITION.bare());
    }
    page(call, txn, &collection, &range)
}

/// What the headers narrow a feed down to.
fn range(call: &Call<'_>, collection: &Collection) -> Result<Range> {
    let options = call.options();
    // Several ids, comma-joined, are several ranges.
    let unknown = options.range_id.as_deref().filter(|id| id.split(',').any(|one| one.trim() != ONLY_RANGE));
    if let Some(id) = unknown {
        return Err(codes::NO_SUCH_RANGE.with([id, &collection.rid.text()]));
    }
    if let (Some(named), Some(definition)) = (&options.partition_key, collection.partition_key()?) {
        let components = definition.named(named.clone())?;
        let effective = definition.effective(&components);
        let is_whole = components.len() == definition.paths.len();
        // A beginning of a hierarchical key: everything whose own begins with it.
        let end = [effective.as_slice(), &[0xff]].concat();
        return Ok(if is_whole { Range::Partition(effective) } else { Range::Between(effective, Some(end)) });
    }
    Ok(match &options.stretch {
        Some((from, to)) => Range::Between(from.clone(), Some(to.clone())),
        None => Range::All,
    })
}

fn page(call: &Call<'_>, txn: &Txn, collection: &Collection, range: &Range) -> Result<Reply> {
    let database = call.owning_database(txn)?;
    let lsn = documents::lsn(txn, collection)?;
    check_session(call, lsn)?;
    let after = call.options().continuation.as_deref().map(|text| read_continuation(text, collection));
    let after = after.transpose()?;
    let mut walk = documents::walk(txn, collection, range, after.as_ref(), call.cx.now).peekable();
    let mut body = format!(r#"{{"_rid":"{}","Documents":["#, collection.rid.text()).into_bytes();
    let (mut count, mut last) = (0, None);
    while count < call.options().page.items() && body.len() < MAX_PAGE_BYTES {
        let Some((address, document)) = walk.next().transpose()? else { break };
        if count > 0 {
            body.push(b',');
        }
        document.print(collection, &mut body);
        last = Some(address);
        count += 1;
    }
    body.extend_from_slice(format!(r#"],"_count":{count}}}"#).as_bytes());
    let charge = answer::Charge::Read.of(body.len());
    let reply = answer::about(answer::bytes(200, body), (&database.name, collection), lsn);
    let reply = reply.with("x-ms-item-count", count.to_string()).with("x-ms-request-charge", charge);
    Ok(match last.filter(|_| walk.peek().is_some()) {
        Some(last) => reply.with("x-ms-continuation", write_continuation(&last, collection)),
        None => reply,
    })
}

/// Opaque to clients; the collection's id is in it, so that another's is no good here.
fn write_continuation(last: &Address, collection: &Collection) -> String {
    let parts = json!([collection.rid.text(), hash::printed(&last.partition), last.id]);
    text::base64url(parts.to_string())
}

fn read_continuation(text: &str, collection: &Collection) -> Result<Address> {
    let bad = || codes::BAD_CONTINUATION.bare();
    let bytes = text::base64url_decode(text).ok_or_else(bad)?;
    let (rid, partition, id): (String, String, String) = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let partition = super::options::unhex(&partition).ok_or_else(bad)?;
    if rid == collection.rid.text() { Ok(Address { partition, id }) } else { Err(bad()) }
}

/// A client that has seen a later write than we have may not be shown less.
pub(super) fn check_session(call: &Call<'_>, lsn: u64) -> Result<()> {
    match call.options().session {
        Some(seen) if seen > lsn => Err(codes::SESSION_NOT_AVAILABLE.bare()),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn check_if_match(call: &Call<'_>, stamp: Stamp) -> Result<()> {
    match &call.options().if_match {
        Some(condition) if !stamp.is_named_by(condition) => Err(codes::PRECONDITION_FAILED.bare()),
        Some(_) | None => Ok(()),
    }
}

/// A feed of databases, collections or offers. An account has at most a few hundred of each, so a page is
/// counted out of all of them.
pub(super) fn metadata(
    call: &Call<'_>,
    (rid, name): (&str, &str),
    all: Vec<Map<String, Value>>,
) -> Result<Reply> {
    let start = match &call.options().continuation {
        Some(text) => text.parse::<usize>().map_err(|_| codes::BAD_CONTINUATION.bare())?,
        None => 0,
    };
    let total = all.len();
    let shown: Vec<_> = all.into_iter().skip(start).take(call.options().page.items()).collect();
    let (count, end) = (shown.len(), start + shown.len());
    let body = json!({ "_rid": rid, name: shown, "_count": count });
    let reply = answer::json(200, &body).with("x-ms-item-count", count.to_string());
    Ok(if end < total { reply.with("x-ms-continuation", end.to_string()) } else { reply })
}
