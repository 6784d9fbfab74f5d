//! `databaseAccounts`: what may be in one, and what comes and goes with it.

use azure::{
    error::{Error, Result},
    locations,
    names::BadName,
};
use serde_json::{Value, json};

use super::failover;
use crate::{
    access::sql_roles,
    arm::kind::{Answer, Call, Change, Gone, Removal},
    products::cosmos::{codes, databases, keys},
    resources::{
        Resource,
        names::{self, Space},
    },
    store::Txn,
};

const CONSISTENCY_LEVELS: [&str; 5] =
    ["Strong", "BoundedStaleness", "Session", "ConsistentPrefix", "Eventual"];
/// What a body may repeat and only the service decides.
const READ_ONLY: [&str; 7] = [
    "documentEndpoint",
    "writeLocations",
    "readLocations",
    "failoverPolicies",
    "EnabledApiTypes",
    "privateEndpointConnections",
    "keysMetadata",
];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let kind = change.next.kind.get_or_insert_with(|| "GlobalDocumentDB".to_owned());
    if kind != "GlobalDocumentDB" {
        return Err(codes::not_yet(format!("accounts of kind '{}'", kind.escape_default())));
    }
    READ_ONLY.iter().for_each(|name| change.next.set(name, Value::Null));
    check_capabilities(change.next)?;
    check_consistency(change.next)?;
    settle_locations(change)?;
    settle_instance(change);
    if !names::claim(change.txn, Space::Cosmos, change.next.name(), &change.next.id)? {
        return Err(codes::NAME_TAKEN.with([change.next.name()]));
    }
    keys::ensure(change.txn, change.draw, &change.next.id)
}

/// Capabilities turn an account into something else, which a body cannot be believed to have become.
fn check_capabilities(next: &Resource) -> Result<()> {
    let listed = next.property("capabilities").and_then(Value::as_array).map(Vec::as_slice);
    let named = listed.unwrap_or_default().iter().filter_map(|it| it["name"].as_str());
    match named.into_iter().find(|name| !name.eq_ignore_ascii_case("EnableNoSQLVectorSearch")) {
        Some(name) => Err(codes::not_yet(format!("the capability '{}'", name.escape_default()))),
        None => Ok(()),
    }
}

fn check_consistency(next: &Resource) -> Result<()> {
    let Some(policy) = next.property("consistencyPolicy").filter(|it| !it.is_null()) else { return Ok(()) };
    match policy["defaultConsistencyLevel"].as_str() {
        Some(level) if CONSISTENCY_LEVELS.contains(&level) => Ok(()),
        _ => {
            Err(codes::BAD_ACCOUNT.with(["The default consistency level of the account is not a valid one."]))
        }
    }
}

/// Without any, the account is where its resource is.
fn settle_locations(change: &mut Change<'_>) -> Result<()> {
    let bad = |why: &str| codes::BAD_ACCOUNT.with([why]);
    let home = change.next.location.clone().unwrap_or_default();
    let given = change.next.property("locations").and_then(Value::as_array).cloned();
    let given = given.filter(|all| !all.is_empty()).unwrap_or_else(|| {
        vec![json!({ "locationName": home, "failoverPriority": 0, "isZoneRedundant": false })]
    });
    let mut kept = Vec::new();
    for (place, location) in given.iter().enumerate() {
        let name = location["locationName"].as_str().and_then(locations::region);
        let Some(region) = name else { return Err(bad("A location of the account is no region.")) };
        kept.push(json!({
            "locationName": region.display_name,
            "failoverPriority": location.get("failoverPriority").and_then(Value::as_u64).unwrap_or(place as u64),
            "isZoneRedundant": location["isZoneRedundant"].as_bool().unwrap_or(false),
        }));
    }
    failover::check_priorities(&kept)?;
    kept.sort_by_key(|it| it["failoverPriority"].as_u64());
    if let Some(current) = change.current {
        failover::keep_offline(&mut kept, current);
    }
    change.next.set("locations", kept);
    Ok(())
}

/// An account is the same one for as long as it lives.
fn settle_instance(change: &mut Change<'_>) {
    let known = change.current.and_then(|it| it.property("instanceId")).cloned();
    let instance = known.unwrap_or_else(|| json!(change.draw.guid()));
    change.next.set("instanceId", instance);
}

/// Everything in it goes along, and so does whoever might have used it.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let id = &removal.resource.id;
    databases::forget(removal.txn, id)?;
    sql_roles::forget(removal.txn, id)?;
    keys::forget(removal.txn, id)?;
    names::release(removal.txn, Space::Cosmos, removal.resource.name())?;
    Ok(Gone::Now)
}

pub(super) fn bad_name(name: &str, bad: &BadName) -> Error {
    let at = |c: char| name.chars().position(|it| it == c).unwrap_or_default();
    let (c, index) = match bad {
        BadName::Length { .. } | BadName::Form(_) => return codes::ACCOUNT_NAME_LENGTH.bare(),
        BadName::Characters(which) => which.chars().next().map_or((' ', 0), |c| (c, at(c))),
        BadName::First(c) => (*c, 0),
        BadName::Last(c) => (*c, name.chars().count() - 1),
    };
    codes::ACCOUNT_NAME.with([c.to_string(), index.to_string()])
}

/// HEAD on a name: 200 where it is taken, 404 where it is free.
pub(super) fn is_taken(call: &Call<'_, &Txn>) -> Result<Answer> {
    let holder = names::find(call.txn, Space::Cosmos, call.parameter("name"))?;
    Ok(Answer::empty(if holder.is_some() { 200 } else { 404 }))
}
