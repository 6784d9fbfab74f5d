//! The committer: one thread that makes transactions durable, many with one flush.
//!
//! ```text
//! write() ─┐                       ┌ checked against what was committed since its snapshot
//! write() ─┼─ queue ─ one thread ──┤ what stands is merged into one batch
//! write() ─┘                       └ engine.apply: one flush; then everybody is told
//! ```
//!
//! The check is optimistic, the first in wins: a transaction stands when no key and no range it read was written
//! by a batch after its snapshot, nor by one before it in the same batch. The keys of recent batches are kept for
//! this only as long as a live snapshot is older than they are.
//!
//! When a batch fails, what is on disk is unknown until the store is opened again; from then on every write is
//! refused with the reason, and reads go on.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::{
    StoreError,
    engine::Engine,
    key::KeyRange,
    txn::{Reads, Submission},
    watch::Watchers,
};

/// A batch takes no further transactions once it holds this many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// How a transaction ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    /// Something it read was written since. Nothing of it happened.
    Conflict,
}

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

enum Request {
    Commit(Submission, Reply),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The queue's entrance. Dropping it lets the thread finish what is queued, and waits for that.
pub(super) struct Committer {
    queue: Sender<Request>,
    live: Arc<Live>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(engine: Arc<dyn Engine>, watchers: Arc<Watchers>) -> Result<Self, StoreError> {
        let committed = engine.last_commit();
        let live = Arc::new(Live(Mutex::new(Snapshots { committed, counts: BTreeMap::new() })));
        let (queue, requests) = mpsc::channel();
        let worker = Worker {
            engine,
            requests,
            watchers,
            live: live.clone(),
            recent: Recent::default(),
            failed: None,
        };
        let thread = thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn(move || worker.run(committed))
            .map_err(StoreError::io("starting the committer's thread"))?;
        Ok(Committer { queue, live, thread: Some(thread) })
    }

    /// Notes that a snapshot is about to be taken, so that what is committed from now on is remembered.
    pub(super) fn watch(&self) -> LiveSnapshot {
        let mut snapshots = self.live.lock();
        let commit = snapshots.committed;
        *snapshots.counts.entry(commit).or_default() += 1;
        LiveSnapshot { commit, live: self.live.clone() }
    }

