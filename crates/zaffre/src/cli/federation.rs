//! `zaffre federation trust|list|forget`: whose tokens federated credentials may name.
//!
//! Nothing outside of this machine is asked for keys, so those of an issuer elsewhere come from a file: what its
//! `jwks_uri` gives. An issuer on this machine needs none; it is asked itself.

use std::{fs, path::PathBuf, process::ExitCode};

use azure::text;
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::{Outcome, client::Client, home::Home, say};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Believe an issuer's tokens by the keys in a file
    Trust {
        /// As its tokens have it in `iss`, to the letter
        issuer: String,
        /// A JSON Web Key Set
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
    },
    /// Print the issuers whose keys were given
    List,
    /// Forget an issuer's keys
    Forget { issuer: String },
}

pub(super) async fn run(verb: Verb, home: &Home) -> Outcome {
    let client = Client::find(home)?;
    let path = |issuer: &str| format!("/federation?issuer={}", text::percent_encode(issuer));
    match verb {
        Verb::Trust { issuer, jwks } => {
            let keys =
                fs::read(&jwks).map_err(|error| format!("cannot read `{}`: {error}", jwks.display()))?;
            let answer = client.json(Method::PUT, &path(&issuer), Bytes::from(keys)).await?;
            say(&shown(&answer))?;
        }
        Verb::List => {
            let answer = client.get("/federation").await?;
            let issuers = answer["value"].as_array().into_iter().flatten();
            say(&issuers.map(shown).collect::<String>())?;
        }
        Verb::Forget { issuer } => {
            client.json(Method::DELETE, &path(&issuer), Bytes::new()).await?;
            say(&format!("{issuer} is forgotten\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(issuer: &Value) -> String {
    let kids = issuer["kids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let name = issuer["issuer"].as_str().unwrap_or_default();
    format!("{name}  keys {}\n", kids.collect::<Vec<_>>().join(" "))
}
