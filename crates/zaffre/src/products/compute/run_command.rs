//! Run command: a script in a machine, as `zaffre vm exec` runs a command there, and what it said.
//!
//! ```text
//! POST {vm}/runCommand ──▶ an operation ──▶ the script, in the guest or where machines are simulated on the host
//!       202                                     ▼
//! Location, in the end 200 ◀── operations::finish ── the last of stdout and of stderr
//! ```
//!
//! Azure's agent runs it as root, from a file; so it is here, but on the host, where it has the rights of whoever runs this
//! program. As in Azure a script that fails is a command that succeeded: its words are the answer (az-cli.md §8).
//!
//! Guests end with the program that runs them, and scripts in them. Whoever runs machines next ends what was under way as
//! failed (`fail_interrupted`): nobody is left who knows how far it came.

use std::{pin::pin, time::Duration};

use azure::{
    error::{Error, Result},
    ids::{Guid, ResourceId},
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    codes,
    machine::{self, Power},
    run_commands,
};
use crate::{
    arm::kind::{Answer, Call, Errand, Follow, Wait},
    control,
    host::{Command, Exec, Exit},
    resources::operations::{self, Gives, Operation, Status},
    service::Cx,
    store::{Table, Txn},
};

/// Documented: "Run scripts in your Linux VM by using action Run Commands", Restrictions.
const OUTPUT_BYTES: usize = 4096;
const TIMEOUT: Duration = Duration::from_secs(90 * 60);
/// How long output may still come after the end: what a script left running may hold it open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the answer waits, so that the first poll finds most scripts done.
const PATIENCE: Duration = Duration::from_secs(1);
const PIECE_BYTES: usize = 32 << 10;

/// Actions that are under way: whoever begins to run machines and finds one here did not begin it.
const UNDER_WAY: Table<Guid, ()> = Table::new("run_commands");

/// How a script ends whose program did.
pub(super) const INTERRUPTED: (&str, &str) = (
    "RunCommandInterrupted",
    "The program that ran the machine ended before the script did, and the script with it.",
);

/// What reads a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shell {
    Sh,
    PowerShell,
}

/// A command that the platform has: its id, its system, and what it is said to do.
struct Document {
    id: &'static str,
    system: &'static str,
    label: &'static str,
    description: &'static str,
    shell: Shell,
}

static DOCUMENTS: [Document; 2] = [
    Document {
        id: "RunShellScript",
        system: "Linux",
        label: "Run a Linux shell script",
        description: "Custom multiline shell script should be defined in script property.",
        shell: Shell::Sh,
    },
    Document {
        id: "RunPowerShellScript",
        system: "Windows",
        label: "Executes a PowerShell script",
        description: "Custom multiline PowerShell script should be defined in script property.",
        shell: Shell::PowerShell,
    },
];

fn document(id: &str) -> Result<&'static Document> {
    let found = DOCUMENTS.iter().find(|it| it.id.eq_ignore_ascii_case(id));
    found.ok_or_else(|| codes::INVALID_PARAMETER.with(["commandId"]).at("commandId"))
}

/// A script, and what it is given.
pub(super) struct Script {
    pub(super) shell: Shell,
    pub(super) text: String,
    /// Name and value: the values in order are `$1`, `$2`; each is in the environment too, by its name.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) timeout: Duration,
}

/// What came of it.
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// The last of it.
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// `GET locations/{location}/runCommands`.
pub(super) fn list(_: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!({ "value": DOCUMENTS.iter().map(shown).collect::<Vec<_>>() })))
}

/// `GET locations/{location}/runCommands/{commandId}`.
pub(super) fn one(call: &Call<'_, &Txn>) -> Result<Answer> {
    let id = call.parameter("commandId");
    let found = DOCUMENTS.iter().find(|it| it.id.eq_ignore_ascii_case(id));
    let absent = || codes::SOURCE_NOT_FOUND.with([id, call.parameter("location")]);
    let mut shown = shown(found.ok_or_else(absent)?);
    shown["script"] = json!([]);
    shown["parameters"] = json!([]);
    Ok(Answer::ok(shown))
}

