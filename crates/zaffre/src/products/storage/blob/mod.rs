//! The Blob service: `{account}.blob.core.windows.net`, and the drop-in port.
//!
//! ```text
//! address.rs   which account, container, blob          auth.rs    who asks
//! op.rs        the table of operations                 signed.rs  who asks by a shared access signature
//! codes.rs     the table of errors                     delegation.rs  the keys that principals sign with
//! ask.rs       what each reads of its request          render.rs  how errors and answers look
//!
//! containers.rs  acl.rs  blobs.rs  blocks.rs  list.rs  account.rs       what is done
//! records.rs   what is stored                          purge.rs   what is cleared up afterwards
//! upload.rs    a body on its way in                    download.rs  and out
//!
//! version.rs  conditions.rs  range.rs  checksum.rs  xml.rs  elements.rs      rules: they read no clock and no store
//! ```
//!
//! A request is read whole by `parse`; `find` looks up the account, the container and the blob on one snapshot,
//! with a small body's bytes, so that most reads touch the store once. Bodies are never wholly in memory beyond 64
//! KiB. Writes look again inside their own transaction.
//!
//! Not here yet, and answered with a 501 that names them: leases, snapshots, versions, tags, tiers, copies, append
//! and page blobs, and signatures for snapshots, versions and encryption scopes.

mod account;
mod acl;
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
mod delegation;
mod download;
mod elements;
mod headers;
mod list;
mod op;
pub(crate) mod purge;
mod range;
pub(crate) mod records;
mod render;
mod signed;
mod upload;
mod version;
mod xml;

#[cfg(test)]
mod tests;

use azure::{
    action::Action,
    error::{Error, Result, Row},
    ids::{Guid, ObjectId, ResourceId},
    principal::Principal,
    rbac::{Access, Plane},
    sas::{Grant, Kind, Mismatch, Sas},
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
    directory,
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

/// The operations that are done, as the log names them: a method and a name, some more than once.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_done = |row: &&op::Row| row.is_done();
    op::OPERATIONS.iter().filter(is_done).flat_map(|row| row.methods.iter().map(|it| (it.as_str(), row.name)))
}

