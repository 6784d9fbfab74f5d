//! What is done to blobs that are put whole, and what every blob is read by.
//!
//! A write judges its conditions on what `find` saw, before a byte of its body is read, and again in the
//! transaction, which also looks whether the container it began in is still that one.

use std::ops::Range;

use azure::{
    error::{Error, Result},
    ids::Guid,
    text,
    time::Timestamp,
};
use md5::{Digest, Md5};

use super::{
    Found,
    ask::Upload,
    codes,
    conditions::{Stamp, Write},
    containers, download, headers,
    op::Op,
    purge,
    range::Asked,
    records::{BLOBS, Blob, Bodies, CONTAINERS, Container, ContentHeaders, Metadata, Place, UNCOMMITTED},
    upload::{self, Received},
};
use crate::{
    service::{Body, Cx, Fault, Permit, Reply},
    store::{StoreError, Txn},
};

/// The largest range whose MD5 is computed on the way out (blob.md §9).
const MAX_SUMMED_RANGE: u64 = 4 << 20;

/// A blob as it is asked for, whose body is yet to come.
pub(super) struct Put {
    pub(super) upload: Upload,
    pub(super) headers: ContentHeaders,
    pub(super) metadata: Metadata,
}

/// A blob as somebody puts it.
pub(super) struct New {
    pub(super) length: u64,
    pub(super) body: Place,
    pub(super) headers: ContentHeaders,
    pub(super) metadata: Metadata,
}

pub(super) async fn put(
    cx: &Cx,
    op: &Op,
    permit: &Permit,
    found: &Found,
    put: Put,
    body: Body,
) -> Result<Reply> {
    let Put { upload, headers, metadata } = put;
    let container = containers::present(found.container.as_ref())?.id;
    op.conditions.judge_write(found.blob.as_ref().map(Blob::stamp), Write::Create)?;
    let received = upload::receive(cx, body, upload).await?;
    let md5 = received.md5_text();
    let headers = ContentHeaders { md5: headers.md5.or(Some(md5.clone())), ..headers };
    let new = New { length: received.length, body: received.body, headers, metadata };
    let stamp = commit(cx, op, permit, found, (container, &received, &new)).await?;
    let mut reply = Reply::new(201).with("content-md5", md5).with("x-ms-request-server-encrypted", "true");
    if let Some(crc64) = received.sums.crc64_text() {
        reply.set("x-ms-content-crc64", crc64);
    }
    headers::stamp(&mut reply, stamp);
    Ok(reply)
}

async fn commit(
    cx: &Cx,
    op: &Op,
    permit: &Permit,
    found: &Found,
    (container, received, new): (Guid, &Received, &New),
) -> Result<Stamp> {
    let now = cx.cloud.clock.now();
    let written = cx
        .write(|txn| {
            let mut bodies = Bodies::default();
            received.keep(txn, container, &mut bodies)?;
            may_overwrite(cx, txn, op, permit, found, container)?;
            let stamp = replace(txn, op, container, now, new, &mut bodies)?;
            Ok((stamp, bodies.settle(txn, &cx.env.content)?))
        })
        .await;
    match written {
        Ok((stamp, files)) => {
            received.is_named(cx).await;
            purge::remove_behind(&cx.env, files);
            Ok(stamp)
        }
        Err(error) => {
            received.give_up(cx, &error).await;
            Err(error)
        }
    }
}

/// Whoever may create may not write over what somebody else has created since.
fn may_overwrite(cx: &Cx, txn: &Txn, op: &Op, permit: &Permit, found: &Found, container: Guid) -> Result<()> {
    if found.blob.is_some() || !BLOBS.exists(txn, &key(op, container))? {
        return Ok(());
    }
    let more = super::demanded(op, found, true);
    permit.also(cx, txn, vec![more])?.map_err(|_| codes::UNAUTHORIZED_OVERWRITE.bare())
}

