//! Accounts as the data plane sees them: whose host this is, where it answers, what its keys are.
//!
//! An account is a resource of Resource Manager, but for one: the drop-in port's, which has Microsoft's
//! well-known key and no resource, so that nothing anyone does to resources (deleting every group, loading
//! another cloud's template) takes the port away, and no listing shows what nobody made. Its id cannot be
//! one that Resource Manager makes: `_` is in no account's name.

use azure::{
    error::Result,
    ids::{ResourceId, SubscriptionId},
    locations,
};
use serde_json::{Value, json};

use super::{
    ACCOUNT_TYPE,
    keys::{self, AccountKeys},
};
use crate::{
    resources::{self, Resource, names},
    store::Txn,
};

/// The end of every account's host.
pub(super) const HOST_SUFFIX: &str = ".documents.azure.com";
/// Its `id` must not be `localhost`: the JavaScript SDK would read the account again before every request
/// (cosmos.md §3).
const DROP_IN_NAME: &str = "local_account";
const DROP_IN_REGION: &str = "South Central US";
/// Microsoft publishes it for its emulator, the same for everybody (cosmos.md §1).
const DROP_IN_KEY: [&str; 2] =
    ["C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2n", "Q9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="];

/// What a request to the data plane needs to know.
pub(super) struct Account {
    pub(super) id: ResourceId,
    pub(super) name: String,
    pub(super) keys: AccountKeys,
    pub(super) is_local_auth_disabled: bool,
    /// Whether keys change documents alone, and the rest is Resource Manager's.
    pub(super) is_metadata_managed: bool,
    /// Display names, the writable one first.
    pub(super) regions: Vec<String>,
    pub(super) is_written_everywhere: bool,
    pub(super) consistency: Value,
}

/// The account of a host's first label: `acct`, or `acct-westus`. Names may have hyphens too, so the whole
/// label is tried first.
pub(super) fn at_host(txn: &Txn, label: &str) -> Result<Option<Account>> {
    if let Some(found) = named(txn, label)? {
        return Ok(Some(found));
    }
    match without_region(label) {
        Some(name) => named(txn, name),
        None => Ok(None),
    }
}

fn without_region(label: &str) -> Option<&str> {
    let (name, region) = label.rsplit_once('-')?;
    locations::region(region)?;
    Some(name)
}

fn named(txn: &Txn, name: &str) -> Result<Option<Account>> {
    let Some(id) = names::find(txn, names::Space::Cosmos, name)? else { return Ok(None) };
    let (Some(resource), Some(keys)) = (resources::get(txn, &id)?, keys::get(txn, &id)?) else {
        return Ok(None);
    };
    Ok(Some(Account::new(&resource, keys)))
}

/// The one behind the drop-in port.
pub(super) fn drop_in(subscription: SubscriptionId) -> Account {
    let (namespace, kind) = ACCOUNT_TYPE.split_once('/').expect("a type has a namespace");
    Account {
        id: ResourceId::group(subscription, "zaffre").provider(namespace, kind, DROP_IN_NAME),
        name: DROP_IN_NAME.to_owned(),
        keys: AccountKeys::only(DROP_IN_KEY.concat()),
        is_local_auth_disabled: false,
        is_metadata_managed: false,
        regions: vec![DROP_IN_REGION.to_owned()],
        is_written_everywhere: false,
        consistency: default_consistency(),
    }
}

pub(super) fn default_consistency() -> Value {
    json!({ "defaultConsistencyLevel": "Session", "maxIntervalInSeconds": 5, "maxStalenessPrefix": 100 })
}

impl Account {
    fn new(resource: &Resource, keys: AccountKeys) -> Self {
        let is_set = |name: &str| resource.property(name).and_then(Value::as_bool) == Some(true);
        Account {
            id: resource.id.clone(),
            name: resource.name().to_owned(),
            keys,
            is_local_auth_disabled: is_set("disableLocalAuth"),
            is_metadata_managed: is_set("disableKeyBasedMetadataWriteAccess"),
            regions: regions(resource),
            is_written_everywhere: is_set("enableMultipleWriteLocations"),
            consistency: resource.property("consistencyPolicy").cloned().unwrap_or_else(default_consistency),
        }
    }
}

/// Whether a location of an account's row is out of service.
pub(super) fn is_offline(location: &Value) -> bool {
    location["isOffline"] == true
}

/// Display names of an account's regions that answer, by their failover priority.
pub(super) fn regions(resource: &Resource) -> Vec<String> {
    let listed = resource.property("locations").and_then(Value::as_array).map(Vec::as_slice);
    let mut listed: Vec<&Value> = listed.unwrap_or_default().iter().filter(|it| !is_offline(it)).collect();
    listed.sort_by_key(|location| location["failoverPriority"].as_i64().unwrap_or(0));
    let names = listed.iter().filter_map(|location| location["locationName"].as_str());
    names.map(|name| display_name(name).to_owned()).collect()
}

/// `West US` for `westus`; what is no region of ours stays as it is.
pub(super) fn display_name(location: &str) -> &str {
    locations::region(location).map_or(location, |region| region.display_name)
}

/// `acct.documents.azure.com`, or with a region `acct-westus.documents.azure.com`.
pub(super) fn host(name: &str, region: Option<&str>) -> String {
    match region {
        Some(region) => format!("{name}-{}{HOST_SUFFIX}", locations::normalize(region)),
        None => format!("{name}{HOST_SUFFIX}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_from_a_host_and_other_words_are_not() {
        for (label, name) in [
            ("acct-westus", Some("acct")),
            ("my-acct-westeurope", Some("my-acct")),
            ("my-acct", None),
            ("acct", None),
        ] {
            assert_eq!(without_region(label), name, "{label}");
        }
        assert_eq!(host("acct", Some("West US 2")), "acct-westus2.documents.azure.com");
    }
}