/// What is stored about what a request names; absence is a value.
pub struct Found {
    account: Option<Account>,
    container: Option<Container>,
    blob: Option<Blob>,
    /// Who gave leave to the signature's bearer, as the directory has them now.
    delegator: Option<Principal>,
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
        look(cx, txn, op, matches!(op.ask, Ask::GetBlob { .. }))
    }

    fn authenticate(&self, cx: &Cx, op: &Op, found: &Found, parts: &Parts) -> Result<Caller> {
        auth::authenticate(cx, op, found, parts)
    }

    fn requires(&self, _cx: &Cx, op: &Op, found: &Found, caller: &Caller) -> Requirement {
        if caller.is_anonymous() && is_public(op, found) {
            return Requirement::Open;
        }
        Requirement::Access { all: vec![demanded(op, found, found.blob.is_some())], later: false }
    }

    fn refuse(&self, cx: &Cx, op: &Op, found: &Found, refusal: &Refusal) -> Error {
        match &refusal.why {
            Why::Anonymous if op.version() >= version::Version::CHALLENGES => {
                auth::challenge(cx, codes::NO_AUTHENTICATION.bare())
            }
            Why::Anonymous => codes::RESOURCE_NOT_FOUND.bare(),
            Why::Denied { access, .. } => match &refusal.caller {
                Caller::Sas(grant) => not_signed(op, found, grant, access).bare(),
                _ => codes::PERMISSION_MISMATCH.bare(),
            },
            // No operation is for guests alone.
            Why::NotAGuest => codes::PERMISSION_MISMATCH.bare(),
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

    async fn handle(&self, cx: &Cx, permit: Permit, op: Op, found: Found, body: Body) -> Result<Reply> {
        let overrides: Vec<_> = overrides(&op);
        let mut reply = handle(cx, &permit, op, found, body).await?;
        overrides.into_iter().for_each(|(name, value)| reply.set(name, value));
        Ok(reply)
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
fn look(cx: &Cx, txn: &Txn, op: &Op, with_source: bool) -> Result<Found> {
    let account = if cx.door.entrance == Entrance::Blob {
        Account::at_drop_in(txn, cx.cloud.charter.subscription, &op.address.account)?
    } else {
        Account::named(txn, &op.address.account)?
    };
    let mut found = Found { account, container: None, blob: None, delegator: None, source: None };
    if let Some(Kind::UserDelegation { key, .. }) = op.sas.as_ref().map(|sas| &sas.kind) {
        let id = ObjectId(key.object_id);
        found.delegator = directory::principal_of(txn, &cx.cloud.charter, id)?;
    }
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

async fn handle(cx: &Cx, permit: &Permit, mut op: Op, found: Found, body: Body) -> Result<Reply> {
    let ask = std::mem::replace(&mut op.ask, Ask::NothingYet);
    let op = &op;
    let account = found.account.as_ref().ok_or_else(|| codes::RESOURCE_NOT_FOUND.bare())?;
    if op.has_lease_id && !matches!(ask, Ask::NothingYet) {
        return Err(no_lease(op.address.level()));
    }
    match ask {
        Ask::NothingYet => Err(codes::NOT_IMPLEMENTED.with([op.row.name])),
        Ask::AccountInformation => Ok(account::information(account)),
        Ask::UserDelegationKey => delegation::get_key(cx, op, permit, &found, body).await,
        Ask::ServiceProperties => Ok(account::service_properties(account)),
        Ask::ListContainers(page) => account::containers(cx, op, &page).await,
        Ask::CreateContainer { public_access, metadata } => {
            check_public(account, public_access)?;
            containers::create(cx, op, &containers::New { public_access, metadata }).await
        }
        Ask::ContainerProperties => containers::present(found.container.as_ref()).map(containers::properties),
        Ask::SetContainerMetadata { metadata } => containers::set_metadata(cx, op, &metadata).await,
        Ask::DeleteContainer => containers::delete(cx, op).await,
        Ask::ContainerAcl => containers::present(found.container.as_ref()).map(acl::get),
        Ask::SetContainerAcl { public_access } => {
            check_public(account, public_access)?;
            acl::set(cx, op, public_access, body).await
        }
        Ask::ListBlobs(page) => {
            let container = containers::present(found.container.as_ref())?.id;
            let xml = cx.read(|txn| Ok(list::blobs(txn, op, container, &page)?)).await?;
            Ok(Reply::new(200).typed("application/xml", xml))
        }
        Ask::PutBlob { upload, headers, metadata } => {
            let new = blobs::Put { upload, headers, metadata };
            blobs::put(cx, op, permit, &found, new, body).await
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

/// What the signature sets in an answer about a blob (blob.md §6).
fn overrides(op: &Op) -> Vec<(&'static str, String)> {
    let is_about_a_blob = matches!(op.ask, Ask::GetBlob { .. } | Ask::BlobProperties);
    let sas = op.sas.as_ref().filter(|_| is_about_a_blob);
    sas.into_iter().flat_map(Sas::overrides).map(|(name, value)| (name, value.to_owned())).collect()
}

fn check_public(account: &Account, access: PublicAccess) -> Result<()> {
    match access {
        PublicAccess::None => Ok(()),
        _ if account.settings.allows_public_access => Ok(()),
        PublicAccess::Blob | PublicAccess::Container => Err(codes::PUBLIC_NOT_PERMITTED.bare()),
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

/// What the operation demands, where the blob that it names is there already and where it is not.
fn demanded(op: &Op, found: &Found, is_there: bool) -> Access {
    let (any, signed) = op.demanded(is_there);
    let attributes = attributes::of(op);
    Access { attributes, signed: Some(signed), ..Access::any(any, scope(op, found), op.row.plane) }
}

/// Why a proved signature is not enough. One that is, is its delegator's.
fn not_signed(op: &Op, found: &Found, grant: &Grant, access: &Access) -> &'static Row {
    match grant.judge(access.signed, &access.on) {
        Err(Mismatch::Service) => &codes::SERVICE_MISMATCH,
        Err(Mismatch::ResourceType) => &codes::RESOURCE_TYPE_MISMATCH,
        Err(Mismatch::Never) => &codes::AUTHORIZATION_FAILURE,
        Err(Mismatch::Permission) if grant.judge(Some(op.row.signed), &scope(op, found)).is_ok() => {
            &codes::UNAUTHORIZED_OVERWRITE
        }
        Err(Mismatch::Permission) | Ok(()) => &codes::PERMISSION_MISMATCH,
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
