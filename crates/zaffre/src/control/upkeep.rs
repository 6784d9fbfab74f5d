//! The store's upkeep, while the cloud runs: a backup, its numbers, the room that old versions take.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use azure::error::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::codes;
use crate::{
    service::{Body, Cx, Reply},
    store::{StoreError, backup},
};

/// A path.
const REQUEST_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Backup {
    to: PathBuf,
}

pub(super) async fn write_backup(cx: &Cx, body: Body) -> Result<Reply> {
    let asked: Backup = body.json(REQUEST_BYTES, |error| codes::BAD_BACKUP.with([error.to_string()])).await?;
    if !asked.to.is_absolute() {
        return Err(codes::BAD_BACKUP.with(["it is to go to a directory with its whole path"]));
    }
    let written = backup::write(&cx.env.store, &cx.env.content, &asked.to).await.map_err(failed)?;
    if let Some(data) = &cx.env.settings.data {
        copy_folder(&data.join("ca"), &asked.to.join("ca"))
            .map_err(|error| codes::UPKEEP_FAILED.with([format!("copying the certificates: {error}")]))?;
    }
    Ok(Reply::json(200, &shown(&written)))
}

pub(crate) fn shown(summary: &backup::Summary) -> Value {
    json!({ "rows": summary.rows, "bodies": summary.bodies, "copied": summary.copied })
}

pub(super) async fn stats(cx: &Cx) -> Result<Reply> {
    let stats = cx.env.store.stats().await.map_err(failed)?;
    let value: Vec<Value> =
        stats.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    Ok(Reply::json(200, &json!({ "value": value })))
}

pub(super) async fn compact(cx: &Cx) -> Result<Reply> {
    cx.env.store.compact().await.map_err(failed)?;
    stats(cx).await
}

/// The operator owns the disk, and hears what it said.
fn failed(error: StoreError) -> azure::error::Error {
    codes::UPKEEP_FAILED.with([error.to_string()])
}

/// Copies the files of a folder that has no folders in it. One that is not there has none.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            // Permissions go along: a private key's copy is as private.
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
