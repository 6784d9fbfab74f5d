//! The committer, over an engine that commits when the test says so.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::Poll,
};

use bytes::Bytes;
use tokio::sync::mpsc as async_mpsc;

use crate::store::{
    Outcome, Store, StoreError,
    engine::{Engine, Snapshot, Write},
    memory::Memory,
};

use super::{begin, commit, committed, number, set};

/// What becomes of a batch.
enum Fate {
    Succeed,
    Fail,
    Panic,
}

struct Paused {
    memory: Memory,
    begun: async_mpsc::UnboundedSender<usize>,
    fates: Mutex<mpsc::Receiver<Fate>>,
}

impl Engine for Paused {
    fn last_commit(&self) -> u64 {
        self.memory.last_commit()
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.memory.snapshot()
    }

    fn apply(&self, commit: u64, batch: Vec<Write>) -> Result<(), StoreError> {
        // Nobody listens any more when the test is over.
        let _ = self.begun.send(batch.len());
        match self.fates.lock().expect("one committer").recv() {
            Ok(Fate::Succeed) => self.memory.apply(commit, batch),
            Ok(Fate::Panic) => panic!("as the test wishes"),
            Ok(Fate::Fail) | Err(_) => Err(StoreError::corrupt("as the test wishes")),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Bench {
    store: Store,
    /// How many keys each batch has, as it begins.
    begun: async_mpsc::UnboundedReceiver<usize>,
    fates: mpsc::Sender<Fate>,
}

fn bench() -> Bench {
    let (begun_sender, begun) = async_mpsc::unbounded_channel();
    let (fates, fates_receiver) = mpsc::channel();
    let engine = Paused { memory: Memory::default(), begun: begun_sender, fates: Mutex::new(fates_receiver) };
    Bench { store: Store::over(Arc::new(engine)).expect("starts"), begun, fates }
}

impl Bench {
    /// Starts a write; it has been queued when this returns.
    async fn start(&self, name: &str) -> tokio::task::JoinHandle<Result<(), StoreError>> {
        let (store, name) = (self.store.clone(), name.to_owned());
        let (queued, is_queued) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut txn = begin(&store);
            set(&mut txn, &name, 1);
            let submission = txn.into_submission().expect("wrote");
            let mut commit = Box::pin(store.inner.committer.commit(submission));
            let first = poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await;
            queued.send(()).expect("waited for");
            match first {
                Poll::Ready(outcome) => outcome.map(drop),
                Poll::Pending => commit.await.map(drop),
            }
        });
        is_queued.await.expect("queued");
        task
    }

    fn decide(&self, fate: Fate) {
        self.fates.send(fate).expect("the engine runs");
    }
}

/// Whether a write is durable before anybody else had a turn.
async fn is_done_on_the_spot(store: &Store, name: &str) -> bool {
    let mut txn = begin(store);
    set(&mut txn, name, 1);
    let mut commit = Box::pin(store.inner.committer.commit(txn.into_submission().expect("wrote")));
    match poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await {
        Poll::Ready(outcome) => outcome.expect("commits") == Outcome::Committed,
        Poll::Pending => {
            commit.await.expect("commits");
            false
        }
    }
}

#[tokio::test]
async fn who_comes_alone_commits_on_the_spot_once_a_flush_is_known_to_be_short() {
    let store = Store::in_memory();
    assert!(!is_done_on_the_spot(&store, "the first").await, "nothing was known of this engine");
    // Whoever is woken by the thread's answer may run in its place, and so find it holding what it let go of next: time after time on a
    // busy machine. There a flush may be long once, too, for want of a processor.
    let mut attempts = 0;
    store.inner.committer.settle();
    while !is_done_on_the_spot(&store, "the next").await {
        attempts += 1;
        assert!(attempts < 100, "nobody else writes");
        store.inner.committer.settle();
    }
    assert_eq!(committed(&store, "the first").await + committed(&store, "the next").await, 2);
    store.close().await.expect("closes");
    let mut txn = begin(&store);
    set(&mut txn, "late", 1);
    let late = store.inner.committer.commit(txn.into_submission().expect("wrote")).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
}

#[tokio::test]
async fn what_waits_during_a_flush_shares_the_next_one() {
    let mut bench = bench();
    let mut tasks = vec![bench.start("first").await];
    assert_eq!(bench.begun.recv().await, Some(1));
    for index in 0..20 {
        tasks.push(bench.start(&format!("waiting {index}")).await);
    }
    assert_eq!(committed(&bench.store, "first").await, 0, "seen before it was durable");
    bench.decide(Fate::Succeed);
    assert_eq!(bench.begun.recv().await, Some(20));
    assert_eq!(committed(&bench.store, "first").await, 1);
    assert_eq!(committed(&bench.store, "waiting 3").await, 0);
    bench.decide(Fate::Succeed);
    for task in tasks {
        task.await.expect("ends").expect("commits");
    }
    assert_eq!(committed(&bench.store, "waiting 3").await, 1);
}

#[tokio::test]
async fn a_conflict_within_one_batch_is_told_when_the_winner_is_visible() {
    let mut bench = bench();
    let first = bench.start("first").await;
    bench.begun.recv().await;
    let (mut one, mut two) = (begin(&bench.store), begin(&bench.store));
    for txn in [&mut one, &mut two] {
        let next = number(txn, "n") + 1;
        set(txn, "n", next);
    }
    let mut one = Box::pin(commit(&bench.store, one));
    let mut two = Box::pin(commit(&bench.store, two));
    assert!(is_pending(&mut one).await && is_pending(&mut two).await, "both are queued, one before two");
    bench.decide(Fate::Succeed);
    assert_eq!(bench.begun.recv().await, Some(1), "the batch that holds `one` alone has begun");
    assert!(is_pending(&mut two).await, "told before it could see what it lost to");
    bench.decide(Fate::Succeed);
    assert_eq!(two.await, Outcome::Conflict);
    assert_eq!(committed(&bench.store, "n").await, 1);
    assert_eq!(one.await, Outcome::Committed);
    first.await.expect("ends").expect("commits");
}

async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

#[tokio::test]
async fn after_a_failed_batch_writes_are_refused_and_reads_go_on() {
    for fate in [Fate::Fail, Fate::Panic] {
        let mut bench = bench();
        bench.decide(Fate::Succeed);
        bench.start("kept").await.await.expect("ends").expect("commits");
        bench.begun.recv().await;

        let (one, two) = (bench.start("one").await, bench.start("two").await);
        bench.decide(fate);
        for task in [one, two] {
            let error = task.await.expect("ends").expect_err("fails");
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        }
        // Nothing more reaches the engine: it would wait for a decision.
        let error = bench.start("late").await.await.expect("ends").expect_err("is refused");
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        assert_eq!(committed(&bench.store, "kept").await, 1);
        assert_eq!(committed(&bench.store, "one").await, 0);
    }
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let mut bench = bench();
    let first = bench.start("first").await;
    bench.begun.recv().await;
    let second = bench.start("second").await;
    let close = bench.store.close();
    let decide = async {
        bench.decide(Fate::Succeed);
        bench.decide(Fate::Succeed);
    };
    let (closed, ()) = tokio::join!(close, decide);
    closed.expect("closes");
    first.await.expect("ends").expect("commits");
    second.await.expect("ends").expect("commits");
    assert_eq!(committed(&bench.store, "second").await, 1);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_is_committed_all_the_same() {
    let bench = bench();
    let task = bench.start("left").await;
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    bench.decide(Fate::Succeed);
    bench.store.close().await.expect("closes");
    assert_eq!(committed(&bench.store, "left").await, 1);
}

#[test]
fn versions_nobody_sees_are_dropped() {
    let memory = Memory::default();
    let row = |text: &'static str| (Bytes::from_static(b"k"), Some(Bytes::from_static(text.as_bytes())));
    memory.apply(1, vec![row("one")]).expect("applies");
    let snapshot = memory.snapshot().expect("a snapshot");
    for commit in 2..50 {
        memory.apply(commit, vec![row("later")]).expect("applies");
    }
    assert_eq!(snapshot.get(b"k").expect("reads").as_deref(), Some(&b"one"[..]));
    assert_eq!(memory.versions(), 49);
    drop(snapshot);
    memory.apply(50, vec![(Bytes::from_static(b"k"), None)]).expect("applies");
    assert_eq!(memory.versions(), 0);
}
