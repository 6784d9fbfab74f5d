//! Holding a conversation with a fresh cloud, and writing it down.

use std::{collections::HashMap, fmt::Write as _, path::PathBuf, sync::Arc, time::Duration};

use azure::{
    cosmos_key,
    ids::{ClientId, ObjectId},
    jwt::claims::{Bearer, Credential},
    shared_key::{self, Scheme},
    text,
    time::Timestamp,
};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use zaffre::{
    Server,
    cloud::CloudId,
    control::{Run, Running},
    directory::{self, founding, mint::Subject},
    door::{Door, Entrance},
    keys,
    service::{Body, Cx},
};

use super::script::{Exchange, Script};

/// Sat, 21 Nov 2026 23:02:54 GMT.
const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const SEED: u64 = 1;

/// The key of the drop-in port for Cosmos DB, which Microsoft publishes for its emulator.
const EMULATOR_KEY: [&str; 2] =
    ["C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2n", "Q9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="];

/// What every answer of a service carries: shown once a file.
const DRESS: [&str; 26] = [
    "cache-control",
    "dataserviceversion",
    "date",
    "expires",
    "p3p",
    "pragma",
    "server",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-ms-activity-id",
    "x-ms-client-request-id",
    "x-ms-correlation-request-id",
    "x-ms-dirapi-data-contract-version",
    "x-ms-gatewayversion",
    "x-ms-number-of-read-regions",
    "x-ms-ratelimit-remaining-subscription-deletes",
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-request-id",
    "x-ms-routing-request-id",
    "x-ms-schemaversion",
    "x-ms-serviceversion",
    "x-ms-ests-server",
    "x-ms-srs",
    "x-ms-version",
];

struct Conversation {
    server: Arc<Server>,
    variables: HashMap<String, String>,
    host: &'static str,
}

/// Sends the requests in order and gives back the transcript with the answers that came.
pub(super) async fn hold(service: &str, script: &Script) -> String {
    let mut conversation = Conversation::begin(service).await;
    let mut written = script.head.clone();
    for (at, exchange) in script.exchanges.iter().enumerate() {
        let answer = conversation.exchange(exchange, at == 0).await;
        let _ = write!(written, "### {}\n{}\n---\n{}\n", exchange.title, exchange.text, answer.trim_end());
        if at + 1 < script.exchanges.len() {
            written.push('\n');
        }
    }
    written
}

/// The host that a service's requests are for, where they name none.
fn host_of(service: &str) -> &'static str {
    match service {
        "entra" => "login.microsoftonline.com",
        "graph" => "graph.microsoft.com",
        "imds" => "169.254.169.254",
        "cosmos" => "acct.documents.azure.com",
        _ => "management.azure.com",
    }
}

