//! What there may be only so many of: the last that is taken, and the words for the next.

use serde_json::{Value, json};
use zaffre::store::{StoreError, Table};

use crate::world::World;

impl World {
    /// Puts it, and gives the status with the error's message.
    async fn put(&self, target: &str, properties: Value) -> (u16, String) {
        let body = json!({ "location": "westeurope", "properties": properties });
        let answer = self.ask(&self.arm("PUT", target).json(&body)).await;
        (answer.status, answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn an_identity_has_at_most_twenty_federated_credentials() {
    let world = World::new().await;
    let identity = world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai");
    for number in 0..=20 {
        let target = format!("{identity}/federatedIdentityCredentials/number{number}?api-version=2023-01-31");
        let body =
            json!({ "issuer": "https://i.example", "subject": number.to_string(), "audiences": ["a"] });
        let (status, message) = world.put(&target, body).await;
        match number {
            20 => assert!(
                status == 400
                    && message.starts_with("Too many Federated Identity Credentials on the identity 'uai'"),
                "{message}"
            ),
            _ => assert_eq!(status, 201, "{message}"),
        }
    }
}

#[tokio::test]
async fn a_cosmos_account_has_at_most_a_hundred_sql_role_definitions() {
    let world = World::new().await;
    for number in 0..=100 {
        let target =
            format!("/sqlRoleDefinitions/00000000-0000-4000-8000-{number:012}?api-version=2024-11-15");
        let action = "Microsoft.DocumentDB/databaseAccounts/readMetadata";
        let role = json!({
            "roleName": format!("r{number}"), "type": "CustomRole", "assignableScopes": ["/"],
            "permissions": [{ "dataActions": [action] }],
        });
        let (status, message) = world.put(&world.databases(&target), role).await;
        match number {
            100 => assert!(
                status == 400 && message.contains("An account has at most 100 SQL role definitions"),
                "{message}"
            ),
            _ => assert_eq!(status, 202, "{message}"),
        }
    }
}

#[tokio::test]
async fn a_region_has_so_many_public_addresses_and_no_more() {
    const COUNT: u64 = 65_000;
    let world = World::new().await;
    let taken: Table<u64, String> = Table::new("public_addresses");
    let all = world.server.env.store.write(world.cloud.id, |txn| {
        (0..COUNT - 1).try_for_each(|offset| taken.put(txn, &offset, &"/x".to_owned()))
    });
    all.await.map_err(|error: StoreError| error.to_string()).expect("are written");
    for (name, refused) in [("last", false), ("none", true)] {
        let target = world
            .group(&format!("/providers/Microsoft.Network/publicIPAddresses/{name}?api-version=2024-05-01"));
        let (status, message) = world.put(&target, json!({ "publicIPAllocationMethod": "Static" })).await;
        let is_as_it_should = match refused {
            true => {
                status == 400
                    && message
                        == format!(
                            "Cannot create more than {COUNT} public IP addresses for this subscription in this region."
                        )
            }
            false => status == 201,
        };
        assert!(is_as_it_should, "{name}: {status} {message}");
    }
}
