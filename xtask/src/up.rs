//! `cargo xtask up`: build what is missing, then become `zaffre up`.
//!
//! The program replaces this process, so that signals, the terminal and the exit code are its own. It is told how it
//! was called (`ZAFFRE_SELF`), and prints that in front of each line it suggests to type next.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::place;

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let build = Command::new(place::cargo())
        .current_dir(place::root())
        .args(["build", "--release", "--locked", "--package", "zaffre"])
        .status()
        .map_err(|why| format!("cannot start cargo: {why}"))?;
    if !build.success() {
        return Err("the program does not build, see above".to_owned());
    }
    let zaffre = place::zaffre()?;
    let typed = place::as_typed(&zaffre);
    let why = Command::new(&zaffre).arg("up").args(args).env("ZAFFRE_SELF", &typed).exec();
    Err(format!("cannot start `{}`: {why}", typed.display()))
}
