//! A scheduled event that the operator announces to a machine, to see what its programs do.

use std::time::Duration;

use azure::error::Result;
use serde_json::json;

use super::{codes, vms};
use crate::{
    resources::scheduled_events::{self, EventSource, EventType},
    service::{Cx, Parts, Reply},
};

#[derive(Debug, PartialEq)]
pub(crate) struct Announcement {
    vm: String,
    event: String,
    /// Seconds; none for the platform's own notice.
    notice: Option<String>,
}

impl Announcement {
    pub(super) fn read(parts: &Parts, vm: String) -> Self {
        let of = |name| parts.query(name).map(str::to_owned);
        Announcement { vm, event: of("type").unwrap_or_default(), notice: of("in") }
    }
}

/// A year: whoever asks for more has not thought of seconds.
const LONGEST: u64 = 365 * 24 * 60 * 60;

pub(super) async fn announce(cx: &Cx, asked: &Announcement) -> Result<Reply> {
    let event = EventType::named(&asked.event).ok_or_else(|| codes::NO_SUCH_EVENT.with([&asked.event]))?;
    let notice = match &asked.notice {
        None => event.notice(),
        Some(text) => {
            let seconds = text.parse().ok().filter(|it| *it <= LONGEST);
            Duration::from_secs(seconds.ok_or_else(|| codes::BAD_NOTICE.with([text]))?)
        }
    };
    let id = cx.draw().guid();
    let not_before = cx.now.plus(notice);
    let vm = cx
        .write(|txn| {
            let vm = vms::named(txn, &asked.vm)?;
            let what = (event, EventSource::Platform);
            scheduled_events::schedule(txn, &vm.id, what, (id, cx.now, notice))?;
            cx.env.follower.wake_after(txn);
            Ok(vm.id)
        })
        .await?;
    let told = json!({ "id": id, "type": event.name(), "vm": vm, "notBefore": not_before.iso_seconds() });
    Ok(Reply::json(201, &told))
}
