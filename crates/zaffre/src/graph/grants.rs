//! `oauth2PermissionGrants`: what applications may do in people's names.

use azure::{error::Result, ids::ObjectId};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask},
    codes, lists, objects,
    permissions::Area,
};
use crate::{
    cloud::Draw,
    directory::{
        grants::{self, Grant},
        service_principals,
    },
    store::Txn,
};

const SET: &str = "oauth2PermissionGrants";
const TYPE: &str = "OAuth2PermissionGrant";

fn shown(it: &Grant) -> Map<String, Value> {
    let all = json!({
        "clientId": it.client,
        "consentType": if it.principal.is_some() { "Principal" } else { "AllPrincipals" },
        "id": it.name(),
        "principalId": it.principal,
        "resourceId": it.resource,
        "scope": it.scope,
    });
    all.as_object().cloned().unwrap_or_default()
}

pub(super) fn list(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    lists::plain(ask, SET, grants::all(txn)?.iter().map(shown).collect())
}

/// Those of a service principal, or in the name of a user.
pub(super) fn of_object(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let id = objects::named(ask, txn)?.id();
    let is_its = |it: &&Grant| it.client == id || it.principal == Some(id);
    lists::plain(ask, SET, grants::all(txn)?.iter().filter(is_its).map(shown).collect())
}

fn named(ask: &Ask<'_>, txn: &Txn) -> Result<Grant> {
    let key = ask.key(0)?;
    let found = grants::all(txn)?.into_iter().find(|it| it.name() == key);
    found.ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key]))
}

pub(super) fn get(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    Ok(ask.entity(200, SET, shown(&named(ask, txn)?)))
}

pub(super) fn create(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Grants)?;
    let of = |name: &'static str| -> Result<ObjectId> {
        let text = ask.text(name).ok_or_else(|| codes::MISSING.with([name, TYPE]))?;
        text.parse().map(ObjectId).map_err(|_| codes::WRONG_TYPE.with([name, TYPE]))
    };
    let principal = match ask.text("consentType") {
        Some("AllPrincipals") => None,
        Some("Principal") => Some(of("principalId")?),
        _ => return Err(codes::WRONG_TYPE.with(["consentType", TYPE])),
    };
    let scope = ask.text("scope").unwrap_or_default().trim().to_owned();
    let grant =
        Grant { id: draw.guid(), client: of("clientId")?, principal, resource: of("resourceId")?, scope };
    for id in [grant.client, grant.resource] {
        if service_principals::get(txn, id)?.is_none() {
            return Err(codes::OBJECT_NOT_FOUND.with([id.to_string()]));
        }
    }
    let is_same = |it: &Grant| {
        (it.client, it.principal, it.resource) == (grant.client, grant.principal, grant.resource)
    };
    if grants::all(txn)?.iter().any(is_same) {
        return Err((&codes::ROLE_ASSIGNED).into());
    }
    grants::put(txn, &grant)?;
    Ok(ask.entity(201, SET, shown(&grant)))
}

pub(super) fn update(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Grants)?;
    let scope = ask.text("scope").ok_or_else(|| codes::MISSING.with(["scope", TYPE]))?;
    let grant = Grant { scope: scope.trim().to_owned(), ..named(ask, txn)? };
    grants::put(txn, &grant)?;
    Ok(Answer::Empty)
}

pub(super) fn delete(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    ask.may_change_any(txn, Area::Grants)?;
    let grant = named(ask, txn)?;
    grants::delete(txn, &grant)?;
    Ok(Answer::Empty)
}
