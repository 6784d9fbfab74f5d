//! A furnished cloud, for tests that need one of everything: a group, an identity, a virtual machine, a storage account
//! with a blob, the same at the drop-in ports, and a way to ask each service as somebody who may do all of it.
//!
//! An `Ask` is a request before it is signed, so that a test may change it and still be let in.

use std::{sync::Arc, time::Duration};

use azure::{
    cosmos_key,
    sas::{self, Place, Sas},
    shared_key::{self, Scheme},
    text,
    time::Timestamp,
};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use zaffre::{
    Server,
    cloud::{Cloud, CloudId},
    directory::founding,
    door::{Door, Entrance},
    keys,
    service::Body,
};

const DOCUMENTS: &str = "/dbs/shop/colls/orders/docs";

/// Sat, 21 Nov 2026 23:02:54 GMT.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
pub(crate) const ARM: &str = "management.azure.com";
pub(crate) const ENTRA: &str = "login.microsoftonline.com";
pub(crate) const METADATA: &str = "169.254.169.254";
pub(crate) const GRAPH: &str = "graph.microsoft.com";
pub(crate) const AAD_GRAPH: &str = "graph.windows.net";
pub(crate) const COSMOS: &str = "acct.documents.azure.com";
pub(crate) const BLOB: &str = "acct.blob.core.windows.net";
const DROP_IN_ACCOUNT: &str = "devstoreaccount1";
/// Both well-known keys, in two parts each, as in the program.
const DROP_IN_BLOB_KEY: [&str; 2] =
    ["Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6", "IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="];
const DROP_IN_COSMOS_KEY: [&str; 2] =
    ["C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2n", "Q9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="];
/// "Storage Blob Data Owner" among the built-in roles.
const BLOB_DATA_OWNER: &str = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose envelope an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Arm,
    Entra,
    Graph,
    AzureAdGraph,
    Imds,
    Blob,
    Cosmos,
    /// `error.code` and `error.message`, without Resource Manager's headers: what is no Azure service.
    Plain,
    /// The catalogue's: a host of files, which says no in a line of text.
    Text,
}

/// How a request is signed when it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Auth {
    None,
    Bearer(String),
    /// A storage account's key, for a path that begins with the account or a host that does.
    SharedKey {
        account: String,
        key: String,
    },
    CosmosKey(String),
    /// Entra's, in Cosmos's own form.
    CosmosToken(String),
}

/// A request, before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) title: String,
    pub(crate) protocol: Protocol,
    pub(crate) door: Door,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Bytes,
    pub(crate) auth: Auth,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn new(protocol: Protocol, door: Door, host: &str, method: &str, target: &str) -> Ask {
        Ask {
            title: String::new(),
            protocol,
            door,
            method: method.to_owned(),
            host: host.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            auth: Auth::None,
        }
    }

    pub(crate) fn titled(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.with("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn by(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    pub(crate) fn is_unsafe(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The request, signed; none where no client of HTTP could send it.
    pub(crate) fn request(&self, now: Timestamp) -> Option<Request<Body>> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.target);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", &self.host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        if !self.body.is_empty() && !self.headers.iter().any(|(name, _)| name == "content-length") {
            request = request.header("content-length", self.body.len());
        }
        for (name, value) in self.signature(now) {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body.clone())).ok()
    }

    fn signature(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let date = now.rfc1123();
        match &self.auth {
            Auth::None => Vec::new(),
            Auth::Bearer(token) => vec![("authorization", format!("Bearer {token}"))],
            Auth::CosmosToken(token) => {
                let shown = text::percent_encode(&format!("type=aad&ver=1.0&sig={token}"));
                vec![("authorization", shown), ("x-ms-date", date)]
            }
            Auth::SharedKey { account, key } => {
                let signed = self.shared_key(account, key, &date);
                vec![("x-ms-date", date), ("authorization", format!("SharedKey {account}:{signed}"))]
            }
            Auth::CosmosKey(key) => {
                let path = self.target.split('?').next().unwrap_or_default();
                let request = cosmos_key::Request {
                    verb: &self.method,
                    path,
                    x_ms_date: &date,
                    date: "",
                    resolve_for: None,
                };
                let payload = cosmos_key::payloads(&request).into_iter().next().unwrap_or_default();
                let signature = format!("type=master&ver=1.0&sig={}", mac(key, &payload));
                vec![("authorization", text::percent_encode(&signature)), ("x-ms-date", date)]
            }
        }
    }

    fn shared_key(&self, account: &str, key: &str, date: &str) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
            .collect();
        headers.push(("x-ms-date", date));
        let length = self.body.len().to_string();
        if !self.body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-length") {
            headers.push(("content-length", &length));
        }
        let request = shared_key::Request {
            method: &self.method,
            headers: &headers,
            path,
            query,
            account,
            is_secondary: false,
        };
        let signed = shared_key::candidates(Scheme::SharedKey, &request).into_iter().next();
        mac(key, &signed.unwrap_or_default())
    }
}

