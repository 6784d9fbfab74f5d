//! A body that a task of its own feeds, a few pieces ahead of the client.
//!
//! Not `http_body_util`'s channel: it looks for a piece and then for the end, so a last piece that comes in
//! between is lost and the body ends short without an error. Here pieces and errors take one queue, and the
//! end is that queue's end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::body::Cause;

/// The feeding end. Dropping it ends the body.
pub struct Feeder(mpsc::Sender<Result<Bytes, Cause>>);

/// The client is gone: nobody reads any more.
#[derive(Debug)]
pub struct ReaderLeft;

pub struct Piped(mpsc::Receiver<Result<Bytes, Cause>>);

/// A body and who feeds it, at most so many pieces ahead.
pub fn pipe(ahead: usize) -> (Feeder, Piped) {
    let (sender, receiver) = mpsc::channel(ahead);
    (Feeder(sender), Piped(receiver))
}

impl Feeder {
    pub async fn send(&mut self, piece: Bytes) -> Result<(), ReaderLeft> {
        self.0.send(Ok(piece)).await.map_err(|_| ReaderLeft)
    }

    /// Cuts the body short; the connection ends, so that the client notices.
    pub async fn fail(self, cause: impl Into<Cause>) {
        // Nobody needs to hear of it when the reader has left.
        let _ = self.0.send(Err(cause.into())).await;
    }
}

impl Body for Piped {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        let piece = ready!(self.0.poll_recv(cx));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_last_piece_is_never_lost_to_the_end() {
        for round in 0..2000 {
            let (mut feeder, body) = pipe(2);
            let feeding = tokio::spawn(async move { feeder.send(Bytes::from_static(b"piece")).await });
            let whole = body.collect().await.expect("no error was sent").to_bytes();
            assert_eq!(whole, "piece", "round {round}");
            feeding.await.expect("runs").expect("is read");
        }
    }

    #[tokio::test]
    async fn a_failure_comes_behind_what_was_sent() {
        let (mut feeder, mut body) = pipe(2);
        feeder.send(Bytes::from_static(b"half")).await.expect("is read");
        feeder.fail("the disk is gone").await;
        assert_eq!(body.frame().await.expect("a frame").expect("whole").into_data().expect("data"), "half");
        assert!(body.frame().await.expect("an end").is_err());
    }
}
