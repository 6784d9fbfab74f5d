//! What a PUT, PATCH or DELETE of a virtual machine means: the document that is kept, and the machine that should be.
//!
//! The document is the caller's, with what Azure fills in (resources.md §2.2), without what it never answers: passwords and
//! custom data are read once and kept nowhere. `null` stands for "not given", as az's templates write it (az-cli.md §8).

use std::time::Duration;

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use serde_json::{Map, Value, json};

use super::{
    codes, events,
    images::{self, Image, System},
    machine::{self, Machine},
};
use crate::{
    arm::kind::{Change, Gone, Removal, Wait},
    cloud::Draw,
    resources::{self, Resource, State, links, scheduled_events},
    service::Cx,
    store::Txn,
};

/// What is not the caller's to write: the present value stays.
const READ_ONLY: &[&str] = &["vmId", "timeCreated", "instanceView"];
/// What is read and never kept.
const SECRETS: &[(&str, &[&str])] = &[("osProfile", &["adminPassword", "customData"])];
/// Members that must be objects.
const PROFILES: &[&str] =
    &["hardwareProfile", "storageProfile", "osProfile", "networkProfile", "diagnosticsProfile"];
/// How long a PUT waits for its machine, so that 201 `Succeeded` is the normal answer (DESIGN §4).
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let current = change.current.map(|it| &it.properties);
    let name = change.next.name().to_owned();
    let properties = &mut change.next.properties;
    prune(properties);
    for name in PROFILES {
        if properties.get(*name).is_some_and(|it| !it.is_object()) {
            return Err(codes::INVALID_PARAMETER.with([*name]).at(*name));
        }
    }
    forget_secrets(properties);
    keep_read_only(properties, current);
    keep_made_up(properties, current);
    unchanged(properties, current)?;
    let image = image_of(properties);
    let system = system_of(properties, image);
    fill_disk(properties, &name, image, system, change.draw);
    fill_profile(properties, &name, system)?;
    let vm_id = match current.and_then(|it| it.get("vmId")?.as_str()?.parse().ok()) {
        Some(vm_id) => vm_id,
        None => change.draw.guid(),
    };
    order(properties, vm_id);
    let interfaces = interfaces(properties);
    let before = change.current.map(|it| self::interfaces(&it.properties)).unwrap_or_default();
    links::relink(change.txn, &change.next.id, &before, &interfaces)?;
    desire(change, vm_id)
}

/// The network interfaces that the document names.
fn interfaces(properties: &Map<String, Value>) -> Vec<ResourceId> {
    entries(properties).filter_map(|it| ResourceId::parse(it["id"].as_str()?).ok()).collect()
}

fn entries(properties: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let profile = properties.get("networkProfile");
    profile.and_then(|it| it["networkInterfaces"].as_array()).into_iter().flatten()
}

/// Drops what is null, at any depth.
fn prune(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        prune_value(value);
    }
}

fn prune_value(value: &mut Value) {
    match value {
        Value::Object(map) => prune(map),
        Value::Array(items) => items.iter_mut().for_each(prune_value),
        _ => {}
    }
}

fn forget_secrets(properties: &mut Map<String, Value>) {
    for (profile, names) in SECRETS {
        if let Some(profile) = properties.get_mut(*profile).and_then(Value::as_object_mut) {
            profile.retain(|name, _| !names.iter().any(|secret| name.eq_ignore_ascii_case(secret)));
        }
    }
}

fn keep_read_only(properties: &mut Map<String, Value>, current: Option<&Map<String, Value>>) {
    for name in READ_ONLY {
        properties.shift_remove(*name);
        if let Some(value) = current.and_then(|it| it.get(*name)) {
            properties.insert((*name).to_owned(), value.clone());
        }
    }
}

