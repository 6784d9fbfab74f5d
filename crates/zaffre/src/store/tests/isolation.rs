//! The classic anomalies, by name: none of them happens.

use crate::store::{CloudId, Outcome, Span, Store, StoreError};

use super::{
    CLOUD, NUMBERS, begin, commit, commit_number, committed, key, number, on_every_engine, set, try_number,
};

on_every_engine! {
    a_write_is_invisible_until_it_is_committed,
    a_snapshot_does_not_move,
    a_lost_update_is_refused,
    write_skew_is_refused,
    a_phantom_is_refused,
    an_absence_that_was_read_counts_as_a_read,
    a_deletion_of_what_was_read_is_a_conflict,
    a_transaction_that_only_reads_never_conflicts,
    writes_without_reads_never_conflict,
    pages_of_one_listing_do_not_disturb_each_other,
    what_a_scan_did_not_reach_is_no_conflict,
    a_failed_closure_writes_nothing,
    a_transaction_sees_its_own_writes,
    concurrent_counters_lose_nothing,
    money_is_neither_made_nor_lost,
    clouds_do_not_see_each_other,
    a_closed_store_refuses_writes_and_reads_on,
    a_write_that_always_loses_gives_up,
}

async fn a_write_is_invisible_until_it_is_committed(store: &Store) {
    let mut writer = begin(store);
    set(&mut writer, "a", 1);
    assert_eq!(committed(store, "a").await, 0);
    assert_eq!(commit(store, writer).await, Outcome::Committed);
    assert_eq!(committed(store, "a").await, 1);
}

async fn a_snapshot_does_not_move(store: &Store) {
    commit_number(store, "a", 1).await;
    commit_number(store, "gone", 1).await;
    let reader = begin(store);
    // From the first read on: a database takes its snapshot then.
    assert_eq!((number(&reader, "b"), number(&reader, "gone")), (0, 1));
    let mut writer = begin(store);
    set(&mut writer, "a", 2);
    set(&mut writer, "b", 2);
    NUMBERS.delete(&mut writer, &key("gone")).expect("deletes");
    commit(store, writer).await;
    // More commits, so that an engine that drops old versions too early would have.
    for value in 3..10 {
        commit_number(store, "a", value).await;
    }
    assert_eq!(number(&reader, "a"), 1);
    assert_eq!(number(&reader, "b"), 0);
    let rows = NUMBERS.scan(&reader, &(), None, 10).expect("scans");
    assert_eq!(rows, [(key("a"), 1), (key("gone"), 1)]);
    drop(reader);
    assert_eq!(committed(store, "a").await, 9);
}

async fn a_lost_update_is_refused(store: &Store) {
    let (mut one, mut two) = (begin(store), begin(store));
    let (seen_one, seen_two) = (number(&one, "n"), number(&two, "n"));
    set(&mut one, "n", seen_one + 1);
    set(&mut two, "n", seen_two + 1);
    assert_eq!(commit(store, one).await, Outcome::Committed);
    assert_eq!(commit(store, two).await, Outcome::Conflict);
    assert_eq!(committed(store, "n").await, 1);
}

async fn write_skew_is_refused(store: &Store) {
    commit_number(store, "alice on call", 1).await;
    commit_number(store, "bob on call", 1).await;
    let (mut alice, mut bob) = (begin(store), begin(store));
    for txn in [&alice, &bob] {
        assert_eq!(number(txn, "alice on call") + number(txn, "bob on call"), 2);
    }
    set(&mut alice, "alice on call", 0);
    set(&mut bob, "bob on call", 0);
    assert_eq!(commit(store, alice).await, Outcome::Committed);
    assert_eq!(commit(store, bob).await, Outcome::Conflict);
}

async fn a_phantom_is_refused(store: &Store) {
    let (mut one, mut two) = (begin(store), begin(store));
    for txn in [&one, &two] {
        assert_eq!(NUMBERS.scan(txn, &(), None, 10).expect("scans"), []);
    }
    set(&mut one, "first", 1);
    set(&mut two, "second", 1);
    assert_eq!(commit(store, one).await, Outcome::Committed);
    assert_eq!(commit(store, two).await, Outcome::Conflict);
}

async fn an_absence_that_was_read_counts_as_a_read(store: &Store) {
    let mut late = begin(store);
    assert!(!NUMBERS.exists(&late, &key("name")).expect("reads"));
    commit_number(store, "name", 1).await;
    set(&mut late, "name", 2);
    assert_eq!(commit(store, late).await, Outcome::Conflict);
}

