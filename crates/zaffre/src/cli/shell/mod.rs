//! `zaffre shell` and `zaffre run -- CMD`: the user's own shell or command, in a network in which Azure's names are this cloud.
//!
//! ```text
//! this process ── POST /shells ──▶ the cloud: variables, az's files, a ticket
//!   └ guest::shell: namespaces, files over the host's (`host_files`), listeners handed to the cloud, the command
//! ```
//!
//! What the user has stays as it is: home, files, tools, terminal, directory, environment but for the variables that must lead here. az's
//! configuration is a folder of the shell's own, in memory. Other hosts are reached through the proxy. Where this machine refuses
//! namespaces, or by `--no-namespace`, there are the variables alone, as `zaffre env` prints them, and a line says so.

mod host_files;
mod prompt;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use guest::{
    Doors, ExitStatus, OWN_PROGRAM, RESOLVER_ADDRESS,
    shell::{Desk, Plan, ShellError, What},
};

use super::{Outcome, client::Client, env::escaped, home::Home};
use crate::{
    StartError,
    control::{Run as Running, Shell},
    front::route::MICROSOFTS,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Who `az` is signed in as: a user's name, or an application's name or client id [default: the administrator]; with
    /// `--host-kind`, whose identities that host has
    #[arg(long = "as", id = "whom", value_name = "WHO", conflicts_with = "as_vm")]
    whom: Option<String>,
    /// Be a virtual machine: the metadata service knows this shell as that one
    #[arg(long, value_name = "NAME")]
    as_vm: Option<String>,
    /// Be on this kind of host: app-service, functions, container-apps, arc, service-fabric, cloud-shell, ml or workload-identity
    #[arg(long, value_name = "KIND", requires = "whom", conflicts_with = "as_vm")]
    host_kind: Option<String>,
    /// Bring a port of this host's loopback in, at the same number or at another
    #[arg(long = "forward", value_name = "PORT|INSIDE:HOST")]
    forwards: Vec<String>,
    /// Set the variables alone, and leave the network as it is
    #[arg(long, env = "ZAFFRE_NO_NAMESPACE")]
    no_namespace: bool,
}

#[derive(clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    args: Args,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The user's shell, with a prompt that says where it is.
pub(super) fn open(args: &Args, home: &Home) -> Outcome {
    begin(args, None, home)
}

pub(super) fn run(run: Run, home: &Home) -> Outcome {
    begin(&run.args, Some(run.command), home)
}

fn begin(args: &Args, command: Option<Vec<OsString>>, home: &Home) -> Outcome {
    let (running, shell) = granted(args, home)?;
    let plan = |walls| plan(args, home, (&running, &shell), command.clone(), walls);
    let ended = match args.no_namespace {
        true => guest::shell::run(Path::new(OWN_PROGRAM), plan(false)),
        false => match guest::shell::run(Path::new(OWN_PROGRAM), plan(true)) {
            Err(ShellError::NoWalls(refused)) => {
                eprintln!(
                    "zaffre: this machine refuses namespaces ({refused}): variables lead to the cloud instead; `{}` says more",
                    home.to_type("doctor")
                );
                guest::shell::run(Path::new(OWN_PROGRAM), plan(false))
            }
            ended => ended,
        },
    };
    match ended {
        Ok(ExitStatus::Code(code)) => Ok(ExitCode::from(code as u8)),
        Ok(ExitStatus::Signal(signal)) => Ok(ExitCode::from(128_u8.wrapping_add(signal as u8))),
        Err(ShellError::NoWalls(refused) | ShellError::Refused(refused)) => Err(refused.to_string().into()),
    }
}

