//! What scheduled events announce, done when its time has come: by the reconciler, which is the one that touches guests.

use std::time::Duration;

use azure::{error::Result, ids::Guid, time::Timestamp};

use super::{
    machine::{self, Power},
    vm,
};
use crate::{
    arm::kind::{Call, Removal},
    resources::{
        Resource, State, removal,
        scheduled_events::{self, EventSource, EventType, ScheduledEvent},
    },
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
pub(super) fn carry_out(txn: &mut Txn, now: Timestamp) -> Result<()> {
    let (due, _) = scheduled_events::due(txn, now)?;
    for (vm, event) in due {
        match crate::resources::get(txn, &vm)? {
            Some(resource) => begin(txn, &resource, &event, now)?,
            None => scheduled_events::forget(txn, &vm)?,
        }
    }
    Ok(())
}

fn begin(txn: &mut Txn, vm: &Resource, event: &ScheduledEvent, now: Timestamp) -> Result<()> {
    let done = |txn: &mut Txn, id: Guid| scheduled_events::done(txn, &vm.id, id);
    let Some(mut machine) = machine::get(txn, &vm.id)? else { return done(txn, event.id) };
    match event.event {
        // Memory is kept, and nothing in the machine is any different.
        EventType::Freeze => {}
        EventType::Reboot | EventType::Redeploy if machine.power == Power::Running => machine.boots += 1,
        EventType::Reboot | EventType::Redeploy => {}
        EventType::Preempt => machine.power = Power::Deallocated,
        EventType::Terminate if vm.state == State::Deleting => return end(txn, vm, now),
        // Announced by the operator, and nobody deletes it.
        EventType::Terminate => machine.power = Power::Stopped,
    }
    machine::note(txn, &vm.id, &machine)?;
    done(txn, event.id)
}

/// The end of a machine whose deletion was announced. Its interfaces are freed, and stay, whatever their `deleteOption` says.
fn end(txn: &mut Txn, resource: &Resource, now: Timestamp) -> Result<()> {
    machine::take_away(txn, &resource.id)?;
    vm::let_go(txn, resource)?;
    scheduled_events::forget(txn, &resource.id)?;
    removal::complete(txn, resource, now)
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
