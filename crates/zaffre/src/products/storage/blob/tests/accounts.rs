//! Accounts made through Resource Manager, as their data plane sees them.

use azure::{ids::ObjectId, text};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::client::{Client, NOW, token};
use crate::{
    Server,
    cloud::CloudId,
    directory::founding,
    door::Door,
    products::storage::blob::records::{BLOBS, BODIES, PURGES},
    service::Body,
};

/// Asks Resource Manager as the administrator; gives the status and the body.
async fn arm(server: &std::sync::Arc<Server>, method: &str, path: &str, body: Value) -> (u16, Value) {
    let who: ObjectId = founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a guid");
    let token = token(server, CloudId::DEFAULT, who, "https://management.azure.com/").await;
    let subscription = server.cloud(CloudId::DEFAULT).expect("is open").charter.subscription;
    let uri =
        format!("https://management.azure.com/subscriptions/{subscription}{path}?api-version=2023-05-01");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request =
        Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json").body(body).expect("a request");
    let answer = server.send(Door::named(CloudId::DEFAULT), request).await;
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

const ACCOUNT: &str = "/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acct";

async fn account() -> std::sync::Arc<Server> {
    let server = Server::in_memory(1, NOW).await;
    arm(&server, "PUT", "/resourceGroups/rg", json!({ "location": "westeurope" })).await;
    let body = json!({ "sku": { "name": "Standard_LRS" }, "kind": "StorageV2", "location": "westeurope" });
    assert_eq!(arm(&server, "PUT", ACCOUNT, body).await.0, 202);
    server
}

fn key(keys: &Value, at: usize) -> Vec<u8> {
    text::base64_decode(keys["keys"][at]["value"].as_str().expect("a key")).expect("base64")
}

#[tokio::test]
async fn a_listed_key_opens_the_account_until_it_is_regenerated() {
    let server = account().await;
    let (_, keys) = arm(&server, "POST", &format!("{ACCOUNT}/listKeys"), Value::Null).await;
    let clients = [0, 1].map(|at| Client::of(&server, "acct").with_key(&key(&keys, at)));
    for client in &clients {
        assert_eq!(client.get("/?comp=list").await.status, 200);
    }
    let body = json!({ "keyName": "key1" });
    let (_, fresh) = arm(&server, "POST", &format!("{ACCOUNT}/regenerateKey"), body).await;
    assert_eq!(clients[0].get("/?comp=list").await.code(), "AuthenticationFailed");
    assert_eq!(clients[1].get("/?comp=list").await.status, 200);
    let renewed = Client::of(&server, "acct").with_key(&key(&fresh, 0));
    assert_eq!(renewed.get("/?comp=list").await.status, 200);
    let (status, _) =
        arm(&server, "POST", &format!("{ACCOUNT}/regenerateKey"), json!({ "keyName": "key3" })).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn keys_can_be_switched_off_and_on_by_patch() {
    let server = account().await;
    let (_, keys) = arm(&server, "POST", &format!("{ACCOUNT}/listKeys"), Value::Null).await;
    let client = Client::of(&server, "acct").with_key(&key(&keys, 0));
    for (allows, status) in [(false, 403), (true, 200)] {
        let (patched, _) =
            arm(&server, "PATCH", ACCOUNT, json!({ "properties": { "allowSharedKeyAccess": allows } })).await;
        assert_eq!(patched, 200);
        assert_eq!(client.get("/?comp=list").await.status, status, "{allows}");
    }
    let (_, again) = arm(&server, "POST", &format!("{ACCOUNT}/listKeys"), Value::Null).await;
    assert_eq!(again, keys, "a change of settings leaves the keys alone");
}

#[tokio::test]
async fn nothing_is_left_of_an_account_whose_group_is_deleted() {
    let server = account().await;
    let (_, keys) = arm(&server, "POST", &format!("{ACCOUNT}/listKeys"), Value::Null).await;
    let client = Client::of(&server, "acct").with_key(&key(&keys, 0));
    client.make_container("con").await;
    for name in 0..300 {
        client.put(&format!("/con/{name}"), "x").await;
    }
    arm(&server, "DELETE", "/resourceGroups/rg", Value::Null).await;
    assert_eq!(client.get("/con/1").await.code(), "ResourceNotFound");
    let rows = async || {
        let counted = server.env.store.read(CloudId::DEFAULT, |txn| {
            let blobs = BLOBS.scan(txn, &(), None, usize::MAX)?.len();
            let bodies = BODIES.scan(txn, &(), None, usize::MAX)?.len();
            Ok::<_, crate::store::StoreError>(blobs + bodies + PURGES.scan(txn, &(), None, usize::MAX)?.len())
        });
        counted.await.expect("reads")
    };
    let cleared = async {
        while rows().await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), cleared).await.expect("is cleared");
    account_again(&server).await;
    assert_eq!(client.get("/con/1").await.code(), "AuthenticationFailed", "a new account has new keys");
}

async fn account_again(server: &std::sync::Arc<Server>) {
    arm(server, "PUT", "/resourceGroups/rg", json!({ "location": "westeurope" })).await;
    let body = json!({ "sku": { "name": "Standard_LRS" }, "kind": "StorageV2", "location": "westeurope" });
    assert_eq!(arm(server, "PUT", ACCOUNT, body).await.0, 202, "the name is free again");
}