/// Asks the cloud. Whatever ran for that has ended when this returns: what follows is for a process of one thread.
fn granted(args: &Args, home: &Home) -> Result<(Running, Shell), StartError> {
    let mut query = vec![("hostname", hostname())];
    let named = [("as", &args.whom), ("as_vm", &args.as_vm), ("host_kind", &args.host_kind)];
    query.extend(named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    query.push(("forward", args.forwards.join(",")));
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let client = Client::find(home)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(client.post(&format!("/shells?{}", query.join("&"))))?;
    Ok((client.run, serde_json::from_value(answer)?))
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn plan(
    args: &Args,
    home: &Home,
    (running, shell): (&Running, &Shell),
    command: Option<Vec<OsString>>,
    walls: bool,
) -> Plan {
    // Without walls the folder is seen by all, and each shell has its own.
    let folder = match walls {
        true => shell.folder.clone(),
        false => shell.folder.join(std::process::id().to_string()),
    };
    let mut env: Vec<(String, Option<String>)> =
        shell.variables.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
    env.extend(own_variables(args, home, &folder).map(|(name, value)| (name.to_owned(), Some(value))));
    let mut files: Vec<_> =
        shell.az.iter().map(|(name, text)| host_files::file(format!("az/{name}"), text.clone())).collect();
    // az makes the rest of its folder itself, but not where it is told of one that is not there.
    files.push(host_files::file("az/config", String::new()));
    let mut covers = Vec::new();
    if walls {
        for name in ["NO_PROXY", "no_proxy"] {
            env.push((name.to_owned(), Some(direct())));
        }
        let (more, over) = host_files::replaced(&running.bundle);
        files.extend(more);
        covers.extend(over);
    }
    let argv = command.unwrap_or_else(|| {
        let opened = prompt::shell(&folder, args.whom.as_deref().or(args.as_vm.as_deref()));
        files.extend(opened.files);
        env.extend(opened.env.into_iter().map(|(name, value)| (name.to_owned(), Some(value))));
        opened.argv
    });
    Plan {
        walls,
        doors: if walls { doors(args, running, shell) } else { Doors::default() },
        desk: Some(Desk { socket: shell.desk.clone(), ticket: shell.ticket.clone() }),
        folder: Some(folder),
        files,
        covers,
        command: Some(What { argv, env }),
    }
}

fn own_variables(args: &Args, home: &Home, folder: &Path) -> impl Iterator<Item = (&'static str, String)> {
    let whose = args.whom.as_deref().or(args.as_vm.as_deref()).unwrap_or("administrator");
    let own = [
        ("AZURE_CONFIG_DIR", folder.join("az").display().to_string()),
        // The shell's own, for those who write their prompt themselves.
        ("ZAFFRE_SHELL", whose.to_owned()),
        ("ZAFFRE_HOME", home.path().display().to_string()),
    ];
    own.into_iter().chain(extensions().map(|it| ("AZURE_EXTENSION_DIR", it.display().to_string())))
}

/// Where the user's own extensions of az are: tools stay as they are.
fn extensions() -> Option<PathBuf> {
    if std::env::var_os("AZURE_EXTENSION_DIR").is_some() {
        return None;
    }
    let config = std::env::var_os("AZURE_CONFIG_DIR").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".azure")))?;
    Some(config.join("cliextensions")).filter(|it| it.is_dir())
}

/// What is reached without the proxy: this loopback, and what is open in the shell's network. Suffixes begin with a dot, which every
/// client takes for one (az-cli.md §2).
fn direct() -> String {
    let own = ["localhost", "127.0.0.1", "::1", "169.254.169.254", "168.63.129.16"].map(str::to_owned);
    let azures = MICROSOFTS.iter().map(|it| format!(".{it}"));
    own.into_iter().chain(azures).collect::<Vec<_>>().join(",")
}

/// Azure's, a resolver where there is no `/etc/resolv.conf` to say otherwise, the cloud's own listeners, and what is forwarded.
fn doors(args: &Args, running: &Running, shell: &Shell) -> Doors {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let mut doors = Doors::of_azure();
    doors.udp.push(local(53));
    if shell.is_machine {
        doors.tcp.push(SocketAddr::new(IpAddr::V4(RESOLVER_ADDRESS), 80));
    }
    // The cloud has read these: they are ports.
    let inside = |it: &String| it.split(':').next().and_then(|it| it.parse().ok());
    let forwards = args.forwards.iter().filter_map(inside).map(local);
    let more: BTreeSet<SocketAddr> =
        running.addresses.values().copied().chain(forwards).chain([local(53)]).collect();
    doors.tcp.extend(more);
    doors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azures_names_and_addresses_are_reached_without_the_proxy_and_others_are_not() {
        let direct = direct();
        let all: Vec<&str> = direct.split(',').collect();
        for name in ["169.254.169.254", ".azure.com", ".core.windows.net", ".windows.net", "localhost"] {
            assert_eq!(all.contains(&name), name != ".core.windows.net", "{name}");
        }
    }
}