async fn a_deletion_of_what_was_read_is_a_conflict(store: &Store) {
    commit_number(store, "group", 1).await;
    let mut child = begin(store);
    assert_eq!(number(&child, "group"), 1);
    let mut deletion = begin(store);
    NUMBERS.delete(&mut deletion, &key("group")).expect("deletes");
    assert_eq!(commit(store, deletion).await, Outcome::Committed);
    set(&mut child, "group/vm", 1);
    assert_eq!(commit(store, child).await, Outcome::Conflict);
    assert_eq!(committed(store, "group/vm").await, 0);
}

async fn a_transaction_that_only_reads_never_conflicts(store: &Store) {
    let reader = begin(store);
    assert_eq!(number(&reader, "a"), 0);
    commit_number(store, "a", 1).await;
    assert_eq!(commit(store, reader).await, Outcome::Committed);
}

async fn writes_without_reads_never_conflict(store: &Store) {
    let (mut one, mut two) = (begin(store), begin(store));
    set(&mut one, "a", 1);
    set(&mut two, "a", 2);
    assert_eq!(commit(store, one).await, Outcome::Committed);
    assert_eq!(commit(store, two).await, Outcome::Committed);
    assert_eq!(committed(store, "a").await, 2);
}

async fn pages_of_one_listing_do_not_disturb_each_other(store: &Store) {
    for name in ["a", "b", "c", "d"] {
        commit_number(store, name, 1).await;
    }
    let mut first_page = begin(store);
    assert_eq!(NUMBERS.scan(&first_page, &(), None, 2).expect("scans").len(), 2);
    commit_number(store, "c", 2).await;
    set(&mut first_page, "seen", 2);
    assert_eq!(commit(store, first_page).await, Outcome::Committed);

    let mut second_page = begin(store);
    let after = key("b");
    assert_eq!(NUMBERS.scan(&second_page, &(), Some(&after), 2).expect("scans").len(), 2);
    commit_number(store, "b", 2).await;
    set(&mut second_page, "seen", 4);
    assert_eq!(commit(store, second_page).await, Outcome::Committed);
}

async fn what_a_scan_did_not_reach_is_no_conflict(store: &Store) {
    for name in ["a", "c", "e"] {
        commit_number(store, name, 1).await;
    }
    // The write, and whether it disturbs one who saw only the last row, "e", and one who saw only the first, "a".
    for (written, disturbs_last, disturbs_first) in
        [("a", false, true), ("b", false, false), ("d", false, false), ("e", true, false), ("f", true, false)]
    {
        let (mut last, mut first) = (begin(store), begin(store));
        let row = NUMBERS.rows_back(&last, Span::under(&()).before(&key("x"))).next();
        assert!(row.expect("a row").expect("reads").0 >= key("e"));
        let row = NUMBERS.rows(&first, Span::under(&())).next();
        assert_eq!(row.expect("a row").expect("reads").0, "a");
        commit_number(store, written, 2).await;
        set(&mut last, "x last", 1);
        set(&mut first, "x first", 1);
        let conflict = |is| if is { Outcome::Conflict } else { Outcome::Committed };
        assert_eq!(commit(store, last).await, conflict(disturbs_last), "{written} against the last row");
        assert_eq!(commit(store, first).await, conflict(disturbs_first), "{written} against the first row");
    }
}

async fn a_failed_closure_writes_nothing(store: &Store) {
    let refused = store
        .write(CLOUD, |txn| {
            set(txn, "a", 1);
            Err::<(), _>(StoreError::Closed)
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Closed)));
    assert_eq!(committed(store, "a").await, 0);
}

async fn a_transaction_sees_its_own_writes(store: &Store) {
    for name in ["a", "b", "d"] {
        commit_number(store, name, 1).await;
    }
    let mut txn = begin(store);
    set(&mut txn, "a", 2);
    set(&mut txn, "c", 2);
    set(&mut txn, "e", 2);
    NUMBERS.delete(&mut txn, &key("b")).expect("deletes");
    assert_eq!((number(&txn, "a"), number(&txn, "b"), number(&txn, "c")), (2, 0, 2));
    let mut rows = vec![(key("a"), 2), (key("c"), 2), (key("d"), 1), (key("e"), 2)];
    assert_eq!(NUMBERS.scan(&txn, &(), None, 10).expect("scans"), rows);
    rows.reverse();
    let back: Result<Vec<_>, _> = NUMBERS.rows_back(&txn, Span::under(&())).collect();
    assert_eq!(back.expect("scans"), rows);
}

