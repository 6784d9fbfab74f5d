//! `blobServices/default/containers` through Resource Manager: the containers of the data plane, and no others
//! (resources.md §4).

use azure::{
    error::{Error, Result},
    ids::ResourceId,
};
use serde_json::{Value, json};

use super::{
    blob::records::{self, Container, PublicAccess},
    codes,
    keys::ACCOUNTS,
    legal_holds,
    services::account_of,
};
use crate::{
    arm::{
        codes::INVALID_CONTENT,
        kind::{Edit, Look, Own, Written},
    },
    store::Txn,
};

pub(super) static CONTAINERS: Own =
    Own { get, list, put, patch: Some(put), delete, delete_shows: false, absent: Some(absent) };

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let found = records::container(look.txn, &account_of(look.id), look.id.name())?;
    Ok(found.map(|container| shown(look.id, &container, true)))
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let all = records::containers(look.txn, &account_of(look.id))?;
    let one =
        |(name, container): &(String, Container)| shown(&look.id.child("containers", name), container, false);
    Ok(all.iter().map(one).collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let (account, name) = (account_of(edit.id), edit.id.name().to_owned());
    let present = records::container(edit.txn, &account, &name)?;
    let is_new = present.is_none();
    let mut container = match present {
        Some(mut container) => {
            container.touch(edit.cx.now);
            container
        }
        None => Container::new(edit.draw.guid(), edit.cx.now),
    };
    if let Some(properties) = edit.body.get("properties") {
        settle(edit.txn, &account, properties, &mut container)?;
    }
    records::put_container(edit.txn, &account, &name, &container)?;
    Ok(Written { is_new, body: shown(edit.id, &container, true) })
}

fn settle(txn: &Txn, account: &String, properties: &Value, container: &mut Container) -> Result<()> {
    if let Some(access) = properties.get("publicAccess").and_then(Value::as_str) {
        container.public_access = match access {
            "None" => PublicAccess::None,
            "Blob" => PublicAccess::Blob,
            "Container" => PublicAccess::Container,
            other => return Err(codes::INVALID_VALUE.with([other, "publicAccess"])),
        };
        let allows = ACCOUNTS.get(txn, account)?.is_some_and(|it| it.settings.allows_public_access);
        if container.public_access != PublicAccess::None && !allows {
            return Err(codes::PUBLIC_NOT_PERMITTED.bare());
        }
    }
    let Some(metadata) = properties.get("metadata").and_then(Value::as_object) else { return Ok(()) };
    let pair =
        |(name, value): (&String, &Value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()));
    let pairs: Option<records::Metadata> = metadata.iter().map(pair).collect();
    container.metadata =
        pairs.ok_or_else(|| INVALID_CONTENT.with(["'metadata' has values that are not text"]))?;
    Ok(())
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let account = account_of(edit.id);
    let Some(container) = records::container(edit.txn, &account, edit.id.name())? else { return Ok(None) };
    if container.is_held() {
        return Err(codes::CONTAINER_HELD.with([edit.id.name()]));
    }
    records::drop_container(edit.txn, &account, edit.id.name(), &container)?;
    Ok(Some(shown(edit.id, &container, true)))
}

fn absent(_: &ResourceId) -> Error {
    codes::CONTAINER_NOT_FOUND.bare()
}

fn shown(id: &ResourceId, container: &Container, with_metadata: bool) -> Value {
    let access = match container.public_access {
        PublicAccess::None => "None",
        PublicAccess::Blob => "Blob",
        PublicAccess::Container => "Container",
    };
    let etag = container.stamp().quoted();
    let mut shown = json!({
        "id": id,
        "name": id.name(),
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
        "etag": etag,
        "properties": {
            "publicAccess": access,
            "leaseStatus": "Unlocked",
            "leaseState": "Available",
            "lastModifiedTime": container.modified.iso(),
            "hasImmutabilityPolicy": false,
            "hasLegalHold": container.is_held(),
            "deleted": false,
            "remainingRetentionDays": 0,
            "defaultEncryptionScope": "$account-encryption-key",
            "denyEncryptionScopeOverride": false,
        },
    });
    if container.is_held() {
        shown["properties"]["legalHold"] = legal_holds::shown(container);
    }
    if with_metadata && !container.metadata.is_empty() {
        let pairs = container.metadata.iter().map(|(name, value)| (name.clone(), json!(value)));
        shown["properties"]["metadata"] = pairs.collect::<serde_json::Map<_, _>>().into();
    }
    shown
}
