//! `disks`: managed disks. One is made empty, from an image, as a copy of another, or by the machine that needs it
//! (`attached.rs`), and is one machine's or nobody's.
//!
//! `managedBy` of the row is the one place that says whose it is. Nothing is on a disk: a guest's files are in its own root,
//! whatever disks it is said to have, so a copy copies a size and a system. What would move bytes (import, upload, a SAS to
//! a disk) is refused by name.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    names,
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use super::{
    attached, codes, disk_kinds,
    images::System,
    machine::{self, Power},
    managed_images, snapshots,
};
use crate::{
    arm::{
        codes as arm,
        kind::{Change, Gone, Removal, Verb, View},
    },
    cloud::Draw,
    resources::{self, Resource},
    store::Txn,
};

pub(super) const TYPE: &str = "Microsoft.Compute/disks";

/// Azure's words for how a disk begins; those that we do not do are refused by name.
const OPTIONS: &[&str] = &["Empty", "FromImage", "Copy", "Import", "Restore", "Upload", "CopyStart"];
/// What stays as it was unless a PUT says otherwise, and what no PUT changes.
const KEPT: &[&str] = &["osType", "hyperVGeneration", "creationData", "uniqueId", "encryption"];

/// Of a disk's name (azure::names).
const NAME_MAX: usize = 80;

macro_rules! later {
    ($name:literal) => {
        Verb::post($name, concat!($name, "/action"), |_| {
            Err(arm::not_implemented(concat!("Microsoft.Compute/disks/", $name)))
        })
    };
}

pub(super) static VERBS: &[Verb] = &[later!("beginGetAccess"), later!("endGetAccess")];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    attached::prune(&mut change.next.properties);
    change.next.managed_by = change.current.and_then(|it| it.managed_by.clone());
    settle_sku(change.next)?;
    if change.next.property("maxShares").and_then(Value::as_u64).is_some_and(|it| it > 1) {
        return Err(arm::not_implemented("Microsoft.Compute/disks with maxShares above 1"));
    }
    let least_gb = match change.current {
        Some(current) => as_it_was(change.next, current)?,
        None => begin(change)?,
    };
    let size_gb = size_of(change.next, least_gb)?;
    may_grow(change, size_gb)?;
    let unique = change.draw.guid();
    fill(change.next, size_gb, unique);
    attached::follow(change.txn, change.next)
}

/// The name as Azure spells it, and the tier that goes with it.
fn settle_sku(disk: &mut Resource) -> Result<()> {
    let given = disk.sku.as_ref().and_then(|it| it["name"].as_str()).unwrap_or("Standard_LRS");
    let sku = disk_kinds::sku(given).ok_or_else(|| codes::INVALID_PARAMETER.with(["sku.name"]))?;
    disk.sku = Some(json!({ "name": sku.name, "tier": sku.tier }));
    Ok(())
}

/// What a disk began as does not change; gives its size.
pub(super) fn as_it_was(next: &mut Resource, current: &Resource) -> Result<u64> {
    for name in KEPT {
        match (next.properties.get(*name), current.properties.get(*name)) {
            (None, Some(present)) => drop(next.properties.insert((*name).to_owned(), present.clone())),
            (Some(said), Some(present)) if *name == "creationData" && !attached::is_same(present, said) => {
                return Err(codes::CHANGE_NOT_ALLOWED.with([*name]).at(*name));
            }
            _ => {}
        }
    }
    Ok(size(current))
}

/// How a new disk begins; gives the least size that what it is made of allows.
fn begin(change: &mut Change<'_>) -> Result<u64> {
    let option = option(change, "disk", OPTIONS)?;
    let data = change.next.property("creationData").cloned().unwrap_or_default();
    match option {
        "Empty" => Ok(0),
        "FromImage" => from_image(change, &data),
        "Copy" => copy(change, &data),
        other => Err(arm::not_implemented(format!("Microsoft.Compute/disks of createOption '{other}'"))),
    }
}

/// Which of the words `creationData.createOption` is, which from now on is spelled so.
pub(super) fn option(change: &mut Change<'_>, what: &str, options: &[&'static str]) -> Result<&'static str> {
    let missing = |name: &str| {
        let name = format!("{what}.{name}");
        codes::MISSING_PARAMETER.with([name.as_str()]).at(name.as_str())
    };
    let data = change.next.property("creationData").cloned();
    let mut data = data.ok_or_else(|| missing("creationData"))?;
    let given = data["createOption"].as_str().ok_or_else(|| missing("creationData.createOption"))?;
    let option = options.iter().find(|it| it.eq_ignore_ascii_case(given)).copied();
    let bad = || codes::INVALID_PARAMETER.with([format!("{what}.creationData.createOption")]);
    let option = option.ok_or_else(bad)?;
    data["createOption"] = json!(option);
    change.next.set("creationData", data);
    Ok(option)
}

