//! Users: people who sign in with a name and a password.

use azure::{error::Result, ids::ObjectId, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::secret::SecretHash;
use crate::store::{Table, Txn};

const USERS: Table<ObjectId, User> = Table::new("users");
/// By user principal name in lower case: names compare without case.
const BY_NAME: Table<String, ObjectId> = Table::new("users_by_name");

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub object_id: ObjectId,
    /// `admin@contoso.onmicrosoft.com`, in the casing it was made with.
    pub user_principal_name: String,
    pub display_name: String,
    pub created: Timestamp,
    pub account_enabled: bool,
    /// None: nobody can sign in as this user.
    pub password: Option<SecretHash>,
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
