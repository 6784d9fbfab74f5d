//! The disks of a virtual machine: its system's and, by LUN, its data disks.
//!
//! ```text
//! an entry of storageProfile          what becomes of it
//!   names a disk that it has            stays
//!   names another disk                  that one is attached, if it is nobody's
//!   names none                          one is made, as createOption says, and named as Azure names it
//! a disk that no entry names any more is detached: it is there still, and nobody's
//! ```
//!
//! A disk that is on a page blob (`vhd`) or on the host alone (`diffDiskSettings`) is no resource, and is kept as it is written.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    codes,
    disks::{self, New},
    images::System,
    managed_images::Source,
    sizes,
};
use crate::{
    arm::kind::{Answer, Call, Change},
    resources::{self, Resource, links},
    store::Txn,
};

/// LUNs that Azure has.
const LUN_MAX: u64 = 63;
/// Of a disk whose machine says nothing about it.
const DEFAULT_SKU: &str = "Premium_LRS";
/// As Azure spells them, however a template does.
const OPTIONS: &[&str] = &["FromImage", "Attach", "Empty", "Copy", "Restore"];
const DELETE_OPTIONS: &[&str] = &["Delete", "Detach"];
const CACHING: &[&str] = &["None", "ReadOnly", "ReadWrite"];

/// Drops what is null, at any depth.
pub(super) fn prune(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    map.values_mut().for_each(prune_value);
}

fn prune_value(value: &mut Value) {
    match value {
        Value::Object(map) => prune(map),
        Value::Array(items) => items.iter_mut().for_each(prune_value),
        _ => {}
    }
}

/// What we filled in ourselves need not be sent back.
pub(super) fn is_same(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            now.iter().all(|(name, value)| before.get(name).is_some_and(|it| is_same(it, value)))
        }
        (Value::String(before), Value::String(now)) => before.eq_ignore_ascii_case(now),
        _ => before == now,
    }
}

/// Gives every entry of a machine's storage profile its disk, and lets go of those that no entry has any more.
pub(super) fn settle(change: &mut Change<'_>, system: System, image: Option<&Source>) -> Result<()> {
    let before = change.current.map(ids).unwrap_or_default();
    let mut storage = change.next.properties.get("storageProfile").cloned().unwrap_or_else(|| json!({}));
    settle_system(change, &mut storage["osDisk"], &before, (system, image))?;
    settle_data(change, &mut storage["dataDisks"], &before, image)?;
    change.next.properties.insert("storageProfile".to_owned(), storage);
    let_go_of_others(change.txn, &before, change.next)
}

/// What the machine had and has no more is nobody's.
fn let_go_of_others(txn: &mut Txn, before: &[ResourceId], vm: &Resource) -> Result<()> {
    let after = ids(vm);
    for gone in before.iter().filter(|it| !after.contains(it)) {
        release(txn, gone, &vm.id)?;
    }
    Ok(())
}

fn settle_system(
    change: &mut Change<'_>,
    entry: &mut Value,
    before: &[ResourceId],
    (system, image): (System, Option<&Source>),
) -> Result<()> {
    if !entry.is_object() {
        return Err(codes::INVALID_PARAMETER.with(["osDisk"]).at("osDisk"));
    }
    if is_elsewhere(entry) {
        return Ok(());
    }
    let least_gb = image.map_or(u64::from(system.disk_gb()), |it| it.size_gb);
    let mut made_of = json!({ "createOption": "FromImage" });
    let reference = change.next.property("storageProfile/imageReference");
    if let Some(id) = image_id(change.next, reference) {
        made_of["imageReference"] = json!({ "id": id });
    }
    let wanted = Wanted { what: "osDisk", system: Some(system), least_gb, made_of };
    settle_entry(change, entry, before, wanted)
}

/// The id of what a machine's system was made of, as a disk shows it.
fn image_id(vm: &Resource, reference: Option<&Value>) -> Option<String> {
    let reference = reference?;
    if let Some(id) = reference["id"].as_str() {
        return Some(id.to_owned());
    }
    let text = |name: &str| reference[name].as_str();
    let version = text("exactVersion").or_else(|| text("version"))?;
    Some(format!(
        "{}/Providers/Microsoft.Compute/Locations/{}/Publishers/{}/ArtifactTypes/VMImage/Offers/{}/Skus/{}/Versions/{version}",
        vm.id.subscription_root()?,
        vm.location.as_deref()?,
        text("publisher")?,
        text("offer")?,
        text("sku")?,
    ))
}

