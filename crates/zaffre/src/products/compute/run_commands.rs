//! `virtualMachines/runCommands`: a script that is a resource. Writing it runs it; what came of it is its instance view.
//!
//! The row is written first and says what is to run; `settle`, which follows the commit, begins it, waits a moment, and
//! leaves the rest to a task of its own, which writes what it saw if the row is still the one that it began with. What would
//! have to be kept secret (`protectedParameters`, a password) or fetched is refused by name.

use std::time::Duration;

use azure::{error::Result, ids::ResourceId, time::Timestamp};
use serde_json::{Map, Value, json};

use super::{
    attached, codes,
    run_command::{self, Ran, Script, Shell},
};
use crate::{
    arm::{
        codes as arm,
        kind::{Change, View, Wait},
    },
    host::Exit,
    resources::{
        self, Resource, State,
        operations::{self, Status},
    },
    service::Cx,
    store::Txn,
};

const TYPE: &str = "Microsoft.Compute/virtualMachines/runCommands";
const PATIENCE: Duration = Duration::from_secs(1);
/// Where nothing is said, in seconds (general knowledge of managed run commands, unverified).
const TIMEOUT: u64 = 3600;
const LATER: &[&str] = &[
    "protectedParameters",
    "runAsUser",
    "runAsPassword",
    "outputBlobUri",
    "errorBlobUri",
    "source/scriptUri",
    "source/galleryScriptReferenceId",
    "source/commandId",
];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    attached::prune(&mut change.next.properties);
    change.next.properties.shift_remove("instanceView");
    if let Some(name) = LATER.iter().find(|it| is_given(change.next, it)) {
        let name = name.replace('/', ".");
        return Err(arm::not_implemented(format!(
            "Microsoft.Compute/virtualMachines/runCommands with {name}"
        )));
    }
    script_of(change.next)?;
    for (name, usual) in [("asyncExecution", json!(false)), ("treatFailureAsDeploymentFailure", json!(false))]
    {
        change.next.properties.entry(name).or_insert(usual);
    }
    let vm = change.next.id.parent().expect("a run command is inside its machine");
    run_command::must_run(change.txn, &vm)?;
    note(change.next, "Pending", change.cx.now, None);
    if change.cx.env.guests.get().is_some() {
        change.next.state = if change.is_create() { State::Creating } else { State::Updating };
    }
    Ok(())
}

fn is_given(resource: &Resource, path: &str) -> bool {
    resource.property(path).is_some_and(|it| it != "" && it.as_array().is_none_or(|it| !it.is_empty()))
}

fn script_of(resource: &Resource) -> Result<Script> {
    let name = "source.script";
    let text =
        resource.text("source/script").ok_or_else(|| codes::MISSING_PARAMETER.with([name]).at(name))?;
    let seconds = resource.property("timeoutInSeconds").map_or(Some(TIMEOUT), Value::as_u64);
    let bad = || codes::INVALID_PARAMETER.with(["timeoutInSeconds"]).at("timeoutInSeconds");
    let timeout = Duration::from_secs(seconds.filter(|it| *it <= 24 * 60 * 60).ok_or_else(bad)?);
    let parameters = run_command::parameters(resource.property("parameters").unwrap_or(&Value::Null))?;
    Ok(Script { shell: Shell::Sh, text: text.to_owned(), parameters, timeout })
}

/// What is seen of it, with the time since when.
fn note(resource: &mut Resource, state: &str, now: Timestamp, ran: Option<&Ran>) {
    let mut view =
        json!({ "executionState": state, "executionMessage": "", "exitCode": 0, "output": "", "error": "" });
    view["startTime"] = match resource.property("instanceView/startTime") {
        Some(started) if state != "Pending" => started.clone(),
        _ => json!(now.iso()),
    };
    if let Some(ran) = ran {
        let (code, message) = match ran.exit {
            Exit::Code(0) => (0, "Execution completed".to_owned()),
            Exit::Code(code) => {
                (code, format!("Execution failed: command terminated with exit status={code}"))
            }
            Exit::Signal(signal) => (-1, format!("Execution failed: command terminated by signal {signal}")),
        };
        view["executionMessage"] = json!(message);
        view["exitCode"] = json!(code);
        view["output"] = json!(ran.stdout);
        view["error"] = json!(ran.stderr);
        view["endTime"] = json!(now.iso());
    }
    resource.set("instanceView", view);
}

