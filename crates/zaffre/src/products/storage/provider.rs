//! Microsoft.Storage, as Resource Manager knows it: one table.

use azure::{api_version::ApiVersion, error::Result};
use serde_json::json;

use super::{account, blob, containers, documents, key_actions, legal_holds, sas_actions, services};
use crate::{
    arm::{
        kind::{Answer, Answers, At, Call, Function, Kind, Moves, On, Own, Provider, Run, Verb},
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

/// A service that every account has. Its settings are kept, and not obeyed.
const fn service(name: &'static str, own: &'static Own) -> Kind {
    Kind { own: Some(own), is_only_kept: true, ..Kind::child(name, &VERSIONS) }
}

/// Kept as it is sent. The SDKs know no 201 for these.
const fn document(name: &'static str) -> Kind {
    Kind { answers: Answers::Ok, shows_state: false, is_only_kept: true, ..Kind::child(name, &VERSIONS) }
}

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Storage",
    kinds: &[
        Kind {
            identity: Some(account::identity),
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
                Verb::post("ListAccountSas", "listAccountSas/action", sas_actions::of_account),
                Verb::post("ListServiceSas", "listServiceSas/action", sas_actions::of_service),
                Verb::post(
                    "revokeUserDelegationKeys",
                    "revokeUserDelegationKeys/action",
                    key_actions::revoke_delegation_keys,
                ),
            ],
            ..Kind::tracked("storageAccounts", &VERSIONS)
        },
        service("storageAccounts/blobServices", &services::BLOB),
        service("storageAccounts/fileServices", &services::FILE),
        service("storageAccounts/queueServices", &services::QUEUE),
        service("storageAccounts/tableServices", &services::TABLE),
        Kind {
            own: Some(&containers::CONTAINERS),
            actions: &[
                Verb::post("setLegalHold", "setLegalHold/action", legal_holds::set),
                Verb::post("clearLegalHold", "clearLegalHold/action", legal_holds::clear),
            ],
            ..Kind::child("storageAccounts/blobServices/containers", &VERSIONS)
        },
        Kind {
            bare_put: true,
            put: documents::put_immutability,
            ..document("storageAccounts/blobServices/containers/immutabilityPolicies")
        },
        Kind { put: documents::put_policy, ..document("storageAccounts/managementPolicies") },
        Kind { put: documents::put_policy, ..document("storageAccounts/inventoryPolicies") },
        document("storageAccounts/localUsers"),
        document("storageAccounts/objectReplicationPolicies"),
        Kind { answers: Answers::Immediate, ..document("storageAccounts/fileServices/shares") },
        document("storageAccounts/queueServices/queues"),
        Kind { put: documents::put_table, ..document("storageAccounts/tableServices/tables") },
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
        Function::look_up(
            &VERSIONS,
            "locations/{location}/usages",
            "Microsoft.Storage/locations/usages/read",
            usages,
        ),
    ],
    data: blob::demands,
};

/// 250 accounts a region (documented: Scalability and performance targets).
fn usages(call: &Call<'_, &Txn>) -> Result<Answer> {
    static ACCOUNTS: &[Usage] =
        &[Usage("StorageAccounts", "Storage Accounts", 250, "Microsoft.Storage/storageAccounts")];
    Ok(Answer::ok(json!({ "value": usages::counted(call, ACCOUNTS)? })))
}
