//! Nothing is left of machines, however often they are made and deleted and however suddenly the program that runs them is gone.
//!
//! The program is a process here: it makes machines, some in a network, runs commands in them, deletes some, and is told to stop or killed, as chance
//! has it, in the middle of whatever it does. Then everything that was of its guests must go by itself; and the next one finds its machines and goes on.

use std::{
    collections::BTreeSet,
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open},
};
use serde_json::{Value, json};

use super::{has_guests, processes_of};
use crate::{
    faults::{Chance, asked},
    process::{Up, run},
};

/// Longer than the kernel takes to end a guest on a busy machine.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// Each takes some milliseconds.
const LOOKS: usize = 500;
const MACHINES: u64 = 4;
const STEPS: u64 = 6;

#[test]
fn nothing_is_left_of_machines_whose_program_is_killed_at_any_moment() {
    if !has_guests() {
        return;
    }
    let rounds = asked("ZAFFRE_CAMPAIGN_ROUNDS", 4);
    let seed = asked("ZAFFRE_CAMPAIGN_SEED", 20_261_122);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let mut home = tempfile::tempdir().expect("a folder");
    let temporary = tempfile::tempdir().expect("a folder");
    let before = Host::now();
    let (mut leaked, mut token, mut seen) = (0, None, 0);
    for round in 0..rounds {
        let mut up = Up::start_with(home, &["--guests", "namespaces"], Some(temporary.path()));
        let token = token.get_or_insert_with(|| furnish(&up));
        let mut asked = Vec::new();
        for _ in 0..chance.below(STEPS) + 1 {
            let step = step(&mut chance, &up, token);
            asked.push(step);
            // Whether it is over or not when the next one begins.
            if chance.coin() {
                let _ = asked.last_mut().map(Child::wait);
            }
        }
        let family = Family::of(up.pid());
        seen += family.processes.len() + family.namespaces.len() + family.sockets.len();
        let signal = if chance.below(4) == 0 { Signal::TERM } else { Signal::KILL };
        up.signal(signal);
        for mut child in asked {
            let _ = child.wait();
        }
        let left = family.left();
        if !left.is_empty() {
            println!("seed {seed}, round {round}, {signal:?}: {left:?}");
        }
        leaked += left.len();
        home = up.into_home();
    }
    let kept = unexpected_files(home.path(), temporary.path());
    let mut left = Host::now().beyond(&before);
    left.extend(dead_groups().iter().map(|it| format!("group {}", it.display())));
    left.extend(kept.iter().chain(&names_in(temporary.path())).map(|it| format!("file {it}")));
    leaked += left.len();
    println!("{seen} processes, namespaces and sockets of guests and their programs, {left:?}");
    println!("rounds {rounds} leaked {leaked}");
    assert_eq!(leaked, 0);
    assert!(seen as u64 > rounds, "no guest was ever there");
}

