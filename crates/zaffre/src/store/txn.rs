//! A transaction: a snapshot, what it wrote on top, and a record of what it read.
//!
//! Reads see the snapshot with the transaction's own writes over it. A transaction that may write remembers each
//! key it read and how far each scan came; the committer checks those against what others committed since the
//! snapshot. What a scan did not reach is not remembered: two pages of one listing do not disturb each other.

use std::{
    cell::RefCell,
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    CloudId, StoreError,
    commit::LiveSnapshot,
    engine::{MAX_KEY_BYTES, Row, Snapshot, Write},
    key::KeyRange,
};

/// What a closure given to `Store::read` or `Store::write` works on. Services use it through `Table`s.
pub struct Txn {
    cloud: CloudId,
    snapshot: Box<dyn Snapshot>,
    /// Absent in a transaction that only reads: nothing will ask what it saw.
    watched: Option<LiveSnapshot>,
    reads: RefCell<Reads>,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    wakes: Vec<Arc<Notify>>,
}

/// What a transaction read.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) keys: Vec<Bytes>,
    pub(super) ranges: Vec<KeyRange>,
}

/// What the committer needs of a transaction whose closure is done.
pub(super) struct Submission {
    pub(super) since: LiveSnapshot,
    pub(super) reads: Reads,
    pub(super) writes: Vec<Write>,
    pub(super) wakes: Vec<Arc<Notify>>,
}

impl Txn {
    pub(super) fn new(cloud: CloudId, snapshot: Box<dyn Snapshot>, watched: Option<LiveSnapshot>) -> Self {
        Txn {
            cloud,
            snapshot,
            watched,
            reads: RefCell::default(),
            writes: BTreeMap::new(),
            wakes: Vec::new(),
        }
    }

    /// The cloud whose rows this sees and writes.
    pub fn cloud(&self) -> CloudId {
        self.cloud
    }

    /// Somebody to wake once what was written here is committed: not before, and not if it never is.
    pub fn then_wake(&mut self, whom: &Arc<Notify>) {
        self.wakes.push(Arc::clone(whom));
    }

    /// Whether this has written anything yet, which nobody else sees.
    pub fn has_written(&self) -> bool {
        !self.writes.is_empty()
    }

    pub(crate) fn get(&self, key: &Bytes) -> Result<Option<Bytes>, StoreError> {
        if key.len() > MAX_KEY_BYTES {
            return Ok(None);
        }
        if let Some(own) = self.writes.get(key) {
            return Ok(own.clone());
        }
        if self.watched.is_some() {
            self.reads.borrow_mut().keys.push(key.clone());
        }
        self.snapshot.get(key)
    }

    /// The values of these keys, in their order.
    pub(crate) fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let is_stored = |key: &&Bytes| key.len() <= MAX_KEY_BYTES && !self.writes.contains_key(*key);
        let asked: Vec<Bytes> = keys.iter().filter(is_stored).cloned().collect();
        if self.watched.is_some() {
            self.reads.borrow_mut().keys.extend_from_slice(&asked);
        }
        let mut stored = self.snapshot.get_many(&asked)?.into_iter();
        let value = |key: &Bytes| match is_stored(&key) {
            true => stored.next().flatten(),
            false => self.writes.get(key).cloned().flatten(),
        };
        Ok(keys.iter().map(value).collect())
    }

    /// Whether what the closure said does not count: it must run again.
    pub(super) fn is_void(&self) -> bool {
        self.snapshot.is_void()
    }

    /// The key has at most `MAX_KEY_BYTES`.
    pub(crate) fn put(&mut self, key: Bytes, value: Bytes) {
        self.writes.insert(key, Some(value));
    }

    pub(crate) fn delete(&mut self, key: Bytes) {
        if key.len() <= MAX_KEY_BYTES {
            self.writes.insert(key, None);
        }
    }

    /// The rows of a range, fetched as they are asked for.
    pub(crate) fn scan(&self, range: KeyRange, reverse: bool) -> Scan<'_> {
        Scan::new(self, range.within_key_length(), reverse)
    }

    #[cfg(test)]
    pub(super) fn only_write(&self) -> Write {
        let (key, value) = self.writes.first_key_value().expect("something was written");
        (key.clone(), value.clone())
    }

    /// `None` when nothing was written: then there is nothing to commit, and what was read was one snapshot.
    pub(super) fn into_submission(self) -> Option<Submission> {
        let since = self.watched.filter(|_| !self.writes.is_empty())?;
        Some(Submission {
            since,
            reads: self.reads.into_inner(),
            writes: self.writes.into_iter().collect(),
            wakes: self.wakes,
        })
    }
}

