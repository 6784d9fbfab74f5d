//! What a lock says to a write, a deletion or an action.
//!
//! It is asked after the roles, in the transaction of the change, and before anything is looked at that
//! might not be there (arm.md §4). Locks themselves are not subject to locks: else none could be taken off.

use azure::{error::Result, ids::ResourceId};

use super::{codes, types::Type};
use crate::{
    resources::locks::{self, Doing},
    store::Txn,
};

pub(super) fn check(txn: &Txn, doing: Doing, (id, of): (&ResourceId, &Type)) -> Result<()> {
    if of.name == LOCKS {
        return Ok(());
    }
    let scopes = locks::hindering(txn, doing, id)?;
    if scopes.is_empty() {
        return Ok(());
    }
    let verb = match doing {
        Doing::Writing => "write",
        Doing::Deleting => "delete",
    };
    let scopes: Vec<&str> = scopes.iter().map(ResourceId::as_str).collect();
    Err(codes::SCOPE_LOCKED.with([id.as_str(), verb, &scopes.join(",")]))
}

/// As `products/authorization` calls them.
const LOCKS: &str = "Microsoft.Authorization/locks";
