//! A connection's socket, and the loop that a thread runs while it waits for an answer.
//!
//! Closures of transactions are synchronous, so whoever asks the server has a thread to wait in. The protocol's
//! futures are polled in that very thread, over a socket that blocks: a question and its answer cost one write and
//! one read, and no other thread is woken.
//!
//! ```text
//! drive ── poll the request ── poll the connection: writes ── nothing left to send? read (blocks) ──┐
//!   └───────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A write blocks without reading meanwhile. That cannot stall both sides: what is sent behind a question that
//! is not answered yet is small, or the answer is.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{Connection, Error};

use super::tls::Encrypted;

const READ_BYTES: usize = 16 << 10;

/// A socket that one thread at a time uses; clones share it.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Ends>>);

struct Ends {
    socket: Socket,
    /// Received and not read yet.
    inbox: BytesMut,
    is_over: bool,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    pub(super) fn tcp(socket: TcpStream, patience: Duration) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        Ok(Self::over(Socket::Tcp(socket)))
    }

    pub(super) fn unix(socket: UnixStream, patience: Duration) -> io::Result<Self> {
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        Ok(Self::over(Socket::Unix(socket)))
    }

    fn over(socket: Socket) -> Self {
        Wire(Arc::new(Mutex::new(Ends { socket, inbox: BytesMut::new(), is_over: false })))
    }

    /// Waits for the server to send something.
    fn receive(&self) -> io::Result<()> {
        let ends = &mut *self.lock();
        let mut piece = [0; READ_BYTES];
        let read = loop {
            let read = match &mut ends.socket {
                Socket::Tcp(socket) => socket.read(&mut piece),
                Socket::Unix(socket) => socket.read(&mut piece),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        ends.inbox.extend_from_slice(&piece[..read]);
        ends.is_over |= read == 0;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.lock();
        if ends.inbox.is_empty() && !ends.is_over {
            return Poll::Pending;
        }
        let length = ends.inbox.len().min(out.remaining());
        out.put_slice(&ends.inbox[..length]);
        ends.inbox.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(match &mut self.lock().socket {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match &self.lock().socket {
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Both),
            Socket::Unix(socket) => socket.shutdown(Shutdown::Both),
        })
    }
}

/// What moves the protocol forward beside the requests themselves.
pub(super) type Protocol = Connection<Wire, Encrypted>;

/// Why a conversation ended early.
pub(super) enum Broken {
    /// The server answered with an error, or the protocol was violated.
    Said(Error),
    /// The socket failed, was closed, or stayed silent too long.
    Socket(io::Error),
}

/// Polls a request until it is answered. `protocol` is absent only while it is being made.
pub(super) fn drive<T>(
    wire: &Wire,
    mut protocol: Option<&mut Protocol>,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Broken> {
    let mut request = pin!(request);
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = request.as_mut().poll(&mut cx) {
            return answer.map_err(Broken::Said);
        }
        if let Some(protocol) = protocol.as_deref_mut()
            && let Poll::Ready(end) = Pin::new(protocol).poll(&mut cx)
        {
            return Err(
                end.map_or_else(Broken::Said, |()| Broken::Socket(io::ErrorKind::UnexpectedEof.into()))
            );
        }
        // What was read goes to the request first, and what that asks for is sent, before anybody waits.
        if !woken.0.swap(false, Ordering::Relaxed) {
            wire.receive().map_err(Broken::Socket)?;
        }
    }
}

/// Sends a request whose answer nobody waits for; it is passed over when a later one is read.
pub(super) fn send(protocol: &mut Protocol, request: impl Future) {
    let mut cx = Context::from_waker(Waker::noop());
    let _ = pin!(request).poll(&mut cx);
    // An error shows at the next use.
    let _ = Pin::new(protocol).poll(&mut cx);
}

/// Whether something can go on without the socket.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
