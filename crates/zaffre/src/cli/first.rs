//! The first process of a container, where that is this program: it starts the cloud as its child, and stands by.
//!
//! Whatever loses its parent is given to the first process, and is nobody's to bury but that one's. The cloud itself cannot: it waits for
//! children of its own, each by its number, and a wait for all of them would take theirs away. So the first process does nothing else: it
//! passes signals on, buries the dead, and ends as the cloud did.

use std::{
    env, io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    task::Poll,
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{self, SignalKind, signal};

use super::Outcome;
use crate::StartError;

/// What is passed on. The kernel keeps from a first process what that does not ask for.
const PASSED_ON: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

pub(super) fn is_here() -> bool {
    std::process::id() == 1
}

/// Runs the same command as a child, until that ends.
pub(super) fn stand_by() -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(stand())
}

async fn stand() -> Outcome {
    // Before there is a child that could end.
    let mut ended = signal(SignalKind::child())?;
    let mut told = Told::listen()?;
    let cloud = begin()?;
    loop {
        tokio::select! {
            _ = ended.recv() => {}
            signal = told.next() => {
                // One that has just ended is buried below.
                let _ = kill_process(cloud, signal);
            }
        }
        if let Some(status) = bury(cloud)? {
            return Ok(code(status));
        }
    }
}

struct Told(Vec<(unix::Signal, Signal)>);

impl Told {
    fn listen() -> io::Result<Self> {
        let one = |it: Signal| Ok((signal(SignalKind::from_raw(it.as_raw()))?, it));
        PASSED_ON.into_iter().map(one).collect::<io::Result<_>>().map(Told)
    }

    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| {
            let told = self.0.iter_mut().find_map(|(told, it)| told.poll_recv(cx).is_ready().then_some(*it));
            told.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

fn begin() -> Result<Pid, StartError> {
    let mut words = env::args_os();
    let name = words.next().unwrap_or_else(|| "zaffre".into());
    let child = Command::new(env::current_exe()?).arg0(name).args(words).spawn()?;
    Ok(Pid::from_child(&child))
}

/// Waits for all that have ended. Gives how the cloud did, once it has.
fn bury(cloud: Pid) -> Result<Option<WaitStatus>, StartError> {
    loop {
        match wait(WaitOptions::NOHANG)? {
            Some((pid, status)) if pid == cloud => return Ok(Some(status)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

/// As a shell would tell it.
fn code(status: WaitStatus) -> ExitCode {
    let signal = status.terminating_signal().map(|it| 128 + it);
    ExitCode::from(status.exit_status().or(signal).unwrap_or(1) as u8)
}
