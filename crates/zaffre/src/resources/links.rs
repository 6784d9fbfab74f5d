//! Who uses what: a network interface its subnet, a virtual machine its interface. What is used is not deleted,
//! and shows by whom it is used.

use azure::{error::Result, ids::ResourceId};

use super::moving::Move;
use crate::store::{Table, Txn};

/// By what is used, then its user, whose name is kept as it is written: keys have no case.
const USES: Table<(ResourceId, ResourceId), ResourceId> = Table::new("resource_links");

/// Whatever uses it, by id.
pub fn users(txn: &Txn, used: &ResourceId) -> Result<Vec<ResourceId>> {
    let rows = USES.scan(txn, &(used.clone(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, user)| user).collect())
}

/// A user uses these now, and no longer those that it used before.
pub fn relink(txn: &mut Txn, user: &ResourceId, before: &[ResourceId], now: &[ResourceId]) -> Result<()> {
    for gone in before.iter().filter(|it| !now.contains(it)) {
        USES.delete(txn, &(gone.clone(), user.clone()))?;
    }
    for new in now.iter().filter(|it| !before.contains(it)) {
        USES.put(txn, &(new.clone(), user.clone()), user)?;
    }
    Ok(())
}

/// Whatever is moved goes by its new id, as a user and as what is used.
pub fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    for ((used, user_key), user) in USES.scan(txn, &(), None, usize::MAX)? {
        let (new_used, new_user) = (moved.of(&used), moved.of(&user));
        if new_used.is_none() && new_user.is_none() {
            continue;
        }
        USES.delete(txn, &(used.clone(), user_key))?;
        let user = new_user.unwrap_or(user);
        USES.put(txn, &(new_used.unwrap_or(used), user.clone()), &user)?;
    }
    Ok(())
}
