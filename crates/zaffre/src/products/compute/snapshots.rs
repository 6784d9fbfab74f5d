//! `snapshots`: what a disk was at a moment, of which disks and images are made.
//!
//! One is a copy of a disk or of another snapshot, and as nothing is on a disk, it copies a size and a system: what it was
//! made of may go. Incremental or not is a word that is kept. What would move bytes is refused by name, as for disks.

use azure::error::Result;
use serde_json::{Map, Value, json};

use super::{attached, codes, disks};
use crate::{
    arm::{
        codes as arm,
        kind::{Change, Verb, View},
    },
    resources::Resource,
};

pub(super) const TYPE: &str = "Microsoft.Compute/snapshots";

/// Azure's words for how a snapshot begins; those that we do not do are refused by name.
const OPTIONS: &[&str] = &["Copy", "CopyStart", "Import", "ImportSecure", "Restore", "Upload"];
const SKUS: &[&str] = &["Standard_LRS", "Standard_ZRS", "Premium_LRS"];

pub(super) static VERBS: &[Verb] = &[
    Verb::post("beginGetAccess", "beginGetAccess/action", |_| {
        Err(arm::not_implemented("Microsoft.Compute/snapshots/beginGetAccess"))
    }),
    Verb::post("endGetAccess", "endGetAccess/action", |_| {
        Err(arm::not_implemented("Microsoft.Compute/snapshots/endGetAccess"))
    }),
];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    attached::prune(&mut change.next.properties);
    change.next.managed_by = None;
    settle_sku(change.next)?;
    let size_gb = match change.current {
        Some(current) => as_it_was(change.next, current)?,
        None => begin(change)?,
    };
    let unique = change.draw.guid();
    disks::fill_plain(change.next, size_gb, unique);
    change.next.properties.entry("incremental").or_insert(json!(false));
    Ok(())
}

/// Without one, the cheapest; `Standard` of two.
fn settle_sku(next: &mut Resource) -> Result<()> {
    let given = next.sku.as_ref().and_then(|it| it["name"].as_str()).unwrap_or("Standard_LRS");
    let name = SKUS.iter().find(|it| it.eq_ignore_ascii_case(given));
    let name = name.ok_or_else(|| codes::INVALID_PARAMETER.with(["sku.name"]))?;
    next.sku = Some(json!({ "name": name, "tier": name.split('_').next() }));
    Ok(())
}

/// What a snapshot was made of and how does not change; gives its size.
fn as_it_was(next: &mut Resource, current: &Resource) -> Result<u64> {
    let size_gb = disks::as_it_was(next, current)?;
    let incremental = next.properties.get("incremental");
    if incremental.is_some() && incremental != current.properties.get("incremental") {
        return Err(codes::CHANGE_NOT_ALLOWED.with(["incremental"]).at("incremental"));
    }
    for kept in ["incremental", "completionPercent"] {
        next.set(kept, current.properties.get(kept).cloned().unwrap_or_default());
    }
    Ok(size_gb)
}

/// How a new snapshot begins; gives the size of what it is made of.
fn begin(change: &mut Change<'_>) -> Result<u64> {
    let option = disks::option(change, "snapshot", OPTIONS)?;
    let is_started = match option {
        "Copy" => false,
        "CopyStart" => true,
        other => {
            return Err(arm::not_implemented(format!("{TYPE} of createOption '{other}'")));
        }
    };
    let name = "snapshot.creationData.sourceResourceId";
    let id = change.next.text("creationData/sourceResourceId").map(str::to_owned);
    let id = id.ok_or_else(|| codes::MISSING_PARAMETER.with([name]).at(name))?;
    let source = if is_started { started(change, &id)? } else { disks::source(change, &id)? };
    for name in ["osType", "hyperVGeneration"] {
        if let Some(value) = source.text(name) {
            change.next.set(name, value);
        }
    }
    if is_started {
        change.next.set("completionPercent", 100.0);
    }
    let of_source = json!(source.text("uniqueId"));
    if let Some(data) = change.next.properties.get_mut("creationData") {
        data["sourceUniqueId"] = of_source;
    }
    Ok(disks::size(&source))
}

/// A copy from another region, which is whole at once: of incremental snapshots into incremental snapshots.
fn started(change: &Change<'_>, id: &str) -> Result<Resource> {
    let source = disks::source_anywhere(change, id)?;
    let is_incremental = |it: &Resource| it.property("incremental") == Some(&json!(true));
    match source.kind_name == TYPE && is_incremental(&source) && is_incremental(change.next) {
        true => Ok(source),
        false => Err(codes::INVALID_PARAMETER.with(["snapshot.creationData.createOption"])),
    }
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    properties.insert("timeCreated".to_owned(), json!(view.resource.created.iso()));
    properties.insert("diskState".to_owned(), json!("Unattached"));
    Ok(properties)
}
