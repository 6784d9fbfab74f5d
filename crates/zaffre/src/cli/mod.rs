//! The command line: one file a subcommand.
//!
//! `up` is the cloud; every other command finds the running one by `run.json` in the data directory and asks it over its
//! control socket. What a command prints for the next command to read goes to standard output, everything else to standard
//! error.

mod backup;
mod ca;
mod client;
#[cfg(test)]
mod compose_tests;
mod credentials;
mod doctor;
mod down;
mod env;
mod explain;
mod federation;
mod first;
mod fsck;
mod guests;
mod home;
mod keys;
mod passing;
mod places;
mod rootfs;
mod shell;
mod sidecar;
mod status;
mod store;
mod tour;
mod up;
mod vm;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::home::Home;
use crate::StartError;

/// How a command ends: what it could not do, in words for the one who typed it.
type Outcome = Result<ExitCode, StartError>;

#[derive(Parser)]
#[command(name = "zaffre", version, about = "Azure's managed-identity system on your own machine")]
struct Line {
    /// Where the cloud is kept [default: $XDG_DATA_HOME/zaffre]
    #[arg(long, env = "ZAFFRE_HOME", global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the cloud and stay in the foreground
    Up(up::Args),
    /// Stop the cloud
    Down,
    /// Print where the cloud is
    Status,
    /// Print the variables that make Azure's clients use this cloud
    Env(env::Args),
    /// Make the network of this container a virtual machine's, for containers that share it
    Sidecar(sidecar::Args),
    /// Say where the certificate authority is, and have the system and browsers trust it
    #[command(subcommand)]
    Ca(ca::Verb),
    /// Open a shell in which Azure's own names are this cloud and `az` is signed in
    Shell(shell::Args),
    /// Run a command as in such a shell
    Run(shell::Run),
    /// Say what this machine allows, and what to do where it does not
    Doctor,
    /// Print how to sign in
    Credentials(credentials::Args),
    /// List the virtual machines, or run a command in one
    #[command(subcommand)]
    Vm(vm::Verb),
    /// Take the tutorials' steps against a fresh cloud, each with what really came
    Tour(tour::Args),
    /// Print why requests were refused
    Explain(explain::Args),
    /// Write everything as it is now into a directory; the cloud may be up
    Backup(backup::Args),
    /// Bring a backup back into a place that has no cloud
    Restore(backup::Args),
    /// Read everything that is stored, and say what is damaged
    Fsck(fsck::Args),
    /// Look at how rows are kept
    #[command(subcommand)]
    Store(store::Verb),
    /// List the keys that tokens are signed with, or begin a new one
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Say whose tokens federated credentials may name
    #[command(subcommand)]
    Federation(federation::Verb),
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let line = Line::parse();
    let outcome = Home::find(line.data).and_then(|home| run(line.command, &home));
    outcome.unwrap_or_else(|error| {
        eprintln!("zaffre: {error}");
        ExitCode::FAILURE
    })
}

fn run(command: Command, home: &Home) -> Outcome {
    match command {
        Command::Up(args) => up::run(args, home),
        Command::Ca(verb) => ca::run(verb, home),
        Command::Shell(args) => shell::open(&args, home),
        Command::Run(run) => shell::run(run, home),
        Command::Doctor => doctor::run(home),
        Command::Down => asking(down::run(home)),
        Command::Status => asking(status::run(home)),
        Command::Env(args) => asking(env::run(args, home)),
        Command::Sidecar(args) => asking(sidecar::run(args, home)),
        Command::Credentials(args) => asking(credentials::run(args, home)),
        Command::Tour(args) => tour::run(args),
        Command::Vm(verb) => asking(vm::run(verb, home)),
        Command::Explain(args) => asking(explain::run(args, home)),
        Command::Backup(args) => asking(backup::write(args, home)),
        Command::Restore(args) => asking(backup::restore(args, home)),
        Command::Fsck(args) => asking(fsck::run(args, home)),
        Command::Store(verb) => asking(store::run(verb, home)),
        Command::Keys(verb) => asking(keys::run(verb, home)),
        Command::Federation(verb) => asking(federation::run(verb, home)),
    }
}

/// Runs a command that asks the cloud and waits.
fn asking(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // A thread may still wait for a key that nobody will press.
    runtime.shutdown_background();
    outcome
}

/// Prints to standard output. A reader that has gone is no error of ours.
fn say(text: &str) -> Result<(), StartError> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
