//! `/metadata/attested/document`: what a machine may show to others, signed (imds.md §6).
//!
//! The document is a PKCS#7 message in base64, signed by a key that the certificate authority of this machine certifies for
//! `metadata.azure.com`. Whoever checks it trusts that authority (`zaffre env` names its bundle), fetches its certificate from
//! where the signer's says, or finds it in the message.

use azure::{cms, error::Result, text, time::Timestamp};
use serde_json::{Map, Value, json};

use super::{codes, instance, machine::Machine};
use crate::{
    StartError,
    front::ca::Authority,
    keys,
    service::{Cx, Fault, Parts, Reply},
};

/// For how long a document says that it holds.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(6 * 60 * 60);
/// The specification of the REST interface; its page of documentation says ten digits (imds.md §6).
const NONCE_CHARS: usize = 32;

/// A document that is asked for.
pub(crate) struct Asked {
    nonce: Option<String>,
    version: &'static str,
}

impl Asked {
    pub(super) fn read(parts: &Parts, version: &'static str) -> Result<Self> {
        let nonce = parts.query("nonce").map(str::to_owned);
        let is_plain = |it: &String| {
            (1..=NONCE_CHARS).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        match nonce.as_ref().is_none_or(is_plain) {
            true => Ok(Asked { nonce, version }),
            false => Err((&codes::BAD_NONCE).into()),
        }
    }
}

pub(super) async fn answer(cx: &Cx, machine: &Machine, asked: &Asked) -> Result<Reply> {
    let content = content(cx.now, machine, asked).to_string();
    let authority = cx.env.authority.get().cloned();
    let authority = authority.ok_or_else(|| Fault::Unavailable.because("there is no authority"))?;
    let now = cx.now;
    let signed = tokio::task::spawn_blocking(move || signed(&authority, content.as_bytes(), now));
    let signed = signed.await.map_err(|failed| Fault::Internal.because(failed))?;
    let signed = signed.map_err(|why| Fault::Internal.because(why))?;
    Ok(Reply::json(200, &json!({ "encoding": "pkcs7", "signature": text::base64(signed) })))
}

fn signed(authority: &Authority, content: &[u8], now: Timestamp) -> Result<Vec<u8>, StartError> {
    let (key, issuer) = (authority.document_key()?, authority.certificate_der()?);
    let attributes = cms::signed_attributes(&keys::sha256(content), now);
    let signature = key.sign(&attributes);
    let message = cms::signed_message(content, &attributes, &signature, &[&key.certificate, &issuer]);
    message.ok_or_else(|| "the signer's certificate cannot be read".into())
}

/// What is signed, as far as the version has it.
fn content(now: Timestamp, machine: &Machine, asked: &Asked) -> Value {
    let compute = instance::compute(&machine.vm);
    let nonce = asked.nonce.clone().unwrap_or_else(|| default_nonce(now));
    let mut content = Map::from_iter([
        ("nonce".to_owned(), json!(nonce)),
        ("plan".to_owned(), compute["plan"].clone()),
        ("timeStamp".to_owned(), json!({ "createdOn": stamp(now), "expiresOn": stamp(now.plus(LIFETIME)) })),
        ("vmId".to_owned(), compute["vmId"].clone()),
    ]);
    for (name, since) in
        [("subscriptionId", "2019-04-30"), ("sku", "2019-11-01"), ("licenseType", "2020-09-01")]
    {
        if asked.version >= since {
            content.insert(name.to_owned(), compute[name].clone());
        }
    }
    Value::Object(content)
}

/// `20201130-211924`.
fn default_nonce(now: Timestamp) -> String {
    let c = now.civil();
    format!("{:04}{:02}{:02}-{:02}{:02}{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `11/28/18 00:16:17 -0000`.
fn stamp(at: Timestamp) -> String {
    let c = at.civil();
    let year = c.year % 100;
    format!("{:02}/{:02}/{year:02} {:02}:{:02}:{:02} -0000", c.month, c.day, c.hour, c.minute, c.second)
}
