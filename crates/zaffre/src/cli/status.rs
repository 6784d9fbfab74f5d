//! `zaffre status`: where everything is.

use std::process::ExitCode;

use super::{Outcome, client::Client, home::Home, say};
use crate::{control::Run, front::proxy::pac};

pub(super) async fn run(home: &Home) -> Outcome {
    let client = Client::find(home)?;
    let run: Run = serde_json::from_value(client.get("/status").await?)?;
    say(&shown(&run))?;
    Ok(ExitCode::SUCCESS)
}

/// The same lines that `up` prints first.
pub(super) fn shown(run: &Run) -> String {
    let place = match &run.data {
        Some(data) => format!("in {}", data.display()),
        None => "in memory".to_owned(),
    };
    let mut text = format!("zaffre {} is up as process {}, {place}\n\n", run.version, run.pid);
    for (name, address) in &run.addresses {
        text.push_str(&format!("  {name:<8}{address}\n"));
    }
    text.push_str(&format!("\n  egress  {}\n", run.egress.said()));
    if let Some(proxy) = run.reached("proxy", None) {
        text.push_str(&format!("\n  http://{proxy}{} sets up a browser\n", pac::PATH));
    }
    text
}
