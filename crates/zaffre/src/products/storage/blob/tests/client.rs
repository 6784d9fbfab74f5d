//! A client as the tests need one: it signs what it sends, and reads the answer whole.

use std::sync::Arc;

use azure::{
    ids::{ClientId, ObjectId, ResourceId},
    jwt::claims::{Bearer, Credential},
    principal::PrincipalKind,
    roles,
    sas::{self, Place, Sas},
    shared_key::{self, Scheme},
    text,
    time::Timestamp,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::{
    Server,
    access::assignments::{self, RoleAssignment},
    cloud::{Chance, CloudId},
    directory::mint::{self, Subject},
    door::{Door, Entrance},
    keys,
    products::storage::keys::{ACCOUNTS, Account, AccountKeys, DROP_IN, Settings},
    service::{Body, Cx, reply::ReplyBody},
};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
pub(super) const VERSION: &str = "2026-04-06";
/// The well-known key, in two parts as in the program.
const KEY: [&str; 2] =
    ["Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6", "IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="];

/// Somebody who knows an account's key, and a door.
pub(super) struct Client {
    pub(super) server: Arc<Server>,
    pub(super) door: Door,
    account: String,
    key: Vec<u8>,
    /// What every path begins with.
    base: String,
    host: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    /// The drop-in account at the drop-in port of an empty cloud.
    pub(super) async fn drop_in() -> Self {
        Client::over(Server::in_memory(1, NOW).await)
    }

    pub(super) fn over(server: Arc<Server>) -> Self {
        Client::drop_in_of(&server, CloudId::DEFAULT)
    }

    pub(super) fn drop_in_of(server: &Arc<Server>, cloud: CloudId) -> Self {
        Client {
            server: Arc::clone(server),
            door: Door::at(cloud, Entrance::Blob),
            account: DROP_IN.to_owned(),
            key: text::base64_decode(&KEY.concat()).expect("base64"),
            base: format!("/{DROP_IN}"),
            host: "127.0.0.1:10000".to_owned(),
        }
    }

    /// An account of the cloud, by its own host.
    pub(super) async fn named(server: &Arc<Server>, cloud: CloudId, name: &str) -> Self {
        let account = make_account(server, cloud, name, |_| {}).await;
        let key = text::base64_decode(&account.keys.key2.reveal()).expect("base64");
        Client { door: Door::named(cloud), ..Client::of(server, name).with_key(&key) }
    }

    /// An account of the default cloud by its own host, whose key is not known yet.
    pub(super) fn of(server: &Arc<Server>, name: &str) -> Self {
        Client {
            server: Arc::clone(server),
            door: Door::named(CloudId::DEFAULT),
            account: name.to_owned(),
            key: Vec::new(),
            base: String::new(),
            host: format!("{name}.blob.core.windows.net"),
        }
    }

    /// The same account, another key.
    pub(super) fn with_key(mut self, key: &[u8]) -> Self {
        self.key = key.to_vec();
        self
    }

    /// Sends a signed request.
    pub(super) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let body = body.into();
        let mut headers = self.common(headers, &body);
        let signature = self.sign(method, target, &headers);
        headers.push(("authorization".to_owned(), format!("SharedKey {}:{signature}", self.account)));
        self.deliver(method, target, &headers, Body::from(body)).await
    }

    /// Sends a request that says nothing of who asks, but what its headers say.
    pub(super) async fn send_unsigned(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = self.common(headers, &Bytes::new());
        self.deliver(method, target, &headers, Body::empty()).await
    }

    /// The same with a body.
    pub(super) async fn send_unsigned_body(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let body = Bytes::from(body);
        let headers = self.common(headers, &body);
        self.deliver(method, target, &headers, Body::from(body)).await
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub(super) async fn put(&self, target: &str, body: impl Into<Bytes>) -> Answer {
        self.send("PUT", target, &[("x-ms-blob-type", "BlockBlob")], body).await
    }

    pub(super) async fn make_container(&self, name: &str) {
        let answer = self.send("PUT", &format!("/{name}?restype=container"), &[], "").await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Signs and sends a request whose body is not simply bytes.
    pub(super) async fn send_body(&self, target: &str, length: u64, body: Body) -> Answer {
        let length = length.to_string();
        let mut headers =
            self.common(&[("x-ms-blob-type", "BlockBlob"), ("content-length", &length)], &Bytes::new());
        let signature = self.sign("PUT", target, &headers);
        headers.push(("authorization".to_owned(), format!("SharedKey {}:{signature}", self.account)));
        self.deliver("PUT", target, &headers, body).await
    }

    fn common(&self, given: &[(&str, &str)], body: &Bytes) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let length = body.len().to_string();
        let cloud = self.server.cloud(self.door.cloud).expect("is open");
        let date = cloud.clock.now().rfc1123();
        for (name, value) in
            [("x-ms-date", date.as_str()), ("x-ms-version", VERSION), ("content-length", &length)]
        {
            let is_given = headers.iter().any(|(key, _)| key == name);
            let is_empty_length = name == "content-length" && body.is_empty();
            if !is_given && !is_empty_length {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers.retain(|(_, value)| value != "-");
        headers
    }

    pub(super) fn sign(&self, method: &str, target: &str, headers: &[(String, String)]) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = format!("{}{path}", self.base);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = shared_key::Request {
            method,
            headers: &headers,
            path: &path,
            query,
            account: &self.account,
            is_secondary: false,
        };
        let signed = shared_key::candidates(Scheme::SharedKey, &request).swap_remove(0);
        text::base64(keys::hmac_sha256(&self.key, signed.as_bytes()))
    }

    /// A shared access signature by this client's key: the query whole, for what the path names.
    pub(super) fn sas(&self, query: &str, path: &str) -> String {
        self.sas_by(&self.key, query, path)
    }

    /// The same by another key.
    pub(super) fn sas_by(&self, key: &[u8], query: &str, path: &str) -> String {
        let pairs = text::form_decode(query).expect("is UTF-8");
        let sas = Sas::draft(&pairs).unwrap_or_else(|fault| panic!("{query}: {fault}"));
        let path = text::percent_decode(path).expect("is UTF-8");
        let place = match path.trim_start_matches('/').split_once('/') {
            Some((container, name)) => Place::Blob { container, name },
            None if path == "/" => Place::Account,
            None => Place::Container(&path[1..]),
        };
        let request = sas::Request { account: &self.account, place, headers: &[], query: &pairs };
        let signed = sas.string_to_sign(&request).expect("is for this level");
        let signature = text::base64(keys::hmac_sha256(key, signed.as_bytes()));
        format!("{query}&sig={}", text::percent_encode(&signature))
    }

    /// Sends a request whose only credential is in its query.
    pub(super) async fn send_with(
        &self,
        method: &str,
        target: &str,
        sas: &str,
        body: &'static str,
    ) -> Answer {
        let target = format!("{target}{}{sas}", if target.contains('?') { '&' } else { '?' });
        let headers = self.common(&[("x-ms-blob-type", "BlockBlob")], &Bytes::from_static(body.as_bytes()));
        self.deliver(method, &target, &headers, Body::from(body)).await
    }

    async fn deliver(&self, method: &str, target: &str, headers: &[(String, String)], body: Body) -> Answer {
        let uri = format!("{}{target}", self.base);
        let mut request = Request::builder().method(method).uri(uri).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(body).expect("a request");
        Answer::read(self.server.send(self.door.clone(), request).await).await
    }
}

impl Answer {
    async fn read(response: Response<ReplyBody>) -> Self {
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
        let reason =
            reason.map_or_else(String::new, |it| String::from_utf8_lossy(it.as_bytes()).into_owned());
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status.as_u16(), reason, headers: head.headers, body }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn code(&self) -> &str {
        self.header("x-ms-error-code")
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// What stands in every element of the name, in order.
    pub(super) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.text().split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect()
    }
}

/// Makes an account without Resource Manager, with settings of the test's choice.
pub(super) async fn make_account(
    server: &Server,
    cloud: CloudId,
    name: &str,
    set: impl Fn(&mut Settings) + Sync,
) -> Account {
    let opened = server.cloud(cloud).expect("is open");
    let group = ResourceId::group(opened.charter.subscription, "rg");
    let mut account = Account {
        id: group.provider("Microsoft.Storage", "storageAccounts", name),
        keys: AccountKeys::draw(&mut Chance::seeded(name.len() as u64).draw(), NOW),
        delegation: None,
        settings: Settings {
            sku: "Standard_LRS".to_owned(),
            kind: "StorageV2".to_owned(),
            allows_shared_key: true,
            allows_public_access: false,
            requires_https: true,
            default_version: None,
        },
    };
    set(&mut account.settings);
    let written = server.env.store.write(cloud, |txn| ACCOUNTS.put(txn, &name.to_owned(), &account)).await;
    written.expect("writes");
    account
}

/// A token of a principal that has no roles yet.
pub(super) async fn token(
    server: &Arc<Server>,
    cloud: CloudId,
    principal: ObjectId,
    audience: &str,
) -> String {
    let cx = Cx::internal(&server.env, &server.cloud(cloud).expect("is open"), Door::named(cloud));
    let subject = Subject {
        object_id: principal,
        client: ClientId(principal.0),
        bearer: Bearer::App(Credential::Secret),
    };
    let minted = mint::mint(&cx, subject, audience, mint::APPLICATION_LIFETIME);
    minted.token.to_string()
}

/// Gives a principal a built-in role.
pub(super) async fn grant(server: &Arc<Server>, principal: ObjectId, role: &str, scope: &ResourceId) {
    grant_when(server, principal, role, scope, None).await;
}

/// The same under a condition.
pub(super) async fn grant_when(
    server: &Arc<Server>,
    principal: ObjectId,
    role: &str,
    scope: &ResourceId,
    condition: Option<&str>,
) {
    let role = roles::by_name(role).expect("a built-in role").id;
    let name = server.cloud(CloudId::DEFAULT).expect("is open").chance.draw().guid();
    let plain = RoleAssignment::plain(name, scope, (principal, PrincipalKind::ServicePrincipal), role, NOW);
    let assignment = RoleAssignment { condition: condition.map(str::to_owned), ..plain };
    let written = server.env.store.write(CloudId::DEFAULT, |txn| assignments::put(txn, &assignment)).await;
    written.expect("writes");
}
