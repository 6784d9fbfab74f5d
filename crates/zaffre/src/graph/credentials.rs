//! How applications prove themselves: secrets, certificates, tokens of other issuers.

use std::time::Duration;

use azure::{error::Result, ids::Guid, text, time::Timestamp};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask},
    codes, lists,
    objects::{self, Object},
    permissions::Change,
};
use crate::{
    cloud::Draw,
    directory::{
        Application,
        applications::{self, FederatedCredential, KeyCredential, PasswordCredential},
        secret,
    },
    store::Txn,
};

const TWO_YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);
const ONE_YEAR: Duration = Duration::from_secs(365 * 86_400);
const MOST_FEDERATED: usize = 20;

/// The application whose credentials the path means, and whether it names it by its service principal.
fn application(ask: &Ask<'_>, txn: &Txn) -> Result<(Application, bool)> {
    let absent = || ask.key(0).map(|key| codes::OBJECT_NOT_FOUND.with([key]));
    match objects::named(ask, txn)? {
        Object::Application(it) => Ok((it, false)),
        Object::ServicePrincipal(it) => match applications::get(txn, it.app_id)? {
            Some(application) => Ok((application, true)),
            // A managed identity's, and Azure's own.
            None => Err((&codes::MANAGED).into()),
        },
        Object::User(_) | Object::Group(_) => Err(absent()?),
    }
}

fn changeable(ask: &Ask<'_>, txn: &Txn) -> Result<(Application, bool)> {
    let object = objects::named(ask, txn)?;
    ask.may_change(txn, Change::Of(object.id()))?;
    application(ask, txn)
}

/// A time of the body, or what stands for it.
fn time(members: &Map<String, Value>, name: &'static str, or: Timestamp) -> Result<Timestamp> {
    match members.get(name).and_then(Value::as_str) {
        None => Ok(or),
        Some(text) => {
            Timestamp::parse_iso(text).ok_or_else(|| codes::WRONG_TYPE.with([name, "PasswordCredential"]))
        }
    }
}

pub(super) fn add_password(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    let (mut application, is_principals) = changeable(ask, txn)?;
    let empty = Map::new();
    let given = ask.body.get("passwordCredential").and_then(Value::as_object).unwrap_or(&empty);
    let start = time(given, "startDateTime", ask.cx.now)?;
    let end = time(given, "endDateTime", start.plus(TWO_YEARS))?;
    let secret = secret::draw(draw);
    let mut password = PasswordCredential::new(&secret, (start, end), draw);
    password.is_principals = is_principals;
    password.display_name = given.get("displayName").and_then(Value::as_str).map(str::to_owned);
    let shown = objects::password(&password, Some(&secret));
    application.passwords.push(password);
    applications::put(txn, &application)?;
    let Value::Object(shown) = shown else { return Ok(Answer::Empty) };
    let mut whole = Map::from_iter([(
        "@odata.context".to_owned(),
        json!(ask.context("microsoft.graph.passwordCredential")),
    )]);
    whole.extend(shown);
    Ok(Answer::Json(200, Value::Object(whole)))
}

pub(super) fn remove_password(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let (mut application, is_principals) = changeable(ask, txn)?;
    let key_id = ask.text("keyId").and_then(|it| it.parse::<Guid>().ok());
    let before = application.passwords.len();
    application.passwords.retain(|it| Some(it.key_id) != key_id || it.is_principals != is_principals);
    if application.passwords.len() == before {
        return Err((&codes::NO_CREDENTIAL).into());
    }
    applications::put(txn, &application)?;
    Ok(Answer::Empty)
}

/// The certificates that a body lists, which replace those there are; one that is listed by its id
/// without its bytes stays.
pub(super) fn keys(
    ask: &Ask<'_>,
    draw: &mut Draw,
    old: &[KeyCredential],
    listed: &Value,
) -> Result<Vec<KeyCredential>> {
    let bad = || codes::BAD_CERTIFICATE.bare();
    let mut keys = Vec::new();
    for entry in listed.as_array().ok_or_else(bad)? {
        let members = entry.as_object().ok_or_else(bad)?;
        let of = |name: &str| members.get(name).and_then(Value::as_str);
        let key_id = of("keyId").and_then(|it| it.parse::<Guid>().ok());
        let Some(bytes) = of("key") else {
            let kept = old.iter().find(|it| Some(it.key_id) == key_id).ok_or_else(bad)?;
            keys.push(kept.clone());
            continue;
        };
        // az sends the lines of a PEM file as they are.
        let bytes: String = bytes.split_ascii_whitespace().collect();
        let der = text::base64_decode(&bytes).ok_or_else(bad)?;
        let start = time(members, "startDateTime", ask.cx.now)?;
        let end = time(members, "endDateTime", start.plus(ONE_YEAR))?;
        if end <= start {
            return Err(bad());
        }
        keys.push(KeyCredential {
            key_id: key_id.unwrap_or_else(|| draw.guid()),
            display_name: of("displayName").map(str::to_owned),
            start,
            end,
            certificate: text::base64(der),
            is_principals: false,
        });
    }
    Ok(keys)
}

