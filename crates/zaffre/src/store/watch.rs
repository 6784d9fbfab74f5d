//! Watching: what became of a range of keys, told as it is committed.
//!
//! ```text
//! committer ── a commit is visible ── Watchers::publish ─┬─ a watch's queue ── Watch::next
//!                                                        └─ another's
//! ```
//!
//! A watch tells which keys were written or deleted, and not what became of them: whoever hears of a key reads it, and
//! then sees at least this change. What was committed before the watch began is not told. So a reader that begins
//! a watch and then scans has everything: what the scan does not show is still to come.
//!
//! Each commit is told once, in order, with its keys in order. A watcher that does not come to ask is not waited for:
//! past a number of keys its queue is emptied, it is told that it lags, and it scans again.
//!
//! Whoever applies commits publishes them: the committer here. An engine whose rows other processes write too learns
//! of their commits itself, and publishes those.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    CloudId, Store, StoreError,
    key::{Key, KeyRange},
    table::{Record, Span, Table},
};

/// Keys that wait for one watcher before it counts as lagging.
const MAX_WAITING: usize = 1 << 16;

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// A commit wrote or deleted these, in key order. The number rises from one to the next.
    Keys { commit: u64, keys: Vec<K> },
    /// More happened than was kept: scan again, and go on listening.
    Lagged,
}

/// A table's watch, from [`Table::watch`].
pub struct Watch<K> {
    waiting: Arc<Waiting>,
    decode: Decode<K>,
}

/// From a key's bytes to the key.
type Decode<K> = Box<dyn Fn(&[u8]) -> Result<K, StoreError> + Send + Sync>;

impl<K: Key> Watch<K> {
    /// The next change. Nothing is lost when this is dropped before it resolves.
    ///
    /// `Closed` when the store is, and nothing is left to tell.
    pub async fn next(&mut self) -> Result<Change<K>, StoreError> {
        loop {
            // Before the look, so that what comes between the two wakes us.
            let news = self.waiting.news.notified();
            if let Some(change) = self.waiting.take()? {
                return self.decoded(change);
            }
            news.await;
        }
    }

    fn decoded(&self, change: Change<Bytes>) -> Result<Change<K>, StoreError> {
        Ok(match change {
            Change::Lagged => Change::Lagged,
            Change::Keys { commit, keys } => {
                let keys = keys.iter().map(|key| (self.decode)(key)).collect::<Result<_, _>>()?;
                Change::Keys { commit, keys }
            }
        })
    }
}

impl<K: Key + 'static, V: Record + 'static> Table<K, V> {
    /// Watches a span of this table in a cloud: every commit that becomes visible after this resolves is told.
    pub async fn watch(&self, store: &Store, cloud: CloudId, span: Span<K>) -> Result<Watch<K>, StoreError> {
        let head = self.head_in(cloud).into_bytes();
        let waiting = store.watchers().add(span.in_table(&head));
        let table = Table::<K, V>::new(self.name());
        let decode = Box::new(move |key: &[u8]| table.decode_key(&head, key));
        Ok(Watch { waiting, decode })
    }
}

/// Who is to be told.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<Weak<Waiting>>>);

impl Watchers {
    fn add(&self, range: KeyRange) -> Arc<Waiting> {
        let waiting = Arc::new(Waiting { range, queue: Mutex::default(), news: Notify::new() });
        lock(&self.0).push(Arc::downgrade(&waiting));
        waiting
    }

    /// Tells what a commit wrote, in any order. To be called for each commit in turn, once it is visible and before
    /// whoever made it hears so.
    pub(super) fn publish<'k>(&self, commit: u64, keys: impl Iterator<Item = &'k Bytes> + Clone) {
        self.each(|watcher| watcher.tell(commit, keys.clone()));
    }

    /// Tells everybody that commits passed unseen.
    pub(super) fn lag(&self) {
        self.each(|watcher| watcher.lag(&mut lock(&watcher.queue)));
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Ends every watch, once what waits has been told.
    pub(super) fn close(&self) {
        self.each(Waiting::close);
    }

    fn each(&self, act: impl Fn(&Waiting)) {
        lock(&self.0).retain(|watcher| match watcher.upgrade() {
            Some(watcher) => {
                act(&watcher);
                true
            }
            None => false,
        });
    }
}

/// A watcher's queue.
struct Waiting {
    range: KeyRange,
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Default)]
struct Queue {
    changes: VecDeque<(u64, Vec<Bytes>)>,
    keys: usize,
    lagged: bool,
    closed: bool,
}

impl Waiting {
    fn tell<'k>(&self, commit: u64, keys: impl Iterator<Item = &'k Bytes>) {
        // Two transactions of one commit may have written one key.
        let keys: BTreeSet<&Bytes> = keys.filter(|key| self.range.contains(key)).collect();
        if keys.is_empty() {
            return;
        }
        let mut queue = lock(&self.queue);
        queue.keys += keys.len();
        if queue.keys > MAX_WAITING {
            return self.lag(&mut queue);
        }
        queue.changes.push_back((commit, keys.into_iter().cloned().collect()));
        self.news.notify_one();
    }

    fn lag(&self, queue: &mut Queue) {
        *queue = Queue { lagged: true, closed: queue.closed, ..Queue::default() };
        self.news.notify_one();
    }

    fn take(&self) -> Result<Option<Change<Bytes>>, StoreError> {
        let mut queue = lock(&self.queue);
        if std::mem::take(&mut queue.lagged) {
            return Ok(Some(Change::Lagged));
        }
        if let Some((commit, keys)) = queue.changes.pop_front() {
            queue.keys -= keys.len();
            return Ok(Some(Change::Keys { commit, keys }));
        }
        if queue.closed { Err(StoreError::Closed) } else { Ok(None) }
    }

    fn close(&self) {
        lock(&self.queue).closed = true;
        self.news.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
