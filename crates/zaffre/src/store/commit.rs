//! The committer: one worker that makes transactions durable, many with one flush.
//!
//! ```text
//! write() ─┐                       ┌ checked against what was committed since its snapshot
//! write() ─┼─ queue ─ one thread ──┤ what stands is merged into one batch
//! write() ─┘                       └ engine.apply: one flush; then everybody is told
//! write(), alone ─ its own thread ── the same, without the way there and back
//! ```
//!
//! Who comes while nobody else is there does the worker's work on the spot: to wake a thread and be woken by it
//! costs half as much again as a flush. That blocks a thread of the runtime for as long as the flush takes; so it is left
//! to the worker's own thread as soon as the last flush took longer than a while, or had company.
//!
//! The check is optimistic, the first in wins: a transaction stands when no key and no range it read was written
//! by a batch after its snapshot, nor by one before it in the same batch. The keys of recent batches are kept for
//! this only as long as a live snapshot is older than they are.
//!
//! A flush is shared by those who are there when it begins. Whoever was just answered often has more to write, and
//! would come a moment too late and wait for two flushes: so a batch waits for as many as were there around the last
//! one, for a fraction of what a flush takes. One writer alone waits for nobody.
//!
//! Where other processes commit to the same rows, the worker takes the turn first and hears what they committed
//! (`others.rs`).
//!
//! When a batch fails, what is on disk is unknown until the store is opened again; from then on every write is
//! refused with the reason, and reads go on. (A database that others commit to says itself what happened: there, a
//! failed batch is an error for those in it, and no more.)

mod others;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

pub(super) use self::others::Lead;
use self::others::first;
use super::{
    StoreError,
    engine::{Engine, Write},
    key::KeyRange,
    txn::{Reads, Submission},
    watch::Watchers,
};

/// A batch takes no further transactions once it holds this many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// A batch waits for those who may come for this part of what the last flush took,
const PATIENCE_SHARE: u32 = 4;
/// and never longer than this.
const PATIENCE_MAX: Duration = Duration::from_millis(2);

/// How a transaction ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    /// Something it read was written since. Nothing of it happened.
    Conflict,
}

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

type Closing = oneshot::Sender<Result<(), StoreError>>;

enum Request {
    Commit(Submission, Reply),
    Close(Closing),
    /// Asks to run a transaction while nobody else commits; it is to be sent through what is granted.
    Lead(oneshot::Sender<Sender<Request>>),
}

/// The queue's entrance. Dropping it lets the thread finish what is queued, and waits for that.
pub(super) struct Committer {
    queue: Sender<Request>,
    /// How many transactions are in the queue.
    waiting: Arc<AtomicUsize>,
    live: Arc<Live>,
    /// Whoever holds this commits.
    worker: Arc<Mutex<Worker>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(engine: Arc<dyn Engine>, watchers: Arc<Watchers>) -> Result<Self, StoreError> {
        let committed = engine.last_commit();
        let live = Arc::new(Live(Mutex::new(Snapshots { committed, counts: BTreeMap::new() })));
        let (queue, requests) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            engine,
            waiting: waiting.clone(),
            watchers,
            live: live.clone(),
            recent: Recent::default(),
            crowd: Crowd { size: 0, flush: Duration::MAX },
            committed,
            closing: None,
            is_closed: false,
            failed: None,
        };
        let worker = Arc::new(Mutex::new(worker));
        let thread = thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn({
                let worker = worker.clone();
                move || run(&worker, &requests)
            })
            .map_err(StoreError::io("starting the committer's thread"))?;
        Ok(Committer { queue, waiting, live, worker, thread: Some(thread) })
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
        match self.alone() {
            Some(mut worker) => worker.commit_one(submission, reply),
            None => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                self.queue.send(Request::Commit(submission, reply)).map_err(|_| StoreError::Closed)?;
            }
        }
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// The worker, for one who may do its work: nobody else is there or was around the last flush, and that was soon over.
    fn alone(&self) -> Option<MutexGuard<'_, Worker>> {
        let nobody_waits = self.waiting.load(Ordering::Relaxed) == 0;
        let worker = self.worker.try_lock().ok().filter(|_| nobody_waits)?;
        Some(worker).filter(|it| it.is_for_callers())
    }

    /// Waits until the thread has let go of its last batch, whose transactions were answered a moment before.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        drop(lock(&self.worker));
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
    waiting: Arc<AtomicUsize>,
    watchers: Arc<Watchers>,
    live: Arc<Live>,
    recent: Recent,
    crowd: Crowd,
    /// The last commit that is known, whoever made it.
    committed: u64,
    /// Set once no more is to come.
    closing: Option<Closing>,
    is_closed: bool,
    failed: Option<Arc<StoreError>>,
}

