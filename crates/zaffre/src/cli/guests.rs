//! How virtual machines run, as the command line says it, and the start of what makes them run.

use std::{path::PathBuf, sync::Arc};

use clap::ValueEnum;

use crate::{
    front::{
        ca::Authority,
        connection::Front,
        guest_doors::{self, Inside},
        listen::Ports,
        public_doors, ssh_doors,
    },
    products::compute::reconcile::{Reconciler, Setup, Way, Whose},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guests {
    /// As guests where this machine allows them, else simulated
    Auto,
    /// As guests made of namespaces
    Namespaces,
    /// Not at all: what is run in one runs on this host
    Simulated,
    /// Not at all, and nothing can be run in one
    Off,
}

/// Starts what makes virtual machines run. None where nothing is to.
pub(crate) fn follow(
    front: &Front,
    authority: &Authority,
    guests: Guests,
    init: PathBuf,
    rootfs: Option<PathBuf>,
    (ssh_ports, public_ports): (Vec<u16>, Ports),
) -> Option<Reconciler> {
    let way = match guests {
        Guests::Off => return None,
        Guests::Auto => None,
        Guests::Namespaces => Some(Way::Namespaces),
        Guests::Simulated => Some(Way::Simulated),
    };
    let served = front.clone();
    let serve = move |whose: &Whose, sockets| {
        let inside = Inside {
            cloud: whose.cloud,
            vm: whose.vm.clone(),
            vm_id: whose.vm_id,
            hostname: whose.hostname.clone(),
            address: whose.address,
            network: whose.network.clone(),
            service: guest::SERVICE_ADDRESS,
        };
        Ok(Box::new(guest_doors::serve(&served, &inside, sockets)?) as _)
    };
    let served = front.clone();
    let serve_ssh = move |address, server| {
        let (at, door) = ssh_doors::open(&served, address, &ssh_ports, server)?;
        Ok((at, Box::new(door) as _))
    };
    let served = front.clone();
    let serve_public = move |public, cut: &_, let_in| {
        let (at, door) = public_doors::open(&served, public, public_ports, cut, let_in)?;
        Ok((at, Box::new(door) as _))
    };
    let setup = Setup {
        way,
        ca_bundle: authority.certificate().to_owned(),
        init,
        rootfs,
        serve: Box::new(serve),
        serve_ssh: Box::new(serve_ssh),
        serve_public: Box::new(serve_public),
    };
    Some(Reconciler::start(&Arc::clone(&front.server), setup))
}
