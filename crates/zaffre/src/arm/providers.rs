//! The providers: what `az resource` reads to choose an api-version, and what `az provider operation` shows. All
//! are registered until somebody says otherwise.

use azure::{api_version::ApiVersion, error::Result, ids::ResourceId, locations::REGIONS, rbac::Plane};
use serde_json::{Value, json};

use super::{
    Arm, codes,
    demands::{self, Demand},
    kind::{Answer, Call, Kind, Located, Provider},
    own,
    types::Types,
};
use crate::{
    resources::{self, Resource, registrations},
    store::Txn,
};

pub(super) fn list(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let mut value = Vec::new();
    for provider in types.providers() {
        value.push(document(types, call, provider.namespace)?);
    }
    let said = registrations::all(call.txn)?.into_iter();
    for other in said.filter(|it| it.is_registered && types.provider(&it.namespace).is_none()) {
        value.push(document(types, call, &other.namespace)?);
    }
    Ok(Answer::ok(json!({ "value": value })))
}

pub(super) fn get(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let namespace = call.parameter("namespace");
    let is_known = types.provider(namespace).is_some() || registrations::get(call.txn, namespace)?.is_some();
    match is_known {
        true => Ok(Answer::ok(document(types, call, namespace)?)),
        false => Err(codes::INVALID_NAMESPACE.with([namespace])),
    }
}

/// A namespace that nobody here provides may be registered too: its types are plain documents.
pub(super) fn register(types: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let namespace = call.parameter("namespace").to_owned();
    if types.provider(&namespace).is_none() && !namespace.contains('.') {
        return Err(codes::INVALID_NAMESPACE.with([namespace]));
    }
    registrations::put(call.txn, &namespace, true)?;
    Ok(Answer::ok(document(types, call, &namespace)?))
}

/// Refused while there are resources of its types.
pub(super) fn unregister(types: &Types, call: &mut Call<'_>) -> Result<Answer> {
    let namespace = call.parameter("namespace").to_owned();
    if types.provider(&namespace).is_none() && registrations::get(call.txn, &namespace)?.is_none() {
        return Err(codes::INVALID_NAMESPACE.with([namespace]));
    }
    if is_free(&namespace) {
        return Err(codes::ALWAYS_REGISTERED.with([namespace]));
    }
    let subscription = own::scope_of(call.id);
    let all = resources::within(call.txn, &subscription, None, usize::MAX)?;
    let is_its = |it: &&Resource| it.id.namespace().is_some_and(|its| its.eq_ignore_ascii_case(&namespace));
    if let Some(left) = all.iter().find(is_its) {
        return Err(codes::PROVIDER_IN_USE.with([namespace, left.id.to_string()]));
    }
    registrations::put(call.txn, &namespace, false)?;
    Ok(Answer::ok(document(types, call, &namespace)?))
}

/// Refuses a new resource of a namespace that was unregistered.
pub(super) fn check_registered(txn: &Txn, type_name: &str) -> Result<()> {
    let namespace = type_name.split('/').next().unwrap_or_default();
    match registrations::is_unregistered(txn, namespace)? {
        true => Err(codes::NOT_REGISTERED.with([namespace])),
        false => Ok(()),
    }
}

/// Those that need no registration (documented: Azure resource providers and types).
fn is_free(namespace: &str) -> bool {
    ["Microsoft.Resources", "Microsoft.Authorization", "Microsoft.Management"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(namespace))
}

fn document<T: std::ops::Deref<Target = Txn>>(
    types: &Types,
    call: &Call<'_, T>,
    namespace: &str,
) -> Result<Value> {
    let scope = match call.parameter("subscription") {
        "" => String::new(),
        subscription => format!("/subscriptions/{}", subscription.to_ascii_lowercase()),
    };
    let provider = types.provider(namespace);
    let said = registrations::get(&call.txn, namespace)?;
    let spelled = match (provider, &said) {
        (Some(provider), _) => provider.namespace,
        (None, Some(said)) => &said.namespace,
        (None, None) => namespace,
    };
    let is_registered = said.as_ref().is_none_or(|it| it.is_registered);
    let kinds = provider.map(|it| it.kinds).unwrap_or_default();
    Ok(json!({
        "id": format!("{scope}/providers/{spelled}"),
        "namespace": spelled,
        "registrationPolicy": if is_free(spelled) { "RegistrationFree" } else { "RegistrationRequired" },
        "registrationState": if is_registered { "Registered" } else { "Unregistered" },
        "resourceTypes": kinds.iter().map(resource_type).collect::<Vec<_>>(),
    }))
}

impl Arm {
    /// What the template function `providers` sees.
    pub(super) fn provider_documents(&self) -> Value {
        let document = |provider: &Provider| {
            let types: Vec<Value> = provider.kinds.iter().map(resource_type).collect();
            json!({ "namespace": provider.namespace, "resourceTypes": types })
        };
        self.types.providers().map(document).collect()
    }

