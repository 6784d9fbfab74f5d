//! The durable engine: fjall, in a directory of ours.
//!
//! ```text
//! store/
//!   lock      locked while open; holds the pid
//!   format    the version of everything here
//!   engine/   fjall's own files; one keyspace (engine.new while they are made)
//!   witness   the number of the last commit, kept apart from the engine
//! ```
//!
//! Why fjall, and the rules it is used by (one committer, plain batches with one `fdatasync` each, snapshots for
//! readers, one keyspace, no `clear`), is in docs/decisions/store.md.
//!
//! An engine can lose the end of its journal and open without a word. So each batch carries a commit record of
//! ours: a number, and a hash over the batch and the record before it. The same record is written to `witness`
//! once the batch is on disk, without a flush of its own: it survives the end of the process, and after a loss of
//! power it can only lag behind. An engine that opens behind its witness has lost commits that were acknowledged,
//! and is refused. The witness has two places, written in turn, so that one of them is always whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    CloudId, StoreError,
    engine::{Engine, Row, Snapshot, Write},
    journal,
    key::KeyRange,
};

const FORMAT: u32 = 1;
const FORMAT_HEAD: &str = "zaffre store, format ";
const COMMIT_KEY_TAIL: &[u8] = b"commit";

/// fjall's threads that write tables out and merge them. The first of them puts back what is to be merged until another
/// takes it (fjall 3.1, src/worker_pool.rs), and burns a core if there is only one other, which is busy.
const WORKERS: usize = 4;

pub(super) struct Embedded {
    keyspace: Keyspace,
    database: Database,
    last: Mutex<CommitRecord>,
    witness: Witness,
    /// Last, so that it is released when all else is closed.
    _lock: File,
}

impl Embedded {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let lock = lock(dir)?;
        check_format(dir)?;
        let path = dir.join("engine");
        if !path.try_exists().map_err(at(&path))? {
            make_engine(dir, &path)?;
        }
        let database = open_database(&path)?;
        let keyspace = open_rows(&database, &path)?;
        let stored = keyspace.get(commit_key()).map_err(|error| engine_error(&path, error))?;
        let last = match stored {
            Some(bytes) => CommitRecord::decode(&bytes)
                .ok_or_else(|| StoreError::corrupt(format!("the commit record in `{}`", path.display())))?,
            None => CommitRecord::default(),
        };
        let witness_path = dir.join("witness");
        let is_new = !witness_path.try_exists().map_err(at(&witness_path))?;
        let witness = Witness::open(&witness_path)?;
        if is_new {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))?;
        }
        witness.check(last)?;
        Ok(Embedded { keyspace, database, last: Mutex::new(last), witness, _lock: lock })
    }
}

impl Embedded {
    /// Takes a store's directory and opens nothing in it.
    pub(super) fn lock_only(dir: &Path) -> Result<File, StoreError> {
        let lock = lock(dir)?;
        check_format(dir)?;
        Ok(lock)
    }
}

impl Engine for Embedded {
    fn last_commit(&self) -> u64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(At { snapshot: self.database.snapshot(), keyspace: self.keyspace.clone() }))
    }

    fn apply(&self, commit: u64, batch: Vec<Write>) -> Result<(), StoreError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let record = last.followed_by(commit, &batch);
        let mut writes = OwnedWriteBatch::with_capacity(self.database.clone(), batch.len() + 1)
            .durability(Some(PersistMode::SyncData));
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(&self.keyspace, key, value),
                None => writes.remove(&self.keyspace, key),
            }
        }
        writes.insert(&self.keyspace, commit_key(), record.encode());
        writes.commit().map_err(|error| engine_error(self.keyspace.path(), error))?;
        *last = record;
        self.witness.write(record)
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn compact(&self) -> Result<(), StoreError> {
        let failed = |error| engine_error(self.keyspace.path(), error);
        self.keyspace.rotate_memtable_and_wait().map_err(failed)?;
        self.keyspace.major_compact().map_err(failed)
    }

    fn stats(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let failed = |error| engine_error(self.keyspace.path(), error);
        Ok(vec![
            ("commits", self.last_commit()),
            ("tables", self.keyspace.table_count() as u64),
            ("tables, bytes", self.keyspace.disk_space()),
            ("journals", self.database.journal_count() as u64),
            ("journals, bytes", self.database.journal_disk_space().map_err(failed)?),
        ])
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.witness.file.sync_all().map_err(at(&self.witness.path))
    }
}

