//! `zaffre vm ssh-config`: machines under their names, for OpenSSH's clients.
//!
//! ```text
//! zaffre vm ssh-config >> ~/.ssh/config      and then `ssh NAME`, `scp FILE NAME:`
//! ```
//!
//! The machines' keys go into a file of their own in the data directory, which is written anew each time: those that are the cloud's
//! are believed without a question, under a name that no other host has, and nothing of it gets into `~/.ssh/known_hosts`.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::Value;

use super::super::{Outcome, client::Client, home::Home, say};
use crate::front::ca::write_whole;

const KNOWN_HOSTS: &str = "ssh_known_hosts";

pub(super) async fn print(name: Option<&str>, home: &Home) -> Outcome {
    let answer = Client::find(home)?.get("/vms").await?;
    let all: Vec<&Value> = answer["value"].as_array().into_iter().flatten().collect();
    let known: String = all.iter().filter_map(|vm| known_host(vm)).collect();
    let path = home.path().join(KNOWN_HOSTS);
    write_whole(&path, known.as_bytes(), 0o600)?;
    let is_meant = |vm: &&Value| name.is_none_or(|name| is_called(vm, name));
    if let Some(vm) = all.iter().find(|vm| name.is_some() && is_meant(vm) && super::is_simulated(vm)) {
        return Err(simulated(vm, home).into());
    }
    let entries: String =
        all.into_iter().filter(is_meant).filter_map(|vm| entry(vm, &path.display().to_string())).collect();
    if let (true, Some(name)) = (entries.is_empty(), name) {
        let list = home.to_type("vm list");
        return Err(format!(
            "`{name}` is no machine that can be signed in to: it runs as a guest, has a public address and a rule that allows TCP 22 \
             in; `{list}` tells them"
        )
        .into());
    }
    say(&entries)?;
    Ok(ExitCode::SUCCESS)
}

/// Its shell would be this user's own, open to whoever has a machine's password: that is why there is none.
fn simulated(vm: &Value, home: &Home) -> String {
    let name = vm["name"].as_str().unwrap_or_default();
    let (exec, doctor) = (home.to_type(&format!("vm exec {name} -- COMMAND")), home.to_type("doctor"));
    format!(
        "`{name}` is simulated, and nobody signs in to it: `{exec}` runs a command on this host as it, `{doctor}` says why"
    )
}

/// `azureuser@127.77.0.4`, and the port where that is another than the usual one.
pub(super) fn sign_in(vm: &Value) -> Option<String> {
    let ssh = &vm["ssh"];
    let (user, address, port) = (ssh["user"].as_str()?, ssh["address"].as_str()?, ssh["port"].as_u64()?);
    Some(if port == 22 { format!("{user}@{address}") } else { format!("{user}@{address} -p {port}") })
}

fn is_called(vm: &Value, name: &str) -> bool {
    vm["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name))
}

/// What the machine's key is kept under: one name may be in two groups, and an address is another machine's tomorrow.
fn alias(vm: &Value) -> Option<String> {
    let (name, group) = (vm["name"].as_str()?, vm["resourceGroup"].as_str()?);
    Some(format!("{name}.{group}.zaffre").to_ascii_lowercase())
}

fn known_host(vm: &Value) -> Option<String> {
    Some(format!("{} {}\n", alias(vm)?, vm["ssh"]["hostKey"].as_str()?))
}

fn entry(vm: &Value, known_hosts: &str) -> Option<String> {
    let (name, ssh) = (vm["name"].as_str()?, &vm["ssh"]);
    let (user, address, port) = (ssh["user"].as_str()?, ssh["address"].as_str()?, ssh["port"].as_u64()?);
    let mut text = format!("Host {name}\n");
    for (word, value) in [
        ("HostName", address),
        ("Port", &port.to_string()),
        ("User", user),
        ("HostKeyAlias", &alias(vm)?),
        ("UserKnownHostsFile", &format!("\"{known_hosts}\"")),
        ("StrictHostKeyChecking", "yes"),
    ] {
        let _ = writeln!(text, "  {word} {value}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_machine_is_told_as_openssh_reads_it() {
        let ssh =
            json!({ "address": "127.77.0.4", "port": 2222, "user": "ada", "hostKey": "ssh-ed25519 AAAA" });
        let vm = json!({ "name": "myVM", "resourceGroup": "RG", "ssh": ssh });
        let expected = "Host myVM\n  HostName 127.77.0.4\n  Port 2222\n  User ada\n  HostKeyAlias myvm.rg.zaffre\n  \
                        UserKnownHostsFile \"/a b/known\"\n  StrictHostKeyChecking yes\n";
        assert_eq!(entry(&vm, "/a b/known").as_deref(), Some(expected));
        assert_eq!(known_host(&vm).as_deref(), Some("myvm.rg.zaffre ssh-ed25519 AAAA\n"));
        assert_eq!(sign_in(&vm).as_deref(), Some("ada@127.77.0.4 -p 2222"));
        let shut = json!({ "name": "shut", "resourceGroup": "RG", "ssh": null });
        assert_eq!((entry(&shut, "/"), known_host(&shut), sign_in(&shut)), (None, None, None));
    }
}
