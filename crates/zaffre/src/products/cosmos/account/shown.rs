//! An account's document (resources.md §6.1).

use azure::{error::Result, locations};
use serde_json::{Map, Value, json};

use crate::{
    arm::kind::View,
    products::cosmos::accounts::{self, default_consistency},
    resources::Resource,
};

/// The state of a location that is out of service.
const OFFLINE: &str = "Offline";

/// What was written, and defaults for what was not.
pub(super) fn properties(view: &View<'_>) -> Result<Map<String, Value>> {
    let (resource, name) = (view.resource, view.resource.name());
    let locations = locations(resource);
    let policies: Vec<Value> = locations
        .iter()
        .map(|it| {
            json!({ "id": it["id"], "locationName": it["locationName"], "failoverPriority": it["failoverPriority"] })
        })
        .collect();
    let writes_everywhere = resource.property("enableMultipleWriteLocations") == Some(&json!(true));
    let online: Vec<&Value> = locations.iter().filter(|it| it["provisioningState"] != OFFLINE).collect();
    let writable = if writes_everywhere { online.len() } else { online.len().min(1) };
    let mut shown = Map::new();
    shown.insert("documentEndpoint".to_owned(), json!(endpoint(name, None)));
    shown.extend(defaults());
    for (property, value) in &resource.properties {
        shown.insert(property.clone(), value.clone());
    }
    shown.insert("writeLocations".to_owned(), json!(online[..writable]));
    shown.insert("readLocations".to_owned(), json!(online));
    shown.insert("locations".to_owned(), json!(locations));
    shown.insert("failoverPolicies".to_owned(), json!(policies));
    Ok(shown)
}

/// `EnabledApiTypes` is really spelled so.
fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "publicNetworkAccess": "Enabled",
        "enableAutomaticFailover": false,
        "enableMultipleWriteLocations": false,
        "enablePartitionKeyMonitor": false,
        "isVirtualNetworkFilterEnabled": false,
        "virtualNetworkRules": [],
        "EnabledApiTypes": "Sql",
        "disableKeyBasedMetadataWriteAccess": false,
        "disableLocalAuth": false,
        "enableFreeTier": false,
        "enableAnalyticalStorage": false,
        "analyticalStorageConfiguration": null,
        "instanceId": null,
        "createMode": "Default",
        "databaseAccountOfferType": "Standard",
        "enableCassandraConnector": false,
        "connectorOffer": "",
        "defaultIdentity": "FirstPartyIdentity",
        "networkAclBypass": "None",
        "consistencyPolicy": default_consistency(),
        "configurationOverrides": {},
        "writeLocations": [],
        "readLocations": [],
        "locations": [],
        "failoverPolicies": [],
        "cors": [],
        "capabilities": [],
        "ipRules": [],
        "backupPolicy": {
            "type": "Periodic",
            "periodicModeProperties": {
                "backupIntervalInMinutes": 240,
                "backupRetentionIntervalInHours": 8,
                "backupStorageRedundancy": "Geo",
            },
        },
        "networkAclBypassResourceIds": [],
    });
    let Value::Object(defaults) = defaults else { unreachable!("an object was written") };
    defaults
}

fn locations(resource: &Resource) -> Vec<Value> {
    let listed = resource.property("locations").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = resource.name();
    let shown = listed.iter().map(|location| {
        let region = location["locationName"].as_str().unwrap_or_default();
        json!({
            "id": format!("{name}-{}", locations::normalize(region)),
            "locationName": region,
            "documentEndpoint": endpoint(name, Some(region)),
            "provisioningState": if accounts::is_offline(location) { OFFLINE } else { "Succeeded" },
            "failoverPriority": location["failoverPriority"],
            "isZoneRedundant": location["isZoneRedundant"],
        })
    });
    shown.collect()
}

/// `https://acct.documents.azure.com:443/`.
pub(super) fn endpoint(name: &str, region: Option<&str>) -> String {
    format!("https://{}:443/", accounts::host(name, region))
}

/// Cosmos spells locations as people do, and says `None` of an identity that is not there.
pub(super) fn beside(view: &View<'_>) -> Result<Map<String, Value>> {
    let resource = view.resource;
    let mut beside = Map::new();
    if let Some(location) = &resource.location {
        beside.insert("location".to_owned(), json!(accounts::display_name(location)));
    }
    beside.insert("tags".to_owned(), Value::Object(resource.tags.clone().unwrap_or_default()));
    beside.insert("systemData".to_owned(), json!({ "createdAt": resource.created.iso() }));
    if resource.identity.is_none() {
        beside.insert("identity".to_owned(), json!({ "type": "None" }));
    }
    Ok(beside)
}
