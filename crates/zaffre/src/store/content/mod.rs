//! Content: bodies too large to lie beside their record.
//!
//! ```text
//! content/
//!   3f/3f9c…e1        a finished body, named by its random id, in a folder by the id's first byte
//!   3f/3f9c…e1.part   one that is being written
//!   claims/           which of them living processes have begun (`claims`)
//! ```
//!
//! A body is claimed, written once, in pieces as they come, flushed as it grows, sealed with checksums (`seal`), renamed
//! when it is whole and on disk, and only then named by a record's transaction, which counts itself among those who
//! hold it (`refs`); nothing is ever changed in place. What a crash leaves is a `.part`, or a finished body that no
//! record names and no living process claims; a sweep (`sweep`) removes both, at the start and while others write. A
//! writer that is dropped removes what it wrote.
//!
//! In a bucket (`bucket`) a body is an object with the same seal, and rows (`intents`) do what claims do in a directory.
//!
//! No body is ever wholly in memory, except where content is kept in memory on purpose. The file system is only
//! touched from the runtime's blocking threads.

mod bucket;
mod claims;
mod intents;
mod pins;
mod refs;
mod seal;
mod sweep;

use std::{
    collections::HashMap,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, IoSlice, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use azure::ids::Guid;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use self::{
    bucket::{ObjectReader, ObjectSink},
    claims::{Claim, Claims},
    pins::Pins,
    seal::{PIECE, Seal, Sealing},
};
use super::{
    CloudId, StoreError, Txn,
    blocking::{joined, run as off_runtime},
};

pub use self::{
    bucket::{Bucket, Objects},
    refs::{Holds, recount},
    sweep::Swept,
};
pub(super) use self::{
    refs::REFERENCES,
    seal::check,
    sweep::{files, held},
};

/// Bodies up to this many bytes belong into their record's row (peers.md §C7).
pub const INLINE_LIMIT: usize = 64 << 10;

/// How much a writer gathers before it writes.
const WRITE_CHUNK: usize = 1 << 20;
/// How much may be written and not yet flushed, so that the last flush is short however large the body is.
const FLUSH_EVERY: u64 = 16 << 20;

/// The random name of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentId(pub Guid);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.simple())
    }
}

/// A finished body, for the record that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub id: ContentId,
    pub length: u64,
}

/// Where bodies are kept; clones share it.
#[derive(Clone)]
pub struct Content {
    place: Place,
    claims: Arc<Claims>,
    pins: Arc<Pins>,
}

#[derive(Clone)]
enum Place {
    Directory(Arc<Path>),
    Memory(Arc<Mutex<HashMap<ContentId, Arc<Body>>>>),
    Bucket(Arc<Bucket>),
}

/// A body in memory, as it came.
type Body = Vec<Bytes>;

impl Content {
    /// Bodies as files under a directory, which is made if need be.
    pub fn in_dir(dir: &Path) -> Result<Self, StoreError> {
        make_dir(dir).map_err(at(dir))?;
        Ok(Content {
            place: Place::Directory(dir.into()),
            claims: Arc::new(Claims::in_dir(dir)),
            pins: Arc::default(),
        })
    }

    pub fn in_memory() -> Self {
        Content { place: Place::Memory(Arc::default()), claims: Arc::default(), pins: Arc::default() }
    }

    /// Bodies as objects of a bucket.
    pub fn in_bucket(bucket: Bucket) -> Self {
        Content { place: Place::Bucket(Arc::new(bucket)), claims: Arc::default(), pins: Arc::default() }
    }

    /// Begins a body that a record of this cloud is to name. The id is drawn by the caller and must be new.
    pub async fn create(&self, cloud: CloudId, id: ContentId) -> Result<ContentWriter, StoreError> {
        self.begin(Some(cloud), id).await
    }

    /// The same where nobody else writes and nothing is swept.
    pub(super) async fn create_unclaimed(&self, id: ContentId) -> Result<ContentWriter, StoreError> {
        self.begin(None, id).await
    }

