//! What a deployment knows about itself and the place it deploys to.

use serde_json::{Value, json};

use crate::{ids::Guid, time::Timestamp};

/// The scope of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Place {
    Tenant,
    ManagementGroup { name: String },
    Subscription { subscription: String },
    Group { subscription: String, group: String },
}

/// All that a template can ask about where and by whom it is deployed. Everything is a value: the time,
/// and the chance that `newGuid` draws from, too.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Context {
    pub place: Place,
    /// `deployment()`.
    pub deployment: Value,
    /// `deployer()`.
    pub deployer: Value,
    /// `tenant()`.
    pub tenant: Value,
    /// `subscription()`; null where there is none.
    pub subscription: Value,
    /// `resourceGroup()`; null where there is none.
    pub group: Value,
    /// `managementGroup()`; null where there is none.
    pub management_group: Value,
    /// `environment()`.
    pub environment: Value,
    /// What `providers('Microsoft.X')` gives, one element a namespace.
    pub providers: Value,
    pub now: Timestamp,
    pub chance: Guid,
}

impl Place {
    /// The scope's id: what the ids of its resources begin with.
    pub fn id(&self) -> String {
        match self {
            Place::Tenant => String::new(),
            Place::ManagementGroup { name } => {
                format!("/providers/Microsoft.Management/managementGroups/{name}")
            }
            Place::Subscription { subscription } => format!("/subscriptions/{subscription}"),
            Place::Group { subscription, group } => {
                format!("/subscriptions/{subscription}/resourceGroups/{group}")
            }
        }
    }

    pub fn subscription(&self) -> Option<&str> {
        match self {
            Place::Tenant | Place::ManagementGroup { .. } => None,
            Place::Subscription { subscription } | Place::Group { subscription, .. } => Some(subscription),
        }
    }

    pub fn group(&self) -> Option<&str> {
        match self {
            Place::Group { group, .. } => Some(group),
            Place::Tenant | Place::ManagementGroup { .. } | Place::Subscription { .. } => None,
        }
    }

    /// What messages call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Tenant => "tenant",
            Place::ManagementGroup { .. } => "managementGroup",
            Place::Subscription { .. } => "subscription",
            Place::Group { .. } => "resourceGroup",
        }
    }
}

/// The names of the public cloud, whose names this one answers to (documented: Deployment functions for
/// ARM templates, environment).
pub fn public_cloud() -> Value {
    json!({
        "name": "AzureCloud",
        "gallery": "https://gallery.azure.com/",
        "graph": "https://graph.windows.net/",
        "portal": "https://portal.azure.com",
        "graphAudience": "https://graph.windows.net/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        "resourceManager": "https://management.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "acrLoginServer": ".azurecr.io",
            "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
            "azureFrontDoorEndpointSuffix": "azurefd.net",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
            "storage": "core.windows.net",
        },
    })
}
