//! Applications: what proves itself with a secret, and asks for tokens as its service principal.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::secret::SecretHash;
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

const APPLICATIONS: Table<ClientId, Application> = Table::new("applications");

#[derive(Clone, Serialize, Deserialize)]
pub struct Application {
    pub client_id: ClientId,
    /// The application's own object id; its service principal has another.
    pub object_id: ObjectId,
    pub display_name: String,
    pub created: Timestamp,
    pub passwords: Vec<PasswordCredential>,
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
            hash: SecretHash::of(secret, draw),
        }
    }
}

impl Application {
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

/// Creates or replaces. Its service principal is made apart (`service_principals::create`).
pub fn put(txn: &mut Txn, application: &Application) -> Result<()> {
    Ok(APPLICATIONS.put(txn, &application.client_id, application)?)
}

/// A new application without credentials.
pub fn create(txn: &mut Txn, draw: &mut Draw, display_name: &str, now: Timestamp) -> Result<Application> {
    let application = Application {
        client_id: ClientId(draw.guid()),
        object_id: ObjectId(draw.guid()),
        display_name: display_name.to_owned(),
        created: now,
        passwords: Vec::new(),
    };
    put(txn, &application)?;
    Ok(application)
}
