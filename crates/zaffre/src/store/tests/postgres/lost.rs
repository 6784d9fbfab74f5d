//! Connections that are cut or fall silent: nothing acknowledged is lost, and nobody waits long for who is gone.

use std::{sync::Arc, time::Duration};

use azure::ids::Guid;
use tokio::time::timeout;

use crate::store::{Store, lease};

use super::{
    super::{CLOUD, begin, commit, commit_number, committed, set, try_number},
    cluster::{self, schema_of},
    proxy::Proxy,
};

/// The most that anybody may wait for a process that is gone.
const GONE: Duration = Duration::from_secs(10);

/// A store behind a proxy, and one that goes to the server directly.
fn behind_a_proxy() -> Option<(Arc<Proxy>, Store, Store)> {
    let cluster = cluster::shared()?;
    let address = cluster.fresh();
    let proxy = Arc::new(Proxy::start(cluster.socket()));
    let host = proxy.address.to_string();
    let behind = Store::connect(&cluster.address(&host, schema_of(&address))).expect("connects");
    Some((proxy, behind, Store::connect(&address).expect("connects")))
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_go_on_over_new_connections() {
    let Some((proxy, behind, direct)) = behind_a_proxy() else { return };
    for value in 1..6 {
        commit_number(&behind, "n", value).await;
        assert_eq!(committed(&behind, "n").await, value);
        proxy.cut();
        assert_eq!(committed(&behind, "n").await, value, "read again");
        proxy.cut();
    }
    assert_eq!(committed(&direct, "n").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_cut_off_happens_once_or_is_an_error() {
    let Some((proxy, behind, direct)) = behind_a_proxy() else { return };
    let mut acknowledged = 0;
    for round in 0..30 {
        let cut = proxy.clone();
        let cutter = tokio::task::spawn_blocking(move || {
            // Somewhere within the commit: each round a little later.
            (0..round * 2_000).for_each(|_| std::hint::spin_loop());
            cut.cut();
        });
        let written = behind.write(CLOUD, |txn| {
            let next = try_number(txn, "n")? + 1;
            set(txn, "n", next);
            Ok::<_, crate::store::StoreError>(next)
        });
        acknowledged += i64::from(written.await.is_ok());
        cutter.await.expect("cuts");
    }
    assert_eq!(acknowledged, 30, "the server was there all the time");
    assert_eq!(committed(&direct, "n").await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_falls_silent_in_its_turn_blocks_nobody_for_long() {
    let Some((proxy, behind, direct)) = behind_a_proxy() else { return };
    commit_number(&behind, "n", 1).await;
    // It has the turn, and is gone before it commits.
    let shared = behind.inner.engine.clone();
    let taken = tokio::task::spawn_blocking(move || {
        shared.shared().expect("is shared").take_turn(0).map(drop).expect("takes the turn");
    });
    taken.await.expect("ends");
    proxy.stall();
    timeout(GONE, commit_number(&direct, "n", 2)).await.expect("in time");
    proxy.resume();
    assert_eq!(committed(&direct, "n").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_process_that_is_gone_passes_on_and_its_late_writes_are_refused() {
    let Some((proxy, behind, direct)) = behind_a_proxy() else { return };
    let ttl = Duration::from_secs(2);
    let take = |store: Store, holder: u8| async move {
        lease::acquire(&store, CLOUD, "reconciler", Guid([holder; 16]), ttl).await.expect("asks")
    };
    let held = take(behind.clone(), 1).await.expect("nobody has it");
    assert!(take(direct.clone(), 2).await.is_none(), "somebody has it");
    let mut late = begin(&behind);
    assert!(held.check(&late).expect("reads"));
    set(&mut late, "done by", 1);
    proxy.stall();
    let stolen = timeout(GONE, async {
        loop {
            if let Some(lease) = take(direct.clone(), 2).await {
                return lease;
            }
        }
    });
    let stolen = stolen.await.expect("in time");
    assert!(stolen.fence() > held.fence());
    proxy.resume();
    assert_eq!(commit(&behind, late).await, crate::store::Outcome::Conflict);
    let again = begin(&behind);
    assert!(!held.check(&again).expect("reads"));
    assert_eq!(committed(&direct, "done by").await, 0);
}
