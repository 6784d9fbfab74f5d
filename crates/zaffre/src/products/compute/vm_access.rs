//! The extension VMAccessForLinux: `az vm user update`, `reset-ssh` and `delete`.
//!
//! It is told in `protectedSettings` whose key or password to set, does so, and keeps none of it (its README in
//! Azure/azure-linux-extensions, "VMAccess", names the members). A key is one more; a password takes the place of the one before, and is a
//! way in from then on, also where the machine was made without. A user who is not there is made, with a home and in the group sudo, and
//! `remove_user` takes one away with all that is in the home. Disks are not checked: a guest's is in memory.

use azure::error::{Error, Result};
use serde_json::Value;

use super::{
    codes,
    logins::{self, Logins, Other},
};
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

/// Does what the settings say, in the transaction that keeps the extension. Whoever runs the machine makes users and takes them away.
pub(super) fn apply(change: &mut Change<'_>, protected: &Value) -> Result<()> {
    let settings =
        change.next.properties.entry("settings").or_insert_with(|| Value::Object(Default::default()));
    if let Some(name) = ["check_disk", "repair_disk"].into_iter().find(|it| is_true(&settings[it])) {
        return Err(not_yet(name));
    }
    let said = |name: &str| protected[name].as_str().filter(|it| !it.is_empty());
    if said("expiration").is_some() {
        return Err(not_yet("expiration"));
    }
    let vm = change.next.id.parent().expect("an extension is inside its machine");
    let Some(vm) = resources::get(change.txn, &vm)? else { return Ok(()) };
    let mut logins = logins::get(change.txn, &vm.id)?;
    if let Some(user) = said("remove_user") {
        logins.remove(check_name(user, "remove_user")?);
    }
    let (key, word) = (said("ssh_key"), said("password"));
    // Without either, `reset_ssh`: there is no configuration that anybody could have broken.
    if key.is_some() || word.is_some() {
        let missing =
            || codes::INVALID_PARAMETER.with(["protectedSettings.username"]).at("protectedSettings.username");
        let user = check_name(said("username").ok_or_else(missing)?, "username")?;
        let password = word.map(|it| SecretHash::of_chosen(it, change.draw));
        logins.set(user, vm.text("osProfile/adminUsername") == Some(user), key.map(str::trim), password);
    }
    logins::put(change.txn, &vm.id, &logins)
}

/// As a member that is a truth or the word for one.
fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || value.as_str().is_some_and(|it| it.eq_ignore_ascii_case("true"))
}

/// As `useradd` takes it; root is nobody's to make or to take away.
fn check_name<'a>(name: &'a str, member: &'static str) -> Result<&'a str> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    let is_good =
        name != "root" && name.len() <= 32 && !name.starts_with(['-', '.']) && name.chars().all(is_plain);
    let parameter = format!("protectedSettings.{member}");
    if is_good { Ok(name) } else { Err(codes::INVALID_PARAMETER.with([parameter.clone()]).at(parameter)) }
}

impl Logins {
    /// One more key, another password; a user who is not there is made.
    fn set(&mut self, user: &str, is_admin: bool, key: Option<&str>, password: Option<SecretHash>) {
        self.removed.retain(|it| it != user);
        if !is_admin && self.others.iter().all(|it| it.name != user) {
            self.others.push(Other { name: user.to_owned(), password: None, keys: Vec::new() });
        }
        let other = self.others.iter_mut().find(|it| it.name == user);
        let (keys, kept) = match other {
            Some(other) => (&mut other.keys, &mut other.password),
            None => (&mut self.keys, &mut self.password),
        };
        keys.extend(key.filter(|key| keys.iter().all(|it| it != key)).map(str::to_owned));
        if password.is_some() {
            *kept = password;
        }
    }

    fn remove(&mut self, user: &str) {
        self.others.retain(|it| it.name != user);
        if !self.removed.iter().any(|it| it == user) {
            self.removed.push(user.to_owned());
        }
    }
}

fn not_yet(what: &str) -> Error {
    arm::codes::not_implemented(format!("extension {PUBLISHER}/{TYPE}: {what}"))
}
