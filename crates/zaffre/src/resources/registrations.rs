//! Which namespaces a subscription has said that it uses, and which it has said that it does not.
//!
//! Every namespace that this program provides is registered from the start: one need not ask. What is
//! unregistered refuses new resources until it is registered again; what is not provided here may be
//! registered too, and is shown then.

use azure::error::Result;
use serde::{Deserialize, Serialize};

use crate::store::{Table, Txn};

/// By namespace, in lower case.
const REGISTRATIONS: Table<String, Registration> = Table::new("provider_registrations");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// As it was written.
    pub namespace: String,
    pub is_registered: bool,
}

/// What was said about a namespace; none where nothing was.
pub fn get(txn: &Txn, namespace: &str) -> Result<Option<Registration>> {
    Ok(REGISTRATIONS.get(txn, &namespace.to_ascii_lowercase())?)
}

pub fn is_unregistered(txn: &Txn, namespace: &str) -> Result<bool> {
    Ok(get(txn, namespace)?.is_some_and(|it| !it.is_registered))
}

pub fn put(txn: &mut Txn, namespace: &str, is_registered: bool) -> Result<()> {
    let registration = Registration { namespace: namespace.to_owned(), is_registered };
    Ok(REGISTRATIONS.put(txn, &namespace.to_ascii_lowercase(), &registration)?)
}

/// Every namespace about which something was said, by name.
pub fn all(txn: &Txn) -> Result<Vec<Registration>> {
    Ok(REGISTRATIONS.scan(txn, &(), None, usize::MAX)?.into_iter().map(|(_, it)| it).collect())
}