fn shown(it: &FederatedCredential) -> Map<String, Value> {
    let all = json!({
        "id": it.id,
        "name": it.name,
        "issuer": it.issuer,
        "subject": it.subject,
        "description": it.description,
        "audiences": it.audiences,
    });
    all.as_object().cloned().unwrap_or_default()
}

fn context(application: &Application) -> String {
    format!("applications('{}')/federatedIdentityCredentials", application.object_id)
}

pub(super) fn list_federated(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let (application, _) = application(ask, txn)?;
    let all = application.federated.iter().map(shown).collect();
    lists::plain(ask, &context(&application), all)
}

/// Where the second star's credential is in the list: by id or by name.
fn place(ask: &Ask<'_>, application: &Application) -> Result<usize> {
    let key = ask.key(1)?;
    let is = |it: &FederatedCredential| it.name == key || Ok(it.id) == key.parse();
    application.federated.iter().position(is).ok_or_else(|| codes::OBJECT_NOT_FOUND.with([key]))
}

pub(super) fn get_federated(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let (application, _) = application(ask, txn)?;
    let found = &application.federated[place(ask, &application)?];
    Ok(ask.entity(200, &context(&application), shown(found)))
}

pub(super) fn add_federated(ask: &Ask<'_>, txn: &mut Txn, draw: &mut Draw) -> Result<Answer> {
    let (mut application, _) = changeable(ask, txn)?;
    let of = |name: &'static str| {
        let text = ask.text(name).filter(|it| !it.is_empty());
        text.map(str::to_owned).ok_or_else(|| codes::MISSING.with([name, "FederatedIdentityCredential"]))
    };
    let credential = FederatedCredential {
        id: draw.guid(),
        name: of("name")?,
        issuer: of("issuer")?,
        subject: of("subject")?,
        audiences: audiences(ask)?
            .ok_or_else(|| codes::MISSING.with(["audiences", "FederatedIdentityCredential"]))?,
        description: ask.text("description").map(str::to_owned),
    };
    let same = |it: &FederatedCredential| {
        it.name == credential.name || (it.issuer == credential.issuer && it.subject == credential.subject)
    };
    if application.federated.iter().any(same) {
        return Err(codes::FEDERATED_TAKEN.with([&credential.name]));
    }
    if application.federated.len() >= MOST_FEDERATED {
        return Err((&codes::FEDERATED_TOO_MANY).into());
    }
    application.federated.push(credential.clone());
    applications::put(txn, &application)?;
    Ok(ask.entity(201, &context(&application), shown(&credential)))
}

fn audiences(ask: &Ask<'_>) -> Result<Option<Vec<String>>> {
    let Some(listed) = ask.body.get("audiences") else { return Ok(None) };
    let texts: Option<Vec<String>> =
        listed.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    match texts.filter(|it| !it.is_empty()) {
        Some(texts) => Ok(Some(texts)),
        None => Err(codes::WRONG_TYPE.with(["audiences", "FederatedIdentityCredential"])),
    }
}

pub(super) fn update_federated(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let (mut application, _) = changeable(ask, txn)?;
    let at = place(ask, &application)?;
    let changed = audiences(ask)?;
    let credential = &mut application.federated[at];
    for (name, place) in [("issuer", &mut credential.issuer), ("subject", &mut credential.subject)] {
        if let Some(text) = ask.text(name) {
            text.clone_into(place);
        }
    }
    if let Some(audiences) = changed {
        credential.audiences = audiences;
    }
    if let Some(text) = ask.text("description") {
        credential.description = Some(text.to_owned());
    }
    applications::put(txn, &application)?;
    Ok(Answer::Empty)
}

pub(super) fn remove_federated(ask: &Ask<'_>, txn: &mut Txn, _draw: &mut Draw) -> Result<Answer> {
    let (mut application, _) = changeable(ask, txn)?;
    let at = place(ask, &application)?;
    application.federated.remove(at);
    applications::put(txn, &application)?;
    Ok(Answer::Empty)
}
