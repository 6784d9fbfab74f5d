//! Bodies in a bucket: content that several hosts share, behind S3's protocol.
//!
//! ```text
//! s3://bucket/prefix/
//!   home           whose bodies these are (`bodies`)
//!   3f/3f9c…e1     a finished body with its seal
//! ```
//!
//! An object appears when it is whole, so nothing here is ever half written: what a writer that died has begun are parts of
//! an upload, which nobody sees. A body that fits one part is one request; a larger one goes part by part as it comes. Its
//! name is new, and the bucket is asked to refuse one that is taken.
//!
//! A reader takes the seal first, by its distance from the end, and then asks for the pieces of its range and no others.
//!
//! Whose upload it is, no kernel knows here: that is a row (`intents`), written before the first byte.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use azure::ids::Guid;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::stream::BoxStream;
use object_store::{
    Error, GetOptions, GetRange, MultipartId, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::{runtime::Handle, task::JoinHandle};

use super::{
    ContentId,
    intents::{self, Writer},
    seal::{FOOT, PIECE, Seal, Sealing},
};
use crate::store::{CloudId, Store, StoreError, blocking::joined};

/// What is asked of a bucket.
pub trait Objects: ObjectStore + MultipartStore {}
impl<T: ObjectStore + MultipartStore> Objects for T {}

/// Bodies up to this are one request; above it, parts of this size. S3 takes none below 5 MiB but the last, and 10,000.
const PART: usize = 8 << 20;
/// Asked for from the end of an object: the seal of bodies up to 500 MiB.
const TAIL: u64 = 16 << 10;

/// A bucket, or a part of one.
pub struct Bucket {
    objects: Arc<dyn Objects>,
    prefix: Path,
    /// As the user calls it.
    pub(in crate::store) name: String,
    /// Where it is written down who writes what; none where nothing is written, or nobody else can.
    rows: Option<(Store, Writer)>,
}

impl Bucket {
    /// `writer` is a name that no other process goes by. Without rows it can be read and restored into, and no more.
    pub fn new(
        objects: Arc<dyn Objects>,
        prefix: &str,
        name: &str,
        rows: Option<(Store, Guid)>,
    ) -> Result<Self, StoreError> {
        let prefix = Path::parse(prefix).map_err(|error| StoreError::objects(name, error.into()))?;
        let rows = rows.map(|(store, writer)| (store, Writer::new(writer)));
        Ok(Bucket { objects, prefix, name: name.to_owned(), rows })
    }

    fn path(&self, id: ContentId) -> Path {
        let name = id.to_string();
        self.prefix.clone().join(&name[..2]).join(name.as_str())
    }

    /// For `map_err`: says which body it was.
    fn at(&self, id: ContentId) -> impl Fn(Error) -> StoreError + use<> {
        let what = format!("{}/{}/{id}", self.name, &id.to_string()[..2]);
        move |cause| match cause {
            Error::NotFound { .. } => StoreError::NoContent { id: id.to_string() },
            cause => StoreError::objects(&what, cause),
        }
    }

    pub(super) fn rows(&self) -> Result<(&Store, &Writer), StoreError> {
        let rows = self.rows.as_ref().map(|(store, writer)| (store, writer));
        rows.ok_or_else(|| StoreError::corrupt(format!("{} is written without its store", self.name)))
    }

    /// Begins a body whose intent, if it has one, is written.
    pub(super) fn begin(self: &Arc<Self>, id: ContentId, cloud: Option<CloudId>) -> ObjectSink {
        ObjectSink {
            bucket: self.clone(),
            id,
            cloud,
            sealing: Box::default(),
            gathered: BytesMut::new(),
            parts: Vec::new(),
            upload: Arc::default(),
            under_way: None,
            is_whole: false,
        }
    }

    /// Opens a body for a range of it.
    pub(super) async fn open(&self, id: ContentId, range: Range<u64>) -> Result<ObjectReader, StoreError> {
        let seal = self.seal(id).await?;
        let left = range.start.min(seal.length)..range.end.min(seal.length);
        if left.is_empty() {
            return Ok(ObjectReader {
                body: None,
                seal,
                gathered: BytesMut::new(),
                left,
                what: self.what(id),
            });
        }
        let from = left.start - left.start % PIECE;
        let until = left.end.next_multiple_of(PIECE).min(seal.length);
        let options = GetOptions { range: Some(GetRange::Bounded(from..until)), ..GetOptions::default() };
        let body = self.objects.get_opts(&self.path(id), options).await.map_err(self.at(id))?.into_stream();
        Ok(ObjectReader { body: Some(body), seal, gathered: BytesMut::new(), left, what: self.what(id) })
    }

    fn what(&self, id: ContentId) -> String {
        format!("{}/{id}", self.name)
    }

    async fn seal(&self, id: ContentId) -> Result<Seal, StoreError> {
        let broken = || StoreError::corrupt(format!("`{}`: its seal is not whole", self.what(id)));
        let (tail, size) = self.tail(id, GetRange::Suffix(TAIL)).await?;
        let foot = tail.len().checked_sub(FOOT).ok_or_else(broken)?;
        let length = Seal::length(&tail[foot..], size).ok_or_else(broken)?;
        let seal_bytes = (size - length) as usize;
        let sealed = match tail.len().checked_sub(seal_bytes) {
            Some(start) => tail.slice(start..),
            None => self.tail(id, GetRange::Bounded(length..size)).await?.0,
        };
        Seal::read(length, &sealed).ok_or_else(broken)
    }

    /// A stretch of an object, and the size of all of it.
    async fn tail(&self, id: ContentId, range: GetRange) -> Result<(Bytes, u64), StoreError> {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let got = self.objects.get_opts(&self.path(id), options).await.map_err(self.at(id))?;
        let size = got.meta.size;
        Ok((got.bytes().await.map_err(self.at(id))?, size))
    }

    pub(super) async fn exists(&self, id: ContentId) -> Result<bool, StoreError> {
        match self.objects.head(&self.path(id)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.at(id)(error)),
        }
    }

    pub(super) async fn remove(&self, id: ContentId) -> Result<(), StoreError> {
        match self.objects.delete(&self.path(id)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.at(id)(error)),
        }
    }

    /// Gives up what was sent of a body.
    pub(super) async fn abort(&self, id: ContentId, upload: &MultipartId) -> Result<(), StoreError> {
        match self.objects.abort_multipart(&self.path(id), upload).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.at(id)(error)),
        }
    }

    /// Reads a whole body against its seal.
    pub(in crate::store) async fn check(&self, id: ContentId) -> Result<u64, StoreError> {
        let mut reader = self.open(id, 0..u64::MAX).await?;
        while let Some(piece) = reader.next().await {
            piece?;
        }
        Ok(reader.seal.length)
    }

    /// Every body, in no order. What is not named as we name bodies is somebody's, and left alone.
    pub(in crate::store) fn list(&self) -> Listing {
        Listing { objects: Some(self.objects.list(Some(&self.prefix))), name: self.name.clone() }
    }

    /// The name of this part of the bucket, if it has one.
    pub(in crate::store) async fn home(&self) -> Result<Option<Guid>, StoreError> {
        let failed = |cause| StoreError::objects(format!("{}/home", self.name), cause);
        let text = match self.objects.get(&self.prefix.clone().join("home")).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let id = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let id = id.ok_or_else(|| StoreError::corrupt(format!("`{}/home` does not hold a name", self.name)));
        id.map(Some)
    }

    /// Gives it a name, unless it has one.
    pub(in crate::store) async fn name_home(&self, name: Guid) -> Result<(), StoreError> {
        let path = self.prefix.clone().join("home");
        match self.objects.put_opts(&path, name.to_string().into(), PutMode::Create.into()).await {
            Ok(_) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(StoreError::objects(format!("{}/home", self.name), error)),
        }
    }
}

