//! The seal of a content file: checksums by which every piece that is read is known to be what was written.
//!
//! ```text
//! body | a hash of each 256 KiB of it (u64 LE) … | body's length (u64 LE) | hash of hashes and length | "zaffre 1"
//! ```
//!
//! It comes last because a body's length is not known before its end. A reader takes the seal first, then pieces of
//! 256 KiB, each checked before any of it is given: a range costs its pieces and no more.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::at;
use crate::store::StoreError;

/// What one hash covers, and so the least that is read.
pub(super) const PIECE: u64 = 256 << 10;

const MARK: &[u8; 8] = b"zaffre 1";
pub(super) const FOOT: usize = 24;

/// Hashes a body as it comes, in whatever pieces.
#[derive(Default)]
pub(super) struct Sealing {
    hashes: Vec<u64>,
    current: Xxh3,
    length: u64,
}

impl Sealing {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE - self.length % PIECE;
            let (now, later) = bytes.split_at(bytes.len().min(room as usize));
            self.current.update(now);
            self.length += now.len() as u64;
            if self.length.is_multiple_of(PIECE) {
                self.end_piece();
            }
            bytes = later;
        }
    }

    fn end_piece(&mut self) {
        self.hashes.push(self.current.digest());
        self.current.reset();
    }

    /// The bytes that follow the body.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.length.is_multiple_of(PIECE) {
            self.end_piece();
        }
        let mut seal: Vec<u8> = self.hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        seal.extend(self.length.to_le_bytes());
        seal.extend(xxh3_64(&seal).to_le_bytes());
        seal.extend(MARK);
        seal
    }
}

/// A file's seal, read and found whole.
pub(super) struct Seal {
    pub(super) length: u64,
    hashes: Vec<u64>,
}

impl Seal {
    /// Refuses a file that was cut short, or whose seal is not what was written.
    pub(super) fn of(file: &File, path: &Path) -> Result<Self, StoreError> {
        let broken = || StoreError::corrupt(format!("`{}`: its seal is not whole", path.display()));
        let size = file.metadata().map_err(at(path))?.len();
        let foot_at = size.checked_sub(FOOT as u64).ok_or_else(broken)?;
        let mut foot = [0; FOOT];
        file.read_exact_at(&mut foot, foot_at).map_err(at(path))?;
        let length = Seal::length(&foot, size).ok_or_else(broken)?;
        let mut seal = vec![0; (size - length) as usize];
        file.read_exact_at(&mut seal, length).map_err(at(path))?;
        Seal::read(length, &seal).ok_or_else(broken)
    }

    /// The length of the body that this foot closes, in a file of this size.
    pub(super) fn length(foot: &[u8], size: u64) -> Option<u64> {
        let length = word(foot.get(..8)?);
        let hashes = length.div_ceil(PIECE).checked_mul(8)?;
        let is_placed = length.checked_add(hashes)?.checked_add(FOOT as u64)? == size;
        (is_placed && foot[16..] == *MARK).then_some(length)
    }

    /// A seal from all that is behind a body of this length.
    pub(super) fn read(length: u64, bytes: &[u8]) -> Option<Self> {
        let (hashed, foot) = bytes.split_at_checked(bytes.len().checked_sub(FOOT - 8)?)?;
        let hashes = hashed.get(..hashed.len().checked_sub(8)?)?;
        let is_whole = xxh3_64(hashed) == word(&foot[..8]) && foot[8..] == *MARK;
        is_whole.then(|| Seal { length, hashes: hashes.chunks_exact(8).map(word).collect() })
    }

    /// Whether the piece of this number is what was written.
    pub(super) fn holds(&self, number: u64, piece: &[u8]) -> bool {
        self.hashes.get(number as usize).is_some_and(|hash| *hash == xxh3_64(piece))
    }

    /// Reads the piece of this number, and gives it if it is what was written.
    pub(super) fn piece(&self, file: &File, path: &Path, number: u64) -> Result<Vec<u8>, StoreError> {
        let start = number * PIECE;
        let mut piece = vec![0; self.length.saturating_sub(start).min(PIECE) as usize];
        file.read_exact_at(&mut piece, start).map_err(at(path))?;
        if self.holds(number, &piece) {
            return Ok(piece);
        }
        Err(StoreError::corrupt(format!(
            "`{}`: the {} bytes from {start} on are not what was written",
            path.display(),
            piece.len()
        )))
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("a word has eight bytes"))
}

/// Reads a whole file against its seal. Gives the body's length.
pub(in crate::store) fn check(path: &Path) -> Result<u64, StoreError> {
    let file = File::open(path).map_err(at(path))?;
    let seal = Seal::of(&file, path)?;
    for number in 0..seal.length.div_ceil(PIECE) {
        seal.piece(&file, path, number)?;
    }
    Ok(seal.length)
}
