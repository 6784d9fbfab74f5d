//! The keys that tokens are signed with: which there are, and a new one.

use azure::{error::Result, time::Timestamp};
use serde_json::{Value, json};

use super::codes;
use crate::service::{Cx, Reply};

/// Oldest first; the one that signs is the last.
pub(super) fn list(cx: &Cx) -> Reply {
    let time = |at: Option<Timestamp>| at.map(|it| it.iso_seconds());
    let keys: Vec<Value> = cx
        .env
        .keys
        .current(cx.now)
        .iter()
        .map(|key| {
            json!({
                "kid": key.kid,
                "created": key.created.iso_seconds(),
                "retired": time(key.retired),
                "leaves": time(key.leaves()),
            })
        })
        .collect();
    Reply::json(200, &json!({ "value": keys }))
}

pub(super) async fn rotate(cx: &Cx) -> Result<Reply> {
    let rotated = cx.env.keys.rotate(&cx.env.store, cx.now).await;
    rotated.map_err(|error| codes::UPKEEP_FAILED.with([error.to_string()]))?;
    Ok(list(cx))
}
