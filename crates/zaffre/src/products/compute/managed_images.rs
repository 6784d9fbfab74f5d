//! `images`: managed images, of a machine that was generalized or of disks by themselves; and what any reference to an
//! image stands for, the platform's included.
//!
//! An image keeps what it was made of by value: the machine and its disks may go. It holds no bytes, as no disk does.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{
    attached, codes, disks,
    images::{self, System},
    machine,
};
use crate::{
    arm::{codes as arm, kind::Change},
    resources::{self, Resource},
};

const TYPE: &str = "Microsoft.Compute/images";

/// What a machine is made of.
pub(super) struct Source {
    pub(super) system: System,
    pub(super) size_gb: u64,
    /// The one that there is, of a platform image.
    pub(super) version: Option<&'static str>,
    /// LUN and size of each data disk.
    pub(super) data: Vec<(u64, u64)>,
}

/// What `imageReference` stands for. One that is neither a platform image of our table nor a managed image is nobody we
/// know: a machine takes it as it is written, since every guest is the same Linux.
pub(super) fn referred(change: &Change<'_>, reference: &Value) -> Result<Option<Source>> {
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    if let Some(id) = text("id") {
        return named(change, id);
    }
    let (Some(publisher), Some(offer), Some(sku)) = (text("publisher"), text("offer"), text("sku")) else {
        return Ok(None);
    };
    Ok(images::find(publisher, offer, sku).map(of_platform))
}

/// What an image's id stands for. A managed image must be there, near, and readable by whoever asks.
pub(super) fn named(change: &Change<'_>, id: &str) -> Result<Option<Source>> {
    if let Some(image) = images::of_id(id) {
        return Ok(Some(of_platform(image)));
    }
    let Ok(id) = ResourceId::parse(id) else {
        return Err(codes::INVALID_PARAMETER.with(["imageReference.id"]).at("imageReference.id"));
    };
    if !id.resource_type().is_some_and(|it| it.eq_ignore_ascii_case(TYPE)) {
        return Ok(None);
    }
    change.demand("Microsoft.Compute/images/read", &id)?;
    let near = resources::get(change.txn, &id)?.filter(|it| it.location == change.next.location);
    let region = change.next.location.as_deref().unwrap_or_default();
    let image = near.ok_or_else(|| codes::SOURCE_NOT_FOUND.with([id.as_str(), region]))?;
    Ok(Some(of_image(&image)))
}

fn of_platform(image: &'static images::Image) -> Source {
    Source {
        system: image.system,
        size_gb: image.system.disk_gb().into(),
        version: Some(image.version),
        data: Vec::new(),
    }
}

fn of_image(image: &Resource) -> Source {
    let system = match image.text("storageProfile/osDisk/osType") {
        Some(text) if text.eq_ignore_ascii_case("Windows") => System::Windows,
        _ => System::Linux,
    };
    let size = |disk: &Value| disk["diskSizeGB"].as_u64();
    let disk = image.property("storageProfile/osDisk");
    let listed = image.property("storageProfile/dataDisks").and_then(Value::as_array);
    Source {
        system,
        size_gb: disk.and_then(size).unwrap_or(system.disk_gb().into()),
        version: None,
        data: listed.into_iter().flatten().filter_map(|it| Some((it["lun"].as_u64()?, size(it)?))).collect(),
    }
}

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    attached::prune(&mut change.next.properties);
    if let Some(current) = change.current {
        return as_it_was(change.next, current);
    }
    let profile = match change.next.property("sourceVirtualMachine") {
        Some(source) => of_machine(change, &source["id"])?,
        None => of_disks(change)?,
    };
    change.next.set("storageProfile", profile);
    change.next.properties.entry("hyperVGeneration").or_insert_with(|| json!("V1"));
    Ok(())
}

/// An image is what it was made of; its tags alone change.
fn as_it_was(next: &mut Resource, current: &Resource) -> Result<()> {
    for (name, said) in &next.properties {
        if !current.properties.get(name).is_some_and(|present| attached::is_same(present, said)) {
            return Err(codes::CHANGE_NOT_ALLOWED.with([name]).at(name));
        }
    }
    next.properties.clone_from(&current.properties);
    Ok(())
}

