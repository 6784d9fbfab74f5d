//! Where a running cloud is: what `run.json` says and `status` answers.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub pid: u32,
    pub version: String,
    /// None for a cloud in memory.
    pub data: Option<PathBuf>,
    pub control: PathBuf,
    /// Our certificate, PEM.
    pub ca: PathBuf,
    /// What clients are to trust, PEM.
    pub bundle: PathBuf,
    pub offline: bool,
    /// Listeners by name: `proxy`, `tls`, `blob`, `cosmos`. One that is shut is not among them.
    pub addresses: BTreeMap<String, SocketAddr>,
}

/// A running cloud's place, and the way to end it.
pub struct Running {
    pub run: Run,
    stop: Notify,
}

impl Running {
    pub fn new(run: Run) -> Self {
        Running { run, stop: Notify::new() }
    }

    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Resolves when somebody asked for the end.
    pub async fn stopped(&self) {
        self.stop.notified().await;
    }
}
