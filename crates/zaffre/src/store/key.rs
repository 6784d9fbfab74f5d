//! Keys whose bytes sort as their values do.
//!
//! A key is a tuple of components, each of which ends by itself, so that the encoding of the first components is
//! a prefix of the whole and a scan over a prefix is a range of bytes:
//!
//! ```text
//! cloud   table name       component      component
//! u32 BE  text 00 01       text 00 01     u64 BE …
//! ```
//!
//! Text and bytes: `00` inside becomes `00 FF`, the end is `00 01`; so "a" sorts before "a\0" before "a\x01".
//! Numbers are big-endian, signed ones with the sign bit flipped. Guids are their sixteen bytes. A resource id is
//! its lower-case text: what is decoded from a key has lost its casing, so keep the id in the record too.

use std::ops::{Bound, RangeBounds};

use azure::{
    ids::{ClientId, Guid, ObjectId, ResourceId, SubscriptionId, TenantId},
    time::Timestamp,
};
use bytes::Bytes;

use super::{CloudId, ContentId, engine::MAX_KEY_BYTES};

/// A key under construction.
#[derive(Default)]
pub struct KeyBuf(Vec<u8>);

impl KeyBuf {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        KeyBuf(Vec::with_capacity(bytes))
    }

    /// A component of a fixed width.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A component of any width, with its end.
    pub fn push_text(&mut self, text: &[u8]) {
        self.push_open_text(text);
        self.push(&[0x00, 0x01]);
    }

    /// The beginning of a text: what every text that begins so has in common.
    pub(super) fn push_open_text(&mut self, text: &[u8]) {
        self.0.reserve(text.len() + 2);
        for (index, run) in text.split(|byte| *byte == 0).enumerate() {
            if index > 0 {
                self.push(&[0x00, 0xff]);
            }
            self.push(run);
        }
    }

    /// The key, without the room behind it.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from(self.0.into_boxed_slice())
    }
}

/// What is left to read of a key.
pub struct KeyReader<'k>(pub(super) &'k [u8]);

impl KeyReader<'_> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn take_text(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let at = self.0.iter().position(|byte| *byte == 0)?;
            text.extend_from_slice(&self.0[..at]);
            let mark = *self.0.get(at + 1)?;
            self.0 = &self.0[at + 2..];
            match mark {
                0x01 => return Some(text),
                0xff => text.push(0),
                _ => return None,
            }
        }
    }
}