/// A profile that a PUT leaves out was not taken away: a machine does not lose its disk by silence.
fn keep_made_up(properties: &mut Map<String, Value>, current: Option<&Map<String, Value>>) {
    for name in ["hardwareProfile", "storageProfile", "osProfile", "networkProfile"] {
        if let (None, Some(value)) = (properties.get(name), current.and_then(|it| it.get(name))) {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    let disk_of = |it: &Map<String, Value>| it.get("storageProfile")?.get("osDisk").cloned();
    if let (Some(Value::Object(before)), Some(storage)) =
        (current.and_then(disk_of), properties.get_mut("storageProfile").and_then(Value::as_object_mut))
    {
        let disk = storage.entry("osDisk").or_insert_with(|| json!({}));
        if let Some(disk) = disk.as_object_mut() {
            before.into_iter().for_each(|(name, value)| {
                disk.entry(name).or_insert(value);
            });
        }
    }
}

/// What a machine was made with and keeps.
const FIXED: &[(&str, &str)] =
    &[("osProfile", "computerName"), ("osProfile", "adminUsername"), ("storageProfile", "imageReference")];

fn unchanged(properties: &Map<String, Value>, current: Option<&Map<String, Value>>) -> Result<()> {
    let Some(current) = current else { return Ok(()) };
    for (profile, name) in FIXED {
        let of = |it: &Map<String, Value>| it.get(*profile)?.get(*name).cloned();
        if let (Some(before), Some(now)) = (of(current), of(properties))
            && !is_same(&before, &now)
        {
            return Err(codes::CHANGE_NOT_ALLOWED.with([*name]).at(*name));
        }
    }
    Ok(())
}

/// What we filled in ourselves need not be sent back.
fn is_same(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            now.iter().all(|(name, value)| before.get(name).is_some_and(|it| is_same(it, value)))
        }
        (Value::String(before), Value::String(now)) => before.eq_ignore_ascii_case(now),
        _ => before == now,
    }
}

/// The platform image that the document names, where it is one of our table. One that is not is taken as it is written: every
/// guest is the same Linux, and an image only says what the machine shows.
fn image_of(properties: &Map<String, Value>) -> Option<&'static Image> {
    let reference = properties.get("storageProfile")?.get("imageReference")?;
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    images::find(text("publisher")?, text("offer")?, text("sku")?)
}

fn system_of(properties: &Map<String, Value>, image: Option<&Image>) -> System {
    let storage = properties.get("storageProfile");
    let publisher = storage.and_then(|it| it.get("imageReference")?.get("publisher")?.as_str());
    let written = storage.and_then(|it| it.get("osDisk")?.get("osType")?.as_str());
    let is_windows = match (image, written, publisher) {
        (Some(image), ..) => image.system == System::Windows,
        (None, Some(written), _) => written.eq_ignore_ascii_case("Windows"),
        (None, None, Some(publisher)) => publisher.to_ascii_lowercase().starts_with("microsoftwindows"),
        (None, None, None) => {
            properties.get("osProfile").is_some_and(|it| it.get("windowsConfiguration").is_some())
        }
    };
    if is_windows { System::Windows } else { System::Linux }
}

fn fill_disk(
    properties: &mut Map<String, Value>,
    vm: &str,
    image: Option<&'static Image>,
    system: System,
    draw: &mut Draw,
) {
    let storage = properties.entry("storageProfile").or_insert_with(|| json!({}));
    let Some(storage) = storage.as_object_mut() else { return };
    if let (Some(image), Some(reference)) =
        (image, storage.get_mut("imageReference").and_then(Value::as_object_mut))
    {
        reference.entry("version").or_insert_with(|| json!("latest"));
        reference.entry("exactVersion").or_insert_with(|| json!(image.version));
    }
    let disk = storage.entry("osDisk").or_insert_with(|| json!({}));
    let Some(disk) = disk.as_object_mut() else { return };
    let mut fill = |name: &str, value: Value| {
        disk.entry(name).or_insert(value);
    };
    let made = draw.guid().simple();
    fill("osType", json!(system.as_str()));
    fill("name", json!(format!("{vm}_OsDisk_1_{made}")));
    fill("createOption", json!("FromImage"));
    fill("caching", json!("ReadWrite"));
    fill("managedDisk", json!({ "storageAccountType": "Premium_LRS" }));
    fill("deleteOption", json!("Detach"));
    fill("diskSizeGB", json!(system.disk_gb()));
    disk.insert("osType".to_owned(), json!(system.as_str()));
    if let Some(option) = disk.get("createOption").and_then(Value::as_str).and_then(spelled) {
        disk.insert("createOption".to_owned(), json!(option));
    }
    storage.entry("dataDisks").or_insert_with(|| json!([]));
}

