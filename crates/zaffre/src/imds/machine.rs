//! Who asks: the virtual machine behind the door, as it is stored now, with its living identities.

use azure::{
    error::Result,
    ids::{ClientId, ObjectId, ResourceId},
    jwt::claims::Bearer,
};

use crate::{
    directory::{Subject, service_principals},
    door::From,
    resources::{self, Resource},
    service::Cx,
    store::Txn,
};

pub(crate) struct Machine {
    pub(super) vm: Resource,
    pub(super) identities: Vec<AttachedIdentity>,
}

/// An identity the machine may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AttachedIdentity {
    pub(super) object_id: ObjectId,
    pub(super) client_id: ClientId,
    /// The user-assigned identity's own id; `None` for the machine's.
    pub(super) resource: Option<ResourceId>,
}

/// The machine, if it is still the one the door was made for: one of the same name that was made
/// after it was deleted has another `vmId`.
pub(super) fn behind(cx: &Cx, txn: &Txn) -> Result<Option<Machine>> {
    let From::Guest { vm, vm_id } = &cx.door.from else { return Ok(None) };
    let stored = resources::get(txn, vm)?;
    let is_the_one = |vm: &Resource| vm.text("vmId").is_some_and(|id| id.parse() == Ok(*vm_id));
    let Some(vm) = stored.filter(is_the_one) else { return Ok(None) };
    let identities = identities(txn, &vm)?;
    Ok(Some(Machine { vm, identities }))
}

/// Those of the resource's `identity` block whose principals are still in the directory, the
/// system-assigned one first.
fn identities(txn: &Txn, vm: &Resource) -> Result<Vec<AttachedIdentity>> {
    let Some(block) = &vm.identity else { return Ok(Vec::new()) };
    let system = block.system.iter().map(|it| AttachedIdentity {
        object_id: it.principal_id,
        client_id: it.client_id,
        resource: None,
    });
    let users = block.user.iter().filter_map(|(id, principal)| {
        let (object_id, client_id) = (*principal)?;
        Some(AttachedIdentity { object_id, client_id, resource: Some(id.clone()) })
    });
    let mut living = Vec::new();
    for identity in system.chain(users) {
        if service_principals::get(txn, identity.object_id)?.is_some_and(|it| it.account_enabled) {
            living.push(identity);
        }
    }
    Ok(living)
}

impl Machine {
    /// Whom a token of this identity is about.
    pub(super) fn subject(&self, identity: &AttachedIdentity) -> Subject {
        let vm = self.vm.id.clone();
        let bearer = match &identity.resource {
            None => Bearer::SystemAssigned { resource: vm },
            Some(id) => Bearer::UserAssigned { identity: id.clone(), used_from: Some(vm) },
        };
        Subject { object_id: identity.object_id, client: identity.client_id, bearer }
    }
}
