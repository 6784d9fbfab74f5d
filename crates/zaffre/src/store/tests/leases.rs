//! A duty belongs to one holder at a time, and a write made for it counts only while it does.

use std::time::Duration;

use azure::ids::Guid;

use crate::store::{Outcome, Store, lease};

use super::{CLOUD, begin, commit, committed, on_every_engine, set};

on_every_engine! {
    a_lease_has_one_holder,
    a_lease_that_was_given_back_is_free_at_once,
    an_expired_lease_passes_on_with_a_higher_fence,
    a_write_under_a_lease_that_passed_on_is_refused,
}

const LONG: Duration = Duration::from_secs(3600);
const OVER: Duration = Duration::ZERO;

async fn take(store: &Store, holder: u8, ttl: Duration) -> Option<lease::Lease> {
    lease::acquire(store, CLOUD, "sweep", Guid([holder; 16]), ttl).await.expect("asks")
}

async fn a_lease_has_one_holder(store: &Store) {
    let mut one = take(store, 1, LONG).await.expect("is free");
    assert!(take(store, 2, LONG).await.is_none());
    assert!(one.renew().await.expect("asks"));
    assert!(take(store, 2, LONG).await.is_none());
    let other = lease::acquire(store, CLOUD, "another", Guid([2; 16]), LONG).await.expect("asks");
    assert!(other.is_some(), "another duty is another's");
}

async fn a_lease_that_was_given_back_is_free_at_once(store: &Store) {
    let one = take(store, 1, LONG).await.expect("is free");
    let fence = one.fence();
    one.give_back().await.expect("gives back");
    assert!(take(store, 2, LONG).await.expect("is free").fence() > fence);
}

async fn an_expired_lease_passes_on_with_a_higher_fence(store: &Store) {
    let mut one = take(store, 1, OVER).await.expect("is free");
    let mut two = take(store, 2, LONG).await.expect("has expired");
    assert!(two.fence() > one.fence());
    assert!(!one.renew().await.expect("asks"));
    assert!(two.renew().await.expect("asks"));
}

async fn a_write_under_a_lease_that_passed_on_is_refused(store: &Store) {
    let one = take(store, 1, OVER).await.expect("is free");
    let mut late = begin(store);
    assert!(one.check(&late).expect("reads"));
    set(&mut late, "n", 1);
    let two = take(store, 2, LONG).await.expect("has expired");
    assert_eq!(commit(store, late).await, Outcome::Conflict);
    assert_eq!(committed(store, "n").await, 0);
    let txn = begin(store);
    assert!(!one.check(&txn).expect("reads"));
    assert!(two.check(&txn).expect("reads"));
}
