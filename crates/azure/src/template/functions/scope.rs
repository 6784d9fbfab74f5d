//! What an expression asks of the place where it stands: names, loops, the deployment's surroundings.

use serde_json::Value;

use super::{Arguments, codes, hash, shown};
use crate::{
    error::Result,
    template::{
        ast::Call,
        evaluate::{Outcome, Scope, Stand, later, member},
    },
};

pub(super) fn parameters(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    scope.names.parameter(&name_of(scope, call)?)
}

pub(super) fn variables(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    scope.names.variable(&name_of(scope, call)?).map(Outcome::Known)
}

/// A name may be worked out, but not by asking the cloud.
fn name_of(scope: &Scope<'_>, call: &Call) -> Result<String> {
    match scope.settled(&call.arguments[0])? {
        Value::String(name) => Ok(name),
        other => Err(codes::ARGUMENT.with([&call.name, "1", "String", super::type_of(&other)])),
    }
}

/// `copyIndex()`, `copyIndex(offset)`, `copyIndex('loop')`, `copyIndex('loop', offset)`.
pub(super) fn copy_index(scope: &Scope<'_>, call: &Call) -> Result<Outcome> {
    let values: Vec<Value> = call.arguments.iter().map(|it| scope.settled(it)).collect::<Result<_>>()?;
    let (name, offset) = match values.as_slice() {
        [] => (None, 0),
        [Value::String(name)] => (Some(name), 0),
        [Value::Number(offset)] => (None, offset.as_i64().unwrap_or(0)),
        [Value::String(name), Value::Number(offset)] => (Some(name), offset.as_i64().unwrap_or(0)),
        [Value::String(_), other, ..] => {
            return Err(codes::ARGUMENT.with(["copyIndex", "2", "Integer", super::type_of(other)]));
        }
        [other, ..] => return Err(codes::ARGUMENT.with(["copyIndex", "1", "String", super::type_of(other)])),
    };
    let loops = &scope.loops;
    let found = match name {
        Some(name) => loops.iter().rev().find(|it| it.name.eq_ignore_ascii_case(name)),
        None => loops.iter().rev().find(|it| it.of_resource).or(loops.last()),
    };
    match found {
        Some(turn) => Ok(Outcome::Known(turn.index.saturating_add(offset).into())),
        None if scope.has_inner_loops => Ok(later(call, values.into_iter().map(Outcome::Known).collect())),
        None => Err((&codes::NO_COPY).into()),
    }
}

/// Only in a parameter's default. Which one it is among several follows from what was drawn before.
pub(super) fn new_guid(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    if scope.stand != Stand::Default {
        return Err(codes::NOT_EXPECTED.with([arguments.function]));
    }
    let draws = &scope.tally.draws;
    let mut bytes = hash::named(&scope.context.chance.0, &draws.get().to_string()).0;
    draws.set(draws.get() + 1);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    Ok(crate::ids::Guid(bytes).to_string().into())
}

/// What there is, or the refusal of a function that has no meaning at this scope.
fn given(arguments: &Arguments<'_>, value: &Value) -> Result<Value> {
    if value.is_null() { Err(codes::NOT_IN_SCOPE.with([arguments.function])) } else { Ok(value.clone()) }
}

pub(super) fn deployment(scope: &Scope<'_>, _: &Arguments<'_>) -> Result<Value> {
    Ok(scope.context.deployment.clone())
}

pub(super) fn deployer(scope: &Scope<'_>, _: &Arguments<'_>) -> Result<Value> {
    Ok(scope.context.deployer.clone())
}

pub(super) fn environment(scope: &Scope<'_>, _: &Arguments<'_>) -> Result<Value> {
    Ok(scope.context.environment.clone())
}

pub(super) fn tenant(scope: &Scope<'_>, _: &Arguments<'_>) -> Result<Value> {
    Ok(scope.context.tenant.clone())
}

pub(super) fn subscription(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    given(arguments, &scope.context.subscription)
}

pub(super) fn resource_group(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    given(arguments, &scope.context.group)
}

pub(super) fn management_group(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    given(arguments, &scope.context.management_group)
}

/// What a provider says of itself, or of one of its types.
pub(super) fn providers(scope: &Scope<'_>, arguments: &Arguments<'_>) -> Result<Value> {
    let namespace = arguments.text(0)?;
    let unknown = |what: &str| codes::NO_PROVIDER.with([what]);
    let named = |value: &&Value, name: &str, wanted: &str| {
        value.get(name).and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(wanted))
    };
    let all = scope.context.providers.as_array().map_or(&[][..], Vec::as_slice);
    let provider =
        all.iter().find(|it| named(it, "namespace", namespace)).ok_or_else(|| unknown(namespace))?;
    let Some(kind) = arguments.maybe(1).map(shown) else { return Ok(provider.clone()) };
    let types = provider.as_object().and_then(|it| member(it, "resourceTypes")).and_then(Value::as_array);
    let found = types.and_then(|it| it.iter().find(|it| named(it, "resourceType", &kind)));
    found.cloned().ok_or_else(|| unknown(&format!("{namespace}/{kind}")))
}

/// Regions without zones of their own: those whose public page lists none (general knowledge, unverified).
static WITHOUT_ZONES: &[&str] = &[
    "westus",
    "northcentralus",
    "westcentralus",
    "ukwest",
    "canadaeast",
    "australiasoutheast",
    "southindia",
    "westindia",
    "koreasouth",
    "francesouth",
    "germanynorth",
    "norwaywest",
    "switzerlandwest",
    "uaecentral",
    "brazilsoutheast",
    "global",
];

/// The types that lie in zones: those whose documents take `zones`, and storage accounts, which the documentation's own
/// sample asks for (azure-docs-json-samples, pickzones-cosmosdb.json). The platform's list is its `zoneMappings`, of
/// which no copy was found: unverified beyond these.
const ZONED: [&str; 15] = [
    "Microsoft.Cache/redis",
    "Microsoft.Compute/disks",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.DBforMySQL/flexibleServers",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.Network/applicationGateways",
    "Microsoft.Network/azureFirewalls",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/publicIPPrefixes",
    "Microsoft.Storage/storageAccounts",
];

/// The zones of a type in a region: three, or none at all.
pub(super) fn pick_zones(arguments: &Arguments<'_>) -> Result<Value> {
    let location = crate::locations::normalize(arguments.text(2)?).into_owned();
    let name = format!("{}/{}", arguments.text(0)?, arguments.text(1)?);
    let count = arguments.maybe(3).map_or(Ok(1), |_| arguments.int(3))?;
    let offset = arguments.maybe(4).map_or(Ok(0), |_| arguments.int(4))?;
    let has_zones = ZONED.iter().any(|zoned| zoned.eq_ignore_ascii_case(&name));
    if !has_zones || WITHOUT_ZONES.contains(&location.as_str()) {
        return Ok(Value::Array(Vec::new()));
    }
    if count < 1 || offset < 0 || count.saturating_add(offset) > 3 {
        return Err(codes::NO_ZONES.with([count.to_string(), offset.to_string()]));
    }
    Ok((1..=3).skip(offset as usize).take(count as usize).map(|zone| Value::from(zone.to_string())).collect())
}
