//! References: how many records name a body, so that copies and snapshots share it.
//!
//! A record's transaction holds the body it names, and releases it when the record goes or names another; the count
//! is a row of the same cloud, written with the record or not at all. Whoever released the last hold removes the
//! body once that has committed; should it not come to that, the sweep does.
//!
//! Every place that names a body counts: a list that names one twice holds it twice. What moves from one record to
//! another within a transaction, as blocks do when a list makes a blob of them, costs no row (`Holds`).

use std::collections::BTreeMap;

use azure::ids::Guid;

use super::ContentId;
use crate::store::{StoreError, Table, Txn};

pub(in crate::store) const REFERENCES: Table<Guid, u64> = Table::new("content_refs");

impl ContentId {
    /// Counts one more record that names this body.
    pub fn hold(self, txn: &mut Txn) -> Result<(), StoreError> {
        let count = REFERENCES.get(txn, &self.0)?.unwrap_or(0);
        REFERENCES.put(txn, &self.0, &(count + 1))
    }

    /// Counts one less. Says whether that was the last: then the body is to be removed after the commit.
    pub fn release(self, txn: &mut Txn) -> Result<bool, StoreError> {
        let count = REFERENCES.get(txn, &self.0)?.unwrap_or(0);
        match count.checked_sub(1) {
            None => Err(held_by_nobody(self)),
            Some(0) => REFERENCES.delete(txn, &self.0).map(|()| true),
            Some(left) => REFERENCES.put(txn, &self.0, &left).map(|()| false),
        }
    }
}

/// The holds and releases of one transaction, of which only the difference is written.
#[derive(Default)]
pub struct Holds(BTreeMap<ContentId, i64>);

impl Holds {
    /// One more record names this body.
    pub fn hold(&mut self, id: ContentId) {
        *self.0.entry(id).or_default() += 1;
    }

    /// One less does.
    pub fn release(&mut self, id: ContentId) {
        *self.0.entry(id).or_default() -= 1;
    }

    /// Writes the counts. `first` is told of each body that nobody held before.
    pub(super) fn settle(
        self,
        txn: &mut Txn,
        first: impl Fn(&mut Txn, ContentId) -> Result<(), StoreError>,
    ) -> Result<Vec<ContentId>, StoreError> {
        let changed: Vec<(ContentId, i64)> = self.0.into_iter().filter(|(_, change)| *change != 0).collect();
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Guid> = changed.iter().map(|(id, _)| id.0).collect();
        let counts = REFERENCES.get_many(txn, &keys)?;
        let mut released = Vec::new();
        for ((id, change), count) in changed.into_iter().zip(counts) {
            if count.is_none() && change > 0 {
                first(txn, id)?;
            }
            match count.unwrap_or(0).checked_add_signed(change) {
                None => return Err(held_by_nobody(id)),
                Some(0) => {
                    REFERENCES.delete(txn, &id.0)?;
                    released.push(id);
                }
                Some(left) => REFERENCES.put(txn, &id.0, &left)?,
            }
        }
        Ok(released)
    }
}

/// Writes the counts of a cloud anew: how many times its records name each body.
pub fn recount(txn: &mut Txn, named: &BTreeMap<ContentId, u64>) -> Result<(), StoreError> {
    for (id, _) in REFERENCES.scan(txn, &(), None, usize::MAX)? {
        if !named.contains_key(&ContentId(id)) {
            REFERENCES.delete(txn, &id)?;
        }
    }
    named.iter().try_for_each(|(id, count)| REFERENCES.put(txn, &id.0, count))
}

fn held_by_nobody(id: ContentId) -> StoreError {
    StoreError::corrupt(format!("content `{id}` is released and nobody holds it"))
}
