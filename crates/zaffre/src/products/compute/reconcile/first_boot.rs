//! What a machine's custom data asks for, done in its guest once that is up, beside everything else: a machine is there before it is done.

use std::sync::Arc;

use guest::{Command, ExitStatus, ExtraFile, Finished, Guest, GuestError, User};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{
    super::cloud_init::{Plan, Step},
    log::Log,
};

/// What the machine itself finds of it, where cloud-init's own status is: what is still to come, or that there is nothing.
pub(super) fn files(plan: &Plan) -> Vec<ExtraFile> {
    let file = |path: &str, text: String| ExtraFile {
        path: path.into(),
        mode: 0o644,
        owner: User::Root,
        bytes: text.into(),
    };
    if is_nothing(plan) {
        vec![file(STATUS, status(None, &[], &[])), file(FINISHED, String::new())]
    } else {
        vec![file(STATUS, status(Some("modules-final"), &[], &[]))]
    }
}

const STATUS: &str = "/run/cloud-init/status.json";
/// Scripts wait for it to be there.
const FINISHED: &str = "/var/lib/cloud/instance/boot-finished";
/// What was printed meanwhile comes by stdin; the status is `$0`.
const FINISH: &str = "mkdir -p /var/lib/cloud/instance; cat > /var/log/cloud-init-output.log; printf %s \"$0\" > /run/cloud-init/status.new && \
                      mv /run/cloud-init/status.new /run/cloud-init/status.json; : > /var/lib/cloud/instance/boot-finished";

fn status(stage: Option<&str>, errors: &[String], left: &[String]) -> String {
    let left = if left.is_empty() { json!({}) } else { json!({ "WARNING": left }) };
    let last = json!({ "errors": errors, "recoverable_errors": left });
    json!({ "v1": { "datasource": "DataSourceAzure", "stage": stage, "modules-final": last } }).to_string()
}

fn is_nothing(plan: &Plan) -> bool {
    plan.steps.is_empty() && plan.notes.is_empty()
}

/// Begins it. It ends with the guest.
pub(super) fn begin(guest: Arc<Guest>, plan: Plan, log: Log) {
    if is_nothing(&plan) {
        return;
    }
    tokio::spawn(async move {
        for note in &plan.notes {
            log.line(&format!("cloud-init: {note}"));
        }
        let mut failed = Vec::new();
        for step in &plan.steps {
            log.line(&format!("cloud-init: {}", step.name));
            if !carry_out(&guest, step, &log).await {
                failed.push(step.name.clone());
            }
        }
        let (done, undone) = (plan.steps.len() - failed.len(), failed.len());
        let status = status(None, &failed, &plan.notes);
        let argv = ["/bin/sh", "-c", FINISH, &status].map(str::to_owned).to_vec();
        let finish = Step { name: "finish".to_owned(), argv, stdin: log.read().into_bytes() };
        carry_out(&guest, &finish, &log).await;
        log.line(&format!("cloud-init: finished, {done} done, {undone} failed"));
    });
}

/// Whether it ended well. What it said is in the log.
pub(super) async fn carry_out(guest: &Guest, step: &Step, log: &Log) -> bool {
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