fn shown(it: &Document) -> Value {
    json!({
        "$schema": "http://schema.management.azure.com/schemas/2016-11-17/runcommands.json",
        "id": it.id,
        "osType": it.system,
        "label": it.label,
        "description": it.description,
    })
}

/// `POST {vm}/runCommand`.
pub(super) fn invoke(errand: Errand) -> Wait<Result<Answer>> {
    Box::pin(async move {
        let Errand { cx, permit, mut draw, id: vm, body, .. } = errand;
        let script = read(&body)?;
        let who = permit.caller().principal().map(|it| it.object_id);
        let operation = Operation::new(draw.guid(), &vm, Gives::Output, cx.now).by(who);
        let begin = |txn: &mut Txn| {
            must_run(txn, &vm)?;
            begun(txn, &operation)
        };
        cx.write(begin).await?;
        let id = operation.id;
        let work = tokio::spawn(async move {
            let status = match run(&cx, &vm, &script).await {
                Ok(ran) => Status::Succeeded { output: Some(json!({ "value": said(script.shell, &ran) })) },
                Err(error) => failed(&error),
            };
            let now = cx.cloud.clock.now();
            // A store that is closed has nobody who polls.
            let end = |txn: &mut Txn| {
                UNDER_WAY.delete(txn, &id)?;
                operations::finish(txn, id, status.clone(), now)
            };
            let _ = cx.write(end).await;
        });
        // Too late is no failure: whoever polls is told.
        let _ = tokio::time::timeout(PATIENCE, work).await;
        Ok(Answer::begun(id, Follow::Both))
    })
}

/// Writes down that a script is under way.
pub(super) fn begun(txn: &mut Txn, operation: &Operation) -> Result<()> {
    UNDER_WAY.put(txn, &operation.id, &())?;
    operations::begin(txn, operation)
}

/// Ends what an earlier program had begun.
pub(super) fn fail_interrupted(txn: &mut Txn, now: Timestamp) -> Result<()> {
    for (operation, ()) in UNDER_WAY.scan(txn, &(), None, usize::MAX)? {
        UNDER_WAY.delete(txn, &operation)?;
        operations::finish(txn, operation, interrupted(), now)?;
    }
    run_commands::fail_interrupted(txn, now)
}

pub(super) fn interrupted() -> Status {
    let (code, message) = INTERRUPTED;
    Status::Failed { code: code.to_owned(), message: message.to_owned() }
}

pub(super) fn failed(error: &Error) -> Status {
    Status::Failed { code: error.row.code.to_owned(), message: error.message() }
}

/// Nothing is run in a machine that is off.
pub(super) fn must_run(txn: &Txn, vm: &ResourceId) -> Result<()> {
    match machine::get(txn, vm)?.is_some_and(|it| it.power == Power::Running) {
        true => Ok(()),
        false => Err((&codes::EXTENSIONS_OF_STOPPED_VM).into()),
    }
}

fn read(body: &Value) -> Result<Script> {
    let missing = || codes::MISSING_PARAMETER.with(["commandId"]).at("commandId");
    let document = document(body["commandId"].as_str().ok_or_else(missing)?)?;
    let bad = |name: &'static str| codes::INVALID_PARAMETER.with([name]).at(name);
    let lines = match &body["script"] {
        Value::Null => Vec::new(),
        Value::Array(lines) => {
            lines.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(|| bad("script"))?
        }
        _ => return Err(bad("script")),
    };
    let parameters = parameters(&body["parameters"])?;
    Ok(Script { shell: document.shell, text: lines.join("\n"), parameters, timeout: TIMEOUT })
}

/// `[{"name": …, "value": …}]`.
pub(super) fn parameters(list: &Value) -> Result<Vec<(String, String)>> {
    let bad = || codes::INVALID_PARAMETER.with(["parameters"]).at("parameters");
    let one = |it: &Value| {
        let value = it["value"].as_str()?.to_owned();
        Some((it["name"].as_str().unwrap_or_default().to_owned(), value))
    };
    match list {
        Value::Null => Ok(Vec::new()),
        Value::Array(all) => all.iter().map(one).collect::<Option<_>>().ok_or_else(bad),
        _ => Err(bad()),
    }
}

