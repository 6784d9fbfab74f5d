//! A client as SDKs are: it signs what it sends.

use std::sync::Arc;

use azure::{
    cosmos_key::{self, Request as Signed},
    text,
    time::Timestamp,
};
use http::{HeaderMap, Request};
use serde_json::Value;

use crate::{
    Server,
    cloud::CloudId,
    door::{Door, Entrance},
    keys,
    service::Body,
};

/// Sun, 22 Nov 2026 00:22:54 GMT.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_306_974);

/// Who signs, and where it sends.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) server: Arc<Server>,
    pub(super) door: Door,
    pub(super) origin: String,
    pub(super) auth: Auth,
}

#[derive(Clone)]
pub(super) enum Auth {
    Key(String),
    /// The header as it stands.
    Raw(String),
    None,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("is no JSON: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("is text"))
    }

    /// Status and sub-status.
    pub(super) fn code(&self) -> (u16, u32) {
        (self.status, self.header("x-ms-substatus").parse().unwrap_or(0))
    }
}

impl Client {
    /// On the drop-in port, with the key that everybody knows.
    pub(super) async fn drop_in() -> Self {
        let server = Server::in_memory(11, NOW).await;
        let key =
            ["C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2n", "Q9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="];
        Client {
            server,
            door: Door::at(CloudId::DEFAULT, Entrance::Cosmos),
            origin: "http://localhost:8081".to_owned(),
            auth: Auth::Key(key.concat()),
        }
    }

    pub(super) fn with(&self, auth: Auth) -> Self {
        Client { auth, ..self.clone() }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], body).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.send_at(NOW, method, path, headers, body).await
    }

    /// The same, signed at another time.
    pub(super) async fn send_at(
        &self,
        at: Timestamp,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let date = at.rfc1123();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("x-ms-date", &date)
            .header("x-ms-version", "2020-07-15");
        if let Some(authorization) = self.authorization(method, path, &date) {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.server.send(self.door.clone(), request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = Body::new(response.into_body()).bytes(1 << 26).await.expect("a body in memory");
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).expect("is text") }
    }

    fn authorization(&self, verb: &str, path: &str, x_ms_date: &str) -> Option<String> {
        match &self.auth {
            Auth::None => None,
            Auth::Raw(header) => Some(header.clone()),
            Auth::Key(key) => {
                let path = path.split('?').next().unwrap_or_default();
                let signed = Signed { verb, path, x_ms_date, date: "", resolve_for: None };
                let payload = cosmos_key::payloads(&signed).remove(0);
                let key = text::base64_decode(key).expect("is base64");
                let signature = text::base64(keys::hmac_sha256(&key, payload.as_bytes()));
                Some(text::percent_encode(&format!("type=master&ver=1.0&sig={signature}")))
            }
        }
    }
}

/// A database `shop` and its collection `orders`, whose partition key is `/customer`.
pub(super) async fn shop() -> Client {
    let client = Client::drop_in().await;
    assert_eq!(client.post("/dbs", r#"{"id":"shop"}"#).await.status, 201);
    let orders = r#"{"id":"orders","partitionKey":{"paths":["/customer"],"kind":"Hash","version":2}}"#;
    assert_eq!(client.post("/dbs/shop/colls", orders).await.status, 201);
    client
}

pub(super) const ADA: (&str, &str) = ("x-ms-documentdb-partitionkey", r#"["ada"]"#);
