//! Tables: typed rows over the store's bytes.
//!
//! A value is a version byte and what follows it. Version 1 is the record's JSON (for `Raw`, the bytes as they
//! are). A version above the one known is refused, not guessed at: the directory was written by a later program.

use std::{marker::PhantomData, ops::Bound};

use azure::ids::ResourceId;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CloudId, StoreError, Txn,
    engine::MAX_KEY_BYTES,
    key::{Key, KeyBuf, KeyPrefix, KeyRange, KeyReader},
    txn::Scan,
};

const RECORD_FORMAT: u8 = 1;
/// Room for most keys, and for most records.
const KEY_ROOM: usize = 128;
const RECORD_ROOM: usize = 1024;
/// Far below what an engine takes, far above what belongs into a row.
const MAX_VALUE_BYTES: usize = 1 << 30;

/// What can be a row's value: whatever serde can write and read, and `Raw`.
pub trait Record: Sized {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()>;
    fn read(bytes: Bytes) -> serde_json::Result<Self>;
}

impl<T: Serialize + DeserializeOwned> Record for T {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(out, self)
    }

    fn read(bytes: Bytes) -> serde_json::Result<Self> {
        serde_json::from_slice(&bytes)
    }
}

/// A value that is bytes and nothing else, such as a small blob's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Record for Raw {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn read(bytes: Bytes) -> serde_json::Result<Self> {
        Ok(Raw(bytes))
    }
}

/// A named set of rows, in key order. Tables are constants; their names are part of the data format.
pub struct Table<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Record> Table<K, V> {
    pub const fn new(name: &'static str) -> Self {
        Table { name, types: PhantomData }
    }

    pub fn get(&self, txn: &Txn, key: &K) -> Result<Option<V>, StoreError> {
        txn.get(&self.key(txn, key))?.map(|bytes| self.decode(bytes)).transpose()
    }

    /// The row as it is stored, undecoded: as long as it is the same, so is what was made of it.
    pub fn stored(&self, txn: &Txn, key: &K) -> Result<Option<Bytes>, StoreError> {
        txn.get(&self.key(txn, key))
    }

    /// What `stored` gave, decoded.
    pub fn read(&self, stored: &Bytes) -> Result<V, StoreError> {
        self.decode(stored.clone())
    }

    /// The rows of these keys, in their order.
    pub fn get_many(&self, txn: &Txn, keys: &[K]) -> Result<Vec<Option<V>>, StoreError> {
        let keys: Vec<Bytes> = keys.iter().map(|key| self.key(txn, key)).collect();
        let found = txn.get_many(&keys)?;
        found.into_iter().map(|value| value.map(|bytes| self.decode(bytes)).transpose()).collect()
    }

    /// Whether there is such a row; does not decode it.
    pub fn exists(&self, txn: &Txn, key: &K) -> Result<bool, StoreError> {
        Ok(txn.get(&self.key(txn, key))?.is_some())
    }

    /// Creates or replaces.
    pub fn put(&self, txn: &mut Txn, key: &K, value: &V) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(RECORD_ROOM);
        bytes.push(RECORD_FORMAT);
        value.write(&mut bytes).map_err(|cause| StoreError::Record { table: self.name, cause })?;
        let key = self.key(txn, key);
        for (bytes, limit) in [(key.len(), MAX_KEY_BYTES), (bytes.len(), MAX_VALUE_BYTES)] {
            if bytes > limit {
                return Err(StoreError::TooLarge { table: self.name, bytes });
            }
        }
        txn.put(key, fitting(bytes));
        Ok(())
    }

    /// Removes the row if there is one.
    pub fn delete(&self, txn: &mut Txn, key: &K) -> Result<(), StoreError> {
        txn.delete(self.key(txn, key));
        Ok(())
    }

    /// The rows whose key begins with the given components, in key order: at most `limit`, those behind `after`.
    pub fn scan<P: KeyPrefix<K>>(
        &self,
        txn: &Txn,
        prefix: &P,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        self.page(txn, Span::under(prefix), after, limit)
    }

    /// The same for rows whose component behind the prefix is a text (or a resource id, in lower case) that begins
    /// with `text`. The text is no scope: `/…/rg` also finds `/…/rg2`; see `Span::within`.
    pub fn scan_text_prefix<P: KeyPrefix<K>>(
        &self,
        txn: &Txn,
        prefix: &P,
        text: &str,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        self.page(txn, Span::text(prefix, text), after, limit)
    }

    fn page(
        &self,
        txn: &Txn,
        span: Span<K>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        let span = match after {
            Some(key) => span.after(key),
            None => span,
        };
        self.rows(txn, span).take(limit).collect()
    }

    /// The rows of a span one by one, in key order, so that a large scan is never wholly in memory.
    pub fn rows<'t>(&self, txn: &'t Txn, span: Span<K>) -> Rows<'t, K, V> {
        self.walk(txn, span, false)
    }

    /// The same, last row first.
    pub fn rows_back<'t>(&self, txn: &'t Txn, span: Span<K>) -> Rows<'t, K, V> {
        self.walk(txn, span, true)
    }

    fn walk<'t>(&self, txn: &'t Txn, span: Span<K>, reverse: bool) -> Rows<'t, K, V> {
        let head = self.head(txn).into_bytes();
        let scan = txn.scan(span.in_table(&head), reverse);
        Rows { table: Table::new(self.name), head, scan, reverse }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    fn head(&self, txn: &Txn) -> KeyBuf {
        self.head_in(txn.cloud())
    }

    /// The cloud and the table's name.
    pub(super) fn head_in(&self, cloud: CloudId) -> KeyBuf {
        let mut out = KeyBuf::with_capacity(KEY_ROOM);
        out.push(&cloud.0.to_be_bytes());
        out.push_text(self.name.as_bytes());
        out
    }

    fn key(&self, txn: &Txn, key: &K) -> Bytes {
        let mut out = self.head(txn);
        key.encode(&mut out);
        out.into_bytes()
    }

    pub(super) fn decode_key(&self, head: &[u8], bytes: &[u8]) -> Result<K, StoreError> {
        let mut rest = KeyReader(bytes.get(head.len()..).unwrap_or_default());
        K::decode(&mut rest).filter(|_| rest.0.is_empty()).ok_or_else(|| {
            StoreError::corrupt(format!("a key of table `{}`: {}", self.name, bytes.escape_ascii()))
        })
    }

    fn decode(&self, mut bytes: Bytes) -> Result<V, StoreError> {
        match bytes.first() {
            Some(&RECORD_FORMAT) => {}
            Some(0) | None => {
                return Err(StoreError::corrupt(format!("a record of table `{}` has no format", self.name)));
            }
            Some(&newer) => {
                return Err(StoreError::Newer {
                    what: format!("a record of table `{}`", self.name),
                    found: newer.into(),
                    known: RECORD_FORMAT.into(),
                });
            }
        }
        V::read(bytes.split_off(1)).map_err(|cause| StoreError::Record { table: self.name, cause })
    }
}

