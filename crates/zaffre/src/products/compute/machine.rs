//! What a virtual machine should be doing, and what it was last seen doing: the row between the provider, which writes the
//! first, and the reconciler, which writes the second.
//!
//! ```text
//! PUT, start, deallocate ──▶ power, boots, shares, operations ──▶ reconciler ──▶ the guest
//! instanceView, polls    ◀── seen, the operations' ends       ◀── reconciler ◀── what happened
//! ```
//!
//! A row is born with its virtual machine and goes with it, in the same transactions. A machine whose row is gone is ended.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{custom_data, logins};
use crate::{
    host::Share,
    resources::moving::Move,
    service::Cx,
    store::{CloudId, Span, Store, StoreError, Table, Txn, Watch},
};

const MACHINES: Table<ResourceId, Machine> = Table::new("machines");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    /// Its virtual machine's: one that was deleted and made again is another machine.
    pub(super) vm_id: Guid,
    pub(super) power: Power,
    /// Goes up with each boot that was asked for: a running machine of an older one is ended first.
    pub(super) boots: u64,
    /// Directories of the host that the next boot lends it.
    #[serde(default)]
    pub(super) shares: Vec<Share>,
    /// What ends when the machine is as it should be.
    #[serde(default)]
    pub(super) operations: Vec<Guid>,
    /// It has given up being somebody, so that an image can be made of it: it is never started again.
    #[serde(default)]
    pub(super) is_generalized: bool,
    pub(super) seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Power {
    Running,
    /// Off, and still paid for.
    Stopped,
    Deallocated,
}

/// What the reconciler found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) power: Power,
    pub(super) boots: u64,
    /// Since when.
    pub(super) since: Timestamp,
    /// Why it could not be made to follow.
    pub(super) problem: Option<String>,
}

impl Power {
    /// `(code, displayStatus)` of the instance view (resources.md §2.2).
    pub(super) const fn status(self) -> (&'static str, &'static str) {
        match self {
            Power::Running => ("PowerState/running", "VM running"),
            Power::Stopped => ("PowerState/stopped", "VM stopped"),
            Power::Deallocated => ("PowerState/deallocated", "VM deallocated"),
        }
    }
}

impl Machine {
    pub(super) fn new(vm_id: Guid) -> Self {
        Machine {
            vm_id,
            power: Power::Running,
            boots: 1,
            shares: Vec::new(),
            operations: Vec::new(),
            is_generalized: false,
            seen: None,
        }
    }

    /// Whether it is as it should be, or cannot be.
    pub(super) fn is_settled(&self) -> bool {
        self.operations.is_empty() && self.is_as_meant()
    }

    /// The same, whoever still waits to hear of it.
    pub(super) fn is_as_meant(&self) -> bool {
        let is_meant =
            |seen: &Seen| seen.boots == self.boots && (seen.power == self.power || seen.problem.is_some());
        self.seen.as_ref().is_some_and(is_meant)
    }

    /// The machine as it is when nothing follows what is written: at once as it should be.
    pub(super) fn seen_as_desired(&mut self, now: Timestamp) {
        let since = match &self.seen {
            Some(seen) if seen.power == self.power && seen.boots == self.boots => seen.since,
            _ => now,
        };
        self.seen = Some(Seen { power: self.power, boots: self.boots, since, problem: None });
    }
}

pub(super) fn get(txn: &Txn, vm: &ResourceId) -> Result<Option<Machine>> {
    Ok(MACHINES.get(txn, vm)?)
}

/// All of them, in the order of their ids.
pub(super) fn all(txn: &Txn) -> Result<Vec<(ResourceId, Machine)>> {
    Ok(MACHINES.scan(txn, &(), None, usize::MAX)?)
}

/// Those of a scale set.
pub(super) fn within(txn: &Txn, set: &ResourceId) -> Result<Vec<(ResourceId, Machine)>> {
    MACHINES.rows(txn, Span::within(&(), set)).map(|row| Ok(row?)).collect()
}

/// Told of every change, whichever process wrote it.
pub(super) async fn watch(store: &Store, cloud: CloudId) -> Result<Watch<ResourceId>, StoreError> {
    MACHINES.watch(store, cloud, Span::under(&())).await
}

/// Writes what should be, and sees to it that somebody follows.
pub(super) fn put(cx: &Cx, txn: &mut Txn, vm: &ResourceId, machine: &Machine) -> Result<()> {
    cx.env.follower.wake_after(txn);
    Ok(MACHINES.put(txn, vm, machine)?)
}

/// Writes what was seen.
pub(super) fn note(txn: &mut Txn, vm: &ResourceId, machine: &Machine) -> Result<()> {
    Ok(MACHINES.put(txn, vm, machine)?)
}

/// Takes the row away; the reconciler, who does it, needs no waking.
pub(super) fn take_away(txn: &mut Txn, vm: &ResourceId) -> Result<()> {
    logins::delete(txn, vm)?;
    custom_data::delete(txn, vm)?;
    Ok(MACHINES.delete(txn, vm)?)
}

/// The same machine under another id: whoever runs it begins it anew there.
pub(super) fn moved(cx: &Cx, txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    let Some(machine) = get(txn, moved.from)? else { return Ok(()) };
    logins::moved(txn, moved)?;
    custom_data::moved(txn, moved)?;
    delete(cx, txn, moved.from)?;
    let mut machine = Machine { seen: None, ..machine };
    if !cx.env.follower.is_there() {
        machine.seen_as_desired(cx.now);
    }
    put(cx, txn, moved.to, &machine)
}

pub(super) fn delete(cx: &Cx, txn: &mut Txn, vm: &ResourceId) -> Result<()> {
    cx.env.follower.wake_after(txn);
    take_away(txn, vm)
}
