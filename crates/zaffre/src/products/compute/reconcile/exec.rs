//! Commands in machines that run, for whoever asks `Guests`.
//!
//! A machine that should be on and is not yet is waited for. One that is to lend a directory which it does not have is booted
//! again with it, since a guest takes its shares when it is made: what it had in memory is lost, and `zaffre vm exec --help`
//! says so.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use azure::{
    error::{Error, Result},
    ids::ResourceId,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{
        codes,
        machine::{self, Machine, Power},
    },
    Machines, lock, on_host,
    running::Running,
};
use crate::{
    cloud::CloudId,
    host::{Command, Exec, Exit, Follower, Guests, Nudge, Share, Ssh},
    service::Fault,
    store::Store,
};

/// Longer than any boot takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than it takes until this process has the guests of one that is gone.
const SUCCESSION: Duration = Duration::from_secs(8);
/// A command's nudges that nobody took yet.
pub(super) const NUDGES: usize = 16;

pub(super) struct Commands {
    pub(super) store: Store,
    pub(super) follower: Follower,
    pub(super) machines: Machines,
    /// Whether guests are run by this process, and not by another one of the same cloud.
    pub(super) has_duty: Arc<AtomicBool>,
}

impl Guests for Commands {
    fn exec<'a>(
        &'a self,
        cloud: CloudId,
        vm: &'a ResourceId,
        command: Command,
    ) -> Pin<Box<dyn Future<Output = Result<Exec>> + Send + 'a>> {
        Box::pin(async move {
            self.lend(cloud, vm, &command.shares).await?;
            let running = self.up(cloud, vm).await?;
            match &running.guest {
                Some(guest) => in_guest(guest, command).await,
                None => on_host::begin(command, running.over()),
            }
        })
    }

    fn log(&self, cloud: CloudId, vm: &ResourceId) -> Option<String> {
        lock(&self.machines).get(&(cloud, vm.clone())).map(|it| it.log.read())
    }

    fn until_up<'a>(
        &'a self,
        cloud: CloudId,
        vm: &'a ResourceId,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move { self.up(cloud, vm).await.map(drop) })
    }

    fn is_on_host(&self, cloud: CloudId, vm: &ResourceId) -> bool {
        lock(&self.machines).get(&(cloud, vm.clone())).is_some_and(|it| it.guest.is_none())
    }

    fn ssh(&self, cloud: CloudId, vm: &ResourceId) -> Option<Ssh> {
        lock(&self.machines).get(&(cloud, vm.clone()))?.ssh()
    }
}

impl Commands {
    /// Sees to it that the machine's next boot has these directories, and that there is one if it has not.
    async fn lend(&self, cloud: CloudId, vm: &ResourceId, shares: &[Share]) -> Result<()> {
        if shares.is_empty() {
            return Ok(());
        }
        if let Some(missing) = shares.iter().find(|it| !it.path.is_absolute() || !it.path.exists()) {
            return Err(codes::CANNOT_LEND.with([missing.path.display().to_string()]));
        }
        let write = self.store.write(cloud, |txn| {
            let Some(mut machine) = machine::get(txn, vm)? else { return Ok(()) };
            let missing: Vec<Share> =
                shares.iter().filter(|it| !machine.shares.contains(it)).cloned().collect();
            if missing.is_empty() {
                return Ok(());
            }
            machine.shares.retain(|it| !missing.iter().any(|new| new.path == it.path));
            machine.shares.extend(missing);
            machine.boots += 1;
            self.follower.wake_after(txn);
            machine::note(txn, vm, &machine)
        });
        write.await
    }

    /// The machine, as soon as its latest boot is up.
    async fn up(&self, cloud: CloudId, vm: &ResourceId) -> Result<Arc<Running>> {
        let patience = if self.has_duty.load(Ordering::Acquire) { PATIENCE } else { SUCCESSION };
        let waited = tokio::time::timeout(patience, async {
            let mut reports = self.follower.reports();
            loop {
                let row = self.store.read(cloud, |txn| machine::get(txn, vm)).await?;
                if let Some(running) = self.answer(cloud, vm, row).transpose() {
                    return running;
                }
                if reports.changed().await.is_err() {
                    return Err(codes::NOT_RUNNING.with([vm.name(), "on its way"]));
                }
            }
        });
        waited.await.unwrap_or_else(|_| {
            let where_it_is = match self.has_duty.load(Ordering::Acquire) {
                true => "on its way",
                false => "run by another process of this cloud: ask that one",
            };
            Err(codes::NOT_RUNNING.with([vm.name(), where_it_is]))
        })
    }

