//! Upkeep: what a cloud does without being asked, now and then, by one process of all that share it.
//!
//! Deleted containers that a process left behind are cleared, what the activity log no longer keeps goes, then bodies that
//! nobody names are swept. Each may be done
//! twice or by two at once and is right all the same: rows are cleared in transactions, and a sweep takes only what no
//! record names and no living process claims. The duty saves the work, and so nothing is written under its fence.
//!
//! A process that has not the duty lets go of its own claims on what was named or given up long ago.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use azure::ids::Guid;
use tokio::{
    task::JoinHandle,
    time::{Instant, interval_at},
};

use crate::{
    cloud::{Clock, CloudId},
    directory::founding,
    env::{Env, LogFormat},
    products::storage::blob::purge,
    resources::{activity, operations},
    store::{
        StoreError,
        duty::{self, Duty},
    },
};

/// How often, unless somebody else's duty becomes ours: then at once.
const EVERY: Duration = Duration::from_secs(600);

/// The upkeep of a server, which ends with it.
pub(crate) struct Upkeep(JoinHandle<()>);

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often operations that are due are looked for.
const TICK: Duration = Duration::from_secs(1);

impl Upkeep {
    /// Ends operations when they are due, though nobody asks about them: what is deleted is gone for every service.
    pub(crate) fn tick(env: &Arc<Env>, clouds: Vec<CloudId>) -> Upkeep {
        let env = Arc::downgrade(env);
        Upkeep(tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + TICK, TICK);
            loop {
                ticks.tick().await;
                let Some(env) = env.upgrade() else { return };
                let now = Clock::System.now();
                for cloud in &clouds {
                    // What cannot be written now is due at the next tick, too.
                    let _ = env.store.write(*cloud, |txn| operations::settle(txn, now)).await;
                }
            }
        }))
    }
}

/// Begins. A store that is ours alone is swept before this returns; to be called before the first request.
/// `holder` is a name that no other process goes by.
pub(crate) async fn begin(env: &Arc<Env>, clouds: &[CloudId], holder: Guid) -> Result<Upkeep, StoreError> {
    purge::count(env, clouds).await?;
    if !env.store.is_shared() {
        env.content.sweep_unreferenced(&env.store).await?;
        clouds.iter().for_each(|cloud| purge::begin(env, *cloud));
    }
    let duty = duty::stand(&env.store, CloudId::RING, "upkeep", holder);
    Ok(Upkeep(tokio::spawn(keep(Arc::downgrade(env), duty))))
}

async fn keep(env: Weak<Env>, mut duty: Duty) {
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = duty.changed() => {}
        }
        let Some(env) = env.upgrade() else { return };
        let done = match duty.lease() {
            Some(_) => clear_and_sweep(&env).await,
            None => env.content.settle_claims(&env.store).await,
        };
        if let Err(error) = done
            && env.settings.log != LogFormat::Off
        {
            eprintln!("zaffre: the upkeep is tried again later: {error}");
        }
    }
}

async fn clear_and_sweep(env: &Env) -> Result<(), StoreError> {
    for (cloud, _) in founding::charters(&env.store).await? {
        purge::all(env, cloud).await?;
        let now = Clock::System.now();
        while env.store.write(cloud, |txn| activity::sweep(txn, now)).await? {}
    }
    env.content.sweep_unreferenced(&env.store).await.map(drop)
}
