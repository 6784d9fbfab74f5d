//! An account's keys over Resource Manager (resources.md §6.2). What each verb shows is an action of its own,
//! so that a role may see the keys that read and not those that write. The table has the account's other verbs too.

use azure::{error::Result, ids::ResourceId};
use serde_json::json;

use super::{done, failover, shown};
use crate::{
    arm::kind::{Answer, Call, On, Run, Verb},
    products::cosmos::{
        codes,
        keys::{self, AccountKeys, KeyKind},
    },
    resources::operations::Gives,
    store::Txn,
};

pub(super) static VERBS: &[Verb] = &[
    reads("listKeys", On::Post, "listKeys/action", list),
    reads("readonlykeys", On::Post, "readonlykeys/action", list_read_only),
    reads("readonlykeys", On::Get, "readonlykeys/read", list_read_only),
    reads("listConnectionStrings", On::Post, "listConnectionStrings/action", list_connection_strings),
    Verb::post("regenerateKey", "regenerateKey/action", regenerate),
    Verb::post("failoverPriorityChange", "failoverPriorityChange/action", failover::reorder),
    Verb::post("offlineRegion", "offlineRegion/action", failover::offline),
    Verb::post("onlineRegion", "onlineRegion/action", failover::online),
];

const fn reads(
    name: &'static str,
    method: On,
    action: &'static str,
    run: fn(&Call<'_, &Txn>) -> Result<Answer>,
) -> Verb {
    Verb { name, method, action, run: Run::Read(run) }
}

fn list(call: &Call<'_, &Txn>) -> Result<Answer> {
    let keys = of(call.txn, call.id)?;
    Ok(Answer::ok(json!({
        "primaryMasterKey": keys.get(KeyKind::Primary),
        "secondaryMasterKey": keys.get(KeyKind::Secondary),
        "primaryReadonlyMasterKey": keys.get(KeyKind::PrimaryReadonly),
        "secondaryReadonlyMasterKey": keys.get(KeyKind::SecondaryReadonly),
    })))
}

fn list_read_only(call: &Call<'_, &Txn>) -> Result<Answer> {
    let keys = of(call.txn, call.id)?;
    Ok(Answer::ok(json!({
        "primaryReadonlyMasterKey": keys.get(KeyKind::PrimaryReadonly),
        "secondaryReadonlyMasterKey": keys.get(KeyKind::SecondaryReadonly),
    })))
}

fn list_connection_strings(call: &Call<'_, &Txn>) -> Result<Answer> {
    let keys = of(call.txn, call.id)?;
    let endpoint = shown::endpoint(call.id.name(), None);
    let strings = keys::ALL.map(|kind| {
        let (description, name) = match kind {
            KeyKind::Primary => ("Primary SQL Connection String", "Primary"),
            KeyKind::Secondary => ("Secondary SQL Connection String", "Secondary"),
            KeyKind::PrimaryReadonly => ("Primary Read-Only SQL Connection String", "PrimaryReadonly"),
            KeyKind::SecondaryReadonly => ("Secondary Read-Only SQL Connection String", "SecondaryReadonly"),
        };
        json!({
            "connectionString": format!("AccountEndpoint={endpoint};AccountKey={};", keys.get(kind)),
            "description": description,
            "keyKind": name,
            "type": "Sql",
        })
    });
    Ok(Answer::ok(json!({ "connectionStrings": strings })))
}

fn regenerate(call: &mut Call<'_>) -> Result<Answer> {
    let named = call.body["keyKind"].as_str().unwrap_or_default();
    let Some(kind) = KeyKind::parse(named) else {
        let why = format!("The key kind '{}' is not a valid one.", named.escape_default());
        return Err(codes::BAD_ACCOUNT.with([why]));
    };
    keys::regenerate(call.txn, call.draw, call.id, kind)?;
    done(call, Gives::Nothing)
}

fn of(txn: &Txn, account: &ResourceId) -> Result<AccountKeys> {
    let keys = keys::get(txn, account)?;
    keys.ok_or_else(|| codes::INTERNAL.bare().because("an account has no keys"))
}
