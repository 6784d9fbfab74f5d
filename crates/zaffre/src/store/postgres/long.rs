//! Long keys: PostgreSQL's index takes no key above some 2,700 bytes, and the store promises 65,535.
//!
//! All keys that share their first [`HEAD`] bytes lie in one row of the database, under those bytes:
//!
//! ```text
//! row     key: the key                  value: the value                              a key shorter than HEAD
//! row     key: its first HEAD bytes     value: tail, value, tail, value …             all keys that begin so
//! ```
//!
//! A row whose key has `HEAD` bytes is of the second kind, and no row's key has more. The order of the rows is that of
//! the keys: what is shorter sorts before all that begin with it. Such keys are so rare that nothing is done for
//! their speed.

use std::{collections::BTreeMap, ops::Bound};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::store::{StoreError, engine::Write, key::KeyRange};

pub(super) const HEAD: usize = 2048;

/// Behind every row: no cloud has this number but the engines' own, which has no rows here.
const END: [u8; 4] = u32::MAX.to_be_bytes();

/// The key of the row that a key's value is in.
pub(super) fn place(key: &[u8]) -> &[u8] {
    &key[..key.len().min(HEAD)]
}

pub(super) fn is_long(key: &[u8]) -> bool {
    key.len() >= HEAD
}

/// A key's value, from the value of the row at its place.
pub(super) fn find(key: &[u8], stored: Bytes) -> Result<Option<Bytes>, StoreError> {
    if !is_long(key) {
        return Ok(Some(stored));
    }
    Ok(open(stored)?.remove(&key[HEAD..]))
}

/// The keys and values that a row holds, in key order.
pub(super) fn expand(key: Bytes, stored: Bytes) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
    if !is_long(&key) {
        return Ok(vec![(key, stored)]);
    }
    let whole = |tail: Bytes| Bytes::from([&key[..], &tail[..]].concat());
    Ok(open(stored)?.into_iter().map(|(tail, value)| (whole(tail), value)).collect())
}

/// Where the rows lie that hold a range's keys: from the first, to before the second. They may hold others too.
pub(super) fn places(range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    let start = match &range.start {
        Bound::Unbounded => Vec::new(),
        Bound::Excluded(key) if !is_long(key) => behind(key),
        Bound::Included(key) | Bound::Excluded(key) => place(key).to_vec(),
    };
    let end = match &range.end {
        Bound::Unbounded => END.to_vec(),
        Bound::Excluded(key) if !is_long(key) => key.to_vec(),
        Bound::Included(key) | Bound::Excluded(key) => behind(place(key)),
    };
    (start, end)
}

/// The first key behind one.
pub(super) fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// What becomes of a row of long keys when some of them are written.
pub(super) fn rewrite(stored: Option<Bytes>, writes: &[Write]) -> Result<Option<Bytes>, StoreError> {
    let mut tails = stored.map_or_else(|| Ok(BTreeMap::new()), open)?;
    for (key, value) in writes {
        let tail = key.slice(HEAD..);
        match value {
            Some(value) => tails.insert(tail, value.clone()),
            None => tails.remove(&tail),
        };
    }
    Ok((!tails.is_empty()).then(|| close(tails)))
}

fn close(tails: BTreeMap<Bytes, Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    for (tail, value) in tails {
        for piece in [tail, value] {
            out.put_u32(piece.len() as u32);
            out.put(piece);
        }
    }
    out.freeze()
}

fn open(mut stored: Bytes) -> Result<BTreeMap<Bytes, Bytes>, StoreError> {
    let mut tails = BTreeMap::new();
    while !stored.is_empty() {
        let (Some(tail), Some(value)) = (piece(&mut stored), piece(&mut stored)) else {
            return Err(StoreError::corrupt("a row of long keys"));
        };
        tails.insert(tail, value);
    }
    Ok(tails)
}

fn piece(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.try_get_u32().ok()? as usize;
    (length <= rest.len()).then(|| rest.split_to(length))
}
