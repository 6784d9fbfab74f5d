//! References: how many records name a body, so that copies and snapshots share it.
//!
//! A record's transaction holds the body it names, and releases it when the record goes or names another; the count
//! is a row of the same cloud, written with the record or not at all. Whoever released the last hold removes the
//! body once that has committed; should it not come to that, the sweep does.

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
            None => Err(StoreError::corrupt(format!("content `{self}` is released and nobody holds it"))),
            Some(0) => REFERENCES.delete(txn, &self.0).map(|()| true),
            Some(left) => REFERENCES.put(txn, &self.0, &left).map(|()| false),
        }
    }
}
