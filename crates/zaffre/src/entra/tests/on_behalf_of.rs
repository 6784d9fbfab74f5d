//! Tokens for applications of one's own: what they say, and passing their user on, by whole requests.

use azure::ids::{Guid, ObjectId};

use super::{grants::World, *};
use crate::directory::{
    founding::{ADMIN_USER, AZURE_CLI},
    groups,
    links::{self, AppRoleAssignment},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const STORAGE: &str = "https://storage.azure.com/.default";
const READER: Guid = Guid([5; 16]);
const GROUP: ObjectId = ObjectId(Guid([6; 16]));

/// A cloud with an application that has callers: its secret is `api`, its scope `read`, its role `Reader`.
struct Api {
    world: World,
    id: String,
    principal: ObjectId,
}

impl Api {
    async fn new(document: Value) -> Api {
        let world = World::begin().await;
        let cx = world.cx();
        let mut app = register(&cx, "api", NOW.plus(Duration::from_secs(86_400)), Some(true)).await;
        app.document = json!({
            "identifierUris": ["api://Contoso-API", "https://contoso.example/api"],
            "api": { "oauth2PermissionScopes": [
                { "value": "read", "isEnabled": true }, { "value": "old", "isEnabled": false },
            ]},
            "appRoles": [
                { "id": READER.to_string(), "value": "Reader", "isEnabled": true },
                { "id": Guid([7; 16]).to_string(), "value": "Writer", "isEnabled": true },
            ],
        })
        .as_object()
        .expect("an object")
        .clone();
        for (name, value) in document.as_object().expect("an object") {
            match app.document.get_mut(name).and_then(Value::as_object_mut) {
                Some(known) => known.extend(value.as_object().expect("an object").clone()),
                None => drop(app.document.insert(name.clone(), value.clone())),
            }
        }
        cx.write(|txn| applications::put(txn, &app)).await.expect("writes");
        let found = cx.read(|txn| service_principals::of_application(txn, app.client_id)).await;
        let principal = found.expect("reads").expect("is there").object_id;
        Api { world, id: app.client_id.to_string(), principal }
    }

    /// The user's token for the application, by its own client az.
    async fn called(&self) -> String {
        self.user_token(&format!("api://{}/read", self.id)).await
    }

    async fn user_token(&self, scope: &str) -> String {
        let answer = self.password(AZURE_CLI, scope).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().expect("text").to_owned()
    }

    async fn password(&self, client: &str, scope: &str) -> Answer {
        let form = [
            ("grant_type", "password"),
            ("client_id", client),
            ("client_secret", if client == AZURE_CLI { "" } else { "api" }),
            ("username", "admin@contoso.onmicrosoft.com"),
            ("password", &self.world.password),
            ("scope", scope),
        ];
        post(&self.world.server, TOKEN, &form).await
    }

    /// The good request with parameters set, or taken away where the value is empty.
    async fn exchange(&self, assertion: &str, changes: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", GRANT),
            ("client_id", self.id.as_str()),
            ("client_secret", "api"),
            ("assertion", assertion),
            ("requested_token_use", "on_behalf_of"),
            ("scope", STORAGE),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        post(&self.world.server, TOKEN, &form).await
    }

    async fn claims(&self, token: &Value) -> Value {
        let jwks = get(&self.world.server, "/common/discovery/v2.0/keys").await.body;
        verified(&jwks, token.as_str().expect("a token")).expect("verifies")
    }

    async fn give(&self, principal: ObjectId, role: Guid) {
        let assignment = AppRoleAssignment {
            id: Guid(principal.0.0),
            app_role: role,
            principal,
            resource: self.principal,
            created: NOW,
        };
        self.world.cx().write(|txn| links::assign(txn, &assignment)).await.expect("writes");
    }

    async fn application_token(&self, scope: &str) -> Answer {
        let credentials = self.world.server.credentials(CloudId::DEFAULT).expect("is founded");
        let id = credentials.client_id.to_string();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", &credentials.client_secret),
            ("scope", scope),
        ];
        post(&self.world.server, TOKEN, &form).await
    }
}