async fn concurrent_counters_lose_nothing(store: &Store) {
    const TASKS: usize = 16;
    const EACH: usize = 25;
    let tasks = (0..TASKS).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..EACH {
                let added = store.write(CLOUD, |txn| {
                    for name in ["shared", &format!("own {task}")] {
                        let next = try_number(txn, name)? + 1;
                        set(txn, name, next);
                    }
                    Ok::<_, StoreError>(())
                });
                added.await.expect("commits");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("ends");
    }
    assert_eq!(committed(store, "shared").await, (TASKS * EACH) as i64);
    assert_eq!(committed(store, "own 7").await, EACH as i64);
}

async fn money_is_neither_made_nor_lost(store: &Store) {
    const ACCOUNTS: i64 = 5;
    const TOTAL: i64 = 100 * ACCOUNTS;
    for account in 0..ACCOUNTS {
        commit_number(store, &format!("account {account}"), 100).await;
    }
    let tasks = (0..8_i64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..20_i64 {
                let (from, to) = ((task + round) % ACCOUNTS, (task * 3 + round * 2 + 1) % ACCOUNTS);
                let moved = store.write(CLOUD, |txn| {
                    let amount = try_number(txn, &format!("account {from}"))? / 3;
                    for (account, change) in [(from, -amount), (to, amount)] {
                        let name = format!("account {account}");
                        let balance = try_number(txn, &name)? + change;
                        set(txn, &name, balance);
                    }
                    Ok::<_, StoreError>(())
                });
                moved.await.expect("commits");
                let sum = store.read(CLOUD, |txn| {
                    let rows = NUMBERS.scan(txn, &(), None, 100)?;
                    Ok::<i64, StoreError>(rows.into_iter().map(|(_, balance)| balance).sum())
                });
                assert_eq!(sum.await.expect("reads"), TOTAL);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("ends");
    }
}

async fn clouds_do_not_see_each_other(store: &Store) {
    let other = CloudId(2);
    commit_number(store, "a", 1).await;
    let written = store.write(other, |txn| {
        assert_eq!(number(txn, "a"), 0);
        set(txn, "b", 2);
        Ok::<_, StoreError>(())
    });
    written.await.expect("commits");
    let rows = store.read(CLOUD, |txn| NUMBERS.scan(txn, &(), None, 10)).await.expect("scans");
    assert_eq!(rows, [(key("a"), 1)]);
    let rows = store.read(other, |txn| NUMBERS.scan(txn, &(), None, 10)).await.expect("scans");
    assert_eq!(rows, [(key("b"), 2)]);
}

async fn a_closed_store_refuses_writes_and_reads_on(store: &Store) {
    commit_number(store, "a", 1).await;
    store.close().await.expect("closes");
    let refused = store.write(CLOUD, |txn| {
        set(txn, "a", 2);
        Ok::<_, StoreError>(())
    });
    assert!(matches!(refused.await, Err(StoreError::Closed)));
    assert_eq!(committed(store, "a").await, 1);
    store.close().await.expect("closes again");
}

async fn a_write_that_always_loses_gives_up(store: &Store) {
    let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<std::sync::mpsc::Sender<()>>();
    let rival = store.clone();
    // Writes what the closure below has read, each time before the closure returns.
    let runtime = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            while let Some(done) = asked.recv().await {
                commit_number(&rival, "contended", 1).await;
                done.send(()).expect("waited for");
            }
        });
    });
    let lost = store.write(CLOUD, |txn| {
        let seen = number(txn, "contended");
        let (done, wait) = std::sync::mpsc::channel();
        ask.send(done).expect("the rival runs");
        wait.recv().expect("the rival commits");
        set(txn, "contended", seen + 1);
        Ok::<_, StoreError>(())
    });
    assert!(matches!(lost.await, Err(StoreError::Conflict { attempts: 64 })));
    drop(ask);
    runtime.join().expect("the rival ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_read_leaves_its_thread_to_others() {
    let store = Store::in_memory();
    let (say, heard) = std::sync::mpsc::channel();
    let reading = tokio::spawn(async move {
        // Of the one thread that the runtime has for both.
        tokio::spawn(async move { say.send(()) });
        let wait = move |_: &crate::store::Txn| {
            Ok::<_, StoreError>(heard.recv_timeout(std::time::Duration::from_secs(10)).is_ok())
        };
        store.read_long(CLOUD, wait).await
    });
    assert!(reading.await.expect("ends").expect("reads"), "the other task ran meanwhile");
}
