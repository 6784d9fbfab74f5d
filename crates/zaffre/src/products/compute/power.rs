//! POST on a virtual machine: which power it should have, and when that operation is over.

use azure::error::Result;

use super::{
    attached, codes as own, events,
    machine::{self, Machine, Power},
    run_command, sizes, view,
};
use crate::{
    arm::{
        codes,
        kind::{Answer, Call, Follow, Verb},
    },
    resources::{
        self, State,
        operations::{self, Gives, Operation},
        scheduled_events::EventType,
    },
};

macro_rules! later {
    ($name:literal) => {
        Verb::post($name, concat!($name, "/action"), |_| {
            Err(codes::not_implemented(concat!("Microsoft.Compute/virtualMachines/", $name)))
        })
    };
}

/// What a machine does, a scale set's own as well as any other. By which headers each is followed: az-cli.md §8.
const START: Verb = Verb::post("start", "start/action", |call| on(call, "start", start));
const RESTART: Verb = Verb::post("restart", "restart/action", |call| {
    events::note(call, EventType::Reboot)?;
    on(call, "restart", restart)
});
const REDEPLOY: Verb = Verb::post("redeploy", "redeploy/action", |call| {
    events::note(call, EventType::Redeploy)?;
    on(call, "redeploy", restart)
});
const POWER_OFF: Verb = Verb::post("powerOff", "powerOff/action", |call| change(call, Follow::Both, stop));
const DEALLOCATE: Verb =
    Verb::post("deallocate", "deallocate/action", |call| change(call, Follow::Both, deallocate));
/// A guest's root begins anew with each boot, so a machine that boots again is made of its image again.
const REIMAGE: Verb = Verb::post("reimage", "reimage/action", |call| change(call, Follow::Both, restart));
/// What should be is written once more, and whoever runs machines looks again.
const REAPPLY: Verb = Verb::post("reapply", "reapply/action", |call| change(call, Follow::Both, reapply));
const INSTANCE_VIEW: Verb = Verb::get("instanceView", "instanceView/read", view::instance);
const RUN_COMMAND: Verb = Verb::wait("runCommand", "runCommand/action", run_command::invoke);
const SIMULATE_EVICTION: Verb =
    Verb::post("simulateEviction", "simulateEviction/action", events::simulate_eviction);

pub(super) static VERBS: &[Verb] = &[
    START,
    RESTART,
    REDEPLOY,
    POWER_OFF,
    DEALLOCATE,
    INSTANCE_VIEW,
    Verb::get("vmSizes", "vmSizes/read", sizes::list),
    Verb::post("generalize", "generalize/action", generalize),
    Verb::post("attachDetachDataDisks", "attachDetachDataDisks/action", attached::attach_detach),
    RUN_COMMAND,
    REIMAGE,
    REAPPLY,
    later!("capture"),
    later!("retrieveBootDiagnosticsData"),
    later!("performMaintenance"),
    SIMULATE_EVICTION,
    later!("convertToManagedDisks"),
    later!("assessPatches"),
    later!("installPatches"),
];

pub(super) static VERBS_OF_INSTANCES: &[Verb] = &[
    START,
    RESTART,
    REDEPLOY,
    POWER_OFF,
    DEALLOCATE,
    REIMAGE,
    Verb::post("reimageall", "reimageall/action", |call| change(call, Follow::Both, restart)),
    INSTANCE_VIEW,
    RUN_COMMAND,
    SIMULATE_EVICTION,
];

pub(super) fn stop(machine: &mut Machine) {
    machine.power = Power::Stopped;
}

pub(super) fn deallocate(machine: &mut Machine) {
    machine.power = Power::Deallocated;
}

pub(super) fn start(machine: &mut Machine) {
    let is_broken = machine.seen.as_ref().is_some_and(|it| it.problem.is_some());
    if machine.power != Power::Running || is_broken {
        machine.boots += 1;
    }
    machine.power = Power::Running;
}

/// A machine that is off stays off, as in Azure, where this is an error only for one that is deallocated (unverified).
pub(super) fn restart(machine: &mut Machine) {
    if machine.power == Power::Running {
        machine.boots += 1;
    }
}

/// One that could not be made to follow is tried again.
fn reapply(machine: &mut Machine) {
    if machine.seen.as_ref().is_some_and(|it| it.problem.is_some()) {
        machine.boots += 1;
    }
}

/// What only a machine does that is still somebody.
fn on(call: &mut Call<'_>, verb: &str, settle: fn(&mut Machine)) -> Result<Answer> {
    if machine::get(call.txn, call.id)?.is_some_and(|it| it.is_generalized) {
        return Err(own::NOT_ALLOWED.with([verb, call.id.name(), "generalized"]));
    }
    change(call, Follow::Status, settle)
}

/// A machine that is off becomes what an image can be made of, and is not started again (documented: "Create a legacy managed
/// image of a generalized VM").
fn generalize(call: &mut Call<'_>) -> Result<Answer> {
    let Some(mut machine) = machine::get(call.txn, call.id)? else { return Ok(Answer::empty(200)) };
    if machine.power == Power::Running {
        return Err(own::NOT_ALLOWED.with(["generalize", call.id.name(), "running"]));
    }
    machine.is_generalized = true;
    machine::put(call.cx, call.txn, call.id, &machine)?;
    Ok(Answer::empty(200))
}

fn change(call: &mut Call<'_>, follow: Follow, settle: fn(&mut Machine)) -> Result<Answer> {
    let (cx, vm) = (call.cx, call.resource.expect("a verb on a row has its row"));
    let Some(mut machine) = machine::get(call.txn, &vm.id)? else {
        return Err(
            codes::RESOURCE_NOT_FOUND.with([vm.id.as_str(), vm.id.resource_group().unwrap_or_default()])
        );
    };
    if vm.state == State::Deleting {
        return Err(codes::BUSY.with([vm.id.as_str()]));
    }
    settle(&mut machine);
    let who = call.permit.caller().principal().map(|it| it.object_id);
    let operation = Operation::new(call.draw.guid(), &vm.id, Gives::Nothing, cx.now).by(who);
    if cx.env.follower.is_there() {
        let mut next = vm.clone();
        machine.operations.extend(next.operation.filter(|_| !next.state.is_terminal()));
        machine.operations.push(operation.id);
        next.state = State::Updating;
        next.operation = Some(operation.id);
        operations::begin(call.txn, &operation)?;
        resources::put(call.txn, &next)?;
    } else {
        machine.seen_as_desired(cx.now);
        operations::begin(call.txn, &operation.clone().done())?;
    }
    machine::put(cx, call.txn, &vm.id, &machine)?;
    Ok(Answer::begun(operation.id, follow))
}
