//! One document over the wire (cosmos.md §5).

use azure::error::Result;

use super::{Call, answer, answer::Charge, feed};
use crate::{
    products::cosmos::{
        codes,
        collections::Collection,
        databases::Database,
        documents::{self, Address, Document},
        item::Item,
    },
    service::Reply,
    store::Txn,
};

pub(super) fn create(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let place = Place::of(call, txn)?;
    let (partition, item) = sent(call, &place.collection)?;
    create_in(call, txn, &place, (partition, item))
}

/// Creates or replaces, by what is there.
pub(super) fn upsert(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let place = Place::of(call, txn)?;
    let (partition, item) = sent(call, &place.collection)?;
    let address = Address { partition, id: item.id.clone() };
    match documents::get(txn, &place.collection, &address, call.cx.now)? {
        Some(current) => replace_in(call, txn, &place, (&current, &address), item),
        None => create_in(call, txn, &place, (address.partition, item)),
    }
}

pub(super) fn read(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let place = Place::of(call, txn)?;
    let lsn = documents::lsn(txn, &place.collection)?;
    feed::check_session(call, lsn)?;
    let address = address(call, txn, &place.collection)?;
    let document = documents::get(txn, &place.collection, &address, call.cx.now)?;
    let Some(document) = document else { return Err(codes::NOT_FOUND.bare()) };
    if call.options().if_none_match.as_deref().is_some_and(|it| document.stamp.is_named_by(it)) {
        let reply = Reply::new(304).with("etag", document.stamp.etag());
        return Ok(place.about(reply, lsn));
    }
    Ok(place.shown(200, &document, (Charge::Read, lsn), false))
}

pub(super) fn replace(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let place = Place::of(call, txn)?;
    let address = address(call, txn, &place.collection)?;
    let current = documents::get(txn, &place.collection, &address, call.cx.now)?;
    let Some(current) = current else { return Err(codes::NOT_FOUND.bare()) };
    let item = Item::parse(&call.body)?;
    if partition_of(&place.collection, &item)? != address.partition {
        return Err(codes::PARTITION_KEY_MISMATCH.bare());
    }
    replace_in(call, txn, &place, (&current, &address), item)
}

pub(super) fn delete(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let place = Place::of(call, txn)?;
    let address = address(call, txn, &place.collection)?;
    let current = documents::get(txn, &place.collection, &address, call.cx.now)?;
    let Some(current) = current else { return Err(codes::NOT_FOUND.bare()) };
    feed::check_if_match(call, current.stamp)?;
    let lsn = documents::remove(txn, &place.collection, &address)?;
    let reply = Reply::new(204).with("x-ms-request-charge", Charge::Change.of(0));
    Ok(place.about(reply, lsn))
}

fn create_in(
    call: &Call<'_>,
    txn: &mut Txn,
    place: &Place,
    (partition, item): (Vec<u8>, Item),
) -> Result<Reply> {
    let document = documents::create(txn, &place.collection, (partition, item), call.cx.now)?;
    let said = (Charge::Create, document.lsn());
    Ok(place.shown(201, &document, said, call.options().is_minimal))
}

fn replace_in(
    call: &Call<'_>,
    txn: &mut Txn,
    place: &Place,
    (current, address): (&Document, &Address),
    item: Item,
) -> Result<Reply> {
    feed::check_if_match(call, current.stamp)?;
    let document = documents::replace(txn, &place.collection, (current, address), item, call.cx.now)?;
    let said = (Charge::Change, document.lsn());
    Ok(place.shown(200, &document, said, call.options().is_minimal))
}

/// Where the request's document is.
struct Place {
    database: Database,
    collection: Collection,
}

impl Place {
    fn of(call: &Call<'_>, txn: &Txn) -> Result<Self> {
        Ok(Place { database: call.owning_database(txn)?, collection: call.owning_collection(txn)? })
    }

    fn about(&self, reply: Reply, lsn: u64) -> Reply {
        answer::about(reply, (&self.database.name, &self.collection), lsn)
    }

    fn shown(
        &self,
        status: u16,
        document: &Document,
        (charge, lsn): (Charge, u64),
        is_minimal: bool,
    ) -> Reply {
        let mut body = Vec::new();
        document.print(&self.collection, &mut body);
        let charge = charge.of(body.len());
        let reply = if is_minimal { Reply::new(status) } else { answer::bytes(status, body) };
        let reply = reply.with("etag", document.stamp.etag()).with("x-ms-request-charge", charge);
        self.about(reply, lsn)
    }
}

/// The document in the body, and the partition that it and the header agree on.
fn sent(call: &Call<'_>, collection: &Collection) -> Result<(Vec<u8>, Item)> {
    let item = Item::parse(&call.body)?;
    let partition = partition_of(collection, &item)?;
    if partition != named_partition(call, collection)? {
        return Err(codes::PARTITION_KEY_MISMATCH.bare());
    }
    Ok((partition, item))
}

fn partition_of(collection: &Collection, item: &Item) -> Result<Vec<u8>> {
    match collection.partition_key()? {
        Some(definition) => Ok(definition.effective(&definition.of(item)?)),
        None => Ok(Vec::new()),
    }
}

/// The partition that the header names.
fn named_partition(call: &Call<'_>, collection: &Collection) -> Result<Vec<u8>> {
    let Some(definition) = collection.partition_key()? else { return Ok(Vec::new()) };
    match &call.options().partition_key {
        Some(named) => Ok(definition.effective(&definition.whole(named.clone())?)),
        None => Err(codes::MISSING_PARTITION_KEY.bare()),
    }
}

/// Where the document of the path is: by name in the header's partition, or by its resource id.
fn address(call: &Call<'_>, txn: &Txn, collection: &Collection) -> Result<Address> {
    let target = &call.op.target;
    let id = target.item.clone().unwrap_or_default();
    if target.is_by_rid(collection) {
        let number = collection.rid.parse_document(&id);
        let address = number.map(|number| documents::address_of(txn, collection, number)).transpose()?;
        return address.flatten().ok_or_else(|| codes::NOT_FOUND.bare());
    }
    Ok(Address { partition: named_partition(call, collection)?, id })
}
