//! Commands of simulated machines: processes of the host, with the rights of whoever runs this program.
//!
//! They have no terminal and no other user. They end with their machine, and when their caller goes, they and whatever they began in their group
//! of processes. What a command leaves behind in that group when it ends by itself is nobody's any more, and stays.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
};

use azure::error::Result;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::Child,
    sync::{mpsc, oneshot, watch},
};

use super::{super::codes, exec::NUDGES};
use crate::{
    host::{Command, Exec, Exit, Nudge},
    service::Fault,
};

/// Begins a command; `over` becomes true, or is dropped, when its machine ends.
pub(super) fn begin(command: Command, over: watch::Receiver<bool>) -> Result<Exec> {
    let program = command.argv.first().cloned().unwrap_or_default();
    let refused = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => {
                "this machine is simulated: its commands run on its host, which has no such program"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        codes::CANNOT_RUN.with([program, why])
    };
    let mut child = process(&command).spawn().map_err(refused)?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Fault::Internal.because("a process began without its streams"));
    };
    let (nudge, nudges) = mpsc::channel(NUDGES);
    let (ended, exit) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(status) = attend(child, nudges, over).await {
            let _ = ended.send(told(status));
        }
    });
    Ok(Exec { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Some(Box::new(stderr)), nudge, exit })
}

fn process(command: &Command) -> tokio::process::Command {
    let mut process = tokio::process::Command::new(command.argv.first().map_or("", String::as_str));
    process.args(command.argv.iter().skip(1)).kill_on_drop(true).process_group(0);
    for (name, value) in &command.env {
        // An empty value takes a variable away, as it does for the clients that would read it.
        if value.is_empty() {
            process.env_remove(name)
        } else {
            process.env(name, value)
        };
    }
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    process
}

/// Until it has ended: by itself, with its machine, or because its caller has gone.
async fn attend(
    mut child: Child,
    mut nudges: mpsc::Receiver<Nudge>,
    mut over: watch::Receiver<bool>,
) -> io::Result<ExitStatus> {
    loop {
        let nudge = tokio::select! {
            status = child.wait() => return status,
            // One that is dropped has ended too.
            _ = over.wait_for(|it| *it) => None,
            nudge = nudges.recv() => nudge,
        };
        match nudge {
            Some(Nudge::Signal(signal)) => signal_group(&child, Signal::from_named_raw(signal)),
            Some(Nudge::Resize(_)) => {}
            None => {
                signal_group(&child, Some(Signal::KILL));
                return child.wait().await;
            }
        }
    }
}

fn signal_group(child: &Child, signal: Option<Signal>) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let (Some(group), Some(signal)) = (group, signal) {
        // One that has just ended needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

fn told(status: ExitStatus) -> Exit {
    match status.code() {
        Some(code) => Exit::Code(code),
        None => Exit::Signal(status.signal().unwrap_or_default()),
    }
}
