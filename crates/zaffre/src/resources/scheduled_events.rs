//! Scheduled events: what is about to be done to a virtual machine, told before it is done (imds.md §7).
//!
//! ```text
//! schedule ──► Scheduled ── NotBefore, or an acknowledgement ──► Started ── its time ──► gone
//! ```
//!
//! An event is a row that is written when it is scheduled and when it is acknowledged; where it stands follows from the row
//! and the time. So does the document's incarnation, which counts every step that any event of the machine has taken. Whoever
//! does what an event announces asks for those that are `due` and says when it is `done`.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::moving::Move;
use crate::store::{Table, Txn};

/// By machine, then event.
const EVENTS: Table<(ResourceId, Guid), ScheduledEvent> = Table::new("scheduled_events");
const WATCHES: Table<ResourceId, Watch> = Table::new("scheduled_events_watches");

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    Freeze,
    Reboot,
    Redeploy,
    Preempt,
    Terminate,
}

/// A kind of event: how long before it is told, and how long it takes.
struct EventKind {
    event: EventType,
    name: &'static str,
    /// The least notice (imds.md §7).
    notice: Duration,
    /// For how long the document shows it once it has begun; what the platform does is not documented.
    lasts: Duration,
    /// `DurationInSeconds`: -1 where nobody knows.
    duration_in_seconds: i64,
    description: &'static str,
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

static KINDS: [EventKind; 5] = [
    EventKind {
        event: EventType::Freeze,
        name: "Freeze",
        notice: minutes(15),
        lasts: Duration::from_secs(9),
        duration_in_seconds: 9,
        description: "Virtual machine is being paused because of a memory-preserving Live Migration operation.",
    },
    EventKind {
        event: EventType::Reboot,
        name: "Reboot",
        notice: minutes(15),
        lasts: minutes(1),
        duration_in_seconds: -1,
        description: "Virtual machine is going to be restarted as requested by authorized user.",
    },
    EventKind {
        event: EventType::Redeploy,
        name: "Redeploy",
        notice: minutes(10),
        lasts: minutes(1),
        duration_in_seconds: -1,
        description: "Virtual machine is going to be redeployed as requested by authorized user.",
    },
    EventKind {
        event: EventType::Preempt,
        name: "Preempt",
        notice: Duration::from_secs(30),
        lasts: minutes(1),
        duration_in_seconds: -1,
        description: "Virtual machine is going to be evicted.",
    },
    EventKind {
        event: EventType::Terminate,
        name: "Terminate",
        notice: minutes(5),
        lasts: minutes(1),
        duration_in_seconds: -1,
        description: "Virtual machine is going to be deleted.",
    },
];

impl EventType {
    fn kind(self) -> &'static EventKind {
        KINDS.iter().find(|kind| kind.event == self).expect("every type has its row")
    }

    pub fn name(self) -> &'static str {
        self.kind().name
    }

    pub fn notice(self) -> Duration {
        self.kind().notice
    }

    pub fn duration_in_seconds(self) -> i64 {
        self.kind().duration_in_seconds
    }

    pub fn description(self) -> &'static str {
        self.kind().description
    }

    /// By its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name)).map(|kind| kind.event)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventSource {
    Platform,
    User,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledEvent {
    pub id: Guid,
    pub event: EventType,
    pub source: EventSource,
    pub not_before: Timestamp,
    /// When it was acknowledged, where it was.
    acknowledged: Option<Timestamp>,
    /// Whether what it announces was done.
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStatus {
    Scheduled,
    Started,
}

/// What a machine's asking has left.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Watch {
    asked: Option<Timestamp>,
    /// What events that are forgotten counted towards the incarnation.
    forgotten: u64,
}

impl ScheduledEvent {
    fn starts(&self) -> Timestamp {
        self.acknowledged.map_or(self.not_before, |at| at.min(self.not_before))
    }

    /// None when it is over.
    pub fn status(&self, now: Timestamp) -> Option<EventStatus> {
        let starts = self.starts();
        match () {
            () if now < starts => Some(EventStatus::Scheduled),
            () if now < starts.plus(self.event.kind().lasts) => Some(EventStatus::Started),
            () => None,
        }
    }

    /// How often the document has changed because of it.
    fn steps(&self, now: Timestamp) -> u64 {
        match self.status(now) {
            Some(EventStatus::Scheduled) => 1,
            Some(EventStatus::Started) => 2,
            None => STEPS,
        }
    }
}

const STEPS: u64 = 3;

/// Announces something. One that is over and done is forgotten by the way.
pub fn schedule(
    txn: &mut Txn,
    vm: &ResourceId,
    (event, source): (EventType, EventSource),
    (id, now, notice): (Guid, Timestamp, Duration),
) -> Result<()> {
    let mut watch = WATCHES.get(txn, vm)?.unwrap_or_default();
    for old in of(txn, vm)? {
        if old.done && old.status(now).is_none() {
            EVENTS.delete(txn, &(vm.clone(), old.id))?;
            watch.forgotten += STEPS;
        }
    }
    WATCHES.put(txn, vm, &watch)?;
    let not_before = now.plus(notice);
    let event = ScheduledEvent { id, event, source, not_before, acknowledged: None, done: false };
    Ok(EVENTS.put(txn, &(vm.clone(), id), &event)?)
}

