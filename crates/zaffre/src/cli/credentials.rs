//! `zaffre credentials`: how to sign in as the first application and the first user, both Owner of the subscription.

use std::process::ExitCode;

use super::{Outcome, client::Client, home::Home, say};
use crate::directory::Credentials;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    let answer = Client::find(home)?.get("/credentials").await?;
    if args.json {
        say(&format!("{answer:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let it: Credentials = serde_json::from_value(answer)?;
    say(&format!(
        "tenant         {}\ndomain         {}\nsubscription   {}\n\napplication    {}\nsecret         {}\n\n\
         user           {}\npassword       {}\n",
        it.tenant,
        it.domain,
        it.subscription,
        it.client_id,
        it.client_secret,
        it.user_principal_name,
        it.password,
    ))?;
    Ok(ExitCode::SUCCESS)
}
