//! A duty belongs to one holder at a time, and a write made for it counts only while it does.

use std::time::Duration;

use azure::ids::Guid;

use crate::store::{Outcome, Store, duty, lease};

use super::{CLOUD, begin, commit, committed, on_every_engine, set};

on_every_engine! {
    a_lease_has_one_holder,
    a_lease_that_was_given_back_is_free_at_once,
    an_expired_lease_passes_on_with_a_higher_fence,
    a_write_under_a_lease_that_passed_on_is_refused,
    a_duty_is_somebodys_and_passes_on_when_its_holder_retires,
}

const LONG: Duration = Duration::from_secs(3600);
const OVER: Duration = Duration::ZERO;

async fn take(store: &Store, holder: u8, ttl: Duration) -> Option<lease::Lease> {
    lease::acquire(store, CLOUD, "sweep", Guid([holder; 16]), ttl).await.expect("asks")
}

async fn a_lease_has_one_holder(store: &Store) {
    let one = take(store, 1, LONG).await.expect("is free");
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
    let one = take(store, 1, OVER).await.expect("is free");
    let two = take(store, 2, LONG).await.expect("has expired");
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

async fn a_duty_is_somebodys_and_passes_on_when_its_holder_retires(store: &Store) {
    let mut one = duty::stand(store, CLOUD, "machines", Guid([1; 16]));
    if one.lease().is_none() {
        one.changed().await;
    }
    let lease = one.lease().expect("nobody else stands");
    assert!(lease.check(&begin(store)).expect("reads"));
    one.retire().await;
    let mut two = duty::stand(store, CLOUD, "machines", Guid([2; 16]));
    if two.lease().is_none() {
        tokio::time::timeout(Duration::from_secs(4), two.changed()).await.expect("at once");
    }
    let next = two.lease().expect("is free");
    assert_eq!(next.fence() > lease.fence(), store.is_shared());
}
