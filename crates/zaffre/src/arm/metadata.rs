//! `/metadata/endpoints`: where the other services of this cloud are (arm.md §13).

use azure::error::Result;
use serde_json::{Value, json};

use super::kind::{Answer, Call};
use super::types::Types;
use crate::store::Txn;

/// The document in the three shapes that its api-versions gave it: flat, a list of clouds, one cloud.
pub(super) fn endpoints(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let version = call.query("api-version").unwrap_or_default();
    let manager = format!("{}/", call.origin);
    Ok(Answer::ok(match version {
        "1.0" | "2015-01-01" => flat(),
        version if version < "2022-09-01" => json!([cloud(&manager)]),
        _ => cloud(&manager),
    }))
}

fn flat() -> Value {
    json!({
        "galleryEndpoint": "https://gallery.azure.com/",
        "graphEndpoint": "https://graph.windows.net/",
        "portalEndpoint": "https://portal.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.windows.net/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        },
    })
}

/// Named unlike Azure's own, since clients overwrite parts of an entry called `AzureCloud`.
fn cloud(manager: &str) -> Value {
    json!({
        "name": "Zaffre",
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": "https://rest.media.azure.net",
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
            "mhsmDns": "managedhsm.azure.net",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "synapseAnalytics": "dev.azuresynapse.net",
            "attestationEndpoint": "attest.azure.net",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        },
        "batch": "https://batch.core.windows.net/",
        "resourceManager": manager,
        "vmImageAliasDoc": "https://azcliprod.blob.core.windows.net/cli/vm/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "gallery": "https://gallery.azure.com/",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "attestationResourceId": "https://attest.azure.net",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
    })
}
