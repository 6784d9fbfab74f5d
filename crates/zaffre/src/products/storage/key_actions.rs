//! What is done with an account's keys through Resource Manager (resources.md §4).

use azure::{api_version::ApiVersion, error::Result};
use serde_json::{Value, json};

use super::{
    codes,
    keys::{ACCOUNTS, Account, AccountKey},
};
use crate::arm::{
    codes::{INVALID_CONTENT, not_implemented},
    kind::{Answer, Call},
};

static KEY_OBJECTS: ApiVersion = ApiVersion::of("2016-01-01");
/// From here on `permissions` is in capitals: `Full` at 2016-12-01 and `FULL` at 2017-10-01 were seen.
static CAPITAL_FULL: ApiVersion = ApiVersion::of("2017-06-01");
static KEY_TIMES: ApiVersion = ApiVersion::of("2021-01-01");

pub(super) fn list(call: &mut Call<'_>) -> Result<Answer> {
    let account = account(call)?;
    Ok(Answer::ok(shown(&account, call.version)))
}

pub(super) fn regenerate(call: &mut Call<'_>) -> Result<Answer> {
    let Some(name) = call.body.get("keyName").and_then(Value::as_str) else {
        return Err(INVALID_CONTENT.with(["Required property 'keyName' not found in JSON."]));
    };
    let mut account = account(call)?;
    let fresh = AccountKey::draw(call.draw, call.cx.now);
    match name {
        "key1" => account.keys.key1 = fresh,
        "key2" => account.keys.key2 = fresh,
        "kerb1" | "kerb2" => return Err(not_implemented("regenerateKey of a Kerberos key")),
        other => return Err(codes::INVALID_VALUE.with([other, "keyName"])),
    }
    ACCOUNTS.put(call.txn, &call.id.name().to_owned(), &account)?;
    Ok(Answer::ok(shown(&account, call.version)))
}

/// Every user delegation key is made of the account's secret, which the next one who asks for a key draws anew.
pub(super) fn revoke_delegation_keys(call: &mut Call<'_>) -> Result<Answer> {
    let account = Account { delegation: None, ..account(call)? };
    ACCOUNTS.put(call.txn, &call.id.name().to_owned(), &account)?;
    Ok(Answer::empty(200))
}

pub(super) fn account(call: &Call<'_>) -> Result<Account> {
    let found = ACCOUNTS.get(call.txn, &call.id.name().to_owned())?;
    found.ok_or_else(|| crate::arm::codes::INTERNAL.bare().because("an account's row lacks its keys"))
}

fn shown(account: &Account, version: &ApiVersion) -> Value {
    let (key1, key2) = (&account.keys.key1, &account.keys.key2);
    if *version < KEY_OBJECTS {
        return json!({ "key1": key1.reveal(), "key2": key2.reveal() });
    }
    let permissions = if *version < CAPITAL_FULL { "Full" } else { "FULL" };
    let one = |name: &str, key: &AccountKey| {
        let mut shown = json!({ "keyName": name, "value": key.reveal(), "permissions": permissions });
        if *version >= KEY_TIMES {
            shown["creationTime"] = json!(key.created.iso());
        }
        shown
    };
    json!({ "keys": [one("key1", key1), one("key2", key2)] })
}

#[cfg(test)]
mod tests {
    use azure::{ids::ResourceId, time::Timestamp};

    use super::*;
    use crate::{
        cloud::Chance,
        products::storage::keys::{AccountKeys, Settings},
    };

    #[test]
    fn each_version_shows_keys_in_its_own_form() {
        let account = Account {
            id: ResourceId::root(),
            keys: AccountKeys::draw(&mut Chance::seeded(1).draw(), Timestamp::from_seconds(0)),
            delegation: None,
            settings: Settings {
                sku: String::new(),
                kind: String::new(),
                allows_shared_key: true,
                allows_public_access: false,
                requires_https: true,
                default_version: None,
            },
        };
        let key1 = account.keys.key1.reveal();
        assert_eq!(key1.len(), 88, "64 bytes in base64");
        let old = shown(&account, &ApiVersion::of("2015-06-15"));
        assert_eq!((old["key1"].as_str(), old["keys"].as_array()), (Some(key1.as_str()), None));
        for (version, permissions, has_time) in
            [("2016-12-01", "Full", false), ("2017-10-01", "FULL", false), ("2023-05-01", "FULL", true)]
        {
            let key = &shown(&account, &version.parse().expect("a version"))["keys"][0];
            assert_eq!(key["value"], json!(key1), "{version}");
            assert_eq!(key["permissions"], json!(permissions), "{version}");
            assert_eq!(key["creationTime"].is_string(), has_time, "{version}");
        }
    }
}
