//! Role changes that take their time, as the platform's do: up to ten minutes (rbac.md §2).
//!
//! With `zaffre up --role-propagation SECONDS`, an assignment that was given, changed or taken away is
//! for so long still what it was before, for whoever asks to do something; lists and GETs show it at
//! once, as in Azure. Every change leaves a row that says what was there, and those of the last day are
//! kept, so that the setting may change between two starts. Roles and deny assignments are not delayed.

use azure::{
    error::Result,
    ids::{ObjectId, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::assignments::RoleAssignment;
use crate::{
    service::Cx,
    store::{Table, Txn},
};

/// By when and what, what was there before.
const CHANGES: Table<(u64, ResourceId), Before> = Table::new("role_assignment_changes");

const KEPT: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Before {
    principal: ObjectId,
    assignment: Option<RoleAssignment>,
}

fn place(at: Timestamp) -> u64 {
    u64::try_from(at.nanos()).unwrap_or_default()
}

/// Remembers what an assignment was until `now`, and forgets what is a day old.
pub(super) fn record(
    txn: &mut Txn,
    now: Timestamp,
    (id, principal): (&ResourceId, ObjectId),
    before: Option<&RoleAssignment>,
) -> Result<()> {
    let oldest = CHANGES.scan(txn, &(), None, 16)?;
    for (key, _) in oldest.into_iter().filter(|((at, _), _)| *at < place(now.minus(KEPT))) {
        CHANGES.delete(txn, &key)?;
    }
    let key = (place(now), id.clone());
    if CHANGES.exists(txn, &key)? {
        return Ok(());
    }
    Ok(CHANGES.put(txn, &key, &Before { principal, assignment: before.cloned() })?)
}

/// Since when changes are not seen yet; `None` where they are at once.
pub(super) fn unseen_since(cx: &Cx) -> Option<Timestamp> {
    let delay = cx.env.settings.role_propagation;
    (!delay.is_zero()).then(|| cx.now.minus(delay))
}

fn unseen(txn: &Txn, since: Timestamp, limit: usize) -> Result<Vec<((u64, ResourceId), Before)>> {
    let after = (place(since) + 1, ResourceId::root());
    Ok(CHANGES.scan(txn, &(), Some(&after), limit)?)
}

pub(super) fn is_under_way(txn: &Txn, since: Timestamp) -> Result<bool> {
    Ok(!unseen(txn, since, 1)?.is_empty())
}

/// Makes what these principals hold what it was then, latest change first.
pub(super) fn rewind(
    txn: &Txn,
    since: Timestamp,
    ids: &[ObjectId],
    held: &mut Vec<RoleAssignment>,
) -> Result<()> {
    for ((_, id), before) in unseen(txn, since, usize::MAX)?.into_iter().rev() {
        if ids.contains(&before.principal) {
            held.retain(|it| it.id != id);
            held.extend(before.assignment);
        }
    }
    Ok(())
}
