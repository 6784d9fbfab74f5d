//! The service principals that every tenant has of Azure's own services, and the permissions that Microsoft Graph
//! offers to applications and to people.
//!
//! They are rows like any other: an application's roles on Graph are assignments to Graph's principal. The ids of
//! permissions are the same in every tenant ("Microsoft Graph permissions reference"); those here are the ones that
//! `graph` weighs, and a few that everybody asks for.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use super::{
    ServicePrincipal, ServicePrincipalKind, links,
    resources::{self, GRAPH, ResourceApp},
    service_principals,
};
use crate::store::Txn;

/// The tenant that owns Azure's own applications ("Verify first-party Microsoft applications in sign-in reports").
pub const MICROSOFT_SERVICES: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// Permissions that applications hold by themselves.
pub static APP_ROLES: &[(&str, &str)] = &[
    ("df021288-bdef-4463-88db-98f22de89214", "User.Read.All"),
    ("97235f07-e226-4f63-ace3-39588e11d3a1", "User.ReadBasic.All"),
    ("741f803b-c850-494e-b5df-cde7c675a1ca", "User.ReadWrite.All"),
    ("5b567255-7703-4780-807c-7be8301ae99b", "Group.Read.All"),
    ("62a82d76-70ea-41e2-9197-370581804d09", "Group.ReadWrite.All"),
    ("bf7b1a76-6e77-406b-b258-bf5c7720e98f", "Group.Create"),
    ("98830695-27a2-44f7-8c18-0c3ebc9698f6", "GroupMember.Read.All"),
    ("dbaae8cf-10b5-4b86-a4a1-f871c94c6695", "GroupMember.ReadWrite.All"),
    ("9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "Application.Read.All"),
    ("1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "Application.ReadWrite.All"),
    ("18a4783c-866b-4cc7-a460-3d5e5662c884", "Application.ReadWrite.OwnedBy"),
    ("7ab1d382-f21e-4acd-a863-ba3e13f7da61", "Directory.Read.All"),
    ("19dbc75e-c2e2-444c-a770-ec69d8559fc7", "Directory.ReadWrite.All"),
    ("483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "RoleManagement.Read.Directory"),
    ("9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "RoleManagement.ReadWrite.Directory"),
    ("06b708a9-e830-4db3-a914-8e69da51d44f", "AppRoleAssignment.ReadWrite.All"),
    ("8e8e4742-1d95-4f68-9d56-6ee75648c72a", "DelegatedPermissionGrant.ReadWrite.All"),
    ("498476ce-e0fe-48b0-b801-37ba7e2685c6", "Organization.Read.All"),
];

/// Permissions that applications hold in somebody's name.
static SCOPES: &[(&str, &str)] = &[
    ("37f7f235-527c-4136-accd-4a02d197296e", "openid"),
    ("14dad69e-099b-42c9-810b-d002981feec1", "profile"),
    ("64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", "email"),
    ("7427e0e9-2fba-42fe-b0c0-848c9e6a8182", "offline_access"),
    ("e1fe6dd8-ba31-4d61-89e7-88639da4683d", "User.Read"),
    ("a154be20-db9c-4678-8ab7-66f6cc099a59", "User.Read.All"),
    ("06da0dbc-49e2-44d2-8312-53f166ab848a", "Directory.Read.All"),
    ("0e263e50-5827-48a4-b97c-d940288653c7", "Directory.AccessAsUser.All"),
    ("4e46008b-f24c-477d-8fff-7bb4ec7aafe0", "Group.ReadWrite.All"),
    ("bdfbf15f-ee85-4955-8675-146e8e5296b5", "Application.ReadWrite.All"),
];

/// Makes them, at the founding of a tenant.
pub fn found(txn: &mut Txn, now: Timestamp) -> Result<()> {
    resources::ALL.iter().try_for_each(|app| service_principals::put(txn, &principal(app, now)))
}

/// Its id in this tenant: made of its application's, so that it is the same in all of ours.
pub fn object_id(app: &ResourceApp) -> ObjectId {
    let mut bytes = client_id(app).0.0;
    bytes[0] ^= 0x7a;
    bytes[1] ^= 0xf7;
    ObjectId(Guid(bytes))
}

fn client_id(app: &ResourceApp) -> ClientId {
    app.app_id.parse().expect("the table holds guids")
}

fn principal(app: &ResourceApp, now: Timestamp) -> ServicePrincipal {
    let names = [app.app_id].into_iter().chain(app.identifiers.iter().copied());
    ServicePrincipal {
        object_id: object_id(app),
        app_id: client_id(app),
        display_name: app.display_name.to_owned(),
        kind: ServicePrincipalKind::Application,
        service_principal_names: names.map(str::to_owned).collect(),
        alternative_names: Vec::new(),
        resource_id: None,
        created: now,
        account_enabled: true,
        document: document(app),
    }
}

fn document(app: &ResourceApp) -> Map<String, Value> {
    let mut document = Map::from_iter([("appOwnerOrganizationId".to_owned(), json!(MICROSOFT_SERVICES))]);
    if app.app_id == GRAPH.app_id {
        document.insert("appRoles".to_owned(), APP_ROLES.iter().map(app_role).collect());
        document.insert("oauth2PermissionScopes".to_owned(), SCOPES.iter().map(scope).collect());
    }
    document
}

fn app_role((id, value): &(&str, &str)) -> Value {
    json!({
        "allowedMemberTypes": ["Application"],
        "description": value,
        "displayName": value,
        "id": id,
        "isEnabled": true,
        "origin": "Application",
        "value": value,
    })
}

fn scope((id, value): &(&str, &str)) -> Value {
    json!({
        "adminConsentDescription": value,
        "adminConsentDisplayName": value,
        "id": id,
        "isEnabled": true,
        "type": "User",
        "userConsentDescription": value,
        "userConsentDisplayName": value,
        "value": value,
    })
}

/// What a principal may do on Graph by itself: the values of the roles that it was given there.
pub fn roles_on_graph(txn: &Txn, principal: ObjectId) -> Result<Vec<&'static str>> {
    let graph = object_id(&GRAPH);
    let given = links::assignments(txn, principal)?.into_iter().filter(|it| it.resource == graph);
    let value = |role: Guid| APP_ROLES.iter().find(|(id, _)| id.parse() == Ok(role)).map(|(_, value)| *value);
    Ok(given.filter_map(|it| value(it.app_role)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_id_of_the_tables_is_a_guid_and_its_own() {
        let ids: HashSet<Guid> =
            APP_ROLES.iter().chain(SCOPES).map(|(id, _)| id.parse().expect("a guid")).collect();
        assert_eq!(ids.len(), APP_ROLES.len() + SCOPES.len());
        let principals: HashSet<ObjectId> = resources::ALL.iter().map(|app| object_id(app)).collect();
        assert_eq!(principals.len(), resources::ALL.len());
    }
}
