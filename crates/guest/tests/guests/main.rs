//! Real guests on this machine: as whoever runs the tests and, when that is root, once more as an ordinary user.
//!
//! Where the machine refuses namespaces, each test says at which step and passes; with `ZAFFRE_REQUIRE_GUESTS` set it fails instead.
//! Nothing here sends a packet: the addresses 169.254.169.254 and 168.63.129.16 are spoken to by commands inside guests alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code, helpers included")]

mod commands;
mod leaks;
mod life;
mod neighbours;
mod network;
mod networks;
mod ordinary_user;
mod outside;
mod reach;
mod rootfs;
mod shells;
mod tools;
mod walls;

use guest::{Command, ExitStatus, Guest, GuestSockets, Spec, User};

/// A guest whose init is the one built beside these tests.
fn spec() -> Spec {
    let init = std::env::var_os("GUEST_INIT").unwrap_or_else(|| env!("CARGO_BIN_EXE_guest-init").into());
    Spec { init: init.into(), ..Spec::new("myVM") }
}

/// Whether guests can be had; says so when not.
fn is_allowed() -> bool {
    match guest::probe(&spec().init) {
        Ok(()) => true,
        Err(refused) if std::env::var_os("ZAFFRE_REQUIRE_GUESTS").is_some() => {
            panic!("no guests here: {refused}")
        }
        Err(refused) => {
            println!("skipped: this machine refuses guests: {refused}");
            false
        }
    }
}

async fn start(spec: Spec) -> Option<(Guest, GuestSockets)> {
    if !is_allowed() {
        return None;
    }
    Some(Guest::start(spec).await.unwrap_or_else(|error| panic!("{error}")))
}

fn shell(script: &str) -> Command {
    Command::new(["bash", "-c", script])
}

fn as_root(script: &str) -> Command {
    Command { user: User::Root, ..shell(script) }
}

/// What a command that must succeed prints.
async fn print(guest: &Guest, command: Command) -> String {
    let done = guest.exec(command).await.unwrap().finish().await.unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status, ExitStatus::Code(0), "{stderr}");
    String::from_utf8(done.stdout).unwrap().trim_end().to_string()
}

/// The code of a command that ends by itself.
async fn code(guest: &Guest, command: Command) -> i32 {
    match guest.exec(command).await.unwrap().finish().await.unwrap().status {
        ExitStatus::Code(code) => code,
        ExitStatus::Signal(signal) => panic!("ended by signal {signal}"),
    }
}
