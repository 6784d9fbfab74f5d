//! Service principals: what roles are given to, for applications and for managed identities.

use azure::{
    error::Result,
    ids::{ClientId, ObjectId, ResourceId},
    text,
    time::Timestamp,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{applications::Application, groups, links, roles};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

const SERVICE_PRINCIPALS: Table<ObjectId, ServicePrincipal> = Table::new("service_principals");
/// One application has at most one service principal in a tenant.
const BY_APPLICATION: Table<ClientId, ObjectId> = Table::new("service_principals_of_applications");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePrincipal {
    pub object_id: ObjectId,
    pub app_id: ClientId,
    pub display_name: String,
    pub kind: ServicePrincipalKind,
    /// What `--assignee` may name it by: a managed identity's holds its client id (entra.md §6).
    pub service_principal_names: Vec<String>,
    /// `isExplicit=…` and the resource, for a managed identity.
    pub alternative_names: Vec<String>,
    /// Whose identity it is: the virtual machine's, or the user-assigned identity's own id.
    pub resource_id: Option<ResourceId>,
    pub created: Timestamp,
    pub account_enabled: bool,
    /// What Graph's clients wrote of it: tags, notes, settings of single sign-on.
    #[serde(default)]
    pub document: Map<String, Value>,
}

/// `servicePrincipalType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServicePrincipalKind {
    Application,
    ManagedIdentity,
}

pub fn get(txn: &Txn, id: ObjectId) -> Result<Option<ServicePrincipal>> {
    Ok(SERVICE_PRINCIPALS.get(txn, &id)?)
}

/// The row as it is stored: the same bytes are the same principal.
pub fn stored(txn: &Txn, id: ObjectId) -> Result<Option<Bytes>> {
    Ok(SERVICE_PRINCIPALS.stored(txn, &id)?)
}

pub fn of_application(txn: &Txn, id: ClientId) -> Result<Option<ServicePrincipal>> {
    match BY_APPLICATION.get(txn, &id)? {
        Some(object_id) => get(txn, object_id),
        None => Ok(None),
    }
}

/// Every service principal, by id: at most `limit`, those behind `after`.
pub fn page(txn: &Txn, after: Option<ObjectId>, limit: usize) -> Result<Vec<ServicePrincipal>> {
    let rows = SERVICE_PRINCIPALS.scan(txn, &(), after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, principal)| principal).collect())
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, principal: &ServicePrincipal) -> Result<()> {
    BY_APPLICATION.put(txn, &principal.app_id, &principal.object_id)?;
    Ok(SERVICE_PRINCIPALS.put(txn, &principal.object_id, principal)?)
}

/// Removes the principal, if there is one, and gives back what it was. Its role assignments stay, and
/// show an unknown principal, as Azure's do.
pub fn delete(txn: &mut Txn, id: ObjectId) -> Result<Option<ServicePrincipal>> {
    let Some(principal) = get(txn, id)? else { return Ok(None) };
    SERVICE_PRINCIPALS.delete(txn, &id)?;
    BY_APPLICATION.delete(txn, &principal.app_id)?;
    groups::forget(txn, id)?;
    links::forget(txn, id)?;
    roles::forget(txn, id)?;
    Ok(Some(principal))
}

/// The service principal of an application, with an object id of its own.
pub fn create(txn: &mut Txn, draw: &mut Draw, of: &Application, now: Timestamp) -> Result<ServicePrincipal> {
    let principal = ServicePrincipal::of(of, ObjectId(draw.guid()), now);
    put(txn, &principal)?;
    Ok(principal)
}

/// A resource has another id now, and the same identity.
pub fn moved(txn: &mut Txn, id: ObjectId, to: &ResourceId) -> Result<()> {
    let Some(mut principal) = get(txn, id)? else { return Ok(()) };
    let before = principal.resource_id.replace(to.clone()).map(|it| it.to_string());
    for name in principal.alternative_names.iter_mut().filter(|it| Some(&**it) == before.as_ref()) {
        *name = to.to_string();
    }
    put(txn, &principal)
}

/// What a resource's identity is made of.
#[derive(Clone, Copy, Debug)]
pub struct ManagedIdentity<'a> {
    /// The resource that has it, or the user-assigned identity itself.
    pub resource: &'a ResourceId,
    /// User-assigned: a resource of its own, which the caller asked for by name.
    pub explicit: bool,
}

/// A managed identity's principal, named like its resource: with a client id and no application.
pub fn create_managed_identity(
    txn: &mut Txn,
    draw: &mut Draw,
    identity: ManagedIdentity<'_>,
    now: Timestamp,
) -> Result<ServicePrincipal> {
    let principal = ServicePrincipal::managed(identity, draw, now);
    put(txn, &principal)?;
    Ok(principal)
}

impl ServicePrincipal {
    pub(super) fn of(application: &Application, object_id: ObjectId, now: Timestamp) -> Self {
        ServicePrincipal {
            object_id,
            app_id: application.client_id,
            display_name: application.display_name.clone(),
            kind: ServicePrincipalKind::Application,
            service_principal_names: vec![application.client_id.to_string()],
            alternative_names: Vec::new(),
            resource_id: None,
            created: now,
            account_enabled: true,
            document: Map::new(),
        }
    }

    fn managed(identity: ManagedIdentity<'_>, draw: &mut Draw, now: Timestamp) -> Self {
        let object_id = ObjectId(draw.guid());
        let app_id = ClientId(draw.guid());
        let opaque = text::base64(draw.bytes::<32>());
        let is_explicit = if identity.explicit { "isExplicit=True" } else { "isExplicit=False" };
        ServicePrincipal {
            object_id,
            app_id,
            display_name: identity.resource.name().to_owned(),
            kind: ServicePrincipalKind::ManagedIdentity,
            service_principal_names: vec![app_id.to_string(), format!("https://identity.azure.net/{opaque}")],
            alternative_names: vec![is_explicit.to_owned(), identity.resource.to_string()],
            resource_id: Some(identity.resource.clone()),
            created: now,
            account_enabled: true,
            document: Map::new(),
        }
    }
}
