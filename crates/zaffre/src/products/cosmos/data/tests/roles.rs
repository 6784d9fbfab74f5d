//! Cosmos's own roles on the data plane: one picture, and the refusals.

use azure::ids::ObjectId;
use serde_json::{Value, json};

use super::{
    client::{ADA, Auth, Client},
    manager::Manager,
};
use crate::{directory::mint, door::Door, service::Cx};

const READER: &str = "00000000-0000-0000-0000-000000000001";
const CONTRIBUTOR: &str = "00000000-0000-0000-0000-000000000002";
const DOCS: &str = "/dbs/shop/colls/orders/docs";
const DOC: &str = "/dbs/shop/colls/orders/docs/a";
const BODY: &str = r#"{"id":"a","customer":"ada"}"#;

/// An operation, and the sub-status of its refusal.
type Ask = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Every kind of operation: who may, and how the others are told.
#[rustfmt::skip]
const PICTURE: [(Ask, u32, bool, bool); 15] = [
    // The request; the sub-status; whether the reader may; whether the contributor may.
    (("GET", "/", &[], ""), 5301, true, true),
    (("GET", "/dbs", &[], ""), 5301, true, true),
    (("GET", "/dbs/shop", &[], ""), 5301, true, true),
    (("GET", "/dbs/shop/colls", &[], ""), 5301, true, true),
    (("GET", "/dbs/shop/colls/orders", &[], ""), 5301, true, true),
    (("GET", "/dbs/shop/colls/orders/pkranges", &[], ""), 5301, true, true),
    (("GET", DOC, &[ADA], ""), 5302, true, true),
    (("GET", DOCS, &[], ""), 5302, true, true),
    (("POST", DOCS, &[ADA, ("x-ms-documentdb-isquery", "True")], r#"{"query":"SELECT * FROM c"}"#), 5302, true, true),
    (("PUT", DOC, &[ADA], BODY), 5302, false, true),
    (("POST", DOCS, &[ADA, ("x-ms-documentdb-is-upsert", "True")], BODY), 5302, false, true),
    (("POST", DOCS, &[ADA], r#"{"id":"b","customer":"ada"}"#), 5302, false, true),
    (("POST", "/dbs", &[], r#"{"id":"x"}"#), 5300, false, false),
    (("DELETE", "/dbs/shop/colls/orders", &[], ""), 5300, false, false),
    (("GET", "/offers", &[], ""), 5300, false, false),
];

async fn ask(client: &Client, (method, path, headers, body): Ask) -> (u16, u32) {
    client.send(method, path, headers, body).await.code()
}

async fn begin() -> (Manager, Client, ObjectId) {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    assert_eq!(client.send("POST", DOCS, &[ADA], BODY).await.status, 201);
    let who = manager.identity("id1").await;
    (manager, client, who)
}

#[tokio::test]
async fn each_role_may_what_it_may_and_no_more() {
    let (manager, _, who) = begin().await;
    let nobody = manager.as_principal("acct", who).await;
    for (request, substatus, ..) in PICTURE {
        assert_eq!(ask(&nobody, request).await, (403, substatus), "without a role: {request:?}");
    }
    manager.assign("acct", (READER, ""), who).await;
    for (request, substatus, reads, _) in PICTURE {
        let code = ask(&nobody, request).await;
        assert_eq!(code, if reads { (200, 0) } else { (403, substatus) }, "as reader: {request:?}");
    }
    manager.assign("acct", (CONTRIBUTOR, ""), who).await;
    for (request, substatus, _, writes) in PICTURE {
        let (status, found) = ask(&nobody, request).await;
        let expected = if writes { 200..=201 } else { 403..=403 };
        assert!(expected.contains(&status), "as contributor: {request:?} {status}");
        assert_eq!(found, if writes { 0 } else { substatus }, "as contributor: {request:?}");
    }
}

#[tokio::test]
async fn a_role_on_one_collection_opens_that_one_and_the_account() {
    let (manager, client, who) = begin().await;
    let other = r#"{"id":"Orders","partitionKey":{"paths":["/customer"],"version":2}}"#;
    assert_eq!(client.post("/dbs/shop/colls", other).await.status, 201);
    manager.assign("acct", (READER, "/dbs/shop/colls/orders"), who).await;
    let reader = manager.as_principal("acct", who).await;
    for (path, code) in [
        ("/", (200, 0)),
        (DOCS, (200, 0)),
        ("/dbs/shop/colls/orders", (200, 0)),
        ("/dbs/shop/colls/Orders/docs", (403, 5302)),
        ("/dbs/shop/colls/ORDERS/docs", (403, 5302)),
        ("/dbs/shop", (403, 5301)),
        ("/dbs", (403, 5301)),
    ] {
        assert_eq!(reader.get(path).await.code(), code, "{path}");
    }
    let collection = client.get("/dbs/shop/colls/orders").await.json();
    let by_rid = format!("/{}docs", collection["_self"].as_str().expect("text"));
    assert_eq!(reader.get(&by_rid).await.status, 200, "a link by ids names the same collection");
    let collection = client.get("/dbs/shop/colls/Orders").await.json();
    let by_rid = format!("/{}docs", collection["_self"].as_str().expect("text"));
    assert_eq!(reader.get(&by_rid).await.code(), (403, 5303));
}

#[tokio::test]
async fn a_refusal_says_who_what_and_where() {
    let (manager, _, who) = begin().await;
    let nobody = manager.as_principal("acct", who).await;
    let message = |answer: super::client::Answer| answer.json()["message"].as_str().expect("text").to_owned();
    let refused = message(nobody.send("GET", DOC, &[ADA], "").await);
    let expected = format!(
        "Request blocked by Auth acct : Request is blocked because principal [{who}] does not have required RBAC \
         permissions to perform action [Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read] \
         on resource [dbs/shop/colls/orders]. Learn more: https://aka.ms/cosmos-native-rbac."
    );
    assert!(refused.starts_with(&expected), "{refused}");
    let refused = message(nobody.get("/").await);
    assert!(refused.starts_with(&format!(
        "Request for Read DatabaseAccount is blocked because principal [{who}] does not have required RBAC \
         permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on any scope."
    )));
    let refused = message(nobody.post("/dbs/shop/colls", r#"{"id":"x"}"#).await);
    assert!(refused.contains("The given request [POST /dbs/shop/colls] cannot be authorized by AAD token"));
}

#[tokio::test]
async fn tokens_for_the_service_or_for_the_account_are_taken_and_others_not() {
    let (manager, client, who) = begin().await;
    manager.assign("acct", (READER, ""), who).await;
    for (audience, encoded, code) in [
        ("https://cosmos.azure.com", false, (200, 0)),
        ("https://cosmos.azure.com/", true, (200, 0)),
        ("https://acct.documents.azure.com", true, (200, 0)),
        ("https://acct.documents.azure.com/", false, (200, 0)),
        ("https://other.documents.azure.com", false, (401, 5008)),
        ("https://management.azure.com/", false, (401, 5008)),
    ] {
        let token = manager.token(who, audience).await;
        let header = format!("type=aad&ver=1.0&sig={token}");
        let header = if encoded { azure::text::percent_encode(&header) } else { header };
        let answer = client.with(Auth::Raw(header)).get(DOCS).await;
        assert_eq!(answer.code(), code, "{audience}: {}", answer.text);
    }
    let token = manager.token(who, super::manager::COSMOS).await;
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("type=aad&ver=1.0&sig={head}.{other}{}", &signature[1..]);
    assert_eq!(client.with(Auth::Raw(forged)).get(DOCS).await.code(), (401, 5004));
    let (header, rest) = token.split_once('.').expect("three parts");
    let unknown = azure::text::base64url(r#"{"typ":"JWT","alg":"RS256","kid":"nobodys"}"#);
    assert_ne!(header, unknown);
    let unknown = client.with(Auth::Raw(format!("type=aad&ver=1.0&sig={unknown}.{rest}")));
    assert_eq!(unknown.get(DOCS).await.code(), (401, 5200));
    let cloud = manager.server.cloud(manager.cloud).expect("is open");
    for (change, code) in [
        (json!({ "nbf": super::client::NOW.seconds() + 3600 }), (401, 5005)),
        (json!({ "oid": null }), (401, 5011)),
        (json!({ "iss": "https://sts.windows.net/nobody/" }), (401, 5007)),
    ] {
        let mut claims = claims_of(&token);
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let cx = Cx::internal(&manager.server.env, &cloud, Door::named(manager.cloud));
        let changed = mint::sign_id_token(&cx, claims);
        let changed = client.with(Auth::Raw(format!("type=aad&ver=1.0&sig={changed}")));
        assert_eq!(changed.get(DOCS).await.code(), code, "{change}");
    }
    assert!(cloud.clock.move_to(super::client::NOW.plus(std::time::Duration::from_secs(4000))));
    let expired = client.with(Auth::Raw(format!("type=aad&ver=1.0&sig={token}")));
    assert_eq!(expired.get(DOCS).await.code(), (401, 5006));
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).and_then(azure::text::base64url_decode).expect("claims");
    serde_json::from_slice(&claims).expect("an object")
}

#[tokio::test]
async fn azures_own_roles_open_no_data() {
    let (manager, client, _) = begin().await;
    let owner = crate::directory::founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a constant guid");
    let owner = manager.as_principal("acct", owner).await;
    assert_eq!(owner.get(DOCS).await.code(), (403, 5302));
    assert_eq!(client.get(DOCS).await.status, 200);
}

#[tokio::test]
async fn a_custom_role_grants_what_it_lists_where_it_may_be_given() {
    let (manager, _, who) = begin().await;
    let account = manager.account("acct");
    let role = "11111111-2222-3333-4444-555555555555";
    let path = format!("{account}/sqlRoleDefinitions/{role}");
    let action = |name: &str| format!("Microsoft.DocumentDB/databaseAccounts/{name}");
    let definition = |scope: &str, actions: Value| {
        json!({ "properties": { "roleName": "Creator", "type": "CustomRole", "assignableScopes": [scope],
            "permissions": [{ "dataActions": actions }] } })
    };
    let create = action("sqlDatabases/containers/items/create");
    for (scope, actions, status) in [
        ("/dbs/shop", json!([action("*")]), 400),
        ("/dbs/shop", json!([]), 400),
        ("/elsewhere", json!([create]), 400),
        ("/dbs/shop", json!([create]), 202),
    ] {
        let made = manager.send("PUT", &path, definition(scope, actions.clone())).await;
        assert_eq!(made.0, status, "{scope} {actions}: {made:?}");
    }
    let shown = manager.send("GET", &path, Value::Null).await.1;
    assert_eq!(shown["properties"]["type"], "CustomRole");
    assert_eq!(shown["properties"]["assignableScopes"][0], format!("{account}/dbs/shop"));
    manager.assign("acct", (role, "/dbs/shop/colls/orders"), who).await;
    let creator = manager.as_principal("acct", who).await;
    let body = r#"{"id":"b","customer":"ada"}"#;
    assert_eq!(creator.send("POST", DOCS, &[ADA], body).await.status, 201);
    assert_eq!(creator.send("GET", DOC, &[ADA], "").await.code(), (403, 5302));
    let too_wide =
        json!({ "properties": { "roleDefinitionId": role, "scope": account, "principalId": who } });
    let assignments = format!("{account}/sqlRoleAssignments");
    let refused = manager.send("PUT", &format!("{assignments}/{role}"), too_wide).await;
    assert_eq!(refused.0, 400, "{refused:?}");
    assert_eq!(manager.send("DELETE", &path, Value::Null).await.0, 409, "somebody has it");
}

#[tokio::test]
async fn built_in_roles_are_listed_found_and_never_changed() {
    let (manager, _, who) = begin().await;
    let account = manager.account("acct");
    let listed = manager.send("GET", &format!("{account}/sqlRoleDefinitions"), Value::Null).await.1;
    assert_eq!(listed["value"][0]["properties"]["roleName"], "Cosmos DB Built-in Data Reader");
    let reader = format!("{account}/sqlRoleDefinitions/{READER}");
    let shown = manager.send("GET", &reader, Value::Null).await.1;
    assert_eq!(shown["id"], reader);
    assert_eq!(shown["properties"]["type"], "BuiltInRole");
    let path = format!("{account}/sqlRoleDefinitions");
    let recorded = manager.send_with("2021-04-15", "GET", &path, Value::Null).await.1;
    assert_eq!(recorded["value"], json!([]), "then, the list had an account's own alone");
    let recorded = manager.send_with("2021-04-15", "GET", &reader, Value::Null).await.1;
    assert_eq!(recorded["properties"]["type"], 0);
    assert_eq!(manager.send("PUT", &reader, shown).await.0, 403);
    assert_eq!(manager.send("DELETE", &reader, Value::Null).await.0, 403);

    let path = |name: &str| format!("{account}/sqlRoleAssignments/{name}");
    let body = |role: &str, principal: &str, scope: &str| json!({ "properties": { "roleDefinitionId": role, "principalId": principal, "scope": scope } });
    let (one, two) = ("aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002");
    let who = who.to_string();
    for (name, body, status) in [
        // As az writes `--scope /`.
        (one, body(&reader, &who, &format!("{account}/")), 202),
        (one, body(CONTRIBUTOR, &who, "/dbs/shop"), 202),
        (two, body(CONTRIBUTOR, &who, &format!("{account}/dbs/shop")), 409),
        (two, body(READER, "99999999-9999-9999-9999-999999999999", "/"), 400),
        (two, body(READER, "somebody", "/"), 400),
        (two, body("Reader", &who, "/"), 400),
        (two, body(two, &who, "/"), 404),
        (two, body(READER, &who, "/dbs"), 400),
        ("not-a-guid", body(READER, &who, "/"), 400),
    ] {
        let made = manager.send("PUT", &path(name), body.clone()).await;
        assert_eq!(made.0, status, "{name} {body}: {made:?}");
    }
    let shown = manager.send("GET", &path(one), Value::Null).await.1;
    assert_eq!(shown["properties"]["scope"], format!("{account}/dbs/shop"));
    assert_eq!(manager.send("DELETE", &path(one), Value::Null).await.0, 202);
    assert_eq!(manager.send("GET", &path(one), Value::Null).await.0, 404);
}
