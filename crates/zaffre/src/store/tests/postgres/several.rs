//! Several processes on one database; each is a store of its own here.

use std::time::Duration;

use tokio::time::timeout;

use crate::store::{Change, Outcome, Span, Store, StoreError};

use super::{
    super::{CLOUD, NUMBERS, begin, commit, commit_number, committed, number, set, try_number},
    cluster,
};

fn two_stores() -> Option<[Store; 2]> {
    let address = cluster::shared()?.fresh();
    Some([(); 2].map(|()| Store::connect(&address).expect("connects")))
}

#[tokio::test]
async fn what_one_process_wrote_another_reads_at_once() {
    let Some([one, two]) = two_stores() else { return };
    for value in 1..20 {
        commit_number(&one, "n", value).await;
        assert_eq!(committed(&two, "n").await, value);
        commit_number(&two, "n", -value).await;
        assert_eq!(committed(&one, "n").await, -value);
    }
}

#[tokio::test]
async fn a_lost_update_between_processes_is_refused() {
    let Some([one, two]) = two_stores() else { return };
    let (mut here, mut there) = (begin(&one), begin(&two));
    let (seen_here, seen_there) = (number(&here, "n"), number(&there, "n"));
    set(&mut here, "n", seen_here + 1);
    set(&mut there, "n", seen_there + 1);
    assert_eq!(commit(&one, here).await, Outcome::Committed);
    assert_eq!(commit(&two, there).await, Outcome::Conflict);
}

#[tokio::test]
async fn write_skew_and_phantoms_between_processes_are_refused() {
    let Some([one, two]) = two_stores() else { return };
    let (mut here, mut there) = (begin(&one), begin(&two));
    for txn in [&here, &there] {
        assert_eq!(NUMBERS.scan(txn, &(), None, 10).expect("scans"), []);
    }
    set(&mut here, "first", 1);
    set(&mut there, "second", 1);
    assert_eq!(commit(&two, there).await, Outcome::Committed);
    assert_eq!(commit(&one, here).await, Outcome::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_of_several_processes_lose_nothing() {
    const EACH: i64 = 40;
    let Some(stores) = two_stores() else { return };
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = stores[task % 2].clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let added = store.write(CLOUD, |txn| {
                        let next = try_number(txn, "shared")? + 1;
                        set(txn, "shared", next);
                        Ok::<_, StoreError>(())
                    });
                    added.await.expect("commits");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("ends");
    }
    assert_eq!(committed(&stores[0], "shared").await, 8 * EACH);
}

#[tokio::test]
async fn a_watch_is_told_what_other_processes_commit_in_order_and_without_gaps() {
    let Some([one, two]) = two_stores() else { return };
    let mut watch = NUMBERS.watch(&one, CLOUD, Span::under(&())).await.expect("watches");
    for index in 0..30 {
        commit_number([&one, &two][index % 2], &format!("{index:02}"), 1).await;
    }
    let (mut told, mut last) = (Vec::new(), 0);
    while told.len() < 30 {
        let change = timeout(Duration::from_secs(10), watch.next()).await.expect("in time").expect("is open");
        let Change::Keys { commit, keys } = change else { panic!("lags") };
        assert!(commit > last, "{commit} after {last}");
        last = commit;
        told.extend(keys);
    }
    assert_eq!(told, (0..30).map(|index| format!("{index:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_slept_while_the_list_of_commits_was_cut_lags_and_loses_nothing() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    let (one, two) =
        (Store::connect(&address).expect("connects"), Store::connect(&address).expect("connects"));
    let mut late = begin(&one);
    assert_eq!(number(&late, "elsewhere"), 0);
    for value in 1..5 {
        commit_number(&two, "n", value).await;
    }
    let schema = cluster::schema_of(&address);
    cluster.sql("postgres", &format!("DELETE FROM {schema}.zaffre_commits WHERE number < 4"));
    set(&mut late, "n", 9);
    assert_eq!(commit(&one, late).await, Outcome::Conflict, "what it missed may have been what it read");
    commit_number(&one, "n", 9).await;
    assert_eq!(committed(&two, "n").await, 9);
}
