//! `guests`: from nothing to the end of a first command in a guest, and what fifty of them take of the machine's memory.
//!
//! A guest here is what a virtual machine in a network gets: an interface, its listeners, a place in a network, and an init that takes commands.
//! Nobody else has such machines; beside them stands the least that is a machine at all, namespaces around one command, as bubblewrap makes them
//! where it is there (with a root of its own) and util-linux's `unshare` everywhere. So the ratio is the price of the rest. The targets are the
//! project's own, of ours alone.

use std::{
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    process::{Child, Stdio},
    sync::Arc,
};

use guest::{Command, ExitStatus, Flow, Guest, GuestSockets, Interface, Network, Place, Plug, Rules, Spec};

use crate::{
    Outcome,
    figure::{Figure, Round, Target},
    store::now,
};

const BOOTS: u8 = 100;
const AT_ONCE: u8 = 50;
const MIB: u64 = 1 << 20;

struct Everything;

impl Rules for Everything {
    fn lets_out(&self, _: &Flow) -> bool {
        true
    }

    fn lets_in(&self, _: &Flow) -> bool {
        true
    }
}

struct Machine {
    guest: Guest,
    _plug: Plug,
    _sockets: GuestSockets,
}

async fn boot(network: &Network, number: u8) -> Outcome<Machine> {
    let address = Ipv4Addr::new(10, 0, 0, number);
    let mac = [0x00, 0x0d, 0x3a, 0, 0, number];
    let interface = Interface::new(mac, vec![(address, 24)], vec![(Ipv4Addr::new(10, 0, 0, 0), 16)]);
    let spec = Spec { interface: Some(interface), ..Spec::new(format!("vm{number}")) };
    let (guest, mut sockets) = Guest::start(spec).await?;
    let wire = sockets.wire.take().ok_or("a guest without its interface")?;
    let place = Place {
        mac,
        addresses: vec![address],
        names: vec![format!("vm{number}")],
        rules: Arc::new(Everything),
        outside: None,
    };
    let plug = network.attach(wire, place)?;
    let done = guest.exec(Command::new(["true"])).await?.finish().await?;
    match done.status {
        ExitStatus::Code(0) => Ok(Machine { guest, _plug: plug, _sockets: sockets }),
        other => Err(format!("`true` ended with {other:?}").into()),
    }
}

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    guest::probe(guest::OWN_PROGRAM.as_ref()).map_err(|refused| format!("no guests here: {refused}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { Ok(vec![boots().await?, memory().await?]) })
}

/// What namespaces around a command are made with: the first that works here.
static PEERS: &[&[&str]] = &[
    &[
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--",
    ],
    &[
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--net",
        "--pid",
        "--uts",
        "--ipc",
        "--cgroup",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ],
];

fn run_in(peer: &[&str], command: &[&str]) -> std::process::Command {
    let mut run = std::process::Command::new(peer[0]);
    run.args(&peer[1..]).args(command).stdin(Stdio::null()).stderr(Stdio::null());
    run
}

fn peer() -> Option<&'static [&'static str]> {
    let works = |it: &&&[&str]| run_in(it, &["true"]).status().is_ok_and(|it| it.success());
    PEERS.iter().find(works).copied()
}

/// In turn with the peer's, so that a machine that is busy is busy for both.
async fn boots() -> Outcome<Figure> {
    let (network, peer) = (Network::default(), peer());
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    let round = |took: std::time::Duration| Round { value: took.as_secs_f64() * 1e3, cpu_us: f64::NAN };
    for _ in 0..BOOTS {
        let begin = now();
        let machine = boot(&network, 4).await?;
        ours.push(round(begin.elapsed()));
        machine.guest.stop().await;
        if let Some(peer) = peer {
            let begin = now();
            run_in(peer, &["true"]).status()?;
            other.push(round(begin.elapsed()));
        }
    }
    Ok(Figure { name: "guest, boot to first command", unit: "ms", ours, other, target: Target::Below(150.0) })
}

/// What is missing of the machine's available memory once all run.
async fn memory() -> Outcome<Figure> {
    let network = Network::default();
    let before = available()?;
    let mut machines = Vec::new();
    for number in 0..AT_ONCE {
        machines.push(boot(&network, 4 + number).await?);
    }
    let ours = taken_since(before)?;
    for machine in &machines {
        machine.guest.stop().await;
    }
    drop(machines);
    let other = peer().map(peers_memory).transpose()?;
    Ok(Figure {
        name: "fifty guests, memory",
        unit: "MiB",
        ours: vec![ours],
        other: other.into_iter().collect(),
        target: Target::Below(24.0 * 1024.0),
    })
}

/// Of as many commands that wait, each within namespaces of its own.
fn peers_memory(peer: &[&str]) -> Outcome<Round> {
    let before = available()?;
    let mut all = Vec::new();
    for _ in 0..AT_ONCE {
        let mut child =
            run_in(peer, &["sh", "-c", "echo up; exec sleep 1000"]).stdout(Stdio::piped()).spawn()?;
        BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut String::new())?;
        all.push(child);
    }
    let taken = taken_since(before)?;
    all.iter_mut().try_for_each(ended)?;
    Ok(taken)
}

fn ended(child: &mut Child) -> Outcome<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn taken_since(before: u64) -> Outcome<Round> {
    let taken = before.saturating_sub(available()?);
    Ok(Round { value: (taken / MIB) as f64, cpu_us: f64::NAN })
}

fn available() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|it| it.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