struct At {
    snapshot: fjall::Snapshot,
    keyspace: Keyspace,
}

impl Snapshot for At {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.snapshot.get(&self.keyspace, key);
        Ok(value.map_err(|error| engine_error(self.keyspace.path(), error))?.map(Bytes::from))
    }

    fn range<'s>(&'s self, range: &KeyRange, reverse: bool) -> Box<dyn Iterator<Item = Row> + 's> {
        let rows = self.snapshot.range::<&[u8], _>(&self.keyspace, range.bounds());
        let row = |guard: fjall::Guard| {
            let (key, value) =
                guard.into_inner().map_err(|error| engine_error(self.keyspace.path(), error))?;
            Ok((Bytes::from(key), Bytes::from(value)))
        };
        if reverse { Box::new(rows.rev().map(row)) } else { Box::new(rows.map(row)) }
    }
}

/// What a batch leaves behind: its number, and a hash of all that was ever written, up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CommitRecord {
    number: u64,
    chain: u64,
}

impl CommitRecord {
    const BYTES: usize = 24;

    fn followed_by(self, number: u64, batch: &[Write]) -> CommitRecord {
        let mut hash = Xxh3::with_seed(self.chain);
        hash.update(&number.to_be_bytes());
        for (key, value) in batch {
            hash.update(&(key.len() as u64).to_be_bytes());
            hash.update(key);
            // A deletion hashes as a length that no value has.
            let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
            hash.update(&length.to_be_bytes());
            hash.update(value.as_deref().unwrap_or_default());
        }
        CommitRecord { number, chain: hash.digest() }
    }

    fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.chain.to_be_bytes());
        let checksum = xxh3_64(&bytes[..16]);
        bytes[16..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let word = |at: usize| bytes[at..at + 8].try_into().ok().map(u64::from_be_bytes);
        let is_whole = word(16)? == xxh3_64(&bytes[..16]);
        Some(CommitRecord { number: word(0)?, chain: word(8)? }).filter(|_| is_whole)
    }
}

fn commit_key() -> Bytes {
    Bytes::from([&CloudId::SYSTEM.0.to_be_bytes(), COMMIT_KEY_TAIL].concat())
}

/// Puts on disk the names of the folders and files of a new store, and its own. fjall flushes the folders whose files
/// it exchanges, and not those above them; until there is a first commit there is nothing to lose.
fn sync_folders(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut folders = vec![parent.to_owned(), dir.to_owned()];
    while let Some(folder) = folders.pop() {
        File::open(&folder)?.sync_all()?;
        if folder.starts_with(dir) {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
    Ok(())
}

/// Makes an engine under another name first: fjall refuses to open one whose making was cut short.
fn make_engine(dir: &Path, path: &Path) -> Result<(), StoreError> {
    let draft = dir.join("engine.new");
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&draft)(error)),
        _ => {}
    }
    open_rows(&open_database(&draft)?, &draft)?;
    let finish = || {
        sync_folders(dir)?;
        fs::rename(&draft, path)?;
        File::open(dir)?.sync_all()
    };
    finish().map_err(at(path))
}

fn open_rows(database: &Database, path: &Path) -> Result<Keyspace, StoreError> {
    database.keyspace("rows", KeyspaceCreateOptions::default).map_err(|error| engine_error(path, error))
}

