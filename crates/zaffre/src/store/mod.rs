//! The store: ordered keys, values, transactions. Every service is a layer on it.
//!
//! ```text
//! Store::read  ── a snapshot ── Table::get, scan            (no queue, no lock)
//! Store::write ── a snapshot ── Table::get, scan, put ── commit.rs: queue, check, one flush for many ── engine
//! ```
//!
//! A closure given to `write` is short and synchronous, and may run again when something it read was written
//! meanwhile: it takes time and chance as values, and has no effect but on its transaction. The outcome is
//! serializable; once `write` resolves, what was written is on disk.
//!
//! ```text
//! const GROUPS: Table<ResourceId, Group> = Table::new("groups");
//! store.write(cloud, |txn| {
//!     if GROUPS.exists(txn, &id)? {
//!         return Err(Refused::Exists);
//!     }
//!     GROUPS.put(txn, &id, &group)?;
//!     Ok(())
//! }).await?;
//! ```
//!
//! - `key.rs`: components whose bytes sort as their values do. Every key begins with its cloud.
//! - `table.rs`: typed rows; values carry a format version.
//! - `txn.rs`: a snapshot, its own writes over it, and what it read.
//! - `commit.rs`: the one thread that commits.
//! - `watch.rs`: who is told of what was committed.
//! - `engine.rs`: what is asked of an engine; `embedded.rs` keeps the bytes on disk, `memory.rs` in memory,
//!   `postgres/` in a database that any number of processes share.
//! - `bodies.rs`: where the bodies of a shared store are.
//! - `lease.rs`: who does what only one process may do at a time; `duty.rs` stands for it as long as a process runs.
//! - `journal.rs`, `sorted.rs`: the engine's files, read without it, for those who must know what of them is whole.
//! - `content/`: bodies too large to lie beside their record.
//! - `backup.rs`, `fsck.rs`: all of it to another place and back; all of it read and judged.
//!
//! A transaction sees one cloud and never crosses an `.await`. There are no foreign keys, no secondary indexes
//! and no queries: a service that needs an index keeps a table of its own in the same transaction.

pub mod backup;
mod blocking;
pub mod bodies;
mod commit;
mod content;
pub mod duty;
mod embedded;
mod engine;
mod error;
pub mod fsck;
mod journal;
mod key;
pub mod lease;
mod memory;
mod postgres;
mod sorted;
mod table;
mod txn;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    ops::Bound,
    path::Path,
    sync::{Arc, Weak},
};

use bytes::Bytes;

use commit::{Committer, Lead, Outcome};
use engine::Engine;
use key::KeyRange;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};
use watch::Watchers;

pub use content::{
    Bucket, Content, ContentId, ContentReader, ContentWriter, Holds, INLINE_LIMIT, Objects, Stored, Swept,
    recount,
};
pub use error::StoreError;
pub use key::{Component, Key, KeyBuf, KeyPrefix, KeyReader};
pub use table::{Raw, Record, Rows, Span, Table};
pub use txn::Txn;
pub use watch::{Change, Watch};

/// Attempts that a write makes beside all others before it queues behind the others that keep losing.
const FREE_ATTEMPTS: u32 = 3;
/// Attempts before a write gives up.
const MAX_ATTEMPTS: u32 = 64;
/// Of so many attempts that lose to other processes, the last is made while none of them can commit.
const LEAD_EVERY: u32 = 8;

/// Whose rows: the first four bytes of every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloudId(pub u32);

impl CloudId {
    /// What belongs to the store itself and to no cloud: the ring of signing keys, the list of clouds.
    pub const RING: CloudId = CloudId(0);
    /// The engine's own rows. No transaction sees them.
    const SYSTEM: CloudId = CloudId(u32::MAX);
}

/// A handle on the store; clones share it. The last one dropped ends the committer and releases the directory.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// A handle that keeps nothing open.
struct WeakStore(Weak<Inner>);

impl WeakStore {
    fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(|inner| Store { inner })
    }
}

struct Inner {
    /// Before `engine`: the committer's thread ends first.
    committer: Committer,
    engine: Arc<dyn Engine>,
    watchers: Arc<Watchers>,
    /// Where reading blocks: room for so many closures at a time.
    room: Option<Semaphore>,
    /// Held by one of the writes that lost repeatedly, so that these at least do not disturb each other.
    contended: tokio::sync::Mutex<()>,
}

impl Store {
    /// A store that is gone with its last handle.
    ///
    /// # Panics
    /// When the system gives no thread.
    pub fn in_memory() -> Store {
        Self::over(Arc::new(memory::Memory::default())).expect("a thread for the committer")
    }

