//! A client's connection on which what it sends is acknowledged as soon as it is read.
//!
//! A client that sends a head and then its body, as two segments and without TCP_NODELAY, waits with the second until the
//! first is acknowledged (Nagle's algorithm); a server that has nothing to say yet lets its acknowledgment wait for some 40
//! ms. Python's urllib3 does so with every body that it sends through a proxy: it turns TCP_NODELAY off there. The kernel
//! forgets that acknowledgments should be quick whenever something is sent, so it is told after each read; that costs
//! a fifth of a microsecond.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

pub(super) struct Prompt(TcpStream);

impl Prompt {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Answers are whole when they are written: waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        Prompt(stream)
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        // Where the kernel will not, the client waits; nothing else is lost.
        let _ = self.0.set_quickack(true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
