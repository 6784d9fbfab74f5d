//! The Blob service: `{account}.blob.core.windows.net`, and the drop-in port.
//!
//! ```text
//! address.rs   which account, container, blob          auth.rs    who asks
//! op.rs        the table of operations                 codes.rs   the table of errors
//! ask.rs       what each reads of its request          render.rs  how errors and answers look
//!
//! containers.rs  blobs.rs  blocks.rs  list.rs  account.rs       what is done
//! records.rs   what is stored                          purge.rs   what is cleared up afterwards
//! upload.rs    a body on its way in                    download.rs  and out
//!
//! version.rs  conditions.rs  range.rs  checksum.rs  xml.rs      rules: they read no clock and no store
//! ```
//!
//! A request is read whole by `parse`; `find` looks up the account, the container and the blob on one snapshot,
//! with a small body's bytes, so that most reads touch the store once. Bodies are never wholly in memory beyond 64
//! KiB. Writes look again inside their own transaction.
//!
//! Not here yet, and answered with a 501 that names them: leases, snapshots, versions, tags, tiers, copies, append
//! and page blobs, access policies and shared access signatures.

mod account;
mod address;
mod ask;
mod attributes;
mod auth;
mod blobs;
mod blocks;
mod checksum;
mod codes;
pub(crate) mod conditions;
mod containers;
mod download;
mod headers;
mod list;
mod op;
pub(crate) mod purge;
mod range;
pub(crate) mod records;
mod render;
mod upload;
mod version;
mod xml;

#[cfg(test)]
mod tests;

use azure::{
    action::Action,
    error::{Error, Result, Row},
    ids::{Guid, ResourceId},
    rbac::{Access, Plane},
};

use self::{
    address::{Level, Target},
    ask::Ask,
    download::Source,
    op::{Op, Public},
    records::{BLOBS, BODIES, Blob, CONTAINERS, Container, Place, PublicAccess},
};
use crate::{
    access::Why,
    door::Entrance,
    products::storage::keys::Account,
    service::{Body, Caller, Cx, Fault, Parts, Permit, Refusal, Reply, Requirement, Service},
    store::{StoreError, Txn},
};

pub struct BlobService;

/// Every action that an operation demands, for Resource Manager's lists.
pub(super) fn demands() -> Vec<(Plane, &'static Action)> {
    op::demands()
}

/// What is stored about what a request names; absence is a value.
pub struct Found {
    account: Option<Account>,
    container: Option<Container>,
    blob: Option<Blob>,
    /// Where the blob's bytes are, for those who will send them.
    source: Option<Source>,
}

impl Service for BlobService {
    type Op = Op;
    type Found = Found;
    const NAME: &'static str = "blob";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        Op::of(parts)
    }

    fn find(&self, cx: &Cx, txn: &Txn, op: &Op) -> Result<Found> {
        Ok(look(cx, txn, op, matches!(op.ask, Ask::GetBlob { .. }))?)
    }

    fn authenticate(&self, cx: &Cx, op: &Op, found: &Found, parts: &Parts) -> Result<Caller> {
        auth::authenticate(cx, op, found, parts)
    }

    fn requires(&self, _cx: &Cx, op: &Op, found: &Found, caller: &Caller) -> Requirement {
        if caller.is_anonymous() && is_public(op, found) {
            return Requirement::Open;
        }
        let on = scope(op, found);
        let attributes = attributes::of(op);
        let access = Access { attributes, ..Access::any(op.row.any, on, op.row.plane) };
        Requirement::Access { all: vec![access], later: false }
    }

    fn refuse(&self, cx: &Cx, op: &Op, _found: &Found, refusal: &Refusal) -> Error {
        match &refusal.why {
            Why::Anonymous if op.version() >= version::Version::CHALLENGES => {
                auth::challenge(cx, codes::NO_AUTHENTICATION.bare())
            }
            Why::Anonymous => codes::RESOURCE_NOT_FOUND.bare(),
            // No operation is for guests alone.
            Why::Denied { .. } | Why::NotAGuest => codes::PERMISSION_MISMATCH.bare(),
        }
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        match fault {
            Fault::BadHead => &codes::BAD_HEAD,
            Fault::HeadTooLarge => &codes::HEAD_TOO_LARGE,
            Fault::Misdirected => &codes::MISDIRECTED,
            Fault::Internal => &codes::INTERNAL,
            Fault::Unavailable => &codes::BUSY,
            Fault::BodyTooLarge => &codes::BODY_TOO_LARGE,
            Fault::BodyCutShort => &codes::BODY_CUT_SHORT,
            Fault::BodyTooSlow => &codes::TIMED_OUT,
        }
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Op, found: Found, body: Body) -> Result<Reply> {
        handle(cx, op, found, body).await
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        render::dress(cx, parts, reply);
    }

    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        render::error(cx, parts, error)
    }

    fn describe(&self, op: &Op) -> String {
        op.row.name.to_owned()
    }
}

