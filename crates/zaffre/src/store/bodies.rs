//! Where the bodies of a store that processes share are kept.
//!
//! Rows in a database can be read from anywhere, bodies in a directory cannot. So the database names the directory
//! that holds its bodies, by a file in it: a process with another one is refused before it could name bodies that
//! nobody else finds. On one host several processes may share that directory.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use azure::ids::Guid;
use serde::{Deserialize, Serialize};

use super::{CloudId, Store, StoreError, Table, blocking};

const HOMES: Table<String, Home> = Table::new("content home");
const KEY: &str = "bodies";

/// What the database knows of the directory.
#[derive(Clone, Serialize, Deserialize)]
struct Home {
    id: Guid,
    /// The host it is on, for people.
    host: String,
    path: String,
}

/// Makes a directory the one for this store's bodies, or sees that it is. `drawn` names it if it has no name yet.
pub async fn settle(store: &Store, dir: &Path, drawn: Guid) -> Result<(), StoreError> {
    if !store.is_shared() {
        return Ok(());
    }
    let path = dir.to_owned();
    let here = blocking::run(move || this(&path, drawn)).await?;
    let key = KEY.to_owned();
    let settled = store.write(CloudId::RING, |txn| {
        let known = HOMES.get(txn, &key)?;
        if known.is_none() {
            HOMES.put(txn, &key, &here)?;
        }
        Ok::<_, StoreError>(known.unwrap_or_else(|| here.clone()))
    });
    let home = settled.await?;
    if home.id == here.id {
        return Ok(());
    }
    Err(StoreError::database(
        format_args!("the database's bodies are in `{}` on host `{}`", home.path, home.host),
        format!("`{}` here is another place, and others would not find what is put there", here.path),
    ))
}

fn this(dir: &Path, drawn: Guid) -> Result<Home, StoreError> {
    let path = dir.join("home");
    let read = || fs::read_to_string(&path);
    let text = match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            name(dir, &path, drawn).and_then(|()| read())
        }
        read => read,
    };
    let text = text.map_err(StoreError::io(format_args!("`{}`", path.display())))?;
    let id = text.trim().parse();
    let id = id.map_err(|_| StoreError::corrupt(format!("`{}` does not hold a name", path.display())))?;
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    Ok(Home { id, host, path: dir.display().to_string() })
}

/// Gives a directory a name, unless another process did first.
fn name(dir: &Path, path: &Path, drawn: Guid) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join(format!("home.{}", std::process::id()));
    let mut file = File::create(&draft)?;
    writeln!(file, "{drawn}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(dir)?.sync_all(),
    }
}