/// A group, a network and interfaces for the machines; and a token that holds as long as the campaign.
fn furnish(up: &Up) -> String {
    let (_, answer) = up.token();
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    up.put(&token, "", &json!({ "location": "westeurope" }));
    let subnet = json!({ "name": "default", "properties": { "addressPrefix": "10.0.0.0/24" } });
    let network = json!({ "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] }, "subnets": [subnet] });
    let provider = "/providers/Microsoft.Network";
    up.put(
        &token,
        &format!("{provider}/virtualNetworks/net"),
        &json!({ "location": "westeurope", "properties": network }),
    );
    for number in 0..MACHINES {
        let subnet = json!({ "id": format!("{GROUP}{provider}/virtualNetworks/net/subnets/default") });
        let entry = json!({ "name": "ip", "properties": { "subnet": subnet } });
        let body = json!({ "location": "westeurope", "properties": { "ipConfigurations": [entry] } });
        up.put(&token, &format!("{provider}/networkInterfaces/nic{number}"), &body);
    }
    token
}

const GROUP: &str = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg";

/// Begins one thing: a machine, its end, or a command in it that goes on for as long as it may.
fn step(chance: &mut Chance, up: &Up, token: &str) -> Child {
    let number = chance.below(MACHINES);
    let name = name(number);
    let path = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}");
    match chance.below(6) {
        0 | 1 => arm(up, token, "PUT", &path, &machine(number, &name)),
        2 => arm(up, token, "DELETE", &path, &Value::Null),
        3 => arm(up, token, "POST", &format!("{path}/restart"), &Value::Null),
        _ => {
            let script = "setsid sleep 1000 & sudo sh -c 'sleep 1000 & echo x > /root/file'; sleep 0.1";
            let mut command = Command::new(crate::program());
            command.arg("--data").arg(up.home.path()).args(["vm", "exec", &name, "--", "sh", "-c", script]);
            quietly(command)
        }
    }
}

fn name(number: u64) -> String {
    format!("leak{}-{number}", std::process::id())
}

fn machine(number: u64, name: &str) -> Value {
    let id = format!("{GROUP}/providers/Microsoft.Network/networkInterfaces/nic{number}");
    // Every other one has no network.
    let interfaces = if number.is_multiple_of(2) { json!([{ "id": id }]) } else { json!([]) };
    json!({ "location": "westeurope", "properties": {
        "hardwareProfile": { "vmSize": "Standard_B1s" },
        "osProfile": { "computerName": name, "adminUsername": "azureuser" },
        "networkProfile": { "networkInterfaces": interfaces } } })
}

fn arm(up: &Up, token: &str, method: &str, path: &str, body: &Value) -> Child {
    let env = up.env();
    let text = |name: &str| env[name].as_str().unwrap_or_default().to_owned();
    let mut command = Command::new("curl");
    command.args([
        "-s",
        "-X",
        method,
        "--proxy",
        &text("HTTPS_PROXY"),
        "--cacert",
        &text("NODE_EXTRA_CA_CERTS"),
    ]);
    command.args(["-H", &format!("Authorization: Bearer {token}"), "-H", "Content-Type: application/json"]);
    if !body.is_null() {
        command.args(["--data", &body.to_string()]);
    }
    command.arg(format!("https://management.azure.com{path}?api-version=2024-07-01"));
    quietly(command)
}

fn quietly(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

/// A program and everything that descends from it, held so that its numbers cannot become another's.
struct Family {
    processes: Vec<(u32, OwnedFd)>,
    /// The namespaces that are not the program's own.
    namespaces: BTreeSet<PathBuf>,
    sockets: BTreeSet<PathBuf>,
    _held: Vec<fs::File>,
}

impl Family {
    fn of(program: u32) -> Family {
        let own = namespaces(program);
        let handle = |pid: u32| {
            let handle = pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()?;
            Some((pid, handle))
        };
        let all: Vec<u32> = std::iter::once(program).chain(descendants(program)).collect();
        // What it was given at its start, such as where it prints, is not its own.
        let given = open_files(std::process::id());
        let is_socket = |it: &PathBuf| it.to_string_lossy().starts_with("socket:") && !given.contains(it);
        let opened = |pid: &u32| KINDS.map(|kind| fs::File::open(format!("/proc/{pid}/ns/{kind}")).ok());
        Family {
            namespaces: all.iter().flat_map(|it| namespaces(*it)).filter(|it| !own.contains(it)).collect(),
            sockets: all.iter().flat_map(|it| open_files(*it)).filter(is_socket).collect(),
            _held: all.iter().flat_map(opened).flatten().collect(),
            processes: all.into_iter().filter_map(handle).collect(),
        }
    }

    /// What is there of it after a while: who was being born at the end of the program lives a moment longer, with all that it was born with.
    fn left(&self) -> Vec<String> {
        (0..LOOKS).map(|_| self.still_there()).find(Vec::is_empty).unwrap_or_else(|| self.still_there())
    }

    fn still_there(&self) -> Vec<String> {
        let lives = |(pid, handle): &(u32, OwnedFd)| {
            let has_ended = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&PATIENCE)) == Ok(1);
            (!has_ended).then(|| format!("process {pid}"))
        };
        let mut left: Vec<String> = self.processes.iter().filter_map(lives).collect();
        for pid in pids().into_iter().filter(|it| !is_dead(*it)) {
            let inside = namespaces(pid).into_iter().filter(|it| self.namespaces.contains(it));
            left.extend(inside.map(|it| format!("process {pid} in {}", it.display())));
            // This process holds the namespaces itself.
            let held = open_files(pid).into_iter().filter(|_| pid != std::process::id());
            let held = held.filter(|it| self.namespaces.contains(it) || self.sockets.contains(it));
            left.extend(held.map(|it| format!("{} held by process {pid}", it.display())));
        }
        let numbers: BTreeSet<String> = self.sockets.iter().filter_map(|it| number_of(it)).collect();
        left.extend(sockets_here().intersection(&numbers).map(|it| format!("socket {it}")));
        // Whoever was born between the look at the family and its end.
        left.extend((0..MACHINES).flat_map(|it| processes_of(&name(it))).map(|it| format!("process {it}")));
        left
    }
}

