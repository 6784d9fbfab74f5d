//! What is stored of containers and blobs.
//!
//! ```text
//! blob_containers    (account, container)      a container, and the random id that its rows are kept under
//! blobs              (id, name)                a blob: its properties, and where its body is
//! blob_bodies        (id, piece)               a body of at most 64 KiB; larger ones are files of `Content`
//! blob_block_lists   (id, list)                the committed blocks of a blob made of several
//! blob_uncommitted   (id, name, block)         a block that no list has named yet
//! blob_purges        id                        a container that is gone, whose rows are not yet
//! blob_files_counted 0                         that all of the above count the files they name
//! ```
//!
//! A container's rows hang on an id of its own, not on its name: deleting it takes one row away, at once and
//! however much it held, and its name is free again. What hung on the id is cleared behind the answer, page by
//! page (`purge.rs`). A record is small whatever the blob's size, and its body lies elsewhere, so that a listing
//! reads records alone.

use std::collections::{BTreeMap, HashSet};

use azure::{
    ids::{Guid, ObjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{acl::StoredPolicy, conditions::Stamp};
use crate::store::{Content, ContentId, Holds, Raw, Span, StoreError, Table, Txn, recount};

pub(super) const CONTAINERS: Table<(String, String), Container> = Table::new("blob_containers");
pub(super) const BLOBS: Table<(Guid, String), Blob> = Table::new("blobs");
pub(super) const BODIES: Table<(Guid, Guid), Raw> = Table::new("blob_bodies");
pub(super) const BLOCK_LISTS: Table<(Guid, Guid), Vec<Block>> = Table::new("blob_block_lists");
pub(super) const UNCOMMITTED: Table<(Guid, String, String), Block> = Table::new("blob_uncommitted");
pub(super) const PURGES: Table<Guid, ()> = Table::new("blob_purges");
pub(super) const COUNTED: Table<u64, ()> = Table::new("blob_files_counted");

/// Names and values, in the order they came.
pub(crate) type Metadata = Vec<(String, String)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    pub id: Guid,
    pub etag: u64,
    pub modified: Timestamp,
    pub public_access: PublicAccess,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Metadata,
    /// From which signatures take their terms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<StoredPolicy>,
    /// While there is one, nothing in the container is changed or deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_holds: Vec<LegalHold>,
}

/// A tag that somebody holds a container by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LegalHold {
    pub tag: String,
    pub since: Timestamp,
    pub by: Option<ObjectId>,
}

/// What an anonymous reader may see of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PublicAccess {
    #[default]
    None,
    /// Its blobs.
    Blob,
    /// Its blobs, and their names.
    Container,
}

impl Container {
    /// A container as it begins: closed, with nothing said about it.
    pub(crate) fn new(id: Guid, now: Timestamp) -> Self {
        let stamp = Stamp::next(now, None);
        Container {
            id,
            etag: stamp.etag,
            modified: stamp.modified,
            public_access: PublicAccess::None,
            metadata: Metadata::new(),
            policies: Vec::new(),
            legal_holds: Vec::new(),
        }
    }

    pub(in crate::products::storage) fn stamp(&self) -> Stamp {
        Stamp { etag: self.etag, modified: self.modified }
    }

    pub(crate) fn touch(&mut self, now: Timestamp) {
        let stamp = Stamp::next(now, Some(self.stamp()));
        (self.etag, self.modified) = (stamp.etag, stamp.modified);
    }

    pub(crate) fn is_held(&self) -> bool {
        !self.legal_holds.is_empty()
    }
}

/// A container by its name.
pub(crate) fn container(txn: &Txn, account: &str, name: &str) -> Result<Option<Container>, StoreError> {
    CONTAINERS.get(txn, &(account.to_owned(), name.to_owned()))
}

/// All containers of an account, by name.
pub(crate) fn containers(txn: &Txn, account: &str) -> Result<Vec<(String, Container)>, StoreError> {
    let rows = CONTAINERS.scan(txn, &(account,), None, usize::MAX)?;
    Ok(rows.into_iter().map(|((_, name), container)| (name, container)).collect())
}

/// Creates or replaces.
pub(crate) fn put_container(
    txn: &mut Txn,
    account: &str,
    name: &str,
    container: &Container,
) -> Result<(), StoreError> {
    CONTAINERS.put(txn, &(account.to_owned(), name.to_owned()), container)
}

