//! What a maintainer types. `cargo xtask up` builds the program and starts it; `cargo xtask test` is every test.
//!
//! Each command is a row of [`COMMANDS`]. This crate has no dependencies: it is compiled before anything else a
//! user waits for. It installs nothing on the machine; where a tool is missing it says which, and how to get it.

#![expect(clippy::print_stdout, reason = "a command-line tool's answer is what it prints")]

mod bench;
mod campaign;
mod clients;
mod image;
mod place;
mod stages;
mod test;
mod tools;
mod up;

use std::process::ExitCode;

/// One word after `cargo xtask`.
struct Command {
    name: &'static str,
    takes: &'static str,
    says: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "up",
        takes: "[ARG]...",
        says: "build the program in release mode and run `zaffre up ARG...`",
        run: up::run,
    },
    Command {
        name: "test",
        takes: "[STAGE]...",
        says: "run every test, or only the stages named",
        run: test::run,
    },
    Command {
        name: "clients",
        takes: "NAME [CHAPTER]...",
        says: "run Azure's own clients against the program: identity, az, python, js",
        run: clients::run,
    },
    Command {
        name: "campaign",
        takes: "NAME [OPTION]...",
        says: "run one of the long tests: crash, power-loss, model",
        run: campaign::run,
    },
    Command {
        name: "image",
        takes: "[--out FILE]",
        says: "write the container image, which `docker load` and `podman load` take",
        run: image::run,
    },
    Command {
        name: "bench",
        takes: "[NAME] [--json]",
        says: "measure, beside what it is measured against",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        print!("{}", usage());
        return if matches!(name.as_str(), "" | "help" | "--help" | "-h") {
            ExitCode::SUCCESS
        } else {
            eprintln!("\nno command `{name}`");
            ExitCode::FAILURE
        };
    };
    let words: Vec<String> = words.collect();
    match (command.run)(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let rows = COMMANDS.iter().map(|it| {
        let call = format!("{} {}", it.name, it.takes);
        format!("  cargo xtask {call:<26}  {}\n", it.says)
    });
    rows.collect()
}
