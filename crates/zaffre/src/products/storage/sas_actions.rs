//! `ListAccountSas` and `ListServiceSas`: Resource Manager signs with an account's key for whoever may ask it to (resources.md §4).
//!
//! The platform's answers have `sv=2015-04-05`, whatever the api-version (its own published examples), and so have these.

use azure::{
    error::{Error, Result},
    sas::{Fault, Place, Request, Sas},
    text,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{
    codes, key_actions,
    keys::{Account, AccountKey},
};
use crate::arm::{
    codes::{INVALID_CONTENT, not_implemented},
    kind::{Answer, Call},
};

const VERSION: &str = "2015-04-05";

/// A parameter of the query, and the member of the body that says what it is.
type Member = (&'static str, &'static str);

/// In the order in which the platform prints them.
const OF_ACCOUNT: [Member; 8] = [
    ("ss", "signedServices"),
    ("srt", "signedResourceTypes"),
    ("sp", "signedPermission"),
    ("st", "signedStart"),
    ("se", "signedExpiry"),
    ("sip", "signedIp"),
    ("spr", "signedProtocol"),
    ("ses", "signedEncryptionScope"),
];
const OF_SERVICE: [Member; 12] = [
    ("sr", "signedResource"),
    ("si", "signedIdentifier"),
    ("st", "signedStart"),
    ("se", "signedExpiry"),
    ("sp", "signedPermission"),
    ("sip", "signedIp"),
    ("spr", "signedProtocol"),
    ("rscc", "rscc"),
    ("rscd", "rscd"),
    ("rsce", "rsce"),
    ("rscl", "rscl"),
    ("rsct", "rsct"),
];

pub(super) fn of_account(call: &mut Call<'_>) -> Result<Answer> {
    let account = key_actions::account(call)?;
    let query = query(call.body, &OF_ACCOUNT)?;
    let token = signed(call, &account, query, Place::Account)?;
    Ok(Answer::ok(json!({ "accountSasToken": token })))
}

pub(super) fn of_service(call: &mut Call<'_>) -> Result<Answer> {
    let account = key_actions::account(call)?;
    let resource = text_of(call.body, "canonicalizedResource")?.unwrap_or_default();
    let query = query(call.body, &OF_SERVICE)?;
    let wrong = || codes::INVALID_VALUE.with([resource, "canonicalizedResource"]);
    let mut segments = resource.strip_prefix('/').ok_or_else(wrong)?.splitn(4, '/');
    match segments.next() {
        Some("blob") => {}
        Some(service @ ("file" | "queue" | "table")) => {
            return Err(not_implemented(format!("ListServiceSas of the {service} service")));
        }
        _ => return Err(wrong()),
    }
    if segments.next() != Some(call.id.name()) {
        return Err(wrong());
    }
    let container = segments.next().filter(|it| !it.is_empty()).ok_or_else(wrong)?;
    let place = match segments.next() {
        Some(name) => Place::Blob { container, name },
        None => Place::Container(container),
    };
    let token = signed(call, &account, query, place)?;
    Ok(Answer::ok(json!({ "serviceSasToken": token })))
}

/// The parameters that the body gives, times without fractions.
fn query(body: &Value, members: &[Member]) -> Result<Vec<(String, String)>> {
    let mut query = vec![("sv".to_owned(), VERSION.to_owned())];
    for (name, member) in members {
        let Some(value) = text_of(body, member)? else { continue };
        let value = match *name {
            "st" | "se" => Timestamp::parse_iso(value)
                .ok_or_else(|| codes::INVALID_VALUE.with([value, member]))?
                .iso_seconds(),
            _ => value.to_owned(),
        };
        query.push(((*name).to_owned(), value));
    }
    Ok(query)
}

fn text_of<'b>(body: &'b Value, member: &str) -> Result<Option<&'b str>> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(INVALID_CONTENT.with([format!("'{member}' is text")])),
    }
}

fn signed(
    call: &Call<'_>,
    account: &Account,
    query: Vec<(String, String)>,
    place: Place<'_>,
) -> Result<String> {
    let sas = Sas::draft(&query).map_err(refused)?;
    let request = Request { account: call.id.name(), place, headers: &[], query: &query };
    let text = sas.string_to_sign(&request).map_err(refused)?;
    let signature = key(call.body, account)?.derive(&text);
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let pairs = pairs.chain([("sig", text::base64(signature))]);
    let printed = pairs.map(|(name, value)| format!("{name}={}", text::percent_encode_but(&value, ",")));
    Ok(printed.collect::<Vec<_>>().join("&"))
}

/// `keyToSign`: the first where nothing is said.
fn key<'a>(body: &Value, account: &'a Account) -> Result<&'a AccountKey> {
    match text_of(body, "keyToSign")? {
        None | Some("key1") => Ok(&account.keys.key1),
        Some("key2") => Ok(&account.keys.key2),
        Some(other) => Err(codes::INVALID_VALUE.with([other, "keyToSign"])),
    }
}

fn refused(fault: Fault) -> Error {
    INVALID_CONTENT.with([fault.to_string()])
}
