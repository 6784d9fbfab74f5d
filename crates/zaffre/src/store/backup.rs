//! Backups: everything at one moment, taken while the cloud runs, and brought back into an empty place.
//!
//! ```text
//! DIR/
//!   lock       held by whoever writes a backup here
//!   rows       every row of one snapshot
//!   content/   the bodies that those rows name
//! ```
//!
//! One snapshot gives the rows and, among them, the names of the bodies, which never change. Until they are copied
//! nothing is removed from the content (`Content::pin`). A body that an earlier backup in this directory brought is
//! not copied again. `rows` gets its name last: a backup that was cut short leaves the one before it as it was, and
//! only then do bodies go that are no longer named.
//!
//! Rows are written as keys and values, and not as an engine's files: what one engine gave, another takes.
//!
//! ```text
//! rows    "zaffre rows 1\n" | page … | an empty page
//! page    length u32 | hash u64 | rows
//! row     key's length u32 | value's length u32 | key | value          (little-endian)
//! ```

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    CloudId, Content, ContentId, Store, StoreError, blocking,
    bodies::is_home,
    content::{REFERENCES, files},
    embedded::Embedded,
    engine::{Engine as _, Snapshot, Write},
    key::{Key as _, KeyRange, KeyReader},
    postgres::Postgres,
};

const HEAD: &[u8] = b"zaffre rows 1\n";
const PAGE_BYTES: usize = 1 << 20;
/// How many moments are tried, where other processes remove bodies meanwhile.
const MOMENTS: usize = 5;
/// Larger ones are not pages of ours.
const PAGE_BYTES_MAX: usize = 1 << 30;

/// What was written or brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub bodies: usize,
    /// Bodies that were not there yet.
    pub copied: usize,
}

/// Writes everything as it is at one moment into a directory, which is made if need be. Reads and writes go on.
pub async fn write(store: &Store, content: &Content, dir: &Path) -> Result<Summary, StoreError> {
    let pin = content.pin();
    let mut written = write_pinned(store, content, dir).await;
    for _ in 1..MOMENTS {
        // Another process removed a body before it was copied. At a later moment it is named no more, and what was copied
        // of the others is there already.
        if !store.is_shared() || !matches!(written, Err(StoreError::NoContent { .. })) {
            break;
        }
        written = write_pinned(store, content, dir).await;
    }
    content.unpin(pin).await;
    written
}

async fn write_pinned(store: &Store, content: &Content, dir: &Path) -> Result<Summary, StoreError> {
    let (part, rows_path) = (dir.join("rows.part"), dir.join("rows"));
    let engine = store.inner.engine.clone();
    let (home, path) = (dir.to_owned(), part.clone());
    let dump = move || {
        fs::create_dir_all(&home).map_err(at(&home))?;
        let lock = lock(&home)?;
        let dumped = dump(&*engine.snapshot()?, &path)?;
        Ok((lock, dumped))
    };
    let (_lock, dumped) = blocking::run(dump).await?;
    let bodies = Content::in_dir(&dir.join("content"))?;
    let copied = copy(content, &bodies, &dumped.bodies).await?;
    let summary = Summary { rows: dumped.rows, bodies: dumped.bodies.len(), copied };
    let home = dir.to_owned();
    let finish = move || {
        fs::rename(&part, &rows_path).map_err(at(&rows_path))?;
        File::open(&home).and_then(|dir| dir.sync_all()).map_err(at(&home))?;
        let content = home.join("content");
        let found = files(&content, 0..256).map_err(at(&content))?;
        let unnamed = found.iter().filter(|it| it.is_part || !dumped.bodies.contains(&it.id));
        unnamed.map(|it| &it.path).try_for_each(|path| fs::remove_file(path).map_err(at(path)))
    };
    blocking::run(finish).await?;
    Ok(summary)
}

/// Brings a backup back, into a directory that holds nothing yet. Nothing is named before all of it is whole.
pub async fn restore(dir: &Path, store: &Path, content: &Content) -> Result<Summary, StoreError> {
    let is_taken = store.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_taken {
        let cause = io::ErrorKind::AlreadyExists.into();
        let what = format!("`{}` holds a store already; restore into an empty place", store.display());
        return Err(StoreError::Io { what, cause });
    }
    let (rows, part, path) = (dir.join("rows"), store.with_added_extension("part"), store.to_owned());
    let draft = part.clone();
    let loaded = blocking::run(move || load(&rows, &draft)).await?;
    let copied = copy(&Content::in_dir(&dir.join("content"))?, content, &loaded.bodies).await?;
    blocking::run(move || {
        // A directory that is there is empty.
        let _ = fs::remove_dir(&path);
        fs::rename(&part, &path).map_err(at(&path))?;
        let parent = path.parent().unwrap_or(&path);
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(at(parent))
    })
    .await?;
    Ok(Summary { rows: loaded.rows, bodies: loaded.bodies.len(), copied })
}

/// The same into a database that holds nothing yet. It counts as half restored until all of it is there: no cloud starts
/// on it before.
pub async fn restore_into_database(dir: &Path, url: &str, content: &Content) -> Result<Summary, StoreError> {
    let (rows, address) = (dir.join("rows"), url.to_owned());
    let named = blocking::run(move || {
        let mut pages = Pages::open(&rows)?;
        let mut named = Rows::default();
        while let Some(batch) = pages.next()? {
            batch.iter().for_each(|(key, _)| named.note(key));
        }
        Ok(named)
    })
    .await?;
    let copied = copy(&Content::in_dir(&dir.join("content"))?, content, &named.bodies).await?;
    let rows = dir.join("rows");
    blocking::run(move || {
        let mut pages = Pages::open(&rows)?;
        Postgres::fill(&address, || Ok(pages.next()?.map(without_home)))
    })
    .await?;
    Ok(Summary { rows: named.rows, bodies: named.bodies.len(), copied })
}