/// Puts a blob where the operation says: over whatever is there, if the conditions allow it. Blocks that were
/// waiting to be committed are gone with it (blob.md §11.7).
pub(super) fn replace(
    txn: &mut Txn,
    op: &Op,
    container: Guid,
    now: Timestamp,
    new: &New,
    bodies: &mut Bodies,
) -> Result<Stamp> {
    let place = still_there(txn, op, container)?;
    let key = key(op, container);
    let current = BLOBS.get(txn, &key)?;
    let before = current.as_ref().map(Blob::stamp);
    op.conditions.judge_write(before, Write::Create)?;
    if let Some(current) = &current {
        check_held(&place)?;
        bodies.forget(txn, container, current.body)?;
    }
    drop_uncommitted(txn, &key, bodies)?;
    let stamp = Stamp::next(now, before);
    let blob = Blob {
        etag: stamp.etag,
        modified: stamp.modified,
        created: current.map_or(now, |current| current.created),
        length: new.length,
        body: new.body,
        headers: new.headers.clone(),
        metadata: new.metadata.clone(),
    };
    BLOBS.put(txn, &key, &blob)?;
    Ok(stamp)
}

fn drop_uncommitted(txn: &mut Txn, key: &(Guid, String), bodies: &mut Bodies) -> Result<(), StoreError> {
    for (block_key, block) in UNCOMMITTED.scan(txn, &(key.0, key.1.as_str()), None, usize::MAX)? {
        bodies.forget(txn, key.0, block.body)?;
        UNCOMMITTED.delete(txn, &block_key)?;
    }
    Ok(())
}

/// The container, if it is still the one that the request was admitted for.
pub(super) fn still_there(txn: &Txn, op: &Op, container: Guid) -> Result<Container> {
    let current = CONTAINERS.get(txn, &containers::key(op))?.filter(|current| current.id == container);
    current.ok_or_else(|| codes::CONTAINER_NOT_FOUND.bare())
}

/// What is there is neither changed nor taken away while somebody holds the container; new blobs may come.
fn check_held(container: &Container) -> Result<()> {
    if container.is_held() { Err(codes::HELD_BLOB.bare()) } else { Ok(()) }
}

pub(super) fn key(op: &Op, container: Guid) -> (Guid, String) {
    (container, op.address.blob().unwrap_or_default().to_owned())
}

/// The blob that the operation names, or what it is that is missing.
fn present(found: &Found) -> Result<&Blob> {
    containers::present(found.container.as_ref())?;
    found.blob.as_ref().ok_or_else(|| codes::BLOB_NOT_FOUND.bare())
}

/// The blob, if the conditions let it be read. Before 2013-08-15 they were judged as a write's.
fn readable<'f>(op: &Op, found: &'f Found) -> Result<&'f Blob> {
    let blob = present(found)?;
    if op.version() >= super::version::Version::CONDITIONAL_READS {
        op.conditions.judge_read(blob.stamp())?;
    } else {
        op.conditions.judge_write(Some(blob.stamp()), Write::Change)?;
    }
    Ok(blob)
}

pub(super) fn properties(op: &Op, found: &Found) -> Result<Reply> {
    let blob = readable(op, found)?;
    let mut reply = Reply::new(200);
    headers::blob(&mut reply, blob);
    // Only HEAD tells the length of what it does not send; Get Blob Metadata by GET has no body at all.
    if op.is_head {
        reply.set("content-length", blob.length.to_string());
    }
    Ok(reply)
}

/// How often a blob that keeps being replaced is looked for.
const ATTEMPTS: usize = 16;

/// Why there is no answer yet.
enum Miss {
    /// The file was removed between the look at the record and the opening: the blob has been replaced.
    Replaced,
    Refused(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Miss::Refused(error)
    }
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoContent { .. } => Miss::Replaced,
            other => Miss::Refused(other.into()),
        }
    }
}

pub(super) async fn get(
    cx: &Cx,
    op: &Op,
    mut found: Found,
    asked: Option<Asked>,
    with_md5: bool,
) -> Result<Reply> {
    for _ in 0..ATTEMPTS {
        match answer(cx, op, found, asked, with_md5).await {
            Ok(reply) => return Ok(reply),
            Err(Miss::Refused(error)) => return Err(error),
            Err(Miss::Replaced) => found = cx.read(|txn| super::look(cx, txn, op, true)).await?,
        }
    }
    Err(Fault::Unavailable.because("the blob was replaced each time before it could be opened"))
}

