//! `/metadata/loadbalancer`: the addresses and rules that lead to this machine from outside (imds.md §8).
//!
//! They are read from Microsoft.Network's resources as they are stored: the machine's interfaces, their public addresses, and
//! the load balancers whose pools and rules the interfaces name. Only the Standard kind has metadata.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{
    codes,
    instance::{interfaces, referred, text},
    machine::Machine,
};
use crate::{
    resources::{self, Resource},
    service::{Cx, Reply},
    store::Txn,
};

pub(super) async fn answer(cx: &Cx, machine: &Machine) -> Result<Reply> {
    let found = cx.read(|txn| gathered(txn, &machine.vm)).await?;
    if found.addresses.is_empty() && found.inbound.is_empty() && found.outbound.is_empty() {
        return Err((&codes::NO_LOAD_BALANCER).into());
    }
    let body = json!({
        "publicIpAddresses": found.addresses,
        "inboundRules": found.inbound,
        "outboundRules": found.outbound,
    });
    Ok(Reply::json(200, &json!({ "loadbalancer": body })))
}

#[derive(Default)]
struct Gathered {
    addresses: Vec<Value>,
    inbound: Vec<Value>,
    outbound: Vec<Value>,
}

fn gathered(txn: &Txn, vm: &Resource) -> Result<Gathered> {
    let mut all = Gathered::default();
    for interface in interfaces(txn, vm)? {
        for configuration in list(interface.property("ipConfigurations")) {
            gather(txn, configuration, &mut all)?;
        }
    }
    Ok(all)
}

/// What one address of the machine is reached by.
fn gather(txn: &Txn, configuration: &Value, all: &mut Gathered) -> Result<()> {
    let private = text(configuration.pointer("/properties/privateIPAddress"));
    if let Some(public) = referred(txn, configuration.pointer("/properties/publicIPAddress"))?
        && is_standard(&public)
    {
        all.addresses.push(json!({
            "frontendIpAddress": text(public.property("ipAddress")), "privateIpAddress": private,
        }));
    }
    for pool in ids(configuration.pointer("/properties/loadBalancerBackendAddressPools")) {
        let Some(balancer) = standard_balancer(txn, &pool)? else { continue };
        let is_ours = |rule: &&Value| id_at(rule, "/properties/backendAddressPool") == Some(pool.clone());
        for rule in list(balancer.property("loadBalancingRules")).filter(is_ours) {
            all.inbound.push(inbound(txn, &balancer, rule, &private)?);
        }
        for rule in list(balancer.property("outboundRules")).filter(is_ours) {
            for frontend in ids(rule.pointer("/properties/frontendIPConfigurations")) {
                let address = frontend_address(txn, &balancer, Some(&frontend))?;
                all.outbound.push(json!({ "frontendIpAddress": address, "privateIpAddress": private }));
            }
        }
    }
    for nat in ids(configuration.pointer("/properties/loadBalancerInboundNatRules")) {
        let Some(balancer) = standard_balancer(txn, &nat)? else { continue };
        let is_it = |rule: &&Value| id_of(rule) == Some(nat.clone());
        for rule in list(balancer.property("inboundNatRules")).filter(is_it) {
            all.inbound.push(inbound(txn, &balancer, rule, &private)?);
        }
    }
    Ok(())
}

fn inbound(txn: &Txn, balancer: &Resource, rule: &Value, private: &Value) -> Result<Value> {
    let frontend = id_at(rule, "/properties/frontendIPConfiguration");
    let at = |name: &str| rule.pointer(&format!("/properties/{name}")).cloned().unwrap_or(Value::Null);
    Ok(json!({
        "frontendIpAddress": frontend_address(txn, balancer, frontend.as_ref())?,
        "protocol": at("protocol").as_str().unwrap_or_default().to_ascii_lowercase(),
        "frontendPort": at("frontendPort"),
        "backendPort": at("backendPort"),
        "privateIpAddress": private,
    }))
}

/// Its public address, else its private one.
fn frontend_address(txn: &Txn, balancer: &Resource, id: Option<&ResourceId>) -> Result<Value> {
    let is_it = |it: &&Value| id.is_some() && id_of(it).as_ref() == id;
    let found = list(balancer.property("frontendIPConfigurations")).find(is_it);
    let public = referred(txn, found.and_then(|it| it.pointer("/properties/publicIPAddress")))?;
    Ok(match public {
        Some(public) => text(public.property("ipAddress")),
        None => text(found.and_then(|it| it.pointer("/properties/privateIPAddress"))),
    })
}

/// The load balancer that a pool or a rule is inside of.
fn standard_balancer(txn: &Txn, inside: &ResourceId) -> Result<Option<Resource>> {
    let balancer = match inside.parent() {
        Some(id) => resources::get(txn, &id)?,
        None => None,
    };
    Ok(balancer.filter(is_standard))
}

fn is_standard(resource: &Resource) -> bool {
    let name = resource.sku.as_ref().and_then(|it| it.get("name")).and_then(Value::as_str);
    name.is_some_and(|it| it.eq_ignore_ascii_case("Standard"))
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn id_of(value: &Value) -> Option<ResourceId> {
    value.get("id").and_then(Value::as_str).and_then(|id| ResourceId::parse(id).ok())
}

fn id_at(value: &Value, path: &str) -> Option<ResourceId> {
    value.pointer(path).and_then(id_of)
}

fn ids(value: Option<&Value>) -> Vec<ResourceId> {
    list(value).filter_map(id_of).collect()
}