/// Signs the terms of a shared access signature.
pub(crate) fn sas_by(account: &str, key: &str, terms: &str, path: &str) -> String {
    let query = text::form_decode(terms).expect("is UTF-8");
    let sas = Sas::draft(&query).unwrap_or_else(|fault| panic!("{terms}: {fault}"));
    let place = match path[1..].split_once('/') {
        Some((container, name)) => Place::Blob { container, name },
        None if path == "/" => Place::Account,
        None => Place::Container(&path[1..]),
    };
    let request = sas::Request { account, place, headers: &[], query: &query };
    let signed = sas.string_to_sign(&request).expect("is for this level");
    format!("{terms}&sig={}", text::percent_encode(&mac(key, &signed)))
}

fn document_at(ask: Ask) -> Ask {
    ask.with("x-ms-documentdb-partitionkey", r#"["ada"]"#)
}

fn mac(key: &str, text: &str) -> String {
    let key = text::base64_decode(key).expect("a key is base64");
    text::base64(keys::hmac_sha256(&key, text.as_bytes()))
}

impl Answer {
    /// What a server answers, whole; fails where no answer comes.
    pub(crate) async fn to(server: &Server, door: &Door, request: Request<Body>) -> Answer {
        let answered = async {
            let (head, body) = server.send(door.clone(), request).await.into_parts();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            Answer { status: head.status.as_u16(), headers: head.headers, body }
        };
        // Boxed: a test that asks for much would else need more room for its futures than its thread has.
        tokio::time::timeout(PATIENCE, Box::pin(answered)).await.expect("an answer comes soon")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What the protocol calls the outcome: its code, where it has one.
    pub(crate) fn code(&self, protocol: Protocol) -> String {
        let json = self.json();
        let code = match protocol {
            Protocol::Arm | Protocol::Graph | Protocol::Plain => json.pointer("/error/code"),
            Protocol::AzureAdGraph => json.pointer("/odata.error/code"),
            Protocol::Entra => json.pointer("/error_codes/0").or_else(|| json.get("error")),
            Protocol::Imds => json.get("error"),
            Protocol::Cosmos => json.get("code"),
            Protocol::Text => return String::new(),
            Protocol::Blob => return self.header("x-ms-error-code").to_owned(),
        };
        let code = code.unwrap_or(&Value::Null);
        code.as_str().map_or_else(|| code.to_string(), str::to_owned)
    }
}

/// One cloud of a server, furnished.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) cloud: Arc<Cloud>,
    /// The administrator's tokens, a service each.
    pub(crate) arm: Auth,
    pub(crate) storage: Auth,
    pub(crate) graph: Auth,
    pub(crate) aad_graph: Auth,
    pub(crate) cosmos_token: Auth,
    /// The accounts' own keys.
    pub(crate) account_key: Auth,
    pub(crate) cosmos_key: Auth,
    pub(crate) machine: Door,
}

impl World {
    /// The default cloud of a server in memory.
    pub(crate) async fn new() -> World {
        World::furnished(Server::in_memory(1, NOW).await, CloudId::DEFAULT, "one").await
    }

    /// One of everything, each holding the mark.
    pub(crate) async fn furnished(server: Arc<Server>, id: CloudId, mark: &str) -> World {
        let mut world = World::signed_in(server, id).await;
        world.make_resources(mark).await;
        world.find_again().await;
        world.make_data(mark).await;
        world
    }

    /// What is there already, as after a restart.
    pub(crate) async fn found(server: Arc<Server>, id: CloudId) -> World {
        let mut world = World::signed_in(server, id).await;
        world.find_again().await;
        world
    }

    /// Signed in, with a group and nothing in it.
    pub(crate) async fn bare(server: Arc<Server>) -> World {
        let world = World::signed_in(server, CloudId::DEFAULT).await;
        let group = json!({ "location": "westeurope" });
        world.made(world.arm("PUT", &world.group("?api-version=2024-11-01")).json(&group)).await;
        world
    }

    /// Time goes by, and the administrator signs in to Resource Manager again.
    pub(crate) async fn wait(&mut self, by: Duration) {
        assert!(self.cloud.clock.move_to(self.cloud.clock.now().plus(by)));
        self.arm = Auth::Bearer(self.token("https://management.azure.com/.default").await);
    }

    async fn signed_in(server: Arc<Server>, id: CloudId) -> World {
        let cloud = server.cloud(id).expect("is open");
        let machine = Door::named(id);
        let (arm, storage, graph, aad_graph) = (Auth::None, Auth::None, Auth::None, Auth::None);
        let (cosmos_token, account_key, cosmos_key) = (Auth::None, Auth::None, Auth::None);
        let mut world = World {
            server,
            cloud,
            arm,
            storage,
            graph,
            aad_graph,
            cosmos_token,
            account_key,
            cosmos_key,
            machine,
        };
        world.arm = Auth::Bearer(world.token("https://management.azure.com/.default").await);
        world.storage = Auth::Bearer(world.token("https://storage.azure.com/.default").await);
        world.graph = Auth::Bearer(world.token("https://graph.microsoft.com/.default").await);
        world.aad_graph = Auth::Bearer(world.token("https://graph.windows.net/.default").await);
        world.cosmos_token = Auth::CosmosToken(world.token("https://cosmos.azure.com/.default").await);
        world
    }

    async fn token(&self, scope: &str) -> String {
        let answer = self.ask(&self.token_request(scope)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    pub(crate) fn token_request(&self, scope: &str) -> Ask {
        let credentials = self.server.credentials(self.cloud.id).expect("is founded");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            credentials.client_id,
            text::percent_encode(&credentials.client_secret),
            text::percent_encode(scope)
        );
        let target = format!("/{}/oauth2/v2.0/token", credentials.tenant);
        let ask = Ask::new(Protocol::Entra, Door::named(self.cloud.id), ENTRA, "POST", &target);
        ask.with("content-type", "application/x-www-form-urlencoded").body(form)
    }

    /// The path of the subscription.
    pub(crate) fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.cloud.charter.subscription)
    }

    /// The path of the group, or of something in it.
    pub(crate) fn group(&self, rest: &str) -> String {
        format!("{}/resourceGroups/rg{rest}", self.subscription())
    }

    pub(crate) fn arm(&self, method: &str, target: &str) -> Ask {
        let ask = Ask::new(Protocol::Arm, Door::named(self.cloud.id), ARM, method, target);
        ask.by(self.arm.clone())
    }

    /// A blob request by token, at the account's host.
    pub(crate) fn blob(&self, method: &str, target: &str) -> Ask {
        let ask = Ask::new(Protocol::Blob, Door::named(self.cloud.id), BLOB, method, target);
        ask.with("x-ms-version", "2026-04-06").by(self.storage.clone())
    }

    /// A shared access signature by the account's key: a whole query, for what the path names.
    pub(crate) fn sas(&self, terms: &str, path: &str) -> String {
        match &self.account_key {
            Auth::SharedKey { account, key } => sas_by(account, key, terms, path),
            other => panic!("{other:?} is no key"),
        }
    }

    /// The same by a key of one's choice.
    pub(crate) fn sas_by(&self, account: &str, key: &str, terms: &str, path: &str) -> String {
        sas_by(account, key, terms, path)
    }

    /// The same by key, at the drop-in port.
    pub(crate) fn drop_in_blob(&self, method: &str, target: &str) -> Ask {
        let (door, target) = (Door::at(self.cloud.id, Entrance::Blob), format!("/{DROP_IN_ACCOUNT}{target}"));
        let key = DROP_IN_BLOB_KEY.concat();
        Ask::new(Protocol::Blob, door, "127.0.0.1:10000", method, &target)
            .with("x-ms-version", "2026-04-06")
            .by(Auth::SharedKey { account: DROP_IN_ACCOUNT.to_owned(), key })
    }

    /// A request to the Cosmos account behind the drop-in port.
    pub(crate) fn cosmos(&self, method: &str, target: &str) -> Ask {
        let door = Door::at(self.cloud.id, Entrance::Cosmos);
        Ask::new(Protocol::Cosmos, door, "localhost:8081", method, target)
            .with("x-ms-version", "2020-07-15")
            .by(Auth::CosmosKey(DROP_IN_COSMOS_KEY.concat()))
    }

    /// A request to the Cosmos account of Resource Manager's, by its own host.
    pub(crate) fn account_cosmos(&self, method: &str, target: &str) -> Ask {
        let ask = Ask::new(Protocol::Cosmos, Door::named(self.cloud.id), COSMOS, method, target);
        ask.with("x-ms-version", "2020-07-15").by(self.cosmos_key.clone())
    }

    pub(crate) fn graph(&self, method: &str, target: &str) -> Ask {
        let ask = Ask::new(Protocol::Graph, Door::named(self.cloud.id), GRAPH, method, target);
        ask.by(self.graph.clone())
    }

    /// A request of Azure AD Graph, behind the tenant and with its version.
    pub(crate) fn aad_graph(&self, method: &str, path: &str) -> Ask {
        let target = format!("/{}{path}?api-version=1.6", self.cloud.charter.tenant);
        let ask = Ask::new(Protocol::AzureAdGraph, Door::named(self.cloud.id), AAD_GRAPH, method, &target);
        ask.by(self.aad_graph.clone())
    }

    /// A request of the machine's own, at 169.254.169.254.
    pub(crate) fn metadata(&self, target: &str) -> Ask {
        Ask::new(Protocol::Imds, self.machine.clone(), METADATA, "GET", target).with("metadata", "true")
    }

    /// The same at the old extension's door.
    pub(crate) fn extension(&self, method: &str, target: &str) -> Ask {
        let door = Door { entrance: Entrance::Extension, ..self.machine.clone() };
        Ask::new(Protocol::Imds, door, "localhost:50342", method, target).with("metadata", "true")
    }

    /// Sends it, and fails where no answer comes.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        let request = ask.request(self.cloud.clock.now()).expect("a request that HTTP can carry");
        self.send(&ask.door, request).await
    }

    pub(crate) async fn send(&self, door: &Door, request: Request<Body>) -> Answer {
        Answer::to(&self.server, door, request).await
    }

    async fn made(&self, ask: Ask) -> Answer {
        let answer = self.ask(&ask).await;
        assert!((200..300).contains(&answer.status), "{} {}: {}", ask.method, ask.target, answer.text());
        answer
    }

    async fn make_resources(&self, mark: &str) {
        let tags = json!({ "mark": mark });
        let group = json!({ "location": "westeurope", "tags": tags });
        self.made(self.arm("PUT", &self.group("?api-version=2024-11-01")).json(&group)).await;
        let identity = self
            .group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai?api-version=2023-01-31");
        self.made(self.arm("PUT", &identity).json(&group)).await;
        let account = json!({
            "location": "westeurope", "tags": tags, "kind": "StorageV2", "sku": { "name": "Standard_LRS" },
        });
        self.made(self.arm("PUT", &self.account("?api-version=2023-05-01")).json(&account)).await;
        let assignment = json!({ "properties": {
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{BLOB_DATA_OWNER}"),
            "principalId": founding::ADMIN_SERVICE_PRINCIPAL, "principalType": "ServicePrincipal",
        }});
        let name = "00000000-0000-4000-8000-000000000001";
        let target = self.group(&format!(
            "/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
        ));
        self.made(self.arm("PUT", &target).json(&assignment)).await;
        let database = json!({
            "location": "westus", "tags": tags, "kind": "GlobalDocumentDB",
            "properties": { "databaseAccountOfferType": "Standard", "locations": [
                { "locationName": "westus", "failoverPriority": 0, "isZoneRedundant": false }
            ]},
        });
        self.made(self.arm("PUT", &self.databases("?api-version=2024-11-15")).json(&database)).await;
        let contributor = json!({ "properties": {
            "roleDefinitionId": "00000000-0000-0000-0000-000000000002", "scope": "/",
            "principalId": founding::ADMIN_SERVICE_PRINCIPAL,
        }});
        let target = self.databases(&format!("/sqlRoleAssignments/{name}?api-version=2024-11-15"));
        self.made(self.arm("PUT", &target).json(&contributor)).await;
        let machine = json!({
            "location": "westeurope", "tags": tags, "identity": { "type": "SystemAssigned" },
            "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } },
        });
        self.made(self.arm("PUT", &self.vm("?api-version=2024-07-01")).json(&machine)).await;
    }

    /// The storage account's path.
    pub(crate) fn account(&self, rest: &str) -> String {
        self.group(&format!("/providers/Microsoft.Storage/storageAccounts/acct{rest}"))
    }

    /// The Cosmos account's path.
    pub(crate) fn databases(&self, rest: &str) -> String {
        self.group(&format!("/providers/Microsoft.DocumentDB/databaseAccounts/acct{rest}"))
    }

    pub(crate) fn vm(&self, rest: &str) -> String {
        self.group(&format!("/providers/Microsoft.Compute/virtualMachines/vm{rest}"))
    }

    /// What only answers tell: the account's key, and the machine's id.
    async fn find_again(&mut self) {
        let keys =
            self.made(self.arm("POST", &self.account("/listKeys?api-version=2023-05-01"))).await.json();
        let key = keys["keys"][0]["value"].as_str().expect("a key").to_owned();
        self.account_key = Auth::SharedKey { account: "acct".to_owned(), key };
        let keys =
            self.made(self.arm("POST", &self.databases("/listKeys?api-version=2024-11-15"))).await.json();
        self.cosmos_key = Auth::CosmosKey(keys["primaryMasterKey"].as_str().expect("a key").to_owned());
        let vm = self.made(self.arm("GET", &self.vm("?api-version=2024-07-01"))).await.json();
        let vm_id = vm["properties"]["vmId"].as_str().and_then(|it| it.parse().ok()).expect("a vmId");
        let id = vm["id"].as_str().and_then(|it| it.parse().ok()).expect("an id");
        self.machine = Door::metadata(self.cloud.id, id, vm_id);
    }

    async fn make_data(&self, mark: &str) {
        let mark = mark.to_owned();
        for blob in [World::blob, World::drop_in_blob] {
            self.made(blob(self, "PUT", "/con?restype=container")).await;
            let put = blob(self, "PUT", "/con/a.txt").with("x-ms-blob-type", "BlockBlob");
            self.made(put.body(mark.clone())).await;
        }
        let collection =
            json!({ "id": "orders", "partitionKey": { "paths": ["/customer"], "kind": "Hash" } });
        let document = json!({ "id": "1", "customer": "ada", "mark": mark });
        for cosmos in [World::cosmos, World::account_cosmos] {
            self.made(cosmos(self, "POST", "/dbs").json(&json!({ "id": "shop" }))).await;
            self.made(cosmos(self, "POST", "/dbs/shop/colls").json(&collection)).await;
            self.made(document_at(cosmos(self, "POST", DOCUMENTS)).json(&document)).await;
        }
    }

    /// A request about documents of the customer `ada`, at the drop-in port.
    pub(crate) fn document(&self, method: &str, rest: &str) -> Ask {
        document_at(self.cosmos(method, &format!("{DOCUMENTS}{rest}")))
    }

    /// The same by token at the account's host.
    pub(crate) fn account_document(&self, method: &str, rest: &str) -> Ask {
        document_at(self.account_cosmos(method, &format!("{DOCUMENTS}{rest}")).by(self.cosmos_token.clone()))
    }

    /// Everything that the services tell of what is stored, as text to be compared.
    pub(crate) async fn state(&self) -> String {
        let providers = self.group("/providers/");
        let asks = [
            self.arm("GET", &format!("{}/resourceGroups?api-version=2024-11-01", self.subscription())),
            self.arm("GET", &format!("{}/resources?api-version=2024-11-01", self.subscription())),
            self.arm("GET", &format!("{providers}Microsoft.Authorization/roleAssignments?api-version=2022-04-01")),
            self.arm("GET", &format!(
                "{}/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=type%20eq%20'CustomRole'",
                self.subscription()
            )),
            self.arm("GET", &self.vm("?api-version=2024-07-01")),
            self.arm("GET", &self.account("?api-version=2023-05-01")),
            self.arm("POST", &self.account("/listKeys?api-version=2023-05-01")),
            self.arm("GET", &format!(
                "{providers}Microsoft.ManagedIdentity/userAssignedIdentities/uai?api-version=2023-01-31"
            )),
            self.blob("GET", "/?comp=list&include=metadata"),
            self.blob("GET", "/con?restype=container&comp=list&include=metadata"),
            self.blob("GET", "/con/a.txt"),
            self.blob("GET", "/con/a.txt?comp=blocklist&blocklisttype=all"),
            self.drop_in_blob("GET", "?comp=list&include=metadata"),
            self.drop_in_blob("GET", "/con?restype=container&comp=list&include=metadata"),
            self.drop_in_blob("GET", "/con/a.txt"),
            self.arm("POST", &self.databases("/listKeys?api-version=2024-11-15")),
            self.arm("GET", &self.databases("?api-version=2024-11-15")),
            self.arm("GET", &self.databases("/sqlRoleDefinitions?api-version=2024-11-15")),
            self.arm("GET", &self.databases("/sqlRoleAssignments?api-version=2024-11-15")),
            self.account_cosmos("GET", "/dbs"),
            self.account_cosmos("GET", "/dbs/shop/colls"),
            self.account_cosmos("GET", "/dbs/shop/colls/orders/docs"),
            self.account_document("GET", "/1"),
            self.graph("GET", "/v1.0/applications"),
            self.graph("GET", "/v1.0/servicePrincipals"),
            self.graph("GET", "/v1.0/users"),
            self.graph("GET", "/v1.0/groups"),
            self.cosmos("GET", "/dbs"),
            self.cosmos("GET", "/dbs/shop/colls"),
            self.cosmos("GET", "/offers"),
            self.cosmos("GET", "/dbs/shop/colls/orders/docs"),
        ];
        let mut state = String::new();
        for ask in asks {
            let answer = self.ask(&ask).await;
            assert_eq!(answer.status, 200, "{} {}: {}", ask.method, ask.target, answer.text());
            state.push_str(&format!("{} {}\n{}\n", ask.method, ask.target, answer.text()));
        }
        state
    }
}