    /// The store in a directory, which is made if need be. Refuses a directory that another process has open, one
    /// that a later version wrote, and one that has lost acknowledged commits.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        Self::over(Arc::new(embedded::Embedded::open(dir)?))
    }

    /// The store in a database that speaks PostgreSQL's protocol, at a `postgres://` address. Other processes may use it
    /// at the same time. The tables are made if need be; those of a later version are refused.
    ///
    /// Blocks until the database answers, or some seconds passed.
    pub fn connect(url: &str) -> Result<Store, StoreError> {
        Self::over(Arc::new(postgres::Postgres::connect(url)?))
    }

    fn over(engine: Arc<dyn Engine>) -> Result<Store, StoreError> {
        let watchers = Arc::new(Watchers::default());
        let committer = Committer::start(engine.clone(), watchers.clone())?;
        let contended = tokio::sync::Mutex::new(());
        let room = engine.readers().map(Semaphore::new);
        Ok(Store { inner: Arc::new(Inner { committer, engine, watchers, room, contended }) })
    }

    /// Runs a closure on one snapshot. It may run again, when the snapshot was lost.
    pub async fn read<T, E: From<StoreError>>(
        &self,
        cloud: CloudId,
        mut f: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read_by(cloud, |txn| self.run(|| f(txn))).await
    }

    /// The same for a closure that takes its time, as a long list does: wherever the rows are, not on a thread that
    /// others' work waits for.
    pub async fn read_long<T, E: From<StoreError>>(
        &self,
        cloud: CloudId,
        mut f: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read_by(cloud, |txn| blocking::in_place(|| f(txn))).await
    }

    async fn read_by<T, E: From<StoreError>>(
        &self,
        cloud: CloudId,
        mut run: impl FnMut(&Txn) -> Result<T, E>,
    ) -> Result<T, E> {
        for _ in 0..MAX_ATTEMPTS {
            let _room = self.room().await;
            let txn = Txn::new(cloud, self.inner.engine.snapshot()?, None);
            let answer = run(&txn);
            if !txn.is_void() {
                return answer;
            }
        }
        Err(StoreError::Conflict { attempts: MAX_ATTEMPTS }.into())
    }

    /// Waits until one more closure may read.
    async fn room(&self) -> Option<SemaphorePermit<'_>> {
        match &self.inner.room {
            Some(room) => room.acquire().await.ok(),
            None => None,
        }
    }

    /// Runs a closure; where reading blocks, not on a thread that others' work waits for.
    fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        if self.inner.room.is_some() { blocking::in_place(f) } else { f() }
    }

    /// Runs a closure and commits what it wrote, with a serializable outcome; the closure runs again on a
    /// conflict. Resolves once durable. An error of the closure is returned and nothing is written.
    ///
    /// Dropping the future before it resolves does not take back what was queued.
    pub async fn write<T, E: From<StoreError>>(
        &self,
        cloud: CloudId,
        mut f: impl FnMut(&mut Txn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut turn = None;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt == FREE_ATTEMPTS {
                turn = Some(self.inner.contended.lock().await);
            }
            let lead = if attempt % LEAD_EVERY == LEAD_EVERY - 1 { self.lead().await } else { None };
            let (value, submission) = {
                let _room = self.room().await;
                let mut txn = self.begin(cloud)?;
                let value = self.run(|| f(&mut txn));
                if txn.is_void() {
                    continue;
                }
                (value?, txn.into_submission())
            };
            let outcome = match (submission, lead) {
                (None, _) => Outcome::Committed,
                (Some(submission), None) => self.inner.committer.commit(submission).await?,
                (Some(submission), Some(lead)) => lead.commit(submission).await?,
            };
            if outcome == Outcome::Committed {
                return Ok(value);
            }
        }
        drop(turn);
        Err(StoreError::Conflict { attempts: MAX_ATTEMPTS }.into())
    }

    /// Where other processes commit too, the right to commit before them.
    async fn lead(&self) -> Option<Lead> {
        self.inner.engine.shared()?;
        self.inner.committer.lead().await
    }

    fn begin(&self, cloud: CloudId) -> Result<Txn, StoreError> {
        // In this order: what is committed between the two is seen by the snapshot and checked all the same.
        let watched = self.inner.committer.watch();
        Ok(Txn::new(cloud, self.inner.engine.snapshot()?, Some(watched)))
    }

    /// Gives back the room that old versions take. Reads and writes go on, slower.
    pub async fn compact(&self) -> Result<(), StoreError> {
        let engine = self.inner.engine.clone();
        blocking::run(move || engine.compact()).await
    }

    /// How many rows and bytes there are, and how they are kept. Reads every row.
    pub async fn stats(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let engine = self.inner.engine.clone();
        blocking::run(move || {
            let (mut rows, mut bytes) = (0, 0);
            for row in engine.snapshot()?.range(&KeyRange::all_clouds(), false) {
                let (key, value) = row?;
                rows += 1;
                bytes += (key.len() + value.len()) as u64;
            }
            let mut stats = vec![("rows", rows), ("rows, bytes", bytes)];
            stats.extend(engine.stats()?);
            Ok(stats)
        })
        .await
    }

    /// Every cloud that has rows, the store's own among them.
    fn clouds(&self) -> Result<Vec<CloudId>, StoreError> {
        self.run(|| self.scan_clouds())
    }

    fn scan_clouds(&self) -> Result<Vec<CloudId>, StoreError> {
        let snapshot = self.inner.engine.snapshot()?;
        let mut clouds = Vec::new();
        let mut next = Some(0_u32);
        while let Some(from) = next.filter(|from| *from < CloudId::SYSTEM.0) {
            let rest = KeyRange {
                start: Bound::Included(Bytes::copy_from_slice(&from.to_be_bytes())),
                ..KeyRange::all_clouds()
            };
            let Some(row) = snapshot.range(&rest, false).next() else { break };
            let key = row?.0;
            let head = key.first_chunk().ok_or_else(|| StoreError::corrupt("a key without a cloud"))?;
            let cloud = u32::from_be_bytes(*head);
            clouds.push(CloudId(cloud));
            next = cloud.checked_add(1);
        }
        Ok(clouds)
    }

    fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.inner))
    }

    /// Whether other processes may commit to the same rows.
    pub fn is_shared(&self) -> bool {
        self.inner.engine.shared().is_some()
    }

    fn watchers(&self) -> &Watchers {
        &self.inner.watchers
    }

    /// Finishes the writes that are queued and flushes. Later writes are refused; reads go on.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.committer.close().await
    }
}
