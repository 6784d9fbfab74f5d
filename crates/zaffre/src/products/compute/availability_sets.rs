//! `availabilitySets`: machines that do not fail together. A machine is in a set from its making to its end.
//!
//! Who is in a set is known by `resources::links`. The domains a machine is given are kept with it, where its instance view and
//! its metadata read them: the one that has the fewest of the set's machines, the lowest of these.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{attached, codes};
use crate::{
    arm::kind::{Change, Gone, Removal, View},
    resources::{self, Resource, links},
    store::Txn,
};

const TYPE: &str = "Microsoft.Compute/availabilitySets";

/// What is counted: the property of a set, how many there may be and how many there are where nothing is said, and the
/// property of a machine that says in which it is.
const DOMAINS: [(&str, u64, u64, &str); 2] = [
    ("platformFaultDomainCount", 3, 2, "platformFaultDomain"),
    ("platformUpdateDomainCount", 20, 5, "platformUpdateDomain"),
];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let next = &mut *change.next;
    attached::prune(&mut next.properties);
    next.properties.shift_remove("virtualMachines");
    next.properties.shift_remove("statuses");
    settle_sku(next, change.current)?;
    for (name, most, usual, _) in DOMAINS {
        let present = change.current.and_then(|it| it.property(name)).cloned();
        let said = next.property(name).cloned();
        let count = said.or_else(|| present.clone()).unwrap_or(json!(usual));
        if !count.as_u64().is_some_and(|it| (1..=most).contains(&it)) {
            let words = [count.to_string(), name.to_owned(), "1".to_owned(), most.to_string()];
            return Err(codes::OUT_OF_RANGE.with(words).at(name));
        }
        if present.is_some_and(|it| it != count) {
            return Err(codes::CHANGE_NOT_ALLOWED.with([name]).at(name));
        }
        next.set(name, count);
    }
    Ok(())
}

/// `Classic`, for disks on blobs, or `Aligned`, for managed ones: a set may be aligned later, and not the other way.
fn settle_sku(next: &mut Resource, current: Option<&Resource>) -> Result<()> {
    let name_of = |it: &Resource| it.sku.as_ref().and_then(|sku| sku["name"].as_str().map(str::to_owned));
    let present = current.and_then(name_of);
    let said = name_of(next).or_else(|| present.clone()).unwrap_or_else(|| "Classic".to_owned());
    let known = ["Classic", "Aligned"].into_iter().find(|it| it.eq_ignore_ascii_case(&said));
    let name = known.ok_or_else(|| codes::INVALID_PARAMETER.with(["sku.name"]).at("sku.name"))?;
    if present.as_deref() == Some("Aligned") && name == "Classic" {
        return Err(codes::CHANGE_NOT_ALLOWED.with(["sku.name"]).at("sku.name"));
    }
    next.sku = Some(json!({ "name": name }));
    Ok(())
}

/// The set that a machine says it is in.
pub(super) fn of(vm: &Resource) -> Result<Option<ResourceId>> {
    let Some(text) = vm.text("availabilitySet/id") else { return Ok(None) };
    let bad = |_| codes::INVALID_PARAMETER.with(["availabilitySet.id"]).at("availabilitySet.id");
    ResourceId::parse(text).map(Some).map_err(bad)
}

/// Takes a machine that is made into the set that it names; whoever is there keeps its set.
pub(super) fn join(change: &mut Change<'_>) -> Result<()> {
    let set = of(change.next)?;
    if let Some(current) = change.current {
        let is_the_same = of(current)? == set;
        let refuse = || codes::CHANGE_NOT_ALLOWED.with(["availabilitySet.id"]).at("availabilitySet.id");
        return if is_the_same { Ok(()) } else { Err(refuse()) };
    }
    let Some(id) = set else { return Ok(()) };
    let region = change.next.location.clone();
    let is_near = |it: &Resource| it.location == region && it.kind_name == TYPE;
    let absent = || codes::SOURCE_NOT_FOUND.with([id.as_str(), region.as_deref().unwrap_or_default()]);
    let set = resources::get(change.txn, &id)?.filter(is_near).ok_or_else(absent)?;
    let is_aligned = set.sku.as_ref().is_some_and(|it| it["name"] == "Aligned");
    if is_aligned != attached::is_managed(change.next) {
        return Err((&codes::SET_UNMANAGED).into());
    }
    let others = members(change.txn, &set.id)?;
    for (count, _, usual, name) in DOMAINS {
        let count = set.property(count).and_then(Value::as_u64).unwrap_or(usual);
        change.next.set(name, emptiest(&others, name, count));
    }
    Ok(())
}

/// The domain with the fewest machines, the lowest of these.
fn emptiest(machines: &[Resource], name: &str, count: u64) -> u64 {
    let held = |domain: u64| machines.iter().filter(|it| it.property(name) == Some(&json!(domain))).count();
    (0..count).min_by_key(|domain| held(*domain)).unwrap_or_default()
}

fn members(txn: &Txn, set: &ResourceId) -> Result<Vec<Resource>> {
    let ids = links::users(txn, set)?;
    ids.iter().filter_map(|id| resources::get(txn, id).transpose()).collect()
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let set = removal.resource;
    match removal.users_left(&set.id)?.is_empty() {
        true => Ok(Gone::Now),
        false => Err(codes::SET_HAS_MACHINES.with([set.name()])),
    }
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    let machines = links::users(view.txn, &view.resource.id)?;
    let listed: Vec<Value> = machines.iter().map(|id| json!({ "id": id })).collect();
    properties.insert("virtualMachines".to_owned(), json!(listed));
    Ok(properties)
}
