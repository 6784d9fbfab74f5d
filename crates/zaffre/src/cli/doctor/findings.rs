//! What the facts mean, and what to do about them. Pure.

use guest::{Bounds, By};

use super::facts::{Facts, PROGRAMS, PROXIES};
use crate::front::proxy::upstream::withheld;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// Less than there could be.
    Limited,
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: &'static str,
    pub(super) verdict: Verdict,
    pub(super) says: String,
    /// What to do about it.
    pub(super) advice: Vec<String>,
}

fn finding(about: &'static str, verdict: Verdict, says: impl Into<String>) -> Finding {
    Finding { about, verdict, says: says.into(), advice: Vec::new() }
}

impl Finding {
    fn advise(mut self, advice: impl Into<String>) -> Finding {
        self.advice.push(advice.into());
        self
    }
}

type Judge = fn(&Facts) -> Finding;
static JUDGES: &[Judge] = &[
    kernel, guests, networks, egress, shell, memory, processors, users, ports, room, data, programs,
    variables, roots, authority,
];

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    JUDGES.iter().map(|judge| judge(facts)).collect()
}

fn kernel(facts: &Facts) -> Finding {
    let who = if facts.is_root { "root" } else { "an ordinary user" };
    let place = facts.container.map(|it| format!(", in a container of {it}")).unwrap_or_default();
    finding("machine", Verdict::Ok, format!("Linux {}, as {who}{place}", facts.kernel))
}

