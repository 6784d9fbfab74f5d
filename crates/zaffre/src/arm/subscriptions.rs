//! Tenants, subscriptions, their locations and what is in them, as far as the caller may see.

use azure::{
    error::Result,
    ids::ResourceId,
    locations::{REGIONS, Region},
};
use serde_json::{Map, Value, json};

use super::{
    codes,
    kind::{Answer, Call},
    list, own,
    service::Asked,
    types::Types,
};
use crate::{access, cloud::Charter, resources::tags, store::Txn};

pub(super) fn tenants(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = &call.cx.cloud.charter;
    let tenant = json!({
        "id": format!("/tenants/{}", charter.tenant),
        "tenantId": charter.tenant,
        "countryCode": "US",
        "displayName": charter.display_name,
        "domains": [charter.domain],
        "tenantCategory": "Home",
        "defaultDomain": charter.domain,
        "tenantType": "AAD",
    });
    Ok(Answer::ok(json!({ "value": [tenant] })))
}

pub(super) fn list(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = &call.cx.cloud.charter;
    let visible = sees(call)?;
    let value: Vec<Value> =
        visible.then(|| document(call.txn, charter)).into_iter().collect::<Result<_>>()?;
    let count = json!({ "type": "Total", "value": value.len() });
    Ok(Answer::ok(json!({ "value": value, "count": count })))
}

pub(super) fn get(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(document(call.txn, visible(call)?)?))
}

/// The cloud's one subscription, where the path names it and the caller may see it.
pub(super) fn visible<'c>(call: &Call<'c, &Txn>) -> Result<&'c Charter> {
    let charter = &call.cx.cloud.charter;
    let is_named = call.parameter("subscription").parse() == Ok(charter.subscription);
    if is_named && sees(call)? {
        return Ok(charter);
    }
    Err(codes::SUBSCRIPTION_NOT_FOUND.with([call.parameter("subscription")]))
}

/// Whether the caller has any role at the subscription, above it or below it (arm.md §9).
fn sees(call: &Call<'_, &Txn>) -> Result<bool> {
    let subscription = ResourceId::subscription_scope(call.cx.cloud.charter.subscription);
    access::has_any_role_near(call.cx, call.txn, call.permit.caller(), &subscription)
}

fn document(txn: &Txn, charter: &Charter) -> Result<Value> {
    let mut shown = json!({
        "id": format!("/subscriptions/{}", charter.subscription),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": charter.subscription,
        "tenantId": charter.tenant,
        "displayName": charter.subscription_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    });
    let scope = ResourceId::subscription_scope(charter.subscription);
    if let Some(tags) = tags::get(txn, &scope)?.filter(|it| !it.is_empty()) {
        shown["tags"] = Value::Object(tags);
    }
    Ok(shown)
}

pub(super) fn locations(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = visible(call)?;
    let value: Vec<Value> = REGIONS.iter().map(|region| location(charter, region)).collect();
    Ok(Answer::ok(json!({ "value": value })))
}

fn location(charter: &Charter, region: &Region) -> Value {
    let id = |name: &str| format!("/subscriptions/{}/locations/{name}", charter.subscription);
    let pair = region.pair.map(|name| json!({ "name": name, "id": id(name) }));
    let mut metadata = Map::from_iter([
        ("regionType".to_owned(), json!("Physical")),
        ("regionCategory".to_owned(), json!(region.category.as_str())),
        ("geography".to_owned(), json!(region.geography)),
        ("geographyGroup".to_owned(), json!(region.geography_group)),
        ("longitude".to_owned(), json!(region.longitude)),
        ("latitude".to_owned(), json!(region.latitude)),
        ("physicalLocation".to_owned(), json!(region.physical_location)),
    ]);
    metadata.insert("pairedRegion".to_owned(), pair.into_iter().collect());
    json!({
        "id": id(region.name),
        "name": region.name,
        "type": "Region",
        "displayName": region.display_name,
        "regionalDisplayName": region.regional_display_name(),
        "metadata": metadata,
    })
}

pub(super) fn resources(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    visible(call)?;
    let at = own::scope_of(call.id);
    let list = list::everything(types, call.cx, (call.txn, call.permit.caller()), &at, &Asked::of(call))?;
    Ok(Answer::ok(list))
}

pub(super) fn groups(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    visible(call)?;
    let at = own::scope_of(call.id);
    let of = types.find("Microsoft.Resources/resourceGroups")?;
    Ok(Answer::ok(list::groups(call.cx, call.txn, call.permit.caller(), &at, &of, &Asked::of(call))?))
}
