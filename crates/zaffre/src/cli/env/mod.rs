//! `zaffre env`: the variables that make Azure's clients use this cloud, as whoever asks for them reads them (`format`).

mod format;
mod java;

use std::{env, process::ExitCode};

use serde::Deserialize;

use self::format::{Format, printed};
use super::{Outcome, client::Client, home::Home, say};
use crate::{control::Variable, front::proxy::upstream::withheld};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Who will read them
    #[arg(long, value_enum, default_value = "sh")]
    format: Format,
    /// Speak as this virtual machine: its name or its resource id
    #[arg(long, value_name = "NAME")]
    as_vm: Option<String>,
    /// Run as on this kind of host: app-service, functions, container-apps, arc, service-fabric, cloud-shell, ml or
    /// workload-identity
    #[arg(long, value_name = "KIND", requires = "whom", conflicts_with = "as_vm")]
    host_kind: Option<String>,
    /// Whose identities that host has: a resource's id or name; in Cloud Shell a user's name too
    #[arg(long = "as", id = "whom", value_name = "RESOURCE", requires = "host_kind")]
    whom: Option<String>,
    /// The name or address at which whoever will read them reaches the cloud [default: what `up` was told, or where it listens]
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Where whoever will read them has `ca.pem` and `bundle.pem`, the files of the cloud's `ca` folder [default: that folder]
    #[arg(long, value_name = "DIR")]
    certificates: Option<String>,
    /// Set what Java reads too: every Java program then prints a line about it
    #[arg(long)]
    java: bool,
}

impl Args {
    fn path(&self) -> String {
        let pairs = [
            ("as_vm", &self.as_vm),
            ("host_kind", &self.host_kind),
            ("as", &self.whom),
            ("address", &self.address),
            ("certificates", &self.certificates),
        ];
        let said =
            pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_ref()?))));
        format!("/env?{}", said.collect::<Vec<_>>().join("&"))
    }
}

#[derive(Deserialize)]
struct Answer {
    value: Vec<Variable>,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    let answer: Answer = serde_json::from_value(Client::find(home)?.get(&args.path()).await?)?;
    let mut variables = answer.value;
    if args.java {
        variables.extend(java::options(&variables));
    }
    say(&printed(args.format, &variables))?;
    warn_of_no_proxy();
    Ok(ExitCode::SUCCESS)
}

/// NO_PROXY is set anew, but whatever has set it for this shell may do so for the next one.
fn warn_of_no_proxy() {
    for name in ["NO_PROXY", "no_proxy"] {
        let entries = withheld(&env::var(name).unwrap_or_default());
        if !entries.is_empty() {
            let entries = entries.join(", ");
            eprintln!(
                "zaffre: {name} held {entries}, which keeps clients from this cloud; it must not be set so again"
            );
        }
    }
}

/// As a query's value.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}
