//! `userAssignedIdentities`: a service principal that is a resource.

use azure::{
    error::{Error, Result, Row},
    ids::{ClientId, ObjectId, ResourceId, TenantId},
};
use serde_json::{Map, Value, json};

use super::LAST_WITH_SECRET_URL;
use crate::{
    arm::kind::{Answer, Call, Change, Gone, Removal, View},
    directory::service_principals::{self, ManagedIdentity},
    resources::{self, Resource},
};

static BAD_PAGE: Row = Row {
    code: "BadRequest",
    status: 400,
    template: "The query parameter '{0}' is no number: '{1}'.",
    source: "unverified",
};

/// Born with a principal; later writes change nothing but tags.
pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    change.next.properties = match change.current {
        Some(current) => current.properties.clone(),
        None => {
            let identity = ManagedIdentity { resource: &change.next.id, explicit: true };
            let principal = service_principals::create_managed_identity(
                change.txn,
                change.draw,
                identity,
                change.cx.now,
            )?;
            Map::from_iter([
                ("tenantId".to_owned(), json!(change.cx.cloud.charter.tenant)),
                ("principalId".to_owned(), json!(principal.object_id)),
                ("clientId".to_owned(), json!(principal.app_id)),
            ])
        }
    };
    // They are printed even when there are none (recorded 2018 and 2023).
    change.next.tags.get_or_insert_default();
    Ok(())
}

/// Its principal goes with it. Where it is assigned it stays named, and gives no tokens.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    if let Some((principal, _)) = resources::identity::ids_of(removal.resource) {
        service_principals::delete(removal.txn, principal)?;
    }
    Ok(Gone::Now)
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    if *view.version <= LAST_WITH_SECRET_URL
        && let Some(ids) = resources::identity::ids_of(view.resource)
    {
        let url = secret_url(view.resource, view.cx.cloud.charter.tenant, ids);
        properties.insert("clientSecretUrl".to_owned(), json!(url));
    }
    Ok(properties)
}

/// Where the agent of a machine would fetch the secret; nobody answers there.
pub(super) fn secret_url(
    resource: &Resource,
    tenant: TenantId,
    (principal, client): (ObjectId, ClientId),
) -> String {
    let location = resource.location.as_deref().unwrap_or("global");
    let id = resource.id.as_str().replace("/resourceGroups/", "/resourcegroups/");
    format!(
        "https://control-{location}.identity.azure.net{id}/credentials?tid={tenant}&oid={principal}&aid={client}"
    )
}

/// Which resources use it; an id that is gone is not listed.
pub(super) fn list_associated(call: &mut Call<'_>) -> Result<Answer> {
    let users = resources::identity::users(call.txn, call.id)?;
    let skip = number(call, "$skip")?.unwrap_or(0);
    let top = number(call, "$top")?.unwrap_or(usize::MAX);
    let mut value = Vec::new();
    for id in &users {
        if let Some(user) = resources::get(call.txn, id)? {
            value.push(associated(&user, &call.cx.cloud.charter.subscription_name));
        }
    }
    let total = value.len();
    let page: Vec<Value> = value.into_iter().skip(skip).take(top).collect();
    Ok(Answer::ok(json!({ "totalCount": total, "value": page })))
}

fn number(call: &Call<'_>, name: &str) -> Result<Option<usize>, Error> {
    let read = |text: &str| text.parse().map_err(|_| BAD_PAGE.with([name, text]));
    call.query(name).map(read).transpose()
}

fn associated(user: &Resource, subscription_name: &str) -> Value {
    let id: &ResourceId = &user.id;
    json!({
        "id": id,
        "name": user.name(),
        "type": user.kind_name.to_ascii_lowercase(),
        "resourceGroup": id.resource_group(),
        "subscriptionId": id.subscription(),
        "subscriptionDisplayName": subscription_name,
    })
}