/// A walk over a range: the snapshot's rows and the transaction's own, merged, the own ones winning.
pub(crate) struct Scan<'t> {
    txn: &'t Txn,
    range: KeyRange,
    reverse: bool,
    stored: Peekable<Box<dyn Iterator<Item = Row> + 't>>,
    own: Peekable<OwnWrites<'t>>,
    reached: Reached,
}

/// How far a scan came, which is what it read.
enum Reached {
    Nothing,
    Key(Bytes),
    End,
}

enum OwnWrites<'t> {
    None,
    Forward(btree_map::Range<'t, Bytes, Option<Bytes>>),
    Backward(std::iter::Rev<btree_map::Range<'t, Bytes, Option<Bytes>>>),
}

impl<'t> Iterator for OwnWrites<'t> {
    type Item = (&'t Bytes, &'t Option<Bytes>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            OwnWrites::None => None,
            OwnWrites::Forward(range) => range.next(),
            OwnWrites::Backward(range) => range.next(),
        }
    }
}

impl<'t> Scan<'t> {
    fn new(txn: &'t Txn, range: KeyRange, reverse: bool) -> Self {
        let (stored, own): (Box<dyn Iterator<Item = Row>>, _) = if range.is_empty() {
            (Box::new(std::iter::empty()), OwnWrites::None)
        } else {
            let own = match (txn.writes.is_empty(), reverse) {
                (true, _) => OwnWrites::None,
                (false, false) => OwnWrites::Forward(txn.writes.range::<[u8], _>(range.bounds())),
                (false, true) => OwnWrites::Backward(txn.writes.range::<[u8], _>(range.bounds()).rev()),
            };
            (txn.snapshot.range(&range, reverse), own)
        };
        let reached = if range.is_empty() { Reached::End } else { Reached::Nothing };
        Scan { txn, range, reverse, stored: stored.peekable(), own: own.peekable(), reached }
    }

    /// Which of the two sides holds the next row: `Less` the stored one, `Greater` our own, `Equal` both.
    fn next_side(&mut self) -> Option<Ordering> {
        match (self.stored.peek(), self.own.peek()) {
            (None, None) => None,
            (Some(Err(_)), _) | (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(Ok((stored, _))), Some((own, _))) => {
                let order = stored.cmp(own);
                Some(if self.reverse { order.reverse() } else { order })
            }
        }
    }

    /// The next key with its value, or with none where our own write deletes it.
    fn next_merged(&mut self) -> Option<Result<Write, StoreError>> {
        let side = self.next_side()?;
        let stored = if side.is_le() { self.stored.next() } else { None };
        if side.is_lt() {
            return stored.map(|row| row.map(|(key, value)| (key, Some(value))));
        }
        self.own.next().map(|(key, value)| Ok((key.clone(), value.clone())))
    }

    /// Goes on at a later key (an earlier one, in reverse). The rows passed over count as not read.
    pub(crate) fn seek(&mut self, bound: Bound<Bytes>) {
        let mut range = self.range.clone();
        *(if self.reverse { &mut range.end } else { &mut range.start }) = bound;
        // What the old walk read is remembered as it drops.
        *self = self.txn.scan(range, self.reverse);
    }

    fn remember(&self) {
        if self.txn.watched.is_none() {
            return;
        }
        let mut read = self.range.clone();
        let far_end = if self.reverse { &mut read.start } else { &mut read.end };
        match &self.reached {
            Reached::Nothing => return,
            Reached::Key(key) => *far_end = Bound::Included(key.clone()),
            Reached::End => {}
        }
        if !read.is_empty() {
            self.txn.reads.borrow_mut().ranges.push(read);
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let (key, value) = match self.next_merged() {
                None => {
                    self.reached = Reached::End;
                    return None;
                }
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(row)) => row,
            };
            self.reached = Reached::Key(key.clone());
            if let Some(value) = value {
                return Some(Ok((key, value)));
            }
        }
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        self.remember();
    }
}