async fn answer(
    cx: &Cx,
    op: &Op,
    mut found: Found,
    asked: Option<Asked>,
    with_md5: bool,
) -> Result<Reply, Miss> {
    let source = found.source.take();
    let blob = readable(op, &found)?;
    let source = source.ok_or_else(|| codes::BLOB_NOT_FOUND.bare())?;
    let mut reply = Reply::new(200);
    headers::blob(&mut reply, blob);
    let Some(asked) = asked else {
        reply.set("content-length", blob.length.to_string());
        return Ok(download::attach(cx, reply, source, 0..blob.length).await?);
    };
    let range = asked.within(blob.length)?;
    describe_part(&mut reply, &range, blob.length);
    if !with_md5 {
        return Ok(download::attach(cx, reply, source, range).await?);
    }
    if range.end - range.start > MAX_SUMMED_RANGE {
        let error = codes::INVALID_HEADER.bare();
        let error = error.and("HeaderName", "x-ms-range-get-content-md5").and("HeaderValue", "true");
        return Err(error.into());
    }
    let bytes = download::whole(cx, source, range).await?;
    reply.set("content-md5", text::base64(Md5::digest(&bytes)));
    Ok(reply.streamed(http_body_util::Full::new(bytes)))
}

fn describe_part(reply: &mut Reply, range: &Range<u64>, length: u64) {
    reply.status = http::StatusCode::PARTIAL_CONTENT;
    reply.set("content-range", format!("bytes {}-{}/{length}", range.start, range.end - 1));
    reply.set("content-length", (range.end - range.start).to_string());
    // The MD5 of an answer is the MD5 of its body: the blob's own goes elsewhere.
    if let Some(md5) = reply.headers.remove("content-md5") {
        reply.headers.insert("x-ms-blob-content-md5", md5);
    }
}

pub(super) async fn delete(cx: &Cx, op: &Op, found: &Found) -> Result<Reply> {
    let container = containers::present(found.container.as_ref())?.id;
    let files = cx
        .write(|txn| {
            let blob = current(txn, op, container)?;
            let mut bodies = Bodies::default();
            bodies.forget(txn, container, blob.body)?;
            let key = key(op, container);
            drop_uncommitted(txn, &key, &mut bodies)?;
            BLOBS.delete(txn, &key)?;
            Ok(bodies.settle(txn, &cx.env.content)?)
        })
        .await?;
    purge::remove_behind(&cx.env, files);
    Ok(Reply::new(202).with("x-ms-delete-type-permanent", "true"))
}

pub(super) async fn set_properties(
    cx: &Cx,
    op: &Op,
    found: &Found,
    headers: &ContentHeaders,
) -> Result<Reply> {
    change(cx, op, found, |blob| blob.headers.clone_from(headers)).await
}

pub(super) async fn set_metadata(cx: &Cx, op: &Op, found: &Found, metadata: &Metadata) -> Result<Reply> {
    let reply = change(cx, op, found, |blob| blob.metadata.clone_from(metadata)).await?;
    Ok(reply.with("x-ms-request-server-encrypted", "true"))
}

async fn change(cx: &Cx, op: &Op, found: &Found, change: impl Fn(&mut Blob)) -> Result<Reply> {
    let container = containers::present(found.container.as_ref())?.id;
    let stamp = cx
        .write(|txn| {
            let mut blob = current(txn, op, container)?;
            change(&mut blob);
            blob.touch(cx.now);
            BLOBS.put(txn, &key(op, container), &blob)?;
            Ok(blob.stamp())
        })
        .await?;
    let mut reply = Reply::new(200);
    headers::stamp(&mut reply, stamp);
    Ok(reply)
}

/// The blob as it is in the transaction, if the conditions let it be changed.
fn current(txn: &Txn, op: &Op, container: Guid) -> Result<Blob> {
    let place = still_there(txn, op, container)?;
    let blob = BLOBS.get(txn, &key(op, container))?.ok_or_else(|| codes::BLOB_NOT_FOUND.bare())?;
    check_held(&place)?;
    op.conditions.judge_write(Some(blob.stamp()), Write::Change)?;
    Ok(blob)
}
