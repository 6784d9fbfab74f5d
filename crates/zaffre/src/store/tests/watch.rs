//! A watch tells every commit once, in order, and says when it could not.

use std::time::Duration;

use tokio::time::timeout;

use crate::store::{Change, Span, Store, StoreError, Table, Watch};

use super::{CLOUD, NUMBERS, begin, commit, commit_number, committed, key, number, on_every_engine, set};

on_every_engine! {
    a_commit_is_told_once_with_its_keys_in_order,
    only_the_span_of_its_own_cloud_and_table_is_told,
    what_lost_is_not_told,
    what_is_told_can_be_read,
    a_scan_and_the_changes_behind_it_miss_nothing,
    a_watcher_that_lags_is_told_so_and_goes_on,
    a_watch_ends_with_its_store_once_all_is_told,
    a_change_that_nobody_waited_for_is_not_lost,
}

async fn watch(store: &Store, span: Span<String>) -> Watch<String> {
    NUMBERS.watch(store, CLOUD, span).await.expect("watches")
}

async fn next(watch: &mut Watch<String>) -> Option<(u64, Vec<String>)> {
    let change = timeout(Duration::from_secs(10), watch.next()).await.expect("in time").expect("is open");
    match change {
        Change::Keys { commit, keys } => Some((commit, keys)),
        Change::Lagged => None,
    }
}

async fn next_keys(watch: &mut Watch<String>) -> Vec<String> {
    next(watch).await.expect("does not lag").1
}

/// Commits one last change, so that all before it can be said to have been told.
async fn told_until_end(store: &Store, watch: &mut Watch<String>) -> Vec<(u64, Vec<String>)> {
    commit_number(store, "m end", 1).await;
    let mut told = Vec::new();
    loop {
        let change = next(watch).await.expect("does not lag");
        if change.1 == ["m end"] {
            return told;
        }
        told.push(change);
    }
}

async fn a_commit_is_told_once_with_its_keys_in_order(store: &Store) {
    commit_number(store, "before", 1).await;
    let mut watch = watch(store, Span::under(&())).await;
    let mut txn = begin(store);
    for name in ["c", "a", "b"] {
        set(&mut txn, name, 1);
    }
    commit(store, txn).await;
    let mut txn = begin(store);
    NUMBERS.delete(&mut txn, &key("b")).expect("deletes");
    commit(store, txn).await;
    let told = told_until_end(store, &mut watch).await;
    let keys: Vec<_> = told.iter().map(|(_, keys)| keys.clone()).collect();
    assert_eq!(keys, [vec![key("a"), key("b"), key("c")], vec![key("b")]]);
    assert!(told[0].0 < told[1].0);
}

async fn only_the_span_of_its_own_cloud_and_table_is_told(store: &Store) {
    const OTHER: Table<String, i64> = Table::new("numbers 2");
    let mut watch = watch(store, Span::under(&()).from(&key("m")).before(&key("n"))).await;
    for name in ["l", "m", "m 1", "n"] {
        commit_number(store, name, 1).await;
    }
    let other = crate::store::CloudId(2);
    store.write(other, |txn| NUMBERS.put(txn, &key("m 2"), &1)).await.expect("commits");
    store.write(CLOUD, |txn| OTHER.put(txn, &key("m 3"), &1)).await.expect("commits");
    let told = told_until_end(store, &mut watch).await;
    let keys: Vec<_> = told.into_iter().flat_map(|(_, keys)| keys).collect();
    assert_eq!(keys, ["m", "m 1"]);
}

async fn what_lost_is_not_told(store: &Store) {
    let mut watch = watch(store, Span::under(&())).await;
    let mut loser = begin(store);
    number(&loser, "m");
    set(&mut loser, "lost", 1);
    commit_number(store, "m", 1).await;
    assert_eq!(commit(store, loser).await, crate::store::Outcome::Conflict);
    let failed = store.write(CLOUD, |txn| {
        set(txn, "refused", 1);
        Err::<(), _>(StoreError::Closed)
    });
    failed.await.expect_err("is refused");
    assert_eq!(told_until_end(store, &mut watch).await.len(), 1);
}

async fn what_is_told_can_be_read(store: &Store) {
    let mut watch = watch(store, Span::under(&())).await;
    for value in 1..20 {
        let store = store.clone();
        let writer = tokio::spawn(async move { commit_number(&store, "a", value).await });
        assert_eq!(next_keys(&mut watch).await, ["a"]);
        writer.await.expect("commits");
    }
    assert_eq!(committed(store, "a").await, 19);
}

async fn a_scan_and_the_changes_behind_it_miss_nothing(store: &Store) {
    const WRITERS: usize = 8;
    const EACH: usize = 40;
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for index in 0..EACH {
                commit_number(&store, &format!("{writer}/{index:02}"), 1).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    commit_number(store, "first", 1).await;
    let mut watch = watch(store, Span::under(&())).await;
    let scanned = store.read(CLOUD, |txn| NUMBERS.scan(txn, &(), None, usize::MAX)).await.expect("scans");
    for writer in writers {
        writer.await.expect("ends");
    }
    let told = told_until_end(store, &mut watch).await;
    assert!(told.is_sorted_by(|a, b| a.0 < b.0), "in order, none twice");
    let mut keys: Vec<_> = told.into_iter().flat_map(|(_, keys)| keys).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "each key was written once");
    keys.extend(scanned.into_iter().map(|(key, _)| key).filter(|key| key != "first"));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), WRITERS * EACH);
}

async fn a_watcher_that_lags_is_told_so_and_goes_on(store: &Store) {
    let mut watch = watch(store, Span::under(&())).await;
    for batch in 0..9 {
        let mut txn = begin(store);
        for index in 0..8192 {
            set(&mut txn, &format!("{batch}/{index}"), 1);
        }
        commit(store, txn).await;
    }
    assert_eq!(next(&mut watch).await, None, "it lags");
    commit_number(store, "a", 1).await;
    assert_eq!(next_keys(&mut watch).await, ["a"]);
}

async fn a_watch_ends_with_its_store_once_all_is_told(store: &Store) {
    let mut watch = watch(store, Span::under(&())).await;
    commit_number(store, "a", 1).await;
    store.close().await.expect("closes");
    assert_eq!(next_keys(&mut watch).await, ["a"]);
    assert!(matches!(watch.next().await, Err(StoreError::Closed)));
}

async fn a_change_that_nobody_waited_for_is_not_lost(store: &Store) {
    let mut watch = watch(store, Span::under(&())).await;
    {
        let mut given_up = Box::pin(watch.next());
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(given_up.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        commit_number(store, "a", 1).await;
    }
    assert_eq!(next_keys(&mut watch).await, ["a"]);
}