    async fn begin(&self, cloud: Option<CloudId>, id: ContentId) -> Result<ContentWriter, StoreError> {
        let claims = self.claims.clone();
        let (sink, claim) = match &self.place {
            Place::Memory(bodies) => {
                (Sink::Memory { bodies: bodies.clone(), body: Vec::new() }, claims.make(id)?)
            }
            Place::Directory(dir) => {
                let path = file_path(dir, id);
                let begun = off_runtime(move || {
                    let claim = claims.make(id)?;
                    Ok((claim, Part::create(path)?))
                });
                let (claim, part) = begun.await?;
                (Sink::File(FileSink::new(part)), claim)
            }
            Place::Bucket(bucket) => {
                let claim = claims.make(id)?;
                if let Some(cloud) = cloud {
                    let (store, writer) = bucket.rows()?;
                    intents::begin(store, writer, cloud, id).await?;
                }
                (Sink::Object(Box::new(bucket.begin(id, cloud))), claim)
            }
        };
        Ok(ContentWriter { id, length: 0, sink, claim })
    }

    /// Reads a range of a body, cut to its length.
    pub async fn open(&self, id: ContentId, range: Range<u64>) -> Result<ContentReader, StoreError> {
        let missing = move || StoreError::NoContent { id: id.to_string() };
        match &self.place {
            Place::Memory(bodies) => {
                let body = lock(bodies).get(&id).cloned().ok_or_else(missing)?;
                Ok(ContentReader(Source::Memory(cut(&body, range).into_iter())))
            }
            Place::Directory(dir) => {
                let path = file_path(dir, id);
                let slice = off_runtime(move || FileSlice::open(path, range)).await?.ok_or_else(missing)?;
                Ok(ContentReader(Source::File(slice.read_ahead())))
            }
            Place::Bucket(bucket) => {
                Ok(ContentReader(Source::Object(Box::new(bucket.open(id, range).await?))))
            }
        }
    }

    /// The directory that bodies are in, where they are in one.
    pub(super) fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(dir) => Some(dir),
            Place::Memory(_) | Place::Bucket(_) => None,
        }
    }

    pub(super) fn bucket(&self) -> Option<&Bucket> {
        match &self.place {
            Place::Bucket(bucket) => Some(bucket),
            Place::Memory(_) | Place::Directory(_) => None,
        }
    }

    /// Whether there is a finished body of this name.
    pub async fn exists(&self, id: ContentId) -> Result<bool, StoreError> {
        match &self.place {
            Place::Memory(bodies) => Ok(lock(bodies).contains_key(&id)),
            Place::Directory(dir) => {
                let path = file_path(dir, id);
                off_runtime(move || path.try_exists().map_err(at(&path))).await
            }
            Place::Bucket(bucket) => bucket.exists(id).await,
        }
    }

    /// A body that this process wrote is named by a commit: it needs no claim any more.
    pub async fn named(&self, id: ContentId) -> Result<(), StoreError> {
        let claims = self.claims.clone();
        match &self.place {
            Place::Memory(_) | Place::Bucket(_) => claims.end(id),
            Place::Directory(_) => {
                let end = move || {
                    claims.end(id);
                    Ok(())
                };
                off_runtime(end).await?;
            }
        }
        Ok(())
    }

    /// Removes a body; one that is not there is no error. Who reads it meanwhile reads on.
    pub async fn remove(&self, id: ContentId) -> Result<(), StoreError> {
        if self.pins.put_off(id) {
            return Ok(());
        }
        let claims = self.claims.clone();
        match &self.place {
            Place::Memory(bodies) => {
                lock(bodies).remove(&id);
                claims.end(id);
                Ok(())
            }
            Place::Directory(dir) => {
                let path = file_path(dir, id);
                let remove = move || {
                    remove_if_there(&path).map_err(at(&path))?;
                    claims.end(id);
                    Ok(())
                };
                off_runtime(remove).await
            }
            Place::Bucket(bucket) => {
                bucket.remove(id).await?;
                claims.end(id);
                Ok(())
            }
        }
    }

    /// Writes what a transaction holds and releases. Gives the bodies that nobody holds any more: they are to be removed
    /// after the commit. Refuses to name a body that was taken for a dead process's meanwhile.
    pub fn settle(&self, txn: &mut Txn, holds: Holds) -> Result<Vec<ContentId>, StoreError> {
        match &self.place {
            Place::Memory(_) | Place::Directory(_) => holds.settle(txn, |_, _| Ok(())),
            Place::Bucket(_) => holds.settle(txn, intents::serve),
        }
    }
}