/// A listing under way.
pub(in crate::store) struct Listing {
    /// None behind its end, where it must not be asked again.
    objects: Option<BoxStream<'static, Result<object_store::ObjectMeta, Error>>>,
    name: String,
}

impl Listing {
    pub(in crate::store) async fn next(&mut self) -> Option<Result<ContentId, StoreError>> {
        loop {
            let Some(object) = next(self.objects.as_mut()?).await else {
                self.objects = None;
                return None;
            };
            match object {
                Ok(object) => {
                    let id = object.location.filename().and_then(|name| name.parse().ok());
                    if let Some(id) = id {
                        return Some(Ok(ContentId(id)));
                    }
                }
                Err(error) => return Some(Err(StoreError::objects(&self.name, error))),
            }
        }
    }

    /// The next so many.
    pub(in crate::store) async fn page(&mut self, count: usize) -> Result<Vec<ContentId>, StoreError> {
        let mut page = Vec::new();
        while page.len() < count
            && let Some(id) = self.next().await
        {
            page.push(id?);
        }
        Ok(page)
    }
}

async fn next<T>(stream: &mut BoxStream<'static, T>) -> Option<T> {
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// A body on its way into the bucket. Dropped before it is whole, it is taken back.
pub(super) struct ObjectSink {
    bucket: Arc<Bucket>,
    id: ContentId,
    /// Where its intent is; none for one that has none.
    cloud: Option<CloudId>,
    sealing: Box<Sealing>,
    gathered: BytesMut,
    parts: Vec<PartId>,
    /// Known once there is more than one part.
    upload: Arc<OnceLock<MultipartId>>,
    under_way: Option<JoinHandle<Result<PartId, Error>>>,
    is_whole: bool,
}

impl ObjectSink {
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.sealing.update(&bytes);
        self.gathered.extend_from_slice(&bytes);
        while self.gathered.len() >= PART {
            let part = self.gathered.split_to(PART).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    /// Sends a part beside the reading that goes on, once the one before has arrived.
    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        self.arrived().await?;
        let upload = self.upload().await?;
        let (bucket, path, number) = (self.bucket.clone(), self.bucket.path(self.id), self.parts.len());
        self.under_way =
            Some(tokio::spawn(
                async move { bucket.objects.put_part(&path, &upload, number, part.into()).await },
            ));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), StoreError> {
        if let Some(mut sent) = self.under_way.take() {
            let part = joined(&mut sent).await?.map_err(self.bucket.at(self.id))?;
            self.parts.push(part);
        }
        Ok(())
    }

    /// The upload that the parts belong to, written down before the first of them: whoever finds our intent when we are
    /// gone can give it up.
    async fn upload(&mut self) -> Result<MultipartId, StoreError> {
        if let Some(upload) = self.upload.get() {
            return Ok(upload.clone());
        }
        let path = self.bucket.path(self.id);
        let upload = self.bucket.objects.create_multipart(&path).await.map_err(self.bucket.at(self.id))?;
        let upload = self.upload.get_or_init(|| upload).clone();
        if let Some(cloud) = self.cloud {
            let (store, writer) = self.bucket.rows()?;
            intents::note_upload(store, writer, cloud, self.id, &upload).await?;
        }
        Ok(upload)
    }

    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        let seal = std::mem::take(&mut *self.sealing).finish();
        self.gathered.extend_from_slice(&seal);
        let last = self.gathered.split().freeze();
        let (path, failed) = (self.bucket.path(self.id), self.bucket.at(self.id));
        if self.upload.get().is_none() && self.under_way.is_none() {
            let options = PutMode::Create.into();
            self.bucket.objects.put_opts(&path, PutPayload::from(last), options).await.map_err(failed)?;
        } else {
            self.send(last).await?;
            self.arrived().await?;
            let (upload, parts) = (self.upload().await?, std::mem::take(&mut self.parts));
            self.bucket.objects.complete_multipart(&path, &upload, parts).await.map_err(failed)?;
        }
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for ObjectSink {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_whole {
            return;
        }
        let (bucket, id, cloud, upload) = (self.bucket.clone(), self.id, self.cloud, self.upload.clone());
        let under_way = self.under_way.take();
        runtime.spawn(async move {
            if let Some(under_way) = under_way {
                let _ = under_way.await;
            }
            if let Some(upload) = upload.get() {
                let _ = bucket.abort(id, upload).await;
            }
            // A request whose answer was lost may have arrived all the same.
            let _ = bucket.remove(id).await;
            if let (Some(cloud), Ok((store, _))) = (cloud, bucket.rows()) {
                // What is left behind, a sweep finds.
                let _ = intents::end(store, cloud, id).await;
            }
        });
    }
}

/// A body being read, piece by piece.
pub(super) struct ObjectReader {
    body: Option<BoxStream<'static, Result<Bytes, Error>>>,
    seal: Seal,
    gathered: BytesMut,
    left: Range<u64>,
    what: String,
}

impl ObjectReader {
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        if self.left.is_empty() {
            return None;
        }
        let piece = self.piece().await;
        if piece.is_err() {
            self.left.start = self.left.end;
        }
        Some(piece)
    }

    async fn piece(&mut self) -> Result<Bytes, StoreError> {
        let number = self.left.start / PIECE;
        let start = number * PIECE;
        let length = (self.seal.length - start).min(PIECE);
        let piece = self.gather(length as usize).await?;
        if !self.seal.holds(number, &piece) {
            let what = &self.what;
            return Err(StoreError::corrupt(format!(
                "`{what}`: the {length} bytes from {start} on are not what was written"
            )));
        }
        let end = (self.left.end - start).min(length);
        let piece = piece.slice((self.left.start - start) as usize..end as usize);
        self.left.start = start + end;
        Ok(piece)
    }

    async fn gather(&mut self, length: usize) -> Result<Bytes, StoreError> {
        while self.gathered.len() < length {
            let more = match &mut self.body {
                Some(body) => next(body).await,
                None => None,
            };
            let more = more.ok_or_else(|| StoreError::corrupt(format!("`{}` became shorter", self.what)))?;
            let more = more.map_err(|cause| StoreError::objects(&self.what, cause))?;
            self.gathered.extend_from_slice(more.chunk());
        }
        Ok(self.gathered.split_to(length).freeze())
    }
}

#[cfg(test)]
mod tests;
