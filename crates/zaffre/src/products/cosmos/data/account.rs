//! `GET /`: where the account is and what it can do (cosmos.md §3). Clients follow it at once: every later
//! request goes to the addresses it gives.

use azure::error::Result;
use serde_json::{Value, json};

use super::{Call, answer};
use crate::{service::Reply, store::Txn};

pub(super) fn read(call: &Call<'_>, _txn: &Txn) -> Result<Reply> {
    let account = call.account;
    let regions = || account.regions.iter();
    let location = |region: &String| {
        let endpoint = call.op.target.endpoint(account, Some(region));
        json!({ "name": region, "databaseAccountEndpoint": endpoint })
    };
    let writable = if account.is_written_everywhere { account.regions.len() } else { 1 };
    Ok(answer::json(
        200,
        &json!({
            "_self": "",
            "id": account.name,
            "_rid": format!("{}.sql.cosmos.azure.com", account.name),
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": regions().take(writable).map(location).collect::<Vec<_>>(),
            "readableLocations": regions().map(location).collect::<Vec<_>>(),
            "enableMultipleWriteLocations": account.is_written_everywhere,
            "continuousBackupEnabled": false,
            "enableNRegionSynchronousCommit": false,
            "enablePerPartitionFailoverBehavior": false,
            "userReplicationPolicy": { "asyncReplication": false, "minReplicaSetSize": 3, "maxReplicasetSize": 4 },
            "userConsistencyPolicy": consistency(&account.consistency),
            "systemReplicationPolicy": { "minReplicaSetSize": 3, "maxReplicasetSize": 4 },
            "readPolicy": { "primaryReadCoefficient": 1, "secondaryReadCoefficient": 1 },
            "queryEngineConfiguration": query_engine().to_string(),
        }),
    ))
}

/// The staleness bounds belong to one level alone.
fn consistency(policy: &Value) -> Value {
    let level = policy["defaultConsistencyLevel"].as_str().unwrap_or("Session");
    match level {
        "BoundedStaleness" => policy.clone(),
        level => json!({ "defaultConsistencyLevel": level }),
    }
}

/// Only the native query libraries of .NET and Rust read it, out of a string.
fn query_engine() -> Value {
    json!({
        "maxSqlQueryInputLength": 262_144,
        "maxJoinsPerSqlQuery": 5,
        "maxLogicalAndPerSqlQuery": 500,
        "maxLogicalOrPerSqlQuery": 500,
        "maxUdfRefPerSqlQuery": 10,
        "maxInExpressionItemsCount": 16_000,
        "queryMaxInMemorySortDocumentCount": 500,
        "maxQueryRequestTimeoutFraction": 0.9,
        "sqlAllowNonFiniteNumbers": false,
        "sqlAllowAggregateFunctions": true,
        "sqlAllowSubQuery": true,
        "sqlAllowScalarSubQuery": true,
        "allowNewKeywords": true,
        "sqlAllowLike": true,
        "sqlAllowGroupByClause": true,
        "maxSpatialQueryCells": 12,
        "spatialMaxGeometryPointCount": 256,
        "sqlDisableOptimizationFlags": 0,
        "sqlQueryILDisableOptimizationFlags": 0,
        "sqlDisableQueryILOptimization": false,
        "clientDisableOptimisticDirectExecution": false,
        "enableSpatialIndexing": true,
    })
}