/// A body being written. Dropped before `finish`, it leaves nothing.
pub struct ContentWriter {
    id: ContentId,
    length: u64,
    /// Before `claim`: what was written goes first.
    sink: Sink,
    claim: Claim,
}

enum Sink {
    Memory { bodies: Arc<Mutex<HashMap<ContentId, Arc<Body>>>>, body: Body },
    File(FileSink),
    Object(Box<ObjectSink>),
}

impl ContentWriter {
    /// Appends. After an error the writer is only good for being dropped.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.length += bytes.len() as u64;
        match &mut self.sink {
            Sink::Memory { body, .. } => {
                body.push(bytes);
                Ok(())
            }
            Sink::File(file) => file.write(bytes).await,
            Sink::Object(object) => object.write(bytes).await,
        }
    }

    /// Makes the body durable under its id. If the commit that was to name it fails, it wants to be removed.
    pub async fn finish(self) -> Result<Stored, StoreError> {
        match self.sink {
            Sink::Memory { bodies, body } => {
                lock(&bodies).insert(self.id, Arc::new(body));
            }
            Sink::File(file) => file.finish().await?,
            Sink::Object(object) => object.finish().await?,
        }
        self.claim.finish();
        Ok(Stored { id: self.id, length: self.length })
    }
}

/// What stands between a writer and its file: what is gathered, and the flush that is under way.
struct FileSink {
    /// Absent while a blocking thread has it, and after that thread failed.
    part: Option<Part>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    unflushed: u64,
    flush: Option<JoinHandle<io::Result<()>>>,
}

impl FileSink {
    fn new(part: Part) -> Self {
        FileSink { part: Some(part), gathered: Vec::new(), gathered_bytes: 0, unflushed: 0, flush: None }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= WRITE_CHUNK {
            self.write_gathered().await?;
        }
        if self.unflushed >= FLUSH_EVERY {
            self.start_flush().await?;
        }
        Ok(())
    }

