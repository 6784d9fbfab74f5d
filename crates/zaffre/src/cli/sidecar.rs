//! `zaffre sidecar`: makes the network that it is in a virtual machine's, for a container that shares it.
//!
//! The machine's secret comes from the cloud's data directory, which both containers have, or from whoever ran `zaffre env --as-vm`. A machine
//! that is not there yet is waited for: what makes it may well begin after this.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use guest::Doors;

use super::{Outcome, client::Client, env::escaped, home::Home, say, up::Ends};
use crate::{
    StartError,
    front::{
        ca::{SYSTEM_ROOTS, write_whole},
        sidecar::{
            self, Resolver, Way,
            settings::{self, Settings},
        },
    },
};

/// Where whoever checks a document of ours finds the authority's certificate, in the open.
const AUTHORITY: (&str, &str) =
    ("http://metadata.azure.com/certificates/authority.cer", "metadata.azure.com");
/// How often somebody who is not there yet is looked for.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Args {
    /// The virtual machine, by its name or resource id, of the cloud in the data directory
    #[arg(long, value_name = "NAME", env = "ZAFFRE_AS_VM", required_unless_present_any = ["proxy", "check"])]
    as_vm: Option<String>,
    /// The name or address at which that cloud is reached from here
    #[arg(long, value_name = "HOST", requires = "as_vm")]
    address: Option<String>,
    /// The cloud's proxy with a machine's secret, instead: what `zaffre env --as-vm NAME --address HOST` prints as HTTP_PROXY
    #[arg(long, value_name = "URL", env = "ZAFFRE_SIDECAR_PROXY", hide_env_values = true, conflicts_with_all = ["as_vm", "check"])]
    proxy: Option<Way>,
    /// Where `ca.pem`, and `bundle.pem` with public roots as far as there are some here, are written for the containers of this network
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// The file that says who answers for names
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    resolver: PathBuf,
    /// Only say, by the exit code, whether a sidecar is at work here
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    if args.check {
        return Ok(if settings::are_ours(&args.resolver) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    refuse_the_machines_network()?;
    let mut ends = Ends::catch()?;
    tokio::select! {
        outcome = stand(args, home) => outcome,
        () = ends.signalled() => Ok(ExitCode::SUCCESS),
    }
}

/// On the machine's own network these addresses may be a real cloud's, whose machine this is.
fn refuse_the_machines_network() -> Result<(), StartError> {
    match guest::is_machines_network() {
        Ok(false) => Ok(()),
        Ok(true) => Err("this is the machine's own network, where 169.254.169.254 may be a real cloud's: a sidecar is for a \
                         container's, which another shares (docs/containers.md)"
            .into()),
        Err(refused) => Err(refused.into()),
    }
}

async fn stand(args: Args, home: &Home) -> Outcome {
    let way = match (args.proxy, &args.as_vm) {
        (Some(way), _) => way,
        (None, Some(vm)) => found(home, vm, args.address.as_deref()).await?,
        (None, None) => return Err("whose network this is to be: `--as-vm NAME`, or `--proxy URL`".into()),
    };
    let certificate = way.fetch(AUTHORITY.0, AUTHORITY.1).await;
    let certificate =
        certificate.map_err(|error| format!("cannot reach the cloud at {}: {error}", way.place()))?;
    if let Some(folder) = &args.certificates {
        write_certificates(folder, &certificate)?;
    }
    let resolver = Resolver::new(settings::others(&args.resolver)?);
    let place = way.place();
    let sockets = guest::open_here(&Doors::of_azure()).map_err(|refused| {
        format!(
            "{refused}; a container needs `--cap-add NET_ADMIN` for this (in compose: `cap_add: [NET_ADMIN]`)"
        )
    })?;
    let serving = sidecar::serve(sockets, way, resolver);
    let _settings = Settings::write(&args.resolver)
        .map_err(|error| format!("cannot write `{}`: {error}", args.resolver.display()))?;
    let whose = args.as_vm.as_deref().unwrap_or("the machine of that secret");
    say(&format!(
        "this network is `{whose}`'s: 169.254.169.254 and Azure's names lead to the cloud at {place}\n"
    ))?;
    serving.await?;
    Ok(ExitCode::SUCCESS)
}

/// The way to the cloud in the data directory, once there is one with such a machine.
async fn found(home: &Home, vm: &str, address: Option<&str>) -> Result<Way, StartError> {
    let address = address.map(|it| format!("&address={}", escaped(it))).unwrap_or_default();
    let path = format!("/env?as_vm={}{address}", escaped(vm));
    let mut has_said = false;
    loop {
        match ask(home, &path).await {
            Ok(way) => return Ok(way),
            Err(why) if !has_said => {
                eprintln!("zaffre: {why}; waiting");
                has_said = true;
            }
            Err(_) => {}
        }
        let _ = tokio::time::timeout(AGAIN, std::future::pending::<()>()).await;
    }
}

async fn ask(home: &Home, path: &str) -> Result<Way, StartError> {
    let answer = Client::find(home)?.get(path).await?;
    let variables = answer["value"].as_array().into_iter().flatten();
    let proxy = variables.into_iter().find(|it| it["name"] == "HTTP_PROXY");
    let proxy = proxy.and_then(|it| it["value"].as_str());
    Ok(proxy.unwrap_or_default().parse::<Way>()?)
}

fn write_certificates(folder: &Path, der: &[u8]) -> Result<(), StartError> {
    fs::create_dir_all(folder)?;
    let ca = pem(der);
    let roots = SYSTEM_ROOTS.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    write_whole(&folder.join("ca.pem"), ca.as_bytes(), 0o644)?;
    Ok(write_whole(&folder.join("bundle.pem"), (ca + &roots).as_bytes(), 0o644)?)
}

/// Lines of 64 characters between two that say what they hold (RFC 7468).
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|it| String::from_utf8_lossy(it).into_owned() + "\n");
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.collect::<String>())
}
