//! What a machine was made with for its beginning (`osProfile.customData`): kept beside the machine, since Azure never shows it again, and
//! read by whoever boots it (`cloud_init`).

use azure::{error::Result, ids::ResourceId};

use crate::{
    resources::{Resource, moving::Move},
    store::{Table, Txn},
};

const CUSTOM_DATA: Table<ResourceId, String> = Table::new("custom_data");

/// Keeps what came with a machine that is new.
pub(super) fn keep(txn: &mut Txn, vm: &ResourceId, data: &str) -> Result<()> {
    Ok(CUSTOM_DATA.put(txn, vm, &data.to_owned())?)
}

/// What its beginning is told, in base64: custom data, else user data, as cloud-init looks for them on Azure.
pub(super) fn of(txn: &Txn, vm: &Resource) -> Result<String> {
    let custom = CUSTOM_DATA.get(txn, &vm.id)?;
    Ok(custom.or_else(|| vm.text("userData").map(str::to_owned)).unwrap_or_default())
}

/// A scale set's machine is told what its set was made with.
pub(super) fn copy(txn: &mut Txn, from: &ResourceId, to: &ResourceId) -> Result<()> {
    match CUSTOM_DATA.get(txn, from)? {
        Some(data) => keep(txn, to, &data),
        None => Ok(()),
    }
}

pub(super) fn delete(txn: &mut Txn, vm: &ResourceId) -> Result<()> {
    Ok(CUSTOM_DATA.delete(txn, vm)?)
}

pub(super) fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    copy(txn, moved.from, moved.to)
}
