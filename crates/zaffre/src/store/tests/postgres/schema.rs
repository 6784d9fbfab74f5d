//! The tables: made once, whoever comes first, and never by an older program than they are.

use std::thread;

use crate::store::{Store, StoreError};

use super::{
    super::{CLOUD, begin, commit_number, committed, number, set},
    cluster::{self, schema_of},
};

#[tokio::test]
async fn processes_that_start_together_make_the_tables_once() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || Store::connect(&address).map(drop))
        })
        .collect();
    for start in starts {
        start.join().expect("ends").expect("connects");
    }
    let tables = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{}'", schema_of(&address));
    assert_eq!(cluster.sql("postgres", &tables), "3");
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused_at_the_start_and_while_running() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    let store = Store::connect(&address).expect("connects");
    commit_number(&store, "n", 1).await;
    cluster.sql("postgres", &format!("UPDATE {}.zaffre_store SET format = 2", schema_of(&address)));
    let refused = Store::connect(&address).map(drop);
    assert!(matches!(refused, Err(StoreError::Newer { found: 2, known: 1, .. })), "{refused:?}");
    let mut txn = begin(&store);
    set(&mut txn, "n", 2);
    let submission = txn.into_submission().expect("wrote");
    let refused = store.inner.committer.commit(submission).await.expect_err("is refused");
    assert!(refused.to_string().contains("format 2"), "{refused}");
    assert_eq!(committed(&store, "n").await, 1);
}

#[tokio::test]
async fn what_was_stored_is_there_for_the_next_process() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    commit_number(&Store::connect(&address).expect("connects"), "n", 7).await;
    assert_eq!(committed(&Store::connect(&address).expect("connects"), "n").await, 7);
}

#[test]
fn an_address_that_leads_nowhere_is_an_error_that_names_it() {
    for (address, said) in [
        ("postgres://", "names no host"),
        ("mysql://here", "the store's address"),
        ("postgres://zaffre@%2Fnowhere%2Fat%2Fall", "/nowhere/at/all"),
    ] {
        let error = Store::connect(address).map(drop).expect_err(address).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn keys_longer_than_the_databases_index_takes_keep_their_order() {
    let Some(store) = super::fresh_store() else { return };
    let long = |tail: &str| format!("{}{tail}", "k".repeat(3000));
    let names = ["a".to_owned(), long(""), long("a"), long("b"), "k".repeat(5), "z".to_owned()];
    let mut in_order = names.to_vec();
    in_order.sort();
    for (index, name) in names.iter().enumerate() {
        commit_number(&store, name, index as i64).await;
    }
    let keys = |rows: Vec<(String, i64)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let scan = |after: Option<String>| {
        let store = store.clone();
        async move {
            let rows =
                store.read(CLOUD, |txn| super::super::NUMBERS.scan(txn, &(), after.as_ref(), 99)).await;
            keys(rows.expect("scans"))
        }
    };
    assert_eq!(scan(None).await, in_order);
    assert_eq!(scan(Some(long("a"))).await, [long("b"), "z".to_owned()]);
    store.write(CLOUD, |txn| super::super::NUMBERS.delete(txn, &long("a"))).await.expect("commits");
    let rest = store.read::<_, StoreError>(CLOUD, |txn| {
        Ok([long(""), long("a"), long("b")].map(|name| number(txn, &name)))
    });
    assert_eq!(rest.await.expect("reads"), [1, 0, 3]);
}
