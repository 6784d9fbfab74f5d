//! Names that are unique in the cloud, because a host carries them: `acct.blob.core.windows.net`.

use azure::{error::Result, ids::ResourceId};

use super::moving::Move;
use crate::store::{Table, Txn};

const NAMES: Table<(String, String), ResourceId> = Table::new("names");

/// Whose hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// `{name}.blob.core.windows.net` and its siblings.
    Storage,
    /// `{name}.documents.azure.com`.
    Cosmos,
    /// `{label}.{location}.cloudapp.azure.com`, whole.
    CloudApp,
}

impl Space {
    const fn key(self) -> &'static str {
        match self {
            Space::Storage => "storage",
            Space::Cosmos => "cosmos",
            Space::CloudApp => "cloudapp",
        }
    }
}

fn key(space: Space, name: &str) -> (String, String) {
    (space.key().to_owned(), name.to_ascii_lowercase())
}

/// Whose name this is.
pub fn find(txn: &Txn, space: Space, name: &str) -> Result<Option<ResourceId>> {
    Ok(NAMES.get(txn, &key(space, name))?)
}

/// Takes a name for a resource. False where another has it.
pub fn claim(txn: &mut Txn, space: Space, name: &str, id: &ResourceId) -> Result<bool> {
    let is_free = find(txn, space, name)?.is_none_or(|holder| holder == *id);
    if is_free {
        NAMES.put(txn, &key(space, name), id)?;
    }
    Ok(is_free)
}

pub fn release(txn: &mut Txn, space: Space, name: &str) -> Result<()> {
    Ok(NAMES.delete(txn, &key(space, name))?)
}

/// Names stay with their resource, wherever it is.
pub fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    for (name, holder) in NAMES.scan(txn, &(), None, usize::MAX)? {
        if let Some(new) = moved.of(&holder) {
            NAMES.put(txn, &name, &new)?;
        }
    }
    Ok(())
}
