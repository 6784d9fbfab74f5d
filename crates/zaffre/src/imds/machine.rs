//! Who asks: the virtual machine behind the door, as it is stored now, with its living identities.
//!
//! An instance of a scale set has its set's identities, as far as it was given them. What was made of the rows is kept, and good as long as the rows are the same bytes: every request reads them, and
//! decodes them only after a change.

use std::sync::Arc;

use azure::{
    error::Result,
    identity::Identity,
    ids::{ClientId, ObjectId, ResourceId},
    jwt::claims::Bearer,
};
use bytes::Bytes;

use crate::{
    directory::{Subject, service_principals},
    door::From,
    resources::{self, Resource},
    service::Cx,
    store::Txn,
};

/// A resource that has identities, and those of them that live.
pub(crate) struct Machine {
    pub(super) vm: Resource,
    pub(super) identities: Vec<AttachedIdentity>,
}

/// A machine, and the rows that it was made of.
pub(super) struct Known {
    row: Bytes,
    /// Of the scale set whose instance it is.
    set: Option<Bytes>,
    principals: Vec<(ObjectId, Option<Bytes>)>,
    machine: Arc<Machine>,
}

impl Known {
    fn is_current(&self, txn: &Txn, row: &Bytes) -> Result<bool> {
        if let Some(set) = self.machine.set()
            && resources::stored(txn, &set)? != self.set
        {
            return Ok(false);
        }
        for (id, stored) in &self.principals {
            if service_principals::stored(txn, *id)? != *stored {
                return Ok(false);
            }
        }
        Ok(self.row == *row)
    }
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
pub(super) fn behind(cx: &Cx, txn: &Txn) -> Result<Option<Arc<Machine>>> {
    let From::Guest { vm, vm_id } = &cx.door.from else { return Ok(None) };
    let machine = of_resource(cx, txn, vm)?;
    Ok(machine.filter(|it| it.vm.text("vmId").is_some_and(|id| id.parse() == Ok(*vm_id))))
}

/// Any resource's identities.
pub(super) fn of_resource(cx: &Cx, txn: &Txn, id: &ResourceId) -> Result<Option<Arc<Machine>>> {
    let Some(row) = resources::stored(txn, id)? else { return Ok(None) };
    let key = (cx.cloud.id, id.clone());
    if let Some(known) = cx.env.metadata.machine(&key)
        && known.is_current(txn, &row)?
    {
        return Ok(Some(Arc::clone(&known.machine)));
    }
    let vm = resources::read(&row)?;
    let set = vm.id.parent().filter(|_| vm.is_instance());
    let set = set.map(|set| resources::stored(txn, &set)).transpose()?.flatten();
    let block = match &set {
        Some(set) => resources::identity::given(&vm, &resources::read(set)?),
        None => vm.identity.clone(),
    };
    let identities = identities(txn, block.as_ref())?;
    let named = block.iter().flat_map(principals);
    let principals =
        named.map(|id| Ok((id, service_principals::stored(txn, id)?))).collect::<Result<Vec<_>>>()?;
    let machine = Arc::new(Machine { vm, identities });
    cx.env.metadata.keep(key, Known { row, set, principals, machine: Arc::clone(&machine) });
    Ok(Some(machine))
}

/// The same at a host's door, which may have been made for a user-assigned identity itself.
pub(super) fn of_host(cx: &Cx, txn: &Txn, id: &ResourceId) -> Result<Option<Arc<Machine>>> {
    let Some(machine) = of_resource(cx, txn, id)? else { return Ok(None) };
    let Some((object_id, client_id)) =
        resources::identity::ids_of(&machine.vm).filter(|_| machine.is_an_identity())
    else {
        return Ok(Some(machine));
    };
    let is_living = service_principals::get(txn, object_id)?.is_some_and(|it| it.account_enabled);
    let own = AttachedIdentity { object_id, client_id, resource: Some(id.clone()) };
    let identities = Vec::from_iter(is_living.then_some(own));
    Ok(Some(Arc::new(Machine { vm: machine.vm.clone(), identities })))
}

/// The principals that an `identity` block names, living or not.
fn principals(block: &Identity) -> impl Iterator<Item = ObjectId> {
    let users = block.user.values().flatten().map(|(object_id, _)| *object_id);
    block.system.iter().map(|it| it.principal_id).chain(users)
}

/// Those of the resource's `identity` block whose principals are still in the directory, the
/// system-assigned one first.
fn identities(txn: &Txn, block: Option<&Identity>) -> Result<Vec<AttachedIdentity>> {
    let Some(block) = block else { return Ok(Vec::new()) };
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
    /// Whether it is a user-assigned identity, and no resource that has some.
    pub(super) fn is_an_identity(&self) -> bool {
        self.vm.kind_name.eq_ignore_ascii_case("Microsoft.ManagedIdentity/userAssignedIdentities")
    }

    /// The scale set whose instance it is.
    fn set(&self) -> Option<ResourceId> {
        self.vm.id.parent().filter(|_| self.vm.is_instance())
    }

    /// Whom a token of this identity is about: an instance's is its set's.
    pub(super) fn subject(&self, identity: &AttachedIdentity) -> Subject {
        let vm = self.set().unwrap_or_else(|| self.vm.id.clone());
        let bearer = match &identity.resource {
            None => Bearer::SystemAssigned { resource: vm },
            Some(id) => {
                let used_from = Some(vm).filter(|vm| vm != id);
                Bearer::UserAssigned { identity: id.clone(), used_from }
            }
        };
        Subject { object_id: identity.object_id, client: identity.client_id, bearer }
    }
}
