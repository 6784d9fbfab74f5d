//! User delegation keys: a principal asks for a key, and signs with it what it may do itself (blob.md §6).
//!
//! A key is not stored. It is the HMAC of what the answer says of it, made with a secret of the account's, and every
//! signature says the same of its key: so the service makes the key again. To revoke all keys of an account is to draw
//! another secret.

use std::time::Duration;

use azure::{
    error::{Error, Result},
    sas::DelegationKey,
    text,
    time::Timestamp,
};

use super::{Found, auth, codes, elements, op::Op, xml::Xml};
use crate::{
    products::storage::keys::{ACCOUNTS, AccountKey},
    service::{Body, Cx, Permit, Reply},
};

const MAX_BYTES: usize = 4 << 10;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
const SERVICE: &str = "b";

/// What is asked for.
struct KeyInfo {
    start: Timestamp,
    expiry: Timestamp,
    delegated_tenant: String,
}

pub(super) async fn get_key(cx: &Cx, op: &Op, permit: &Permit, found: &Found, body: Body) -> Result<Reply> {
    let Some(who) = permit.caller().principal() else {
        return Err(auth::failed("Only authentication scheme Bearer is supported"));
    };
    let info = KeyInfo::parse(&body.bytes(MAX_BYTES).await?, cx.now)?;
    let secret = secret(cx, op, found).await?;
    let (start, expiry) = (info.start.iso_seconds(), info.expiry.iso_seconds());
    let (object_id, tenant) = (who.object_id.to_string(), who.tenant.to_string());
    let version = op.asked_version_text.as_deref().unwrap_or_default();
    let fields = [object_id.as_str(), &tenant, &start, &expiry, SERVICE, version];
    let value = secret.derive(&DelegationKey::message(fields, &info.delegated_tenant));
    let mut xml = Xml::new();
    xml.open("UserDelegationKey");
    let names = ["SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion"];
    for (name, text) in names.into_iter().zip(fields) {
        xml.element(name, text);
    }
    if !info.delegated_tenant.is_empty() {
        xml.element("SignedDelegatedUserTid", &info.delegated_tenant);
    }
    xml.element("Value", &text::base64(value));
    xml.close("UserDelegationKey");
    Ok(Reply::new(200).typed("application/xml", xml.finish()))
}

/// The account's secret; drawn when somebody first asks for a key.
async fn secret(cx: &Cx, op: &Op, found: &Found) -> Result<AccountKey> {
    if let Some(secret) = found.account.as_ref().and_then(|it| it.delegation.clone()) {
        return Ok(secret);
    }
    let draw = cx.draw();
    let name = op.address.account.clone();
    cx.write(|txn| {
        let mut account = ACCOUNTS.get(txn, &name)?.ok_or_else(|| codes::RESOURCE_NOT_FOUND.bare())?;
        if let Some(secret) = account.delegation {
            return Ok(secret);
        }
        let secret = AccountKey::draw(&mut draw.clone(), cx.now);
        account.delegation = Some(secret.clone());
        ACCOUNTS.put(txn, &name, &account)?;
        Ok(secret)
    })
    .await
}

impl KeyInfo {
    /// `<KeyInfo>`: a key begins now where it says no other time, and lasts for at most a week from now.
    fn parse(bytes: &[u8], now: Timestamp) -> Result<KeyInfo> {
        let (mut start, mut expiry, mut delegated_tenant) = (None, None, String::new());
        for element in elements::read(bytes)? {
            let time =
                || Timestamp::parse_iso(&element.text).ok_or_else(|| bad(&element.path, &element.text));
            match element.path.as_str() {
                "KeyInfo" => {}
                "KeyInfo/Start" if element.text.is_empty() => {}
                "KeyInfo/Start" => start = Some(time()?),
                "KeyInfo/Expiry" => expiry = Some(time()?),
                "KeyInfo/DelegatedUserTid" => delegated_tenant = element.text,
                _ => return Err(codes::INVALID_XML.bare()),
            }
        }
        let expiry = expiry.ok_or_else(|| bad("KeyInfo/Expiry", ""))?;
        let start = start.unwrap_or(now);
        if expiry <= start || expiry <= now || expiry > now.max(start).plus(LONGEST) {
            return Err(bad("KeyInfo/Expiry", &expiry.iso_seconds()));
        }
        Ok(KeyInfo { start, expiry, delegated_tenant })
    }
}

fn bad(name: &str, value: &str) -> Error {
    codes::INVALID_XML_NODE.bare().and("XmlNodeName", name).and("XmlNodeValue", value)
}
