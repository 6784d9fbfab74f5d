//! Where a cloud's rows and large bodies are: what `up` and the commands for upkeep are told alike.

use std::path::Path;

use super::home::Home;
use crate::{
    StartError,
    cloud::Chance,
    s3,
    store::{Bucket, Content, Store, bodies},
};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Places {
    /// Keep everything but large bodies in a PostgreSQL database, which other processes may share
    #[arg(long, value_name = "URL", env = "ZAFFRE_STORE", hide_env_values = true)]
    pub(super) store: Option<String>,
    /// Where large bodies are kept: a directory, or s3://BUCKET/PREFIX [default: in the data directory]
    #[arg(long, value_name = "DIR|URL", env = "ZAFFRE_CONTENT")]
    pub(super) content: Option<String>,
}

impl Places {
    /// The rows and the bodies, for a process that reads and writes them.
    pub(super) async fn open(&self, home: &Home) -> Result<(Store, Content), StartError> {
        let (address, dir) = (self.store.clone(), home.path().join("store"));
        let open = move || match address {
            Some(address) => Store::connect(&address),
            None => Store::open(&dir),
        };
        let store = tokio::task::spawn_blocking(open).await??;
        let content = self.bodies(home, Some(&store))?;
        bodies::settle(&store, &content, Chance::system().draw().guid()).await?;
        Ok((store, content))
    }

    /// The bodies alone. Without rows a bucket is read and restored into, and no more.
    pub(super) fn bodies(&self, home: &Home, rows: Option<&Store>) -> Result<Content, StartError> {
        match &self.content {
            Some(address) if s3::is_address(address) => {
                let place = s3::open(address, |name| std::env::var(name).ok())?;
                let rows = rows.map(|store| (store.clone(), Chance::system().draw().guid()));
                let bucket = Bucket::new(place.objects, &place.prefix, &place.name, rows)?;
                Ok(Content::in_bucket(bucket))
            }
            Some(dir) => Ok(Content::in_dir(Path::new(dir))?),
            None => Ok(Content::in_dir(&home.path().join("content"))?),
        }
    }
}
