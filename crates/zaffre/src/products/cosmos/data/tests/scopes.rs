//! Where Cosmos's own roles hold: how a scope may be written, what it opens, and who has what a group has.

use azure::ids::{Guid, ObjectId};
use serde_json::{Value, json};

use super::{
    client::{ADA, Client, NOW},
    manager::Manager,
};
use crate::{
    directory::groups::{self, Group},
    door::Door,
    service::Cx,
};

const READER: &str = "00000000-0000-0000-0000-000000000001";
const DOCS: &str = "/dbs/shop/colls/orders/docs";

#[tokio::test]
async fn a_scope_is_taken_short_or_whole_and_kept_whole() {
    let manager = Manager::begin().await;
    manager.shop("acct").await;
    let who = manager.identity("id1").await;
    let account = manager.account("acct");
    let upper = account.to_uppercase();
    for (written, kept) in [
        ("/".to_owned(), Some("")),
        (account.clone(), Some("")),
        (format!("{account}/"), Some("")),
        (upper.clone(), Some("")),
        ("/dbs/shop".to_owned(), Some("/dbs/shop")),
        ("/dbs/shop/".to_owned(), Some("/dbs/shop")),
        ("/DBS/Shop".to_owned(), Some("/dbs/Shop")),
        (format!("{account}/dbs/shop"), Some("/dbs/shop")),
        (format!("{account}/dbs/shop/"), Some("/dbs/shop")),
        ("/dbs/shop/colls/orders".to_owned(), Some("/dbs/shop/colls/orders")),
        (format!("{account}/dbs/shop/colls/orders"), Some("/dbs/shop/colls/orders")),
        (format!("{upper}/DBS/shop/COLLS/orders/"), Some("/dbs/shop/colls/orders")),
        // Nothing need be there: it is a name that is compared.
        ("/dbs/nothing/colls/yet".to_owned(), Some("/dbs/nothing/colls/yet")),
        (String::new(), None),
        ("dbs/shop".to_owned(), None),
        ("/dbs".to_owned(), None),
        ("/dbs/shop/colls".to_owned(), None),
        ("/dbs/shop/docs/a".to_owned(), None),
        ("/dbs/shop/colls/orders/docs/a".to_owned(), None),
        (format!("{account}/sqlDatabases/shop"), None),
        (format!("{account}2"), None),
        (manager.group(), None),
    ] {
        let path = format!("{account}/sqlRoleAssignments/{}", Guid([7; 16]));
        let properties = json!({ "roleDefinitionId": READER, "scope": written, "principalId": who });
        let made = manager.send("PUT", &path, json!({ "properties": properties })).await;
        assert_eq!(made.0, if kept.is_some() { 202 } else { 400 }, "{written}: {made:?}");
        let shown = manager.send("GET", &path, Value::Null).await;
        if let Some(below) = kept {
            assert_eq!(shown.1["properties"]["scope"], format!("{account}{below}"), "{written}");
        }
    }
}

/// What a reader of the scope is answered at each path: 200 where it is listed, else 403.
async fn opened(manager: &Manager, number: usize, scope: &str) -> Vec<&'static str> {
    let who = manager.identity(&format!("id{number}")).await;
    manager.assign("acct", (READER, scope), who).await;
    let reader = manager.as_principal("acct", who).await;
    let mut opened = Vec::new();
    for path in [
        "/",
        "/dbs",
        "/dbs/shop",
        "/dbs/shop/colls",
        "/dbs/shop/colls/orders",
        "/dbs/shop/colls/orders/pkranges",
        DOCS,
    ] {
        let answer = reader.get(path).await;
        match answer.code() {
            (200, 0) => opened.push(path),
            (403, 5301 | 5302) => {}
            other => panic!("{scope}: {path} {other:?}"),
        }
    }
    opened
}

