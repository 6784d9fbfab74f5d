//! Microsoft.Network, as far as a virtual machine needs it: networks and their subnets, security groups and
//! their rules, public addresses, interfaces (resources.md §3).
//!
//! - `vnets.rs`, `subnets.rs`, `groups.rs`, `rules.rs`, `public.rs`, `interfaces.rs`: a type each.
//! - `peerings.rs`: networks that are joined.
//! - `instances.rs`: places in subnets for the instances of scale sets.
//! - `inbound.rs`: whether a machine can be reached from outside.
//! - `nested.rs`: lists inside a parent's properties whose items are resources of their own.
//! - `places.rs`: where a machine is, and what security rules stand around it.
//! - `addresses.rs`: which addresses are taken, by whom. `lookups.rs`: how clients ask what is free.
//! - `codes.rs`: Network's own errors.
//!
//! These are documents with rules. What a guest makes of its interface is the reconciler's.

mod addresses;
mod codes;
mod groups;
pub(crate) mod inbound;
pub(crate) mod instances;
mod interfaces;
mod lookups;
mod nested;
mod peerings;
pub(crate) mod places;
mod public;
mod rules;
mod subnets;
mod vnets;

use azure::{
    api_version::ApiVersion,
    error::{Error, Result},
    ids::{Guid, ResourceId},
    names::BadName,
};
use serde_json::{Map, Value, json};

use crate::{
    arm::kind::{Change, Kind, Link, Located, Moves, Provider, Verb, View},
    resources::{self, Resource},
    store::Txn,
};

const fn v(text: &'static str) -> ApiVersion {
    ApiVersion::of(text)
}

/// Those that az and the SDKs were seen to send, oldest first (resources.md §3, az-cli.md §12).
static VERSIONS: [ApiVersion; 14] = [
    v("2015-06-15"),
    v("2016-09-01"),
    v("2017-11-01"),
    v("2018-01-01"),
    v("2018-11-01"),
    v("2019-11-01"),
    v("2020-11-01"),
    v("2021-08-01"),
    v("2022-01-01"),
    v("2022-11-01"),
    v("2023-09-01"),
    v("2024-05-01"),
    v("2024-07-01"),
    v("2025-07-01"),
];

const PEER: &str = "Microsoft.Network/virtualNetworks/peer/action";
const JOIN_GROUP: &str = "Microsoft.Network/networkSecurityGroups/join/action";

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Network",
    kinds: &[
        Kind {
            put: vnets::put,
            moves: Moves::With(addresses::moved),
            view: vnets::view,
            beside: etag,
            actions: &[Verb::get(
                "CheckIPAddressAvailability",
                "checkIpAddressAvailability/read",
                lookups::ip_address,
            )],
            links: &[
                Link { path: "subnets/*/properties/networkSecurityGroup/id", action: JOIN_GROUP },
                Link { path: "virtualNetworkPeerings/*/properties/remoteVirtualNetwork/id", action: PEER },
            ],
            bad_name: Some(bad_name),
            ..Kind::tracked("virtualNetworks", &VERSIONS)
        },
        Kind {
            put: subnets::put,
            delete: subnets::delete,
            view: subnets::view,
            beside: etag,
            links: &[Link { path: "networkSecurityGroup/id", action: JOIN_GROUP }],
            bad_name: Some(bad_name),
            ..Kind::child("virtualNetworks/subnets", &VERSIONS)
        },
        Kind {
            put: peerings::put,
            delete: peerings::delete,
            view: peerings::view,
            beside: etag,
            links: &[Link { path: "remoteVirtualNetwork/id", action: PEER }],
            bad_name: Some(bad_name),
            ..Kind::child("virtualNetworks/virtualNetworkPeerings", &VERSIONS)
        },
        Kind {
            put: groups::put,
            delete: groups::delete,
            view: groups::view,
            beside: etag,
            bad_name: Some(bad_name),
            ..Kind::tracked("networkSecurityGroups", &VERSIONS)
        },
        Kind {
            put: rules::put,
            delete: rules::delete,
            beside: etag,
            bad_name: Some(bad_name),
            ..Kind::child("networkSecurityGroups/securityRules", &VERSIONS)
        },
        Kind {
            put: public::put,
            moves: Moves::With(addresses::moved),
            delete: public::delete,
            view: public::view,
            beside: etag,
            bad_name: Some(bad_name),
            ..Kind::tracked("publicIPAddresses", &VERSIONS)
        },
        Kind {
            put: interfaces::put,
            moves: Moves::With(addresses::moved),
            delete: interfaces::delete,
            view: interfaces::view,
            beside: etag,
            location: Located::Required,
            links: &[
                Link {
                    path: "ipConfigurations/*/properties/subnet/id",
                    action: "Microsoft.Network/virtualNetworks/subnets/join/action",
                },
                Link {
                    path: "ipConfigurations/*/properties/publicIPAddress/id",
                    action: "Microsoft.Network/publicIPAddresses/join/action",
                },
                Link { path: "networkSecurityGroup/id", action: JOIN_GROUP },
            ],
            bad_name: Some(bad_name),
            ..Kind::tracked("networkInterfaces", &VERSIONS)
        },
    ],
    functions: lookups::FUNCTIONS,
    data: Vec::new,
};

fn bad_name(name: &str, _: &BadName) -> Error {
    codes::BAD_NAME.with([name])
}

/// Network prints the ETag in the document too.
fn etag(view: &View<'_>) -> Result<Map<String, Value>> {
    Ok(Map::from_iter([("etag".to_owned(), json!(weak(view.resource.etag)))]))
}

fn weak(etag: Guid) -> String {
    format!("W/\"{etag}\"")
}

/// A guid of its own, for as long as it lives.
fn resource_guid(change: &mut Change<'_>) {
    let present = change.current.and_then(|it| it.property("resourceGuid")).cloned();
    let guid = present.unwrap_or_else(|| json!(change.draw.guid()));
    change.next.set("resourceGuid", guid);
}

/// A member that is absent or null takes this value.
fn or_default(
    properties: &mut Map<String, Value>,
    defaults: impl IntoIterator<Item = (&'static str, Value)>,
) {
    for (name, value) in defaults {
        if properties.get(name).is_none_or(Value::is_null) {
            properties.insert(name.to_owned(), value);
        }
    }
}

/// The id of `{"id": …}`; none where there is nothing, refused where it is no id.
fn reference(value: Option<&Value>) -> Result<Option<ResourceId>> {
    let Some(text) = value.and_then(|it| it.get("id")).and_then(Value::as_str) else { return Ok(None) };
    ResourceId::parse(text).map(Some).map_err(|_| codes::BAD_REFERENCE.with([text]))
}

/// What a resource refers to, which must be there and in its region.
fn referred(txn: &Txn, by: &Resource, id: &ResourceId) -> Result<Resource> {
    let is_near =
        |it: &Resource| it.location.is_none() || by.location.is_none() || it.location == by.location;
    let found = resources::get(txn, id)?.filter(is_near);
    found.ok_or_else(|| codes::REFERENCE_NOT_FOUND.with([id.as_str(), by.id.as_str()]))
}

/// `[{"id": …}]`.
fn ids(all: &[ResourceId]) -> Value {
    all.iter().map(|id| json!({ "id": id })).collect()
}
