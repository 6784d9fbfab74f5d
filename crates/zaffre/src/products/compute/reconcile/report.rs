//! What is written back: what was seen, and the end of every operation that waited for it.

use azure::{error::Result, ids::Guid, time::Timestamp};

use super::{
    super::{
        codes,
        machine::{self, Machine, Power, Seen},
    },
    want::Want,
};
use crate::{
    resources::{
        self, Resource, State,
        operations::{self, Status},
    },
    store::Txn,
};

pub(super) struct Report<'a> {
    /// As it was read before the work: what was written since is another report's.
    pub(super) want: &'a Want,
    pub(super) outcome: &'a Result<(), String>,
}

impl Report<'_> {
    pub(super) fn write(&self, txn: &mut Txn, now: Timestamp) -> Result<()> {
        let (vm, before) = (&self.want.vm, &self.want.machine);
        let Some(mut machine) = machine::get(txn, vm)?.filter(|it| it.vm_id == before.vm_id) else {
            return Ok(());
        };
        let seen = self.seen(now);
        let is_mended =
            machine.seen.as_ref().is_some_and(|it| it.problem.is_some()) && seen.problem.is_none();
        machine.seen = Some(seen);
        machine.operations.retain(|it| !self.want.operations.contains(it));
        machine::note(txn, vm, &machine)?;
        let extensions = self.want.extensions.iter().filter_map(|it| it.operation);
        let all: Vec<Guid> = self.want.operations.iter().copied().chain(extensions).collect();
        for operation in all {
            if self.outcome.is_err() || !self.is_awaited_elsewhere(txn, operation)? {
                operations::finish(txn, operation, self.status(), now)?;
            }
        }
        self.settle_instance(txn)?;
        if is_mended { self.mend(txn) } else { Ok(()) }
    }

    /// What is done to a whole scale set is done when its last machine is as it should be.
    fn is_awaited_elsewhere(&self, txn: &Txn, operation: Guid) -> Result<bool> {
        let vm = &self.want.vm;
        let Some(set) = vm.parent().filter(|_| vm.names().len() > 1) else { return Ok(false) };
        let is_whole = resources::get(txn, &set)?.is_some_and(|it| it.operation == Some(operation));
        let all = machine::within(txn, &set)?;
        let waits = |it: &Machine| it.operations.contains(&operation) || (is_whole && !it.is_as_meant());
        Ok(all.iter().any(|(id, machine)| id != vm && waits(machine)))
    }

    /// No operation of its own says that a scale set's machine has come up.
    fn settle_instance(&self, txn: &mut Txn) -> Result<()> {
        let Some(mut vm) = resources::get(txn, &self.want.vm)?.filter(Resource::is_instance) else {
            return Ok(());
        };
        if vm.state != State::Creating || vm.operation.is_some() {
            return Ok(());
        }
        vm.state = if self.outcome.is_ok() { State::Succeeded } else { State::Failed };
        resources::put(txn, &vm)
    }

    fn seen(&self, now: Timestamp) -> Seen {
        let machine = &self.want.machine;
        let problem = self.outcome.as_ref().err().cloned();
        let power = if problem.is_some() { Power::Stopped } else { machine.power };
        let since = match &machine.seen {
            Some(seen) if seen.power == power && seen.boots == machine.boots => seen.since,
            _ => now,
        };
        Seen { power, boots: machine.boots, since, problem }
    }

    fn status(&self) -> Status {
        match self.outcome {
            Ok(()) => Status::Succeeded { output: None },
            Err(problem) => Status::Failed {
                code: codes::ALLOCATION_FAILED.to_owned(),
                message: format!("The virtual machine could not be started: {problem}."),
            },
        }
    }

    /// A machine that could not run, and now does, without anybody having asked: after a restart of the program.
    fn mend(&self, txn: &mut Txn) -> Result<()> {
        match resources::get(txn, &self.want.vm)? {
            Some(mut vm) if vm.state == State::Failed => {
                vm.state = State::Succeeded;
                resources::put(txn, &vm)
            }
            _ => Ok(()),
        }
    }
}
