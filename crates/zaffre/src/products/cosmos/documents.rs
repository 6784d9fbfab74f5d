//! Documents, as they are stored.
//!
//! ```text
//! DOCUMENTS   (space, effective partition key, id)  ->  header, then the document's own compact JSON
//! BY_NUMBER   (space, number)                       ->  (effective partition key, id)
//! SEQUENCES   (space)                               ->  how many writes and documents there were
//! ```
//!
//! A logical partition's documents lie beside each other, and a collection's in the order of the partition
//! key space, which is how clients divide it among themselves. The header has what becomes `_rid`,
//! `_etag` and `_ts`; those are printed behind the JSON when it is read and stored nowhere else.
//!
//! Every write takes the next number of its collection's sequence, the LSN: session tokens and etags are
//! made of it, and it only grows. That makes writers of one collection wait for each other, as those of one
//! physical partition do in the service.

use azure::{error::Result, time::Timestamp};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{codes, collections::Collection, item::Item, stamp::Stamp};
use crate::store::{Raw, Span, Table, Txn};

const DOCUMENTS: Table<(u64, Vec<u8>, String), Raw> = Table::new("cosmos_documents");
const BY_NUMBER: Table<(u64, u64), Address> = Table::new("cosmos_document_numbers");
const SEQUENCES: Table<u64, Sequence> = Table::new("cosmos_sequences");

/// Where in its collection a document is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    /// The effective partition key; empty in a collection without one.
    pub(super) partition: Vec<u8>,
    pub(super) id: String,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sequence {
    writes: u64,
    documents: u64,
}

/// A document with what the service knows about it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Of its kind in the collection, counted from one.
    pub(super) number: u64,
    pub(super) stamp: Stamp,
    /// What the document itself says of its time to live.
    ttl: Option<i32>,
    /// Compact JSON, an object.
    text: Bytes,
}

const HEADER_BYTES: usize = 8 + 8 + 8 + 4;

impl Document {
    /// The whole document, system properties and all.
    pub(super) fn print(&self, collection: &Collection, out: &mut Vec<u8>) {
        let rid = collection.rid.document(self.number);
        // Every document has an id, so something is before the comma.
        out.extend_from_slice(&self.text[..self.text.len() - 1]);
        let system = format!(
            r#","_rid":"{rid}","_self":"{}docs/{rid}/","_etag":{},"_attachments":"attachments/","_ts":{}}}"#,
            collection.rid.self_link(),
            serde_json::Value::from(self.stamp.etag()),
            self.stamp.seconds,
        );
        out.extend_from_slice(system.as_bytes());
    }

    /// The write by which it became what it is.
    pub(super) fn lsn(&self) -> u64 {
        self.stamp.change
    }

    fn is_live(&self, collection: &Collection, now: Timestamp) -> bool {
        let Some(default) = collection.default_ttl() else { return true };
        match self.ttl.map_or(default, i64::from) {
            -1 => true,
            seconds => now.seconds() < self.stamp.seconds.saturating_add(seconds),
        }
    }

    fn to_raw(&self) -> Raw {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.text.len());
        bytes.put_u64(self.number);
        bytes.put_u64(self.stamp.change);
        bytes.put_i64(self.stamp.seconds);
        bytes.put_i32(self.ttl.unwrap_or(0));
        bytes.put_slice(&self.text);
        Raw(bytes.freeze())
    }

    /// None where the row was not written by `to_raw`.
    fn from_raw(Raw(bytes): Raw) -> Option<Self> {
        let part = |at: usize| bytes.get(at..at + 8)?.try_into().ok();
        let ttl = i32::from_be_bytes(bytes.get(24..HEADER_BYTES)?.try_into().ok()?);
        let (number, change) = (u64::from_be_bytes(part(0)?), u64::from_be_bytes(part(8)?));
        let stamp = Stamp { change, seconds: i64::from_be_bytes(part(16)?) };
        let text = bytes.slice(HEADER_BYTES..);
        Some(Document { number, stamp, ttl: (ttl != 0).then_some(ttl), text })
    }
}

/// The document there, if its time is not up.
pub(super) fn get(
    txn: &Txn,
    collection: &Collection,
    address: &Address,
    now: Timestamp,
) -> Result<Option<Document>> {
    let found = DOCUMENTS.get(txn, &key(collection, address))?;
    let document = found.map(read).transpose()?;
    Ok(document.filter(|document| document.is_live(collection, now)))
}

/// Where the document with this number is.
pub(super) fn address_of(txn: &Txn, collection: &Collection, number: u64) -> Result<Option<Address>> {
    Ok(BY_NUMBER.get(txn, &(collection.space, number))?)
}

fn key(collection: &Collection, address: &Address) -> (u64, Vec<u8>, String) {
    (collection.space, address.partition.clone(), address.id.clone())
}

fn read(raw: Raw) -> Result<Document> {
    Document::from_raw(raw).ok_or_else(|| codes::INTERNAL.bare().because("a document's row is too short"))
}

