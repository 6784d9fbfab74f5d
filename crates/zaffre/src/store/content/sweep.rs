//! Sweeps: removing what a crash left, and nothing that anybody still needs.
//!
//! A body is looked at in this order: its file is listed, then the claims of living processes are read, then the
//! records' references. Every body is claimed from before its file is there until after its record is committed;
//! so one that is listed, not claimed, and then not referenced has nobody. In any other order a body that is being
//! named meanwhile could be missed by both looks.

use std::{
    collections::HashSet,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use azure::ids::Guid;

use super::{Bucket, Content, ContentId, Place, REFERENCES, at, intents, lock, off_runtime, remove_if_there};
use crate::store::{Span, Store, StoreError};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bodies that were begun and not finished.
    pub unfinished: usize,
    /// Finished ones that nobody named.
    pub unnamed: usize,
}

impl Content {
    /// Removes what a crash left: bodies begun and not finished, and finished ones that no record holds in any cloud of
    /// the store, unless a living process claims them. Others may write meanwhile.
    pub async fn sweep_unreferenced(&self, store: &Store) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        if self.pins.is_pinned() {
            return Ok(swept);
        }
        match &self.place {
            Place::Memory(bodies) => {
                let listed: HashSet<ContentId> = lock(bodies).keys().copied().collect();
                let claimed = self.claims.living().map_err(StoreError::io("claims"))?;
                let named = references(store, 0..256).await?;
                let is_kept = |id| !listed.contains(&id) || claimed.contains(&id) || named.contains(&id);
                swept.unnamed = self.remove_from_memory(is_kept);
                self.claims.settle(|id| named.contains(&id));
            }
            Place::Directory(dir) => {
                // A folder at a time, so that a store with millions of bodies is never listed in memory.
                for folder in 0..256 {
                    let one = self.sweep_folder(store, dir, folder..folder + 1).await?;
                    swept.unfinished += one.unfinished;
                    swept.unnamed += one.unnamed;
                }
                let named = references(store, 0..256).await?;
                self.claims.settle(|id| named.contains(&id));
            }
            Place::Bucket(bucket) => {
                swept = sweep_bucket(store, bucket).await?;
                self.settle_claims(store).await?;
            }
        }
        Ok(swept)
    }

    async fn sweep_folder(&self, store: &Store, dir: &Path, folder: Range<u16>) -> Result<Swept, StoreError> {
        let (place, claims, folders) = (dir.to_owned(), self.claims.clone(), folder.clone());
        let list = move || Ok::<_, io::Error>((files(&place, folders)?, claims.living()?));
        let said = self.describe();
        let (found, claimed) = off_runtime(move || list().map_err(StoreError::io(said))).await?;
        if found.is_empty() {
            return Ok(Swept::default());
        }
        let named = references(store, folder).await?;
        let left: Vec<_> =
            found.into_iter().filter(|it| it.is_left(&claimed, |id| named.contains(&id))).collect();
        let unfinished = left.iter().filter(|it| it.is_part).count();
        let swept = Swept { unfinished, unnamed: left.len() - unfinished };
        off_runtime(move || left.iter().try_for_each(|it| remove_if_there(&it.path).map_err(at(&it.path))))
            .await?;
        Ok(swept)
    }

    /// Ends the claims of this process on what records hold meanwhile, and on what nobody came to name.
    pub async fn settle_claims(&self, store: &Store) -> Result<(), StoreError> {
        if self.claims.has_finished() {
            let named = references(store, 0..256).await?;
            let over = self.claims.settle(|id| named.contains(&id));
            if let Place::Bucket(_) = &self.place {
                for cloud in store.clouds()? {
                    for id in &over {
                        intents::end(store, cloud, *id).await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn remove_from_memory(&self, is_kept: impl Fn(ContentId) -> bool) -> usize {
        let Place::Memory(bodies) = &self.place else { return 0 };
        let mut bodies = lock(bodies);
        let before = bodies.len();
        bodies.retain(|id, _| is_kept(*id));
        before - bodies.len()
    }

    fn describe(&self) -> String {
        match &self.place {
            Place::Memory(_) => "content in memory".to_owned(),
            Place::Directory(dir) => format!("sweeping `{}`", dir.display()),
            Place::Bucket(bucket) => format!("sweeping `{}`", bucket.name),
        }
    }
}

/// Bodies of a bucket that are looked at together.
const PAGE: usize = 512;

async fn sweep_bucket(store: &Store, bucket: &Bucket) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut listing = bucket.list();
    loop {
        // Listed first and judged after: what is listed was an intent before, and what is named meanwhile is found.
        let page = listing.page(PAGE).await?;
        if page.is_empty() {
            break;
        }
        let held = held(store, &page).await?;
        for id in page.into_iter().filter(|id| !held.contains(id)) {
            swept.unnamed += usize::from(sweep_object(store, bucket, id).await?);
        }
    }
    for cloud in store.clouds()? {
        for id in intents::all(store, cloud).await? {
            swept.unfinished += usize::from(sweep_object(store, bucket, id).await?);
        }
    }
    Ok(swept)
}

/// Removes a body that is nobody's in any cloud, or what was sent of it; says whether it was.
async fn sweep_object(store: &Store, bucket: &Bucket, id: ContentId) -> Result<bool, StoreError> {
    let mut upload = None;
    for cloud in store.clouds()? {
        let (is_left, intent) = intents::is_left(store, cloud, id).await?;
        if !is_left {
            return Ok(false);
        }
        upload = upload.or(intent.and_then(|intent| intent.upload));
    }
    if let Some(upload) = upload {
        bucket.abort(id, &upload).await?;
    }
    bucket.remove(id).await?;
    Ok(true)
}

/// Which of these bodies records hold.
pub(in crate::store) async fn held(
    store: &Store,
    ids: &[ContentId],
) -> Result<HashSet<ContentId>, StoreError> {
    let keys: Vec<Guid> = ids.iter().map(|id| id.0).collect();
    let mut held = HashSet::new();
    for cloud in store.clouds()? {
        let counts = store.read(cloud, |txn| REFERENCES.get_many(txn, &keys)).await?;
        held.extend(ids.iter().zip(counts).filter(|(_, count)| count.is_some()).map(|(id, _)| *id));
    }
    Ok(held)
}

/// A file that is named as we name files.
pub(in crate::store) struct Found {
    pub(in crate::store) id: ContentId,
    pub(in crate::store) is_part: bool,
    pub(in crate::store) path: PathBuf,
}

impl Found {
    fn is_left(&self, claimed: &HashSet<ContentId>, is_named: impl Fn(ContentId) -> bool) -> bool {
        !claimed.contains(&self.id) && (self.is_part || !is_named(self.id))
    }

    /// What is not named as we name files is a user's, and left alone.
    fn read(path: PathBuf) -> Option<Self> {
        let id = ContentId(path.file_stem()?.to_str()?.parse().ok()?);
        let is_part = match path.extension().map(|it| it.to_str()) {
            None => false,
            Some(Some("part")) => true,
            Some(_) => return None,
        };
        Some(Found { id, is_part, path })
    }
}

/// The bodies whose ids begin with these bytes.
pub(in crate::store) fn files(dir: &Path, folders: Range<u16>) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in folders {
        match fs::read_dir(dir.join(format!("{folder:02x}"))) {
            Ok(entries) => {
                for entry in entries {
                    found.extend(Found::read(entry?.path()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The bodies that records name, of those whose ids begin with these bytes.
async fn references(store: &Store, folders: Range<u16>) -> Result<HashSet<ContentId>, StoreError> {
    let mut named = HashSet::new();
    for cloud in store.clouds()? {
        let ids = store.read(cloud, |txn| {
            let rows = REFERENCES.rows(txn, within(&folders));
            rows.map(|row| row.map(|(id, _)| ContentId(id))).collect::<Result<Vec<_>, _>>()
        });
        named.extend(ids.await?);
    }
    Ok(named)
}

fn within(folders: &Range<u16>) -> Span<Guid> {
    let first = |byte: u8| Guid(std::array::from_fn(|at| if at == 0 { byte } else { 0 }));
    let span = Span::under(&());
    let span = match u8::try_from(folders.start) {
        Ok(byte) => span.from(&first(byte)),
        Err(_) => span,
    };
    match u8::try_from(folders.end) {
        Ok(byte) => span.before(&first(byte)),
        Err(_) => span,
    }
}
