//! `zaffre explain`: what was decided lately, and why; and why a request was refused whose answer may not say it.

use std::process::ExitCode;

use serde_json::Value;

use super::{Outcome, client::Client, home::Home, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many decisions, newest first
    #[arg(long, default_value_t = 1)]
    last: usize,
    /// What was allowed, too
    #[arg(long)]
    all: bool,
    /// Of this request alone: the `x-ms-request-id` of its answer
    request_id: Option<String>,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    let answer = Client::find(home)?.get("/decisions").await?;
    let all = answer["value"].as_array().cloned().unwrap_or_default();
    let is_asked_for = |it: &&Value| match &args.request_id {
        Some(id) => it["request_id"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(id)),
        None => args.all || it["allowed"] == false,
    };
    let limit = if args.request_id.is_some() { usize::MAX } else { args.last };
    let shown: Vec<String> = all.iter().filter(is_asked_for).take(limit).map(shown).collect();
    if shown.is_empty() {
        say("nothing was refused lately\n")?;
    }
    say(&shown.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(it: &Value) -> String {
    let text = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
    let list = |name: &str| -> Vec<String> {
        it[name].as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let verdict = if it["allowed"] == true { "allowed" } else { "refused" };
    let mut lines = format!(
        "{verdict}  {}\n  request  {}\n  caller   {}\n  action   {}\n  on       {}\n",
        text("at"),
        text("request_id"),
        text("caller"),
        list("actions").join(" or "),
        text("scope"),
    );
    for reason in list("reasons") {
        lines.push_str(&format!("  - {reason}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_shown_with_its_reasons() {
        let decided = json!({
            "at": "2026-11-21T00:00:00Z", "request_id": "r", "caller": "myVM", "actions": ["a/read", "a/write"],
            "scope": "/subscriptions/s", "allowed": false, "reasons": ["no role assignment was found"],
        });
        assert_eq!(
            shown(&decided),
            "refused  2026-11-21T00:00:00Z\n  request  r\n  caller   myVM\n  action   a/read or a/write\n  \
             on       /subscriptions/s\n  - no role assignment was found\n"
        );
    }
}
