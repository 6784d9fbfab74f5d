//! Applications: what proves itself with a secret, and asks for tokens as its service principal.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{links, secret::SecretHash};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

const APPLICATIONS: Table<ClientId, Application> = Table::new("applications");
const BY_OBJECT: Table<ObjectId, ClientId> = Table::new("applications_by_object");
/// By identifier URI, as `uri_key` writes it.
const BY_URI: Table<String, ClientId> = Table::new("applications_by_uri");

#[derive(Clone, Serialize, Deserialize)]
pub struct Application {
    pub client_id: ClientId,
    /// The application's own object id; its service principal has another.
    pub object_id: ObjectId,
    pub display_name: String,
    pub created: Timestamp,
    pub passwords: Vec<PasswordCredential>,
    /// Certificates by which it signs assertions.
    #[serde(default)]
    pub keys: Vec<KeyCredential>,
    #[serde(default)]
    pub federated: Vec<FederatedCredential>,
    /// What Graph's clients wrote of it: redirect URIs, roles that it offers, permissions that it asks for.
    #[serde(default)]
    pub document: Map<String, Value>,
}

/// A certificate, as Graph lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyCredential {
    pub key_id: Guid,
    pub display_name: Option<String>,
    pub start: Timestamp,
    pub end: Timestamp,
    /// DER, in base64.
    pub certificate: String,
    /// Whether it was given to the service principal, as with secrets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_principals: bool,
}

/// Tokens of another issuer, about one subject, that the application takes for its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FederatedCredential {
    pub id: Guid,
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

/// A secret, as Graph lists it: everything but the secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordCredential {
    pub key_id: Guid,
    pub display_name: Option<String>,
    /// The secret's first characters, by which people tell them apart.
    pub hint: String,
    pub start: Timestamp,
    pub end: Timestamp,
    /// Whether it was given to the service principal: it proves the application all the same, and is listed there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_principals: bool,
    hash: SecretHash,
}

/// Why a secret is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFault {
    Wrong,
    /// It is the application's, and its time is over.
    Expired,
}

const HINT_CHARS: usize = 7;

impl PasswordCredential {
    pub fn new(secret: &str, (start, end): (Timestamp, Timestamp), draw: &mut Draw) -> Self {
        PasswordCredential {
            key_id: draw.guid(),
            display_name: None,
            hint: secret.chars().take(HINT_CHARS).collect(),
            start,
            end,
            is_principals: false,
            hash: SecretHash::of(secret, draw),
        }
    }
}

impl PasswordCredential {
    /// One whose text a client chose, of which the hash is known.
    pub fn chosen(
        (key_id, hint): (Guid, String),
        hash: SecretHash,
        (start, end): (Timestamp, Timestamp),
    ) -> Self {
        PasswordCredential { key_id, display_name: None, hint, start, end, is_principals: false, hash }
    }
}

impl Application {
    /// Whether people may sign in through it without its proving anything: az, and what Graph calls a fallback public
    /// client.
    pub fn is_public_client(&self) -> bool {
        self.document.get("isFallbackPublicClient").and_then(Value::as_bool).unwrap_or_default()
    }

    /// Whether there is anything by which it could prove itself.
    pub fn has_credentials(&self) -> bool {
        !(self.passwords.is_empty() && self.keys.is_empty() && self.federated.is_empty())
    }

    /// What it goes by as a resource, besides its client id.
    pub fn identifier_uris(&self) -> Vec<&str> {
        let list = self.document.get("identifierUris").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Where it may be sent back to, on every platform that it says it runs on.
    pub fn redirect_uris(&self) -> Vec<&str> {
        let uris = |platform: &str| self.document.get(platform).and_then(|it| it.get("redirectUris"));
        let lists = ["web", "spa", "publicClient"].into_iter().filter_map(uris).filter_map(Value::as_array);
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// Whether this secret is one of the application's, and in its time. All are compared, whichever
    /// matches.
    pub fn believes(&self, secret: &str, now: Timestamp) -> Result<(), SecretFault> {
        let matching: Vec<_> = self.passwords.iter().filter(|it| it.hash.matches(secret)).collect();
        match matching.as_slice() {
            [] => Err(SecretFault::Wrong),
            of_this if of_this.iter().any(|it| now < it.end) => Ok(()),
            _ => Err(SecretFault::Expired),
        }
    }
}

pub fn get(txn: &Txn, id: ClientId) -> Result<Option<Application>> {
    Ok(APPLICATIONS.get(txn, &id)?)
}

pub fn by_object(txn: &Txn, id: ObjectId) -> Result<Option<Application>> {
    match BY_OBJECT.get(txn, &id)? {
        Some(client_id) => get(txn, client_id),
        None => Ok(None),
    }
}

/// Every application, by object id: at most `limit`, those behind `after`.
pub fn page(txn: &Txn, after: Option<ObjectId>, limit: usize) -> Result<Vec<Application>> {
    let rows = BY_OBJECT.scan(txn, &(), after.as_ref(), limit)?;
    let ids: Vec<ClientId> = rows.into_iter().map(|(_, id)| id).collect();
    Ok(APPLICATIONS.get_many(txn, &ids)?.into_iter().flatten().collect())
}

/// Removes it, with its owners; its service principal is removed apart. Gives back what it was.
pub fn delete(txn: &mut Txn, id: ClientId) -> Result<Option<Application>> {
    let Some(application) = get(txn, id)? else { return Ok(None) };
    forget_uris(txn, &application)?;
    links::forget(txn, application.object_id)?;
    BY_OBJECT.delete(txn, &application.object_id)?;
    APPLICATIONS.delete(txn, &id)?;
    Ok(Some(application))
}

/// Creates or replaces. Its service principal is made apart (`service_principals::create`).
pub fn put(txn: &mut Txn, application: &Application) -> Result<()> {
    if let Some(old) = get(txn, application.client_id)? {
        forget_uris(txn, &old)?;
    }
    for uri in application.identifier_uris() {
        BY_URI.put(txn, &uri_key(uri), &application.client_id)?;
    }
    BY_OBJECT.put(txn, &application.object_id, &application.client_id)?;
    Ok(APPLICATIONS.put(txn, &application.client_id, application)?)
}

/// The application that goes by this URI.
pub fn identified(txn: &Txn, uri: &str) -> Result<Option<Application>> {
    match BY_URI.get(txn, &uri_key(uri))? {
        Some(client_id) => get(txn, client_id),
        None => Ok(None),
    }
}

fn forget_uris(txn: &mut Txn, application: &Application) -> Result<()> {
    for uri in application.identifier_uris() {
        let key = uri_key(uri);
        if BY_URI.get(txn, &key)? == Some(application.client_id) {
            BY_URI.delete(txn, &key)?;
        }
    }
    Ok(())
}

/// URIs compare without case and without one slash at the end, as audiences do.
fn uri_key(uri: &str) -> String {
    uri.strip_suffix('/').unwrap_or(uri).to_ascii_lowercase()
}

/// A new application without credentials.
pub fn create(txn: &mut Txn, draw: &mut Draw, display_name: &str, now: Timestamp) -> Result<Application> {
    let application = Application {
        client_id: ClientId(draw.guid()),
        object_id: ObjectId(draw.guid()),
        display_name: display_name.to_owned(),
        created: now,
        passwords: Vec::new(),
        keys: Vec::new(),
        federated: Vec::new(),
        document: Map::new(),
    };
    put(txn, &application)?;
    Ok(application)
}
