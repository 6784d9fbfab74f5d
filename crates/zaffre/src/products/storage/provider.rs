//! Microsoft.Storage, as Resource Manager knows it: one table.

use azure::{api_version::ApiVersion, error::Result};
use serde_json::json;

use super::{account, blob, containers, key_actions};
use crate::{
    arm::{
        kind::{Answer, Answers, At, Call, Function, Kind, Located, Moves, On, Provider, Run, Verb},
        usages::{self, Usage},
    },
    store::Txn,
};

/// As the recorded list of registered versions has them, up to the SDK of today (resources.md §4).
static VERSIONS: [ApiVersion; 23] = [
    ApiVersion::of("2015-05-01-preview"),
    ApiVersion::of("2015-06-15"),
    ApiVersion::of("2016-01-01"),
    ApiVersion::of("2016-05-01"),
    ApiVersion::of("2016-12-01"),
    ApiVersion::of("2017-06-01"),
    ApiVersion::of("2017-10-01"),
    ApiVersion::of("2018-02-01"),
    ApiVersion::of("2018-03-01-preview"),
    ApiVersion::of("2018-07-01"),
    ApiVersion::of("2018-11-01"),
    ApiVersion::of("2019-04-01"),
    ApiVersion::of("2019-06-01"),
    ApiVersion::of("2020-08-01-preview"),
    ApiVersion::of("2021-01-01"),
    ApiVersion::of("2021-09-01"),
    ApiVersion::of("2022-09-01"),
    ApiVersion::of("2023-01-01"),
    ApiVersion::of("2023-05-01"),
    ApiVersion::of("2024-01-01"),
    ApiVersion::of("2025-01-01"),
    ApiVersion::of("2025-06-01"),
    ApiVersion::of("2026-09-01"),
];

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Storage",
    kinds: &[
        Kind {
            answers: Answers::AcceptedThenLocation,
            bad_name: Some(account::bad_name),
            put: account::put,
            delete: account::delete,
            sweep: account::sweep,
            moves: Moves::With(account::moved),
            view: account::view,
            actions: &[
                Verb::post("listKeys", "listKeys/action", key_actions::list),
                Verb::post("regenerateKey", "regenerateKey/action", key_actions::regenerate),
                Verb::post("ListAccountSas", "listAccountSas/action", key_actions::account_sas),
                Verb::post("ListServiceSas", "listServiceSas/action", key_actions::service_sas),
                Verb::post(
                    "revokeUserDelegationKeys",
                    "revokeUserDelegationKeys/action",
                    key_actions::revoke_delegation_keys,
                ),
            ],
            ..Kind::tracked("storageAccounts", &VERSIONS)
        },
        Kind {
            own: Some(&containers::SERVICES),
            location: Located::Nowhere,
            ..Kind::child("storageAccounts/blobServices", &VERSIONS)
        },
        Kind {
            own: Some(&containers::CONTAINERS),
            ..Kind::child("storageAccounts/blobServices/containers", &VERSIONS)
        },
    ],
    functions: &[
        Function {
            path: "checkNameAvailability",
            at: At::Subscription,
            method: On::Post,
            action: "Microsoft.Storage/checknameavailability/read",
            versions: &VERSIONS,
            run: Run::Txn(account::check_name),
        },
        Function {
            path: "locations/{location}/usages",
            at: At::Subscription,
            method: On::Get,
            action: "Microsoft.Storage/locations/usages/read",
            versions: &VERSIONS,
            run: Run::Read(usages),
        },
    ],
    data: blob::demands,
};

/// 250 accounts a region (documented: Scalability and performance targets).
fn usages(call: &Call<'_, &Txn>) -> Result<Answer> {
    static ACCOUNTS: &[Usage] =
        &[Usage("StorageAccounts", "Storage Accounts", 250, "Microsoft.Storage/storageAccounts")];
    Ok(Answer::ok(json!({ "value": usages::counted(call, ACCOUNTS)? })))
}