fn from_image(change: &mut Change<'_>, data: &Value) -> Result<u64> {
    if data.get("galleryImageReference").is_some() {
        return Err(arm::not_implemented("Microsoft.Compute/disks of a gallery's image"));
    }
    let name = "disk.creationData.imageReference";
    let id = data["imageReference"]["id"].as_str();
    let id = id.ok_or_else(|| codes::MISSING_PARAMETER.with([name]).at(name))?;
    let image = managed_images::named(change, id)?;
    let image = image.ok_or_else(|| codes::ARTIFACT_NOT_FOUND.bare())?;
    change.next.set("osType", image.system.as_str());
    Ok(image.size_gb)
}

fn copy(change: &mut Change<'_>, data: &Value) -> Result<u64> {
    let name = "disk.creationData.sourceResourceId";
    let id =
        data["sourceResourceId"].as_str().ok_or_else(|| codes::MISSING_PARAMETER.with([name]).at(name))?;
    let source = source(change, id)?;
    if let Some(system) = source.text("osType") {
        change.next.set("osType", system);
    }
    Ok(size(&source))
}

/// The disk or snapshot that something is to be copied from: there, near, and readable by whoever asks.
pub(super) fn source(change: &Change<'_>, id: &str) -> Result<Resource> {
    let source = source_anywhere(change, id)?;
    let region = change.next.location.as_deref().unwrap_or_default();
    let is_near = source.location.as_deref() == Some(region);
    is_near.then_some(source).ok_or_else(|| codes::SOURCE_NOT_FOUND.with([id, region]))
}

/// The same, wherever it is.
pub(super) fn source_anywhere(change: &Change<'_>, id: &str) -> Result<Resource> {
    let region = change.next.location.as_deref().unwrap_or_default();
    let absent = || codes::SOURCE_NOT_FOUND.with([id, region]);
    let id = ResourceId::parse(id).map_err(|_| absent())?;
    let kind = id.resource_type().unwrap_or_default();
    let kind = [TYPE, snapshots::TYPE].into_iter().find(|it| it.eq_ignore_ascii_case(&kind));
    change.demand(format!("{}/read", kind.ok_or_else(absent)?), &id)?;
    resources::get(change.txn, &id)?.ok_or_else(absent)
}

/// The size that is asked for, which is at least so large; where none is asked for, that.
fn size_of(disk: &Resource, least_gb: u64) -> Result<u64> {
    let name = "disk.diskSizeGB";
    let asked = match disk.property("diskSizeGB") {
        None if least_gb > 0 => return Ok(least_gb),
        None => return Err(codes::MISSING_PARAMETER.with([name]).at(name)),
        Some(asked) => asked,
    };
    checked_size(asked, name, least_gb)
}

/// A size in GiB, in Azure's range, and not below what is there.
pub(super) fn checked_size(asked: &Value, name: &str, least_gb: u64) -> Result<u64> {
    let (first, last) = disk_kinds::SIZES_GB;
    let number = asked.as_u64().or_else(|| asked.as_str()?.parse().ok());
    let size_gb = number.filter(|it| (first..=last).contains(it)).ok_or_else(|| {
        codes::OUT_OF_RANGE
            .with([asked.to_string(), name.to_owned(), first.to_string(), last.to_string()])
            .at(name)
    })?;
    if size_gb < least_gb {
        return Err(codes::DISK_SHRINKS.with([size_gb.to_string(), least_gb.to_string()]).at(name));
    }
    Ok(size_gb)
}

fn may_grow(change: &Change<'_>, size_gb: u64) -> Result<()> {
    let Some(current) = change.current.filter(|it| size(it) < size_gb) else { return Ok(()) };
    may_be_resized(change.txn, current)
}

/// A machine that runs keeps its disks as they are.
pub(super) fn may_be_resized(txn: &Txn, disk: &Resource) -> Result<()> {
    match owner(disk) {
        Some(vm) if power_of(txn, &vm)? != Some(Power::Deallocated) => {
            Err(codes::DISK_OF_RUNNING_VM.with([disk.name(), vm.name()]))
        }
        _ => Ok(()),
    }
}

fn power_of(txn: &Txn, vm: &ResourceId) -> Result<Option<Power>> {
    Ok(machine::get(txn, vm)?.map(|it| it.power))
}

