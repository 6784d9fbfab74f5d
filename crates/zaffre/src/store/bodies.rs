//! Where the bodies of a store are kept, and whose bodies a place has.
//!
//! Rows in a database can be read from anywhere, bodies in a directory cannot. So the place of the bodies has a name, in a
//! file `home`, and the store knows that name: a process with another place is refused before it could name bodies that
//! nobody else finds, and a store that does not know a place's name is refused before it could sweep another one's bodies.
//! On one host several processes may share a directory, on several a bucket.
//!
//! ```text
//! the store knows no name, the place has none ── row: a name, not given yet ── the place gets it ── row: given
//! ```

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use azure::ids::Guid;
use serde::{Deserialize, Serialize};

use super::{
    Bucket, CloudId, Content, Store, StoreError, Table, blocking,
    key::{Key as _, KeyReader},
};

const HOMES: Table<String, Home> = Table::new("content home");
const KEY: &str = "bodies";

/// What the store knows of the place.
#[derive(Clone, Serialize, Deserialize)]
struct Home {
    id: Guid,
    /// The host it is on, for people.
    host: String,
    path: String,
    /// Whether the place has this name. Until then whoever comes gives it.
    #[serde(default = "is_given")]
    is_given: bool,
}

fn is_given() -> bool {
    true
}

enum Place<'c> {
    Directory(PathBuf),
    Bucket(&'c Bucket),
}

/// Makes a place the one for this store's bodies, or sees that it is. `drawn` is its name if it has none yet. A directory
/// beside a store that is one process's needs none; a bucket always does, since anybody may point at it.
pub async fn settle(store: &Store, content: &Content, drawn: Guid) -> Result<(), StoreError> {
    let place = match (content.directory(), content.bucket()) {
        (Some(dir), _) if store.is_shared() => Place::Directory(dir.to_owned()),
        (_, Some(bucket)) => Place::Bucket(bucket),
        _ => return Ok(()),
    };
    let found = place.name().await?;
    let known = store.read(CloudId::RING, |txn| HOMES.get(txn, &KEY.to_owned())).await?;
    match (&known, found) {
        (Some(home), found) if home.is_given => place.check(home, found),
        (None, Some(_)) => Err(place.is_anothers()),
        _ => {
            let home = note(store, Home { is_given: false, ..place.home(drawn) }).await?;
            place.give(home.id).await?;
            place.check(&home, place.name().await?)?;
            note(store, Home { is_given: true, ..home }).await.map(drop)
        }
    }
}

/// Writes down a home, unless one is known that is as good. Gives what is known then.
async fn note(store: &Store, home: Home) -> Result<Home, StoreError> {
    let key = KEY.to_owned();
    let noted = store.write(CloudId::RING, |txn| match HOMES.get(txn, &key)? {
        Some(known) if known.is_given || !home.is_given => Ok(known),
        _ => {
            HOMES.put(txn, &key, &home)?;
            Ok::<_, StoreError>(home.clone())
        }
    });
    noted.await
}

/// Whether this row says where bodies are: what is restored elsewhere has them elsewhere.
pub(super) fn is_home(key: &[u8]) -> bool {
    let mut reader = KeyReader(key);
    CloudId::decode(&mut reader).is_some() && reader.take_text().as_deref() == Some(HOMES.name().as_bytes())
}

impl Place<'_> {
    fn home(&self, id: Guid) -> Home {
        let host = match self {
            Place::Directory(_) => fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default(),
            Place::Bucket(_) => String::new(),
        };
        Home { id, host: host.trim().to_owned(), path: self.path(), is_given: true }
    }

    fn path(&self) -> String {
        match self {
            Place::Directory(dir) => dir.display().to_string(),
            Place::Bucket(bucket) => bucket.name.clone(),
        }
    }

    async fn name(&self) -> Result<Option<Guid>, StoreError> {
        match self {
            Place::Directory(dir) => {
                let path = dir.join("home");
                blocking::run(move || read(&path)).await
            }
            Place::Bucket(bucket) => bucket.home().await,
        }
    }

    async fn give(&self, name: Guid) -> Result<(), StoreError> {
        match self {
            Place::Directory(dir) => {
                let dir = dir.clone();
                let failed = StoreError::io(format!("`{}`", dir.join("home").display()));
                blocking::run(move || write(&dir, name).map_err(failed)).await
            }
            Place::Bucket(bucket) => bucket.name_home(name).await,
        }
    }

    fn check(&self, home: &Home, found: Option<Guid>) -> Result<(), StoreError> {
        if found == Some(home.id) {
            return Ok(());
        }
        let host = &home.host;
        let on_host = if host.is_empty() { String::new() } else { format!(" on host `{host}`") };
        Err(StoreError::database(
            format_args!("the database's bodies are in `{}`{on_host}", home.path),
            format!("`{}` here is another place, and others would not find what is put there", self.path()),
        ))
    }

    fn is_anothers(&self) -> StoreError {
        let what = format!("the bodies in `{}` are another store's", self.path());
        StoreError::database(what, "this one would take them for nobody's: choose a place of its own")
    }
}

fn read(path: &Path) -> Result<Option<Guid>, StoreError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(format_args!("`{}`", path.display()))(error)),
    };
    let id = text.trim().parse();
    id.map(Some).map_err(|_| StoreError::corrupt(format!("`{}` does not hold a name", path.display())))
}

/// Gives a directory a name, unless another process did first.
fn write(dir: &Path, name: Guid) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join(format!("home.{}", std::process::id()));
    let mut file = File::create(&draft)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, dir.join("home"));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(dir)?.sync_all(),
    }
}
