//! What a client sent and its reader has not taken yet.
//!
//! The library grants a channel its window anew before anybody has read what came, and holds up the whole connection where nobody
//! takes it. A program that reads nothing until its output is read would then wait for ever. So a channel's bytes are always taken,
//! up to a limit that only a program which reads nothing at all reaches; from there on the connection waits for it.

use std::sync::Arc;

use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Stream;

/// What one channel keeps.
const BYTES_MAX: usize = 64 << 20;

type Piece = (bytes::Bytes, OwnedSemaphorePermit);

pub(crate) struct Queue {
    /// None once the client has said that it is done.
    pieces: Option<UnboundedSender<Piece>>,
    room: Arc<Semaphore>,
}

pub(crate) fn queue() -> (Queue, UnboundedReceiver<Piece>) {
    let (pieces, taken) = unbounded_channel();
    (Queue { pieces: Some(pieces), room: Arc::new(Semaphore::new(BYTES_MAX)) }, taken)
}

impl Queue {
    pub(crate) async fn push(&mut self, bytes: bytes::Bytes) {
        let Some(pieces) = &self.pieces else { return };
        // A packet is far shorter than the room. Whoever reads no more has dropped what was kept for it.
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(size).await {
            let _ = pieces.send((bytes, permit));
        }
    }

    pub(crate) fn end(&mut self) {
        self.pieces = None;
    }
}

/// Writes what is queued until there will be no more, or nobody takes it.
pub(crate) async fn feed(mut pieces: UnboundedReceiver<Piece>, mut to: impl AsyncWrite + Unpin) {
    while let Some((bytes, _permit)) = pieces.recv().await {
        let written = async { to.write_all(&bytes).await.and(to.flush().await) };
        if written.await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Carries bytes between a channel and a stream until both have said that they are done, or the channel is closed.
pub(crate) async fn splice(channel: russh::Channel<Msg>, stream: Stream) {
    let (read, write) = channel.split();
    let (from, to) = tokio::io::split(stream);
    let (queue, pieces) = queue();
    tokio::select! {
        () = receive(read, queue) => {}
        _ = async { tokio::join!(feed(pieces, to), send(from, &write)) } => {}
    }
    let _ = write.close().await;
}

async fn send(mut from: impl AsyncRead + Unpin, channel: &ChannelWriteHalf<Msg>) {
    let _ = tokio::io::copy(&mut from, &mut channel.make_writer()).await;
    let _ = channel.eof().await;
}

async fn receive(mut channel: ChannelReadHalf, mut queue: Queue) {
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => queue.push(data).await,
            ChannelMsg::Eof => queue.end(),
            ChannelMsg::Close => return,
            // Requests are for sessions.
            _ => {}
        }
    }
}
