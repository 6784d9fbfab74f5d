//! `zaffre backup DIR` and `zaffre restore DIR`: everything at one moment to another place, and back.
//!
//! A cloud that is up writes its backup itself and goes on; of one that is down, and of a database, it is read here. What is in
//! virtual machines' disks is not part of it: the machines are, and start afresh.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{
    Outcome,
    client::{Client, refusal},
    home::Home,
    places::Places,
    say,
};
use crate::{StartError, control::upkeep, store::backup};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the backup is, or is to be: one that is there is brought up to date
    dir: PathBuf,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn write(args: Args, home: &Home) -> Outcome {
    let dir = std::path::absolute(&args.dir)?;
    let summary = match Unused::of(home)? {
        Some(_lock) => write_here(&args.places, home, &dir).await?,
        // A cloud is up.
        None => ask(&Client::find(home)?, &dir).await?,
    };
    say(&format!("{} is written: {}\n", dir.display(), words(&summary)))?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &Client<'_>, dir: &Path) -> Result<Value, StartError> {
    let body = serde_json::to_vec(&json!({ "to": dir }))?;
    let request = Request::builder().method(Method::POST).uri("/store/backup");
    let response = client.send(request, Bytes::from(body)).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    Err(refusal(&body).unwrap_or_else(|| format!("the cloud answered {status}")).into())
}

/// The hold on a data directory that no cloud has, or on none at all where there is no such directory.
struct Unused {
    _lock: Option<File>,
}

impl Unused {
    fn of(home: &Home) -> Result<Option<Self>, StartError> {
        if !home.path().exists() {
            return Ok(Some(Unused { _lock: None }));
        }
        Ok(home.lock().ok().map(|lock| Unused { _lock: Some(lock) }))
    }
}

async fn write_here(places: &Places, home: &Home, dir: &Path) -> Result<Value, StartError> {
    if places.store.is_none() && !home.path().join("store").exists() {
        return Err(format!("there is no cloud in `{}` to back up", home.path().display()).into());
    }
    let (store, content) = places.open(home).await?;
    let summary = backup::write(&store, &content, dir).await?;
    upkeep::copy_folder(&home.path().join("ca"), &dir.join("ca"))?;
    store.close().await?;
    Ok(upkeep::shown(&summary))
}

pub(super) async fn restore(args: Args, home: &Home) -> Outcome {
    home.make()?;
    let _lock = home.lock()?;
    let content = args.places.bodies(home, None)?;
    let summary = match &args.places.store {
        Some(url) => backup::restore_into_database(&args.dir, url, &content).await?,
        None => backup::restore(&args.dir, &home.path().join("store"), &content).await?,
    };
    // Clients trust the certificates that they were told of before.
    let ca = home.path().join("ca");
    let is_empty = fs::read_dir(&ca).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        upkeep::copy_folder(&args.dir.join("ca"), &ca)?;
    }
    let words = words(&upkeep::shown(&summary));
    say(&format!("{} is restored: {words}\n\nnext: {}\n", home.path().display(), home.to_type("up")))?;
    Ok(ExitCode::SUCCESS)
}

fn words(summary: &Value) -> String {
    format!("{} rows, {} bodies, {} of them copied", summary["rows"], summary["bodies"], summary["copied"])
}
