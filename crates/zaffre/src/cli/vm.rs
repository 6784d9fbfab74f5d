//! `zaffre vm`: the virtual machines, and commands in them.
//!
//! `exec` passes this process's standard streams through, with a terminal where both of its ends are one, and ends with the
//! command's own exit code (128 and the signal's number where a signal ended it). `list` says how those are signed in to that can be, and what else
//! of them is open from outside.

mod ssh_config;

use std::{
    convert::Infallible,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Subcommand;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use rustix::termios::{self, OptionalActions, Termios};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    Outcome,
    client::{Client, refusal},
    env::escaped,
    home::Home,
    say,
};
use crate::{
    StartError,
    control::frames::Frame,
    host::{Command, Exit, Share, Size},
};

const PIECE_BYTES: usize = 32 << 10;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the virtual machines
    List,
    /// Run a command in one
    Exec(Exec),
    /// Print what `~/.ssh/config` needs to know of those that can be signed in to
    SshConfig(SshConfig),
    /// Print what a machine's console has shown since it was booted: its cloud-init's words, too
    Log {
        /// The machine's name, or its resource id
        name: String,
    },
    /// Announce a scheduled event to one, as the platform does, and then do it
    Event(Event),
}

#[derive(clap::Args)]
pub(super) struct Event {
    /// The machine's name, or its resource id
    name: String,
    /// Freeze, Reboot, Redeploy, Preempt or Terminate
    #[arg(value_name = "TYPE")]
    event: String,
    /// When it begins, unless the machine lets it begin before [default: as much notice as Azure gives]
    #[arg(long = "in", value_name = "SECONDS")]
    notice: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct SshConfig {
    /// One machine's name [default: all of them]
    name: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Exec {
    /// The machine's name, or its resource id
    name: String,
    /// Run it as root, not as the machine's administrator
    #[arg(long)]
    root: bool,
    /// Lend it a directory of this host, at the same path, for as long as there is the machine. One that does not have it yet
    /// is booted again with it, and loses what it kept in memory
    #[arg(long = "share", value_name = "DIR[:ro]", value_parser = shared)]
    shares: Vec<Share>,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub(super) async fn run(verb: Verb, home: &Home) -> Outcome {
    match verb {
        Verb::List => list(home).await,
        Verb::Exec(args) => exec(args, home).await,
        Verb::SshConfig(args) => ssh_config::print(args.name.as_deref(), home).await,
        Verb::Log { name } => log(&name, home).await,
        Verb::Event(args) => event(args, home).await,
    }
}

/// Reads `DIR` or `DIR:ro`; the directory must be there.
fn shared(text: &str) -> Result<Share, String> {
    let (path, read_only) = match text.strip_suffix(":ro") {
        Some(path) => (path, true),
        None => (text, false),
    };
    let path = std::fs::canonicalize(path).map_err(|error| format!("`{path}`: {error}"))?;
    if path.parent().is_none() {
        Err("the root cannot be lent".to_owned())
    } else {
        Ok(Share { path, read_only })
    }
}

async fn log(name: &str, home: &Home) -> Outcome {
    let answer = Client::find(home)?.get(&format!("/vms/{}/log", escaped(name))).await?;
    say(answer["log"].as_str().unwrap_or_default())?;
    Ok(ExitCode::SUCCESS)
}

async fn event(args: Event, home: &Home) -> Outcome {
    let notice = args.notice.map(|seconds| format!("&in={seconds}")).unwrap_or_default();
    let path = format!("/vms/{}/event?type={}{notice}", escaped(&args.name), escaped(&args.event));
    let told = Client::find(home)?.post(&path).await?;
    let text = |name: &str| told[name].as_str().unwrap_or("-").to_owned();
    say(&format!("{} {} not before {}\n", text("id"), text("type"), text("notBefore")))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(home: &Home) -> Outcome {
    let answer = Client::find(home)?.get("/vms").await?;
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or("-").to_owned();
    let columns = ["name", "resourceGroup", "location", "state"];
    for vm in answer["value"].as_array().into_iter().flatten() {
        let row = columns.map(|column| format!("{:<24}", text(vm, column))).concat();
        let simulated = is_simulated(vm).then(|| "simulated".to_owned());
        let ways = ssh_config::sign_in(vm)
            .into_iter()
            .chain(simulated)
            .chain(doors(vm))
            .collect::<Vec<_>>()
            .join("  ");
        let row = format!("{row}{ways}");
        say(&format!("{}\n", row.trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `127.77.0.4:80`, and where that is on this host where it is elsewhere. The SSH server's is told by how one signs in.
fn doors(vm: &Value) -> Vec<String> {
    let all = vm["doors"].as_array().into_iter().flatten();
    let told = all.filter_map(|door| {
        let port = door["port"].as_u64().filter(|port| *port != 22)?;
        let (public, at) = (format!("{}:{port}", door["address"].as_str()?), door["at"].as_str()?);
        Some(if public == at { public } else { format!("{public} at {at}") })
    });
    told.collect()
}

/// Whether its commands run on the host: then nobody signs in to it.
fn is_simulated(vm: &Value) -> bool {
    vm["simulated"] == true
}

async fn exec(args: Exec, home: &Home) -> Outcome {
    let client = Client::find(home)?;
    let tty = (io::stdin().is_terminal() && io::stdout().is_terminal()).then(size);
    let command =
        Command { argv: args.command, env: Vec::new(), as_root: args.root, tty, shares: args.shares };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/vms/{}/exec", escaped(&args.name)))
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "zaffre-exec");
    let response = client.send(request, serde_json::to_vec(&command)?.into()).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        return Err(refusal(&body).unwrap_or_else(|| format!("the cloud answered {status}")).into());
    }
    let stream = TokioIo::new(hyper::upgrade::on(response).await?);
    let raw = tty.map(|_| Raw::begin()).transpose()?;
    let exit = talk(stream, tty.is_some()).await;
    drop(raw);
    Ok(match exit? {
        Exit::Code(code) => ExitCode::from(code as u8),
        Exit::Signal(signal) => ExitCode::from(128_u8.wrapping_add(signal as u8)),
    })
}

/// Carries the standard streams until the command has ended.
async fn talk(stream: impl AsyncRead + AsyncWrite, is_terminal: bool) -> Result<Exit, StartError> {
    let (mut from, mut to) = tokio::io::split(stream);
    let sent = async {
        // What cannot be sent any more is not missed: how it ended comes the other way.
        let _ = send(&mut to, is_terminal).await;
        // The command may go on without a stdin.
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        exit = receive(&mut from) => exit,
        never = sent => match never {},
    }
}

async fn receive(from: &mut (impl AsyncRead + Unpin)) -> Result<Exit, StartError> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    while let Some(frame) = Frame::read(from).await? {
        match frame {
            Frame::Stdout(bytes) => {
                out.write_all(&bytes).await?;
                out.flush().await?;
            }
            Frame::Stderr(bytes) => {
                err.write_all(&bytes).await?;
                err.flush().await?;
            }
            Frame::Exit(exit) => return Ok(exit),
            Frame::Stdin(_) | Frame::Resize(_) | Frame::Signal(_) => {
                return Err("the cloud sent what only a caller sends".into());
            }
        }
    }
    Err("the cloud went before the command ended".into())
}

/// Sends what is typed, the terminal's size when it changes, and Ctrl-C where no terminal makes a byte of it.
async fn send(to: &mut (impl AsyncWrite + Unpin), is_terminal: bool) -> io::Result<()> {
    let mut stdin = tokio::io::stdin();
    let mut piece = vec![0; PIECE_BYTES];
    let mut resized = signal(SignalKind::window_change())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut is_open = true;
    loop {
        let frame = tokio::select! {
            read = stdin.read(&mut piece), if is_open => {
                let bytes = piece[..read?].to_vec();
                is_open = !bytes.is_empty();
                Frame::Stdin(bytes)
            }
            () = next(&mut resized), if is_terminal => Frame::Resize(size()),
            () = next(&mut interrupted) => Frame::Signal(SignalKind::interrupt().as_raw_value()),
        };
        frame.write(to).await?;
    }
}

async fn next(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

fn size() -> Size {
    match termios::tcgetwinsize(io::stdout()) {
        Ok(size) => Size { rows: size.ws_row, columns: size.ws_col },
        Err(_) => Size { rows: 24, columns: 80 },
    }
}

/// The terminal passing every key through, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn begin() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_open_is_told_with_where_it_is() {
        let door = |port: u16, at: &str| json!({ "address": "127.77.0.4", "port": port, "at": at });
        let vm = json!({ "doors": [
            door(22, "127.77.0.4:2222"),
            door(80, "127.77.0.4:8080"),
            door(9000, "127.77.0.4:9000"),
        ] });
        assert_eq!(doors(&vm), ["127.77.0.4:80 at 127.77.0.4:8080", "127.77.0.4:9000"]);
        assert!(doors(&json!({})).is_empty());
    }
}
