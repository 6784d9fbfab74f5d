//! What the store asks of whatever keeps its bytes: little, so that there can be several.

use std::time::SystemTime;

use azure::time::Timestamp;
use bytes::Bytes;

use super::{StoreError, commit::Outcome, key::KeyRange};

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

    /// Whether a batch is over so soon that who commits alone may wait for it on any thread.
    fn is_quick(&self) -> bool {
        false
    }

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

    /// What there is besides where other processes commit to the same rows.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// How many closures may read at a time, where reading blocks the thread.
    fn readers(&self) -> Option<usize> {
        None
    }

    /// The clock that all processes on these rows share.
    #[expect(clippy::disallowed_methods, reason = "leases run by real time, whatever the clouds' clocks say")]
    fn now(&self) -> Result<Timestamp, StoreError> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Timestamp::from_seconds(0).plus(since_epoch))
    }
}

/// How processes that commit to the same rows do so one after another. Called by the committer's thread alone.
pub(super) trait Shared {
    /// Takes the turn, once nobody else has it, and tells what was committed behind a commit. The turn is over with
    /// `commit` or `give_back`, or when the process is gone.
    fn take_turn(&self, since: u64) -> Result<News, StoreError>;

    fn give_back(&self);

    /// `Engine::apply` in the turn. A conflict says that the turn was lost, and somebody else committed; an error,
    /// that this may or may not have happened, which the news will show.
    fn commit(&self, commit: u64, batch: Vec<Write>) -> Result<Outcome, StoreError>;

    /// What was committed behind a commit.
    fn news(&self, since: u64) -> Result<News, StoreError>;
}

/// What was committed behind a commit, by anybody.
pub(super) struct News {
    pub(super) last: u64,
    /// In order, each with the keys it wrote.
    pub(super) commits: Vec<(u64, Vec<Bytes>)>,
    /// Whether that is all of it. What happened long ago is not known any more.
    pub(super) is_whole: bool,
}

/// The rows as they were at one moment.
pub(super) trait Snapshot: Send {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The values of these keys, in their order.
    fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Whether the closure must run again on another snapshot: what it was told is not of one moment, or it was told of
    /// an error that will not last.
    fn is_void(&self) -> bool {
        false
    }

    /// The rows of a range that is not empty, in key order or against it.
    fn range<'s>(&'s self, range: &KeyRange, reverse: bool) -> Box<dyn Iterator<Item = Row> + 's>;
}