/// Runs what was written, and waits a moment for its end.
pub(super) fn settle(cx: &Cx, id: &ResourceId) -> Wait<()> {
    let (cx, id) = (cx.clone(), id.clone());
    Box::pin(async move {
        let row = cx.read(|txn| resources::get(txn, &id)).await;
        let Ok(Some(row)) = row else { return };
        if row.state.is_terminal() {
            return;
        }
        let work = tokio::spawn(async move { follow(&cx, row).await });
        // Too late is no failure: the answer then says how to follow the rest.
        let _ = tokio::time::timeout(PATIENCE, work).await;
    })
}

async fn follow(cx: &Cx, row: Resource) {
    let vm = row.id.parent().unwrap_or_else(ResourceId::root);
    let is_left_alone = row.property("asyncExecution") == Some(&json!(true));
    // What cannot be written is in the store's own log; there is nobody else to tell.
    let _ = cx.write(|txn| write(txn, cx, &row, "Running", None, is_left_alone)).await;
    let ran = match script_of(&row) {
        Ok(script) => run_command::run(cx, &vm, &script).await,
        Err(error) => Err(error),
    };
    let ran = ran.unwrap_or_else(|error| Ran {
        exit: Exit::Code(1),
        stdout: String::new(),
        stderr: error.message(),
    });
    let state = if matches!(ran.exit, Exit::Code(0)) { "Succeeded" } else { "Failed" };
    let _ = cx.write(|txn| write(txn, cx, &row, state, Some(&ran), true)).await;
}

/// Writes what was seen, unless another one has taken its place meanwhile, and ends the operation.
fn write(txn: &mut Txn, cx: &Cx, began: &Resource, state: &str, ran: Option<&Ran>, ends: bool) -> Result<()> {
    let now = cx.cloud.clock.now();
    let Some(mut row) = resources::get(txn, &began.id)?.filter(|it| it.etag == began.etag) else {
        return Ok(());
    };
    note(&mut row, state, now, ran);
    resources::put(txn, &row)?;
    match row.operation.filter(|_| ends) {
        Some(operation) => operations::finish(txn, operation, end_of(&row, state), now),
        None => Ok(()),
    }
}

/// Ends what an earlier program had begun: what came of it is not known.
pub(super) fn fail_interrupted(txn: &mut Txn, now: Timestamp) -> Result<()> {
    for mut row in resources::of_type(txn, TYPE, &ResourceId::root(), None, usize::MAX)? {
        if !matches!(row.text("instanceView/executionState"), Some("Pending" | "Running")) {
            continue;
        }
        note(&mut row, "Unknown", now, None);
        row.properties["instanceView"]["executionMessage"] = json!(run_command::INTERRUPTED.1);
        resources::put(txn, &row)?;
        if let Some(operation) = row.operation {
            operations::finish(txn, operation, run_command::interrupted(), now)?;
        }
    }
    Ok(())
}

fn end_of(row: &Resource, state: &str) -> Status {
    let matters = row.property("treatFailureAsDeploymentFailure") == Some(&json!(true));
    if state == "Failed" && matters {
        let said = row.text("instanceView/executionMessage").unwrap_or_default();
        let message =
            format!("VM has reported a failure when processing run command '{}': {said}", row.name());
        return Status::Failed { code: "VMExtensionProvisioningError".to_owned(), message };
    }
    Status::Succeeded { output: None }
}

/// The instance view is shown to whoever asks for it.
pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    if !super::view::expands(view, "instanceView") {
        properties.shift_remove("instanceView");
    }
    Ok(properties)
}