/// A stretch of a table's keys: those under a prefix, cut further by `after`, `from` and `before`.
pub struct Span<K> {
    /// Encoded, without the cloud and the table's name.
    range: KeyRange,
    keys: PhantomData<fn() -> K>,
}

impl<K: Key> Span<K> {
    /// Every key that begins with these components.
    pub fn under(prefix: &impl KeyPrefix<K>) -> Self {
        Self::beginning(encoded(|out| prefix.encode_prefix(out)))
    }

    /// Every key whose component behind the prefix is a text that begins so.
    pub fn text(prefix: &impl KeyPrefix<K>, text: &str) -> Self {
        Self::beginning(open_text(prefix, text))
    }

    /// Every key whose component behind the prefix is the id of something inside this scope. The scope itself is
    /// not inside.
    pub fn within(prefix: &impl KeyPrefix<K>, scope: &ResourceId) -> Self {
        Self::text(prefix, &format!("{}/", scope.key()))
    }

    fn beginning(prefix: Bytes) -> Self {
        Span { range: KeyRange::prefix(prefix), keys: PhantomData }
    }

    /// Only what lies behind this key.
    pub fn after(mut self, key: &K) -> Self {
        self.range.raise_start(Bound::Excluded(encoded(|out| key.encode(out))));
        self
    }

    /// Only this key and what lies behind it.
    pub fn from(mut self, key: &K) -> Self {
        self.range.raise_start(Bound::Included(encoded(|out| key.encode(out))));
        self
    }

    /// Only what lies before this key.
    pub fn before(mut self, key: &K) -> Self {
        self.range.lower_end(encoded(|out| key.encode(out)));
        self
    }

    pub(super) fn in_table(self, head: &[u8]) -> KeyRange {
        let end = match self.range.end {
            Bound::Included(end) => Bound::Included(joined(head, &end)),
            Bound::Excluded(end) => Bound::Excluded(joined(head, &end)),
            Bound::Unbounded => KeyRange::prefix(Bytes::copy_from_slice(head)).end,
        };
        KeyRange { start: self.range.start.map(|start| joined(head, &start)), end }
    }
}

/// A walk over a table. Each row is fetched and decoded when it is asked for.
pub struct Rows<'t, K, V> {
    table: Table<K, V>,
    head: Bytes,
    scan: Scan<'t>,
    reverse: bool,
}

impl<K: Key, V: Record> Rows<'_, K, V> {
    /// Leaps over what is left of the keys whose component behind the prefix begins with this text, without
    /// reading them: how a listing with a delimiter passes a folder.
    pub fn leap(&mut self, prefix: &impl KeyPrefix<K>, text: &str) {
        let passed = KeyRange::prefix(joined(&self.head, &open_text(prefix, text)));
        match (self.reverse, passed.start, passed.end) {
            (true, Bound::Included(start), _) => self.scan.seek(Bound::Excluded(start)),
            (false, _, Bound::Excluded(end)) => self.scan.seek(Bound::Included(end)),
            // A prefix's range begins with itself and, behind a table's name, always ends.
            _ => {}
        }
    }
}

impl<K: Key, V: Record> Iterator for Rows<'_, K, V> {
    type Item = Result<(K, V), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.scan.next()?;
        Some(row.and_then(|(key, value)| {
            Ok((self.table.decode_key(&self.head, &key)?, self.table.decode(value)?))
        }))
    }
}

/// The same bytes without the room behind them: they stay in memory for as long as the engine holds them there.
fn fitting(bytes: Vec<u8>) -> Bytes {
    if bytes.len() < bytes.capacity() / 2 { Bytes::copy_from_slice(&bytes) } else { Bytes::from(bytes) }
}

fn encoded(write: impl FnOnce(&mut KeyBuf)) -> Bytes {
    let mut out = KeyBuf::default();
    write(&mut out);
    out.into_bytes()
}

fn open_text<K>(prefix: &impl KeyPrefix<K>, text: &str) -> Bytes {
    encoded(|out| {
        prefix.encode_prefix(out);
        out.push_open_text(text.as_bytes());
    })
}

fn joined(head: &[u8], tail: &[u8]) -> Bytes {
    Bytes::from([head, tail].concat())
}
