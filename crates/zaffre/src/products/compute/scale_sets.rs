//! `virtualMachineScaleSets`, in uniform mode: one model, and as many machines of it as `sku.capacity` says.
//!
//! ```text
//! PUT, PATCH ──▶ the model, one step newer where it changed ──▶ instances.rs makes what is missing and ends what is too many
//!                                                          └──▶ with upgradePolicy Automatic, those that are there take it over
//! manualupgrade ──▶ the named instances take the model over, its identities included (resources.md §2.2)
//! ```
//!
//! What is done to several machines is one operation, which ends with the last of them (`reconcile/report.rs`). Machines are
//! made in the order of their numbers, and the youngest go first; none is made in reserve. Flexible sets, whose machines are virtual
//! machines like others, are refused by name.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{
    attached, codes, custom_data, instances,
    machine::{self, Machine},
    power, vm,
};
use crate::{
    arm::{
        codes as arm,
        kind::{Answer, Call, Change, Follow, Verb, View},
    },
    resources::{
        self, Resource, State, identity,
        operations::{self, Gives, Operation},
    },
    store::Txn,
};

/// Documented: "Virtual Machine Scale Sets FAQ": a thousand of a platform image.
const CAPACITY_MAX: u64 = 1000;
/// What is ours alone: how new the model is, and the number of the next instance.
const MODEL: &str = "model";
const NEXT: &str = "nextInstance";
const MODES: &[&str] = &["Automatic", "Manual", "Rolling"];

macro_rules! later {
    ($name:literal) => {
        Verb::post($name, concat!($name, "/action"), |_| {
            Err(arm::not_implemented(concat!("Microsoft.Compute/virtualMachineScaleSets/", $name)))
        })
    };
}

pub(super) static VERBS: &[Verb] = &[
    Verb::post("start", "start/action", |call| each(call, Follow::Status, power::start)),
    Verb::post("restart", "restart/action", |call| each(call, Follow::Status, power::restart)),
    Verb::post("redeploy", "redeploy/action", |call| each(call, Follow::Status, power::restart)),
    Verb::post("powerOff", "powerOff/action", |call| each(call, Follow::Both, power::stop)),
    Verb::post("deallocate", "deallocate/action", |call| each(call, Follow::Both, power::deallocate)),
    Verb::post("delete", "delete/action", delete_some),
    Verb::post("manualupgrade", "manualupgrade/action", upgrade),
    Verb::get("instanceView", "instanceView/read", instance_view),
    Verb::get("skus", "skus/read", skus),
    Verb::get("networkInterfaces", "networkInterfaces/read", interfaces),
    Verb::get("publicIPAddresses", "publicIPAddresses/read", |_| Ok(Answer::ok(json!({ "value": [] })))),
    Verb::post("reimage", "reimage/action", |call| each(call, Follow::Both, power::restart)),
    Verb::post("reimageall", "reimageall/action", |call| each(call, Follow::Both, power::restart)),
    later!("performMaintenance"),
];

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let current = change.current;
    attached::prune(&mut change.next.properties);
    for name in [MODEL, NEXT] {
        change.next.properties.shift_remove(name);
    }
    keep(&mut change.next.properties, current.map(|it| &it.properties));
    keep_custom_data(change)?;
    check(change.next)?;
    settle_sku(change.next, current)?;
    settle_model(change);
    let unique = change.draw.guid();
    for (name, value) in [
        ("singlePlacementGroup", json!(true)),
        ("orchestrationMode", json!("Uniform")),
        ("overprovision", json!(false)),
        ("doNotRunExtensionsOnOverprovisionedVMs", json!(false)),
        ("uniqueId", json!(unique)),
    ] {
        change.next.properties.entry(name).or_insert(value);
    }
    resize(change)?;
    if is_automatic(change.next) {
        for mut instance in instances::of(change.txn, &change.next.id)? {
            take_over(change.next, &mut instance);
            resources::put(change.txn, &instance)?;
        }
    }
    wait_for_all(change)
}

/// What the next machines are told for their beginning; never shown again.
fn keep_custom_data(change: &mut Change<'_>) -> Result<()> {
    let data = change.next.text("virtualMachineProfile/osProfile/customData").map(str::to_owned);
    match data {
        Some(data) => custom_data::keep(change.txn, &change.next.id, &data),
        // An older set of that name may have left some.
        None if change.is_create() => custom_data::delete(change.txn, &change.next.id),
        None => Ok(()),
    }
}

