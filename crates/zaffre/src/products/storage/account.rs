//! Storage accounts: what a PUT may say, what is kept, what each api-version shows (resources.md §4).
//!
//! The resource's row holds what Azure shows; the row of `keys.rs`, written in the same transaction, holds what the
//! data plane asks for. Names are unique in the cloud, since hosts carry them, and the drop-in account's name is
//! always taken.

use azure::{
    api_version::ApiVersion,
    error::{Error, Result},
    identity::Shape,
    names::{self, BadName},
};
use serde_json::{Map, Value, json};

use super::{
    blob::{purge, records},
    codes,
    keys::{ACCOUNTS, Account, AccountKeys, DROP_IN, Settings},
    services,
};
use crate::{
    arm::{
        codes::{INVALID_CONTENT, not_implemented},
        kind::{Answer, Call, Change, Gone, Removal, View},
    },
    resources::{
        Resource,
        moving::Move,
        names::{Space, claim, find, release},
    },
    service::Cx,
    store::Txn,
};

const SKUS: [&str; 12] = [
    "Standard_LRS",
    "Standard_ZRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "StandardV2_LRS",
    "StandardV2_ZRS",
    "StandardV2_GRS",
    "StandardV2_GZRS",
];
const KINDS: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];

/// The versions from which something is otherwise.
static SKU_OBJECT: ApiVersion = ApiVersion::of("2016-01-01");
static HTTPS_BY_DEFAULT: ApiVersion = ApiVersion::of("2019-04-01");
static SYSTEM_ASSIGNED: ApiVersion = ApiVersion::of("2016-12-01");
static USER_ASSIGNED: ApiVersion = ApiVersion::of("2020-08-01-preview");
static MORE_ENDPOINTS: ApiVersion = ApiVersion::of("2018-03-01-preview");
static KEY_TIMES: ApiVersion = ApiVersion::of("2021-01-01");
static PRIVATE_BY_DEFAULT: ApiVersion = ApiVersion::of("2023-01-01");

/// How a version spells the `identity` block (the published models of the provider).
pub(super) fn identity(version: &ApiVersion) -> Shape {
    match version {
        _ if *version >= USER_ASSIGNED => Shape::Map,
        _ if *version >= SYSTEM_ASSIGNED => Shape::SystemOnly,
        _ => Shape::Absent,
    }
}

/// Judges what the account is to be, and writes what its data plane obeys.
pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let name = change.next.name().to_owned();
    if name == DROP_IN || !claim(change.txn, Space::Storage, &name, &change.next.id)? {
        return Err(codes::ALREADY_TAKEN.with([name]));
    }
    settle_sku(change)?;
    settle_kind(change)?;
    settle_properties(change)?;
    let settings = settings(change.next);
    let account = match ACCOUNTS.get(change.txn, &name)? {
        Some(account) => Account { settings, ..account },
        None => Account {
            id: change.next.id.clone(),
            keys: AccountKeys::draw(change.draw, change.cx.now),
            delegation: None,
            settings,
        },
    };
    Ok(ACCOUNTS.put(change.txn, &name, &account)?)
}

/// `sku`; before 2016 a property `accountType`.
fn settle_sku(change: &mut Change<'_>) -> Result<()> {
    let given =
        change.next.sku.as_ref().and_then(|sku| sku.get("name")).or(change.next.property("accountType"));
    let given = given.and_then(Value::as_str).unwrap_or_default();
    let known = known(&SKUS, given, "sku.name")?;
    let tier = if known.starts_with("Premium") { "Premium" } else { "Standard" };
    change.next.set("accountType", Value::Null);
    change.next.sku = Some(json!({ "name": known, "tier": tier }));
    Ok(())
}

/// `kind`, which never changes but from `Storage` to `StorageV2`.
fn settle_kind(change: &mut Change<'_>) -> Result<()> {
    let present = change.current.and_then(|it| it.kind.clone());
    let kind = match change.next.kind.take().or_else(|| present.clone()) {
        Some(kind) => known(&KINDS, &kind, "kind")?,
        None if *change.version < SKU_OBJECT => "Storage",
        None => "StorageV2",
    };
    if present
        .as_deref()
        .is_some_and(|present| present != kind && (present, kind) != ("Storage", "StorageV2"))
    {
        return Err(codes::INVALID_VALUE.with([kind, "kind"]));
    }
    change.next.kind = Some(kind.to_owned());
    Ok(())
}

/// The table's own spelling of a value, whatever the case it came in.
fn known(values: &'static [&'static str], given: &str, property: &str) -> Result<&'static str> {
    let found = values.iter().find(|value| value.eq_ignore_ascii_case(given));
    found.copied().ok_or_else(|| codes::INVALID_VALUE.with([given, property]))
}

/// Fills in what the body leaves out: what was there, else the default of the version.
fn settle_properties(change: &mut Change<'_>) -> Result<()> {
    if change.next.property("isHnsEnabled") == Some(&Value::Bool(true)) {
        return Err(not_implemented("a storage account with a hierarchical namespace"));
    }
    for name in ["supportsHttpsTrafficOnly", "allowBlobPublicAccess", "allowSharedKeyAccess"] {
        if change.next.property(name).is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            return Err(INVALID_CONTENT.with([format!("'{name}' is a boolean")]));
        }
    }
    let defaults = defaults(change.version, change.next);
    let before = change.current.map(|it| &it.properties);
    for (name, default) in defaults {
        if change.next.property(&name).is_none_or(Value::is_null) {
            let value = before.and_then(|before| before.get(&name)).cloned().unwrap_or(default);
            change.next.set(&name, value);
        }
    }
    Ok(())
}

