//! What a PUT, PATCH or DELETE of a virtual machine means: the document that is kept, and the machine that should be.
//!
//! The document is the caller's, with what Azure fills in (resources.md §2.2), without what it never answers: passwords and
//! custom data are read once; a password is kept as a hash (`logins`), custom data for the machine's beginning (`custom_data`). `null` stands for "not given", as az's templates write it (az-cli.md §8).

use std::time::Duration;

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use serde_json::{Map, Value, json};

use super::{
    attached, availability_sets, codes, custom_data, disks, events,
    images::System,
    logins,
    machine::{self, Machine},
    managed_images::{self, Source},
};
use crate::{
    arm::kind::{Change, Gone, Removal, Wait},
    cloud::Draw,
    resources::{self, Resource, State, links, moving::Move, scheduled_events},
    service::Cx,
    store::Txn,
};

/// What is not the caller's to write: the present value stays.
const READ_ONLY: &[&str] =
    &["vmId", "timeCreated", "instanceView", "platformFaultDomain", "platformUpdateDomain"];
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
    attached::prune(properties);
    for name in PROFILES {
        if properties.get(*name).is_some_and(|it| !it.is_object()) {
            return Err(codes::INVALID_PARAMETER.with([*name]).at(*name));
        }
    }
    let password = properties.get("osProfile").and_then(|it| it["adminPassword"].as_str()).map(str::to_owned);
    let data = properties.get("osProfile").and_then(|it| it["customData"].as_str()).map(str::to_owned);
    forget_secrets(properties);
    keep_read_only(properties, current);
    keep_made_up(properties, current);
    unchanged(properties, current)?;
    complete(change, &name)?;
    if change.is_create() {
        logins::found(change.txn, change.next, password.as_deref(), change.draw)?;
        // The platform changes a password by an extension alone, and custom data never.
        data.map_or(Ok(()), |data| custom_data::keep(change.txn, &change.next.id, &data))?;
    }
    Ok(())
}

/// Fills in what Azure does, and writes down the machine that there should be.
pub(super) fn complete(change: &mut Change<'_>, name: &str) -> Result<()> {
    let current = change.current.map(|it| &it.properties);
    let image = image_of(change)?;
    let properties = &mut change.next.properties;
    let system = system_of(properties, image.as_ref());
    fill_disk(properties, name, image.as_ref(), system, change.draw);
    fill_profile(properties, name, system)?;
    attached::settle(change, system, image.as_ref())?;
    availability_sets::join(change)?;
    let properties = &mut change.next.properties;
    let vm_id = match current.and_then(|it| it.get("vmId")?.as_str()?.parse().ok()) {
        Some(vm_id) => vm_id,
        None => change.draw.guid(),
    };
    order(properties, vm_id);
    let before = change.current.map(uses).transpose()?.unwrap_or_default();
    let uses = uses(change.next)?;
    links::relink(change.txn, &change.next.id, &before, &uses)?;
    desire(change, vm_id)
}

/// What the machine uses: its network interfaces, its availability set, its disks.
fn uses(vm: &Resource) -> Result<Vec<ResourceId>> {
    let interfaces = entries(&vm.properties).filter_map(|it| ResourceId::parse(it["id"].as_str()?).ok());
    Ok(interfaces.chain(availability_sets::of(vm)?).chain(attached::ids(vm)).collect())
}

fn entries(properties: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let profile = properties.get("networkProfile");
    profile.and_then(|it| it["networkInterfaces"].as_array()).into_iter().flatten()
}

pub(super) fn forget_secrets(properties: &mut Map<String, Value>) {
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
        // One of another name is another disk: nothing of the first one holds for it.
        let is_it =
            |disk: &Map<String, Value>| disk.get("name").is_none_or(|it| Some(it) == before.get("name"));
        if let Some(disk) = disk.as_object_mut().filter(|it| is_it(it)) {
            before.into_iter().for_each(|(name, value)| {
                disk.entry(name).or_insert(value);
            });
        }
    }
    let data_of = |it: &Map<String, Value>| it.get("storageProfile")?.get("dataDisks").cloned();
    if let (Some(before), Some(storage)) =
        (current.and_then(data_of), properties.get_mut("storageProfile").and_then(Value::as_object_mut))
    {
        storage.entry("dataDisks").or_insert(before);
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
            && !attached::is_same(&before, &now)
        {
            return Err(codes::CHANGE_NOT_ALLOWED.with([*name]).at(*name));
        }
    }
    Ok(())
}

/// What the document says that the machine is made of, where that is an image that we know. Who is there was made of it once.
fn image_of(change: &Change<'_>) -> Result<Option<Source>> {
    match change.next.property("storageProfile/imageReference").filter(|_| change.is_create()) {
        Some(reference) => managed_images::referred(change, reference),
        None => Ok(None),
    }
}

