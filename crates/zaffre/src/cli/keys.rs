//! `zaffre keys list|rotate`: the keys that the running cloud signs tokens with.

use std::process::ExitCode;

use serde_json::Value;

use super::{Outcome, client::Client, home::Home, say};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Print the keys, oldest first: which one signs, and until when the others verify
    List,
    /// Sign with a new key from now on; the old ones verify until what they signed has expired
    Rotate,
}

pub(super) async fn run(verb: Verb, home: &Home) -> Outcome {
    let client = Client::find(home)?;
    let answer = match verb {
        Verb::List => client.get("/keys").await?,
        Verb::Rotate => client.post("/keys/rotate").await?,
    };
    say(&shown(&answer))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(answer: &Value) -> String {
    let keys = answer["value"].as_array().into_iter().flatten();
    let line = |key: &Value| {
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let state = match key["leaves"].as_str() {
            Some(leaves) => format!("verifies until {leaves}"),
            None => "signs".to_owned(),
        };
        format!("{}  made {}  {state}\n", text("kid"), text("created"))
    };
    keys.map(line).collect()
}

#[test]
fn a_key_that_signs_no_longer_says_until_when_it_verifies() {
    let answer = serde_json::json!({"value": [
        {"kid": "a", "created": "2026-01-01T00:00:00Z", "leaves": "2026-01-03T01:00:00Z"},
        {"kid": "b", "created": "2026-01-02T00:00:00Z", "leaves": null},
    ]});
    let expected = "a  made 2026-01-01T00:00:00Z  verifies until 2026-01-03T01:00:00Z\n\
                    b  made 2026-01-02T00:00:00Z  signs\n";
    assert_eq!(shown(&answer), expected);
}
