//! What scheduled events announce, done when its time has come: by the reconciler, which is the one that touches guests.

use std::time::Duration;

use azure::{error::Result, ids::Guid};

use super::{
    codes,
    machine::{self, Power},
    vm,
};
use crate::{
    arm::{
        self,
        kind::{Answer, Call, Removal},
    },
    cloud::Draw,
    products,
    resources::{
        Resource, State, removal,
        scheduled_events::{self, EventSource, EventType, ScheduledEvent},
    },
    service::Cx,
    store::Txn,
};

/// Tells a machine that asks for its events of something that is done to it at once, as its user wanted.
pub(super) fn note(call: &mut Call<'_>, event: EventType) -> Result<()> {
    let (vm, now) = (call.id.clone(), call.cx.now);
    if scheduled_events::is_watched(call.txn, &vm, now)? {
        let id = call.draw.guid();
        scheduled_events::note(call.txn, &vm, event, (id, now))?;
    }
    Ok(())
}

/// Announces a deletion, where the machine asked for that in `scheduledEventsProfile`; whether it did.
pub(super) fn announce_end(removal: &mut Removal<'_>) -> Result<bool> {
    let (cx, vm) = (removal.cx, removal.resource);
    let is_forced = removal.query.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("forceDeletion") && value.eq_ignore_ascii_case("true")
    });
    let profile = "scheduledEventsProfile/terminateNotificationProfile";
    let is_wanted =
        vm.property(&format!("{profile}/enable")).and_then(serde_json::Value::as_bool) == Some(true);
    // Where nobody follows there would be nobody to end it.
    if !is_wanted || is_forced || vm.state == State::Deleting || !cx.env.follower.is_there() {
        return Ok(false);
    }
    let notice = vm.text(&format!("{profile}/notBeforeTimeout")).and_then(minutes);
    let notice = notice.unwrap_or_else(|| EventType::Terminate.notice());
    let what = (EventType::Terminate, EventSource::User);
    scheduled_events::schedule(removal.txn, &vm.id, what, (removal.draw.guid(), cx.now, notice))?;
    cx.env.follower.wake_after(removal.txn);
    Ok(true)
}

/// `PT5M`, of 5 to 15 minutes (imds.md §7).
fn minutes(text: &str) -> Option<Duration> {
    let count: u64 = text.strip_prefix("PT")?.strip_suffix('M')?.parse().ok()?;
    (5..=15).contains(&count).then(|| Duration::from_secs(count * 60))
}

/// Does what is due.
pub(super) fn carry_out(cx: &Cx, txn: &mut Txn, draw: &mut Draw) -> Result<()> {
    let (due, _) = scheduled_events::due(txn, cx.now)?;
    for (vm, event) in due {
        match crate::resources::get(txn, &vm)? {
            Some(resource) => begin((cx, draw), txn, &resource, &event)?,
            None => scheduled_events::forget(txn, &vm)?,
        }
    }
    Ok(())
}

fn begin((cx, draw): (&Cx, &mut Draw), txn: &mut Txn, vm: &Resource, event: &ScheduledEvent) -> Result<()> {
    let done = |txn: &mut Txn, id: Guid| scheduled_events::done(txn, &vm.id, id);
    let Some(mut machine) = machine::get(txn, &vm.id)? else { return done(txn, event.id) };
    match event.event {
        // Memory is kept, and nothing in the machine is any different.
        EventType::Freeze => {}
        EventType::Reboot | EventType::Redeploy if machine.power == Power::Running => machine.boots += 1,
        EventType::Reboot | EventType::Redeploy => {}
        EventType::Preempt if is_word(vm, "evictionPolicy", &["Delete"]) => {
            done(txn, event.id)?;
            return arm::along(cx, txn, draw, products::PROVIDERS, (&vm.id, vec![vm.id.clone()]));
        }
        EventType::Preempt => machine.power = Power::Deallocated,
        EventType::Terminate if vm.state == State::Deleting => return end((cx, draw), txn, vm),
        // Announced by the operator, and nobody deletes it.
        EventType::Terminate => machine.power = Power::Stopped,
    }
    machine::note(txn, &vm.id, &machine)?;
    done(txn, event.id)
}

fn is_word(vm: &Resource, name: &str, words: &[&str]) -> bool {
    vm.text(name).is_some_and(|said| words.iter().any(|it| it.eq_ignore_ascii_case(said)))
}

/// The end of a machine whose deletion was announced, and of what was to go with it.
fn end((cx, draw): (&Cx, &mut Draw), txn: &mut Txn, resource: &Resource) -> Result<()> {
    machine::take_away(txn, &resource.id)?;
    let leaving = vm::let_go(txn, resource)?;
    scheduled_events::forget(txn, &resource.id)?;
    removal::complete(txn, resource, cx.now)?;
    arm::along(cx, txn, draw, products::PROVIDERS, (&resource.id, leaving))
}

/// `POST {vm}/simulateEviction`: the platform announces to a Spot machine that it wants its place back, and takes it.
pub(super) fn simulate_eviction(call: &mut Call<'_>) -> Result<Answer> {
    let vm = call.resource.expect("a verb on a row has its row");
    if !is_word(vm, "priority", &["Spot", "Low"]) {
        let name = vm.machine_name();
        return Err(codes::NOT_ALLOWED.with(["simulateEviction", &*name, "not of priority Spot"]));
    }
    let when = (call.draw.guid(), call.cx.now, EventType::Preempt.notice());
    scheduled_events::schedule(call.txn, &vm.id, (EventType::Preempt, EventSource::Platform), when)?;
    call.cx.env.follower.wake_after(call.txn);
    Ok(Answer::empty(204))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_of_five_to_fifteen_minutes() {
        for (text, seconds) in [
            ("PT5M", Some(300)),
            ("PT15M", Some(900)),
            ("PT4M", None),
            ("PT16M", None),
            ("PT1H", None),
            ("5", None),
        ] {
            assert_eq!(minutes(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
