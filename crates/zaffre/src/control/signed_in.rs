//! az's configuration folder as `az login` leaves it: az-cli.md §5, and the files that az 2.91 was seen to write and found enough to read.
//!
//! ```text
//! azureProfile.json               the subscriptions, and who sees them
//! msal_token_cache.json           a person: the account and a refresh token; az gets the rest by it
//! service_principal_entries.json  an application: its secret, or an assertion about it
//! ```
//!
//! A managed identity needs no more than the profile: az asks the metadata service at every command.

use azure::ids::{ClientId, ObjectId};
use serde_json::{Value, json};

use crate::{cloud::Charter, directory::founding::AZURE_CLI};

/// Who az is signed in as.
pub(super) enum SignedIn {
    Person {
        object_id: ObjectId,
        name: String,
        refresh_token: String,
    },
    Application {
        client: ClientId,
        secret: String,
    },
    /// By a token that another issuer wrote about it.
    Workload {
        client: ClientId,
        assertion: String,
    },
    /// By the metadata service, or what stands for it; an identity that is not the system's is named by its client id.
    Managed {
        user_assigned: Option<ClientId>,
    },
    /// By Cloud Shell's endpoint.
    CloudShell {
        name: String,
    },
    Nobody,
}

/// The files, by name. `sees_subscription`: else there is the tenant alone, as `--allow-no-subscriptions` has it.
pub(super) fn files(charter: &Charter, who: &SignedIn, sees_subscription: bool) -> Vec<(String, String)> {
    let Some(user) = user(who) else { return Vec::new() };
    let mut files = vec![("azureProfile.json", profile(charter, &user, sees_subscription))];
    match who {
        SignedIn::Person { object_id, name, refresh_token } => {
            files.push(("msal_token_cache.json", cache(charter, *object_id, name, refresh_token)));
        }
        SignedIn::Application { client, secret } => {
            files.push((ENTRIES, entry(charter, *client, "client_secret", secret)));
        }
        SignedIn::Workload { client, assertion } => {
            files.push((ENTRIES, entry(charter, *client, "client_assertion", assertion)));
        }
        SignedIn::Managed { .. } | SignedIn::CloudShell { .. } | SignedIn::Nobody => {}
    }
    files.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

const ENTRIES: &str = "service_principal_entries.json";
const AUTHORITY: &str = "login.microsoftonline.com";

fn user(who: &SignedIn) -> Option<Value> {
    let principal = |name: &str| json!({ "name": name, "type": "servicePrincipal" });
    Some(match who {
        SignedIn::Person { name, .. } => json!({ "name": name, "type": "user" }),
        SignedIn::Application { client, .. } | SignedIn::Workload { client, .. } => {
            principal(&client.to_string())
        }
        SignedIn::Managed { user_assigned } => {
            let (name, info) = match user_assigned {
                None => ("systemAssignedIdentity", "MSI".to_owned()),
                Some(client) => ("userAssignedIdentity", format!("MSIClient-{client}")),
            };
            let mut user = principal(name);
            user["assignedIdentityInfo"] = json!(info);
            user
        }
        SignedIn::CloudShell { name } => json!({ "name": name, "type": "user", "cloudShellID": true }),
        SignedIn::Nobody => return None,
    })
}

fn profile(charter: &Charter, user: &Value, sees_subscription: bool) -> Value {
    let mut account = json!({
        "id": charter.tenant,
        "name": "N/A(tenant level account)",
        "state": "Enabled",
        "user": user,
        "isDefault": true,
        "tenantId": charter.tenant,
        "environmentName": "AzureCloud",
    });
    if sees_subscription {
        account["id"] = json!(charter.subscription);
        account["name"] = json!(charter.subscription_name);
        account["homeTenantId"] = json!(charter.tenant);
        account["tenantDefaultDomain"] = json!(charter.domain);
        account["tenantDisplayName"] = json!(charter.display_name);
        account["managedByTenants"] = json!([]);
    }
    json!({ "subscriptions": [account] })
}

fn entry(charter: &Charter, client: ClientId, how: &str, proof: &str) -> Value {
    json!([{ "client_id": client, "tenant": charter.tenant, how: proof }])
}

/// MSAL's cache: keys are what they hold, joined, in lower case. Refresh tokens of az's family are good for every resource.
fn cache(charter: &Charter, object_id: ObjectId, name: &str, refresh_token: &str) -> Value {
    let home = format!("{object_id}.{}", charter.tenant);
    let account = json!({
        "home_account_id": home,
        "environment": AUTHORITY,
        "realm": "organizations",
        "local_account_id": object_id,
        "username": name,
        "authority_type": "MSSTS",
    });
    let refresh = json!({
        "credential_type": "RefreshToken",
        "secret": refresh_token,
        "home_account_id": home,
        "environment": AUTHORITY,
        "client_id": AZURE_CLI,
        "target": "",
        "family_id": "1",
    });
    let application = json!({ "client_id": AZURE_CLI, "environment": AUTHORITY, "family_id": "1" });
    json!({
        "Account": { format!("{home}-{AUTHORITY}-organizations"): account },
        "RefreshToken": { format!("{home}-{AUTHORITY}-refreshtoken-{AZURE_CLI}--"): refresh },
        "AppMetadata": { format!("appmetadata-{AUTHORITY}-{AZURE_CLI}"): application },
    })
}

#[cfg(test)]
mod tests {
    use azure::ids::Guid;

    use super::*;

    fn written(who: &SignedIn, sees: bool) -> (Vec<String>, Value) {
        let files = files(&Charter::contoso(azure::time::Timestamp::from_seconds(0)), who, sees);
        let first = files.first().map_or(Value::Null, |it| serde_json::from_str(&it.1).expect("JSON"));
        (files.into_iter().map(|it| it.0).collect(), first["subscriptions"][0].clone())
    }

    #[test]
    fn each_way_of_signing_in_has_its_files_and_its_user() {
        let client = ClientId(Guid([1; 16]));
        let person = SignedIn::Person {
            object_id: ObjectId(Guid([2; 16])),
            name: "grace@contoso.onmicrosoft.com".to_owned(),
            refresh_token: "1.r".to_owned(),
        };
        let text = client.to_string();
        for (who, files, user) in [
            (
                person,
                vec!["azureProfile.json", "msal_token_cache.json"],
                json!({ "name": "grace@contoso.onmicrosoft.com", "type": "user" }),
            ),
            (
                SignedIn::Application { client, secret: "s".to_owned() },
                vec!["azureProfile.json", ENTRIES],
                json!({ "name": text, "type": "servicePrincipal" }),
            ),
            (
                SignedIn::Managed { user_assigned: None },
                vec!["azureProfile.json"],
                json!({ "name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI" }),
            ),
            (
                SignedIn::Managed { user_assigned: Some(client) },
                vec!["azureProfile.json"],
                json!({ "name": "userAssignedIdentity", "type": "servicePrincipal",
                        "assignedIdentityInfo": format!("MSIClient-{text}") }),
            ),
        ] {
            let (names, account) = written(&who, true);
            assert_eq!((names, &account["user"]), (files.into_iter().map(str::to_owned).collect(), &user));
        }
        assert!(written(&SignedIn::Nobody, true).0.is_empty());
    }

    #[test]
    fn who_sees_no_subscription_has_the_tenant() {
        let (_, seen) = written(&SignedIn::Managed { user_assigned: None }, true);
        let (_, unseen) = written(&SignedIn::Managed { user_assigned: None }, false);
        assert_eq!(seen["id"], crate::cloud::DEFAULT_SUBSCRIPTION);
        assert_eq!(unseen["id"], crate::cloud::DEFAULT_TENANT);
        assert_eq!(unseen["name"], "N/A(tenant level account)");
    }
}
