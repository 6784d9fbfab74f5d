//! The command line: one file a subcommand.
//!
//! `up` is the cloud; every other command finds the running one by `run.json` in the data directory and asks it over its
//! control socket. What a command prints for the next command to read goes to standard output, everything else to standard
//! error.

mod client;
mod down;
mod home;
mod up;

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
        Command::Down => asking(down::run(home)),
    }
}

/// Runs a command that asks the cloud and waits.
fn asking(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// Prints to standard output. A reader that has gone is no error of ours.
fn say(text: &str) -> Result<(), StartError> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
