//! A session channel: the requests that describe what is to run, then its bytes, its size, its signals and its end.

use std::sync::Arc;
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncRead;

use crate::queue::{Queue, feed, queue};
use crate::{Ends, Exit, Machine, Nudge, Process, Size, Start, Terminal, What, forward, signals};

/// stderr, as the protocol numbers it (RFC 4254 §5.2).
const STDERR: u32 = 1;
/// How long a terminal's last lines may take once its shell has ended. What is still at it then may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A shell's code for what could not be run.
const CANNOT_RUN: u32 = 126;

/// Variables that a client may set: those that Debian's server takes (AcceptEnv).
pub(crate) fn is_accepted(variable: &str) -> bool {
    matches!(variable, "LANG" | "COLORTERM" | "NO_COLOR") || variable.starts_with("LC_")
}

/// The subsystem that there is.
pub(crate) const SFTP: &str = "sftp";

/// Who asks, and of whom.
pub(crate) struct Session {
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) user: String,
    pub(crate) ends: Ends,
    pub(crate) handle: Handle,
}

impl Session {
    /// Lives a session channel's life.
    pub(crate) async fn run(self, channel: Channel<Msg>) {
        let (mut read, write) = channel.split();
        let mut agent = None;
        let Some(start) = self.described(&mut read, &mut agent).await else { return };
        match self.machine.start(start).await {
            Ok(process) => self.relay(process, read, &write).await,
            Err(problem) => {
                let _ = write.extended_data(STDERR, format!("{problem}\r\n").as_bytes()).await;
                let _ = write.exit_status(CANNOT_RUN).await;
            }
        }
        let _ = write.eof().await;
        let _ = write.close().await;
    }

    /// What is to run. None where the client goes before it says.
    async fn described(
        &self,
        read: &mut ChannelReadHalf,
        agent: &mut Option<forward::Agent>,
    ) -> Option<Start> {
        let mut env = self.about_the_connection();
        let mut terminal: Option<Terminal> = None;
        let what = loop {
            match read.wait().await? {
                ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                    terminal = Some(Terminal { kind: term, size: size(row_height, col_width) });
                }
                ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    if let Some(terminal) = &mut terminal {
                        terminal.size = size(row_height, col_width);
                    }
                }
                ChannelMsg::SetEnv { variable_name, variable_value, .. } if is_accepted(&variable_name) => {
                    env.push((variable_name, variable_value));
                }
                ChannelMsg::AgentForward { .. } if agent.is_none() => {
                    *agent = forward::agent(&self.machine, &self.user, &self.handle).await;
                    env.extend(agent.iter().map(|it| ("SSH_AUTH_SOCK".to_owned(), it.path.clone())));
                }
                ChannelMsg::RequestShell { .. } => break What::Shell,
                ChannelMsg::Exec { command, .. } => break What::Command(command),
                ChannelMsg::RequestSubsystem { name, .. } if name == SFTP => break What::Sftp,
                ChannelMsg::Close => return None,
                _ => {}
            }
        };
        Some(Start { user: self.user.clone(), what, terminal, env })
    }

    fn about_the_connection(&self) -> Vec<(String, String)> {
        let Ends { client, server } = self.ends;
        let whole = format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port());
        let short = format!("{} {} {}", client.ip(), client.port(), server.port());
        vec![("SSH_CONNECTION".to_owned(), whole), ("SSH_CLIENT".to_owned(), short)]
    }

    /// Carries bytes until the process has ended, or its client has gone.
    async fn relay(&self, process: Process, read: ChannelReadHalf, write: &ChannelWriteHalf<Msg>) {
        let Process { stdin, stdout, stderr, nudge, exit } = process;
        let is_terminal = stderr.is_none();
        let (queue, pieces) = queue();
        let output = async {
            tokio::join!(pump(stdout, write, None), async {
                if let Some(stderr) = stderr {
                    pump(stderr, write, Some(STDERR)).await;
                }
            });
        };
        let ended = async {
            let mut output = std::pin::pin!(output);
            let mut is_silent = false;
            let mut exit = exit;
            let exit = loop {
                tokio::select! {
                    exit = &mut exit => break exit,
                    () = &mut output, if !is_silent => is_silent = true,
                }
            };
            // As with OpenSSH's server, pipes are read to their end, whoever holds them, and a terminal ends with its shell.
            if !is_silent && is_terminal {
                let _ = tokio::time::timeout(LAST_WORDS, output).await;
            } else if !is_silent {
                output.await;
            }
            exit
        };
        let fed = async {
            feed(pieces, stdin).await;
            std::future::pending::<()>().await;
        };
        let exit = tokio::select! {
            () = receive(read, queue, nudge) => return,
            exit = ended => exit,
            () = fed => return,
        };
        match exit {
            Ok(Exit::Code(code)) => drop(write.exit_status(code.cast_unsigned()).await),
            Ok(Exit::Signal(signal)) => {
                let name = signals::named(signal);
                let (words, language) = (String::new(), String::new());
                let _ = self.handle.exit_signal_request(write.id(), name, false, words, language).await;
            }
            // The machine has ended, and tells nobody how its processes did.
            Err(_) => {}
        }
    }
}

/// What the client sends, until it goes.
async fn receive(mut read: ChannelReadHalf, mut queue: Queue, nudge: tokio::sync::mpsc::Sender<Nudge>) {
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } => queue.push(data).await,
            ChannelMsg::Eof => queue.end(),
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                let _ = nudge.send(Nudge::Resize(size(row_height, col_width))).await;
            }
            ChannelMsg::Signal { signal } => {
                if let Some(number) = signals::number(&signal) {
                    let _ = nudge.send(Nudge::Signal(number)).await;
                }
            }
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, to: &ChannelWriteHalf<Msg>, kind: Option<u32>) {
    // A client that has gone ends the session elsewhere.
    let _ = tokio::io::copy(&mut from, &mut to.make_writer_ext(kind)).await;
}

fn size(rows: u32, columns: u32) -> Size {
    let narrow = |it: u32| u16::try_from(it).unwrap_or(u16::MAX);
    Size { rows: narrow(rows), columns: narrow(columns) }
}
