//! Who takes part: the cloud with one of everything, a second group and a second machine, and principals that may do
//! a little.

use azure::{text, time::Timestamp};
use http::Request;
use serde_json::{Value, json};
use zaffre::{cloud::CloudId, directory::founding::AZURE_CLI, door::Door, keys::SigningKey, service::Body};

use crate::world::{Answer, Ask, Auth, ENTRA, NOW, Protocol, World, sas_by};

pub(super) const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub(super) const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
pub(super) const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
pub(super) const ROLE_ADMINISTRATOR: &str = "f58310d9-a9f6-439a-9e8d-f62e7b41a168";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
pub(super) const USER: &str = "admin@contoso.onmicrosoft.com";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// An application of the attacker's: who it is, and how it proves it.
pub(super) struct App {
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) principal: String,
}

pub(super) struct Stage {
    pub(super) world: World,
    /// The attacker's own key, which nobody trusts.
    pub(super) key: SigningKey,
    pub(super) password: String,
    /// May read the group `rg`.
    pub(super) reader: App,
    /// May do everything in `rg` but give roles.
    pub(super) contributor: App,
    /// May give Reader in `rg`, and nothing else.
    pub(super) delegate: App,
    /// User delegation keys, as their holders were given them: the contributor's, and that of somebody who could read
    /// blobs then and has no role any more.
    pub(super) contributor_key: DelegationKey,
    pub(super) former_key: DelegationKey,
    /// The second machine: its door, and the client and object id of its identity.
    pub(super) other: (Door, String, String),
}

impl Stage {
    pub(super) async fn new() -> Stage {
        let world = World::new().await;
        let password = world.server.credentials(CloudId::DEFAULT).expect("is founded").password;
        made(
            &world,
            world
                .arm("PUT", &rg2(&world, "?api-version=2024-11-01"))
                .json(&json!({ "location": "westeurope" })),
        )
        .await;
        let other = machine(&world).await;
        let reader = register(&world, "reader").await;
        let contributor = register(&world, "contributor").await;
        let delegate = register(&world, "delegate").await;
        assign(&world, 2, READER, &reader, None).await;
        assign(&world, 3, CONTRIBUTOR, &contributor, None).await;
        let condition = format!(
            "(!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})) OR \
             (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}}})"
        );
        assign(&world, 4, ROLE_ADMINISTRATOR, &delegate, Some(&condition)).await;
        let (former_key, contributor_key) = delegations(&world, &contributor).await;
        let key = SigningKey::generate(NOW).expect("a key");
        Stage { world, key, password, reader, contributor, delegate, contributor_key, former_key, other }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.cloud.clock.now()
    }

    pub(super) async fn send(&self, ask: &Ask) -> Answer {
        self.world.ask(ask).await
    }

    /// A form to the token service.
    pub(super) fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Ask {
        let encoded: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", text::percent_encode(value))).collect();
        let ask = Ask::new(Protocol::Entra, Door::named(CloudId::DEFAULT), ENTRA, "POST", path);
        ask.with("content-type", FORM).body(encoded.join("&"))
    }

    /// What an application gets for its secret.
    pub(super) async fn token(&self, app: &App, resource: &str) -> Auth {
        Auth::Bearer(token(&self.world, app, resource).await)
    }

