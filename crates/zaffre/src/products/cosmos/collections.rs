//! Collections: Resource Manager's `containers`.

use azure::{error::Result, ids::ResourceId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    codes,
    databases::{self, Database},
    definition, documents, offers,
    partition::Definition,
    rid::{self, CollectionRid},
    scripts,
    stamp::Stamp,
};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

/// By account, database and name.
const COLLECTIONS: Table<(ResourceId, u32, String), Collection> = Table::new("cosmos_collections");
const BY_RID: Table<(ResourceId, u32, u32), String> = Table::new("cosmos_collection_rids");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Collection {
    pub(super) name: String,
    pub(super) rid: CollectionRid,
    /// What its documents are kept under: drawn anew for each collection, so that one made again under an old
    /// name has nothing of the old one's.
    pub(super) space: u64,
    pub(super) definition: Map<String, Value>,
    pub(super) stamp: Stamp,
}

impl Collection {
    /// None where documents have no partition key: the fixed collections of old.
    pub(super) fn partition_key(&self) -> Result<Option<Definition>> {
        self.definition.get("partitionKey").map(Definition::parse).transpose()
    }

    pub(super) fn default_ttl(&self) -> Option<i64> {
        self.definition.get("defaultTtl")?.as_i64()
    }

    /// As both planes show it.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), json!(self.name));
        shown.extend(self.definition.clone());
        let system = json!({
            "_rid": self.rid.text(),
            "_ts": self.stamp.seconds,
            "_self": self.rid.self_link(),
            "_etag": self.stamp.etag(),
            "_docs": "docs/",
            "_sprocs": "sprocs/",
            "_triggers": "triggers/",
            "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        });
        let Value::Object(system) = system else { unreachable!("an object was written") };
        shown.extend(system);
        shown
    }
}

/// By name, or by resource id.
pub(super) fn find(
    txn: &Txn,
    account: &ResourceId,
    database: &Database,
    text: &str,
) -> Result<Option<Collection>> {
    if let Some(found) = named(txn, account, database, text)? {
        return Ok(Some(found));
    }
    let Some(rid) = CollectionRid::parse(text).filter(|rid| rid.database == database.number) else {
        return Ok(None);
    };
    match BY_RID.get(txn, &(account.clone(), rid.database, rid.collection))? {
        Some(name) => named(txn, account, database, &name),
        None => Ok(None),
    }
}

pub(super) fn named(
    txn: &Txn,
    account: &ResourceId,
    database: &Database,
    name: &str,
) -> Result<Option<Collection>> {
    Ok(COLLECTIONS.get(txn, &(account.clone(), database.number, name.to_owned()))?)
}

/// Behind a name, in order, at most so many.
pub(super) fn list(
    txn: &Txn,
    account: &ResourceId,
    database: &Database,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Collection>> {
    let after = after.map(|name| (account.clone(), database.number, name.to_owned()));
    let rows = COLLECTIONS.scan(txn, &(account.clone(), database.number), after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, collection)| collection).collect())
}

/// Makes a collection. Without throughput of its own it shares its database's, and has the least there is
/// where the database has none.
pub(super) fn create(
    txn: &mut Txn,
    draw: &mut Draw,
    (account, database): (&ResourceId, &Database),
    (name, body, throughput): (&str, &Map<String, Value>, Option<offers::Throughput>),
    now: Timestamp,
) -> Result<Collection> {
    databases::check_name(name)?;
    let definition = definition::of_new(body)?;
    if named(txn, account, database, name)?.is_some() {
        return Err(codes::CONFLICT.bare());
    }
    let rid = free_rid(txn, draw, account, database)?;
    let stamp = Stamp::new(draw.u64(), now);
    let collection = Collection { name: name.to_owned(), rid, space: draw.u64(), definition, stamp };
    put(txn, account, &collection)?;
    BY_RID.put(txn, &(account.clone(), rid.database, rid.collection), &collection.name)?;
    let is_shared = offers::of(txn, account, &database.rid())?.is_some();
    if throughput.is_some() || !is_shared {
        let place = (rid.text(), rid.self_link());
        offers::create(txn, draw, account, place, throughput.unwrap_or_default(), now)?;
    }
    Ok(collection)
}

fn free_rid(txn: &Txn, draw: &mut Draw, account: &ResourceId, database: &Database) -> Result<CollectionRid> {
    loop {
        let rid = CollectionRid { database: database.number, collection: rid::draw_collection(draw) };
        if !BY_RID.exists(txn, &(account.clone(), rid.database, rid.collection))? {
            return Ok(rid);
        }
    }
}

/// Replaces a collection's definition.
pub(super) fn replace(
    txn: &mut Txn,
    draw: &mut Draw,
    account: &ResourceId,
    (mut collection, body): (Collection, &Map<String, Value>),
    now: Timestamp,
) -> Result<Collection> {
    collection.definition = definition::of_replaced(&collection.definition, body)?;
    collection.stamp = Stamp::new(draw.u64(), now);
    put(txn, account, &collection)?;
    Ok(collection)
}

fn put(txn: &mut Txn, account: &ResourceId, collection: &Collection) -> Result<()> {
    let key = (account.clone(), collection.rid.database, collection.name.clone());
    Ok(COLLECTIONS.put(txn, &key, collection)?)
}

/// Takes a collection away with its documents, its scripts and its throughput.
pub(super) fn delete(txn: &mut Txn, account: &ResourceId, collection: &Collection) -> Result<()> {
    documents::forget(txn, collection.space)?;
    scripts::forget(txn, collection)?;
    offers::forget(txn, account, &collection.rid.text())?;
    let rid = collection.rid;
    BY_RID.delete(txn, &(account.clone(), rid.database, rid.collection))?;
    Ok(COLLECTIONS.delete(txn, &(account.clone(), rid.database, collection.name.clone()))?)
}
