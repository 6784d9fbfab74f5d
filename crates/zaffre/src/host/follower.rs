//! Whoever makes guests follow what providers write, as the providers know it: somebody to wake, whose reports one may wait for.
//!
//! Where nobody follows, as in most tests, a machine is as it should be the moment that it is written.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, watch};

use crate::store::Txn;

/// Clones share everything.
#[derive(Clone, Default)]
pub struct Follower {
    is_there: Arc<AtomicBool>,
    wake: Arc<Notify>,
    reports: watch::Sender<u64>,
}

impl Follower {
    /// Whether somebody follows.
    pub fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// From now on somebody does, or nobody any more.
    pub fn set(&self, is_there: bool) {
        self.is_there.store(is_there, Ordering::Release);
    }

    /// Wakes the follower once this transaction is committed.
    pub fn wake_after(&self, txn: &mut Txn) {
        txn.then_wake(&self.wake);
    }

    /// Wakes the follower now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Resolves when something is to be looked at.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Changes whenever the follower has written down what it saw.
    pub fn reports(&self) -> watch::Receiver<u64> {
        self.reports.subscribe()
    }

    pub fn report(&self) {
        self.reports.send_modify(|count| *count += 1);
    }
}
