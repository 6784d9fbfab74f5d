//! What can go wrong below every service. None of these texts reaches a caller of Azure's APIs: services answer
//! their protocol's internal error and the log gets this.

use std::{fmt, io, path::PathBuf, sync::Arc};

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// Others kept writing what this transaction had read.
    Conflict { attempts: u32 },
    /// The store was closed; the write did not happen.
    Closed,
    /// A write failed, so what is on disk is no longer certain: reads go on, writes are refused until reopened.
    /// Whether the writes that were under way are there is only known then.
    ReadOnly { cause: Arc<StoreError> },
    /// Another process has this directory open.
    Locked { dir: PathBuf, pid: Option<u32> },
    /// A later version of the program wrote this.
    Newer { what: String, found: u32, known: u32 },
    /// What is stored is not what was written.
    Corrupt { what: String },
    /// A key or a value larger than every engine takes.
    TooLarge { table: &'static str, bytes: usize },
    /// A record does not fit its type.
    Record { table: &'static str, cause: serde_json::Error },
    /// No content file of this name.
    NoContent { id: String },
    /// The database refused, or could not be reached.
    Database { what: String, why: String },
    /// The bucket that bodies are in refused, or could not be reached.
    Objects { what: String, cause: Box<object_store::Error> },
    /// The operating system refused.
    Io { what: String, cause: io::Error },
}

impl StoreError {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        StoreError::Corrupt { what: what.into() }
    }

    pub(super) fn database(what: impl fmt::Display, why: impl Into<String>) -> Self {
        StoreError::Database { what: what.to_string(), why: why.into() }
    }

    pub(super) fn objects(what: impl fmt::Display, cause: object_store::Error) -> Self {
        StoreError::Objects { what: what.to_string(), cause: Box::new(cause) }
    }

    /// For `map_err`: says which file or act it was.
    pub(super) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> StoreError {
        move |cause| StoreError::Io { what: what.to_string(), cause }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Conflict { attempts } => {
                write!(f, "gave up after {attempts} attempts: others kept writing what this transaction read")
            }
            StoreError::Closed => f.write_str("the store is closed"),
            StoreError::ReadOnly { cause } => {
                write!(f, "the store takes no more writes until it is reopened, because one failed: {cause}")
            }
            StoreError::Locked { dir, pid: Some(pid) } => {
                write!(f, "`{}` is in use by process {pid}", dir.display())
            }
            StoreError::Locked { dir, pid: None } => write!(f, "`{}` is in use", dir.display()),
            StoreError::Newer { what, found, known } => write!(
                f,
                "{what} has format {found}, and this program knows up to {known}: use the version that wrote it"
            ),
            StoreError::Corrupt { what } => write!(f, "corrupt: {what}"),
            StoreError::TooLarge { table, bytes } => {
                write!(f, "{bytes} bytes are too many for a key or a value of table `{table}`")
            }
            StoreError::Record { table, cause } => write!(f, "a record of table `{table}`: {cause}"),
            StoreError::NoContent { id } => write!(f, "there is no content `{id}`"),
            StoreError::Database { what, why } => write!(f, "{what}: {why}"),
            StoreError::Objects { what, cause } => write!(f, "`{what}`: {cause}"),
            StoreError::Io { what, cause } => write!(f, "{what}: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::ReadOnly { cause } => Some(cause),
            StoreError::Record { cause, .. } => Some(cause),
            StoreError::Io { cause, .. } => Some(cause),
            StoreError::Objects { cause, .. } => Some(cause),
            StoreError::Conflict { .. }
            | StoreError::Closed
            | StoreError::Locked { .. }
            | StoreError::Newer { .. }
            | StoreError::Corrupt { .. }
            | StoreError::TooLarge { .. }
            | StoreError::NoContent { .. }
            | StoreError::Database { .. } => None,
        }
    }
}
