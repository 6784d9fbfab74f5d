//! A body on its way out: a row's bytes at once, files and blocks piece by piece.
//!
//! A file is opened before the answer begins, so one whose blob is deleted meanwhile is still read to its end. Of a
//! blob made of blocks only the block at hand is open: should the blob be replaced while it is read, the answer is
//! cut short, which clients notice by its length and ask again, with `If-Match`.

use std::{io, ops::Range};

use azure::ids::Guid;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::records::{BODIES, Block, Place};
use crate::{
    service::{
        Cx, Reply,
        body::Cause,
        pipe::{Feeder, ReaderLeft, pipe},
    },
    store::{ContentId, ContentReader, StoreError},
};

/// How many pieces are read ahead of the client.
const AHEAD: usize = 2;

/// Where a blob's bytes are, as `find` saw it.
pub(super) enum Source {
    Inline(Bytes),
    File(ContentId),
    Blocks { container: Guid, blocks: Vec<Block> },
}

/// Gives the reply this range of the source as its body. A file that has been removed since it was found is
/// `NoContent`.
pub(super) async fn attach(
    cx: &Cx,
    reply: Reply,
    source: Source,
    range: Range<u64>,
) -> Result<Reply, StoreError> {
    match source {
        Source::Inline(bytes) => Ok(reply.streamed(http_body_util::Full::new(cut(&bytes, &range)))),
        Source::File(id) => Ok(stream(reply, Feed::File(cx.env.content.open(id, range).await?))),
        Source::Blocks { container, blocks } => {
            let pieces = Pieces { cx: cx.clone(), container, blocks, range };
            Ok(stream(reply, Feed::Blocks(Box::new(pieces))))
        }
    }
}

/// The whole range in memory, for those who bound it.
pub(super) async fn whole(cx: &Cx, source: Source, range: Range<u64>) -> Result<Bytes, StoreError> {
    let reply = attach(cx, Reply::new(200), source, range).await?;
    let failed =
        |cause: Cause| StoreError::Io { what: "reading a body".to_owned(), cause: io::Error::other(cause) };
    Ok(reply.body.collect().await.map_err(failed)?.to_bytes())
}

fn cut(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end))
}

/// Why a stream ended before its end: its reader left, or the store failed.
enum Ended {
    ReaderLeft,
    Failed(StoreError),
}

impl From<ReaderLeft> for Ended {
    fn from(_: ReaderLeft) -> Self {
        Ended::ReaderLeft
    }
}

enum Feed {
    File(ContentReader),
    Blocks(Box<Pieces>),
}

/// Sends from a task of its own, which ends when the client leaves.
fn stream(reply: Reply, feed: Feed) -> Reply {
    let (mut feeder, body) = pipe(AHEAD);
    tokio::spawn(async move {
        let sent = match feed {
            Feed::File(reader) => send_all(reader, &mut feeder).await,
            Feed::Blocks(pieces) => pieces.send(&mut feeder).await,
        };
        match sent {
            Ok(()) | Err(Ended::ReaderLeft) => {}
            Err(Ended::Failed(error)) => feeder.fail(error).await,
        }
    });
    reply.streamed(body)
}

async fn send_all(mut reader: ContentReader, feeder: &mut Feeder) -> Result<(), Ended> {
    while let Some(piece) = reader.next().await {
        feeder.send(piece.map_err(Ended::Failed)?).await?;
    }
    Ok(())
}

struct Pieces {
    cx: Cx,
    container: Guid,
    blocks: Vec<Block>,
    range: Range<u64>,
}

impl Pieces {
    async fn send(self, feeder: &mut Feeder) -> Result<(), Ended> {
        let mut at = 0;
        for block in &self.blocks {
            let start = self.range.start.clamp(at, at + block.length) - at;
            let end = self.range.end.clamp(at, at + block.length) - at;
            at += block.length;
            if start < end {
                self.send_block(block, start..end, feeder).await?;
            }
        }
        Ok(())
    }

    async fn send_block(&self, block: &Block, range: Range<u64>, feeder: &mut Feeder) -> Result<(), Ended> {
        match block.body {
            Place::Row(piece) => {
                let key = (self.container, piece);
                let row = self.cx.env.store.read(self.cx.cloud.id, |txn| BODIES.get(txn, &key)).await;
                let row = row.map_err(Ended::Failed)?;
                let missing = || Ended::Failed(StoreError::NoContent { id: piece.to_string() });
                let bytes = cut(&row.ok_or_else(missing)?.0, &range);
                Ok(feeder.send(bytes).await?)
            }
            Place::File(id) => {
                let reader = self.cx.env.content.open(id, range).await.map_err(Ended::Failed)?;
                send_all(reader, feeder).await
            }
            // A block is never made of blocks.
            Place::Empty | Place::Blocks(_) => Ok(()),
        }
    }
}
