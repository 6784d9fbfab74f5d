//! `zaffre down`: asks the cloud to finish, and waits until it has.

use std::process::ExitCode;

use super::{Outcome, client::Client, home::Home, say};

pub(super) async fn run(home: &Home) -> Outcome {
    let client = Client::find(home)?;
    client.post("/shutdown").await?;
    // The lock is the kernel's word on it: the process that held it has let go.
    let path = home.path().join("lock");
    tokio::task::spawn_blocking(move || std::fs::File::open(path)?.lock()).await??;
    say("the cloud is down\n")?;
    Ok(ExitCode::SUCCESS)
}