/// Azure's own spelling of a create option: az's templates write `fromImage` (az-cli.md §8).
fn spelled(option: &str) -> Option<&'static str> {
    ["FromImage", "Attach", "Empty", "Copy", "Restore"].into_iter().find(|it| it.eq_ignore_ascii_case(option))
}

fn fill_profile(properties: &mut Map<String, Value>, vm: &str, system: System) -> Result<()> {
    let profile = properties.entry("osProfile").or_insert_with(|| json!({}));
    let Some(profile) = profile.as_object_mut() else { return Ok(()) };
    profile.entry("computerName").or_insert_with(|| json!(computer_name(vm, system)));
    profile.entry("adminUsername").or_insert_with(|| json!("azureuser"));
    let text = |name: &str| profile.get(name).and_then(Value::as_str).unwrap_or_default();
    check_computer_name(text("computerName"), system)?;
    check_admin(text("adminUsername"))?;
    let (name, defaults) = match system {
        System::Linux => ("linuxConfiguration", LINUX),
        System::Windows => ("windowsConfiguration", WINDOWS),
    };
    let configuration = profile.entry(name).or_insert_with(|| json!({}));
    if let Some(configuration) = configuration.as_object_mut() {
        for (name, value) in defaults {
            configuration.entry(*name).or_insert(json!(value));
        }
    }
    profile.entry("secrets").or_insert_with(|| json!([]));
    profile.entry("allowExtensionOperations").or_insert(json!(true));
    Ok(())
}

const LINUX: &[(&str, bool)] = &[("disablePasswordAuthentication", false), ("provisionVMAgent", true)];
const WINDOWS: &[(&str, bool)] = &[("provisionVMAgent", true), ("enableAutomaticUpdates", true)];

/// A name for the machine itself, made of its resource's.
fn computer_name(vm: &str, system: System) -> String {
    let plain = vm.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' });
    let name: String = plain.take(system.computer_name_max()).collect();
    name.trim_matches('-').to_owned()
}

fn check_computer_name(name: &str, system: System) -> Result<()> {
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || it == '-' || (it == '.' && system == System::Linux);
    let is_fine = !name.is_empty()
        && name.len() <= system.computer_name_max()
        && name.chars().all(is_plain)
        && !name.starts_with(['-', '.'])
        && (system == System::Linux || !name.chars().all(|it| it.is_ascii_digit()));
    let refuse = || {
        let max = system.computer_name_max().to_string();
        codes::COMPUTER_NAME.with([system.as_str(), &max]).at("computerName")
    };
    if is_fine { Ok(()) } else { Err(refuse()) }
}

/// Names that Azure refuses for an administrator (a few of its list), and what no `/etc/passwd` can hold.
fn check_admin(name: &str) -> Result<()> {
    const REFUSED: &[&str] = &["administrator", "admin", "root", "guest", "test", "user", "sys", "console"];
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    let is_fine = !name.is_empty()
        && name.len() <= 32
        && name.chars().all(is_plain)
        && !name.starts_with(['-', '.'])
        && !REFUSED.iter().any(|refused| refused.eq_ignore_ascii_case(name));
    if is_fine { Ok(()) } else { Err(codes::ADMIN_NAME.bare().at("adminUsername")) }
}

