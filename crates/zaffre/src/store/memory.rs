//! An engine that keeps everything in memory: for tests, for `--memory`, and as the model the others are held to.
//!
//! Each key has its versions, oldest first, each with the number of the batch that wrote it. A snapshot is a
//! number: it sees the newest version that is not above it. Versions that no live snapshot can see are dropped
//! as later batches come.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError, RwLock},
    vec,
};

use bytes::Bytes;

use super::{
    StoreError,
    engine::{Engine, Row, Snapshot, Write},
    key::KeyRange,
};

/// Rows a scan copies out at a time, so that it does not hold the lock while the reader thinks.
const SCAN_CHUNK: usize = 128;

#[derive(Default)]
pub(super) struct Memory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rows: RwLock<Rows>,
    /// How many snapshots are live at each commit; one more only while `rows` is locked, so that no batch can
    /// drop what it is about to see.
    live: Mutex<BTreeMap<u64, usize>>,
}

#[derive(Default)]
struct Rows {
    commit: u64,
    versions: BTreeMap<Bytes, Vec<Version>>,
    /// Keys with something to drop once no snapshot is older than the commit.
    outdated: VecDeque<(u64, Bytes)>,
}

struct Version {
    commit: u64,
    value: Option<Bytes>,
}

impl Engine for Memory {
    fn last_commit(&self) -> u64 {
        read(&self.shared.rows).commit
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let rows = read(&self.shared.rows);
        *lock(&self.shared.live).entry(rows.commit).or_default() += 1;
        Ok(Box::new(At { commit: rows.commit, shared: self.shared.clone() }))
    }

    fn apply(&self, commit: u64, batch: Vec<Write>) -> Result<(), StoreError> {
        let mut rows = self.shared.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            rows.write(commit, key, value);
        }
        rows.commit = commit;
        let oldest = lock(&self.shared.live).keys().next().copied().unwrap_or(commit);
        rows.drop_unseen(oldest);
        Ok(())
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
impl Memory {
    /// How many versions are held, of all keys together.
    pub(super) fn versions(&self) -> usize {
        read(&self.shared.rows).versions.values().map(Vec::len).sum()
    }
}

impl Rows {
    fn write(&mut self, commit: u64, key: Bytes, value: Option<Bytes>) {
        let versions = self.versions.entry(key.clone()).or_default();
        versions.push(Version { commit, value });
        let has_garbage = versions.len() > 1 || versions.last().is_some_and(|last| last.value.is_none());
        if has_garbage {
            self.outdated.push_back((commit, key));
        }
    }

    fn drop_unseen(&mut self, oldest: u64) {
        while let Some((_, key)) = self.outdated.pop_front_if(|(commit, _)| *commit <= oldest) {
            let Some(versions) = self.versions.get_mut(&key) else { continue };
            let unseen = versions.partition_point(|version| version.commit <= oldest).saturating_sub(1);
            versions.drain(..unseen);
            if versions.len() == 1 && versions[0].value.is_none() && versions[0].commit <= oldest {
                self.versions.remove(&key);
            }
        }
    }
}

/// A snapshot: what was there at a commit.
struct At {
    commit: u64,
    shared: Arc<Shared>,
}

impl At {
    fn seen(&self, versions: &[Version]) -> Option<Bytes> {
        versions.iter().rev().find(|version| version.commit <= self.commit)?.value.clone()
    }

    /// The next rows of a range, and what of it is left behind them.
    fn chunk(&self, range: &KeyRange, reverse: bool) -> (Vec<(Bytes, Bytes)>, Option<KeyRange>) {
        if range.is_empty() {
            return (Vec::new(), None);
        }
        let rows = read(&self.shared.rows);
        let mut walked = rows.versions.range::<[u8], _>(range.bounds());
        let mut chunk = Vec::new();
        while chunk.len() < SCAN_CHUNK {
            let Some((key, versions)) = (if reverse { walked.next_back() } else { walked.next() }) else {
                return (chunk, None);
            };
            if let Some(value) = self.seen(versions) {
                chunk.push((key.clone(), value));
            }
        }
        let mut rest = range.clone();
        if let Some((last, _)) = chunk.last() {
            *(if reverse { &mut rest.end } else { &mut rest.start }) = Bound::Excluded(last.clone());
        }
        (chunk, Some(rest))
    }
}

impl Snapshot for At {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(read(&self.shared.rows).versions.get(key).and_then(|versions| self.seen(versions)))
    }

    fn range<'s>(&'s self, range: &KeyRange, reverse: bool) -> Box<dyn Iterator<Item = Row> + 's> {
        Box::new(Walk { at: self, rest: Some(range.clone()), reverse, chunk: Vec::new().into_iter() }.map(Ok))
    }
}

impl Drop for At {
    fn drop(&mut self) {
        let mut live = lock(&self.shared.live);
        if let Some(count) = live.get_mut(&self.commit) {
            *count -= 1;
            if *count == 0 {
                live.remove(&self.commit);
            }
        }
    }
}

struct Walk<'s> {
    at: &'s At,
    rest: Option<KeyRange>,
    reverse: bool,
    chunk: vec::IntoIter<(Bytes, Bytes)>,
}

impl Iterator for Walk<'_> {
    type Item = (Bytes, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.chunk.next() {
                return Some(row);
            }
            let (chunk, rest) = self.at.chunk(&self.rest.take()?, self.reverse);
            self.chunk = chunk.into_iter();
            self.rest = rest;
        }
    }
}

fn read(rows: &RwLock<Rows>) -> std::sync::RwLockReadGuard<'_, Rows> {
    rows.read().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