#[tokio::test]
async fn metadata_is_read_where_a_role_is_given_and_below_and_the_account_from_everywhere() {
    let manager = Manager::begin().await;
    manager.shop("acct").await;
    let database = ["/", "/dbs/shop", "/dbs/shop/colls"];
    let collection = ["/dbs/shop/colls/orders", "/dbs/shop/colls/orders/pkranges", DOCS];
    let in_collection = [&["/"][..], &collection].concat();
    let all = [&["/", "/dbs"][..], &database[1..], &collection].concat();
    for (number, (scope, expected)) in [
        ("", all),
        ("/dbs/shop", [&database[..], &collection].concat()),
        ("/dbs/shop/colls/orders", in_collection),
        ("/dbs/Shop", vec!["/"]),
        ("/dbs/shop2", vec!["/"]),
        ("/dbs/sho", vec!["/"]),
        ("/dbs/shop/colls/Orders", vec!["/"]),
        ("/dbs/elsewhere/colls/orders", vec!["/"]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(opened(&manager, number, scope).await, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_role_of_a_group_is_had_by_whoever_is_in_it_however_deep() {
    let manager = Manager::begin().await;
    manager.shop("acct").await;
    let who = manager.identity("id1").await;
    let group = |n: u8| ObjectId(Guid([n; 16]));
    let cloud = manager.server.cloud(manager.cloud).expect("is open");
    let cx = Cx::internal(&manager.server.env, &cloud, Door::named(manager.cloud));
    let make = |txn: &mut crate::store::Txn| {
        for n in [1, 2] {
            let document = serde_json::Map::new();
            let made = Group { object_id: group(n), display_name: format!("g{n}"), created: NOW, document };
            groups::put(txn, &made)?;
        }
        groups::add(txn, group(1), group(2)).map(drop)
    };
    cx.write(make).await.expect("writes");
    manager.assign("acct", (READER, ""), group(1)).await;
    let reader = manager.as_principal("acct", who).await;
    assert_eq!(reader.get(DOCS).await.code(), (403, 5302));
    cx.write(|txn| groups::add(txn, group(2), who).map(drop)).await.expect("writes");
    assert_eq!(reader.get(DOCS).await.code(), (200, 0));
    cx.write(|txn| groups::remove(txn, group(1), group(2)).map(drop)).await.expect("writes");
    assert_eq!(reader.get(DOCS).await.code(), (403, 5302));
}

fn message(answer: &super::client::Answer) -> String {
    answer.json()["message"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn an_id_that_nothing_has_is_refused_by_that_name() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let who = manager.identity("id1").await;
    let nobody = manager.as_principal("acct", who).await;
    let database = client.get("/dbs/shop").await.json()["_rid"].as_str().expect("text").to_owned();
    for (path, rid, action, kind) in [
        ("/dbs/AAAAAA==".to_owned(), "AAAAAA==", "readMetadata", "dbs"),
        (format!("/dbs/{database}/colls/AAAAAIAAAAA="), "AAAAAIAAAAA=", "readMetadata", "colls"),
        (
            format!("/dbs/{database}/colls/AAAAAIAAAAA=/docs"),
            "AAAAAIAAAAA=",
            "sqlDatabases/containers/readChangeFeed",
            "docs",
        ),
    ] {
        let answer = nobody.get(&path).await;
        assert_eq!(answer.code(), (403, 5304), "{path}: {}", answer.text);
        let expected = format!(
            "Request blocked by Auth acct : Request is blocked because ResourceId [{rid}] cannot be resolved. \
             Principal = [{who}], Action = [Microsoft.DocumentDB/databaseAccounts/{action}], ResourceType = [{kind}]."
        );
        assert!(message(&answer).starts_with(&expected), "{}", message(&answer));
    }
    assert_eq!(nobody.get("/dbs/missing").await.code(), (403, 5301), "a name is no id");
    assert_eq!(nobody.send("DELETE", "/dbs/AAAAAA==", &[], "").await.code(), (403, 5300));
}

async fn code(client: &Client, (method, path, body): (&str, &str, &str)) -> (u16, u32) {
    client.send(method, path, &[ADA], body).await.code()
}

#[tokio::test]
async fn an_account_may_keep_all_but_documents_from_its_keys() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let properties =
        json!({ "databaseAccountOfferType": "Standard", "disableKeyBasedMetadataWriteAccess": true });
    let body = json!({ "location": "westeurope", "properties": properties });
    assert_eq!(manager.send("PUT", &manager.account("acct"), body).await.0, 200);
    for ask in [
        ("POST", "/dbs", r#"{"id":"x"}"#),
        ("DELETE", "/dbs/shop", ""),
        ("POST", "/dbs/shop/colls", r#"{"id":"x"}"#),
        ("PUT", "/dbs/shop/colls/orders", r#"{"id":"orders"}"#),
        ("PUT", "/offers/abcd", "{}"),
        ("POST", "/dbs/shop/colls/orders/sprocs", "{}"),
    ] {
        assert_eq!(code(&client, ask).await, (403, 5300), "{ask:?}");
    }
    let refused = client.post("/dbs/shop/colls", "{}").await;
    let expected =
        "Operation 'POST' on resource 'colls' is not allowed through Azure Cosmos DB endpoint. Please";
    assert!(message(&refused).starts_with(expected), "{}", message(&refused));
    for ask in [("GET", "/dbs/shop/colls", ""), ("GET", "/offers", ""), ("GET", DOCS, "")] {
        assert_eq!(code(&client, ask).await, (200, 0), "{ask:?}");
    }
    assert_eq!(code(&client, ("POST", DOCS, r#"{"id":"a","customer":"ada"}"#)).await, (201, 0));
    let database = json!({ "properties": { "resource": { "id": "x" }, "options": {} } });
    let path = format!("{}/sqlDatabases/x", manager.account("acct"));
    assert_eq!(manager.send("PUT", &path, database).await.0, 202, "Resource Manager may");
}
