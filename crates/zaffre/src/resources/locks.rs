//! Locks: what keeps resources from being changed or deleted, whoever asks (arm.md §9).
//!
//! A lock holds at its scope and at everything inside. To delete something takes along what is inside
//! it, so a lock further down stands in the way of that too. Locks stop Resource Manager alone: blobs
//! and items are written as before.

use azure::{error::Result, ids::ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Span, Table, Txn};

const LOCKS: Table<ResourceId, Lock> = Table::new("locks");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// `{scope}/providers/Microsoft.Authorization/locks/{name}`.
    pub id: ResourceId,
    pub level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// `[{"applicationId": …}]`, kept and shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// It may be changed.
    CanNotDelete,
    /// Neither changed nor deleted, nor may anything be done to it by POST.
    ReadOnly,
}

/// What somebody is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Writing,
    Deleting,
}

impl Level {
    pub const ALL: [Level; 2] = [Level::CanNotDelete, Level::ReadOnly];

    pub const fn as_str(self) -> &'static str {
        match self {
            Level::CanNotDelete => "CanNotDelete",
            Level::ReadOnly => "ReadOnly",
        }
    }
}

impl Lock {
    /// What is locked.
    pub fn scope(&self) -> ResourceId {
        self.id.extended()
    }

    fn hinders(&self, doing: Doing, target: &ResourceId) -> bool {
        let scope = self.scope();
        match doing {
            Doing::Writing => self.level == Level::ReadOnly && scope.holds(target),
            Doing::Deleting => scope.holds(target) || target.holds(&scope),
        }
    }
}

pub fn get(txn: &Txn, id: &ResourceId) -> Result<Option<Lock>> {
    Ok(LOCKS.get(txn, id)?)
}

pub fn put(txn: &mut Txn, lock: &Lock) -> Result<()> {
    Ok(LOCKS.put(txn, &lock.id, lock)?)
}

pub fn delete(txn: &mut Txn, id: &ResourceId) -> Result<()> {
    Ok(LOCKS.delete(txn, id)?)
}

/// The locks at a scope and inside it, by id.
pub fn within(txn: &Txn, scope: &ResourceId) -> Result<Vec<Lock>> {
    LOCKS.rows(txn, Span::within(&(), scope)).map(|row| Ok(row?.1)).collect()
}

/// The locked scopes that stand in the way, by id; none where it may be done.
pub fn hindering(txn: &Txn, doing: Doing, target: &ResourceId) -> Result<Vec<ResourceId>> {
    // There are few locks, and mostly none: all of the subscription are looked at.
    let all = within(txn, &target.subscription_root().unwrap_or_else(ResourceId::root))?;
    let mut scopes: Vec<_> = all.iter().filter(|it| it.hinders(doing, target)).map(Lock::scope).collect();
    scopes.dedup();
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_holds_inside_its_scope_and_nobody_deletes_what_is_around_it() {
        use Doing::{Deleting, Writing};
        use Level::{CanNotDelete, ReadOnly};
        let id = |text: &str| ResourceId::parse(text).expect("an id");
        let (group, vm) =
            ("/subscriptions/s/resourceGroups/rg", "/subscriptions/s/resourceGroups/rg/providers/a.b/vms/vm");
        for (at, level, doing, target, hinders) in [
            (group, CanNotDelete, Deleting, group, true),
            (group, CanNotDelete, Deleting, vm, true),
            (group, CanNotDelete, Writing, vm, false),
            (group, ReadOnly, Writing, vm, true),
            (group, ReadOnly, Writing, "/subscriptions/s/resourceGroups/rg2", false),
            (group, ReadOnly, Deleting, "/subscriptions/s/resourceGroups/RG/providers/a.b/vms/other", true),
            (vm, CanNotDelete, Deleting, group, true),
            (vm, ReadOnly, Writing, group, false),
            (vm, ReadOnly, Deleting, "/subscriptions/s/resourceGroups/rg/providers/a.b/vms/vm2", false),
            ("/subscriptions/s", ReadOnly, Writing, vm, true),
        ] {
            let lock = id(at).provider("Microsoft.Authorization", "locks", "l");
            let lock = Lock { id: lock, level, notes: None, owners: None };
            assert_eq!(lock.hinders(doing, &id(target)), hinders, "{level:?} at {at}, {doing:?} {target}");
        }
    }
}
