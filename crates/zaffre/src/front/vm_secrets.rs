//! Secrets that make a process of this host speak as a virtual machine, at the proxy.
//!
//! `zaffre env --as-vm NAME` makes one; the proxy's credentials carry it. The store keeps its hash, so it outlives a restart,
//! and it holds as long as the machine of that id does: one that was deleted and made again is another machine.

use azure::{
    error::{Error, Result},
    ids::{Guid, ResourceId},
    text,
};
use serde::{Deserialize, Serialize};

use crate::{
    cloud::{CloudId, Draw},
    door::From,
    keys,
    resources::{self, Resource},
    store::{Store, Table, Txn},
};

/// By the hash of the secret: who knows a row learns no secret, and a look-up compares no secrets.
const VM_SECRETS: Table<String, Owner> = Table::new("vm_secrets");

#[derive(Clone, Serialize, Deserialize)]
struct Owner {
    vm: ResourceId,
    vm_id: Guid,
}

/// Makes a secret for a machine. `None` where it has no `vmId`, so is none.
pub(crate) fn make(txn: &mut Txn, draw: &mut Draw, vm: &Resource) -> Result<Option<String>> {
    let Some(vm_id) = vm_id(vm) else { return Ok(None) };
    let secret = text::base64url(draw.bytes::<32>());
    VM_SECRETS.put(txn, &hash(&secret), &Owner { vm: vm.id.clone(), vm_id })?;
    Ok(Some(secret))
}

/// The machine that a secret was made for, while there is one.
pub(super) async fn owner(store: &Store, cloud: CloudId, secret: &str) -> Option<From> {
    let key = hash(secret);
    let found = store.read(cloud, |txn| {
        let Some(owner) = VM_SECRETS.get(txn, &key)? else { return Ok::<_, Error>(None) };
        let vm = resources::get(txn, &owner.vm)?;
        let is_the_same = vm.is_some_and(|vm| vm_id(&vm) == Some(owner.vm_id));
        Ok(is_the_same.then_some(From::Guest { vm: owner.vm, vm_id: owner.vm_id }))
    });
    // A store that cannot be read proves nobody's identity.
    found.await.unwrap_or_default()
}

/// `properties.vmId`, which only virtual machines have.
pub(crate) fn vm_id(vm: &Resource) -> Option<Guid> {
    vm.text("vmId")?.parse().ok()
}

fn hash(secret: &str) -> String {
    text::base64url(keys::sha256(secret.as_bytes()))
}

#[cfg(test)]
pub(super) mod tests {
    use azure::time::Timestamp;

    use super::*;
    use crate::cloud::Chance;

    fn machine(vm_id: &str) -> Resource {
        let id = ResourceId::parse(
            "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/myVM",
        );
        let mut vm = Resource::new(
            id.expect("an id"),
            "Microsoft.Compute/virtualMachines",
            Guid([1; 16]),
            Timestamp::from_seconds(1_795_302_174),
        );
        vm.set("vmId", vm_id);
        vm
    }

    /// A machine in the default cloud, and its secret.
    pub(in crate::front) async fn machine_with_secret(store: &Store) -> (ResourceId, Guid, String) {
        let vm = machine("00000000-0000-4000-8000-000000000001");
        let draw = Chance::seeded(1).draw();
        let made = store.write(CloudId::DEFAULT, |txn| {
            resources::put(txn, &vm)?;
            make(txn, &mut draw.clone(), &vm)
        });
        let secret = made.await.expect("writes").expect("a machine has a secret");
        let vm_id = vm_id(&vm).expect("a machine has an id");
        (vm.id, vm_id, secret)
    }

    #[tokio::test]
    async fn a_secret_is_its_machines_while_that_machine_is_there() {
        let (store, cloud) = (Store::in_memory(), CloudId::DEFAULT);
        let (vm, vm_id, secret) = machine_with_secret(&store).await;
        let guest = From::Guest { vm, vm_id };
        assert_eq!(owner(&store, cloud, &secret).await, Some(guest));
        assert_eq!(owner(&store, cloud, "another").await, None);
        assert_eq!(owner(&store, CloudId(7), &secret).await, None, "another cloud's door");

        let another = machine("00000000-0000-4000-8000-000000000002");
        store.write(cloud, |txn| resources::put(txn, &another)).await.expect("writes");
        assert_eq!(owner(&store, cloud, &secret).await, None, "made again under the same name");
        store.write(cloud, |txn| resources::delete(txn, &another)).await.expect("writes");
        assert_eq!(owner(&store, cloud, &secret).await, None, "deleted");
    }
}