/// A value with an order-preserving encoding: one component of a key, or a tuple of them.
pub trait Key: Sized {
    fn encode(&self, out: &mut KeyBuf);
    /// `None` when the bytes are not what `encode` writes.
    fn decode(input: &mut KeyReader<'_>) -> Option<Self>;
}

impl Key for String {
    fn encode(&self, out: &mut KeyBuf) {
        out.push_text(self.as_bytes());
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        String::from_utf8(input.take_text()?).ok()
    }
}

impl Key for Vec<u8> {
    fn encode(&self, out: &mut KeyBuf) {
        out.push_text(self);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        input.take_text()
    }
}

impl Key for ResourceId {
    fn encode(&self, out: &mut KeyBuf) {
        out.push_text(self.key().as_bytes());
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        let text = String::decode(input)?;
        if text.is_empty() { Some(ResourceId::root()) } else { ResourceId::parse(&text).ok() }
    }
}

impl Key for bool {
    fn encode(&self, out: &mut KeyBuf) {
        out.push(&[u8::from(*self)]);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        match input.take()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Key for u32 {
    fn encode(&self, out: &mut KeyBuf) {
        out.push(&self.to_be_bytes());
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        input.take().map(u32::from_be_bytes)
    }
}

impl Key for u64 {
    fn encode(&self, out: &mut KeyBuf) {
        out.push(&self.to_be_bytes());
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        input.take().map(u64::from_be_bytes)
    }
}

const SIGN: u64 = 1 << 63;

impl Key for i64 {
    fn encode(&self, out: &mut KeyBuf) {
        (self.cast_unsigned() ^ SIGN).encode(out);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        u64::decode(input).map(|bits| (bits ^ SIGN).cast_signed())
    }
}

impl Key for Timestamp {
    fn encode(&self, out: &mut KeyBuf) {
        self.nanos().encode(out);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        i64::decode(input).map(Timestamp::from_nanos)
    }
}

impl Key for Guid {
    fn encode(&self, out: &mut KeyBuf) {
        out.push(&self.0);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        input.take().map(Guid)
    }
}

impl Key for CloudId {
    fn encode(&self, out: &mut KeyBuf) {
        self.0.encode(out);
    }
    fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
        u32::decode(input).map(CloudId)
    }
}

macro_rules! guid_keys {
    ($($name:ident),*) => {$(
        impl Key for $name {
            fn encode(&self, out: &mut KeyBuf) {
                self.0.encode(out);
            }
            fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
                Guid::decode(input).map($name)
            }
        }
    )*};
}
guid_keys!(TenantId, SubscriptionId, ObjectId, ClientId, ContentId);

macro_rules! tuple_keys {
    ($($name:ident . $index:tt),*) => {
        impl<$($name: Key),*> Key for ($($name,)*) {
            fn encode(&self, out: &mut KeyBuf) {
                $(self.$index.encode(out);)*
            }
            fn decode(input: &mut KeyReader<'_>) -> Option<Self> {
                Some(($($name::decode(input)?,)*))
            }
        }
    };
}
tuple_keys!(A.0, B.1);
tuple_keys!(A.0, B.1, C.2);
tuple_keys!(A.0, B.1, C.2, D.3);

/// What encodes as the component `A` does: `A` itself, `&A`, and `&str` where a `String` is kept.
pub trait Component<A> {
    fn encode_as(&self, out: &mut KeyBuf);
}

impl<A: Key> Component<A> for A {
    fn encode_as(&self, out: &mut KeyBuf) {
        self.encode(out);
    }
}

impl<A: Key> Component<A> for &A {
    fn encode_as(&self, out: &mut KeyBuf) {
        (*self).encode(out);
    }
}

impl Component<String> for &str {
    fn encode_as(&self, out: &mut KeyBuf) {
        out.push_text(self.as_bytes());
    }
}

/// The first components of a key of type `K`, each of them whole: `()` for none, `(a,)`, `(a, b)`, `(a, b, c)`.
pub trait KeyPrefix<K> {
    fn encode_prefix(&self, out: &mut KeyBuf);
}

impl<K> KeyPrefix<K> for () {
    fn encode_prefix(&self, _: &mut KeyBuf) {}
}

macro_rules! prefixes {
    ($(($($whole:ident),*): $($part:ident $of:ident . $index:tt),*;)*) => {$(
        impl<$($whole: Key,)* $($part: Component<$of>),*> KeyPrefix<($($whole,)*)> for ($($part,)*) {
            fn encode_prefix(&self, out: &mut KeyBuf) {
                $(self.$index.encode_as(out);)*
            }
        }
    )*};
}
prefixes! {
    (A, B): P A.0;
    (A, B, C): P A.0;
    (A, B, C): P A.0, Q B.1;
    (A, B, C, D): P A.0;
    (A, B, C, D): P A.0, Q B.1;
    (A, B, C, D): P A.0, Q B.1, R C.2;
}

/// A range of encoded keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyRange {
    pub(crate) start: Bound<Bytes>,
    pub(crate) end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key but the engine's own.
    pub(super) fn all_clouds() -> Self {
        let end = Bytes::copy_from_slice(&CloudId::SYSTEM.0.to_be_bytes());
        KeyRange { start: Bound::Unbounded, end: Bound::Excluded(end) }
    }

    /// Every key that begins with these bytes.
    pub(crate) fn prefix(prefix: Bytes) -> Self {
        let end = match successor(&prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        KeyRange { start: Bound::Included(prefix), end }
    }

    /// Cuts off what lies before a start, unless the range begins later still.
    pub(super) fn raise_start(&mut self, to: Bound<Bytes>) {
        let is_narrower = match (&self.start, &to) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(old), Bound::Included(new)) => new > old,
            (Bound::Included(old), Bound::Excluded(new)) => new >= old,
            (Bound::Excluded(old), Bound::Included(new) | Bound::Excluded(new)) => new > old,
        };
        if is_narrower {
            self.start = to;
        }
    }

    /// Cuts off a key and what lies behind it.
    pub(super) fn lower_end(&mut self, to: Bytes) {
        let is_narrower = match &self.end {
            Bound::Unbounded => true,
            Bound::Included(old) | Bound::Excluded(old) => to <= *old,
        };
        if is_narrower {
            self.end = Bound::Excluded(to);
        }
    }

    /// The same keys between bounds that an engine takes. Of the keys that are no longer than the longest, those
    /// behind a longer bound are those behind its beginning, and those before it are the others.
    pub(super) fn within_key_length(self) -> Self {
        let is_long = |bound: &Bytes| bound.len() > MAX_KEY_BYTES;
        let cut = |bound: Bytes| bound.slice(..MAX_KEY_BYTES);
        let start = match self.start {
            Bound::Included(long) | Bound::Excluded(long) if is_long(&long) => Bound::Excluded(cut(long)),
            start => start,
        };
        let end = match self.end {
            Bound::Included(long) | Bound::Excluded(long) if is_long(&long) => Bound::Included(cut(long)),
            end => end,
        };
        KeyRange { start, end }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&self.bounds(), key)
    }

    /// Whether no key can lie in it. Ordered maps panic on such ranges.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }

    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.start.as_ref().map(AsRef::as_ref), self.end.as_ref().map(AsRef::as_ref))
    }
}

/// The first key after all that begin with these bytes.
fn successor(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(Bytes::from(end))
}