/// What is being done already, by somebody who does not wait for anybody: it has no time before it.
pub fn note(txn: &mut Txn, vm: &ResourceId, event: EventType, (id, now): (Guid, Timestamp)) -> Result<()> {
    schedule(txn, vm, (event, EventSource::User), (id, now, Duration::ZERO))?;
    done(txn, vm, id)
}

/// A machine's events, those that are over too.
pub fn of(txn: &Txn, vm: &ResourceId) -> Result<Vec<ScheduledEvent>> {
    Ok(EVENTS.scan(txn, &(vm.clone(),), None, usize::MAX)?.into_iter().map(|(_, event)| event).collect())
}

/// `DocumentIncarnation`: 0 before anything was ever announced.
pub fn incarnation(txn: &Txn, vm: &ResourceId, now: Timestamp) -> Result<u64> {
    let forgotten = WATCHES.get(txn, vm)?.unwrap_or_default().forgotten;
    Ok(forgotten + of(txn, vm)?.iter().map(|it| it.steps(now)).sum::<u64>())
}

/// Lets these begin. False, and nothing is changed, where one of them is not there or over.
pub fn acknowledge(txn: &mut Txn, vm: &ResourceId, ids: &[Guid], now: Timestamp) -> Result<bool> {
    let mut all = of(txn, vm)?;
    let is_there = |id: &Guid| all.iter().any(|it| it.id == *id && it.status(now).is_some());
    if !ids.iter().all(is_there) {
        return Ok(false);
    }
    for event in all.iter_mut().filter(|it| ids.contains(&it.id) && it.acknowledged.is_none()) {
        event.acknowledged = Some(now);
        EVENTS.put(txn, &(vm.clone(), event.id), event)?;
    }
    Ok(true)
}

/// A machine that has not asked for this long is told nothing (imds.md §7).
const WATCHED: Duration = Duration::from_secs(24 * 60 * 60);
/// How much older than the truth what is written about its asking may be.
const NOTED: Duration = Duration::from_secs(60 * 60);

/// Whether that it asks is to be written down.
pub fn is_to_be_noted(txn: &Txn, vm: &ResourceId, now: Timestamp) -> Result<bool> {
    let asked = WATCHES.get(txn, vm)?.and_then(|it| it.asked);
    Ok(asked.is_none_or(|at| at.distance(now) >= NOTED))
}

pub fn note_asked(txn: &mut Txn, vm: &ResourceId, now: Timestamp) -> Result<()> {
    let watch = WATCHES.get(txn, vm)?.unwrap_or_default();
    Ok(WATCHES.put(txn, vm, &Watch { asked: Some(now), ..watch })?)
}

/// Whether the machine would be told: it asked within a day.
pub fn is_watched(txn: &Txn, vm: &ResourceId, now: Timestamp) -> Result<bool> {
    let asked = WATCHES.get(txn, vm)?.and_then(|it| it.asked);
    Ok(asked.is_some_and(|at| at.distance(now) < WATCHED))
}

/// What has begun and is not done, each with its machine, and when the next one begins.
pub type Due = (Vec<(ResourceId, ScheduledEvent)>, Option<Timestamp>);

pub fn due(txn: &Txn, now: Timestamp) -> Result<Due> {
    let all = EVENTS.scan(txn, &(), None, usize::MAX)?;
    let open = all.into_iter().filter(|(_, event)| !event.done).map(|((vm, _), event)| (vm, event));
    let (due, later): (Vec<_>, Vec<_>) = open.partition(|(_, event)| event.starts() <= now);
    Ok((due, later.iter().map(|(_, event)| event.starts()).min()))
}

pub fn done(txn: &mut Txn, vm: &ResourceId, id: Guid) -> Result<()> {
    match EVENTS.get(txn, &(vm.clone(), id))? {
        Some(event) => Ok(EVENTS.put(txn, &(vm.clone(), id), &ScheduledEvent { done: true, ..event })?),
        None => Ok(()),
    }
}

/// What was announced to a machine is announced to it wherever it is.
pub fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    let (from, to) = (moved.from, moved.to);
    for event in of(txn, from)? {
        EVENTS.delete(txn, &(from.clone(), event.id))?;
        EVENTS.put(txn, &(to.clone(), event.id), &event)?;
    }
    if let Some(watch) = WATCHES.get(txn, from)? {
        WATCHES.delete(txn, from)?;
        WATCHES.put(txn, to, &watch)?;
    }
    Ok(())
}

/// With its machine goes what was said to it.
pub fn forget(txn: &mut Txn, vm: &ResourceId) -> Result<()> {
    for event in of(txn, vm)? {
        EVENTS.delete(txn, &(vm.clone(), event.id))?;
    }
    Ok(WATCHES.delete(txn, vm)?)
}
