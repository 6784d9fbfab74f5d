//! The extension VMAccessForLinux: `az vm user update`, `reset-ssh` and `delete`.
//!
//! It is told in `protectedSettings` whose key or password to set, does so, and keeps none of it (its README in
//! Azure/azure-linux-extensions, "VMAccess", names the members). A key is one more; a password takes the place of the one before, and is a
//! way in from then on, also where the machine was made without. The administrator is the only user that guests have.

use azure::error::{Error, Result};
use serde_json::Value;

use super::{codes, logins};
use crate::{
    arm::{self, kind::Change},
    directory::secret::SecretHash,
    resources,
};

const PUBLISHER: &str = "Microsoft.OSTCExtensions";
const TYPE: &str = "VMAccessForLinux";

pub(super) fn is_it(publisher: &str, name: &str) -> bool {
    publisher.eq_ignore_ascii_case(PUBLISHER) && name.eq_ignore_ascii_case(TYPE)
}

/// Does what the settings say, in the transaction that keeps the extension.
pub(super) fn apply(change: &mut Change<'_>, protected: &Value) -> Result<()> {
    change.next.properties.entry("settings").or_insert_with(|| Value::Object(Default::default()));
    let said = |name: &str| protected[name].as_str().filter(|it| !it.is_empty());
    for name in ["remove_user", "expiration"] {
        if said(name).is_some() {
            return Err(not_yet(name));
        }
    }
    let (key, word) = (said("ssh_key"), said("password"));
    if key.is_none() && word.is_none() {
        // `reset_ssh`: there is no configuration that anybody could have broken.
        return Ok(());
    }
    let vm = change.next.id.parent().expect("an extension is inside its machine");
    let Some(vm) = resources::get(change.txn, &vm)? else { return Ok(()) };
    let missing =
        || codes::INVALID_PARAMETER.with(["protectedSettings.username"]).at("protectedSettings.username");
    let user = said("username").ok_or_else(missing)?;
    if vm.text("osProfile/adminUsername") != Some(user) {
        return Err(not_yet("another user than the administrator"));
    }
    let mut logins = logins::get(change.txn, &vm.id)?;
    if let Some(key) = key.map(str::trim).filter(|key| logins.keys.iter().all(|it| it != key)) {
        logins.keys.push(key.to_owned());
    }
    if let Some(word) = word {
        logins.password = Some(SecretHash::of_chosen(word, change.draw));
    }
    logins::put(change.txn, &vm.id, &logins)
}

fn not_yet(what: &str) -> Error {
    arm::codes::not_implemented(format!("extension {PUBLISHER}/{TYPE}: {what}"))
}