/// Writes a document where none is.
pub(super) fn create(
    txn: &mut Txn,
    collection: &Collection,
    (partition, item): (Vec<u8>, Item),
    now: Timestamp,
) -> Result<Document> {
    let address = Address { partition, id: item.id.clone() };
    if get(txn, collection, &address, now)?.is_some() {
        return Err(codes::CONFLICT.bare());
    }
    // One whose time is up may still lie there.
    delete(txn, collection, &address)?;
    let mut sequence = sequence(txn, collection)?;
    sequence.writes += 1;
    sequence.documents += 1;
    SEQUENCES.put(txn, &collection.space, &sequence)?;
    put(txn, collection, address, (sequence.documents, sequence.writes), item, now)
}

/// Writes a document in the place of another; one that has a new id moves there.
pub(super) fn replace(
    txn: &mut Txn,
    collection: &Collection,
    (current, address): (&Document, &Address),
    item: Item,
    now: Timestamp,
) -> Result<Document> {
    let next = Address { partition: address.partition.clone(), id: item.id.clone() };
    if next != *address {
        if get(txn, collection, &next, now)?.is_some() {
            return Err(codes::CONFLICT.bare());
        }
        delete(txn, collection, &next)?;
        DOCUMENTS.delete(txn, &key(collection, address))?;
    }
    let mut sequence = sequence(txn, collection)?;
    sequence.writes += 1;
    SEQUENCES.put(txn, &collection.space, &sequence)?;
    put(txn, collection, next, (current.number, sequence.writes), item, now)
}

fn put(
    txn: &mut Txn,
    collection: &Collection,
    address: Address,
    (number, change): (u64, u64),
    item: Item,
    now: Timestamp,
) -> Result<Document> {
    let ttl = item.ttl()?;
    let document = Document { number, stamp: Stamp::new(change, now), ttl, text: Bytes::from(item.text) };
    DOCUMENTS.put(txn, &key(collection, &address), &document.to_raw())?;
    BY_NUMBER.put(txn, &(collection.space, number), &address)?;
    Ok(document)
}

/// Takes a document away, and counts it as a write; gives the write's number.
pub(super) fn remove(txn: &mut Txn, collection: &Collection, address: &Address) -> Result<u64> {
    delete(txn, collection, address)?;
    let mut sequence = sequence(txn, collection)?;
    sequence.writes += 1;
    SEQUENCES.put(txn, &collection.space, &sequence)?;
    Ok(sequence.writes)
}

fn delete(txn: &mut Txn, collection: &Collection, address: &Address) -> Result<()> {
    let key = key(collection, address);
    let Some(stored) = DOCUMENTS.get(txn, &key)? else { return Ok(()) };
    BY_NUMBER.delete(txn, &(collection.space, read(stored)?.number))?;
    Ok(DOCUMENTS.delete(txn, &key)?)
}

fn sequence(txn: &Txn, collection: &Collection) -> Result<Sequence> {
    Ok(SEQUENCES.get(txn, &collection.space)?.unwrap_or_default())
}

/// How many writes the collection has seen.
pub(super) fn lsn(txn: &Txn, collection: &Collection) -> Result<u64> {
    Ok(sequence(txn, collection)?.writes)
}

/// What of a collection a feed walks through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Range {
    All,
    /// One logical partition.
    Partition(Vec<u8>),
    /// Effective partition keys from the first to below the second; no second is the end of the space.
    Between(Vec<u8>, Option<Vec<u8>>),
}

/// Live documents of a range, in order, behind an address, one at a time.
pub(super) fn walk<'t>(
    txn: &'t Txn,
    collection: &'t Collection,
    range: &Range,
    after: Option<&Address>,
    now: Timestamp,
) -> impl Iterator<Item = Result<(Address, Document)>> + 't {
    let space = collection.space;
    let start = |partition: &Vec<u8>| (space, partition.clone(), String::new());
    let mut span = match range {
        Range::All => Span::under(&(space,)),
        Range::Partition(partition) => Span::under(&(space, partition.clone())),
        Range::Between(from, to) => {
            let span = Span::under(&(space,)).from(&start(from));
            match to {
                Some(to) => span.before(&start(to)),
                None => span,
            }
        }
    };
    if let Some(after) = after {
        span = span.after(&key(collection, after));
    }
    DOCUMENTS.rows(txn, span).filter_map(move |row| {
        let found = row
            .map_err(Into::into)
            .and_then(|((_, partition, id), raw)| Ok((Address { partition, id }, read(raw)?)));
        match found {
            Ok((_, document)) if !document.is_live(collection, now) => None,
            found => Some(found),
        }
    })
}

/// Takes everything of a collection away. All of it is in one transaction: a collection is gone at once, and
/// what has not fit in memory was not in it either.
pub(super) fn forget(txn: &mut Txn, space: u64) -> Result<()> {
    let documents = DOCUMENTS.rows(txn, Span::under(&(space,)));
    let keys = documents.map(|row| Ok(row?.0)).collect::<Result<Vec<_>>>()?;
    keys.iter().try_for_each(|key| DOCUMENTS.delete(txn, key))?;
    let numbers = BY_NUMBER.rows(txn, Span::under(&(space,)));
    let keys = numbers.map(|row| Ok(row?.0)).collect::<Result<Vec<_>>>()?;
    keys.iter().try_for_each(|key| BY_NUMBER.delete(txn, key))?;
    Ok(SEQUENCES.delete(txn, &space)?)
}
