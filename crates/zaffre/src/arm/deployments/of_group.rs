//! Rows that belong to a group as it was made: a group of the same name made later has nothing of them.

use azure::{error::Result, ids::ResourceId, time::Timestamp};

use crate::{
    resources,
    store::{Record, Span, Table, Txn},
};

pub(super) trait OfGroup: Record {
    /// When the group was made that it lies in; none for what lies in no group.
    fn group_created(&self) -> Option<Timestamp>;
}

/// A row, if it is one of the group that is there now.
pub(super) fn get<T: OfGroup>(txn: &Txn, table: &Table<ResourceId, T>, id: &ResourceId) -> Result<Option<T>> {
    let Some(found) = table.get(txn, id)? else { return Ok(None) };
    let group = resources::group(txn, id)?.map(|it| it.created);
    Ok(Some(found).filter(|it| it.group_created() == group))
}

/// Those of a scope, and of nothing inside it.
pub(super) fn at<T: OfGroup>(txn: &Txn, table: &Table<ResourceId, T>, scope: &ResourceId) -> Result<Vec<T>> {
    let mut found = Vec::new();
    for row in table.rows(txn, Span::within(&(), scope)) {
        let (id, _) = row?;
        if id.extended() == *scope {
            found.extend(get(txn, table, &id)?);
        }
    }
    Ok(found)
}