/// The members in the order in which Azure prints them.
fn order(properties: &mut Map<String, Value>, vm_id: Guid) {
    let mut ordered = Map::from_iter([("vmId".to_owned(), json!(vm_id))]);
    for name in ["hardwareProfile", "storageProfile", "osProfile", "networkProfile"] {
        if let Some(value) = properties.shift_remove(name) {
            ordered.insert(name.to_owned(), value);
        }
    }
    properties.shift_remove("vmId");
    ordered.append(properties);
    *properties = ordered;
}

/// Writes down the machine that there should be.
fn desire(change: &mut Change<'_>, vm_id: Guid) -> Result<()> {
    let (cx, vm) = (change.cx, change.next.id.clone());
    let mut machine = machine::get(change.txn, &vm)?.unwrap_or_else(|| Machine::new(vm_id));
    let is_broken = machine.seen.as_ref().is_some_and(|it| it.problem.is_some());
    if is_broken {
        machine.boots += 1;
    }
    // Whoever follows an older change is told when all of them are done.
    machine
        .operations
        .extend(change.current.filter(|it| !it.state.is_terminal()).and_then(|it| it.operation));
    if cx.env.follower.is_there() && !(machine.is_settled() && change.current.is_some()) {
        change.next.state = if change.is_create() { State::Creating } else { State::Updating };
    } else {
        machine.seen_as_desired(cx.now);
    }
    machine::put(cx, change.txn, &vm, &machine)
}

/// The row goes with this transaction, and with it the identity and whatever a door could ask for; the guest, which has
/// nothing left to say, is ended by the reconciler a moment later.
///
/// Unless the machine wants to be told: then it goes on until it has said that it knows, or its notice is over.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    if events::announce_end(removal)? {
        return Ok(Gone::Later);
    }
    scheduled_events::forget(removal.txn, &removal.resource.id)?;
    let pending =
        machine::get(removal.txn, &removal.resource.id)?.map(|it| it.operations).unwrap_or_default();
    let failed = || resources::operations::Status::Canceled;
    for operation in pending.into_iter().chain(removal.resource.operation) {
        if operation != removal.operation {
            resources::operations::finish(removal.txn, operation, failed(), removal.cx.now)?;
        }
    }
    machine::delete(removal.cx, removal.txn, &removal.resource.id)?;
    let_interfaces_go(removal)?;
    Ok(Gone::Now)
}

/// Frees the interfaces that the machine had.
pub(super) fn unlink(txn: &mut Txn, vm: &Resource) -> Result<()> {
    links::relink(txn, &vm.id, &interfaces(&vm.properties), &[])
}

/// Interfaces are free again, and those that were to go with the machine go.
fn let_interfaces_go(removal: &mut Removal<'_>) -> Result<()> {
    let properties = &removal.resource.properties;
    unlink(removal.txn, removal.resource)?;
    let goes = |it: &&Value| it["properties"]["deleteOption"] == "Delete";
    let gone = entries(properties).filter(goes);
    removal.also.extend(gone.filter_map(|it| ResourceId::parse(it["id"].as_str()?).ok()));
    Ok(())
}

/// Waits a moment for what a write began.
pub(super) fn settle(cx: &Cx, id: &ResourceId) -> Wait<()> {
    let (cx, id) = (cx.clone(), id.clone());
    Box::pin(async move {
        // Too late is no failure: the answer then says how to follow the rest.
        let _ = tokio::time::timeout(PATIENCE, until_done(&cx, &id)).await;
    })
}

async fn until_done(cx: &Cx, id: &ResourceId) {
    let mut reports = cx.env.follower.reports();
    loop {
        let is_done = |resource: Option<Resource>| resource.is_none_or(|it| it.state.is_terminal());
        let done = cx.read(|txn| Ok(is_done(resources::get(txn, id)?))).await;
        if done.unwrap_or(true) || reports.changed().await.is_err() {
            return;
        }
    }
}
