//! fsck: reads everything that is stored, says what is not as it was written, and on request keeps what is whole.
//!
//! It works on the files of a cloud that does not run, or on a database and the bodies that its rows name. Each finding names its file. Repair never throws anything
//! away: what it takes out of the way it keeps beside, and a body of which a piece is damaged stays, since the other
//! pieces can still be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use azure::ids::Guid;

use super::{
    Content, ContentId, Record as _, Store, StoreError, blocking,
    content::{REFERENCES, check as check_body, files, held as still_held},
    embedded::Embedded,
    engine::Engine,
    journal::{self, End},
    key::{Key as _, KeyRange, KeyReader},
    sorted,
};

/// Something that is not as it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file, and what is wrong with it.
    pub what: String,
    /// What was done about it.
    pub repair: Option<String>,
}

impl Finding {
    fn of(error: StoreError) -> Self {
        Finding { what: error.to_string(), repair: None }
    }
}

/// What was read, and what was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub rows: u64,
    pub bodies: usize,
    /// Finished bodies that no record holds: a sweep takes them.
    pub unnamed: usize,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether all is well, or was made so.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.repair.is_some())
    }

    /// A body is there.
    fn note(&mut self, id: ContentId, missing: &mut BTreeSet<Guid>) {
        self.bodies += 1;
        self.unnamed += usize::from(!missing.remove(&id.0));
    }

    fn miss(&mut self, held: &Held, missing: Vec<ContentId>) {
        for id in missing {
            let count = held.get(&id.0).copied().unwrap_or_default();
            self.find(format!("content `{id}` is missing, and {count} records name it"));
        }
    }

    fn find(&mut self, what: impl Into<String>) {
        self.findings.push(Finding { what: what.into(), repair: None });
    }
}

/// Reads a store and its content; repairs what it can if asked to. Refuses a store that is in use.
pub async fn check(store: &Path, content: &Content, repair: bool) -> Result<Report, StoreError> {
    let path = store.to_owned();
    let (mut report, held) = blocking::run(move || check_files(&path, repair)).await?;
    let missing = check_bodies(content, &held, Parts::AreFindings { repair }, &mut report).await?;
    report.miss(&held, missing);
    Ok(report)
}

/// The same for a store in a database, whose own files are its server's to check. Other processes may go on.
pub async fn check_database(store: &Store, content: &Content) -> Result<Report, StoreError> {
    let engine = store.inner.engine.clone();
    let rows = move || {
        let mut report = Report::default();
        let held = read_rows(&*engine, &mut report)?;
        Ok((report, held))
    };
    let (mut report, held) = blocking::run(rows).await?;
    let mut missing = check_bodies(content, &held, Parts::AreOthers, &mut report).await?;
    // What was let go of since the rows were read is not missing.
    let still_held = still_held(store, &missing).await?;
    missing.retain(|id| still_held.contains(id));
    report.miss(&held, missing);
    Ok(report)
}

/// What unfinished bodies are.
#[derive(Clone, Copy)]
enum Parts {
    /// Nobody writes here.
    AreFindings {
        repair: bool,
    },
    AreOthers,
}

/// How many records hold each body.
type Held = BTreeMap<Guid, u64>;

fn check_files(store: &Path, repair: bool) -> Result<(Report, Held), StoreError> {
    let mut report = Report::default();
    // An engine that opens a damaged journal may cut it: so its files are read before.
    let lock = Embedded::lock_only(store)?;
    check_journals(&store.join("engine"), repair, &mut report)?;
    check_tables(&store.join("engine"), &mut report)?;
    drop(lock);
    let engine = if report.is_good() { open(store, repair, &mut report)? } else { None };
    let held = match &engine {
        Some(engine) => read_rows(engine, &mut report)?,
        None => BTreeMap::new(),
    };
    Ok((report, held))
}

fn check_journals(engine: &Path, repair: bool, report: &mut Report) -> Result<(), StoreError> {
    if !engine.exists() {
        return Ok(());
    }
    for path in journal::journals(engine).map_err(at(engine))? {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.find(at(&path)(error).to_string());
                continue;
            }
        };
        let End::Broken(whole) = journal::end_of(&bytes) else { continue };
        let done = if repair {
            let kept = keep_beside(&path)?;
            journal::cut(&path, whole)?;
            Some(format!("kept what is before; the whole file is kept as `{}`", kept.display()))
        } else {
            None
        };
        report.findings.push(Finding { what: journal::broken(&path, whole).to_string(), repair: done });
    }
    Ok(())
}

fn check_tables(engine: &Path, report: &mut Report) -> Result<(), StoreError> {
    for path in sorted::tables(engine).map_err(at(engine))? {
        match fs::read(&path) {
            Err(error) => report.find(at(&path)(error).to_string()),
            Ok(bytes) => {
                if let Some(place) = sorted::first_damage(&bytes) {
                    report.find(format!("`{}` is damaged at byte {place}: restore a backup", path.display()));
                }
            }
        }
    }
    Ok(())
}