    async fn write_gathered(&mut self) -> Result<(), StoreError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.unflushed += std::mem::take(&mut self.gathered_bytes) as u64;
        let mut part = self.part()?;
        // The part goes along: should this future be dropped, the thread ends by removing it.
        let part = off_runtime(move || {
            part.write(&gathered)?;
            Ok(part)
        });
        self.part = Some(part.await?);
        Ok(())
    }

    /// Flushes beside the writing that goes on, once the flush before is done.
    async fn start_flush(&mut self) -> Result<(), StoreError> {
        self.end_flush().await?;
        let part = self.part()?;
        let file = part.file.try_clone().map_err(at(&part.path))?;
        self.part = Some(part);
        self.unflushed = 0;
        self.flush = Some(spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    async fn end_flush(&mut self) -> Result<(), StoreError> {
        match self.flush.take() {
            Some(mut flush) => joined(&mut flush).await?.map_err(StoreError::io("flushing content")),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        self.write_gathered().await?;
        self.end_flush().await?;
        let part = self.part()?;
        off_runtime(move || part.finish()).await?.keep();
        Ok(())
    }

    fn part(&mut self) -> Result<Part, StoreError> {
        self.part.take().ok_or_else(|| StoreError::corrupt("content whose writing failed before"))
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        let (Some(part), Ok(runtime)) = (self.part.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn_blocking(move || drop(part));
    }
}

/// A file that is removed when this is dropped, unless kept: under its `.part` name, or finished but not yet handed
/// to whoever asked for it.
struct Part {
    file: File,
    path: PathBuf,
    /// Large, and moved about with the rest.
    sealing: Box<Sealing>,
    is_kept: bool,
}

impl Part {
    fn create(finished: PathBuf) -> Result<Self, StoreError> {
        let path = finished.with_added_extension("part");
        let folder = folder_of(&path);
        make_dir(folder).map_err(at(folder))?;
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(at(&path))?;
        Ok(Part { file, path, sealing: Box::default(), is_kept: false })
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<(), StoreError> {
        pieces.iter().for_each(|piece| self.sealing.update(piece));
        write_all(&mut self.file, pieces).map_err(at(&self.path))
    }

    /// Seals, flushes, takes off the `.part`, and flushes the folder that now has the name.
    fn finish(mut self) -> Result<Self, StoreError> {
        let seal = std::mem::take(&mut self.sealing).finish();
        self.file.write_all(&seal).map_err(at(&self.path))?;
        self.file.sync_data().map_err(at(&self.path))?;
        let finished = self.path.with_extension("");
        fs::rename(&self.path, &finished).map_err(at(&self.path))?;
        self.path = finished;
        sync_dir(folder_of(&self.path)).map_err(at(&self.path))?;
        Ok(self)
    }

    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            // Should this fail, the sweep at the next start finds it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A body being read, in pieces of at most 256 KiB.
pub struct ContentReader(Source);

enum Source {
    Memory(std::vec::IntoIter<Bytes>),
    File(ReadAhead),
    Object(Box<ObjectReader>),
}

impl ContentReader {
    /// The next piece, or `None` behind the last.
    pub async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        match &mut self.0 {
            Source::Memory(pieces) => pieces.next().map(Ok),
            Source::File(file) => file.next().await,
            Source::Object(object) => object.next().await,
        }
    }
}

/// An open file, and what of it is still to be read.
struct FileSlice {
    file: File,
    path: PathBuf,
    seal: Seal,
    left: Range<u64>,
}

impl FileSlice {
    fn open(path: PathBuf, range: Range<u64>) -> Result<Option<Self>, StoreError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let seal = Seal::of(&file, &path)?;
        let left = range.start.min(seal.length)..range.end.min(seal.length);
        Ok(Some(FileSlice { file, path, seal, left }))
    }

    fn read(&mut self) -> Result<Bytes, StoreError> {
        let number = self.left.start / PIECE;
        let piece = Bytes::from(self.seal.piece(&self.file, &self.path, number)?);
        let start = self.left.start - number * PIECE;
        let end = (self.left.end - number * PIECE).min(piece.len() as u64);
        self.left.start += end - start;
        Ok(piece.slice(start as usize..end as usize))
    }

    /// Starts reading the next piece, if there is one, while the caller does something with the last.
    fn read_ahead(mut self) -> ReadAhead {
        if self.left.is_empty() {
            return ReadAhead(None);
        }
        ReadAhead(Some(spawn_blocking(move || {
            let piece = self.read();
            (piece, self)
        })))
    }
}

struct ReadAhead(Option<JoinHandle<(Result<Bytes, StoreError>, FileSlice)>>);

impl ReadAhead {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let pending = self.0.as_mut()?;
        let outcome = joined(pending).await;
        self.0 = None;
        Some(outcome.and_then(|(piece, slice)| {
            let piece = piece?;
            *self = slice.read_ahead();
            Ok(piece)
        }))
    }
}

/// The part of a body in memory that lies in a range, in pieces as small as a file's.
fn cut(body: &Body, range: Range<u64>) -> Vec<Bytes> {
    let mut at = 0;
    let mut pieces = Vec::new();
    for chunk in body {
        let chunk_start = at;
        at += chunk.len() as u64;
        let start = range.start.clamp(chunk_start, at) - chunk_start;
        let end = range.end.clamp(chunk_start, at) - chunk_start;
        for from in (start..end).step_by(PIECE as usize) {
            pieces.push(chunk.slice(from as usize..end.min(from + PIECE) as usize));
        }
    }
    pieces
}

fn file_path(dir: &Path, id: ContentId) -> PathBuf {
    let name = id.to_string();
    dir.join(&name[..2]).join(&name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent.unwrap_or(path),
    }
}

/// Makes a folder if need be, so that it is there after a loss of power too.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        // Made by another meanwhile, who may not have flushed its name yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    sync_dir(folder_of(dir))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write_all(file: &mut File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut slices = slices.as_mut_slice();
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(format!("`{}`", path.display()))
}
