//! A command that runs in a guest, as its owner holds it: bytes in, bytes out, a size, signals, an end.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use crate::guest::Link;
use crate::init::resize;
use crate::refused::{GuestError, Named, Refused};
use crate::spec::{ExitStatus, Size};
use crate::wire::ToInit;

/// A running command. Dropped before its end, its whole process group is killed.
pub struct Exec {
    /// Dropping it closes the command's stdin, unless that is a terminal.
    pub stdin: Option<Stdin>,
    /// All that a terminal shows, where there is one.
    pub stdout: Option<Output>,
    /// Nothing where there is a terminal.
    pub stderr: Option<Output>,
    terminal: Option<OwnedFd>,
    id: u64,
    link: Arc<Link>,
    ended: oneshot::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Exec {
    pub(crate) fn new(
        link: Arc<Link>,
        id: u64,
        ended: oneshot::Receiver<ExitStatus>,
        is_terminal: bool,
        ends: Vec<OwnedFd>,
    ) -> Result<Exec, Refused> {
        let mut exec =
            Exec { stdin: None, stdout: None, stderr: None, terminal: None, id, link, ended, status: None };
        let missing = || Refused::new("take over the command's pipes", "some did not arrive");
        if is_terminal {
            let [terminal] = <[OwnedFd; 1]>::try_from(ends).map_err(|_| missing())?;
            let copy = || terminal.try_clone().at("copy the terminal");
            exec.stdin = Some(Stdin::new(copy()?)?);
            exec.stdout = Some(Output::new(copy()?)?);
            exec.terminal = Some(terminal);
        } else {
            let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(ends).map_err(|_| missing())?;
            exec.stdin = Some(Stdin::new(stdin)?);
            exec.stdout = Some(Output::new(stdout)?);
            exec.stderr = Some(Output::new(stderr)?);
        }
        Ok(exec)
    }

    /// Waits for the command's end; the processes that it left behind are not waited for. May be called again.
    pub async fn wait(&mut self) -> Result<ExitStatus, GuestError> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let status = (&mut self.ended).await.map_err(|_| GuestError::Dead)?;
        self.status = Some(status);
        Ok(status)
    }

    /// Sends a signal to the command's process group; nothing when it has ended.
    pub fn signal(&self, signal: i32) -> Result<(), GuestError> {
        self.link.send(&ToInit::Signal { id: self.id, signal })
    }

    /// Changes the size of the command's terminal; refuses when it has none.
    pub fn resize(&self, size: Size) -> Result<(), Refused> {
        match &self.terminal {
            Some(terminal) => resize(terminal, size).at("resize the terminal"),
            None => Err(Refused::new("resize the terminal", "the command has none")),
        }
    }

    /// Closes stdin, reads all output and waits for the end.
    pub async fn finish(mut self) -> Result<Finished, GuestError> {
        self.stdin = None;
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let (stdout, stderr) = tokio::join!(read_all(stdout), read_all(stderr));
        let status = self.wait().await?;
        Ok(Finished { status, stdout: stdout?, stderr: stderr? })
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if self.status.is_none() {
            // A dead guest has no processes to kill.
            let _ = self.signal(libc::SIGKILL);
        }
    }
}

async fn read_all(output: Option<Output>) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    if let Some(mut output) = output {
        output.read_to_end(&mut bytes).await.at("read the command's output")?;
    }
    Ok(bytes)
}

/// Bytes to a command.
pub struct Stdin(pipe::Sender);

impl Stdin {
    fn new(end: OwnedFd) -> Result<Stdin, Refused> {
        rustix::io::ioctl_fionbio(&end, true).at("prepare the command's stdin")?;
        // Unchecked because a terminal is no pipe; all that is needed of either is that it can be waited for.
        Ok(Stdin(pipe::Sender::from_owned_fd_unchecked(end).at("prepare the command's stdin")?))
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Bytes from a command, to the end.
pub struct Output(pipe::Receiver);

impl Output {
    fn new(end: OwnedFd) -> Result<Output, Refused> {
        rustix::io::ioctl_fionbio(&end, true).at("prepare the command's output")?;
        Ok(Output(pipe::Receiver::from_owned_fd_unchecked(end).at("prepare the command's output")?))
    }
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buffer) {
            // Linux says so when nobody holds a terminal's other side any more: the end.
            Poll::Ready(Err(error)) if error.raw_os_error() == Some(libc::EIO) => Poll::Ready(Ok(())),
            other => other,
        }
    }
}