fn without_home(mut batch: Vec<Write>) -> Vec<Write> {
    batch.retain(|(key, _)| !is_home(key));
    batch
}

/// Copies the bodies that are not there yet; says how many.
async fn copy(from: &Content, to: &Content, bodies: &HashSet<ContentId>) -> Result<usize, StoreError> {
    let mut copied = 0;
    for id in bodies {
        if to.exists(*id).await? {
            continue;
        }
        let mut reader = from.open(*id, 0..u64::MAX).await?;
        let mut writer = to.create_unclaimed(*id).await?;
        while let Some(piece) = reader.next().await {
            writer.write(piece?).await?;
        }
        writer.finish().await?;
        copied += 1;
    }
    Ok(copied)
}

/// How many rows there were, and the bodies they name.
#[derive(Default)]
struct Rows {
    rows: u64,
    bodies: HashSet<ContentId>,
}

impl Rows {
    fn note(&mut self, key: &[u8]) {
        self.rows += 1;
        self.bodies.extend(body_named_by(key));
    }
}

/// The body whose references this row counts, in whichever cloud.
fn body_named_by(key: &[u8]) -> Option<ContentId> {
    let mut reader = KeyReader(key);
    CloudId::decode(&mut reader)?;
    let is_reference = reader.take_text()? == REFERENCES.name().as_bytes();
    is_reference.then(|| azure::ids::Guid::decode(&mut reader).map(ContentId)).flatten()
}

fn dump(snapshot: &dyn Snapshot, path: &Path) -> Result<Rows, StoreError> {
    let mut out = BufWriter::new(File::create(path).map_err(at(path))?);
    let mut rows = Rows::default();
    let mut page = Vec::with_capacity(PAGE_BYTES * 2);
    out.write_all(HEAD).map_err(at(path))?;
    for row in snapshot.range(&KeyRange::all_clouds(), false) {
        let (key, value) = row?;
        rows.note(&key);
        page.extend((key.len() as u32).to_le_bytes());
        page.extend((value.len() as u32).to_le_bytes());
        page.extend(&key[..]);
        page.extend(&value[..]);
        if page.len() >= PAGE_BYTES {
            write_page(&mut out, &page).map_err(at(path))?;
            page.clear();
        }
    }
    if !page.is_empty() {
        write_page(&mut out, &page).map_err(at(path))?;
    }
    write_page(&mut out, &[]).map_err(at(path))?;
    if snapshot.is_void() {
        return Err(StoreError::database("the database", "the connection was lost while its rows were read"));
    }
    let file = out.into_inner().map_err(|error| at(path)(error.into_error()))?;
    file.sync_all().map_err(at(path))?;
    Ok(rows)
}

fn write_page(out: &mut impl io::Write, page: &[u8]) -> io::Result<()> {
    out.write_all(&(page.len() as u32).to_le_bytes())?;
    out.write_all(&xxh3_64(page).to_le_bytes())?;
    out.write_all(page)
}

/// Reads a backup's rows into a new store.
fn load(path: &Path, store: &Path) -> Result<Rows, StoreError> {
    let mut pages = Pages::open(path)?;
    match fs::remove_dir_all(store) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(store)(error)),
        _ => {}
    }
    let engine = Embedded::open(store)?;
    let mut rows = Rows::default();
    let mut commit = 0;
    while let Some(batch) = pages.next()? {
        batch.iter().for_each(|(key, _)| rows.note(key));
        commit += 1;
        engine.apply(commit, without_home(batch))?;
    }
    engine.flush()?;
    Ok(rows)
}

struct Pages {
    file: BufReader<File>,
    path: PathBuf,
}

impl Pages {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let mut file = BufReader::new(File::open(path).map_err(at(path))?);
        let mut head = [0; HEAD.len()];
        file.read_exact(&mut head).map_err(at(path))?;
        if head != HEAD {
            return Err(StoreError::corrupt(format!(
                "`{}` is no backup that this program knows",
                path.display()
            )));
        }
        Ok(Pages { file, path: path.to_owned() })
    }

    /// The rows of the next page; none behind the last. A file that ends before is refused.
    fn next(&mut self) -> Result<Option<Vec<Write>>, StoreError> {
        let mut head = [0; 12];
        self.file.read_exact(&mut head).map_err(at(&self.path))?;
        let length = number(&head[..4]);
        if length > PAGE_BYTES_MAX {
            return Err(self.damaged());
        }
        let mut page = vec![0; length];
        self.file.read_exact(&mut page).map_err(at(&self.path))?;
        if xxh3_64(&page).to_le_bytes() != head[4..] {
            return Err(self.damaged());
        }
        if page.is_empty() {
            return Ok(None);
        }
        split(&Bytes::from(page)).map(Some).ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> StoreError {
        StoreError::corrupt(format!("`{}` is damaged", self.path.display()))
    }
}

fn split(page: &Bytes) -> Option<Vec<Write>> {
    let mut rows = Vec::new();
    let mut at = 0;
    while at < page.len() {
        let key = number(page.get(at..at + 4)?);
        let value = number(page.get(at + 4..at + 8)?);
        let (start, middle) = (at + 8, at + 8 + key);
        at = middle + value;
        page.get(start..at)?;
        rows.push((page.slice(start..middle), Some(page.slice(middle..at))));
    }
    Some(rows)
}

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize
}

/// One backup at a time writes into a directory.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned(), pid: None }),
        Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(format!("`{}`", path.display()))
}
