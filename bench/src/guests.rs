//! `guests`: from nothing to the end of a first command in a guest, and what fifty of them take of the machine's memory.
//!
//! A guest here is what a virtual machine in a network gets: an interface, its listeners, a place in a network. Alone on one side: nobody else has such
//! machines to be measured beside. The targets are the project's own.

use std::{net::Ipv4Addr, sync::Arc};

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

async fn boots() -> Outcome<Figure> {
    let network = Network::default();
    let mut ours = Vec::new();
    for _ in 0..BOOTS {
        let begin = now();
        let machine = boot(&network, 4).await?;
        let took = begin.elapsed();
        machine.guest.stop().await;
        ours.push(Round { value: took.as_secs_f64() * 1e3, cpu_us: f64::NAN });
    }
    Ok(Figure {
        name: "guest, boot to first command",
        unit: "ms",
        ours,
        other: Vec::new(),
        target: Target::Below(150.0),
    })
}

/// What is missing of the machine's available memory once all run.
async fn memory() -> Outcome<Figure> {
    let network = Network::default();
    let before = available()?;
    let mut machines = Vec::new();
    for number in 0..AT_ONCE {
        machines.push(boot(&network, 4 + number).await?);
    }
    let taken = before.saturating_sub(available()?);
    for machine in &machines {
        machine.guest.stop().await;
    }
    let ours = vec![Round { value: (taken / MIB) as f64, cpu_us: f64::NAN }];
    Ok(Figure {
        name: "fifty guests, memory",
        unit: "MiB",
        ours,
        other: Vec::new(),
        target: Target::Below(24.0 * 1024.0),
    })
}

fn available() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|it| it.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