impl Conversation {
    async fn begin(service: &str) -> Self {
        let server = match service {
            "durations" => Server::in_memory_taking_its_time(SEED, NOW).await,
            _ => Server::in_memory(SEED, NOW).await,
        };
        let credentials = server.credentials(CloudId::DEFAULT).expect("the default cloud is founded");
        let variables = [
            ("tenant", credentials.tenant.to_string()),
            ("subscription", credentials.subscription.to_string()),
            ("client_id", credentials.client_id.to_string()),
            ("client_secret", credentials.client_secret.clone()),
            ("admin", founding::ADMIN_SERVICE_PRINCIPAL.to_owned()),
            ("emulator_key", EMULATOR_KEY.concat()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Conversation { server, variables, host: host_of(service) }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.variables {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        text
    }

    async fn exchange(&mut self, exchange: &Exchange, is_first: bool) -> String {
        let mut request = Request::builder().method(exchange.method.as_str());
        let mut door = Door::named(CloudId::DEFAULT);
        let (mut sets, mut shows, mut without) = (Vec::new(), None, String::new());
        for directive in &exchange.directives {
            let directive = self.filled(directive);
            let words: Vec<&str> = directive.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["token", who, audience @ ..] => {
                    let audience = audience.first().unwrap_or(&"https://management.azure.com/");
                    request = request
                        .header("authorization", format!("Bearer {}", self.token(who, audience).await));
                }
                ["cosmos-token", who] => {
                    let token = self.token(who, "https://cosmos.azure.com").await;
                    request = request.header("authorization", format!("type=aad&ver=1.0&sig={token}"));
                }
                ["cosmos-key", key] => {
                    let (date, signed) = self.signed(&exchange.method, &self.filled(&exchange.target), key);
                    request = request.header("x-ms-date", date).header("authorization", signed);
                }
                ["storage-key", account, key] => {
                    let headers = self.signed_storage(exchange, account, key);
                    request = headers.into_iter().fold(request, |it, (name, value)| it.header(name, value));
                }
                ["clock", moved] => self.move_clock(moved),
                ["set", name, "=", pointer] => sets.push(((*name).to_owned(), (*pointer).to_owned())),
                ["without", header] => without = (*header).to_owned(),
                ["show", pointer] => shows = Some((*pointer).to_owned()),
                ["host", kind, whom] => self.open_host(kind, whom).await,
                ["door", "hosts"] => door = Door::at(CloudId::DEFAULT, Entrance::Hosts),
                ["door", "blob"] => door = Door::at(CloudId::DEFAULT, Entrance::Blob),
                ["door", "cosmos"] => door = Door::at(CloudId::DEFAULT, Entrance::Cosmos),
                ["door", "metadata", vm, vm_id] => {
                    let (vm, vm_id) = (vm.parse().expect("an id"), vm_id.parse().expect("a guid"));
                    door = Door::metadata(CloudId::DEFAULT, vm, vm_id);
                }
                ["door", "extension", vm, vm_id] => {
                    let (vm, vm_id) = (vm.parse().expect("an id"), vm_id.parse().expect("a guid"));
                    door =
                        Door { entrance: Entrance::Extension, ..Door::metadata(CloudId::DEFAULT, vm, vm_id) };
                }
                other => panic!("`@{}` is no directive, under `{}`", other.join(" "), exchange.title),
            }
        }
        if !exchange.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", self.host);
        }
        for (name, value) in &exchange.headers {
            request = request.header(name, self.filled(value));
        }
        let request =
            request.uri(self.filled(&exchange.target)).body(Body::from(self.filled(&exchange.body)));
        let response = self.server.send(door, request.expect("a request")).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        for (name, pointer) in sets {
            if let Some(name_of_header) = pointer.strip_prefix("header:") {
                let value = head.headers.get(name_of_header).and_then(|it| it.to_str().ok());
                let value =
                    value.unwrap_or_else(|| panic!("no {pointer} in the answer to `{}`", exchange.title));
                self.variables.insert(name, value.to_owned());
                continue;
            }
            let value = json.as_ref().and_then(|it| it.pointer(&pointer));
            let value = value.unwrap_or_else(|| panic!("no {pointer} in the answer to `{}`", exchange.title));
            self.variables.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        let mut answer = format!("{}\n", head.status);
        let mut shown = head.headers.clone();
        shown.remove(&without);
        answer.push_str(&headers(&shown, is_first));
        answer.push_str(&printed(&body, json, shows.as_deref()));
        without_tokens(&answer)
    }

    /// `x-ms-date`, and the header of one of Cosmos's keys.
    fn signed(&self, verb: &str, target: &str, key: &str) -> (String, String) {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("the default cloud");
        let date = cloud.clock.now().rfc1123();
        let path = target.split('?').next().unwrap_or_default();
        let signed = cosmos_key::Request { verb, path, x_ms_date: &date, date: "", resolve_for: None };
        let payload = cosmos_key::payloads(&signed).remove(0);
        let key = text::base64_decode(key).expect("a key is base64");
        let signature = text::base64(keys::hmac_sha256(&key, payload.as_bytes()));
        (date, text::percent_encode(&format!("type=master&ver=1.0&sig={signature}")))
    }

    /// `x-ms-date`, and the header of a storage account's key.
    fn signed_storage(&self, exchange: &Exchange, account: &str, key: &str) -> [(&'static str, String); 2] {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("the default cloud");
        let date = cloud.clock.now().rfc1123();
        let target = self.filled(&exchange.target);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut headers: Vec<(&str, &str)> =
            exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.push(("x-ms-date", date.as_str()));
        let signed = shared_key::Request {
            method: &exchange.method,
            headers: &headers,
            path,
            query,
            account,
            is_secondary: false,
        };
        let signed = shared_key::candidates(Scheme::SharedKey, &signed).remove(0);
        let key = text::base64_decode(key).expect("a key is base64");
        let signature = text::base64(keys::hmac_sha256(&key, signed.as_bytes()));
        [("authorization", format!("SharedKey {account}:{signature}")), ("x-ms-date", date)]
    }

    /// What `zaffre env --host-kind KIND --as RESOURCE` sets, as variables of the conversation.
    async fn open_host(&mut self, kind: &str, whom: &str) {
        let at = |name: &str, address: &str| (name.to_owned(), address.parse().expect("an address"));
        self.server.env.running.get_or_init(|| {
            Running::new(Run {
                pid: 1,
                version: String::new(),
                data: None,
                control: PathBuf::new(),
                ca: PathBuf::new(),
                bundle: PathBuf::new(),
                offline: true,
                public_address: None,
                egress: Default::default(),
                addresses: [at("proxy", "127.0.0.1:10080"), at("hosts", "127.0.0.1:10082")].into(),
            })
        });
        let request = Request::get(format!("/env?host_kind={kind}&as={whom}")).header("host", "zaffre");
        let request = request.body(Body::from(String::new())).expect("a request");
        let response = self.server.send(Door::at(CloudId::DEFAULT, Entrance::Control), request).await;
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let answer: Value = serde_json::from_slice(&body).expect("is JSON");
        let set = |names: [&str; 2]| {
            let all = answer["value"].as_array().into_iter().flatten();
            let mut named = all.filter(|it| names.iter().any(|name| it["name"] == *name));
            named.find_map(|it| it["value"].as_str()).map(str::to_owned)
        };
        let endpoint =
            set(["IDENTITY_ENDPOINT", "MSI_ENDPOINT"]).unwrap_or_else(|| panic!("no door: {answer}"));
        let path = endpoint.split_once("127.0.0.1:10082").expect("the listener's address").1;
        self.variables.insert("endpoint".to_owned(), path.to_owned());
        let secret = set(["IDENTITY_HEADER", "MSI_SECRET"]).unwrap_or_default();
        self.variables.insert("secret".to_owned(), secret);
    }

    fn move_clock(&self, by: &str) {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("the default cloud");
        let seconds = by.strip_prefix('+').and_then(|it| it.parse().ok()).expect("`@clock +SECONDS`");
        assert!(cloud.clock.move_to(cloud.clock.now().plus(Duration::from_secs(seconds))));
    }

    async fn token(&self, who: &str, audience: &str) -> String {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("the default cloud");
        let cx = Cx::internal(&self.server.env, &cloud, Door::named(CloudId::DEFAULT));
        let object_id: ObjectId = match who {
            "admin" => founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a constant guid"),
            other => other.parse().expect("`@token` names `admin` or an object id"),
        };
        let found = cx.read(|txn| directory::service_principals::get(txn, object_id)).await.expect("reads");
        let client = found.as_ref().map_or(ClientId(object_id.0), |it| it.app_id);
        let resource = found.and_then(|it| it.resource_id);
        let bearer = match resource {
            Some(resource) => Bearer::SystemAssigned { resource },
            None => Bearer::App(Credential::Secret),
        };
        let subject = Subject { object_id, client, bearer };
        let lifetime = directory::mint::APPLICATION_LIFETIME;
        directory::mint::mint(&cx, subject, audience, lifetime).token.to_string()
    }
}

fn headers(headers: &HeaderMap, is_first: bool) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .filter(|(name, _)| is_first || !DRESS.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines.concat()
}

fn printed(body: &[u8], json: Option<Value>, shows: Option<&str>) -> String {
    match (json, shows) {
        (Some(json), Some(pointer)) => {
            let part = json.pointer(pointer).unwrap_or(&Value::Null);
            format!("\n# {pointer}\n{part:#}\n")
        }
        (Some(json), None) => format!("\n{json:#}\n"),
        (None, _) if body.is_empty() => String::new(),
        (None, _) => format!("\n{}\n", String::from_utf8_lossy(body)),
    }
}

/// Tokens are signed with a key that each process makes anew.
fn without_tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let (before, token) = rest.split_at(at);
        let end = token.find(|c: char| !is_part(c)).unwrap_or(token.len());
        out.push_str(before);
        out.push_str(if token[..end].matches('.').count() == 2 { "<jwt>" } else { &token[..end] });
        rest = &token[end..];
    }
    out + rest
}
