//! What the store promises. `isolation` and `rows` are one acceptance suite that every engine passes.

pub(in crate::store) mod buckets;
mod committer;
mod content;
mod durability;
mod histories;
mod isolation;
mod keys;
mod leases;
mod model;
mod postgres;
mod rows;
mod upkeep;
mod watch;

use super::{CloudId, Outcome, Store, StoreError, Table, Txn};

const CLOUD: CloudId = CloudId(1);
const NUMBERS: Table<String, i64> = Table::new("numbers");

/// Runs each named claim, an `async fn(&Store)` beside the list, on a fresh store of each engine.
macro_rules! on_every_engine {
    ($($claim:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(&crate::store::Store::in_memory()).await;
            })*
        }
        mod embedded {
            $(#[tokio::test]
            async fn $claim() {
                let dir = tempfile::tempdir().expect("a directory");
                super::$claim(&crate::store::Store::open(dir.path()).expect("opens")).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $claim() {
                let Some(store) = crate::store::tests::postgres::fresh_store() else { return };
                super::$claim(&store).await;
            })*
        }
    };
}
use on_every_engine;

fn key(text: &str) -> String {
    text.to_owned()
}

fn number(txn: &Txn, name: &str) -> i64 {
    try_number(txn, name).expect("reads")
}

/// For closures that others disturb: a read may fail, and the closure runs again.
fn try_number(txn: &Txn, name: &str) -> Result<i64, StoreError> {
    Ok(NUMBERS.get(txn, &key(name))?.unwrap_or(0))
}

fn set(txn: &mut Txn, name: &str, value: i64) {
    NUMBERS.put(txn, &key(name), &value).expect("puts");
}

/// Begins a transaction that the test interleaves with others by hand.
fn begin(store: &Store) -> Txn {
    store.begin(CLOUD).expect("begins")
}

async fn commit(store: &Store, txn: Txn) -> Outcome {
    match txn.into_submission() {
        Some(submission) => store.inner.committer.commit(submission).await.expect("commits"),
        None => Outcome::Committed,
    }
}

async fn committed(store: &Store, name: &str) -> i64 {
    store.read::<_, StoreError>(CLOUD, |txn| try_number(txn, name)).await.expect("reads")
}

async fn commit_number(store: &Store, name: &str, value: i64) {
    let mut txn = begin(store);
    set(&mut txn, name, value);
    assert_eq!(commit(store, txn).await, Outcome::Committed);
}
