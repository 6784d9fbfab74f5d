//! The tags of whatever may have some: a resource's are in its row, a subscription's are kept here.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    time::Timestamp,
};

use super::{Tags, rows};
use crate::store::{Table, Txn};

/// By the subscription's scope.
const OF_SUBSCRIPTIONS: Table<ResourceId, Tags> = Table::new("subscription_tags");

/// The tags of a subscription, a group or a resource; none where there is no such thing.
pub fn get(txn: &Txn, scope: &ResourceId) -> Result<Option<Tags>> {
    if is_subscription(scope) {
        return Ok(Some(OF_SUBSCRIPTIONS.get(txn, scope)?.unwrap_or_default()));
    }
    Ok(rows::get(txn, scope)?.map(|it| it.tags.unwrap_or_default()))
}

/// Puts them all anew. `etag` and `now` are the resource's, as with every change of it.
pub fn put(txn: &mut Txn, scope: &ResourceId, tags: Tags, (etag, now): (Guid, Timestamp)) -> Result<()> {
    if is_subscription(scope) {
        return Ok(OF_SUBSCRIPTIONS.put(txn, scope, &tags)?);
    }
    let Some(mut resource) = rows::get(txn, scope)? else { return Ok(()) };
    resource.tags = (!tags.is_empty()).then_some(tags);
    (resource.etag, resource.changed) = (etag, now);
    rows::put(txn, &resource)
}

fn is_subscription(scope: &ResourceId) -> bool {
    scope.subscription_root().as_ref() == Some(scope)
}
