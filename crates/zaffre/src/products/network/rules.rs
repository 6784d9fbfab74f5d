//! `networkSecurityGroups/securityRules`: what may come in or go out.

use std::net::IpAddr;

use azure::{
    cidr::Cidr,
    error::{Error, Result},
};
use serde_json::{Value, json};

use super::{
    codes,
    nested::{Item, Nested},
    or_default,
};
use crate::{
    arm::kind::{Change, Gone, Removal},
    resources::Resource,
    store::Txn,
};

pub(super) static NESTED: Nested = Nested {
    member: "securityRules",
    type_name: "Microsoft.Network/networkSecurityGroups/securityRules",
    judge,
    drop: |_, _| Ok(()),
};

pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    NESTED.put(change)?;
    change.cx.env.follower.wake_after(change.txn);
    Ok(())
}

/// What it allowed or refused is judged by the rules that are left.
pub(super) fn delete(removal: &mut Removal<'_>) -> Result<Gone> {
    removal.cx.env.follower.wake_after(removal.txn);
    Ok(Gone::Now)
}

/// Members that are one of a few words, which are kept as Azure spells them.
static WORDS: &[(&str, &[&str])] = &[
    ("protocol", &["*", "Tcp", "Udp", "Icmp", "Esp", "Ah"]),
    ("access", &["Allow", "Deny"]),
    ("direction", &["Inbound", "Outbound"]),
];

fn judge(change: &mut Change<'_>, item: Item<'_>) -> Result<()> {
    let rule = item.next;
    for (member, allowed) in WORDS {
        let given = rule.text(member).unwrap_or_default();
        let known = allowed.iter().find(|it| it.eq_ignore_ascii_case(given));
        let refuse = || codes::BAD_RULE.with([rule.name(), member, given, &allowed.join(", ")]);
        rule.set(member, *known.ok_or_else(refuse)?);
    }
    let priority = rule.property("priority").cloned().unwrap_or_default();
    if !priority.as_u64().is_some_and(|it| (100..=4096).contains(&it)) {
        return Err(codes::BAD_PRIORITY.with([priority.to_string()]));
    }
    for side in ["source", "destination"] {
        each(rule, &format!("{side}PortRange"), is_port_range, |bad| codes::BAD_PORTS.with([bad]))?;
        each(rule, &format!("{side}AddressPrefix"), is_prefix, |bad| codes::BAD_ADDRESSES.with([bad]))?;
    }
    let empty =
        ["sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes"];
    or_default(&mut rule.properties, empty.map(|name| (name, json!([]))));
    alone(change.txn, item.parent, rule)
}

/// Checks the one value and the many of a member: `sourcePortRange` and `sourcePortRanges`.
fn each(rule: &Resource, one: &str, is_good: fn(&str) -> bool, bad: fn(String) -> Error) -> Result<()> {
    let plural = if one.ends_with('x') { format!("{one}es") } else { format!("{one}s") };
    let many = rule.property(&plural).and_then(Value::as_array).into_iter().flatten();
    let given = rule.property(one).filter(|it| !it.is_null()).into_iter().chain(many);
    let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    match given.map(text).find(|it| !is_good(it)) {
        Some(refused) => Err(bad(refused)),
        None => Ok(()),
    }
}

fn is_port_range(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok();
    match text.split_once('-') {
        _ if text == "*" => true,
        None => port(text).is_some(),
        Some((first, last)) => {
            matches!((port(first), port(last)), (Some(first), Some(last)) if first <= last)
        }
    }
}

/// An address, a range, or a service tag, of which only the look is known here: `Internet`, `Storage.WestEurope`.
fn is_prefix(text: &str) -> bool {
    let is_tag = || {
        text.starts_with(|it: char| it.is_ascii_alphabetic())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '.')
    };
    text == "*" || text.parse::<Cidr>().is_ok() || text.parse::<IpAddr>().is_ok() || is_tag()
}

/// No other rule of the group has its priority and direction.
fn alone(txn: &Txn, group: &Resource, rule: &Resource) -> Result<()> {
    let same = |it: &Resource| {
        ["priority", "direction"].into_iter().all(|name| it.property(name) == rule.property(name))
    };
    match NESTED.rows(txn, &group.id)?.iter().find(|it| it.id != rule.id && same(it)) {
        Some(other) => Err(codes::RULES_CONFLICT.with([rule.name(), other.name()])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_prefixes_look_as_azure_takes_them() {
        for (text, port, prefix) in [
            ("*", true, true),
            ("22", true, false),
            ("80-443", true, false),
            ("443-80", false, false),
            ("65536", false, false),
            ("10.0.0.0/8", false, true),
            ("10.0.0.4", false, true),
            ("Internet", false, true),
            ("Storage.WestEurope", false, true),
            ("", false, false),
            ("10.0.0.0/64", false, false),
        ] {
            assert_eq!((is_port_range(text), is_prefix(text)), (port, prefix), "{text}");
        }
    }
}