    /// What runs, or why nothing will; none while it is on its way.
    fn answer(&self, cloud: CloudId, vm: &ResourceId, row: Option<Machine>) -> Result<Option<Arc<Running>>> {
        let Some(machine) = row else { return Err(codes::NOT_RUNNING.with([vm.name(), "gone"])) };
        match machine.power {
            Power::Running => {}
            Power::Stopped => return Err(codes::NOT_RUNNING.with([vm.name(), "stopped"])),
            Power::Deallocated => return Err(codes::NOT_RUNNING.with([vm.name(), "deallocated"])),
        }
        let problem = machine.seen.filter(|it| it.boots == machine.boots).and_then(|it| it.problem);
        if let Some(problem) = problem {
            return Err(codes::NOT_RUNNING.with([vm.name(), &format!("broken ({problem})")]));
        }
        let running = lock(&self.machines).get(&(cloud, vm.clone())).cloned();
        Ok(running.filter(|it| it.vm_id == machine.vm_id && it.boots == machine.boots && !it.is_dead()))
    }
}

async fn in_guest(guest: &guest::Guest, command: Command) -> Result<Exec> {
    let program = command.argv.first().cloned().unwrap_or_default();
    let mut inside = guest::Command::new(command.argv);
    inside.env = command.env;
    if command.as_root {
        inside.user = guest::User::Root;
    }
    inside.tty = command.tty.map(|it| guest::Size { rows: it.rows, columns: it.columns });
    let mut exec = guest.exec(inside).await.map_err(|error| cannot_run(&program, &error))?;
    let (Some(stdin), Some(stdout), stderr) = (exec.stdin.take(), exec.stdout.take(), exec.stderr.take())
    else {
        return Err(Fault::Internal.because("a command began without its streams"));
    };
    let (nudge, exit) = attend(exec, |nudge| nudge, |exit| exit);
    Ok(Exec {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: stderr.map(|it| Box::new(it) as _),
        nudge,
        exit,
    })
}

/// Does to a command what its holder wants, in the holder's own words for it, and tells how it ended.
pub(super) fn attend<N: Send + 'static, E: Send + 'static>(
    mut exec: guest::Exec,
    nudge_of: impl Fn(N) -> Nudge + Send + 'static,
    exit_of: impl Fn(Exit) -> E + Send + 'static,
) -> (mpsc::Sender<N>, oneshot::Receiver<E>) {
    let (nudge, mut nudges) = mpsc::channel(NUDGES);
    let (ended, exit) = oneshot::channel();
    tokio::spawn(async move {
        let status = loop {
            tokio::select! {
                status = exec.wait() => break status,
                nudge = nudges.recv() => match nudge.map(&nudge_of) {
                    Some(Nudge::Signal(signal)) => drop(exec.signal(signal)),
                    Some(Nudge::Resize(size)) => {
                        drop(exec.resize(guest::Size { rows: size.rows, columns: size.columns }));
                    }
                    // Nobody holds the command any more; dropping it kills it.
                    None => return,
                },
            }
        };
        if let Ok(status) = status {
            let _ = ended.send(exit_of(match status {
                guest::ExitStatus::Code(code) => Exit::Code(code),
                guest::ExitStatus::Signal(signal) => Exit::Signal(signal),
            }));
        }
    });
    (nudge, exit)
}

fn cannot_run(program: &str, error: &guest::GuestError) -> Error {
    match error {
        guest::GuestError::Refused(refused) => codes::CANNOT_RUN.with([program, &refused.why]),
        guest::GuestError::Dead => codes::CANNOT_RUN.with([program, "the machine has just ended"]),
    }
}