/// Opens fjall's files; a batch that was being written when the power went is cut off.
fn open_database(path: &Path) -> Result<Database, StoreError> {
    let open = || Database::builder(path).worker_threads(WORKERS).open();
    match open() {
        Err(fjall::Error::JournalRecovery(_)) if journal::cut_torn_end(path)? => {
            open().map_err(|error| engine_error(path, error))
        }
        opened => opened.map_err(|error| engine_error(path, error)),
    }
}

/// The last commit's record, outside the engine.
struct Witness {
    file: File,
    path: PathBuf,
}

impl Witness {
    /// The two places lie on pages of their own.
    const PLACES: [u64; 2] = [0, 4096];

    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(at(path))?;
        let witness = Witness { file, path: path.to_owned() };
        if witness.file.metadata().map_err(at(path))?.len() == 0 {
            for place in Self::PLACES {
                witness.write_at(CommitRecord::default(), place)?;
            }
            witness.file.sync_all().map_err(at(path))?;
        }
        Ok(witness)
    }

    fn write(&self, record: CommitRecord) -> Result<(), StoreError> {
        self.write_at(record, Self::PLACES[usize::from(record.number % 2 == 1)])
    }

    fn write_at(&self, record: CommitRecord, place: u64) -> Result<(), StoreError> {
        self.file.write_all_at(&record.encode(), place).map_err(at(&self.path))
    }

    fn last(&self) -> Result<CommitRecord, StoreError> {
        let mut places = Vec::new();
        for place in Self::PLACES {
            let mut bytes = [0; CommitRecord::BYTES];
            match self.file.read_exact_at(&mut bytes, place) {
                Ok(()) => places.extend(CommitRecord::decode(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(at(&self.path)(error)),
            }
        }
        let last = places.into_iter().max_by_key(|record| record.number);
        last.ok_or_else(|| {
            StoreError::corrupt(format!("`{}`: delete it to go on without its check", self.path.display()))
        })
    }

    /// Refuses an engine that has lost what this saw committed; then follows it.
    fn check(&self, engine: CommitRecord) -> Result<(), StoreError> {
        let seen = self.last()?;
        if seen.number > engine.number {
            return Err(StoreError::corrupt(format!(
                "the engine ends at commit {}, and commit {} was acknowledged: the end of its journal is lost; \
                 restore a backup, or delete `{}` to go on without the last {}",
                engine.number,
                seen.number,
                self.path.display(),
                seen.number - engine.number,
            )));
        }
        if seen.number == engine.number && seen.chain != engine.chain {
            return Err(StoreError::corrupt(format!(
                "`{}` and the engine beside it saw different commits of number {}",
                self.path.display(),
                seen.number
            )));
        }
        self.write(engine)
    }
}

/// Takes the directory for this process, or says whose it is.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StoreError::Locked { dir: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(at(&path))?;
    Ok(file)
}

/// Writes the format into a fresh directory; refuses a later one, and an engine without any.
fn check_format(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.join("engine").exists() => {
            return write_format(dir, &path).map_err(at(&path));
        }
        Err(error) => return Err(at(&path)(error)),
    };
    let found: Option<u32> = text.trim().strip_prefix(FORMAT_HEAD).and_then(|number| number.parse().ok());
    match found {
        Some(found) if found > FORMAT => {
            Err(StoreError::Newer { what: format!("`{}`", dir.display()), found, known: FORMAT })
        }
        Some(_) => Ok(()),
        None => Err(StoreError::corrupt(format!("`{}` does not name a format", path.display()))),
    }
}

fn write_format(dir: &Path, path: &Path) -> io::Result<()> {
    let draft = dir.join("format.part");
    let mut file = File::create(&draft)?;
    writeln!(file, "{FORMAT_HEAD}{FORMAT}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(dir)?.sync_all()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(format!("`{}`", path.display()))
}

/// No type of the engine's leaves this file.
fn engine_error(path: &Path, error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(cause) => at(path)(cause),
        fjall::Error::Storage(fjall::LsmError::Io(cause)) => at(path)(cause),
        other => StoreError::corrupt(format!("`{}`: {other:?}", path.display())),
    }
}
