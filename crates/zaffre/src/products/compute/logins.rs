//! Who may sign in to a virtual machine over SSH, and by which key the machine itself is known.
//!
//! What Azure shows of it is in the machine's `osProfile`: its administrator and the administrator's keys. What it never shows is here: the
//! password, as a hash, what the extension VMAccessForLinux added since, and the machine's own key, which is drawn when it first
//! listens. All of it goes with the machine.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::images::System;
use crate::{
    cloud::Draw,
    directory::secret::SecretHash,
    resources::{Resource, moving::Move},
    store::{Table, Txn},
};

const LOGINS: Table<ResourceId, Logins> = Table::new("machine_logins");
const HOST_KEYS: Table<ResourceId, StoredHostKey> = Table::new("machine_host_keys");

/// Beside what `osProfile` says. It has no `Debug`: whoever has a hash can guess at it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Logins {
    pub(super) password: Option<SecretHash>,
    /// Lines of `authorized_keys`.
    #[serde(default)]
    pub(super) keys: Vec<String>,
    /// Users beside the administrator, whom VMAccess made.
    #[serde(default)]
    pub(super) others: Vec<Other>,
    /// Users whom it took away; every boot would bring some of them back.
    #[serde(default)]
    pub(super) removed: Vec<String>,
}

/// It has no `Debug`, as [`Logins`].
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Other {
    pub(super) name: String,
    pub(super) password: Option<SecretHash>,
    pub(super) keys: Vec<String>,
}

/// Who is to be in a machine, and who is not, beside those whom it has from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accounts {
    pub(super) made: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Logins {
    pub(super) fn accounts(&self) -> Accounts {
        let made = self.others.iter().map(|it| it.name.clone()).collect();
        Accounts { made, removed: self.removed.clone() }
    }
}

/// A machine's own key. It has no `Debug`.
#[derive(Serialize, Deserialize)]
struct StoredHostKey {
    /// One that was deleted and made again is another machine.
    vm_id: Guid,
    seed: String,
}

pub(super) fn get(txn: &Txn, vm: &ResourceId) -> Result<Logins> {
    Ok(LOGINS.get(txn, vm)?.unwrap_or_default())
}

pub(super) fn put(txn: &mut Txn, vm: &ResourceId, logins: &Logins) -> Result<()> {
    Ok(LOGINS.put(txn, vm, logins)?)
}

/// Keeps a new machine's `adminPassword`, where its administrator may sign in by it.
pub(super) fn found(txn: &mut Txn, vm: &Resource, password: Option<&str>, draw: &mut Draw) -> Result<()> {
    let Some(password) = password.filter(|it| !it.is_empty()) else { return Ok(()) };
    let is_disabled = vm.property("osProfile/linuxConfiguration/disablePasswordAuthentication");
    if System::of(vm) == System::Windows || is_disabled == Some(&Value::Bool(true)) {
        return Ok(());
    }
    // Some thirty milliseconds inside the transaction: this is asked once in a machine's life, and nothing else knows
    // the password by then.
    let password = Some(SecretHash::of_chosen(password, draw));
    put(txn, &vm.id, &Logins { password, ..Logins::default() })
}

/// The administrator's keys that the machine was made with.
pub(super) fn keys_of(vm: &Resource) -> Vec<String> {
    let listed = vm.property("osProfile/linuxConfiguration/ssh/publicKeys").and_then(Value::as_array);
    let text = |it: &Value| it["keyData"].as_str().map(str::to_owned);
    listed.into_iter().flatten().filter_map(text).collect()
}

/// The seed of the machine's own key: the one it has, or from now on this one.
pub(super) fn host_key(txn: &mut Txn, vm: &ResourceId, vm_id: Guid, mut draw: Draw) -> Result<[u8; 32]> {
    let known = HOST_KEYS.get(txn, vm)?.filter(|it| it.vm_id == vm_id);
    let known = known.and_then(|it| <[u8; 32]>::try_from(text::base64_decode(&it.seed)?).ok());
    if let Some(seed) = known {
        return Ok(seed);
    }
    let seed = draw.bytes::<32>();
    HOST_KEYS.put(txn, vm, &StoredHostKey { vm_id, seed: text::base64(seed) })?;
    Ok(seed)
}

pub(super) fn delete(txn: &mut Txn, vm: &ResourceId) -> Result<()> {
    LOGINS.delete(txn, vm)?;
    Ok(HOST_KEYS.delete(txn, vm)?)
}

/// The same machine under another id.
pub(super) fn moved(txn: &mut Txn, moved: &Move<'_>) -> Result<()> {
    if let Some(logins) = LOGINS.get(txn, moved.from)? {
        LOGINS.put(txn, moved.to, &logins)?;
    }
    if let Some(key) = HOST_KEYS.get(txn, moved.from)? {
        HOST_KEYS.put(txn, moved.to, &key)?;
    }
    delete(txn, moved.from)
}