    /// The newest api-version of a stored resource's type.
    pub(super) fn newest_version(&self, id: &ResourceId) -> Result<String> {
        let versions = self.types.of(id)?.kind.versions;
        Ok(versions.iter().max().map_or_else(|| "2024-11-01".to_owned(), |it| it.as_str().to_owned()))
    }
}

/// Newest version first: the first that is no preview is what clients take (arm.md §9).
fn resource_type(kind: &Kind) -> Value {
    let mut versions: Vec<&ApiVersion> = kind.versions.iter().collect();
    versions.sort_by(|one, other| other.cmp(one));
    let is_placed = kind.location == Located::Required;
    let locations: Vec<&str> =
        if is_placed { REGIONS.iter().map(|region| region.display_name).collect() } else { Vec::new() };
    let capabilities = if is_placed { "SupportsTags, SupportsLocation" } else { "None" };
    json!({
        "resourceType": kind.name,
        "locations": locations,
        "apiVersions": versions.into_iter().map(ApiVersion::as_str).collect::<Vec<_>>(),
        "capabilities": capabilities,
    })
}

/// Every operation of a provider that a role can name.
pub(super) fn operations(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let namespace = call.parameter("namespace");
    let Some(provider) = types.provider(namespace) else {
        return Err(codes::INVALID_NAMESPACE.with([namespace]));
    };
    let all = demands::of_types(types);
    let value: Vec<Value> = demands_of(&all, provider).map(operation).collect();
    Ok(Answer::ok(json!({ "value": value })))
}

fn demands_of<'d>(all: &'d [Demand], provider: &Provider) -> impl Iterator<Item = &'d Demand> {
    let namespace = provider.namespace;
    all.iter().filter(move |it| it.namespace().eq_ignore_ascii_case(namespace))
}

fn operation(demand: &Demand) -> Value {
    let display = json!({
        "provider": demand.namespace(),
        "resource": demand.resource_type(),
        "operation": demand.operation(),
        "description": described(demand),
    });
    json!({ "name": demand.action, "isDataAction": is_data(demand), "display": display })
}

fn is_data(demand: &Demand) -> bool {
    demand.plane != Plane::Control
}

fn described(demand: &Demand) -> String {
    match demand.resource_type() {
        "" => demand.operation().to_owned(),
        kind => format!("{} on {kind}", demand.operation()),
    }
}

/// The operations of every provider, as roles name them: what `az provider operation list` shows.
pub(super) fn metadata(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let all = demands::of_types(types);
    let value: Vec<Value> = types.providers().map(|provider| metadata_of(&all, provider, call)).collect();
    Ok(Answer::ok(json!({ "value": value })))
}

/// The same of one provider.
pub(super) fn metadata_of_one(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let namespace = call.parameter("namespace");
    match types.provider(namespace) {
        Some(provider) => Ok(Answer::ok(metadata_of(&demands::of_types(types), provider, call))),
        None => Err(codes::INVALID_NAMESPACE.with([namespace])),
    }
}

/// What is done to a type is told with the type, and only where `$expand` says so (unverified for other words).
fn metadata_of(all: &[Demand], provider: &Provider, call: &Call<'_, &Txn>) -> Value {
    let demands: Vec<&Demand> = demands_of(all, provider).collect();
    let expanded = call.query("$expand").is_some_and(|it| it.eq_ignore_ascii_case("resourceTypes"));
    let mut kinds: Vec<&str> =
        demands.iter().map(|it| it.resource_type()).filter(|kind| !kind.is_empty()).collect();
    kinds.sort_by_key(|kind| kind.to_ascii_lowercase());
    kinds.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    let of = |kind: &str| -> Vec<Value> {
        let mine = demands.iter().filter(|it| it.resource_type().eq_ignore_ascii_case(kind));
        mine.map(|demand| plain_operation(demand)).collect()
    };
    let kinds = kinds.iter().filter(|_| expanded);
    let kinds: Vec<Value> =
        kinds.map(|kind| json!({ "name": kind, "displayName": kind, "operations": of(kind) })).collect();
    json!({
        "displayName": provider.namespace,
        "id": format!("/providers/Microsoft.Authorization/providerOperations/{}", provider.namespace),
        "name": provider.namespace,
        "operations": of(""),
        "resourceTypes": kinds,
        "type": "Microsoft.Authorization/providerOperations",
    })
}

fn plain_operation(demand: &Demand) -> Value {
    json!({
        "name": demand.action,
        "displayName": demand.operation(),
        "description": described(demand),
        "origin": "user,system",
        "properties": null,
        "isDataAction": is_data(demand),
    })
}