/// What follows from a disk's size and SKU, and what every disk says of itself.
fn fill(disk: &mut Resource, size_gb: u64, unique: Guid) {
    let name = disk.sku.as_ref().and_then(|it| it["name"].as_str()).unwrap_or_default();
    let given = disk_kinds::sku(name).map(|it| it.performance(size_gb));
    fill_plain(disk, size_gb, unique);
    if let Some(given) = given {
        disk.set("diskIOPSReadWrite", given.operations_per_second);
        disk.set("diskMBpsReadWrite", given.megabytes_per_second);
        disk.set("tier", given.tier.map_or(Value::Null, Value::from));
    }
}

/// What a snapshot says of itself too.
pub(super) fn fill_plain(disk: &mut Resource, size_gb: u64, unique: Guid) {
    disk.set("diskSizeGB", size_gb);
    disk.set("diskSizeBytes", size_gb << 30);
    for (name, value) in [
        ("encryption", json!({ "type": "EncryptionAtRestWithPlatformKey" })),
        ("networkAccessPolicy", json!("AllowAll")),
        ("publicNetworkAccess", json!("Enabled")),
        ("uniqueId", json!(unique)),
    ] {
        disk.properties.entry(name).or_insert(value);
    }
}

/// A name for a machine's disk, made of the machine's: a disk's has other letters, and fewer.
pub(super) fn name_for(machine: &str, what: &str) -> String {
    let room = NAME_MAX.saturating_sub(what.len() + 1);
    let plain = |it: char| if it.is_ascii_alphanumeric() || "_.-".contains(it) { it } else { '-' };
    format!("{}_{what}", machine.chars().take(room).map(plain).collect::<String>())
}

/// A disk that a machine is made with.
pub(super) struct New {
    pub(super) name: String,
    pub(super) sku: &'static str,
    pub(super) size_gb: u64,
    pub(super) system: Option<System>,
    /// `creationData`.
    pub(super) made_of: Value,
}

/// Makes a machine's disk beside it, in its group.
pub(super) fn make(
    txn: &mut Txn,
    (draw, now): (&mut Draw, Timestamp),
    owner: &Resource,
    new: &New,
) -> Result<Resource> {
    let id = beside(&owner.id, &new.name);
    if names::rule(TYPE).check(&new.name).is_err() {
        return Err(codes::INVALID_PARAMETER.with(["disk.name"]).at("disk.name"));
    }
    if resources::rows::exists(txn, &id)? {
        return Err(codes::DISK_EXISTS.with([&new.name, id.resource_group().unwrap_or_default()]));
    }
    let mut disk = Resource::new(id, TYPE, draw.guid(), now);
    (disk.location, disk.zones, disk.tags) =
        (owner.location.clone(), owner.zones.clone(), owner.tags.clone());
    disk.created_by = owner.created_by;
    disk.managed_by = Some(owner.id.to_string());
    disk.sku = Some(json!({ "name": new.sku }));
    settle_sku(&mut disk)?;
    if let Some(system) = new.system {
        disk.set("osType", system.as_str());
    }
    disk.set("creationData", new.made_of.clone());
    fill(&mut disk, new.size_gb, draw.guid());
    resources::put(txn, &disk)?;
    Ok(disk)
}

/// A disk of this name in a machine's group.
fn beside(machine: &ResourceId, name: &str) -> ResourceId {
    let group = machine.group_scope().unwrap_or_else(ResourceId::root);
    group.provider("Microsoft.Compute", "disks", name)
}

/// Makes it larger, where that is more than it is.
pub(super) fn grow(txn: &mut Txn, disk: &mut Resource, size_gb: u64) -> Result<()> {
    if size_gb == size(disk) {
        return Ok(());
    }
    may_be_resized(txn, disk)?;
    fill(disk, size_gb, Guid::default());
    resources::put(txn, disk)
}

pub(super) fn size(disk: &Resource) -> u64 {
    disk.property("diskSizeGB").and_then(Value::as_u64).unwrap_or_default()
}

/// Whose it is.
pub(super) fn owner(disk: &Resource) -> Option<ResourceId> {
    ResourceId::parse(disk.managed_by.as_deref()?).ok()
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let disk = removal.resource;
    match owner(disk).filter(|vm| !removal.whole.holds(vm)) {
        Some(vm) if resources::rows::exists(removal.txn, &vm)? => {
            Err(codes::DISK_ATTACHED.with([disk.name(), vm.as_str()]))
        }
        _ => Ok(Gone::Now),
    }
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    let state = match owner(view.resource) {
        None => "Unattached",
        Some(vm) => match power_of(view.txn, &vm)? {
            Some(Power::Deallocated) => "Reserved",
            Some(Power::Running | Power::Stopped) | None => "Attached",
        },
    };
    properties.insert("timeCreated".to_owned(), json!(view.resource.created.iso()));
    properties.insert("diskState".to_owned(), json!(state));
    Ok(properties)
}
