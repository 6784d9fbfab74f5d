//! A body on its way in: summed as it comes, kept in a row while it is small and in a file once it is not.
//!
//! Nothing is named yet when this is done. An upload that is dropped, because the body was cut short or its
//! checksum was wrong, leaves nothing; one whose transaction fails is to be given up.

use azure::{
    error::{Error, Result},
    ids::Guid,
    text,
};
use bytes::{Bytes, BytesMut};

use super::{
    ask::Upload,
    checksum::{Running, Sums},
    codes,
    records::{BODIES, Bodies, Place},
};
use crate::{
    service::{Body, Cx, Fault},
    store::{ContentId, ContentWriter, INLINE_LIMIT, Raw, StoreError, Txn},
};

/// A body that has come in whole, and that no record names yet.
pub(super) struct Received {
    pub(super) length: u64,
    pub(super) sums: Sums,
    pub(super) body: Place,
    /// The bytes, where they go into a row.
    inline: Bytes,
}

/// What has come so far.
enum Gathered {
    Small(Vec<Bytes>),
    Large(ContentWriter),
}

pub(super) async fn receive(cx: &Cx, body: Body, upload: Upload) -> Result<Received> {
    if body.announced().is_none() {
        return Err(codes::MISSING_LENGTH.bare());
    }
    let mut body = body.limited(upload.limit)?;
    let id = cx.draw().guid();
    let mut running = Running::new(upload.expected);
    let mut gathered = Gathered::Small(Vec::new());
    let mut length = 0;
    while let Some(piece) = body.next().await.transpose()? {
        running.update(&piece);
        length += piece.len() as u64;
        gathered = gathered.and(cx, id, piece, length).await?;
    }
    let sums = running.finish();
    sums.check(upload.expected)?;
    let (body, inline) = gathered.finish(id).await?;
    Ok(Received { length, sums, body, inline })
}

impl Gathered {
    /// With one more piece. What has outgrown a row goes on in a file.
    async fn and(self, cx: &Cx, id: Guid, piece: Bytes, length: u64) -> Result<Self> {
        let mut writer = match self {
            Gathered::Large(writer) => writer,
            Gathered::Small(mut pieces) => {
                pieces.push(piece);
                if length <= INLINE_LIMIT as u64 {
                    return Ok(Gathered::Small(pieces));
                }
                let mut writer = cx.env.content.create(cx.cloud.id, ContentId(id)).await?;
                for piece in pieces {
                    writer.write(piece).await?;
                }
                return Ok(Gathered::Large(writer));
            }
        };
        writer.write(piece).await?;
        Ok(Gathered::Large(writer))
    }

    async fn finish(self, id: Guid) -> Result<(Place, Bytes), StoreError> {
        match self {
            Gathered::Large(writer) => Ok((Place::File(writer.finish().await?.id), Bytes::new())),
            Gathered::Small(pieces) => {
                let inline = joined(pieces);
                let place = if inline.is_empty() { Place::Empty } else { Place::Row(id) };
                Ok((place, inline))
            }
        }
    }
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.swap_remove(0),
        _ => {
            let mut whole = BytesMut::new();
            pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
            whole.freeze()
        }
    }
}

impl Received {
    /// Puts what lies in a row into its row, and counts it as named.
    pub(super) fn keep(&self, txn: &mut Txn, container: Guid, bodies: &mut Bodies) -> Result<(), StoreError> {
        bodies.name(self.body);
        match self.body {
            Place::Row(piece) => BODIES.put(txn, &(container, piece), &Raw(self.inline.clone())),
            Place::Empty | Place::File(_) | Place::Blocks(_) => Ok(()),
        }
    }

    /// A record names it now, and that is committed.
    pub(super) async fn is_named(&self, cx: &Cx) {
        if let Place::File(id) = self.body {
            // A claim too many only delays a sweep.
            let _ = cx.env.content.named(id).await;
        }
    }

    /// Removes the file that no record came to name, since the write was refused. One that failed may be found to have
    /// happened: its file is left to the sweep, which will know.
    pub(super) async fn give_up(&self, cx: &Cx, error: &Error) {
        if let Place::File(id) = self.body
            && Fault::of(error.row).is_none()
        {
            // Should this fail, a sweep finds it.
            let _ = cx.env.content.remove(id).await;
        }
    }

    pub(super) fn md5_text(&self) -> String {
        text::base64(self.sums.md5)
    }
}
