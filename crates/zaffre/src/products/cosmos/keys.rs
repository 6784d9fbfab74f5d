//! An account's four keys: two that do everything, two that read.

use azure::{error::Result, ids::ResourceId, text};
use serde::{Deserialize, Serialize};

use crate::{
    cloud::Draw,
    keys,
    store::{Table, Txn},
};

const KEYS: Table<ResourceId, AccountKeys> = Table::new("cosmos_keys");

/// In base64, as they are shown. It has no `Debug`: keys are secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AccountKeys([String; 4]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Secondary,
    PrimaryReadonly,
    SecondaryReadonly,
}

pub(super) const ALL: [KeyKind; 4] =
    [KeyKind::Primary, KeyKind::Secondary, KeyKind::PrimaryReadonly, KeyKind::SecondaryReadonly];

impl KeyKind {
    /// As `regenerateKey` names it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let names = ["primary", "secondary", "primaryReadonly", "secondaryReadonly"];
        ALL.into_iter().zip(names).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(kind, _)| kind)
    }

    pub(super) fn is_read_only(self) -> bool {
        matches!(self, KeyKind::PrimaryReadonly | KeyKind::SecondaryReadonly)
    }
}

impl AccountKeys {
    pub(super) fn new(draw: &mut Draw) -> Self {
        AccountKeys(std::array::from_fn(|_| fresh(draw)))
    }

    /// The same key four times over would make the read-only ones useless: the drop-in account has only the
    /// one that everybody knows, and the rest cannot be shown.
    pub(super) fn only(primary: String) -> Self {
        AccountKeys([primary, String::new(), String::new(), String::new()])
    }

    pub(super) fn get(&self, kind: KeyKind) -> &str {
        &self.0[kind as usize]
    }

    /// Which key signed one of the payloads.
    pub(super) fn signer(&self, signature: &[u8], payloads: &[String]) -> Option<KeyKind> {
        ALL.into_iter().filter(|kind| !self.get(*kind).is_empty()).find(|kind| {
            let key = text::base64_decode(self.get(*kind)).unwrap_or_default();
            let signs =
                |payload: &String| keys::same(&keys::hmac_sha256(&key, payload.as_bytes()), signature);
            payloads.iter().any(signs)
        })
    }
}

/// 64 bytes.
fn fresh(draw: &mut Draw) -> String {
    text::base64(draw.bytes::<64>())
}

pub(super) fn get(txn: &Txn, account: &ResourceId) -> Result<Option<AccountKeys>> {
    Ok(KEYS.get(txn, account)?)
}

/// Gives a new account its keys; one that has keys keeps them.
pub(super) fn ensure(txn: &mut Txn, draw: &mut Draw, account: &ResourceId) -> Result<()> {
    if KEYS.exists(txn, account)? {
        return Ok(());
    }
    Ok(KEYS.put(txn, account, &AccountKeys::new(draw))?)
}

/// Replaces one key; the old one signs nothing any more.
pub(super) fn regenerate(txn: &mut Txn, draw: &mut Draw, account: &ResourceId, kind: KeyKind) -> Result<()> {
    let Some(mut keys) = get(txn, account)? else { return Ok(()) };
    keys.0[kind as usize] = fresh(draw);
    Ok(KEYS.put(txn, account, &keys)?)
}

pub(super) fn forget(txn: &mut Txn, account: &ResourceId) -> Result<()> {
    Ok(KEYS.delete(txn, account)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Chance;

    #[test]
    fn each_key_signs_for_itself_and_an_absent_one_for_nobody() {
        let keys = AccountKeys::new(&mut Chance::seeded(3).draw());
        let payloads = ["other".to_owned(), "get\ndbs\n\n\n\n".to_owned()];
        for kind in ALL {
            assert_eq!(keys.get(kind).len(), 88, "64 bytes");
            let key = text::base64_decode(keys.get(kind)).expect("is base64");
            let signature = crate::keys::hmac_sha256(&key, payloads[1].as_bytes());
            assert_eq!(keys.signer(&signature, &payloads), Some(kind));
            assert_eq!(keys.signer(&signature, &payloads[..1]), None);
        }
        let only = AccountKeys::only(keys.get(KeyKind::Primary).to_owned());
        let by_nothing = crate::keys::hmac_sha256(b"", payloads[1].as_bytes());
        assert_eq!(only.signer(&by_nothing, &payloads), None, "an empty key is no key");
    }
}
