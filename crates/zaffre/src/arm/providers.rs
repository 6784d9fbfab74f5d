//! The providers: what `az resource` reads to choose an api-version. All are registered.

use azure::{api_version::ApiVersion, error::Result, ids::ResourceId, locations::REGIONS};
use serde_json::{Value, json};

use super::{
    Arm, codes,
    kind::{Answer, Call, Kind, Located, On, Provider},
    types::Types,
};
use crate::store::Txn;

pub(super) fn list(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let value: Vec<Value> = types.providers().map(|provider| document(provider, call)).collect();
    Ok(Answer::ok(json!({ "value": value })))
}

pub(super) fn get(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let namespace = call.parameter("namespace");
    match types.provider(namespace) {
        Some(provider) => Ok(Answer::ok(document(provider, call))),
        None => Err(codes::INVALID_NAMESPACE.with([namespace])),
    }
}

fn document(provider: &Provider, call: &Call<'_, &Txn>) -> Value {
    let scope = match call.parameter("subscription") {
        "" => String::new(),
        subscription => format!("/subscriptions/{}", subscription.to_ascii_lowercase()),
    };
    json!({
        "id": format!("{scope}/providers/{}", provider.namespace),
        "namespace": provider.namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": provider.kinds.iter().map(resource_type).collect::<Vec<_>>(),
    })
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
    let mut value = Vec::new();
    for kind in provider.kinds {
        let verbs = kind.actions.iter().filter(|verb| verb.method == On::Post).map(|verb| verb.action);
        for verb in ["read", "write", "delete"].into_iter().chain(verbs) {
            value.push(operation(provider, kind.name, verb));
        }
    }
    Ok(Answer::ok(json!({ "value": value })))
}

fn operation(provider: &Provider, kind: &str, verb: &str) -> Value {
    let display = json!({
        "provider": provider.namespace,
        "resource": kind,
        "operation": verb,
        "description": format!("{verb} on {kind}"),
    });
    json!({ "name": format!("{}/{kind}/{verb}", provider.namespace), "isDataAction": false, "display": display })
}