/// As each system's agent says it (az-cli.md §8; PowerShell's documented in "Run scripts in your Windows VM").
fn said(shell: Shell, ran: &Ran) -> Value {
    let status = |code: &str, message: &str| json!({ "code": code, "level": "Info", "displayStatus": "Provisioning succeeded", "message": message });
    match shell {
        Shell::Sh => {
            let message = format!("Enable succeeded: \n[stdout]\n{}\n[stderr]\n{}", ran.stdout, ran.stderr);
            json!([status("ProvisioningState/succeeded", &message)])
        }
        Shell::PowerShell => json!([
            status("ComponentStatus/StdOut/succeeded", &ran.stdout),
            status("ComponentStatus/StdErr/succeeded", &ran.stderr),
        ]),
    }
}

/// Puts the script into a file, and runs that: its first line may name what reads it, and its stdin is empty.
const FROM_A_FILE: &str = r#"d=$(mktemp -d) && cat > "$d/script.sh" && chmod 700 "$d/script.sh" || exit 126
cd "$d" && "$d/script.sh" "$@" < /dev/null
status=$?
rm -rf "$d"
exit $status"#;

fn command(script: &Script) -> Command {
    let words: &[&str] = match script.shell {
        Shell::Sh => &["bash", "-c", FROM_A_FILE, "run-command"],
        Shell::PowerShell => &["pwsh", "-NoLogo", "-NonInteractive", "-Command", "-"],
    };
    let values = script.parameters.iter().map(|(_, value)| value.clone());
    let is_name = |name: &str| {
        name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    Command {
        argv: words.iter().map(|it| (*it).to_owned()).chain(values).collect(),
        env: script.parameters.iter().filter(|(name, _)| is_name(name)).cloned().collect(),
        as_root: true,
        tty: None,
        shares: Vec::new(),
    }
}

/// Runs it to its end. Refuses where no machine of that name runs, or has nothing that reads the script.
pub(super) async fn run(cx: &Cx, vm: &ResourceId, script: &Script) -> Result<Ran> {
    let exec = control::exec::start(cx, vm, command(script)).await.map_err(|error| match script.shell {
        Shell::PowerShell if error.row.code == codes::CANNOT_RUN.code => {
            codes::NO_POWERSHELL.with([vm.name()])
        }
        Shell::PowerShell | Shell::Sh => error,
    })?;
    let timed_out = |_| codes::TIMED_OUT.with([script.timeout.as_secs().to_string()]);
    tokio::time::timeout(script.timeout, heard(exec, &script.text)).await.map_err(timed_out)
}

/// Gives the command its script, and listens until it has ended. Dropping this kills it.
async fn heard(exec: Exec, text: &str) -> Ran {
    let Exec { mut stdin, stdout, stderr, nudge, mut exit } = exec;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = {
        let mut all = pin!(async {
            let say = async {
                // Whoever has closed its stdin has said all the same how it ended.
                let _ = stdin.write_all(text.as_bytes()).await;
                drop(stdin);
            };
            let errors = async {
                if let Some(stderr) = stderr {
                    last_of(stderr, &mut err).await;
                }
            };
            tokio::join!(say, last_of(stdout, &mut out), errors)
        });
        let mut is_silent = false;
        let status = loop {
            tokio::select! {
                status = &mut exit => break status,
                _ = &mut all, if !is_silent => is_silent = true,
            }
        };
        if !is_silent {
            let _ = tokio::time::timeout(LAST_WORDS, all).await;
        }
        status
    };
    drop(nudge);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { exit: status.unwrap_or(Exit::Signal(9)), stdout: text(out), stderr: text(err) }
}

/// Reads to the end, and keeps the last of it.
async fn last_of(mut from: Box<dyn AsyncRead + Send + Unpin>, kept: &mut Vec<u8>) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        kept.extend_from_slice(&piece[..length]);
        kept.drain(..kept.len().saturating_sub(OUTPUT_BYTES));
    }
}
