//! `blobServices/default` and its three sisters: services that every account has, without anybody having made them.
//!
//! Their settings are kept and shown as they were set. Of them all, none is obeyed yet: a deleted blob is gone whatever
//! `deleteRetentionPolicy` says, there are no versions, no change feed and no CORS at the data plane, and queues, tables and
//! files have no data plane here at all.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{codes, keys::ACCOUNTS};
use crate::{
    arm::{
        codes::{INVALID_CONTENT, not_implemented},
        kind::{Edit, Look, Own, Written},
    },
    store::{StoreError, Table, Txn},
};

/// By account and type, what was set.
const SETTINGS: Table<(String, String), Map<String, Value>> = Table::new("storage_service_settings");

pub(super) static BLOB: Own = own(|look| list(look, "blobServices"));
pub(super) static FILE: Own = own(|look| list(look, "fileServices"));
pub(super) static QUEUE: Own = own(|look| list(look, "queueServices"));
pub(super) static TABLE: Own = own(|look| list(look, "tableServices"));

const fn own(list: fn(&Look<'_>) -> Result<Vec<Value>>) -> Own {
    Own { get, list, put, patch: None, delete: keep, delete_shows: false, absent: None }
}

/// A service: its type, and what it shows where nothing was set (published examples of the provider).
struct Service {
    name: &'static str,
    defaults: fn() -> Value,
}

static SERVICES: [Service; 4] = [
    Service {
        name: "blobServices",
        defaults: || json!({ "cors": { "corsRules": [] }, "deleteRetentionPolicy": { "enabled": false } }),
    },
    Service {
        name: "fileServices",
        defaults: || json!({ "cors": { "corsRules": [] }, "shareDeleteRetentionPolicy": { "enabled": true, "days": 7 } }),
    },
    Service { name: "queueServices", defaults: || json!({ "cors": { "corsRules": [] } }) },
    Service { name: "tableServices", defaults: || json!({ "cors": { "corsRules": [] } }) },
];

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let is_default = look.id.name().eq_ignore_ascii_case("default");
    let exists = is_default && ACCOUNTS.exists(look.txn, &account_of(look.id))?;
    if exists { shown(look.txn, look.id).map(Some) } else { Ok(None) }
}

fn list(look: &Look<'_>, service: &str) -> Result<Vec<Value>> {
    Ok(vec![shown(look.txn, &look.id.child(service, "default"))?])
}

/// What is named is set, the rest stays (blob.md §13, "Set Service Properties").
fn put(edit: &mut Edit<'_>) -> Result<Written> {
    if !edit.id.name().eq_ignore_ascii_case("default") {
        return Err(codes::INVALID_VALUE.with([edit.id.name(), "name"]));
    }
    let given = match edit.body.get("properties") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(given)) => given.clone(),
        Some(_) => return Err(INVALID_CONTENT.with(["'properties' is an object"])),
    };
    let key = (account_of(edit.id), of(edit.id).name.to_owned());
    let mut settings = SETTINGS.get(edit.txn, &key)?.unwrap_or_default();
    settings.extend(given.into_iter().filter(|(_, value)| !value.is_null()));
    SETTINGS.put(edit.txn, &key, &settings)?;
    Ok(Written { is_new: false, body: shown(edit.txn, edit.id)? })
}

/// A service is there as long as its account is.
fn keep(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    Err(not_implemented(format!("DELETE of {}", of(edit.id).name)))
}

/// What was set goes with the account.
pub(super) fn drop_account(txn: &mut Txn, account: &str) -> Result<(), StoreError> {
    SERVICES.iter().try_for_each(|it| SETTINGS.delete(txn, &(account.to_owned(), it.name.to_owned())))
}

fn shown(txn: &Txn, id: &ResourceId) -> Result<Value> {
    let Service { name: service, defaults } = of(id);
    let mut properties = defaults().as_object().cloned().unwrap_or_default();
    let key = (account_of(id), (*service).to_owned());
    properties.extend(SETTINGS.get(txn, &key)?.unwrap_or_default());
    let mut shown = json!({
        "id": id,
        "name": "default",
        "type": format!("Microsoft.Storage/storageAccounts/{service}"),
        "properties": properties,
    });
    // Of queues and tables the platform shows none.
    let has_sku = matches!(*service, "blobServices" | "fileServices");
    if let Some(account) = ACCOUNTS.get(txn, &key.0)?.filter(|_| has_sku) {
        let tier = if account.settings.sku.starts_with("Premium") { "Premium" } else { "Standard" };
        shown["sku"] = json!({ "name": account.settings.sku, "tier": tier });
    }
    Ok(shown)
}

/// The account of a service, or of what is in one: the first name behind the provider.
pub(super) fn account_of(id: &ResourceId) -> String {
    id.names().first().map_or_else(String::new, |name| name.to_ascii_lowercase())
}

fn of(id: &ResourceId) -> &'static Service {
    let kind = id.segments().rev().nth(1).unwrap_or_default();
    SERVICES.iter().find(|it| it.name.eq_ignore_ascii_case(kind)).unwrap_or(&SERVICES[0])
}