/// What the store has of what the operation names; with the whereabouts of the bytes for those who will send them.
fn look(cx: &Cx, txn: &Txn, op: &Op, with_source: bool) -> Result<Found, StoreError> {
    let account = if cx.door.entrance == Entrance::Blob {
        Account::at_drop_in(txn, cx.cloud.charter.subscription, &op.address.account)?
    } else {
        Account::named(txn, &op.address.account)?
    };
    let mut found = Found { account, container: None, blob: None, source: None };
    if found.account.is_some() && op.address.level() != Level::Account {
        found.container = CONTAINERS.get(txn, &containers::key(op))?;
    }
    if let (Some(container), Target::Blob { .. }) = (&found.container, &op.address.target) {
        found.blob = BLOBS.get(txn, &blobs::key(op, container.id))?;
        if let Some(blob) = found.blob.as_ref().filter(|_| with_source) {
            found.source = Some(source(txn, container.id, blob)?);
        }
    }
    Ok(found)
}

async fn handle(cx: &Cx, mut op: Op, found: Found, body: Body) -> Result<Reply> {
    let ask = std::mem::replace(&mut op.ask, Ask::NothingYet);
    let op = &op;
    let account = found.account.as_ref().ok_or_else(|| codes::RESOURCE_NOT_FOUND.bare())?;
    if op.has_lease_id && !matches!(ask, Ask::NothingYet) {
        return Err(no_lease(op.address.level()));
    }
    match ask {
        Ask::NothingYet => Err(codes::NOT_IMPLEMENTED.with([op.row.name])),
        Ask::AccountInformation => Ok(account::information(account)),
        Ask::ServiceProperties => Ok(account::service_properties(account)),
        Ask::ListContainers(page) => account::containers(cx, op, &page).await,
        Ask::CreateContainer { public_access, metadata } => {
            if public_access != PublicAccess::None && !account.settings.allows_public_access {
                return Err(codes::PUBLIC_NOT_PERMITTED.bare());
            }
            containers::create(cx, op, &containers::New { public_access, metadata }).await
        }
        Ask::ContainerProperties => containers::present(found.container.as_ref()).map(containers::properties),
        Ask::SetContainerMetadata { metadata } => containers::set_metadata(cx, op, &metadata).await,
        Ask::DeleteContainer => containers::delete(cx, op).await,
        Ask::ListBlobs(page) => {
            let container = containers::present(found.container.as_ref())?.id;
            let xml = cx.read(|txn| Ok(list::blobs(txn, op, container, &page)?)).await?;
            Ok(Reply::new(200).typed("application/xml", xml))
        }
        Ask::PutBlob { upload, headers, metadata } => {
            blobs::put(cx, op, &found, upload, headers, metadata, body).await
        }
        Ask::GetBlob { range, with_md5 } => blobs::get(cx, op, found, range, with_md5).await,
        Ask::BlobProperties => blobs::properties(op, &found),
        Ask::DeleteBlob => blobs::delete(cx, op, &found).await,
        Ask::SetBlobProperties { headers } => blobs::set_properties(cx, op, &found, &headers).await,
        Ask::SetBlobMetadata { metadata } => blobs::set_metadata(cx, op, &found, &metadata).await,
        Ask::PutBlock { id, upload } => blocks::put(cx, op, &found, &id, upload, body).await,
        Ask::PutBlockList { expected, headers, metadata } => {
            blocks::put_list(cx, op, &found, expected, headers, metadata, body).await
        }
        Ask::GetBlockList(which) => blocks::get_list(cx, op, &found, which).await,
    }
}

/// There are no leases yet, so whoever names one names one that is not there (blob.md §11.7).
fn no_lease(level: Level) -> Error {
    match level {
        Level::Blob => codes::NO_BLOB_LEASE.bare(),
        Level::Account | Level::Container => codes::NO_CONTAINER_LEASE.bare(),
    }
}

fn source(txn: &Txn, container: Guid, blob: &Blob) -> Result<Source, StoreError> {
    Ok(match blob.body {
        Place::Empty => Source::Inline(bytes::Bytes::new()),
        Place::Row(piece) => {
            let row = BODIES.get(txn, &(container, piece))?;
            Source::Inline(row.ok_or_else(|| StoreError::NoContent { id: piece.to_string() })?.0)
        }
        Place::File(id) => Source::File(id),
        Place::Blocks(_) => Source::Blocks { container, blocks: blob.blocks(txn, container)? },
    })
}

/// Whether anybody at all may do this: both the account and the container must say so.
fn is_public(op: &Op, found: &Found) -> bool {
    let (Some(account), Some(container)) = (&found.account, &found.container) else { return false };
    account.settings.allows_public_access
        && match op.row.public {
            Public::Never => false,
            Public::Blob => container.public_access != PublicAccess::None,
            Public::Container => container.public_access == PublicAccess::Container,
        }
}

/// Where in Azure the thing is: `{account}/blobServices/default/containers/{c}/blobs/{b}` (rbac.md §5).
fn scope(op: &Op, found: &Found) -> ResourceId {
    let Some(account) = &found.account else { return ResourceId::root() };
    let Some(container) = op.address.container() else { return account.id.clone() };
    let container = account.id.child("blobServices", "default").child("containers", container);
    match op.address.blob() {
        Some(blob) => container.child("blobs", blob),
        None => container,
    }
}