    /// Resolves once the transaction is durable, or has lost.
    pub(super) async fn commit(&self, submission: Submission) -> Result<Outcome, StoreError> {
        let (reply, outcome) = oneshot::channel();
        self.queue.send(Request::Commit(submission, reply)).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what was queued before and flushes; what comes later is refused.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        if self.queue.send(Request::Close(reply)).is_err() {
            return Ok(());
        }
        done.await.unwrap_or(Ok(()))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        // An error means that the thread has ended already.
        let _ = self.queue.send(Request::Close(reply));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The number of the last visible batch, and which snapshots are in use.
struct Live(Mutex<Snapshots>);

struct Snapshots {
    committed: u64,
    counts: BTreeMap<u64, usize>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Snapshots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a batch the last one. Gives the oldest commit that a snapshot still stands at.
    fn publish(&self, commit: u64) -> u64 {
        let mut snapshots = self.lock();
        snapshots.committed = commit;
        snapshots.counts.keys().next().copied().unwrap_or(commit)
    }
}

/// Keeps the batches after a commit in memory until it is dropped. The snapshot taken under it may be a little
/// newer than `commit`: that can only cost a needless second run, never a missed conflict.
pub(super) struct LiveSnapshot {
    commit: u64,
    live: Arc<Live>,
}

impl Drop for LiveSnapshot {
    fn drop(&mut self) {
        let mut snapshots = self.live.lock();
        if let Some(count) = snapshots.counts.get_mut(&self.commit) {
            *count -= 1;
            if *count == 0 {
                snapshots.counts.remove(&self.commit);
            }
        }
    }
}

struct Worker {
    engine: Arc<dyn Engine>,
    requests: Receiver<Request>,
    watchers: Arc<Watchers>,
    live: Arc<Live>,
    recent: Recent,
    failed: Option<Arc<StoreError>>,
}

type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// What one flush will carry.
#[derive(Default)]
struct Batch {
    writes: Writes,
    bytes: usize,
    winners: Vec<Reply>,
    /// Told when the batch is visible, whether or not a winner still waits.
    wakes: Vec<Arc<Notify>>,
    /// Told only when the batch is visible: sooner, they would run again on the state they just lost on.
    losers: Vec<Reply>,
}

impl Worker {
    fn run(mut self, mut committed: u64) {
        while let Ok(first) = self.requests.recv() {
            let mut batch = Batch::default();
            let mut next = Some(first);
            let mut closing = None;
            while let Some(request) = next {
                match request {
                    Request::Commit(submission, reply) => {
                        self.admit(committed + 1, submission, reply, &mut batch)
                    }
                    Request::Close(reply) => closing = Some(reply),
                }
                let is_full = batch.bytes >= BATCH_BYTES || closing.is_some();
                next = if is_full { None } else { self.requests.try_recv().ok() };
            }
            if !batch.winners.is_empty() {
                committed += 1;
                self.apply(committed, batch.writes, batch.winners, batch.wakes);
            }
            batch.losers.into_iter().for_each(|reply| answer(reply, Ok(Outcome::Conflict)));
            if let Some(reply) = closing {
                self.watchers.close();
                let _ = reply.send(self.engine.flush());
                return;
            }
        }
    }

    /// Takes a transaction into the batch, or tells it that it lost.
    fn admit(&mut self, commit: u64, submission: Submission, reply: Reply, batch: &mut Batch) {
        if let Some(cause) = &self.failed {
            return answer(reply, Err(StoreError::ReadOnly { cause: cause.clone() }));
        }
        if self.recent.touched(&submission.reads, submission.since.commit) {
            batch.losers.push(reply);
            return;
        }
        self.recent.note(commit, submission.writes.iter().map(|(key, _)| key));
        for (key, value) in submission.writes {
            batch.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
            batch.writes.insert(key, value);
        }
        batch.wakes.extend(submission.wakes);
        batch.winners.push(reply);
    }

    /// A panic of the engine is a failed batch like any other: those who wait must hear of it.
    fn apply_or_say_why(&self, commit: u64, writes: Writes) -> Result<(), StoreError> {
        let batch = writes.into_iter().collect();
        catch_unwind(AssertUnwindSafe(|| self.engine.apply(commit, batch)))
            .unwrap_or_else(|_| Err(StoreError::corrupt("the engine panicked at a commit")))
    }

    fn apply(&mut self, commit: u64, writes: Writes, waiting: Vec<Reply>, wakes: Vec<Arc<Notify>>) {
        match self.apply_or_say_why(commit, writes) {
            Ok(()) => {
                let oldest = self.live.publish(commit);
                self.watchers.publish(commit, self.recent.written_by(commit));
                self.recent.forget(oldest);
                waiting.into_iter().for_each(|reply| answer(reply, Ok(Outcome::Committed)));
                wakes.iter().for_each(|it| it.notify_one());
            }
            Err(error) => {
                let cause = Arc::new(error);
                self.failed = Some(cause.clone());
                for reply in waiting {
                    answer(reply, Err(StoreError::ReadOnly { cause: cause.clone() }));
                }
            }
        }
    }
}

/// Whoever asked may have gone away meanwhile; that changes nothing.
fn answer(reply: Reply, outcome: Result<Outcome, StoreError>) {
    let _ = reply.send(outcome);
}

/// Which keys the batches wrote that a live snapshot may not have seen.
#[derive(Default)]
struct Recent {
    last_written: BTreeMap<Bytes, u64>,
    by_commit: VecDeque<(u64, Bytes)>,
}

impl Recent {
    fn note<'k>(&mut self, commit: u64, keys: impl Iterator<Item = &'k Bytes>) {
        for key in keys {
            self.last_written.insert(key.clone(), commit);
            self.by_commit.push_back((commit, key.clone()));
        }
    }

    /// What the last commit wrote.
    fn written_by(&self, commit: u64) -> impl Iterator<Item = &Bytes> + Clone {
        let last = self.by_commit.iter().rev().take_while(move |(number, _)| *number == commit);
        last.map(|(_, key)| key)
    }

    /// Whether anything of this was written after a commit.
    fn touched(&self, reads: &Reads, since: u64) -> bool {
        let is_later = |commit: &u64| *commit > since;
        reads.keys.iter().any(|key| self.last_written.get(key).is_some_and(is_later))
            || reads.ranges.iter().any(|range| self.within(range).any(is_later))
    }

    fn within(&self, range: &KeyRange) -> impl Iterator<Item = &u64> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = range.bounds();
        self.last_written.range::<[u8], _>(bounds).map(|(_, commit)| commit)
    }

    /// Drops what every live snapshot has seen.
    fn forget(&mut self, oldest: u64) {
        while let Some((commit, key)) = self.by_commit.pop_front_if(|(commit, _)| *commit <= oldest) {
            if self.last_written.get(&key) == Some(&commit) {
                self.last_written.remove(&key);
            }
        }
    }
}
