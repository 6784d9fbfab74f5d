//! What the rows say there should be, read in one snapshot.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use guest::Network;
use serde_json::Value;

use super::{
    super::{
        cloud_init::{self, Plan},
        custom_data, extension,
        images::System,
        logins::{self, Accounts},
        machine::{self, Machine, Power},
        sizes, view,
    },
    Whose,
    running::Running,
};
use crate::{
    cloud::CloudId,
    env::Egress,
    products::network::{
        inbound::{self, Opening},
        places::{self, Place},
    },
    resources::{self, Resource, State},
    store::Txn,
};

/// Where a host name leads on a machine without a network interface, as Debian has it.
const OWN_NAME: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// What a security group knows it by, wherever this machine lets us listen.
pub(super) const SSH: u16 = 22;

/// A machine as it should be, with what waits for it to be so.
pub(super) struct Want {
    pub(super) vm: ResourceId,
    pub(super) machine: Machine,
    pub(super) hostname: String,
    pub(super) admin: String,
    /// Processors and megabytes of memory, where its size is one that we know.
    pub(super) size: Option<(u32, u32)>,
    /// What its beginning is told.
    pub(super) custom_data: String,
    /// Its primary interface's place in a virtual network.
    pub(super) place: Option<Place>,
    /// Its other private addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Its public address, where that is open to whoever wants to sign in.
    pub(super) ssh: Option<Ipv4Addr>,
    /// Its public addresses, and what is open there.
    pub(super) openings: Vec<Opening>,
    pub(super) extensions: Vec<Extension>,
    /// Who was made in it, and who was taken away.
    pub(super) accounts: Accounts,
    /// What is under way about the machine itself.
    pub(super) operations: Vec<Guid>,
}

pub(super) struct Extension {
    /// Where it answers, if it does.
    pub(super) port: Option<u16>,
    pub(super) operation: Option<Guid>,
}

/// Every machine of a cloud. One whose resource is gone is none: its row goes with it.
pub(super) fn all(txn: &Txn) -> Result<Vec<Want>> {
    let mut all = Vec::new();
    for (vm, machine) in machine::all(txn)? {
        if let Some(resource) = resources::get(txn, &vm)? {
            all.push(of(txn, &resource, machine)?);
        }
    }
    Ok(all)
}

fn of(txn: &Txn, vm: &Resource, machine: Machine) -> Result<Want> {
    let text = |path, otherwise: &str| vm.text(path).unwrap_or(otherwise).to_owned();
    // An end that was announced is no work of ours: what ends it is the event.
    let is_under_way = !vm.state.is_terminal() && vm.state != State::Deleting;
    let under_way = vm.operation.filter(|_| is_under_way);
    let of_set = match vm.id.parent().filter(|_| vm.is_instance()) {
        Some(set) => resources::get(txn, &set)?.filter(|it| !it.state.is_terminal()),
        None => None,
    };
    let of_set = of_set.and_then(|it| it.operation);
    let interfaces = interfaces(txn, vm)?;
    let place = interfaces.first().map(|it| places::of(txn, it)).transpose()?.flatten();
    let openings = inbound::openings(txn, &interfaces)?;
    let ssh = match System::of(vm) {
        System::Linux => openings.iter().find(|it| it.lets_in(SSH)).map(|it| it.public),
        System::Windows => None,
    };
    let own = |it: &IpAddr| place.iter().flat_map(|it| &it.addresses).any(|(own, _)| IpAddr::V4(*own) == *it);
    let addresses = addresses(&interfaces).into_iter().filter(|it| !own(it)).collect();
    Ok(Want {
        vm: vm.id.clone(),
        hostname: text("osProfile/computerName", "vm"),
        admin: text("osProfile/adminUsername", "azureuser"),
        size: vm.text("hardwareProfile/vmSize").and_then(sizes::of),
        custom_data: custom_data::of(txn, vm)?,
        place,
        addresses,
        ssh,
        openings,
        extensions: view::extensions(txn, &vm.id)?.iter().map(extension_of).collect(),
        accounts: logins::get(txn, &vm.id)?.accounts(),
        operations: machine.operations.iter().copied().chain(under_way).chain(of_set).collect(),
        machine,
    })
}

fn extension_of(resource: &Resource) -> Extension {
    let operation = resource.operation.filter(|_| !resource.state.is_terminal());
    Extension { port: extension::port(resource), operation }
}