fn guests(facts: &Facts) -> Finding {
    let Some(refused) = &facts.guests else {
        return match facts.has_programs {
            true => finding("guests", Verdict::Ok, "virtual machines run as guests of this kernel"),
            false => finding(
                "guests",
                Verdict::Limited,
                "virtual machines are simulated, since there are no programs here that they could have",
            )
            .advise("mount a root file system, of any Linux, and name it: `zaffre up --rootfs DIR`"),
        };
    };
    // What is known to cause it stands behind the kernel's own words, and below as advice.
    let why = refused.why.split("; ").next().unwrap_or_default();
    let says = format!("virtual machines are simulated, since this machine refused: {}: {why}", refused.what);
    let mut found = finding("guests", Verdict::Missing, says);
    if facts.user_namespaces_max == Some(0) {
        found = found.advise("nobody may make user namespaces: `sysctl user.max_user_namespaces=16384`");
    }
    if facts.lets_users_clone == Some(false) && !facts.is_root {
        found = found
            .advise("ordinary users may make no namespaces: `sysctl kernel.unprivileged_userns_clone=1`");
    }
    if facts.apparmor_restricts == Some(true) && !facts.is_root {
        found = found.advise(
            "AppArmor gives ordinary users no rights in namespaces: a profile for this program that allows `userns`, or \
             `sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        );
    }
    found = match facts.container {
        Some("Docker") => found.advise(
            "Docker keeps containers from namespaces: start it with `--security-opt seccomp=unconfined --security-opt \
             apparmor=unconfined --security-opt systempaths=unconfined`",
        ),
        Some(_) => found.advise("the container's engine hides parts of /proc: `--security-opt unmask=all`"),
        None => found,
    };
    match found.advice.is_empty() {
        true => found.advise(
            "no setting that is known to do this is set: what refuses is a policy of this machine's own",
        ),
        false => found,
    }
}

fn networks(facts: &Facts) -> Finding {
    match (&facts.guests, &facts.networks) {
        (None, _) if !facts.has_programs => {
            finding("networks", Verdict::Limited, "there are no guests to be in virtual networks")
                .advise("as for guests")
        }
        (Some(_), _) => {
            finding("networks", Verdict::Missing, "there are no guests to be in virtual networks")
        }
        (None, None) => {
            finding("networks", Verdict::Ok, "guests of a virtual network reach each other, by its rules")
        }
        (None, Some(refused)) => {
            let says =
                format!("machines with a network interface do not start: {}: {}", refused.what, refused.why);
            finding("networks", Verdict::Missing, says)
                .advise("the kernel needs veth and packet sockets: `modprobe veth af_packet`")
        }
    }
}

/// Off is how it is meant to be; it is said because whoever wonders looks here.
fn egress(facts: &Facts) -> Finding {
    let says = match facts.egress {
        Some(egress) => egress.said(),
        None => "no cloud is up here; machines reach the Internet where `zaffre up --egress` says so",
    };
    finding("egress", Verdict::Ok, says)
}

fn shell(facts: &Facts) -> Finding {
    let Some(refused) = &facts.walls else {
        let says = "`zaffre shell` has a network of its own, in which Azure's names and 169.254.169.254 are this cloud";
        return finding("shell", Verdict::Ok, says);
    };
    let why = refused.why.split("; ").next().unwrap_or_default();
    let says =
        format!("`zaffre shell` sets variables alone, since this machine refused: {}: {why}", refused.what);
    finding("shell", Verdict::Limited, says).advise(
        "what lets guests run lets a shell have its network; until then 169.254.169.254 is asked through the proxy alone",
    )
}

/// What gives an ordinary user groups.
const DELEGATE: &str =
    "start the cloud where groups are delegated: `systemd-run --user --scope -p Delegate=yes zaffre up`";

fn memory(facts: &Facts) -> Finding {
    let Bounds { memory, processes, .. } = facts.bounds;
    let says = match memory {
        By::Group(version) => {
            format!("a machine has its size's memory, by control groups of version {version}")
        }
        By::Process | By::Nothing => {
            "a machine's size bounds each of its processes, not all of them together".to_owned()
        }
    };
    let verdict = if matches!((memory, processes), (By::Group(_), By::Group(_))) {
        Verdict::Ok
    } else {
        Verdict::Limited
    };
    let found = finding("memory", verdict, says);
    if verdict == Verdict::Ok { found } else { delegated(facts, found) }
}

fn processors(facts: &Facts) -> Finding {
    match facts.bounds.cpu {
        By::Group(version) => finding(
            "processors",
            Verdict::Ok,
            format!("a machine has its size's processors, by control groups of version {version}"),
        ),
        By::Process | By::Nothing => {
            let found = finding(
                "processors",
                Verdict::Limited,
                "a machine may use all processors, whatever its size",
            );
            delegated(facts, found)
        }
    }
}

fn delegated(facts: &Facts, found: Finding) -> Finding {
    match (facts.container, facts.is_root) {
        (Some(engine), _) => found.advise(format!("{engine} gives its containers no groups to divide: bound the container instead")),
        (None, true) => found.advise("mount control groups, version 2 with the controllers memory, pids and cpu switched on for children"),
        (None, false) => found.advise(DELEGATE),
    }
}

fn users(facts: &Facts) -> Finding {
    match facts.is_root {
        true => finding("users", Verdict::Ok, "a machine's users are really different, and none of them is anybody here"),
        false => finding(
            "users",
            Verdict::Limited,
            "all users of a machine are one on the host: they may touch each other's files, and none of yours outside what you lend",
        )
        .advise("where that matters, run the cloud as root: each machine then has ids of its own"),
    }
}

fn ports(facts: &Facts) -> Finding {
    if !facts.has_public_addresses {
        return finding(
            "addresses",
            Verdict::Missing,
            "machines have no public addresses: 127.77.0.0/16 cannot be listened at",
        )
        .advise("the loopback interface must have 127.0.0.0/8, as it has unless somebody took it away");
    }
    if facts.is_root || facts.first_free_port <= 22 {
        return finding("addresses", Verdict::Ok, "machines listen at port 22 of their public addresses");
    }
    let says = format!(
        "ports below {} are root's: machines' SSH is at another port, which `zaffre vm list` tells",
        facts.first_free_port
    );
    finding("addresses", Verdict::Limited, says)
        .advise("`sysctl net.ipv4.ip_unprivileged_port_start=22` lets everybody have port 22")
}

/// Of a guest that does little: its processes and its files.
const GUEST_BYTES: u64 = 32 << 20;

fn room(facts: &Facts) -> Finding {
    let says = format!(
        "{} processors, {} MiB of memory: some {} machines that do little",
        facts.processors,
        facts.memory_bytes >> 20,
        facts.memory_bytes / 2 / GUEST_BYTES
    );
    finding("room", Verdict::Ok, says)
}

fn data(facts: &Facts) -> Finding {
    match facts.data_is_writable {
        true => finding("data", Verdict::Ok, format!("kept in `{}`", facts.data)),
        false => finding("data", Verdict::Missing, format!("`{}` cannot be written", facts.data)).advise(
            "name another place by `--data DIR` or ZAFFRE_HOME, or keep nothing: `zaffre up --memory`",
        ),
    }
}

fn programs(facts: &Facts) -> Finding {
    if facts.missing.is_empty() {
        let names: Vec<&str> = PROGRAMS.iter().map(|(name, _)| *name).collect();
        return finding("programs", Verdict::Ok, format!("{} are here", names.join(", ")));
    }
    if !facts.has_programs {
        return finding("programs", Verdict::Ok, "none but this one: clients run outside of this container");
    }
    let found = finding("programs", Verdict::Limited, format!("not here: {}", facts.missing.join(", ")));
    let uses = PROGRAMS.iter().filter(|(name, _)| facts.missing.contains(name));
    uses.fold(found, |found, (name, uses)| {
        found.advise(format!("install `{name}` to {}", uses.trim_start_matches("to ")))
    })
}

/// Whether what the caller's own variables say keeps clients from this cloud.
fn variables(facts: &Facts) -> Finding {
    let faults = [entries_that_keep_away(facts), names_that_differ(facts)].concat();
    if faults.is_empty() {
        return finding("variables", Verdict::Ok, "no variable of this shell keeps clients from this cloud");
    }
    finding("variables", Verdict::Limited, faults.join("; "))
        .advise("`eval \"$(zaffre env)\"` sets them all; what sets them again afterwards, a profile or a job, must not")
}

fn entries_that_keep_away(facts: &Facts) -> Vec<String> {
    let lists = facts.proxies.iter().filter(|(name, _)| name.eq_ignore_ascii_case("NO_PROXY"));
    let held = lists.map(|(name, list)| (name, withheld(list))).filter(|(_, entries)| !entries.is_empty());
    held.map(|(name, entries)| format!("{name} keeps clients from asking this cloud: {}", entries.join(", ")))
        .collect()
}

/// One that is set alone is no fault: most programs read either.
fn names_that_differ(facts: &Facts) -> Vec<String> {
    let value = |name: &str| facts.proxies.iter().find(|(it, _)| *it == name).map(|(_, value)| value);
    let differ =
        |upper: &str, lower: &str| value(upper).zip(value(lower)).is_some_and(|(one, other)| one != other);
    let pairs = PROXIES.iter().filter(|[upper, lower]| differ(upper, lower));
    pairs
        .map(|[upper, lower]| format!("{upper} and {lower} differ, and programs differ in which they read"))
        .collect()
}

fn roots(facts: &Facts) -> Finding {
    match facts.public_roots {
        Some(path) => finding("roots", Verdict::Ok, format!("clients are given the public roots of {path} too")),
        None => finding(
            "roots",
            Verdict::Limited,
            "no public roots are where systems keep them: with `zaffre env`, clients trust this cloud and no other host",
        )
        .advise("install the package `ca-certificates`, and start the cloud again"),
    }
}

fn authority(facts: &Facts) -> Finding {
    let says = match facts.system_trusts {
        Some(true) => "the system trusts this cloud's authority: `zaffre ca untrust` takes that back",
        Some(false) => {
            "trusted by whoever evaluates `zaffre env`, and not by the system: `zaffre ca trust` changes that"
        }
        None => "the first start makes one",
    };
    finding("authority", Verdict::Ok, says)
}
