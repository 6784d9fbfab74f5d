//! `zaffre store stats|compact`: how the running cloud keeps its rows.

use std::process::ExitCode;

use serde_json::Value;

use super::{Outcome, client::Client, home::Home, say};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Count rows and bytes
    Stats,
    /// Give back the room that old versions take
    Compact,
}

pub(super) async fn run(verb: Verb, home: &Home) -> Outcome {
    let client = Client::find(home)?;
    let answer = match verb {
        Verb::Stats => client.get("/store/stats").await?,
        Verb::Compact => client.post("/store/compact").await?,
    };
    say(&shown(&answer))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(answer: &Value) -> String {
    let rows = answer["value"].as_array().into_iter().flatten();
    rows.map(|row| format!("{:<18}{}\n", row["name"].as_str().unwrap_or_default(), row["value"])).collect()
}
