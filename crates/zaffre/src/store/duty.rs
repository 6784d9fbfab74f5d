//! Duties: what one process does for all that share a store. Each stands for it; who has the lease does it.
//!
//! ```text
//! nobody has it ── acquire ──▶ ours ── renewed each second ──▶ ours …
//!                               └─ passed on, or not renewed for its whole time ──▶ stand again
//! ```
//!
//! A process that is killed is succeeded when its lease is over: within `TTL` and a second. One that retires gives it
//! back at once. Whoever has a duty writes in its name under `Lease::check`, so that one who is late writes nothing.
//! A store that no other process has knows no leases: there every duty is ours from the start.

use std::{sync::Arc, time::Duration};

use azure::ids::Guid;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval, timeout_at},
};

use super::{
    CloudId, Store,
    lease::{self, Lease},
};

/// How long a holder that says nothing keeps a duty.
const TTL: Duration = Duration::from_secs(5);
/// How often it says so, and others ask.
const EVERY: Duration = Duration::from_secs(1);

/// Stands for a duty as long as this is kept. Dropped, it leaves the lease to expire.
pub struct Duty {
    ours: watch::Receiver<Option<Arc<Lease>>>,
    standing: Option<JoinHandle<()>>,
}

/// Stands for a duty. `holder` is a name that no one else goes by.
pub fn stand(store: &Store, cloud: CloudId, name: &str, holder: Guid) -> Duty {
    if !store.is_shared() {
        return Duty { ours: watch::channel(Some(Arc::new(Lease::sole()))).1, standing: None };
    }
    let (ours, seen) = watch::channel(None);
    let keeper = Keeper { store: store.clone(), cloud, name: name.to_owned(), holder, ours };
    Duty { ours: seen, standing: Some(tokio::spawn(keeper.run())) }
}

impl Duty {
    /// The lease under which the duty is ours; none while it is another's.
    pub fn lease(&self) -> Option<Arc<Lease>> {
        self.ours.borrow().clone()
    }

    /// Resolves when the duty has come or gone since this was last asked.
    pub async fn changed(&mut self) {
        if self.ours.changed().await.is_err() {
            // Ours for good.
            std::future::pending().await
        }
    }

    /// Lets another process have it at once.
    pub async fn retire(mut self) {
        if let Some(standing) = self.standing.take() {
            standing.abort();
            let _ = standing.await;
        }
        if let Some(lease) = self.lease() {
            // Should this fail, it expires.
            let _ = lease.give_back().await;
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some(standing) = &self.standing {
            standing.abort();
        }
    }
}

struct Keeper {
    store: Store,
    cloud: CloudId,
    name: String,
    holder: Guid,
    ours: watch::Sender<Option<Arc<Lease>>>,
}

impl Keeper {
    async fn run(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Before the question: its time begins when the store answers.
            let until = Instant::now() + TTL;
            let taken = lease::acquire(&self.store, self.cloud, &self.name, self.holder, TTL).await;
            // A store that does not answer is asked again.
            if let Ok(Some(lease)) = taken {
                let lease = Arc::new(lease);
                self.ours.send_replace(Some(lease.clone()));
                keep(&lease, until, &mut ticks).await;
                self.ours.send_replace(None);
            }
        }
    }
}

/// Returns when a lease has passed on, or could not be renewed for its whole time.
async fn keep(lease: &Lease, mut until: Instant, ticks: &mut Interval) {
    loop {
        ticks.tick().await;
        let next = Instant::now() + TTL;
        match timeout_at(until, lease.renew()).await {
            Ok(Ok(true)) => until = next,
            // Nobody else can have taken it yet.
            Ok(Err(_)) if Instant::now() < until => {}
            Ok(Ok(false) | Err(_)) | Err(_) => return,
        }
    }
}
