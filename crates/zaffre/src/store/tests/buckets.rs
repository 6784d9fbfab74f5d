//! Buckets to keep bodies in: one in memory, and a real one where `ZAFFRE_TEST_S3` names it (`cargo xtask test s3`).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use object_store::memory::InMemory;

use crate::s3::{self, Place};

/// Parts of buckets that nothing is in yet.
pub(in crate::store) fn buckets() -> Vec<Place> {
    static FRESH: AtomicUsize = AtomicUsize::new(0);
    let memory =
        Place { objects: Arc::new(InMemory::new()), prefix: "a/b".to_owned(), name: "memory".to_owned() };
    let address = std::env::var("ZAFFRE_TEST_S3").ok();
    let real = address.map(|bucket| {
        let (process, turn) = (std::process::id(), FRESH.fetch_add(1, Ordering::Relaxed));
        s3::open(&format!("{bucket}/{process}-{turn}"), |name| std::env::var(name).ok()).expect("a bucket")
    });
    [memory].into_iter().chain(real).collect()
}