/// What is open at a machine's public addresses as of now.
pub(super) fn openings(txn: &Txn, vm: &ResourceId) -> Result<Vec<Opening>> {
    match resources::get(txn, vm)? {
        Some(vm) => inbound::openings(txn, &interfaces(txn, &vm)?),
        None => Ok(Vec::new()),
    }
}

/// Its network interfaces, as far as those are there; the primary one first.
fn interfaces(txn: &Txn, vm: &Resource) -> Result<Vec<Resource>> {
    let listed = vm.property("networkProfile/networkInterfaces").and_then(Value::as_array);
    let mut listed: Vec<&Value> = listed.into_iter().flatten().collect();
    listed.sort_by_key(|it| it["properties"]["primary"] != true && it["primary"] != true);
    let ids = listed.into_iter().filter_map(|it| ResourceId::parse(it.get("id")?.as_str()?).ok());
    ids.filter_map(|id| resources::get(txn, &id).transpose()).collect()
}

/// The addresses that interfaces say they have.
fn addresses(interfaces: &[Resource]) -> Vec<IpAddr> {
    let mut addresses = BTreeSet::new();
    for interface in interfaces {
        let configurations = interface.property("ipConfigurations").and_then(Value::as_array);
        for configuration in configurations.into_iter().flatten() {
            let address = configuration.get("properties").and_then(|it| it.get("privateIPAddress")?.as_str());
            addresses.extend(address.and_then(|it| it.parse::<IpAddr>().ok()).filter(is_private));
        }
    }
    addresses.into_iter().collect()
}

/// What a guest's interface can take beside the addresses that every guest has.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_private(),
        IpAddr::V6(it) => it.is_unique_local(),
    }
}

impl Want {
    pub(super) fn is_on(&self) -> bool {
        self.machine.power == Power::Running
    }

    /// Where its extensions answer, while it is on.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        self.extensions.iter().filter_map(|it| it.port).collect()
    }

    /// Who is asking behind its doors.
    pub(super) fn whose(&self, cloud: CloudId, network: Option<Network>) -> Whose {
        let is_v4 = |it: &IpAddr| match it {
            IpAddr::V4(it) => Some(*it),
            IpAddr::V6(_) => None,
        };
        Whose {
            cloud,
            vm: self.vm.clone(),
            vm_id: self.machine.vm_id,
            hostname: self.hostname.clone(),
            address: self
                .address()
                .unwrap_or_else(|| self.addresses.iter().find_map(is_v4).unwrap_or(OWN_NAME)),
            network,
        }
    }

    /// What is to be done in it when it is up.
    pub(super) fn plan(&self) -> Plan {
        let mut plan = cloud_init::read(&self.custom_data, &self.admin);
        // It may have brought them back.
        plan.steps.extend(self.accounts.removed.iter().map(|it| cloud_init::removed(it)));
        plan
    }

    /// Its primary address in its network.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        self.place.as_ref()?.addresses.first().map(|(address, _)| *address)
    }

    /// What it reaches outside, in words.
    pub(super) fn says_of(&self, egress: Egress) -> &'static str {
        match &self.place {
            _ if egress == Egress::Off => egress.said(),
            None => "off: this machine has no interface in a virtual network",
            Some(place) if !place.has_outbound => {
                "off: its subnet has no default outbound access, and it has no public address and no NAT gateway"
            }
            Some(_) => egress.said(),
        }
    }

    /// Whether what runs is this machine's latest boot.
    pub(super) fn is_booted(&self, running: &Running) -> bool {
        self.is_on()
            && running.vm_id == self.machine.vm_id
            && running.boots == self.machine.boots
            && !running.is_dead()
    }

    /// Whether nobody waits for anything any more.
    pub(super) fn is_reported(&self) -> bool {
        self.machine.is_settled()
            && self.operations.is_empty()
            && self.extensions.iter().all(|it| it.operation.is_none())
    }

    pub(super) fn is_met_by(&self, running: Option<&Running>) -> bool {
        let is_as_it_should_be = match running {
            Some(running) => {
                self.is_booted(running)
                    && running.ports() == self.ports()
                    && running.is_open_at(self.ssh)
                    && running.has(&self.accounts)
                    && running.has_ways(self)
            }
            None => !self.is_on(),
        };
        is_as_it_should_be && self.is_reported()
    }
}