/// How many there were around the last flush, and how long it took.
struct Crowd {
    size: usize,
    flush: Duration,
}

type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// The keys of a commit, in order.
type Keys = Vec<Bytes>;

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

/// The thread: takes what is queued, batch by batch, until no more is to come.
fn run(worker: &Mutex<Worker>, requests: &Receiver<Request>) {
    while let Some(first) = first(worker, requests) {
        let mut worker = lock(worker);
        if let Err(error) = worker.take_turn(&first) {
            worker.refuse_all(first, requests, &error);
        } else {
            let batch = worker.gather(first, requests);
            worker.finish(batch);
        }
        if let Some(reply) = worker.closing.take() {
            worker.is_closed = true;
            worker.watchers.close();
            let _ = reply.send(worker.engine.flush());
            return;
        }
    }
}

/// A holder that panicked had told nobody yet: those who waited for it have heard that the store is closed.
fn lock(worker: &Mutex<Worker>) -> MutexGuard<'_, Worker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Whether who commits alone may do so on a thread of their own.
    fn is_for_callers(&self) -> bool {
        self.engine.is_quick() && !self.is_closed && self.crowd.size <= 1 && self.crowd.flush < PATIENCE_MAX
    }

    fn commit_one(&mut self, submission: Submission, reply: Reply) {
        let mut batch = Batch::default();
        self.admit(submission, reply, &mut batch);
        self.finish(batch);
    }

    /// Takes what is queued, and what comes while it is worth waiting for it.
    fn gather(&mut self, first: Request, requests: &Receiver<Request>) -> Batch {
        let mut batch = Batch::default();
        let mut next = Some(first);
        let mut taken = 0;
        let mut until = None;
        while let Some(request) = next {
            match request {
                Request::Commit(submission, reply) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.admit(submission, reply, &mut batch);
                    taken += 1;
                }
                Request::Lead(granted) => self.wait_for(granted, &mut batch),
                Request::Close(reply) => {
                    self.closing = Some(reply);
                    break;
                }
            }
            next = if batch.bytes >= BATCH_BYTES { None } else { self.next(requests, taken, &mut until) };
        }
        batch
    }

    fn finish(&mut self, batch: Batch) {
        if batch.winners.is_empty() {
            self.give_back_turn();
            tell_losers(batch.losers);
        } else {
            self.apply(batch);
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long others are waited for follows from the disk's own pace"
    )]
    fn next(
        &self,
        requests: &Receiver<Request>,
        taken: usize,
        until: &mut Option<Instant>,
    ) -> Option<Request> {
        let next = requests.try_recv().ok();
        if next.is_some() || taken >= self.crowd.size {
            return next;
        }
        let now = Instant::now();
        let patience = (self.crowd.flush / PATIENCE_SHARE).min(PATIENCE_MAX);
        let until = until.get_or_insert(now + patience);
        requests.recv_timeout(until.saturating_duration_since(now)).ok()
    }

    /// Takes a transaction into the batch, or tells it that it lost.
    fn admit(&mut self, submission: Submission, reply: Reply, batch: &mut Batch) {
        if let Some(cause) = &self.failed {
            return answer(reply, Err(StoreError::ReadOnly { cause: cause.clone() }));
        }
        if submission.reads.touch(&batch.writes)
            || self.recent.touched(&submission.reads, submission.since.commit)
        {
            batch.losers.push(reply);
            return;
        }
        for (key, value) in submission.writes {
            batch.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
            batch.writes.insert(key, value);
        }
        batch.wakes.extend(submission.wakes);
        batch.winners.push(reply);
    }

    /// A panic of the engine is a failed batch like any other: those who wait must hear of it.
    fn apply_or_say_why(&self, commit: u64, writes: Writes) -> Result<Outcome, StoreError> {
        let batch: Vec<Write> = writes.into_iter().collect();
        let apply = || match self.engine.shared() {
            Some(shared) => shared.commit(commit, batch),
            None => self.engine.apply(commit, batch).map(|()| Outcome::Committed),
        };
        catch_unwind(AssertUnwindSafe(apply))
            .unwrap_or_else(|_| Err(StoreError::corrupt("the engine panicked at a commit")))
    }

    #[expect(clippy::disallowed_methods, reason = "the disk's own pace says how long others are waited for")]
    fn apply(&mut self, batch: Batch) {
        let Batch { writes, winners, losers, wakes, .. } = batch;
        let commit = self.committed + 1;
        let keys: Keys = writes.keys().cloned().collect();
        let start = Instant::now();
        let applied = self.apply_or_say_why(commit, writes);
        self.crowd.flush = start.elapsed();
        // Before anybody is answered, so that nobody who comes back is counted twice.
        self.crowd.size = winners.len() + losers.len() + self.waiting.load(Ordering::Relaxed);
        let refusal: fn(Arc<StoreError>) -> StoreError = match self.engine.shared() {
            Some(_) => |cause| StoreError::database("a commit", cause.to_string()),
            None => |cause| StoreError::ReadOnly { cause },
        };
        match applied {
            Ok(outcome @ Outcome::Committed) => {
                self.committed = commit;
                let oldest = self.live.publish(commit);
                self.watchers.publish(commit, keys.iter());
                self.recent.note(commit, keys);
                self.recent.forget(oldest);
                // First, so that they are in the queue before those who do not have to run again.
                tell_losers(losers);
                tell(winners, || Ok(outcome.clone()));
            }
            Ok(outcome @ Outcome::Conflict) => {
                tell_losers(losers);
                tell(winners, || Ok(outcome.clone()));
            }
            Err(error) => {
                let cause = Arc::new(error);
                if self.engine.shared().is_none() {
                    self.failed = Some(cause.clone());
                }
                tell(winners, || Err(refusal(cause.clone())));
                tell_losers(losers);
            }
        }
        // Where it failed it may have happened all the same, and who is woken looks for himself.
        wakes.iter().for_each(|it| it.notify_one());
    }
}

