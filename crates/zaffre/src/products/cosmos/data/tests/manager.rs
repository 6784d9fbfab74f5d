//! Resource Manager's side of the tests: an account made as `az cosmosdb create` makes it.

use std::sync::Arc;

use azure::{
    ids::{ClientId, ObjectId},
    jwt::claims::{Bearer, Credential},
};
use http::Request;
use serde_json::{Value, json};

use super::client::{Auth, Client, NOW};
use crate::{
    Server,
    cloud::CloudId,
    directory::{self, founding, mint::Subject, service_principals},
    door::Door,
    service::{Body, Cx},
};

pub(super) const COSMOS: &str = "https://cosmos.azure.com";

/// An administrator of a cloud.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) server: Arc<Server>,
    pub(super) cloud: CloudId,
}

impl Manager {
    pub(super) async fn begin() -> Self {
        Manager { server: Server::in_memory(12, NOW).await, cloud: CloudId::DEFAULT }
    }

    pub(super) fn group(&self) -> String {
        let cloud = self.server.cloud(self.cloud).expect("is open");
        format!("/subscriptions/{}/resourceGroups/rg", cloud.charter.subscription)
    }

    pub(super) fn account(&self, name: &str) -> String {
        format!("{}/providers/Microsoft.DocumentDB/databaseAccounts/{name}", self.group())
    }

    /// A group and an account in it, with `shop` and `orders`; gives the account's key to a client.
    pub(super) async fn shop(&self, name: &str) -> Client {
        let group = self.send("PUT", &self.group(), json!({ "location": "westeurope" })).await;
        assert!(group.0 < 300, "{group:?}");
        let account = self.account(name);
        let body = json!({ "location": "westeurope", "kind": "GlobalDocumentDB",
            "properties": { "databaseAccountOfferType": "Standard" } });
        let made = self.send("PUT", &account, body).await;
        assert_eq!(made.0, 200, "{made:?}");
        let database = json!({ "properties": { "resource": { "id": "shop" }, "options": {} } });
        assert_eq!(self.send("PUT", &format!("{account}/sqlDatabases/shop"), database).await.0, 202);
        let orders = json!({ "properties": { "resource": { "id": "orders",
            "partitionKey": { "paths": ["/customer"], "kind": "Hash", "version": 2 } }, "options": {} } });
        let path = format!("{account}/sqlDatabases/shop/containers/orders");
        assert_eq!(self.send("PUT", &path, orders).await.0, 202);
        let key = self.key(name, "primaryMasterKey").await;
        self.client(&format!("{name}.documents.azure.com"), Auth::Key(key))
    }

    pub(super) fn client(&self, host: &str, auth: Auth) -> Client {
        let door = Door::named(self.cloud);
        Client { server: Arc::clone(&self.server), door, origin: format!("https://{host}"), auth }
    }

    pub(super) async fn key(&self, account: &str, name: &str) -> String {
        let keys = self.send("POST", &format!("{}/listKeys", self.account(account)), Value::Null).await;
        keys.1[name].as_str().expect("a key").to_owned()
    }

    /// Sends as the administrator; gives status and body.
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.send_with("2024-11-15", method, path, body).await
    }

    pub(super) async fn send_with(
        &self,
        version: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let admin = founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a constant guid");
        let token = self.token(admin, "https://management.azure.com/").await;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://management.azure.com{path}?api-version={version}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        let response = self.server.send(Door::named(self.cloud), request).await;
        let status = response.status().as_u16();
        let bytes = Body::new(response.into_body()).bytes(1 << 24).await.expect("a body in memory");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A token for a principal, whoever it is.
    pub(super) async fn token(&self, who: ObjectId, audience: &str) -> String {
        let cloud = self.server.cloud(self.cloud).expect("is open");
        let cx = Cx::internal(&self.server.env, &cloud, Door::named(self.cloud));
        let found = cx.read(|txn| service_principals::get(txn, who)).await.expect("reads");
        let client = found.map_or(ClientId(who.0), |it| it.app_id);
        let bearer = Bearer::App(Credential::Secret);
        let subject = Subject { object_id: who, client, bearer };
        let lifetime = directory::mint::APPLICATION_LIFETIME;
        directory::mint::mint(&cx, subject, audience, lifetime).token.to_string()
    }

    /// Gives one of Cosmos's roles somewhere in the account.
    pub(super) async fn assign(&self, account: &str, (role, scope): (&str, &str), who: ObjectId) {
        let cloud = self.server.cloud(self.cloud).expect("is open");
        let name = cloud.chance.draw().guid();
        let id = self.account(account);
        let properties =
            json!({ "roleDefinitionId": role, "scope": format!("{id}{scope}"), "principalId": who });
        let path = format!("{id}/sqlRoleAssignments/{name}");
        let made = self.send("PUT", &path, json!({ "properties": properties })).await;
        assert_eq!(made.0, 202, "{made:?}");
    }

    /// An identity to give roles to, and who it is.
    pub(super) async fn identity(&self, name: &str) -> ObjectId {
        let path =
            format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", self.group());
        let body = json!({ "location": "westeurope" });
        let made = self.send_with("2023-01-31", "PUT", &path, body).await;
        let id = made.1["properties"]["principalId"].as_str().expect("a principal");
        id.parse().expect("a guid")
    }

    /// What one of this cloud's accounts is to somebody with a token.
    pub(super) async fn as_principal(&self, account: &str, who: ObjectId) -> Client {
        let token = self.token(who, COSMOS).await;
        let header = format!("type=aad&ver=1.0&sig={token}");
        self.client(&format!("{account}.documents.azure.com"), Auth::Raw(header))
    }
}