/// `socket:[123]`
fn number_of(socket: &Path) -> Option<String> {
    let text = socket.to_str()?;
    Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
}

/// The numbers of all sockets in the host's network: in each of these tables, the column of this name or place.
fn sockets_here() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (table, column) in [
        ("tcp", 9),
        ("tcp6", 9),
        ("udp", 9),
        ("udp6", 9),
        ("raw", 9),
        ("unix", 6),
        ("netlink", 9),
        ("packet", 8),
    ] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let numbers = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(column));
        all.extend(numbers.map(str::to_owned));
    }
    all
}

fn open_files(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|it| fs::read_link(it.path()).ok()).collect()
}

/// What of the host a guest could have changed, beside its own processes.
struct Host {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    /// In places where programs leave what lies outside a folder of their own.
    files: BTreeSet<String>,
}

impl Host {
    fn now() -> Host {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a /proc");
        let of_ours = |place: &&str| {
            let names = names_in(Path::new(place)).into_iter();
            let ours = names.filter(|it| it.contains("zaffre") || it.contains("guest"));
            ours.map(|it| format!("{place}/{it}")).collect::<Vec<_>>()
        };
        Host {
            mounts: mounts.lines().map(str::to_owned).collect(),
            interfaces: names_in(Path::new("/sys/class/net")).into_iter().collect(),
            files: ["/run", "/run/lock", "/dev/shm", "/dev/mqueue", "/var/tmp", "/var/lib"]
                .iter()
                .flat_map(of_ours)
                .collect(),
        }
    }

    fn beyond(&self, before: &Host) -> Vec<String> {
        let mounts = self.mounts.symmetric_difference(&before.mounts).map(|it| format!("mount {it}"));
        let interfaces =
            self.interfaces.symmetric_difference(&before.interfaces).map(|it| format!("interface {it}"));
        let files = self.files.difference(&before.files).map(|it| format!("file {it}"));
        mounts.chain(interfaces).chain(files).collect()
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
}

const KINDS: [&str; 7] = ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup"];

fn namespaces(pid: u32) -> Vec<PathBuf> {
    KINDS.iter().filter_map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()).collect()
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten();
    entries.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// State and parent, behind the name in parentheses; nothing of a process that is gone.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit(')').next()?.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

fn is_dead(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| matches!(state.as_str(), "Z" | "X"))
}

fn descendants(of: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = pids().into_iter().filter_map(|it| Some((it, stat(it)?.1))).collect();
    let mut all = vec![of];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        all.extend(parents.iter().filter(|(_, it)| *it == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    all.split_off(1)
}

/// Groups of guests whose keeper is no more, wherever groups are.
fn dead_groups() -> Vec<PathBuf> {
    let (mut left, mut places) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // `zaffre-guest-KEEPER`, and for a moment `zaffre-guest-probe-PROCESS`.
            match name.strip_prefix("zaffre-guest-").and_then(|it| it.rsplit('-').next()) {
                Some(keeper) if !Path::new("/proc").join(keeper).exists() => left.push(entry.path()),
                Some(_) => {}
                None if entry.file_type().is_ok_and(|it| it.is_dir()) => places.push(entry.path()),
                None => {}
            }
        }
    }
    left
}

/// What a data directory does not have after its program was stopped in order: its socket and `run.json` are gone.
fn unexpected_files(home: &Path, temporary: &Path) -> Vec<String> {
    let mut up = Command::new(crate::program());
    up.env("TMPDIR", temporary).arg("--data").arg(home).args([
        "up",
        "--port",
        "all=0",
        "--log",
        "off",
        "--guests",
        "namespaces",
        "--detach",
    ]);
    assert!(up.status().expect("starts").success(), "it starts once more");
    assert!(run(home, &["down"]).status.success(), "it stops");
    let known = ["store", "content", "ca", "lock", "log"];
    names_in(home).into_iter().filter(|it| !known.contains(&it.as_str())).collect()
}
