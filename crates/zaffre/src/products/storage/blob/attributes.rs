//! What conditions may know of a request for blobs (rbac.md §4, "Storage attributes").
//!
//! Index tags, snapshots, versions and encryption scopes are not kept yet, so nothing is said of
//! them: a condition that looks at one does not hold.

use azure::conditions::{Attributes, Source};

use super::{ask::Ask, op::Op};

const ACCOUNT: &str = "Microsoft.Storage/storageAccounts:name";
const IS_HNS_ENABLED: &str = "Microsoft.Storage/storageAccounts:isHnsEnabled";
const CONTAINER: &str = "Microsoft.Storage/storageAccounts/blobServices/containers:name";
const PATH: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path";
const PREFIX: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix";

pub(super) fn of(op: &Op) -> Attributes {
    // Nothing here has private endpoints: every request comes over the public one.
    let mut all = Attributes::none()
        .resource(ACCOUNT, op.address.account.as_str())
        .resource(IS_HNS_ENABLED, "false")
        .with(Source::Environment, "isPrivateLink", "false");
    if let Some(container) = op.address.container() {
        all = all.resource(CONTAINER, container);
    }
    if let Some(blob) = op.address.blob() {
        all = all.resource(PATH, blob);
    }
    match &op.ask {
        Ask::ListBlobs(page) => all.request(PREFIX, page.prefix()).suboperation("Blob.List"),
        _ => all,
    }
}