/// Takes a container's row away, which is all it takes for its name to be free, and marks what hung on it.
pub(crate) fn drop_container(
    txn: &mut Txn,
    account: &str,
    name: &str,
    container: &Container,
) -> Result<(), StoreError> {
    CONTAINERS.delete(txn, &(account.to_owned(), name.to_owned()))?;
    PURGES.put(txn, &container.id, &())
}

/// The same for all of an account's.
pub(crate) fn drop_account(txn: &mut Txn, account: &str) -> Result<(), StoreError> {
    for (name, container) in containers(txn, account)? {
        drop_container(txn, account, &name, &container)?;
    }
    Ok(())
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) etag: u64,
    pub(super) modified: Timestamp,
    pub(super) created: Timestamp,
    pub(super) length: u64,
    pub(super) body: Place,
    pub(super) headers: ContentHeaders,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) metadata: Metadata,
}

/// What a reader is told of the content beside its length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ContentHeaders {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    /// Base64, as it was given or computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) md5: Option<String>,
}

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Place {
    Empty,
    /// A row of `blob_bodies`.
    Row(Guid),
    /// A file.
    File(ContentId),
    /// The blocks of a row of `blob_block_lists`, one behind the other.
    Blocks(Guid),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Block {
    /// The client's name for it, base64 as it came.
    pub(super) id: String,
    pub(super) length: u64,
    /// `Empty`, `Row` or `File`.
    pub(super) body: Place,
}

impl Blob {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { etag: self.etag, modified: self.modified }
    }

    pub(super) fn touch(&mut self, now: Timestamp) {
        let stamp = Stamp::next(now, Some(self.stamp()));
        (self.etag, self.modified) = (stamp.etag, stamp.modified);
    }

    /// Its blocks; none for a blob that was put whole.
    pub(super) fn blocks(&self, txn: &Txn, container: Guid) -> Result<Vec<Block>, StoreError> {
        match self.body {
            Place::Blocks(list) => Ok(BLOCK_LISTS.get(txn, &(container, list))?.unwrap_or_default()),
            Place::Empty | Place::Row(_) | Place::File(_) => Ok(Vec::new()),
        }
    }
}

/// The bodies that a transaction's records come to name and cease to. Rows of bodies go with it; files are counted, and
/// the last mention of one says that it is to be removed once all this has committed. What is named is said first.
#[derive(Default)]
pub(super) struct Bodies {
    named: HashSet<Place>,
    files: Holds,
}

impl Bodies {
    /// A record names this body.
    pub(super) fn name(&mut self, body: Place) {
        self.named.insert(body);
        if let Place::File(id) = body {
            self.files.hold(id);
        }
    }

    /// A record that named this body is gone, or names another.
    pub(super) fn forget(&mut self, txn: &mut Txn, container: Guid, body: Place) -> Result<(), StoreError> {
        match body {
            Place::Empty => Ok(()),
            Place::Row(_) if self.named.contains(&body) => Ok(()),
            Place::Row(piece) => BODIES.delete(txn, &(container, piece)),
            Place::File(id) => {
                self.files.release(id);
                Ok(())
            }
            Place::Blocks(list) => {
                let blocks = BLOCK_LISTS.get(txn, &(container, list))?.unwrap_or_default();
                BLOCK_LISTS.delete(txn, &(container, list))?;
                blocks.iter().try_for_each(|block| self.forget(txn, container, block.body))
            }
        }
    }

    /// Writes the counts. Gives the files that no record names any more.
    pub(super) fn settle(self, txn: &mut Txn, content: &Content) -> Result<Vec<ContentId>, StoreError> {
        content.settle(txn, self.files)
    }
}

/// Counts the files of a cloud that an earlier version wrote, which counted none. Once done, it is never done again.
pub(super) fn count_files(txn: &mut Txn) -> Result<(), StoreError> {
    if COUNTED.exists(txn, &0)? {
        return Ok(());
    }
    let mut named = BTreeMap::new();
    let mut see = |place: Place| {
        if let Place::File(id) = place {
            *named.entry(id).or_default() += 1;
        }
    };
    for row in BLOBS.rows(txn, Span::under(&())) {
        see(row?.1.body);
    }
    for row in BLOCK_LISTS.rows(txn, Span::under(&())) {
        row?.1.iter().for_each(|block| see(block.body));
    }
    for row in UNCOMMITTED.rows(txn, Span::under(&())) {
        see(row?.1.body);
    }
    recount(txn, &named)?;
    COUNTED.put(txn, &0, &())
}
