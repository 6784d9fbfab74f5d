//! Where a running cloud is: what `run.json` says and `status` answers.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::env::Egress;

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
    /// The name or address at which clients reach the listeners, where that is another than they listen at.
    #[serde(default)]
    pub public_address: Option<String>,
    /// What machines reach outside their networks.
    #[serde(default)]
    pub egress: Egress,
    /// Listeners by name: `proxy`, `tls`, `blob`, `cosmos`. One that is shut is not among them.
    pub addresses: BTreeMap<String, SocketAddr>,
}

impl Run {
    /// Where clients reach a listener: at the host that they asked for, else at the one that `up` was told, else where it listens.
    /// None where it is shut.
    pub(crate) fn reached(&self, listener: &str, asked: Option<&str>) -> Option<String> {
        let address = self.addresses.get(listener)?;
        let here = match address.ip() {
            // At every address of a machine is at its loopback, too.
            IpAddr::V4(it) if it.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(it) if it.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        Some(match asked.or(self.public_address.as_deref()) {
            Some(host) => format!("{host}:{}", address.port()),
            None => SocketAddr::new(here, address.port()).to_string(),
        })
    }
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