fn of_machine(change: &Change<'_>, id: &Value) -> Result<Value> {
    let region = change.next.location.as_deref().unwrap_or_default();
    let absent = || codes::SOURCE_NOT_FOUND.with([id.as_str().unwrap_or_default(), region]);
    let id = ResourceId::parse(id.as_str().unwrap_or_default()).map_err(|_| absent())?;
    change.demand("Microsoft.Compute/virtualMachines/read", &id)?;
    let vm = resources::get(change.txn, &id)?.filter(|it| it.location == change.next.location);
    let vm = vm.ok_or_else(absent)?;
    let machine = machine::get(change.txn, &id)?;
    if !machine.is_some_and(|it| it.is_generalized) {
        return Err(codes::SOURCE_NOT_GENERALIZED.with([vm.id.as_str()]));
    }
    let disk = vm.property("storageProfile/osDisk").cloned().unwrap_or_default();
    let mut system = copied(&disk);
    system["osType"] = disk["osType"].clone();
    system["osState"] = json!("Generalized");
    let data = vm.property("storageProfile/dataDisks").and_then(Value::as_array);
    let data = data.into_iter().flatten().map(|it| {
        let mut disk = copied(it);
        disk["lun"] = it["lun"].clone();
        disk
    });
    Ok(json!({ "osDisk": system, "dataDisks": data.collect::<Vec<_>>(), "zoneResilient": false }))
}

/// What an image keeps of a machine's disk.
fn copied(disk: &Value) -> Value {
    json!({
        "managedDisk": { "id": disk["managedDisk"]["id"] },
        "diskSizeGB": disk["diskSizeGB"],
        "caching": disk["caching"],
        "storageAccountType": disk["managedDisk"]["storageAccountType"],
    })
}

fn of_disks(change: &Change<'_>) -> Result<Value> {
    let missing = |name: &str| codes::MISSING_PARAMETER.with([name]).at(name);
    let mut profile = change.next.property("storageProfile").cloned().unwrap_or_default();
    if !profile["osDisk"].is_object() {
        return Err(missing("image.storageProfile.osDisk"));
    }
    for (name, words) in [("osType", ["Linux", "Windows"]), ("osState", ["Generalized", "Specialized"])] {
        let said = profile["osDisk"][name].as_str();
        let said = said.ok_or_else(|| missing(&format!("image.storageProfile.osDisk.{name}")))?;
        let word = words.iter().find(|it| it.eq_ignore_ascii_case(said));
        let bad = || codes::INVALID_PARAMETER.with([format!("osDisk.{name}")]).at(name);
        profile["osDisk"][name] = json!(word.ok_or_else(bad)?);
    }
    fill(change, &mut profile["osDisk"])?;
    if profile["dataDisks"].is_null() {
        profile["dataDisks"] = json!([]);
    }
    let bad = || codes::INVALID_PARAMETER.with(["storageProfile.dataDisks"]).at("dataDisks");
    let data = profile["dataDisks"].as_array_mut().filter(|it| it.iter().all(Value::is_object));
    for disk in data.ok_or_else(bad)? {
        fill(change, disk)?;
    }
    Ok(profile)
}

/// A disk of an image is a managed disk; it takes that one's size.
fn fill(change: &Change<'_>, disk: &mut Value) -> Result<()> {
    if disk.get("blobUri").is_some() {
        return Err(arm::not_implemented("Microsoft.Compute/images of blobs"));
    }
    let name = "managedDisk.id";
    let id = disk["managedDisk"]["id"].as_str().or_else(|| disk["snapshot"]["id"].as_str());
    let id = id.ok_or_else(|| codes::MISSING_PARAMETER.with([name]).at(name))?;
    let source = disks::source(change, id)?;
    disk["diskSizeGB"] = json!(disks::size(&source));
    disk["storageAccountType"] = source.sku.as_ref().map_or(Value::Null, |it| it["name"].clone());
    if disk["caching"].is_null() {
        disk["caching"] = json!("None");
    }
    Ok(())
}