/// What a body leaves out stays: `az vmss scale` sends a `sku` and little else.
fn keep(properties: &mut Map<String, Value>, current: Option<&Map<String, Value>>) {
    for (name, value) in current.into_iter().flatten() {
        match (properties.get_mut(name), value) {
            (Some(Value::Object(said)), Value::Object(present)) if name == "virtualMachineProfile" => {
                for (name, value) in present {
                    said.entry(name).or_insert_with(|| value.clone());
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(properties.insert(name.clone(), value.clone())),
        }
    }
}

fn check(next: &mut Resource) -> Result<()> {
    let missing = |name: &str| codes::MISSING_PARAMETER.with([name]).at(name);
    if next.text("orchestrationMode").is_some_and(|it| !it.eq_ignore_ascii_case("Uniform")) {
        return Err(arm::not_implemented(
            "Microsoft.Compute/virtualMachineScaleSets of orchestrationMode Flexible",
        ));
    }
    let mode = next.text("upgradePolicy/mode").ok_or_else(|| missing("upgradePolicy.mode"))?;
    let known = MODES.iter().find(|it| it.eq_ignore_ascii_case(mode));
    let bad = |name: &'static str| codes::INVALID_PARAMETER.with([name]).at(name);
    let known = *known.ok_or_else(|| bad("upgradePolicy.mode"))?;
    next.properties["upgradePolicy"]["mode"] = json!(known);
    let name = next.name().to_owned();
    let profile = next.properties.get_mut("virtualMachineProfile");
    let profile = profile.ok_or_else(|| missing("virtualMachineProfile"))?;
    let profile = profile.as_object_mut().ok_or_else(|| bad("virtualMachineProfile"))?;
    for part in ["osProfile", "storageProfile", "networkProfile"] {
        if profile.get(part).is_some_and(|it| !it.is_object()) {
            return Err(bad(part));
        }
    }
    vm::forget_secrets(profile);
    let system = profile.entry("osProfile").or_insert_with(|| json!({}));
    if system.get("computerNamePrefix").is_none() {
        system["computerNamePrefix"] = json!(name);
    }
    instances::check_interfaces(profile.get("networkProfile"))
}

/// The size of the machines, and how many there should be.
fn settle_sku(next: &mut Resource, current: Option<&Resource>) -> Result<()> {
    let present = current.and_then(|it| it.sku.clone()).unwrap_or_default();
    let said = next.sku.take().unwrap_or_default();
    let of = |name: &str| match said.get(name).filter(|it| !it.is_null()) {
        Some(said) => Some(said.clone()),
        None => present.get(name).cloned(),
    };
    let name = of("name").filter(Value::is_string);
    let name = name.ok_or_else(|| codes::MISSING_PARAMETER.with(["sku"]).at("sku"))?;
    let capacity = of("capacity").unwrap_or(json!(0));
    let number = capacity.as_u64().or_else(|| capacity.as_str()?.parse().ok());
    let number = number.filter(|it| *it <= CAPACITY_MAX).ok_or_else(|| {
        let words =
            [capacity.to_string(), "sku.capacity".to_owned(), "0".to_owned(), CAPACITY_MAX.to_string()];
        codes::OUT_OF_RANGE.with(words).at("sku.capacity")
    })?;
    let tier = of("tier").unwrap_or_else(|| json!("Standard"));
    next.sku = Some(json!({ "name": name, "tier": tier, "capacity": number }));
    Ok(())
}

/// A model that says something new is a newer one.
fn settle_model(change: &mut Change<'_>) {
    let same = |it: &Resource| {
        let size = it.sku.as_ref().map(|it| it["name"].clone());
        (size, it.property("virtualMachineProfile").cloned(), identity::to_give(it), it.tags.clone())
    };
    let number = |it: &Resource, name: &str| it.property(name).and_then(Value::as_u64).unwrap_or_default();
    let (model, next) = match change.current {
        None => (1, 0),
        Some(current) if same(current) == same(change.next) => {
            (number(current, MODEL), number(current, NEXT))
        }
        Some(current) => (number(current, MODEL) + 1, number(current, NEXT)),
    };
    change.next.set(MODEL, model);
    change.next.set(NEXT, next);
}

fn is_automatic(set: &Resource) -> bool {
    set.text("upgradePolicy/mode") == Some("Automatic")
}

pub(super) fn capacity(set: &Resource) -> u64 {
    set.sku.as_ref().and_then(|it| it["capacity"].as_u64()).unwrap_or_default()
}

/// Makes what is missing, and ends what is too many, the youngest first.
fn resize(change: &mut Change<'_>) -> Result<()> {
    let there = instances::of(change.txn, &change.next.id)?;
    let wanted = usize::try_from(capacity(change.next)).unwrap_or(usize::MAX);
    for gone in there.iter().skip(wanted).rev() {
        let whole = change.next.id.clone();
        instances::end(change.cx, change.txn, change.draw, (&whole, gone))?;
    }
    for _ in there.len()..wanted {
        let number = change.next.property(NEXT).and_then(Value::as_u64).unwrap_or_default();
        change.next.set(NEXT, number + 1);
        instances::make(change, number)?;
    }
    Ok(())
}

/// The set is what its machines are: on its way while one of them is.
fn wait_for_all(change: &mut Change<'_>) -> Result<()> {
    if !change.cx.env.follower.is_there() {
        return Ok(());
    }
    let under_way = change.current.filter(|it| !it.state.is_terminal()).and_then(|it| it.operation);
    let mut waits = false;
    for (id, mut machine) in machine::within(change.txn, &change.next.id)? {
        waits |= !machine.is_as_meant();
        // Whoever follows an older change is told when all of them are done.
        if let Some(operation) = under_way.filter(|_| !machine.is_as_meant()) {
            machine.operations.push(operation);
            machine::put(change.cx, change.txn, &id, &machine)?;
        }
    }
    if waits {
        change.next.state = if change.is_create() { State::Creating } else { State::Updating };
    }
    Ok(())
}

/// An instance becomes as the model is now. Its disks, its addresses and its names are its own.
fn take_over(set: &Resource, instance: &mut Resource) {
    instance.tags.clone_from(&set.tags);
    instances::take_sku(set, instance);
    let profile = set.property("virtualMachineProfile").and_then(Value::as_object);
    for (name, value) in profile.into_iter().flatten() {
        if !["osProfile", "storageProfile", "networkProfile"].contains(&name.as_str()) {
            instance.set(name, value.clone());
        }
    }
    instance.set(MODEL, set.property(MODEL).cloned().unwrap_or_default());
    instance.set(identity::GIVEN, identity::to_give(set));
}

/// Whether an instance has the model that its set has now.
pub(super) fn is_latest(set: Option<&Resource>, instance: &Resource) -> bool {
    set.is_some_and(|set| set.property(MODEL) == instance.property(MODEL))
}

/// What is kept of a set or an instance, and shown of neither.
pub(super) fn hide(properties: &mut Map<String, Value>) {
    for name in [MODEL, NEXT, identity::GIVEN] {
        properties.shift_remove(name);
    }
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let mut properties = view.resource.properties.clone();
    hide(&mut properties);
    properties.insert("timeCreated".to_owned(), json!(view.resource.created.iso()));
    Ok(properties)
}

/// The instances that a body names: all of them where it names none.
fn named(call: &Call<'_>) -> Result<Vec<Resource>> {
    let all = instances::of(call.txn, call.id)?;
    let listed = call.body.get("instanceIds").and_then(Value::as_array);
    let Some(listed) = listed.filter(|it| !it.is_empty() && it[0] != "*") else { return Ok(all) };
    let one = |id: &Value| {
        let found = all.iter().find(|it| id.as_str() == Some(it.name()));
        let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        found.cloned().ok_or_else(|| codes::NO_SUCH_INSTANCE.with([text]).at("instanceIds"))
    };
    listed.iter().map(one).collect()
}

fn begun(call: &mut Call<'_>, set: &Resource) -> Operation {
    let who = call.permit.caller().principal().map(|it| it.object_id);
    Operation::new(call.draw.guid(), &set.id, Gives::Nothing, call.cx.now).by(who)
}

/// Something that is done to each of the named machines.
fn each(call: &mut Call<'_>, follow: Follow, settle: fn(&mut Machine)) -> Result<Answer> {
    let mut set = call.resource.expect("a verb on a row has its row").clone();
    let (wanted, operation) = (named(call)?, begun(call, &set));
    let is_followed = call.cx.env.follower.is_there() && !wanted.is_empty();
    let older = set.operation.filter(|_| is_followed && !set.state.is_terminal());
    for instance in &wanted {
        let Some(mut machine) = machine::get(call.txn, &instance.id)? else { continue };
        settle(&mut machine);
        match is_followed {
            true => machine.operations.extend([operation.id].into_iter().chain(older)),
            false => machine.seen_as_desired(call.cx.now),
        }
        machine::put(call.cx, call.txn, &instance.id, &machine)?;
    }
    if is_followed {
        (set.state, set.operation) = (State::Updating, Some(operation.id));
        operations::begin(call.txn, &operation)?;
        resources::put(call.txn, &set)?;
    } else {
        operations::begin(call.txn, &operation.clone().done())?;
    }
    Ok(Answer::begun(operation.id, follow))
}

/// `POST {set}/delete`: the named machines go, and the set is so much smaller.
fn delete_some(call: &mut Call<'_>) -> Result<Answer> {
    let mut set = call.resource.expect("a verb on a row has its row").clone();
    let (wanted, operation) = (named(call)?, begun(call, &set));
    for gone in &wanted {
        instances::end(call.cx, call.txn, call.draw, (&set.id, gone))?;
    }
    let left = instances::of(call.txn, &set.id)?.len();
    if let Some(sku) = &mut set.sku {
        sku["capacity"] = json!(left);
    }
    resources::put(call.txn, &set)?;
    operations::begin(call.txn, &operation.clone().done())?;
    Ok(Answer::begun(operation.id, Follow::Both))
}

/// `POST {set}/manualupgrade`.
fn upgrade(call: &mut Call<'_>) -> Result<Answer> {
    let set = call.resource.expect("a verb on a row has its row").clone();
    let (wanted, operation) = (named(call)?, begun(call, &set));
    for mut instance in wanted {
        take_over(&set, &mut instance);
        resources::put(call.txn, &instance)?;
    }
    operations::begin(call.txn, &operation.clone().done())?;
    Ok(Answer::begun(operation.id, Follow::Both))
}

fn instance_view(call: &Call<'_, &Txn>) -> Result<Answer> {
    let set = call.resource.expect("a verb on a row has its row");
    let mut summary: Vec<(String, u64)> = Vec::new();
    for instance in instances::of(call.txn, &set.id)? {
        let code = format!("ProvisioningState/{}", instance.state.as_str().to_lowercase());
        match summary.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => summary.push((code, 1)),
        }
    }
    let summary: Vec<Value> =
        summary.into_iter().map(|(code, count)| json!({ "code": code, "count": count })).collect();
    let state = set.state.as_str();
    let status = json!({
        "code": format!("ProvisioningState/{}", state.to_lowercase()),
        "level": "Info",
        "displayStatus": format!("Provisioning {}", state.to_lowercase()),
        "time": set.changed.iso(),
    });
    Ok(Answer::ok(json!({ "virtualMachine": { "statusesSummary": summary }, "statuses": [status] })))
}

/// The size that it has; a set of ours may have any other.
fn skus(call: &Call<'_, &Txn>) -> Result<Answer> {
    let set = call.resource.expect("a verb on a row has its row");
    let mut sku = set.sku.clone().unwrap_or_default();
    sku.as_object_mut().map(|it| it.shift_remove("capacity"));
    let capacity =
        json!({ "minimum": 0, "maximum": CAPACITY_MAX, "defaultCapacity": 1, "scaleType": "Automatic" });
    let row = json!({ "resourceType": "Microsoft.Compute/virtualMachineScaleSets", "sku": sku, "capacity": capacity });
    Ok(Answer::ok(json!({ "value": [row] })))
}

/// `GET {set}/networkInterfaces`: those of all its machines.
fn interfaces(call: &Call<'_, &Txn>) -> Result<Answer> {
    let all = resources::of_type(call.txn, instances::INTERFACES, call.id, None, usize::MAX)?;
    let shown = |it: &Resource| {
        let mut properties = it.properties.clone();
        properties.insert("provisioningState".to_owned(), json!(it.state.as_str()));
        json!({ "name": it.name(), "id": it.id, "properties": properties })
    };
    Ok(Answer::ok(json!({ "value": all.iter().map(shown).collect::<Vec<_>>() })))
}

/// The set that an instance is of.
pub(super) fn of(txn: &Txn, instance: &ResourceId) -> Result<Option<Resource>> {
    match instance.parent() {
        Some(set) => resources::get(txn, &set),
        None => Ok(None),
    }
}