fn settle_data(
    change: &mut Change<'_>,
    entries: &mut Value,
    before: &[ResourceId],
    image: Option<&Source>,
) -> Result<()> {
    let bad = || codes::INVALID_PARAMETER.with(["dataDisks"]).at("dataDisks");
    let list = entries.as_array_mut().filter(|it| it.iter().all(Value::is_object)).ok_or_else(bad)?;
    list.retain(|it| it["toBeDetached"] != true);
    if change.is_create() {
        list.extend(of_image(list, image));
    }
    let most = sizes::data_disks_max(change.next.text("hardwareProfile/vmSize").unwrap_or_default());
    if list.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(codes::TOO_MANY_DISKS.with([most.to_string()]));
    }
    let mut luns = Vec::new();
    for entry in list {
        let lun = lun_of(entry)?;
        if luns.contains(&lun) {
            return Err(codes::LUN_TAKEN.with([lun.to_string()]).at("dataDisk.lun"));
        }
        luns.push(lun);
        if !is_elsewhere(entry) {
            settle_one(change, entry, before, (lun, image))?;
        }
    }
    Ok(())
}

/// The data disks of the image that the machine's own list does not speak of.
fn of_image(list: &[Value], image: Option<&Source>) -> Vec<Value> {
    let is_said = |lun: u64| list.iter().any(|it| it["lun"] == lun);
    let all = image.into_iter().flat_map(|it| &it.data);
    all.filter(|(lun, _)| !is_said(*lun))
        .map(|(lun, _)| json!({ "lun": lun, "createOption": "FromImage" }))
        .collect()
}

fn lun_of(entry: &Value) -> Result<u64> {
    let lun = entry.get("lun").ok_or_else(|| codes::MISSING_PARAMETER.with(["dataDisk.lun"]))?;
    let bad = || codes::OUT_OF_RANGE.with([&lun.to_string(), "dataDisk.lun", "0", &LUN_MAX.to_string()]);
    lun.as_u64().filter(|it| *it <= LUN_MAX).ok_or_else(bad)
}

fn settle_one(
    change: &mut Change<'_>,
    entry: &mut Value,
    before: &[ResourceId],
    (lun, image): (u64, Option<&Source>),
) -> Result<()> {
    let option = entry["createOption"].as_str().unwrap_or("Attach").to_owned();
    let is_option = |wanted: &str| option.eq_ignore_ascii_case(wanted);
    let (mut least_gb, mut made_of) = (0, json!({ "createOption": "Empty" }));
    if is_option("FromImage") {
        let held = image.and_then(|it| it.data.iter().find(|(at, _)| *at == lun));
        let bad = || codes::INVALID_PARAMETER.with(["dataDisk.lun"]).at("dataDisk.lun");
        least_gb = held.map(|(_, size_gb)| *size_gb).filter(|_| change.is_create()).ok_or_else(bad)?;
        made_of = json!({ "createOption": "FromImage" });
    } else if is_option("Copy") {
        let id = entry["sourceResource"]["id"].as_str();
        let id = id.ok_or_else(|| codes::MISSING_PARAMETER.with(["dataDisk.sourceResource"]))?;
        let is_new = disk_of(entry)?.is_none_or(|id| !before.contains(&id));
        least_gb = if is_new { disks::size(&disks::source(change, id)?) } else { 0 };
        made_of = json!({ "createOption": "Copy", "sourceResourceId": id });
    }
    if entry.get("name").is_none() && disk_of(entry)?.is_none() {
        let what = format!("disk{}_{}", lun + 2, change.draw.guid().simple());
        entry["name"] = json!(disks::name_for(&change.next.machine_name(), &what));
    }
    let wanted = Wanted { what: "dataDisk", system: None, least_gb, made_of };
    settle_entry(change, entry, before, wanted)?;
    entry["toBeDetached"] = json!(false);
    Ok(())
}