fn tell(waiting: Vec<Reply>, outcome: impl Fn() -> Result<Outcome, StoreError>) {
    waiting.into_iter().for_each(|reply| answer(reply, outcome()));
}

fn tell_losers(losers: Vec<Reply>) {
    losers.into_iter().for_each(|reply| answer(reply, Ok(Outcome::Conflict)));
}

/// Whoever asked may have gone away meanwhile; that changes nothing.
fn answer(reply: Reply, outcome: Result<Outcome, StoreError>) {
    let _ = reply.send(outcome);
}

/// Which keys the batches wrote that a live snapshot may not have seen.
///
/// A batch leaves its keys here as they lie in it, already in order, so that a commit costs next to nothing; who has
/// reads to check looks through the few batches behind its snapshot.
#[derive(Default)]
struct Recent {
    /// In order.
    commits: VecDeque<(u64, Keys)>,
    /// What was written up to this commit is not all known.
    unknown_until: u64,
}

impl Recent {
    /// Notes the keys of the next commit, in order.
    fn note(&mut self, commit: u64, keys: Keys) {
        self.commits.push_back((commit, keys));
    }

    /// Whether anything of this was written after a commit.
    fn touched(&self, reads: &Reads, since: u64) -> bool {
        if reads.is_empty() {
            return false;
        }
        let unseen = self.commits.iter().rev().take_while(|(commit, _)| *commit > since);
        since < self.unknown_until || unseen.map(|(_, keys)| keys).any(|keys| reads.touch(keys))
    }

    /// Drops what every live snapshot has seen.
    fn forget(&mut self, oldest: u64) {
        while self.commits.pop_front_if(|(commit, _)| *commit <= oldest).is_some() {}
    }
}

/// Keys in order, of which one can ask whether some were read.
trait Written {
    fn has(&self, key: &Bytes) -> bool;
    fn has_any_in(&self, range: &KeyRange) -> bool;
}

impl Written for Writes {
    fn has(&self, key: &Bytes) -> bool {
        self.contains_key(key)
    }

    fn has_any_in(&self, range: &KeyRange) -> bool {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = range.bounds();
        self.range::<[u8], _>(bounds).next().is_some()
    }
}

impl Written for Keys {
    fn has(&self, key: &Bytes) -> bool {
        self.binary_search(key).is_ok()
    }

    fn has_any_in(&self, range: &KeyRange) -> bool {
        let first = match &range.start {
            Bound::Unbounded => 0,
            Bound::Included(start) => self.partition_point(|key| key < start),
            Bound::Excluded(start) => self.partition_point(|key| key <= start),
        };
        self.get(first).is_some_and(|key| range.contains(key))
    }
}

impl Reads {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }

    /// Whether any of this is among what was written.
    fn touch(&self, written: &impl Written) -> bool {
        self.keys.iter().any(|key| written.has(key)) || self.ranges.iter().any(|it| written.has_any_in(it))
    }
}