fn number(answer: &Answer) -> u64 {
    answer.body["error_codes"][0].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn an_application_passes_its_user_on() {
    let api = Api::new(json!({})).await;
    let token = api.called().await;
    let answer =
        api.exchange(&token, &[("scope", "https://storage.azure.com/.default offline_access openid")]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let claims = api.claims(&answer.body["access_token"]).await;
    for (name, value) in [
        ("aud", json!("https://storage.azure.com")),
        ("oid", json!(ADMIN_USER)),
        ("appid", json!(api.id)),
        ("appidacr", json!("1")),
        ("idtyp", json!("user")),
        ("scp", json!("user_impersonation")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let refresh = answer.body["refresh_token"].as_str().expect("offline_access was asked for");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", api.id.as_str()),
        ("client_secret", "api"),
        ("refresh_token", refresh),
        ("scope", STORAGE),
    ];
    assert_eq!(post(&api.world.server, TOKEN, &form).await.status, 200);
    let without = api.exchange(&token, &[]).await;
    assert!(without.body.get("refresh_token").is_none(), "{}", without.body);
    let old = "/contoso.onmicrosoft.com/oauth2/token";
    let form = [
        ("grant_type", GRANT),
        ("client_id", api.id.as_str()),
        ("client_secret", "api"),
        ("assertion", token.as_str()),
        ("requested_token_use", "on_behalf_of"),
        ("resource", "https://storage.azure.com/"),
    ];
    let first = post(&api.world.server, old, &form).await;
    assert_eq!((first.status, &first.body["resource"]), (200, &json!("https://storage.azure.com/")));
}

#[tokio::test]
async fn an_assertion_that_is_not_a_users_call_of_this_application_is_refused() {
    let api = Api::new(json!({})).await;
    let good = api.called().await;
    let (front, signature) = good.rsplit_once('.').expect("three parts");
    let turned: String = signature.chars().rev().collect();
    let answer = api.password(AZURE_CLI, "openid").await;
    let id_token_of_az = answer.body["id_token"].as_str().expect("text").to_owned();
    let own = api.password(&api.id, "openid").await;
    let own_id_token = own.body["id_token"].as_str().expect("text");
    let application = api.application_token(&format!("api://{}/.default", api.id)).await;
    let application = application.body["access_token"].as_str().expect("text");
    for (assertion, changes, expected) in [
        (good.as_str(), vec![("requested_token_use", "")], 900_144),
        ("", vec![], 900_144),
        (&good, vec![("requested_token_use", "on_behalf")], 9_002_313),
        (&good, vec![("client_secret", "")], 7_000_218),
        (&good, vec![("client_secret", "wrong")], 7_000_215),
        (&good, vec![("scope", "")], 900_144),
        (&good, vec![("scope", "https://nowhere.example/.default")], 500_011),
        ("no token", vec![], 50013),
        (&format!("{front}.{turned}"), vec![], 50013),
        (&format!("{front}."), vec![], 50013),
        (&api.user_token("https://management.azure.com/.default").await, vec![], 500_131),
        (&id_token_of_az, vec![], 500_131),
        (own_id_token, vec![], 240_002),
        (application, vec![], 7_000_114),
    ] {
        let answer = api.exchange(assertion, &changes).await;
        assert_eq!(number(&answer), expected, "{changes:?} {}", answer.body);
        let status = if [7_000_218, 7_000_215].contains(&expected) { 401 } else { 400 };
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    api.world.later(3599);
    let late = api.exchange(&good, &[]).await;
    assert_eq!((late.status, number(&late), &late.body["error"]), (400, 500_133, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_user_who_is_gone_is_not_passed_on() {
    let api = Api::new(json!({})).await;
    let good = api.called().await;
    let admin: ObjectId = ADMIN_USER.parse().expect("a guid");
    let cx = api.world.cx();
    let disable = |txn: &mut crate::store::Txn| {
        let user = crate::directory::users::get(txn, admin)?.expect("is there");
        crate::directory::users::put(txn, &crate::directory::User { account_enabled: false, ..user })
    };
    cx.write(disable).await.expect("writes");
    assert_eq!(number(&api.exchange(&good, &[]).await), 50057);
}

#[tokio::test]
async fn a_resource_of_version_2_gets_tokens_of_version_2_by_either_endpoint() {
    let api = Api::new(json!({"api": {"requestedAccessTokenVersion": 2}})).await;
    let issuer = format!("https://login.microsoftonline.com/{DEFAULT_TENANT}/v2.0");
    let token = api.called().await;
    let header: Value = serde_json::from_slice(
        &base64url_decode(token.split('.').next().expect("a header")).expect("decodes"),
    )
    .expect("is JSON");
    assert!(header.get("x5t").is_none() && header["kid"].is_string(), "{header}");
    let claims = api.claims(&json!(token)).await;
    for (name, value) in [
        ("aud", json!(api.id)),
        ("iss", json!(issuer)),
        ("azp", json!(AZURE_CLI)),
        ("azpacr", json!("0")),
        ("preferred_username", json!("admin@contoso.onmicrosoft.com")),
        ("scp", json!("read")),
        ("ver", json!("2.0")),
        ("appid", Value::Null),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(api.exchange(&token, &[]).await.status, 200, "and it can be passed on");
    let application = api.application_token("api://contoso-api/.default").await;
    let claims = api.claims(&application.body["access_token"]).await;
    assert_eq!((&claims["aud"], &claims["idtyp"]), (&json!(api.id), &Value::Null));
    let application = application.body["access_token"].as_str().expect("text");
    assert_eq!(number(&api.exchange(application, &[]).await), 7_000_114);
}

#[tokio::test]
async fn an_application_goes_by_its_id_and_by_its_uris_and_offers_its_own_scopes() {
    let api = Api::new(json!({})).await;
    for (scope, expected) in [
        (format!("api://{}/read", api.id), 0),
        (format!("{}/read", api.id), 0),
        ("api://contoso-api/read".to_owned(), 0),
        ("https://contoso.example/api/.default".to_owned(), 0),
        (format!("api://{}/write", api.id), 650_053),
        (format!("api://{}/old", api.id), 650_053),
        ("api://contoso-api2/read".to_owned(), 500_011),
        (format!("api://{}/.default api://{}/read", api.id, api.id), 70011),
    ] {
        assert_eq!(number(&api.password(AZURE_CLI, &scope).await), expected, "{scope}");
    }
    let default = api.password(AZURE_CLI, "api://Contoso-API/.default").await.body;
    let claims = api.claims(&default["access_token"]).await;
    assert_eq!((&claims["aud"], &claims["scp"]), (&json!("api://Contoso-API"), &json!("read")));
    assert_eq!(default["scope"], "api://Contoso-API/.default api://Contoso-API/read");
    let itself = api.password(&api.id, "api://Contoso-API/read").await;
    assert_eq!(number(&itself), 90009);
    assert_eq!(number(&api.password(&api.id, &format!("{}/read", api.id)).await), 0);
    let cx = api.world.cx();
    let id = api.id.parse().expect("a guid");
    cx.write(|txn| applications::delete(txn, id)).await.expect("deletes");
    assert_eq!(number(&api.password(AZURE_CLI, "api://contoso-api/read").await), 500_011);
}

#[tokio::test]
async fn roles_are_those_that_were_given_on_the_resource() {
    let api = Api::new(json!({})).await;
    let scope = format!("api://{}/.default", api.id);
    let roles = async || {
        let application = api.application_token(&scope).await;
        let user = api.password(AZURE_CLI, &scope).await;
        let of = async |answer: Answer| api.claims(&answer.body["access_token"]).await["roles"].clone();
        (of(application).await, of(user).await)
    };
    assert_eq!(roles().await, (Value::Null, Value::Null));
    api.give(ADMIN_SERVICE_PRINCIPAL.parse().expect("a guid"), READER).await;
    assert_eq!(roles().await, (json!(["Reader"]), Value::Null));
    let member = ADMIN_USER.parse().expect("a guid");
    let cx = api.world.cx();
    cx.write(|txn| groups::add(txn, GROUP, member)).await.expect("writes");
    api.give(GROUP, Guid([7; 16])).await;
    assert_eq!(roles().await.1, json!(["Writer"]), "by a group");
    let elsewhere = api.application_token("https://storage.azure.com/.default").await;
    assert_eq!(api.claims(&elsewhere.body["access_token"]).await["roles"], Value::Null);
}

#[tokio::test]
async fn an_application_that_requires_assignment_keeps_others_out() {
    let api = Api::new(json!({})).await;
    let cx = api.world.cx();
    let require = |txn: &mut crate::store::Txn| {
        let mut principal = service_principals::get(txn, api.principal)?.expect("is there");
        principal.document.insert("appRoleAssignmentRequired".to_owned(), json!(true));
        service_principals::put(txn, &principal)
    };
    cx.write(require).await.expect("writes");
    let scope = format!("api://{}/.default", api.id);
    assert_eq!(number(&api.application_token(&scope).await), 501_051);
    assert_eq!(number(&api.password(&api.id, STORAGE).await), 50105);
    api.give(ADMIN_SERVICE_PRINCIPAL.parse().expect("a guid"), READER).await;
    api.give(ADMIN_USER.parse().expect("a guid"), Guid([0; 16])).await;
    assert_eq!(number(&api.application_token(&scope).await), 0);
    assert_eq!(number(&api.password(&api.id, STORAGE).await), 0);
}

#[tokio::test]
async fn groups_and_directory_roles_are_shown_to_applications_that_ask() {
    for (asks, has_groups, has_roles) in [
        (Value::Null, false, false),
        (json!("SecurityGroup"), true, false),
        (json!("DirectoryRole"), false, true),
        (json!("All"), true, true),
    ] {
        let api = Api::new(json!({"groupMembershipClaims": asks})).await;
        let member = ADMIN_USER.parse().expect("a guid");
        api.world.cx().write(|txn| groups::add(txn, GROUP, member)).await.expect("writes");
        let claims = api.claims(&json!(api.called().await)).await;
        assert_eq!(
            (claims["groups"].is_array(), claims["wids"].is_array()),
            (has_groups, has_roles),
            "{asks}"
        );
    }
}

#[tokio::test]
async fn what_a_client_can_do_is_in_its_token() {
    let world = World::begin().await;
    let ask = async |claims: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", AZURE_CLI),
            ("username", "admin@contoso.onmicrosoft.com"),
            ("password", &world.password),
            ("scope", SCOPE),
            ("claims", claims),
        ];
        post(&world.server, TOKEN, &form).await
    };
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    let answer = ask(r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#).await;
    let claims = verified(&jwks, answer.body["access_token"].as_str().expect("text")).expect("verifies");
    assert_eq!(claims["xms_cc"], json!(["cp1"]));
    assert_eq!(number(&ask("{").await), 9_002_313);
}
