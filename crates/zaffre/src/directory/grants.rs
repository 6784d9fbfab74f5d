//! Delegated permissions: what an application may do on a resource in the name of people who sign in to it
//! (`oauth2PermissionGrants`). They are kept and listed; a token's `scp` says what was asked for, whatever is granted.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    text,
};
use serde::{Deserialize, Serialize};

use crate::store::{Span, Table, Txn};

const GRANTS: Table<Guid, Grant> = Table::new("oauth2_permission_grants");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub id: Guid,
    /// The service principal that may ask.
    pub client: ObjectId,
    /// In whose name; none for everybody's.
    pub principal: Option<ObjectId>,
    /// The service principal of the resource.
    pub resource: ObjectId,
    /// Names of permissions, with spaces between them.
    pub scope: String,
}

impl Grant {
    /// As Graph writes it: opaque, and safe in a path.
    pub fn name(&self) -> String {
        text::base64url(self.id.0)
    }
}

pub fn put(txn: &mut Txn, grant: &Grant) -> Result<()> {
    Ok(GRANTS.put(txn, &grant.id, grant)?)
}

pub fn delete(txn: &mut Txn, grant: &Grant) -> Result<()> {
    Ok(GRANTS.delete(txn, &grant.id)?)
}

pub fn all(txn: &Txn) -> Result<Vec<Grant>> {
    GRANTS.rows(txn, Span::under(&())).map(|row| Ok(row?.1)).collect()
}

/// Takes back what an object that goes was granted, or was granted on it.
pub fn forget(txn: &mut Txn, object: ObjectId) -> Result<()> {
    let is_its = |it: &Grant| it.client == object || it.resource == object || it.principal == Some(object);
    for grant in all(txn)?.iter().filter(|it| is_its(it)) {
        delete(txn, grant)?;
    }
    Ok(())
}