/// What an entry is to have where it names no disk.
struct Wanted {
    what: &'static str,
    system: Option<System>,
    least_gb: u64,
    made_of: Value,
}

fn settle_entry(
    change: &mut Change<'_>,
    entry: &mut Value,
    before: &[ResourceId],
    wanted: Wanted,
) -> Result<()> {
    for (name, words) in [("createOption", OPTIONS), ("deleteOption", DELETE_OPTIONS), ("caching", CACHING)] {
        spell(entry, name, words, wanted.what)?;
    }
    let disk = match present(entry, before)? {
        Some(id) => {
            remember(change.current, &id, entry);
            kept(change.txn, &id, entry, wanted.what)?
        }
        None => match disk_of(entry)? {
            Some(id) => Some(attach(change, &id)?),
            None => Some(made(change, entry, &wanted)?),
        },
    };
    if let Some(disk) = disk {
        write(entry, &disk);
    }
    Ok(())
}

/// One of a few words, as Azure spells it.
fn spell(entry: &mut Value, name: &str, words: &[&str], what: &str) -> Result<()> {
    let Some(said) = entry.get(name) else { return Ok(()) };
    let found = said.as_str().and_then(|said| words.iter().find(|it| it.eq_ignore_ascii_case(said)));
    let bad = || codes::INVALID_PARAMETER.with([format!("{what}.{name}")]).at(name);
    entry[name] = json!(found.ok_or_else(bad)?);
    Ok(())
}

/// The disk that the machine has already: by its id, or by its name where the id was not sent back.
fn present(entry: &Value, before: &[ResourceId]) -> Result<Option<ResourceId>> {
    if let Some(id) = disk_of(entry)? {
        return Ok(before.iter().find(|it| **it == id).cloned());
    }
    let name = entry["name"].as_str().unwrap_or_default();
    Ok(before.iter().find(|it| it.name().eq_ignore_ascii_case(name)).cloned())
}

