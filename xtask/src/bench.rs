//! `cargo xtask bench [NAME] [--json]`: builds the benchmarks in release mode and runs one, or all.

use std::process::Command;

use crate::place;

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let status = Command::new(place::cargo())
        .current_dir(place::root())
        .args(["run", "--quiet", "--release", "--locked", "--package", "bench", "--"])
        .args(args)
        .status()
        .map_err(|why| format!("cannot start cargo: {why}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("a figure fell short, or could not be taken; see above".to_owned())
    }
}
