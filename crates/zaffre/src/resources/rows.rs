//! The rows of resources, and the index by type that lists read.

use azure::{error::Result, ids::ResourceId};
use bytes::Bytes;

use super::Resource;
use crate::store::{Span, Table, Txn};

const RESOURCES: Table<ResourceId, Resource> = Table::new("resources");
/// By type, in lower case, then id.
const BY_TYPE: Table<(String, ResourceId), ()> = Table::new("resources_by_type");

pub fn get(txn: &Txn, id: &ResourceId) -> Result<Option<Resource>> {
    Ok(RESOURCES.get(txn, id)?)
}

/// The row as it is stored: the same bytes are the same resource.
pub fn stored(txn: &Txn, id: &ResourceId) -> Result<Option<Bytes>> {
    Ok(RESOURCES.stored(txn, id)?)
}

/// What `stored` gave, read.
pub fn read(stored: &Bytes) -> Result<Resource> {
    Ok(RESOURCES.read(stored)?)
}

pub fn exists(txn: &Txn, id: &ResourceId) -> Result<bool> {
    Ok(RESOURCES.exists(txn, id)?)
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, resource: &Resource) -> Result<()> {
    RESOURCES.put(txn, &resource.id, resource)?;
    Ok(BY_TYPE.put(txn, &index_key(resource), &())?)
}

/// Takes the row away, and nothing of what hangs on it: `arm::remove` is the whole deletion.
pub fn delete(txn: &mut Txn, resource: &Resource) -> Result<()> {
    RESOURCES.delete(txn, &resource.id)?;
    Ok(BY_TYPE.delete(txn, &index_key(resource))?)
}

fn index_key(resource: &Resource) -> (String, ResourceId) {
    (resource.kind_name.to_ascii_lowercase(), resource.id.clone())
}

/// The group that holds an id, if the id is in one and the group exists.
pub fn group(txn: &Txn, id: &ResourceId) -> Result<Option<Resource>> {
    match id.group_scope() {
        Some(group) => get(txn, &group),
        None => Ok(None),
    }
}

/// Resources of one type inside a scope, by id: at most `limit`, those behind `after`. Children of
/// other types are not among them, children of the same type name (there are none) would be.
pub fn of_type(
    txn: &Txn,
    type_name: &str,
    scope: &ResourceId,
    after: Option<&ResourceId>,
    limit: usize,
) -> Result<Vec<Resource>> {
    let type_name = type_name.to_ascii_lowercase();
    let mut span = Span::within(&(type_name.as_str(),), scope);
    if let Some(after) = after {
        span = span.after(&(type_name.clone(), after.clone()));
    }
    let ids = BY_TYPE.rows(txn, span).take(limit).map(|row| Ok(row?.0.1)).collect::<Result<Vec<_>>>()?;
    Ok(RESOURCES.get_many(txn, &ids)?.into_iter().flatten().collect())
}

/// Everything inside a scope, by id, the scope itself left out: at most `limit`, those behind `after`.
pub fn within(
    txn: &Txn,
    scope: &ResourceId,
    after: Option<&ResourceId>,
    limit: usize,
) -> Result<Vec<Resource>> {
    let mut span = Span::within(&(), scope);
    if let Some(after) = after {
        span = span.after(after);
    }
    RESOURCES.rows(txn, span).take(limit).map(|row| Ok(row?.1)).collect()
}