/// What the entry does not say of a disk that the machine has already is as it was.
fn remember(current: Option<&Resource>, id: &ResourceId, entry: &mut Value) {
    let is_it = |it: &&Value| disk_of(it).ok().flatten().as_ref() == Some(id);
    let before = current.and_then(|it| entries(it).find(is_it)).and_then(Value::as_object);
    if let (Some(before), Some(entry)) = (before, entry.as_object_mut()) {
        for (name, value) in before {
            entry.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// The disk goes on; it grows where the entry says so.
fn kept(txn: &mut Txn, id: &ResourceId, entry: &Value, what: &str) -> Result<Option<Resource>> {
    let Some(mut disk) = resources::get(txn, id)? else { return Ok(None) };
    if let Some(asked) = entry.get("diskSizeGB") {
        let size_gb = disks::checked_size(asked, &format!("{what}.diskSizeGB"), disks::size(&disk))?;
        disks::grow(txn, &mut disk, size_gb)?;
    }
    Ok(Some(disk))
}

/// Another disk becomes this machine's.
fn attach(change: &mut Change<'_>, id: &ResourceId) -> Result<Resource> {
    change.demand("Microsoft.Compute/disks/write", id)?;
    let mut disk = near(change.txn, id, change.next)?;
    if let Some(owner) = disks::owner(&disk) {
        return Err(codes::DISK_TAKEN.with([id.as_str(), owner.as_str()]));
    }
    disk.managed_by = Some(change.next.id.to_string());
    resources::put(change.txn, &disk)?;
    Ok(disk)
}

fn near(txn: &Txn, id: &ResourceId, vm: &Resource) -> Result<Resource> {
    let is_near = |it: &Resource| it.location == vm.location && it.kind_name == disks::TYPE;
    let region = vm.location.as_deref().unwrap_or_default();
    let found = resources::get(txn, id)?.filter(is_near);
    found.ok_or_else(|| codes::SOURCE_NOT_FOUND.with([id.as_str(), region]))
}

fn made(change: &mut Change<'_>, entry: &Value, wanted: &Wanted) -> Result<Resource> {
    let missing = |name: &str| codes::MISSING_PARAMETER.with([format!("{}.{name}", wanted.what)]).at(name);
    if entry["createOption"] == "Attach" {
        return Err(missing("managedDisk.id"));
    }
    let size_gb = match entry.get("diskSizeGB") {
        Some(asked) => disks::checked_size(asked, &format!("{}.diskSizeGB", wanted.what), wanted.least_gb)?,
        None if wanted.least_gb > 0 => wanted.least_gb,
        None => return Err(missing("diskSizeGB")),
    };
    let sku = match entry["managedDisk"]["storageAccountType"].as_str() {
        None => DEFAULT_SKU,
        Some(said) => super::disk_kinds::sku(said).map(|it| it.name).ok_or_else(|| {
            codes::INVALID_PARAMETER.with([format!("{}.managedDisk.storageAccountType", wanted.what)])
        })?,
    };
    let name = entry["name"].as_str().unwrap_or_default().to_owned();
    let new = New { name, sku, size_gb, system: wanted.system, made_of: wanted.made_of.clone() };
    let (draw, now) = (&mut *change.draw, change.cx.now);
    disks::make(change.txn, (draw, now), change.next, &new)
}

/// What an entry shows of its disk.
fn write(entry: &mut Value, disk: &Resource) {
    entry["name"] = json!(disk.name());
    if !entry["managedDisk"].is_object() {
        entry["managedDisk"] = json!({});
    }
    entry["managedDisk"]["id"] = json!(disk.id);
    let sku = disk.sku.as_ref().map_or(Value::Null, |it| it["name"].clone());
    entry["managedDisk"]["storageAccountType"] = sku;
    entry["diskSizeGB"] = json!(disks::size(disk));
    for (name, value) in [("caching", "None"), ("deleteOption", "Detach")] {
        if entry.get(name).is_none() {
            entry[name] = json!(value);
        }
    }
}

/// Whether it is no resource: on a page blob, or on the host alone.
fn is_elsewhere(entry: &Value) -> bool {
    ["vhd", "diffDiskSettings"].iter().any(|it| entry.get(*it).is_some())
}

fn disk_of(entry: &Value) -> Result<Option<ResourceId>> {
    let Some(text) = entry["managedDisk"]["id"].as_str() else { return Ok(None) };
    let bad = |_| codes::INVALID_PARAMETER.with(["managedDisk.id"]).at("managedDisk.id");
    ResourceId::parse(text).map(Some).map_err(bad)
}

fn entries(vm: &Resource) -> impl Iterator<Item = &Value> {
    let data = vm.property("storageProfile/dataDisks").and_then(Value::as_array);
    vm.property("storageProfile/osDisk").into_iter().chain(data.into_iter().flatten())
}

/// The disks that a machine has, its system's first.
pub(super) fn ids(vm: &Resource) -> Vec<ResourceId> {
    entries(vm).filter_map(|it| disk_of(it).ok().flatten()).collect()
}

/// Whether any disk of the machine is a resource.
pub(super) fn is_managed(vm: &Resource) -> bool {
    entries(vm).all(|it| it.get("vhd").is_none())
}

/// A disk is nobody's again, if it was this machine's.
fn release(txn: &mut Txn, disk: &ResourceId, vm: &ResourceId) -> Result<()> {
    match resources::get(txn, disk)? {
        Some(mut disk) if disks::owner(&disk).as_ref() == Some(vm) => {
            disk.managed_by = None;
            resources::put(txn, &disk)
        }
        _ => Ok(()),
    }
}

/// The machine ends: its disks are nobody's. Gives those that were to go along.
pub(super) fn let_go(txn: &mut Txn, vm: &Resource) -> Result<Vec<ResourceId>> {
    let mut leaving = Vec::new();
    for entry in entries(vm) {
        let Some(id) = disk_of(entry)? else { continue };
        release(txn, &id, &vm.id)?;
        if entry["deleteOption"] == "Delete" {
            leaving.push(id);
        }
    }
    Ok(leaving)
}

/// The machine has another id: its disks are that one's.
pub(super) fn moved(txn: &mut Txn, vm: &Resource, to: &ResourceId) -> Result<()> {
    for id in ids(vm) {
        if let Some(mut disk) =
            resources::get(txn, &id)?.filter(|it| disks::owner(it).as_ref() == Some(&vm.id))
        {
            disk.managed_by = Some(to.to_string());
            resources::put(txn, &disk)?;
        }
    }
    Ok(())
}

/// A disk has changed: the machine that has it shows what it is now.
pub(super) fn follow(txn: &mut Txn, disk: &Resource) -> Result<()> {
    let Some(owner) = disks::owner(disk) else { return Ok(()) };
    let Some(mut vm) = resources::get(txn, &owner)? else { return Ok(()) };
    let Some(storage) = vm.properties.get_mut("storageProfile") else { return Ok(()) };
    let is_its = |it: &Value| disk_of(it).ok().flatten().as_ref() == Some(&disk.id);
    if let Some(entry) = storage.get_mut("osDisk").filter(|it| is_its(it)) {
        write(entry, disk);
    }
    let data = storage.get_mut("dataDisks").and_then(Value::as_array_mut);
    data.into_iter().flatten().filter(|it| is_its(it)).for_each(|it| write(it, disk));
    resources::put(txn, &vm)
}

/// `POST {vm}/attachDetachDataDisks`: answers the storage profile that comes of it.
pub(super) fn attach_detach(call: &mut Call<'_>) -> Result<Answer> {
    let vm = call.resource.expect("a verb on a row has its row");
    let before = ids(vm);
    let mut list = vm.property("storageProfile/dataDisks").and_then(Value::as_array).cloned();
    let list = list.get_or_insert_default();
    for asked in listed(call.body, "dataDisksToDetach") {
        let at = list.iter().position(|it| is_one(it, asked));
        let absent = || codes::DISK_NOT_OF_VM.with([asked["diskId"].as_str().unwrap_or_default(), vm.name()]);
        list.remove(at.ok_or_else(absent)?);
    }
    for asked in listed(call.body, "dataDisksToAttach") {
        let entry = to_attach(list, asked)?;
        list.push(entry);
    }
    let mut next = vm.clone();
    (next.etag, next.changed) = (call.draw.guid(), call.cx.now);
    let mut entries = Value::Array(std::mem::take(list));
    let mut change = Change {
        cx: call.cx,
        txn: &mut *call.txn,
        permit: call.permit,
        draw: &mut *call.draw,
        version: call.version,
        current: Some(vm),
        next: &mut next,
        body: call.body,
        is_patch: true,
        action: "Microsoft.Compute/virtualMachines/attachDetachDataDisks/action",
    };
    settle_data(&mut change, &mut entries, &before, None)?;
    next.properties["storageProfile"]["dataDisks"] = entries;
    let_go_of_others(call.txn, &before, &next)?;
    links::relink(call.txn, &next.id, &before, &ids(&next))?;
    resources::put(call.txn, &next)?;
    Ok(Answer::ok(next.properties["storageProfile"].clone()))
}

fn listed<'b>(body: &'b Value, name: &str) -> impl Iterator<Item = &'b Value> {
    body.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn is_one(entry: &Value, asked: &Value) -> bool {
    let (Some(has), Some(wants)) = (entry["managedDisk"]["id"].as_str(), asked["diskId"].as_str()) else {
        return false;
    };
    has.eq_ignore_ascii_case(wants)
}

/// An entry for a disk that is to be attached, at the lowest free LUN where none is said.
fn to_attach(list: &[Value], asked: &Value) -> Result<Value> {
    let id =
        asked["diskId"].as_str().ok_or_else(|| codes::MISSING_PARAMETER.with(["diskId"]).at("diskId"))?;
    let is_free = |lun: &u64| list.iter().all(|it| it["lun"] != *lun);
    let lun = asked.get("lun").filter(|it| !it.is_null()).cloned();
    let lun = lun.or_else(|| (0..=LUN_MAX).find(is_free).map(Value::from));
    let mut entry = json!({ "lun": lun, "createOption": "Attach", "managedDisk": { "id": id } });
    for name in ["caching", "deleteOption", "writeAcceleratorEnabled"] {
        if let Some(said) = asked.get(name).filter(|it| !it.is_null()) {
            entry[name] = said.clone();
        }
    }
    Ok(entry)
}
