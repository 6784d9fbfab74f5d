//! The committer among others: processes that commit to the same rows take turns.
//!
//! With the turn comes the news, what was committed behind what is known here; it is checked like what was committed
//! here. While nothing is committed here, the worker asks for news now and then, for those who watch.
//!
//! A transaction that keeps losing to other processes may run in the turn, when nobody can commit before it.

use std::sync::{
    Mutex,
    atomic::Ordering,
    mpsc::{self, Receiver, RecvTimeoutError, Sender},
};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Batch, Committer, Outcome, Request, Worker, answer, lock};
use crate::store::{StoreError, engine::News, txn::Submission};

/// How often to look what other processes committed, while nothing is committed here.
const LISTEN: Duration = Duration::from_millis(100);

/// How long everybody waits for one transaction that was let run alone.
const LEAD: Duration = Duration::from_millis(250);

/// The right to be the next one who commits. Dropping it gives it up.
pub(in crate::store) struct Lead(Sender<Request>);

impl Lead {
    /// As `Committer::commit`; a conflict when it took too long.
    pub(in crate::store) async fn commit(self, submission: Submission) -> Result<Outcome, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let is_late = self.0.send(Request::Commit(submission, reply)).is_err();
        if is_late { Ok(Outcome::Conflict) } else { outcome.await.unwrap_or(Ok(Outcome::Conflict)) }
    }
}

impl Committer {
    /// Resolves once nobody else can commit, in whatever process, before the transaction that is then run and given to
    /// `Lead::commit`, or a little while has passed. `None` where that cannot be had.
    pub(in crate::store) async fn lead(&self) -> Option<Lead> {
        let (granted, grant) = oneshot::channel();
        self.queue.send(Request::Lead(granted)).ok()?;
        grant.await.ok().map(Lead)
    }
}

/// Waits for a request, and listens to others meanwhile. None when nobody is left to ask.
pub(super) fn first(worker: &Mutex<Worker>, requests: &Receiver<Request>) -> Option<Request> {
    if lock(worker).engine.shared().is_none() {
        return requests.recv().ok();
    }
    loop {
        match requests.recv_timeout(LISTEN) {
            Ok(request) => return Some(request),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => lock(worker).listen(),
        }
    }
}

impl Worker {
    /// Hears what others committed, when somebody here wants to know. An error will show again.
    fn listen(&mut self) {
        if !self.watchers.is_empty()
            && let Some(shared) = self.engine.shared()
            && let Ok(news) = shared.news(self.committed)
        {
            self.hear(news);
        }
    }

    /// Where there are others, waits until it is our turn to commit.
    pub(super) fn take_turn(&mut self, first: &Request) -> Result<(), StoreError> {
        let wants_turn = !matches!(first, Request::Close(_));
        if let Some(shared) = self.engine.shared().filter(|_| wants_turn) {
            let news = shared.take_turn(self.committed)?;
            self.hear(news);
        }
        Ok(())
    }

    pub(super) fn give_back_turn(&self) {
        if let Some(shared) = self.engine.shared() {
            shared.give_back();
        }
    }

    fn hear(&mut self, news: News) {
        if news.last <= self.committed {
            return;
        }
        self.committed = news.last;
        let oldest = self.live.publish(news.last);
        if news.is_whole {
            news.commits.iter().for_each(|(commit, keys)| self.watchers.publish(*commit, keys.iter()));
        } else {
            self.recent.unknown_until = news.last;
            self.watchers.lag();
        }
        for (commit, mut keys) in news.commits {
            keys.sort_unstable();
            self.recent.note(commit, keys);
        }
        self.recent.forget(oldest);
    }

    /// Tells everybody who waits that nothing can be committed now.
    pub(super) fn refuse_all(&mut self, first: Request, requests: &Receiver<Request>, why: &StoreError) {
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Commit(_, reply) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    answer(reply, Err(StoreError::database("a commit", why.to_string())));
                }
                // Dropped: whoever asked goes on without.
                Request::Lead(_) => {}
                Request::Close(reply) => return self.closing = Some(reply),
            }
            next = requests.try_recv().ok();
        }
    }

    /// Lets one transaction run while nobody can commit before it, and takes it into the batch.
    pub(super) fn wait_for(&mut self, granted: oneshot::Sender<Sender<Request>>, batch: &mut Batch) {
        let (sender, led) = mpsc::channel();
        if granted.send(sender).is_ok()
            && let Ok(Request::Commit(submission, reply)) = led.recv_timeout(LEAD)
        {
            self.admit(submission, reply, batch);
        }
    }
}
