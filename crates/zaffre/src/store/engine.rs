//! What the store asks of whatever keeps its bytes: little, so that there can be several.

use bytes::Bytes;

use super::{StoreError, key::KeyRange};

/// The longest key. fjall panics at longer ones, even in a read, so none reaches an engine: a name from outside must
/// not be able to stop the committer.
pub(super) const MAX_KEY_BYTES: usize = u16::MAX as usize;

/// One key and what becomes of it: a value, or nothing.
pub(super) type Write = (Bytes, Option<Bytes>);

pub(super) type Row = Result<(Bytes, Bytes), StoreError>;

/// Ordered bytes to bytes, with snapshots and atomic durable batches.
pub(super) trait Engine: Send + Sync {
    /// The number of the last batch, zero for none.
    fn last_commit(&self) -> u64;

    /// All batches applied before this call, and none after it.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Makes a batch durable and visible, wholly or not at all. Called by one thread, with rising numbers; keys
    /// occur once in a batch.
    fn apply(&self, commit: u64, batch: Vec<Write>) -> Result<(), StoreError>;

    /// Gives back the room that old versions take, as far as this engine can.
    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What there is to say about how the rows are kept: names and numbers.
    fn stats(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        Ok(vec![("commits", self.last_commit())])
    }

    /// Puts on disk what may lag behind, before a clean end.
    fn flush(&self) -> Result<(), StoreError>;
}

/// The rows as they were at one moment.
pub(super) trait Snapshot: Send {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The rows of a range that is not empty, in key order or against it.
    fn range<'s>(&'s self, range: &KeyRange, reverse: bool) -> Box<dyn Iterator<Item = Row> + 's>;
}
