//! A stream that can be cut from outside: from then on it is at its end.
//!
//! The library runs a connection in a task of its own that nothing but the end of its stream stops at once.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

pub(crate) struct Severable<S> {
    stream: S,
    cut: oneshot::Receiver<()>,
    is_cut: bool,
}

/// Cuts the stream when it is dropped.
pub(crate) struct Cut(#[expect(dead_code, reason = "its drop is what counts")] oneshot::Sender<()>);

pub(crate) fn severable<S>(stream: S) -> (Severable<S>, Cut) {
    let (sender, cut) = oneshot::channel();
    (Severable { stream, cut, is_cut: false }, Cut(sender))
}

impl<S> Severable<S> {
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_cut = self.is_cut || Pin::new(&mut self.cut).poll(cx).is_ready();
        self.is_cut
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Severable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.is_cut(cx) {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Severable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.is_cut(cx) {
            true => Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe))),
            false => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.is_cut(cx) {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
