//! What of a journal of fjall's is whole, read without fjall.
//!
//! ```text
//! batch   01 | items u32 | number u64        then that many items, then the end
//! item    02 | kind u8 | compression u8 | keyspace u64 | key u16 | value u32 | stored u32 | key … | value …
//! end     03 | hash of the items u64 | "FJL" 03
//! ```
//!
//! (fjall 3.1, src/journal/entry.rs; numbers are little-endian.) fjall cuts off an end that was never written, but
//! refuses to open when the end was written in parts: a large batch whose last page reached the disk before one in
//! its middle, when the power went. Each batch is flushed before the next is begun, so a broken batch with no whole
//! one behind it was never acknowledged, and may go. One with whole ones behind it was, and is never cut off unasked.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::StoreError;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const END_MARK: &[u8] = b"FJL\x03";

/// Where a journal stops being whole.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// Nothing lies behind the last batch.
    Whole,
    /// The last batch was being written; what is whole ends here.
    Torn(usize),
    /// Here something was damaged, with whole batches behind it.
    Broken(usize),
}

/// The journals of an engine, the oldest first.
pub(super) fn journals(engine: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(engine)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let numbered = paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "jnl"));
    let mut numbered: Vec<(u64, PathBuf)> =
        numbered.filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path))).collect();
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

/// Cuts off a batch that was being written when the power went. Says whether there was one; refuses a damaged
/// journal, with its name and the place.
pub(super) fn cut_torn_end(engine: &Path) -> Result<bool, StoreError> {
    let mut is_cut = false;
    for path in journals(engine).map_err(StoreError::io(format!("`{}`", engine.display())))? {
        let bytes = fs::read(&path).map_err(StoreError::io(format!("`{}`", path.display())))?;
        match end_of(&bytes) {
            End::Whole => {}
            End::Torn(whole) => {
                cut(&path, whole)?;
                is_cut = true;
            }
            End::Broken(at) => return Err(broken(&path, at)),
        }
    }
    Ok(is_cut)
}

pub(super) fn broken(path: &Path, at: usize) -> StoreError {
    StoreError::corrupt(format!(
        "`{}` is damaged at byte {at}, and commits behind it were acknowledged: restore a backup, or keep what is \
         before it with `fsck --repair`",
        path.display()
    ))
}

/// Keeps the first bytes of a journal.
pub(super) fn cut(path: &Path, whole: usize) -> Result<(), StoreError> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole as u64)?;
        file.sync_all()
    };
    cut().map_err(StoreError::io(format!("`{}`", path.display())))
}

pub(super) fn end_of(bytes: &[u8]) -> End {
    let mut whole = 0;
    while let Some(length) = batch(&bytes[whole..]) {
        whole += length;
    }
    let rest = &bytes[whole..];
    if rest.iter().all(|byte| *byte == 0) {
        return End::Whole;
    }
    let is_followed = (1..rest.len()).any(|at| rest[at] == START && batch(&rest[at..]).is_some());
    if is_followed { End::Broken(whole) } else { End::Torn(whole) }
}

/// The length of the whole batch that these bytes begin with.
fn batch(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes, at: 0 };
    (reader.u8()? == START).then_some(())?;
    let items = reader.u32()?;
    reader.skip(8)?;
    let start = reader.at;
    for _ in 0..items {
        reader.entry()?;
    }
    let body = &bytes[start..reader.at];
    (reader.u8()? == END).then_some(())?;
    let hash = reader.take(8)?;
    let is_whole = *hash == xxh3_64(body).to_le_bytes() && reader.take(END_MARK.len())? == END_MARK;
    is_whole.then_some(reader.at)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|it| it[0])
    }

    fn u16(&mut self) -> Option<usize> {
        self.take(2).map(|it| usize::from(u16::from_le_bytes([it[0], it[1]])))
    }

    fn u32(&mut self) -> Option<usize> {
        self.take(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]) as usize)
    }

    fn entry(&mut self) -> Option<()> {
        match self.u8()? {
            ITEM => {
                self.skip(1 + 1 + 8)?;
                let key = self.u16()?;
                let _value = self.u32()?;
                let stored = self.u32()?;
                self.skip(key)?;
                self.skip(stored)
            }
            CLEAR => self.skip(8),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(value: &[u8]) -> Vec<u8> {
        let mut item = vec![ITEM, 0, 0];
        item.extend(7_u64.to_le_bytes());
        item.extend(1_u16.to_le_bytes());
        item.extend((value.len() as u32).to_le_bytes());
        item.extend((value.len() as u32).to_le_bytes());
        item.push(b'k');
        item.extend(value);
        let mut batch = vec![START];
        batch.extend(1_u32.to_le_bytes());
        batch.extend(1_u64.to_le_bytes());
        batch.extend(&item);
        batch.push(END);
        batch.extend(xxh3_64(&item).to_le_bytes());
        batch.extend(END_MARK);
        batch
    }

    #[test]
    fn a_journal_is_whole_torn_or_broken() {
        let one = batch_of(b"first");
        let two = batch_of(&[9; 100]);
        let mut hole = two.clone();
        hole[50..90].fill(0);
        let length = one.len();
        for (name, parts, end) in [
            ("empty", vec![], End::Whole),
            ("only room", vec![&[0; 64][..]], End::Whole),
            ("two batches", vec![&one, &two], End::Whole),
            ("and room behind", vec![&one, &two, &[0; 64]], End::Whole),
            ("an end never written", vec![&one, &two[..30], &[0; 64]], End::Torn(length)),
            ("a hole in the last", vec![&one, &hole, &[0; 64]], End::Torn(length)),
            ("a hole in the first", vec![&hole, &one], End::Broken(0)),
            ("a hole between two", vec![&one, &hole, &one, &[0; 9]], End::Broken(length)),
        ] {
            assert_eq!(end_of(&parts.concat()), end, "{name}");
        }
    }
}
