//! What a machine's custom data asks for, done in its guest once that is up, beside everything else: a machine is there before it is done.

use std::sync::Arc;

use guest::{Command, ExitStatus, Finished, Guest, GuestError, User};
use tokio::io::AsyncWriteExt as _;

use super::{
    super::cloud_init::{Plan, Step},
    log::Log,
};

/// Begins it. It ends with the guest.
pub(super) fn begin(guest: Arc<Guest>, plan: Plan, log: Log) {
    if plan.steps.is_empty() && plan.notes.is_empty() {
        return;
    }
    tokio::spawn(async move {
        for note in &plan.notes {
            log.line(&format!("cloud-init: {note}"));
        }
        let mut failed = 0;
        for step in &plan.steps {
            log.line(&format!("cloud-init: {}", step.name));
            failed += usize::from(!carry_out(&guest, step, &log).await);
        }
        log.line(&format!("cloud-init: finished, {} done, {failed} failed", plan.steps.len() - failed));
    });
}

/// Whether it ended well. What it said is in the log.
async fn carry_out(guest: &Guest, step: &Step, log: &Log) -> bool {
    match run(guest, step).await {
        Ok(done) => {
            log.text(&String::from_utf8_lossy(&done.stdout));
            log.text(&String::from_utf8_lossy(&done.stderr));
            match done.status {
                ExitStatus::Code(0) => return true,
                ExitStatus::Code(code) => log.line(&format!("cloud-init: it ended with {code}")),
                ExitStatus::Signal(signal) => log.line(&format!("cloud-init: signal {signal} ended it")),
            }
        }
        Err(error) => log.line(&format!("cloud-init: {error}")),
    }
    false
}

async fn run(guest: &Guest, step: &Step) -> Result<Finished, GuestError> {
    let command =
        Command { user: User::Root, cwd: Some("/".into()), ..Command::new(step.argv.iter().cloned()) };
    let mut exec = guest.exec(command).await?;
    if let Some(mut stdin) = exec.stdin.take() {
        // One that reads nothing of it still ends as it ends.
        let _ = stdin.write_all(&step.stdin).await;
    }
    exec.finish().await
}
