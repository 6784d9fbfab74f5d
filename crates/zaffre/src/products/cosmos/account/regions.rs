//! The regions that an account may be in, as `az cosmosdb locations` shows them.

use azure::{
    error::Result,
    locations::{self, REGIONS, Region},
};
use serde_json::{Value, json};

use crate::{
    arm::{
        codes,
        kind::{Answer, Call},
    },
    store::Txn,
};

pub(super) fn list(call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!({ "value": REGIONS.iter().map(|it| shown(call, it)).collect::<Vec<_>>() })))
}

pub(super) fn one(call: &Call<'_, &Txn>) -> Result<Answer> {
    let name = call.parameter("location");
    let region = locations::region(&locations::normalize(name));
    let absent =
        || codes::RESOURCE_NOT_FOUND_OUTSIDE.with([format!("Microsoft.DocumentDB/locations/{name}")]);
    Ok(Answer::ok(shown(call, region.ok_or_else(absent)?)))
}

/// Every region has everything (which members there are: azure-mgmt-cosmosdb's LocationProperties).
fn shown(call: &Call<'_, &Txn>, region: &Region) -> Value {
    let subscription = call.id.subscription_root().unwrap_or_else(|| call.id.clone());
    json!({
        "id": format!("{subscription}/providers/Microsoft.DocumentDB/locations/{}", region.name),
        "name": region.display_name,
        "type": "Microsoft.DocumentDB/locations",
        "properties": {
            "supportsAvailabilityZone": true,
            "isResidencyRestricted": false,
            "backupStorageRedundancies": ["Geo", "Zone", "Local"],
            "isSubscriptionRegionAccessAllowedForRegular": true,
            "isSubscriptionRegionAccessAllowedForAz": true,
            "status": "Online",
        },
    })
}
