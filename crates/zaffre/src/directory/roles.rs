//! Directory roles: who may do what in the directory itself. Roles on resources are `access`'s.
//!
//! A role is known by its template's id, the same in every tenant. Here are the built-in roles whose holders may do
//! something that is done here; what each may do is `graph`'s to say.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};

use super::groups;
use crate::store::{Span, Table, Txn};

/// Principal, then role.
const HOLDERS: Table<(ObjectId, Guid), ()> = Table::new("directory_roles");

/// `62e90394-69f5-4237-9190-012177145e10` in every tenant (Entra's built-in roles).
pub const GLOBAL_ADMINISTRATOR: Guid =
    Guid([0x62, 0xe9, 0x03, 0x94, 0x69, 0xf5, 0x42, 0x37, 0x91, 0x90, 0x01, 0x21, 0x77, 0x14, 0x5e, 0x10]);

/// A built-in role ("Microsoft Entra built-in roles").
pub struct DirectoryRole {
    pub id: &'static str,
    pub name: &'static str,
    pub says: &'static str,
}

const fn role(id: &'static str, name: &'static str, says: &'static str) -> DirectoryRole {
    DirectoryRole { id, name, says }
}

/// By name.
pub static ALL: &[DirectoryRole] = &[
    role(
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
        "Application Administrator",
        "Can create and manage all aspects of app registrations and enterprise apps.",
    ),
    role(
        "cf1c38e5-3621-4004-a7cb-879624dced7c",
        "Application Developer",
        "Can create application registrations independent of the 'Users can register applications' setting.",
    ),
    role(
        "158c047a-c907-4556-b7ef-446551a6b5f7",
        "Cloud Application Administrator",
        "Can create and manage all aspects of app registrations and enterprise apps except App Proxy.",
    ),
    role(
        "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
        "Directory Readers",
        "Can read basic directory information. Commonly used to grant directory read access to applications and guests.",
    ),
    role(
        "9360feb5-f418-4baa-8175-e2a00bac4301",
        "Directory Writers",
        "Can read and write basic directory information. For granting access to applications, not intended for users.",
    ),
    role(
        "62e90394-69f5-4237-9190-012177145e10",
        "Global Administrator",
        "Can manage all aspects of Microsoft Entra ID and Microsoft services that use Microsoft Entra identities.",
    ),
    role(
        "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
        "Global Reader",
        "Can read everything that a Global Administrator can, but not update anything.",
    ),
    role(
        "fdd7a751-b60b-444a-984c-02652fe8fa1c",
        "Groups Administrator",
        "Members of this role can create/manage groups.",
    ),
    role(
        "e8611ab8-c189-46e8-94e1-60213ab1f814",
        "Privileged Role Administrator",
        "Can manage role assignments in Microsoft Entra ID, and all aspects of Privileged Identity Management.",
    ),
    role(
        "fe930be7-5e62-47db-91af-98c3a49a38b1",
        "User Administrator",
        "Can manage all aspects of users and groups, including resetting passwords for limited admins.",
    ),
];

/// A built-in role by the id of its template.
pub fn find(id: Guid) -> Option<&'static DirectoryRole> {
    ALL.iter().find(|role| role.id.parse() == Ok(id))
}

pub fn give(txn: &mut Txn, principal: ObjectId, role: Guid) -> Result<()> {
    Ok(HOLDERS.put(txn, &(principal, role), &())?)
}

pub fn take(txn: &mut Txn, principal: ObjectId, role: Guid) -> Result<()> {
    Ok(HOLDERS.delete(txn, &(principal, role))?)
}

/// Takes every role from a principal that goes.
pub fn forget(txn: &mut Txn, principal: ObjectId) -> Result<()> {
    for role in of(txn, principal)? {
        HOLDERS.delete(txn, &(principal, role))?;
    }
    Ok(())
}

/// The roles a principal has itself.
pub fn of(txn: &Txn, principal: ObjectId) -> Result<Vec<Guid>> {
    HOLDERS.rows(txn, Span::under(&(principal,))).map(|row| Ok(row?.0.1)).collect()
}

/// Who has which role.
pub fn all(txn: &Txn) -> Result<Vec<(ObjectId, Guid)>> {
    HOLDERS.rows(txn, Span::under(&())).map(|row| Ok(row?.0)).collect()
}

/// The roles a principal has itself or by a group that it is in.
pub fn held(txn: &Txn, principal: ObjectId) -> Result<Vec<Guid>> {
    let mut held = of(txn, principal)?;
    for group in groups::of(txn, principal)? {
        held.extend(of(txn, group)?);
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_names_and_every_id_is_a_guid() {
        assert!(ALL.is_sorted_by_key(|role| role.name));
        assert!(ALL.iter().all(|role| role.id.parse::<Guid>().is_ok()));
        assert_eq!(find(GLOBAL_ADMINISTRATOR).map(|it| it.name), Some("Global Administrator"));
    }
}