/// Opens the engine; one that is behind its witness only when it is to be repaired.
fn open(store: &Path, repair: bool, report: &mut Report) -> Result<Option<Embedded>, StoreError> {
    let error = match Embedded::open(store) {
        Ok(engine) => return Ok(Some(engine)),
        Err(error @ (StoreError::Corrupt { .. } | StoreError::Io { .. })) => error,
        Err(error) => return Err(error),
    };
    let witness = store.join("witness");
    if repair && witness.exists() {
        let kept = keep_beside(&witness)?;
        fs::remove_file(&witness).map_err(at(&witness))?;
        if let Ok(engine) = Embedded::open(store) {
            let done = format!("went on without; the witness is kept as `{}`", kept.display());
            report.findings.push(Finding { what: error.to_string(), repair: Some(done) });
            return Ok(Some(engine));
        }
        fs::copy(&kept, &witness).map_err(at(&witness))?;
    }
    report.find(error.to_string());
    Ok(None)
}

/// Copies a file to `damaged/` in the folder that its store is in.
fn keep_beside(path: &Path) -> Result<PathBuf, StoreError> {
    let store = path.ancestors().find(|it| it.join("format").exists()).unwrap_or(path);
    let folder = store.join("damaged");
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (0..).map(|turn| folder.join(format!("{name}.{turn}"))).find(|kept| !kept.exists());
    let kept = free.expect("one of all numbers is free");
    fs::copy(path, &kept).map_err(at(path))?;
    Ok(kept)
}

/// Reads every row; gives how many records hold each body.
fn read_rows(engine: &dyn Engine, report: &mut Report) -> Result<Held, StoreError> {
    let mut held = BTreeMap::new();
    let snapshot = engine.snapshot()?;
    for row in snapshot.range(&KeyRange::all_clouds(), false) {
        let (key, value) = match row {
            Ok(row) => row,
            Err(error) => {
                report.find(format!("behind {} rows: {error}", report.rows));
                break;
            }
        };
        report.rows += 1;
        match table_of(&key) {
            None => report.find(format!("the key `{}` is of no table", key.escape_ascii())),
            Some((table, mut rest)) if table == REFERENCES.name().as_bytes() => {
                let count = value.get(1..).and_then(|json| u64::read(json.to_vec().into()).ok());
                match (Guid::decode(&mut rest), count) {
                    (Some(id), Some(count)) => *held.entry(id).or_default() += count,
                    _ => report.find(format!("a reference cannot be read: `{}`", key.escape_ascii())),
                }
            }
            Some(_) if value.first().is_none_or(|format| *format == 0) => {
                report.find(format!("the row of `{}` has no format", key.escape_ascii()));
            }
            Some(_) => {}
        }
    }
    Ok(held)
}

fn table_of(key: &[u8]) -> Option<(Vec<u8>, KeyReader<'_>)> {
    let mut reader = KeyReader(key);
    reader.take::<4>()?;
    let table = reader.take_text()?;
    Some((table, reader))
}

/// Reads every body; gives those that records name and nobody has.
async fn check_bodies(
    content: &Content,
    held: &Held,
    parts: Parts,
    report: &mut Report,
) -> Result<Vec<ContentId>, StoreError> {
    let mut missing: BTreeSet<Guid> = held.keys().copied().collect();
    if let Some(dir) = content.directory() {
        let dir = dir.to_owned();
        let found = blocking::run(move || files(&dir, 0..256).map_err(at(&dir))).await?;
        for file in found {
            if file.is_part {
                report.findings.extend(begun(&file.path, parts)?);
                continue;
            }
            report.note(file.id, &mut missing);
            let checked = blocking::run(move || Ok(check_body(&file.path))).await?;
            report.findings.extend(checked.err().map(Finding::of));
        }
    } else if let Some(bucket) = content.bucket() {
        let mut listing = bucket.list();
        while let Some(id) = listing.next().await {
            let id = id?;
            match bucket.check(id).await {
                // Removed since it was listed.
                Err(StoreError::NoContent { .. }) => continue,
                checked => report.findings.extend(checked.err().map(Finding::of)),
            }
            report.note(id, &mut missing);
        }
    }
    Ok(missing.into_iter().map(ContentId).collect())
}

fn begun(path: &Path, parts: Parts) -> Result<Option<Finding>, StoreError> {
    let Parts::AreFindings { repair } = parts else { return Ok(None) };
    let done = if repair {
        fs::remove_file(path).map_err(at(path))?;
        Some("removed".to_owned())
    } else {
        None
    };
    Ok(Some(Finding { what: format!("`{}` was begun and never finished", path.display()), repair: done }))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(format!("`{}`", path.display()))
}
