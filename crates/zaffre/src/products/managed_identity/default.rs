//! `{resource}/providers/Microsoft.ManagedIdentity/identities/default`: a resource's system-assigned
//! identity, for templates that refer to it. It is read only: it comes and goes with `identity`.

use azure::{
    error::{Result, Row},
    ids::ResourceId,
};
use serde_json::{Map, Value, json};

use super::{LAST_WITH_SECRET_URL, user_assigned};
use crate::{
    arm::kind::{Edit, Look, Own, Written},
    resources,
};

static READ_ONLY: Row = Row {
    code: "MethodNotAllowed",
    status: 405,
    template: "The identity of '{0}' is changed on the resource itself.",
    source: "our own",
};
static NO_IDENTITY: Row = Row {
    code: "NotFound",
    status: 404,
    template: "The system-assigned identity of resource '{0}' was not found.",
    source: "unverified",
};

pub(super) static OWN: Own = Own {
    get,
    list,
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| NO_IDENTITY.with([id.extended().to_string()])),
};

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    if !look.id.name().eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    of(look, &look.id.extended())
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    Ok(of(look, look.id)?.into_iter().collect())
}

fn of(look: &Look<'_>, owner: &ResourceId) -> Result<Option<Value>> {
    let Some(resource) = resources::get(look.txn, owner)? else { return Ok(None) };
    let Some(system) = resource.identity.as_ref().and_then(|it| it.system) else { return Ok(None) };
    let mut properties = Map::from_iter([
        ("tenantId".to_owned(), json!(system.tenant)),
        ("principalId".to_owned(), json!(system.principal_id)),
        ("clientId".to_owned(), json!(system.client_id)),
    ]);
    if *look.version <= LAST_WITH_SECRET_URL {
        let ids = (system.principal_id, system.client_id);
        properties.insert(
            "clientSecretUrl".to_owned(),
            json!(user_assigned::secret_url(&resource, system.tenant, ids)),
        );
    }
    Ok(Some(json!({
        "id": owner.provider("Microsoft.ManagedIdentity", "identities", "default"),
        "name": "default",
        "type": "Microsoft.ManagedIdentity/identities",
        "location": resource.location,
        "tags": resource.tags.unwrap_or_default(),
        "properties": properties,
    })))
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    Err(READ_ONLY.with([edit.id.extended().to_string()]))
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    Err(READ_ONLY.with([edit.id.extended().to_string()]))
}
