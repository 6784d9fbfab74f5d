//! What of a sorted table of fjall's is whole, read without fjall, so that a damaged file can be named.
//!
//! ```text
//! block   "LSM" 03 | kind u8 | hash of the data u128 | length u32 | length unpacked u32 | hash of this head u32 | data …
//! ```
//!
//! (lsm-tree 3.1, src/table/block/header.rs; numbers are little-endian.) Blocks follow each other, with a few bytes
//! of other sections between some, and a table of contents at the end, which fjall checks when it opens the file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

const MARK: &[u8] = b"LSM\x03";
const HEAD: usize = 33;

/// Every sorted table of an engine.
pub(super) fn tables(engine: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tables = Vec::new();
    let mut folders = vec![engine.to_owned()];
    while let Some(folder) = folders.pop() {
        let is_tables = folder.file_name().is_some_and(|name| name == "tables");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false if is_tables => tables.push(entry.path()),
                false => {}
            }
        }
    }
    tables.sort();
    Ok(tables)
}

/// Where the first block that is not as it was written begins.
pub(super) fn first_damage(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Some(found) = next_mark(bytes, at) else {
            // Behind the last block lies the table of contents.
            return (at == 0).then_some(0);
        };
        let gap = found - at;
        if gap > if at == 0 { 0 } else { GAP_MAX } {
            return Some(at);
        }
        match block(&bytes[found..]) {
            Some(length) => at = found + length,
            None => return Some(found),
        }
    }
}

/// More bytes than any section has that is not made of blocks and lies before one.
const GAP_MAX: usize = 64;

fn next_mark(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(MARK.len()).position(|window| window == MARK).map(|at| from + at)
}

/// The length of the whole block that these bytes begin with.
fn block(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..HEAD)?;
    let length = u32::from_le_bytes(head[21..25].try_into().ok()?) as usize;
    let data = bytes.get(HEAD..HEAD.checked_add(length)?)?;
    let is_whole =
        xxh3_128(&head[..29]).to_le_bytes()[..4] == head[29..] && xxh3_128(data).to_le_bytes() == head[5..21];
    is_whole.then_some(HEAD + length)
}
