//! What is in an account and has rules but no life here: lifecycle and inventory policies, replication, local users,
//! immutability policies, shares, queues and tables are kept as they are sent, and nothing of it is done.

use azure::error::Result;
use serde_json::{Value, json};

use crate::arm::kind::Change;

/// The policy of a container, which a PUT without a body makes too (published example: `state` is `Unlocked` until somebody locks it).
pub(super) fn put_immutability(change: &mut Change<'_>) -> Result<()> {
    let state = change.current.and_then(|it| it.property("state")).cloned();
    change.next.set("state", state.unwrap_or_else(|| json!("Unlocked")));
    if change.next.property("immutabilityPeriodSinceCreationInDays").is_none_or(Value::is_null) {
        change.next.set("immutabilityPeriodSinceCreationInDays", json!(0));
    }
    Ok(())
}

/// A policy says when it was set.
pub(super) fn put_policy(change: &mut Change<'_>) -> Result<()> {
    change.next.set("lastModifiedTime", json!(change.cx.now.iso()));
    Ok(())
}

/// A table's name is its property as well.
pub(super) fn put_table(change: &mut Change<'_>) -> Result<()> {
    let name = change.next.name().to_owned();
    change.next.set("tableName", json!(name));
    Ok(())
}
