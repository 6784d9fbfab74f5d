//! Secrets and certificates as this service has them: parts of the application, the secret's text among them when it is
//! written. Its clients choose their secrets themselves (`az ad sp create-for-rbac` of 2018 draws a GUID).

use azure::{
    error::{Error, Result},
    ids::Guid,
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use crate::{
    cloud::Draw,
    directory::{
        applications::{self, PasswordCredential},
        secret::SecretHash,
    },
    graph::{
        ask::{Answer, Ask},
        codes, objects,
        objects::Object,
        permissions::Change,
    },
    store::Txn,
};

/// A secret that a body names: those there were are named by their key, new ones by their text.
pub(in crate::graph) struct Written {
    key_id: Option<Guid>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    secret: Option<Secret>,
}

struct Secret {
    hint: String,
    hash: SecretHash,
}

/// Those of a body's `passwordCredentials`, or of its `value`; their texts are hashed, which takes a while.
pub(super) fn read(body: &Map<String, Value>, draw: &mut Draw) -> Result<Option<Vec<Written>>> {
    let listed = body.get("passwordCredentials").or_else(|| body.get("value"));
    let Some(Value::Array(listed)) = listed else { return Ok(None) };
    listed.iter().map(|it| one(it, draw)).collect::<Result<_>>().map(Some)
}

fn one(entry: &Value, draw: &mut Draw) -> Result<Written> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let time = |name: &'static str| match text(name) {
        None => Ok(None),
        Some(text) => Timestamp::parse_iso(text).map(Some).ok_or_else(|| wrong(name)),
    };
    let key_id = text("keyId").map(|it| it.parse::<Guid>().map_err(|_| wrong("keyId"))).transpose()?;
    let secret = text("value").map(|value| Secret {
        hint: value.chars().take(3).collect(),
        hash: SecretHash::of_chosen(value, draw),
    });
    Ok(Written { key_id, start: time("startDate")?, end: time("endDate")?, secret })
}

fn wrong(name: &'static str) -> Error {
    codes::WRONG_TYPE.with([name, "PasswordCredential"])
}

const YEAR_SECONDS: u64 = 365 * 86_400;

/// Replaces the secrets of an application, or those of a service principal.
pub(super) fn replace(
    txn: &mut Txn,
    draw: &mut Draw,
    (object, now): (&Object, Timestamp),
    written: &[Written],
) -> Result<()> {
    let (id, is_principals) = match object {
        Object::Application(it) => (it.client_id, false),
        Object::ServicePrincipal(it) => (it.app_id, true),
        Object::User(_) | Object::Group(_) => return Err(codes::NO_PROPERTY.with(["passwordCredentials"])),
    };
    let Some(mut application) = applications::get(txn, id)? else { return Err((&codes::MANAGED).into()) };
    let (old, mut kept): (Vec<_>, Vec<_>) =
        application.passwords.into_iter().partition(|it| it.is_principals == is_principals);
    for entry in written {
        let Some(secret) = &entry.secret else {
            let there = old.iter().find(|it| Some(it.key_id) == entry.key_id);
            kept.push(there.cloned().ok_or_else(|| codes::NO_CREDENTIAL.bare())?);
            continue;
        };
        let start = entry.start.unwrap_or(now);
        let end = entry.end.unwrap_or(start.plus(std::time::Duration::from_secs(YEAR_SECONDS)));
        let mut password = PasswordCredential::chosen(
            (entry.key_id.unwrap_or_else(|| draw.guid()), secret.hint.clone()),
            secret.hash.clone(),
            (start, end),
        );
        password.is_principals = is_principals;
        kept.push(password);
    }
    application.passwords = kept;
    applications::put(txn, &application)
}

/// `GET applications/{id}/passwordCredentials`.
pub(super) fn list_passwords(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, "passwordCredentials", passwords_shown)
}

pub(super) fn list_keys(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    listed(ask, txn, "keyCredentials", keys_shown)
}

fn listed(ask: &Ask<'_>, txn: &Txn, name: &str, shown: fn(&Value) -> Value) -> Result<Answer> {
    let whole = objects::shown(ask, txn, &objects::named(ask, txn)?)?;
    let all = shown(whole.get(name).unwrap_or(&Value::Null));
    Ok(Answer::Json(200, json!({ "value": all })))
}

/// `PATCH applications/{id}/passwordCredentials`: the new list is the answer of `Written` alone, which `mod` lays in.
pub(super) fn update_passwords(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(object.id()))?;
    Ok(Answer::Empty)
}

pub(super) fn passwords_shown(graph: &Value) -> Value {
    let shown = |it: &Value| {
        json!({
            "customKeyIdentifier": it.get("customKeyIdentifier"),
            "endDate": it.get("endDateTime"),
            "keyId": it.get("keyId"),
            "startDate": it.get("startDateTime"),
            "value": null,
        })
    };
    graph.as_array().into_iter().flatten().map(shown).collect()
}

pub(super) fn keys_shown(graph: &Value) -> Value {
    let shown = |it: &Value| {
        json!({
            "customKeyIdentifier": it.get("customKeyIdentifier"),
            "endDate": it.get("endDateTime"),
            "keyId": it.get("keyId"),
            "startDate": it.get("startDateTime"),
            "type": it.get("type"),
            "usage": it.get("usage"),
            "value": null,
        })
    };
    graph.as_array().into_iter().flatten().map(shown).collect()
}

/// Certificates as Graph is told them.
pub(super) fn keys_written(listed: Value) -> Value {
    let Value::Array(listed) = listed else { return listed };
    let renamed = |entry: Value| {
        let Value::Object(members) = entry else { return entry };
        let name = |it: &str| match it {
            "startDate" => "startDateTime".to_owned(),
            "endDate" => "endDateTime".to_owned(),
            "value" => "key".to_owned(),
            other => other.to_owned(),
        };
        Value::Object(members.into_iter().map(|(it, value)| (name(&it), value)).collect())
    };
    Value::Array(listed.into_iter().map(renamed).collect())
}
