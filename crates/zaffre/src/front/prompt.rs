//! A client's connection on which what it sends is acknowledged as soon as it is read.
//!
//! A client that sends a head and then its body, as two segments and without TCP_NODELAY, waits with the second until the
//! first is acknowledged (Nagle's algorithm); a server that has nothing to say yet lets its acknowledgment wait for some 40
//! ms. Python's urllib3 does so with every body that it sends through a proxy: it turns TCP_NODELAY off there. The kernel
//! forgets that acknowledgments should be quick whenever something is sent, so it is told after each read; that costs
//! a fifth of a microsecond.
//!
//! What a client begins with may be read to tell what it speaks, and is read again by whoever goes on.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{connection::Http, http2::PREFACE};

/// The first byte of a TLS handshake record.
pub(super) const HANDSHAKE: u8 = 0x16;

pub(super) struct Prompt {
    stream: TcpStream,
    /// What was read to tell what is spoken, and not read again yet.
    begun: Bytes,
}

/// What a client speaks, by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Tls,
    Plain(Http),
}

impl Prompt {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Answers are whole when they are written: waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        Prompt { stream, begun: Bytes::new() }
    }

    /// Reads until it is clear what is spoken: one byte of most.
    pub(super) async fn opening(&mut self) -> io::Result<Opening> {
        let mut begun = [0; PREFACE.len()];
        let mut length = 0;
        while length < PREFACE.len() && PREFACE.starts_with(&begun[..length]) {
            match self.read(&mut begun[length..]).await? {
                0 => break,
                more => length += more,
            }
        }
        self.begun = Bytes::copy_from_slice(&begun[..length]);
        Ok(match begun[0] {
            HANDSHAKE => Opening::Tls,
            _ if begun == *PREFACE => Opening::Plain(Http::Two),
            _ => Opening::Plain(Http::One),
        })
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.begun.is_empty() {
            let length = self.begun.len().min(buffer.remaining());
            buffer.put_slice(&self.begun.split_to(length));
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        // Where the kernel will not, the client waits; nothing else is lost.
        let _ = self.stream.set_quickack(true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
