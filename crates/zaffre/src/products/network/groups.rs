//! `networkSecurityGroups`: rules, those that everybody has behind one's own.

use azure::{error::Result, ids::ResourceId, security_rules::Rule};
use serde_json::{Map, Value, json};

use super::{codes, ids, nested, resource_guid, rules};
use crate::{
    arm::kind::{Change, Gone, Removal, View},
    resources::{Resource, links},
};

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    for shown in ["defaultSecurityRules", "networkInterfaces", "subnets"] {
        change.next.properties.shift_remove(shown);
    }
    resource_guid(change);
    change.cx.env.follower.wake_after(change.txn);
    rules::NESTED.write(change)
}

pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    let users = removal.users_left(&removal.resource.id)?;
    if users.is_empty() {
        return Ok(Gone::Now);
    }
    let users: Vec<&str> = users.iter().map(ResourceId::as_str).collect();
    Err(codes::GROUP_IN_USE.with([removal.resource.id.as_str(), &users.join(", ")]))
}

pub(super) fn view(view: &View<'_>) -> Result<Map<String, Value>> {
    let group = view.resource;
    let mut properties = group.properties.clone();
    let listed = rules::NESTED.listed(view.txn, group, &mut properties)?;
    let listed = listed.iter().map(|rule| nested::shown(rule, rule.properties.clone()));
    properties.insert("securityRules".to_owned(), listed.collect());
    properties.insert("defaultSecurityRules".to_owned(), DEFAULTS.iter().map(|it| it.shown(group)).collect());
    let (subnets, interfaces): (Vec<_>, Vec<_>) =
        links::users(view.txn, &group.id)?.into_iter().partition(|user| user.names().len() > 1);
    for (name, users) in [("networkInterfaces", interfaces), ("subnets", subnets)] {
        if !users.is_empty() {
            properties.insert(name.to_owned(), ids(&users));
        }
    }
    Ok(properties)
}

/// A rule that every group has and nobody changes (resources.md §3).
struct Default {
    name: &'static str,
    says: &'static str,
    direction: &'static str,
    priority: u16,
    access: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn default(
    (name, says): (&'static str, &'static str),
    (direction, priority, access): (&'static str, u16, &'static str),
    (from, to): (&'static str, &'static str),
) -> Default {
    Default { name, says, direction, priority, access, from, to }
}

static DEFAULTS: [Default; 6] = [
    default(
        ("AllowVnetInBound", "Allow inbound traffic from all VMs in VNET"),
        ("Inbound", 65000, "Allow"),
        ("VirtualNetwork", "VirtualNetwork"),
    ),
    default(
        ("AllowAzureLoadBalancerInBound", "Allow inbound traffic from azure load balancer"),
        ("Inbound", 65001, "Allow"),
        ("AzureLoadBalancer", "*"),
    ),
    default(("DenyAllInBound", "Deny all inbound traffic"), ("Inbound", 65500, "Deny"), ("*", "*")),
    default(
        ("AllowVnetOutBound", "Allow outbound traffic from all VMs to all VMs in VNET"),
        ("Outbound", 65000, "Allow"),
        ("VirtualNetwork", "VirtualNetwork"),
    ),
    default(
        ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet"),
        ("Outbound", 65001, "Allow"),
        ("*", "Internet"),
    ),
    default(("DenyAllOutBound", "Deny all outbound traffic"), ("Outbound", 65500, "Deny"), ("*", "*")),
];

/// As rules, behind a group's own.
pub(super) fn default_rules() -> impl Iterator<Item = Rule> {
    DEFAULTS.iter().filter_map(|it| Rule::parse(&it.properties()))
}

impl Default {
    fn properties(&self) -> Map<String, Value> {
        let properties = json!({
            "provisioningState": "Succeeded",
            "description": self.says,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": self.from,
            "destinationAddressPrefix": self.to,
            "access": self.access,
            "priority": self.priority,
            "direction": self.direction,
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        });
        let Value::Object(properties) = properties else { unreachable!("it is written as an object") };
        properties
    }

    fn shown(&self, group: &Resource) -> Value {
        let id = group.id.child("defaultSecurityRules", self.name);
        nested::document(
            &id,
            "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            group.etag,
            self.properties(),
        )
    }
}
