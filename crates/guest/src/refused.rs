//! What went wrong while a guest was made or asked: the step, in words, and the reason, in the kernel's.
//!
//! Most failures here are a machine that does not allow something, and whoever reads the message must learn which thing: "refused:
//! make the guest's namespaces: Operation not permitted". So no `?` goes without a name for its step (see [`Named`]).

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A step that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The step, as a phrase: "mount /proc".
    pub what: String,
    /// The reason.
    pub why: String,
    /// The kernel's error number, where it was the kernel that refused.
    pub errno: Option<i32>,
}

impl Refused {
    /// A refusal of our own, with no error number.
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Refused {
        Refused { what: what.into(), why: why.into(), errno: None }
    }

    /// Whether the reason is that a file is missing: a shell would answer 127.
    pub fn is_not_found(&self) -> bool {
        self.errno == Some(libc::ENOENT)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Refused {}

/// What can be wrong with a guest, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestError {
    /// A step was refused; the guest is as it was before (or was never made).
    Refused(Refused),
    /// The guest is no longer there: stopped, or dead by itself.
    Dead,
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestError::Refused(refused) => write!(f, "refused: {refused}"),
            GuestError::Dead => f.write_str("the guest is not running"),
        }
    }
}

impl std::error::Error for GuestError {}

impl From<Refused> for GuestError {
    fn from(refused: Refused) -> GuestError {
        GuestError::Refused(refused)
    }
}

/// Gives a failed call the name of the step it belongs to.
pub(crate) trait Named<T> {
    fn named(self, what: impl FnOnce() -> String) -> Result<T, Refused>;

    fn at(self, what: &str) -> Result<T, Refused>
    where
        Self: Sized,
    {
        self.named(|| what.to_string())
    }
}

impl<T, E: Into<io::Error>> Named<T> for Result<T, E> {
    fn named(self, what: impl FnOnce() -> String) -> Result<T, Refused> {
        self.map_err(|error| {
            let error = error.into();
            Refused { what: what(), why: error.to_string(), errno: error.raw_os_error() }
        })
    }
}
