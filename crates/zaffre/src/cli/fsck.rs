//! `zaffre fsck [--repair]`: reads everything that a cloud which is down keeps, and says what is not as it was written. What
//! is in a database is read there, whoever else uses it; its own files are its server's to check and to repair.

use std::process::ExitCode;

use super::{Outcome, home::Home, places::Places, say};
use crate::{StartError, store::fsck};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Keep what is whole; what has to go is kept beside
    #[arg(long, conflicts_with = "store")]
    repair: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    let report = match args.places.store {
        Some(_) => {
            let (store, content) = args.places.open(home).await?;
            fsck::check_database(&store, &content).await?
        }
        None => check_files(&args, home).await?,
    };
    for finding in &report.findings {
        say(&format!("{}\n", finding.what))?;
        if let Some(repair) = &finding.repair {
            say(&format!("  repaired: {repair}\n"))?;
        }
    }
    say(&format!("{} rows, {} bodies, {} findings\n", report.rows, report.bodies, report.findings.len()))?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_files(args: &Args, home: &Home) -> Result<fsck::Report, StartError> {
    if !home.path().join("store").exists() {
        return Err(format!("there is no cloud in `{}`", home.path().display()).into());
    }
    let _lock = home.lock()?;
    let content = args.places.bodies(home, None)?;
    Ok(fsck::check(&home.path().join("store"), &content, args.repair).await?)
}