fn system_of(properties: &Map<String, Value>, image: Option<&Source>) -> System {
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
    image: Option<&Source>,
    system: System,
    draw: &mut Draw,
) {
    let storage = properties.entry("storageProfile").or_insert_with(|| json!({}));
    let Some(storage) = storage.as_object_mut() else { return };
    if let (Some(version), Some(reference)) =
        (image.and_then(|it| it.version), storage.get_mut("imageReference").and_then(Value::as_object_mut))
    {
        reference.entry("version").or_insert_with(|| json!("latest"));
        reference.entry("exactVersion").or_insert_with(|| json!(version));
    }
    let disk = storage.entry("osDisk").or_insert_with(|| json!({}));
    let Some(disk) = disk.as_object_mut() else { return };
    // az's templates write it so.
    if let Some(size) = disk.shift_remove("diskSizeGb") {
        disk.insert("diskSizeGB".to_owned(), size);
    }
    let is_attached =
        disk.get("createOption").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case("Attach"));
    let mut fill = |name: &str, value: Value| {
        disk.entry(name).or_insert(value);
    };
    let made = draw.guid().simple();
    fill("osType", json!(system.as_str()));
    if !is_attached {
        fill("name", json!(disks::name_for(vm, &format!("OsDisk_1_{made}"))));
    }
    fill("createOption", json!("FromImage"));
    fill("caching", json!("ReadWrite"));
    fill("managedDisk", json!({}));
    fill("deleteOption", json!("Detach"));
    disk.insert("osType".to_owned(), json!(system.as_str()));
    storage.entry("dataDisks").or_insert_with(|| json!([]));
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

/// A name for the machine itself, made of its resource's, whatever that is: a label that every system takes.
pub(super) fn computer_name(vm: &str, system: System) -> String {
    let plain = vm.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' });
    let name: String = plain.skip_while(|it| *it == '-').take(system.computer_name_max()).collect();
    let name = name.trim_end_matches('-');
    let is_number = name.chars().all(|it| it.is_ascii_digit());
    match name {
        "" => "vm".to_owned(),
        // Which no system may be called.
        name if is_number => {
            format!("vm{}", &name[name.len().saturating_sub(system.computer_name_max() - 2)..])
        }
        name => name.to_owned(),
    }
}

fn check_computer_name(name: &str, system: System) -> Result<()> {
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || it == '-' || (it == '.' && system == System::Linux);
    let is_fine = !name.is_empty()
        && name.len() <= system.computer_name_max()
        && name.chars().all(is_plain)
        && !name.starts_with(['-', '.'])
        && !name.chars().all(|it| it.is_ascii_digit());
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
    removal.also.extend(let_go(removal.txn, removal.resource)?);
    Ok(Gone::Now)
}

/// Frees what the machine had. Gives what was to go with it: interfaces and disks, by their `deleteOption`.
pub(super) fn let_go(txn: &mut Txn, vm: &Resource) -> Result<Vec<ResourceId>> {
    links::relink(txn, &vm.id, &uses(vm)?, &[])?;
    let goes = |it: &&Value| it["properties"]["deleteOption"] == "Delete";
    let interfaces = entries(&vm.properties).filter(goes);
    let mut leaving: Vec<_> =
        interfaces.filter_map(|it| ResourceId::parse(it["id"].as_str()?).ok()).collect();
    leaving.extend(attached::let_go(txn, vm)?);
    Ok(leaving)
}

/// The same machine under another id, with all that says whose it is.
pub(super) fn moved(cx: &Cx, txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    if let Some(vm) = resources::get(txn, moved.from)? {
        attached::moved(txn, &vm, moved.to)?;
    }
    machine::moved(cx, txn, moved)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_machine_is_called_its_host_name_is_a_plain_label() {
        for (vm, system, name) in [
            ("myVM", System::Linux, "myVM"),
            ("my_vm.1", System::Linux, "my-vm-1"),
            ("机器", System::Linux, "vm"),
            ("机器1", System::Linux, "vm1"),
            ("ünïcode", System::Linux, "n-code"),
            ("a-very-long-name-of-a-machine", System::Windows, "a-very-long-nam"),
            ("exactly-14----x", System::Windows, "exactly-14----x"),
            ("exactly-14-----x", System::Windows, "exactly-14"),
            ("12345", System::Windows, "vm12345"),
            ("123456789012345", System::Windows, "vm3456789012345"),
        ] {
            assert_eq!(computer_name(vm, system), name, "{vm}");
            assert!(check_computer_name(name, system).is_ok(), "{name}");
        }
    }
}
