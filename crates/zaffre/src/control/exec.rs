//! Commands in guests: the request is the command, the answer 101, and frames follow both ways.
//!
//! The caller's end of the connection is the command's life: when it goes, what stands for the command is dropped, and whoever
//! runs the guests kills it. What a command left running may hold its output open; its exit is told all the same, once what it
//! wrote itself had time to come.

use std::{pin::pin, time::Duration};

use azure::{error::Result, ids::ResourceId};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{Mutex, mpsc},
};

use super::{codes, frames::Frame, variables, vms};
use crate::{
    host::{Command, Exec, Exit, Nudge},
    service::{Body, Cx, Reply},
};

/// A command and its environment.
const COMMAND_BYTES: usize = 256 << 10;
const PIECE_BYTES: usize = 32 << 10;
/// How long output may still come after the exit.
const LAST_WORDS: Duration = Duration::from_secs(1);
const SIGKILL: i32 = 9;

pub(super) async fn begin(cx: &Cx, vm: &str, body: Body) -> Result<Reply> {
    let command: Command =
        body.json(COMMAND_BYTES, |error| codes::BAD_COMMAND.with([error.to_string()])).await?;
    if command.argv.is_empty() {
        return Err(codes::BAD_COMMAND.with(["it has no words"]));
    }
    let vm = cx.read(|txn| vms::named(txn, vm)).await?;
    let exec = start(cx, &vm.id, command).await?;
    let mut reply = Reply::new(101).with("connection", "upgrade").with("upgrade", "zaffre-exec");
    reply.takeover = Some(Box::new(|upgraded| Box::pin(relay(TokioIo::new(upgraded), exec))));
    Ok(reply)
}

/// Runs a command in a machine, or where machines are simulated on this host, with what makes it speak as that machine.
pub(crate) async fn start(cx: &Cx, vm: &ResourceId, mut command: Command) -> Result<Exec> {
    let guests = cx.env.guests.get().ok_or_else(|| codes::NO_GUESTS.with([vm.name()]))?;
    // One that is on its way is not known yet to be simulated, and without its variables its command would speak as this host.
    guests.until_up(cx.cloud.id, vm).await?;
    if guests.is_on_host(cx.cloud.id, vm) {
        let variables = variables::of_vm(cx, vm.as_str()).await?;
        let named = variables.into_iter().map(|it| (it.name, it.value.unwrap_or_default()));
        command.env = named.chain(command.env).collect();
    }
    guests.exec(cx.cloud.id, vm, command).await
}

/// Carries frames until the command has ended or its caller has gone.
async fn relay(io: impl AsyncRead + AsyncWrite, exec: Exec) {
    let (mut reader, writer) = tokio::io::split(io);
    let writer = Mutex::new(writer);
    let Exec { stdin, stdout, stderr, nudge, mut exit } = exec;
    let mut output = pin!(async {
        tokio::join!(pump(stdout, Frame::Stdout, &writer), async {
            if let Some(stderr) = stderr {
                pump(stderr, Frame::Stderr, &writer).await;
            }
        })
    });
    let ended = async {
        let mut is_silent = false;
        let exit = loop {
            tokio::select! {
                exit = &mut exit => break exit,
                _ = &mut output, if !is_silent => is_silent = true,
            }
        };
        if !is_silent {
            let _ = tokio::time::timeout(LAST_WORDS, output).await;
        }
        // A guest that died took its commands with it.
        let _ = Frame::Exit(exit.unwrap_or(Exit::Signal(SIGKILL))).write(&mut *writer.lock().await).await;
    };
    tokio::select! {
        () = feed(&mut reader, stdin, nudge) => {}
        () = ended => {}
    }
    let _ = writer.lock().await.shutdown().await;
}

/// Gives the command what its caller sends, until the caller goes.
async fn feed(
    from: &mut (impl AsyncRead + Unpin),
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    nudge: mpsc::Sender<Nudge>,
) {
    let mut stdin = Some(stdin);
    while let Ok(Some(frame)) = Frame::read(from).await {
        match frame {
            Frame::Stdin(bytes) if bytes.is_empty() => stdin = None,
            Frame::Stdin(bytes) => {
                let Some(to) = &mut stdin else { continue };
                let written = async { to.write_all(&bytes).await.and(to.flush().await) };
                if written.await.is_err() {
                    // It has closed its stdin; what it says and how it ends still counts.
                    stdin = None;
                }
            }
            Frame::Resize(size) => drop(nudge.send(Nudge::Resize(size)).await),
            Frame::Signal(number) => drop(nudge.send(Nudge::Signal(number)).await),
            Frame::Stdout(_) | Frame::Stderr(_) | Frame::Exit(_) => return,
        }
    }
}

async fn pump<W: AsyncWrite + Unpin>(
    mut from: Box<dyn AsyncRead + Send + Unpin>,
    frame: fn(Vec<u8>) -> Frame,
    to: &Mutex<W>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if frame(piece[..length].to_vec()).write(&mut *to.lock().await).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::host::Size;

    struct Fake {
        stdin: tokio::io::DuplexStream,
        stdout: tokio::io::DuplexStream,
        nudged: mpsc::Receiver<Nudge>,
        exit: oneshot::Sender<Exit>,
    }

    fn fake() -> (Exec, Fake) {
        let (stdin, in_guest) = tokio::io::duplex(64);
        let (stdout, out_of_guest) = tokio::io::duplex(64);
        let (nudge, nudged) = mpsc::channel(4);
        let (exit, ended) = oneshot::channel();
        let exec =
            Exec { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: None, nudge, exit: ended };
        (exec, Fake { stdin: in_guest, stdout: out_of_guest, nudged, exit })
    }

    #[tokio::test]
    async fn bytes_sizes_signals_and_the_exit_go_through() {
        let (exec, mut guest) = fake();
        let (mut caller, near) = tokio::io::duplex(1024);
        let relayed = tokio::spawn(relay(near, exec));
        let size = Size { rows: 40, columns: 120 };
        for frame in
            [Frame::Stdin(b"hello".to_vec()), Frame::Stdin(vec![]), Frame::Resize(size), Frame::Signal(2)]
        {
            frame.write(&mut caller).await.expect("sends");
        }
        let mut heard = String::new();
        guest.stdin.read_to_string(&mut heard).await.expect("reads to the end of stdin");
        assert_eq!(heard, "hello");
        assert_eq!(guest.nudged.recv().await, Some(Nudge::Resize(size)));
        assert_eq!(guest.nudged.recv().await, Some(Nudge::Signal(2)));
        guest.stdout.write_all(b"last words").await.expect("writes");
        guest.exit.send(Exit::Code(3)).expect("is awaited");
        drop(guest.stdout);
        assert_eq!(
            Frame::read(&mut caller).await.expect("reads"),
            Some(Frame::Stdout(b"last words".to_vec()))
        );
        assert_eq!(Frame::read(&mut caller).await.expect("reads"), Some(Frame::Exit(Exit::Code(3))));
        assert_eq!(Frame::read(&mut caller).await.expect("reads"), None);
        relayed.await.expect("ends");
    }

    #[tokio::test]
    async fn a_caller_that_goes_lets_go_of_the_command() {
        let (exec, mut guest) = fake();
        let (caller, near) = tokio::io::duplex(1024);
        let relayed = tokio::spawn(relay(near, exec));
        drop(caller);
        assert_eq!(guest.nudged.recv().await, None);
        relayed.await.expect("ends");
    }
}
