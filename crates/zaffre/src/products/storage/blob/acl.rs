//! Who may do what with a container without being anybody: its public access, and its stored access policies, from
//! which shared access signatures take their terms (blob.md §6, §7).

use azure::{
    error::Result,
    sas::{Permissions, Terms},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    codes,
    conditions::Write,
    containers, elements,
    headers::{self, public_access},
    op::Op,
    records::{CONTAINERS, Container, PublicAccess},
    xml::Xml,
};
use crate::service::{Body, Cx, Reply};

/// Five policies of the longest kind are far smaller.
const MAX_BYTES: usize = 64 << 10;
const MAX_POLICIES: usize = 5;
const MAX_ID_CHARS: usize = 64;

/// A `SignedIdentifier`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPolicy {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<Timestamp>,
    /// As it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
}

impl StoredPolicy {
    /// What it gives to a signature that names it. No letters at all are as good as none given.
    pub(super) fn terms(&self) -> Terms {
        let permission = self.permission.as_deref().filter(|text| !text.is_empty());
        Terms {
            start: self.start,
            expiry: self.expiry,
            permissions: permission.and_then(Permissions::of_policy),
        }
    }
}

pub(super) fn get(container: &Container) -> Reply {
    let mut xml = Xml::new();
    xml.open("SignedIdentifiers");
    for policy in &container.policies {
        print(&mut xml, policy);
    }
    xml.close("SignedIdentifiers");
    let mut reply = Reply::new(200).typed("application/xml", xml.finish());
    headers::stamp(&mut reply, container.stamp());
    public_access(&mut reply, container.public_access);
    reply
}

fn print(xml: &mut Xml, policy: &StoredPolicy) {
    xml.open("SignedIdentifier");
    xml.element("Id", &policy.id);
    xml.open("AccessPolicy");
    for (name, time) in [("Start", policy.start), ("Expiry", policy.expiry)] {
        if let Some(time) = time {
            xml.element(name, &time.iso());
        }
    }
    if let Some(permission) = &policy.permission {
        xml.element("Permission", permission);
    }
    xml.close("AccessPolicy");
    xml.close("SignedIdentifier");
}

/// Replaces both: what is not said is taken away.
pub(super) async fn set(cx: &Cx, op: &Op, access: PublicAccess, body: Body) -> Result<Reply> {
    let bytes = body.bytes(MAX_BYTES).await?;
    let policies = if bytes.is_empty() { Vec::new() } else { parse(&bytes)? };
    let container = cx.write(|txn| {
        let key = containers::key(op);
        let mut container = CONTAINERS.get(txn, &key)?.ok_or_else(|| codes::CONTAINER_NOT_FOUND.bare())?;
        op.conditions.judge_write(Some(container.stamp()), Write::Change)?;
        container.public_access = access;
        container.policies.clone_from(&policies);
        container.touch(cx.now);
        CONTAINERS.put(txn, &key, &container)?;
        Ok(container)
    });
    let mut reply = Reply::new(200);
    headers::stamp(&mut reply, container.await?.stamp());
    Ok(reply)
}

fn parse(bytes: &[u8]) -> Result<Vec<StoredPolicy>> {
    let empty = || StoredPolicy { id: String::new(), start: None, expiry: None, permission: None };
    let (mut found, mut next) = (Vec::new(), empty());
    for element in elements::read(bytes)? {
        let bad = || codes::INVALID_XML_NODE.bare().and("XmlNodeName", element.path.clone());
        let time = |text: &str| match text {
            "" => Ok(None),
            text => Timestamp::parse_iso(text).map(Some).ok_or_else(bad),
        };
        match element.path.as_str() {
            "SignedIdentifiers" | "SignedIdentifiers/SignedIdentifier/AccessPolicy" => {}
            "SignedIdentifiers/SignedIdentifier/Id" => next.id.clone_from(&element.text),
            "SignedIdentifiers/SignedIdentifier/AccessPolicy/Start" => next.start = time(&element.text)?,
            "SignedIdentifiers/SignedIdentifier/AccessPolicy/Expiry" => next.expiry = time(&element.text)?,
            "SignedIdentifiers/SignedIdentifier/AccessPolicy/Permission" => {
                Permissions::of_policy(&element.text).ok_or_else(bad)?;
                next.permission = Some(element.text.clone());
            }
            "SignedIdentifiers/SignedIdentifier" => {
                let is_known = found.iter().any(|other: &StoredPolicy| other.id == next.id);
                if next.id.is_empty() || next.id.chars().count() > MAX_ID_CHARS || is_known {
                    return Err(bad());
                }
                found.push(std::mem::replace(&mut next, empty()));
            }
            _ => return Err(codes::INVALID_XML.bare()),
        }
    }
    if found.len() > MAX_POLICIES { Err(codes::INVALID_XML.bare()) } else { Ok(found) }
}
