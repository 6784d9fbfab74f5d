//! fsck: reads everything that is stored, says what is not as it was written, and on request keeps what is whole.
//!
//! It works on the files of a cloud that does not run. Each finding names its file. Repair never throws anything
//! away: what it takes out of the way it keeps beside, and a body of which a piece is damaged stays, since the other
//! pieces can still be read.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use azure::ids::Guid;

use super::{
    ContentId, Record as _, StoreError,
    content::{REFERENCES, check as check_body, files},
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

    fn find(&mut self, what: impl Into<String>) {
        self.findings.push(Finding { what: what.into(), repair: None });
    }
}

/// Reads a store and its content; repairs what it can if asked to. Refuses a store that is in use.
pub fn check(store: &Path, content: &Path, repair: bool) -> Result<Report, StoreError> {
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
    check_content(content, &held, repair, &mut report)?;
    Ok(report)
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
fn read_rows(engine: &Embedded, report: &mut Report) -> Result<BTreeMap<Guid, u64>, StoreError> {
    let mut held = BTreeMap::new();
    for row in engine.snapshot()?.range(&KeyRange::all_clouds(), false) {
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

fn check_content(
    content: &Path,
    held: &BTreeMap<Guid, u64>,
    repair: bool,
    report: &mut Report,
) -> Result<(), StoreError> {
    let found = files(content, 0..256).map_err(at(content))?;
    let mut missing = held.clone();
    for file in &found {
        if file.is_part {
            let done = if repair {
                fs::remove_file(&file.path).map_err(at(&file.path))?;
                Some("removed".to_owned())
            } else {
                None
            };
            let what = format!("`{}` was begun and never finished", file.path.display());
            report.findings.push(Finding { what, repair: done });
            continue;
        }
        report.bodies += 1;
        report.unnamed += usize::from(missing.remove(&file.id.0).is_none());
        if let Err(error) = check_body(&file.path) {
            report.find(error.to_string());
        }
    }
    for (id, count) in missing {
        report.find(format!("content `{}` is missing, and {count} records name it", ContentId(id)));
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(format!("`{}`", path.display()))
}