    /// Everything that the administrator gets for the password.
    pub(super) async fn signed_in(&self, scope: &str) -> Value {
        let form = [
            ("grant_type", "password"),
            ("client_id", AZURE_CLI),
            ("username", USER),
            ("password", &self.password),
            ("scope", scope),
        ];
        let answer = self.send(&self.form("/organizations/oauth2/v2.0/token", &form)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(super) fn rg2(&self, rest: &str) -> String {
        rg2(&self.world, rest)
    }
}

/// The token of a bearer.
pub(super) fn raw(auth: &Auth) -> String {
    match auth {
        Auth::Bearer(token) | Auth::CosmosToken(token) => token.clone(),
        other => panic!("{other:?} is no token"),
    }
}

fn rg2(world: &World, rest: &str) -> String {
    format!("{}/resourceGroups/rg2{rest}", world.subscription())
}

async fn made(world: &World, ask: Ask) -> Value {
    let answer = world.ask(&ask).await;
    assert!((200..300).contains(&answer.status), "{} {}: {}", ask.method, ask.target, answer.text());
    answer.json()
}

async fn machine(world: &World) -> (Door, String, String) {
    let target = rg2(world, "/providers/Microsoft.Compute/virtualMachines/other?api-version=2024-07-01");
    let body = json!({
        "location": "westeurope", "identity": { "type": "SystemAssigned" },
        "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } },
    });
    let vm = made(world, world.arm("PUT", &target).json(&body)).await;
    let text = |pointer: &str| vm.pointer(pointer).and_then(Value::as_str).expect("text").to_owned();
    let vm_id = text("/properties/vmId").parse().expect("a guid");
    let door = Door::metadata(CloudId::DEFAULT, text("/id").parse().expect("an id"), vm_id);
    let principal = text("/identity/principalId");
    let found = world.graph("GET", &format!("/v1.0/servicePrincipals/{principal}"));
    let client = made(world, found).await["appId"].as_str().expect("an id").to_owned();
    (door, client, principal)
}

async fn register(world: &World, name: &str) -> App {
    let application = world.graph("POST", "/v1.0/applications").json(&json!({ "displayName": name }));
    let application = made(world, application).await;
    let of = |value: &Value, name: &str| value[name].as_str().expect("text").to_owned();
    let (id, client) = (of(&application, "id"), of(&application, "appId"));
    let principal = world.graph("POST", "/v1.0/servicePrincipals").json(&json!({ "appId": client }));
    let principal = of(&made(world, principal).await, "id");
    let credential = json!({ "passwordCredential": { "displayName": name } });
    let secret = world.graph("POST", &format!("/v1.0/applications/{id}/addPassword")).json(&credential);
    let secret = of(&made(world, secret).await, "secretText");
    App { client, secret, principal }
}

/// Gives the path of the assignment.
async fn assign(world: &World, number: u8, role: &str, to: &App, condition: Option<&str>) -> String {
    let name = format!("00000000-0000-4000-8000-0000000000{number:02x}");
    let target = format!("/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01");
    let mut properties = json!({
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": to.principal, "principalType": "ServicePrincipal",
    });
    if let Some(condition) = condition {
        properties["condition"] = json!(condition);
        properties["conditionVersion"] = json!("2.0");
    }
    let target = world.group(&target);
    made(world, world.arm("PUT", &target).json(&json!({ "properties": properties }))).await;
    target
}

/// A user delegation key, with what every signature by it says of it.
pub(super) struct DelegationKey {
    pub(super) object_id: String,
    pub(super) fields: String,
    value: String,
}

impl DelegationKey {
    pub(super) fn sas(&self, terms: &str, path: &str) -> String {
        sas_by("acct", &self.value, &format!("{terms}&{}", self.fields), path)
    }
}

/// The key of somebody who then loses the role, and the contributor's.
async fn delegations(world: &World, contributor: &App) -> (DelegationKey, DelegationKey) {
    let former = register(world, "former").await;
    let given = assign(world, 5, BLOB_CONTRIBUTOR, &former, None).await;
    let former_key = delegation_key(world, &former).await;
    made(world, world.arm("DELETE", &given)).await;
    (former_key, delegation_key(world, contributor).await)
}

async fn delegation_key(world: &World, app: &App) -> DelegationKey {
    let token = token(world, app, "https://storage.azure.com").await;
    let info = "<KeyInfo><Start>2026-11-21T00:00:00Z</Start><Expiry>2026-11-22T20:00:00Z</Expiry></KeyInfo>";
    let ask =
        world.blob("POST", "/?restype=service&comp=userdelegationkey").by(Auth::Bearer(token)).body(info);
    let answer = world.ask(&ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let one = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).expect("an element");
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    let fields = [
        ("skoid", "SignedOid"),
        ("sktid", "SignedTid"),
        ("skt", "SignedStart"),
        ("ske", "SignedExpiry"),
        ("sks", "SignedService"),
        ("skv", "SignedVersion"),
    ]
    .map(|(name, element)| format!("{name}={}", one(element)));
    DelegationKey { object_id: one("SignedOid"), fields: fields.join("&"), value: one("Value") }
}

async fn token(world: &World, app: &App, resource: &str) -> String {
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
        app.client,
        text::percent_encode(&app.secret),
        text::percent_encode(&format!("{resource}/.default")),
    );
    let target = format!("/{}/oauth2/v2.0/token", world.cloud.charter.tenant);
    let ask = Ask::new(Protocol::Entra, Door::named(CloudId::DEFAULT), ENTRA, "POST", &target);
    let answer = made(world, ask.with("content-type", FORM).body(form)).await;
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// A request whose parts were changed after it was signed.
pub(super) fn tampered(stage: &Stage, ask: &Ask, change: impl FnOnce(&mut Request<Body>)) -> Request<Body> {
    let mut request = ask.request(stage.now()).expect("a request");
    change(&mut request);
    request
}
