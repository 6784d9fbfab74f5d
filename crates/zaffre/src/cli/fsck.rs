//! `zaffre fsck [--repair]`: reads everything that a cloud which is down keeps, and says what is not as it was written.

use std::process::ExitCode;

use super::{Outcome, home::Home, say};
use crate::store::fsck;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Keep what is whole; what has to go is kept beside
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(args: &Args, home: &Home) -> Outcome {
    if !home.path().join("store").exists() {
        return Err(format!("there is no cloud in `{}`", home.path().display()).into());
    }
    let _lock = home.lock()?;
    let report = fsck::check(&home.path().join("store"), &home.path().join("content"), args.repair)?;
    for finding in &report.findings {
        say(&format!("{}\n", finding.what))?;
        if let Some(repair) = &finding.repair {
            say(&format!("  repaired: {repair}\n"))?;
        }
    }
    say(&format!("{} rows, {} bodies, {} findings\n", report.rows, report.bodies, report.findings.len()))?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
