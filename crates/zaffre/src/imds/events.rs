//! `/metadata/scheduledevents`: what is about to be done to this machine (imds.md §7).
//!
//! The category has versions of its own, each of which brought a member or a type. A machine's first question enables the
//! service for it; here the first answer comes at once.

use azure::{
    error::{Error, Result},
    ids::Guid,
    time::Timestamp,
};
use http::Method;
use serde_json::{Map, Value, json};

use super::{codes, machine::Machine};
use crate::{
    resources::{
        Resource,
        scheduled_events::{self, EventSource, EventStatus, EventType, ScheduledEvent},
    },
    service::{Body, Cx, Parts, Reply},
    store::Txn,
};

/// Oldest first.
pub(super) static VERSIONS: &[&str] =
    &["2017-03-01", PLAIN_NAMES, WITH_PREEMPT, WITH_TERMINATE, WITH_DESCRIPTION, WITH_SOURCE, WITH_DURATION];
/// Before it, resources were named with a `_` in front.
const PLAIN_NAMES: &str = "2017-08-01";
const WITH_PREEMPT: &str = "2017-11-01";
const WITH_TERMINATE: &str = "2019-01-01";
const WITH_DESCRIPTION: &str = "2019-04-01";
const WITH_SOURCE: &str = "2019-08-01";
const WITH_DURATION: &str = "2020-07-01";
/// Nobody acknowledges more at once.
const BODY_BYTES: usize = 64 << 10;

pub(crate) enum Asked {
    Document { version: &'static str },
    Acknowledgement,
}

impl Asked {
    pub(super) fn read(parts: &Parts) -> Result<Self> {
        let asked = parts.query("api-version").unwrap_or_default();
        let version = VERSIONS.iter().find(|version| **version == asked).ok_or(&codes::BAD_VERSION)?;
        Ok(match parts.method {
            Method::POST => Asked::Acknowledgement,
            _ => Asked::Document { version },
        })
    }
}

pub(super) async fn answer(cx: &Cx, machine: &Machine, asked: &Asked, body: Body) -> Result<Reply> {
    match asked {
        Asked::Document { version } => document(cx, &machine.vm, version).await,
        Asked::Acknowledgement => acknowledge(cx, &machine.vm, body).await,
    }
}

async fn document(cx: &Cx, vm: &Resource, version: &str) -> Result<Reply> {
    let read = |txn: &Txn| {
        let incarnation = scheduled_events::incarnation(txn, &vm.id, cx.now)?;
        let events = scheduled_events::of(txn, &vm.id)?;
        Ok((incarnation, events, scheduled_events::is_to_be_noted(txn, &vm.id, cx.now)?))
    };
    let (incarnation, mut events, is_to_be_noted) = cx.read(read).await?;
    if is_to_be_noted {
        cx.write(|txn| scheduled_events::note_asked(txn, &vm.id, cx.now)).await?;
    }
    events.sort_by_key(|it| it.not_before);
    let shown: Vec<Value> = events.iter().filter_map(|it| shown(it, vm, version, cx.now)).collect();
    Ok(Reply::json(200, &json!({ "DocumentIncarnation": incarnation, "Events": shown })))
}

/// An event, as far as the version knows it; none when it is over.
fn shown(event: &ScheduledEvent, vm: &Resource, version: &str, now: Timestamp) -> Option<Value> {
    let status = event.status(now)?;
    let since = match event.event {
        EventType::Freeze | EventType::Reboot | EventType::Redeploy => VERSIONS[0],
        EventType::Preempt => WITH_PREEMPT,
        EventType::Terminate => WITH_TERMINATE,
    };
    if version < since {
        return None;
    }
    let name = match version < PLAIN_NAMES {
        true => format!("_{}", vm.machine_name()),
        false => vm.machine_name().into_owned(),
    };
    let (status, not_before) = match status {
        EventStatus::Scheduled => ("Scheduled", event.not_before.rfc1123()),
        EventStatus::Started => ("Started", String::new()),
    };
    let mut members = Map::from_iter([
        ("EventId".to_owned(), json!(event.id.to_string().to_ascii_uppercase())),
        ("EventStatus".to_owned(), json!(status)),
        ("EventType".to_owned(), json!(event.event.name())),
        ("ResourceType".to_owned(), json!("VirtualMachine")),
        ("Resources".to_owned(), json!([name])),
        ("NotBefore".to_owned(), json!(not_before)),
    ]);
    let source = match event.source {
        EventSource::Platform => "Platform",
        EventSource::User => "User",
    };
    for (name, since, value) in [
        ("Description", WITH_DESCRIPTION, json!(event.event.description())),
        ("EventSource", WITH_SOURCE, json!(source)),
        ("DurationInSeconds", WITH_DURATION, json!(event.event.duration_in_seconds())),
    ] {
        if version >= since {
            members.insert(name.to_owned(), value);
        }
    }
    Some(Value::Object(members))
}

/// `{"StartRequests": [{"EventId": "…"}]}`: these may begin now.
async fn acknowledge(cx: &Cx, vm: &Resource, body: Body) -> Result<Reply> {
    let ids = started(&body.bytes(BODY_BYTES).await?)?;
    let acknowledged = cx.write(|txn| {
        let is_known = scheduled_events::acknowledge(txn, &vm.id, &ids, cx.now)?;
        if is_known {
            cx.env.follower.wake_after(txn);
        }
        Ok(is_known)
    });
    match acknowledged.await? {
        true => Ok(Reply::new(200)),
        false => Err((&codes::NO_SUCH_EVENT).into()),
    }
}

fn started(body: &[u8]) -> Result<Vec<Guid>> {
    let bad = || Error::from(&codes::BAD_START_REQUESTS);
    let body: Value = serde_json::from_slice(body).map_err(|_| bad())?;
    let requests = body.get("StartRequests").and_then(Value::as_array).filter(|it| !it.is_empty());
    let id = |request: &Value| request.get("EventId")?.as_str()?.parse().ok();
    requests.and_then(|all| all.iter().map(id).collect()).ok_or_else(bad)
}
