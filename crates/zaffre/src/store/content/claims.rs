//! Claims: which bodies a living process has begun and no record names yet, so that no sweep takes them.
//!
//! ```text
//! content/claims/
//!   4711/alive        locked by the process that writes here, as long as it lives
//!   4711/3f9c…e1      a body that it has begun
//! ```
//!
//! A claim is made before a body's first byte and ends after the commit that names it, or when the body is given up.
//! It need not outlive its process, so it is never flushed: the kernel is the witness of who lives, and when a lock
//! can be taken its owner's claims are void. That is a lease without a clock and without a commit, for every process
//! of one machine.
//!
//! Whoever hears that a commit named a body ends its claim. Where nobody does, since the request was given up while its
//! commit was under way, the upkeep sees it; a body that is finished and unnamed at two looks is nobody's.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{ContentId, at, make_dir, remove_if_there};
use crate::store::StoreError;

pub(super) const FOLDER: &str = "claims";
const LOCK: &str = "alive";
/// Sweeps that a finished body may meet before it is named.
const PATIENCE: u32 = 2;

#[derive(Default)]
pub(super) struct Claims {
    /// None where bodies are kept in memory, which no other process sees.
    dir: Option<PathBuf>,
    mine: Mutex<Mine>,
}

#[derive(Default)]
struct Mine {
    place: Option<Place>,
    bodies: HashMap<ContentId, Stage>,
}

/// Our folder among the claims, made with the first of them.
struct Place {
    folder: PathBuf,
    _lock: File,
}

enum Stage {
    Begun,
    /// And met by this many sweeps since.
    Finished(u32),
}

impl Claims {
    pub(super) fn in_dir(content: &Path) -> Self {
        Claims { dir: Some(content.join(FOLDER)), mine: Mutex::default() }
    }

    /// Claims a body that is about to be begun. Dropping the claim before it is finished ends it.
    pub(super) fn make(self: &Arc<Self>, id: ContentId) -> Result<Claim, StoreError> {
        let mut mine = self.lock();
        if mine.bodies.contains_key(&id) {
            let cause = io::ErrorKind::AlreadyExists.into();
            return Err(StoreError::Io { what: format!("content `{id}`"), cause });
        }
        if let Some(dir) = &self.dir {
            let place = match mine.place.take() {
                Some(place) => place,
                None => Place::take(dir)?,
            };
            let path = mine.place.insert(place).folder.join(id.to_string());
            File::create(&path).map_err(at(&path))?;
        }
        mine.bodies.insert(id, Stage::Begun);
        Ok(Claim { id, claims: Arc::clone(self), is_finished: false })
    }

    pub(super) fn end(&self, id: ContentId) {
        let mut mine = self.lock();
        mine.end(id);
    }

    /// Every body that a living process claims, ours too. Removes what dead ones left.
    pub(super) fn living(&self) -> io::Result<HashSet<ContentId>> {
        let mut all: HashSet<ContentId> = self.lock().bodies.keys().copied().collect();
        let Some(dir) = self.dir.as_ref().filter(|dir| dir.is_dir()) else { return Ok(all) };
        for folder in fs::read_dir(dir)? {
            let folder = folder?.path();
            let is_ours = self.lock().place.as_ref().is_some_and(|place| place.folder == folder);
            if !is_ours && folder.is_dir() {
                all.extend(claimed_in(&folder)?);
            }
        }
        Ok(all)
    }

    /// Ends our claims on what a sweep saw named, and on what has stayed finished and unnamed too long. Gives the latter.
    pub(super) fn settle(&self, is_named: impl Fn(ContentId) -> bool) -> Vec<ContentId> {
        let mut mine = self.lock();
        let mut over = Vec::new();
        for (id, stage) in &mut mine.bodies {
            let Stage::Finished(met) = stage else { continue };
            *met += 1;
            if is_named(*id) || *met >= PATIENCE {
                over.push(*id);
            }
        }
        over.iter().for_each(|id| mine.end(*id));
        over.retain(|id| !is_named(*id));
        over
    }

    /// Whether anything that is whole waits to be named.
    pub(super) fn has_finished(&self) -> bool {
        self.lock().bodies.values().any(|stage| matches!(stage, Stage::Finished(_)))
    }

    fn lock(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mine {
    fn end(&mut self, id: ContentId) {
        if self.bodies.remove(&id).is_some()
            && let Some(place) = &self.place
        {
            // A claim too many only delays a sweep, and ends with this process.
            let _ = fs::remove_file(place.folder.join(id.to_string()));
        }
    }
}

/// A claim on a body that is being written.
pub(super) struct Claim {
    id: ContentId,
    claims: Arc<Claims>,
    is_finished: bool,
}

impl Claim {
    /// The body is whole, and waits to be named.
    pub(super) fn finish(mut self) {
        self.is_finished = true;
        self.claims.lock().bodies.insert(self.id, Stage::Finished(0));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_finished {
            self.claims.end(self.id);
        }
    }
}

impl Place {
    /// A folder named by our process id. Processes in different containers may have the same.
    fn take(dir: &Path) -> Result<Self, StoreError> {
        let pid = std::process::id();
        for turn in 0_u32.. {
            let folder = dir.join(format!("{pid}-{turn}"));
            make_dir(&folder).map_err(at(&folder))?;
            if let Some(lock) = lock_of_the_dead(&folder).map_err(at(&folder))? {
                remove_claims(&folder).map_err(at(&folder))?;
                return Ok(Place { folder, _lock: lock });
            }
        }
        Err(StoreError::corrupt(format!("`{}` is full", dir.display())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder's lock, if nobody alive has it.
fn lock_of_the_dead(folder: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn claimed_in(folder: &Path) -> io::Result<Vec<ContentId>> {
    match lock_of_the_dead(folder) {
        Ok(Some(_lock)) => {
            fs::remove_dir_all(folder)?;
            Ok(Vec::new())
        }
        Ok(None) => ids_in(folder),
        // Gone meanwhile, with all its claims.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn ids_in(folder: &Path) -> io::Result<Vec<ContentId>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).map(ContentId).collect())
}

fn remove_claims(folder: &Path) -> io::Result<()> {
    ids_in(folder)?.iter().try_for_each(|id| remove_if_there(&folder.join(id.to_string())))
}
