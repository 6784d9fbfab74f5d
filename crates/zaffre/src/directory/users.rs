//! Users: people who sign in with a name and a password.

use azure::{error::Result, ids::ObjectId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{groups, links, roles, secret::SecretHash};
use crate::store::{Table, Txn};

const USERS: Table<ObjectId, User> = Table::new("users");
/// By user principal name in lower case: names compare without case.
const BY_NAME: Table<String, ObjectId> = Table::new("users_by_name");

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub object_id: ObjectId,
    /// `admin@contoso.onmicrosoft.com`, in the casing it was made with.
    pub user_principal_name: String,
    pub display_name: String,
    pub created: Timestamp,
    pub account_enabled: bool,
    /// None: nobody can sign in as this user.
    pub password: Option<SecretHash>,
    /// What Graph's clients wrote of them: names, telephones, places.
    #[serde(default)]
    pub document: Map<String, Value>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({} {})", self.object_id.0, self.user_principal_name)
    }
}

pub fn get(txn: &Txn, id: ObjectId) -> Result<Option<User>> {
    Ok(USERS.get(txn, &id)?)
}

/// By user principal name, in any case.
pub fn named(txn: &Txn, user_principal_name: &str) -> Result<Option<User>> {
    match BY_NAME.get(txn, &user_principal_name.to_lowercase())? {
        Some(id) => get(txn, id),
        None => Ok(None),
    }
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, user: &User) -> Result<()> {
    if let Some(old) = get(txn, user.object_id)? {
        BY_NAME.delete(txn, &old.user_principal_name.to_lowercase())?;
    }
    BY_NAME.put(txn, &user.user_principal_name.to_lowercase(), &user.object_id)?;
    Ok(USERS.put(txn, &user.object_id, user)?)
}

/// Every user, by id: at most `limit`, those behind `after`.
pub fn page(txn: &Txn, after: Option<ObjectId>, limit: usize) -> Result<Vec<User>> {
    let rows = USERS.scan(txn, &(), after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, user)| user).collect())
}

/// Removes the user with memberships, roles and what they own, and gives back what they were. Their role assignments on
/// resources stay, and show an unknown principal.
pub fn delete(txn: &mut Txn, id: ObjectId) -> Result<Option<User>> {
    let Some(user) = get(txn, id)? else { return Ok(None) };
    groups::forget(txn, id)?;
    links::forget(txn, id)?;
    roles::forget(txn, id)?;
    BY_NAME.delete(txn, &user.user_principal_name.to_lowercase())?;
    USERS.delete(txn, &id)?;
    Ok(Some(user))
}