fn defaults(version: &ApiVersion, next: &Resource) -> Vec<(String, Value)> {
    let enabled = json!({ "keyType": "Account", "enabled": true, "lastEnabledTime": next.created.iso() });
    let mut defaults = vec![
        ("supportsHttpsTrafficOnly", json!(*version >= HTTPS_BY_DEFAULT)),
        ("allowBlobPublicAccess", json!(*version < PRIVATE_BY_DEFAULT)),
        ("minimumTlsVersion", json!("TLS1_2")),
        (
            "networkAcls",
            json!({ "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow" }),
        ),
        (
            "encryption",
            json!({ "services": { "file": enabled, "blob": enabled }, "keySource": "Microsoft.Storage" }),
        ),
    ];
    if next.kind.as_deref() != Some("Storage") {
        defaults.push(("accessTier", json!("Hot")));
    }
    defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn settings(resource: &Resource) -> Settings {
    let flag = |name: &str, absent| resource.property(name).and_then(Value::as_bool).unwrap_or(absent);
    let sku = resource.sku.as_ref().and_then(|sku| sku.get("name")).and_then(Value::as_str);
    Settings {
        sku: sku.unwrap_or_default().to_owned(),
        kind: resource.kind.clone().unwrap_or_default(),
        allows_shared_key: flag("allowSharedKeyAccess", true),
        allows_public_access: flag("allowBlobPublicAccess", false),
        requires_https: flag("supportsHttpsTrafficOnly", true),
        default_version: None,
    }
}

/// Everything in the account goes with it: its containers' rows now, what hung on them behind the answer.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let name = removal.resource.name().to_owned();
    records::drop_account(removal.txn, &name)?;
    services::drop_account(removal.txn, &name)?;
    ACCOUNTS.delete(removal.txn, &name)?;
    release(removal.txn, Space::Storage, &name)?;
    Ok(Gone::Now)
}

/// The data plane knows its account by name, and the account its id.
pub(super) fn moved(_: &Cx, txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    let name = moved.to.name().to_owned();
    match ACCOUNTS.get(txn, &name)? {
        Some(account) => Ok(ACCOUNTS.put(txn, &name, &Account { id: moved.to.clone(), ..account })?),
        None => Ok(()),
    }
}

/// Clears what deleted accounts and containers left.
pub(super) fn sweep(cx: &Cx) {
    purge::begin(&cx.env, cx.cloud.id);
}

/// `properties`, as the version shows them.
pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let resource = view.resource;
    let mut shown = resource.properties.clone();
    let location = resource.location.clone().unwrap_or_default();
    if *view.version < SKU_OBJECT {
        let sku = resource.sku.as_ref().and_then(|sku| sku.get("name")).cloned().unwrap_or_default();
        shown = Map::from_iter([("accountType".to_owned(), sku)]);
    }
    if *view.version >= KEY_TIMES
        && let Some(account) = ACCOUNTS.get(view.txn, &resource.name().to_owned())?
    {
        let times =
            json!({ "key1": account.keys.key1.created.iso(), "key2": account.keys.key2.created.iso() });
        shown.insert("keyCreationTime".to_owned(), times);
    }
    shown.insert("creationTime".to_owned(), json!(resource.created.iso()));
    shown.insert("primaryEndpoints".to_owned(), endpoints(view));
    shown.insert("primaryLocation".to_owned(), json!(location));
    shown.insert("statusOfPrimary".to_owned(), json!("available"));
    Ok(shown)
}

fn endpoints(view: &View<'_>) -> Value {
    let name = view.resource.name();
    let services: &[&str] = match *view.version >= MORE_ENDPOINTS {
        true => &["blob", "queue", "table", "file", "dfs", "web"],
        false => &["blob", "queue", "table", "file"],
    };
    let host = |service: &str| match service {
        "web" => format!("https://{name}.z6.web.core.windows.net/"),
        service => format!("https://{name}.{service}.core.windows.net/"),
    };
    services.iter().map(|service| ((*service).to_owned(), json!(host(service)))).collect::<Map<_, _>>().into()
}

/// How a refused name is worded.
pub(super) fn bad_name(name: &str, _: &BadName) -> Error {
    codes::NAME_INVALID.with([name])
}

/// `checkNameAvailability`.
pub(super) fn check_name(call: &mut Call<'_>) -> Result<Answer> {
    let Some(name) = call.body.get("name").and_then(Value::as_str) else {
        return Err(INVALID_CONTENT.with(["Required property 'name' not found in JSON."]));
    };
    let refusal = |reason: &str, message: String| {
        Ok(Answer::ok(json!({ "nameAvailable": false, "reason": reason, "message": message })))
    };
    if names::rule("Microsoft.Storage/storageAccounts").check(name).is_err() {
        return refusal("AccountNameInvalid", codes::NAME_INVALID.with([name]).message());
    }
    if name == DROP_IN || find(call.txn, Space::Storage, name)?.is_some() {
        return refusal("AlreadyExists", codes::ALREADY_TAKEN.with([name]).message());
    }
    Ok(Answer::ok(json!({ "nameAvailable": true })))
}
