//! The host: what the rest of the program asks of whoever runs guests.
//!
//! Providers only write what a machine is to be; the reconciler makes guests follow, and it alone touches them. What others may
//! ask is here: to run a command in a machine that is running. `control` asks it for `zaffre vm exec`.

mod follower;
mod public_doors;

use std::{future::Future, net::SocketAddr, path::PathBuf, pin::Pin};

use azure::{error::Result, ids::ResourceId};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};

pub use self::{
    follower::Follower,
    public_doors::{Listed, PublicDoor, PublicDoors},
};
use crate::cloud::CloudId;

/// Whoever runs the guests of this process's clouds.
pub trait Guests: Send + Sync {
    /// Runs a command in a machine's guest. Refuses, in the operator's words, where no guest of that machine is running.
    fn exec<'a>(
        &'a self,
        cloud: CloudId,
        vm: &'a ResourceId,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Exec>> + Send + 'a>>;

    /// Resolves when a machine that should be on is; refuses as `exec` does.
    fn until_up<'a>(
        &'a self,
        cloud: CloudId,
        vm: &'a ResourceId,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// What a machine's console has shown since it was booted; none where it does not run.
    fn log(&self, cloud: CloudId, vm: &ResourceId) -> Option<String>;

    /// Whether this machine is simulated: its commands run on the host, and need the environment that makes them speak as it.
    fn is_on_host(&self, cloud: CloudId, vm: &ResourceId) -> bool;

    /// Where a machine is signed in to over SSH; none where it has no public address, or no group lets anybody in.
    fn ssh(&self, cloud: CloudId, vm: &ResourceId) -> Option<Ssh>;
}

/// A machine's SSH server, as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    pub address: SocketAddr,
    /// The machine's administrator.
    pub user: String,
    /// `ssh-ed25519 AAAA...`.
    pub host_key: String,
}

/// A command to run in a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub argv: Vec<String>,
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// As root, not as the machine's administrator.
    #[serde(default)]
    pub as_root: bool,
    /// A terminal of this size, instead of three pipes.
    #[serde(default)]
    pub tty: Option<Size>,
    /// Directories of the host that the machine is to have.
    #[serde(default)]
    pub shares: Vec<Share>,
}

/// A directory of the host, lent to a machine at the same path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub path: PathBuf,
    pub read_only: bool,
}

impl Share {
    pub(crate) fn as_lent(&self) -> guest::Share {
        guest::Share { host: self.path.clone(), guest: self.path.clone(), read_only: self.read_only }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// A running command.
pub struct Exec {
    /// Dropping it closes the command's stdin.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// All that a terminal shows, where there is one.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Nothing where there is a terminal.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Dropping it lets go of the command, which is then killed.
    pub nudge: mpsc::Sender<Nudge>,
    /// Nothing comes where the guest died.
    pub exit: oneshot::Receiver<Exit>,
}

/// What may be done to a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    Signal(i32),
    Resize(Size),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}
