//! Accounts that Resource Manager made, on their hosts.

use serde_json::{Value, json};

use super::{
    client::{ADA, Auth, NOW},
    manager::Manager,
};
use crate::cloud::{Chance, Charter, Clock, Cloud, CloudId};

const DOCS: &str = "/dbs/shop/colls/orders/docs";

#[tokio::test]
async fn what_resource_manager_makes_the_data_plane_has_and_the_other_way_round() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let account = manager.account("acct");
    let there = client.get("/dbs/shop/colls/orders").await.json();
    let container = format!("{account}/sqlDatabases/shop/containers/orders");
    let shown = manager.send("GET", &container, Value::Null).await.1;
    assert_eq!(shown["properties"]["resource"], there);
    assert_eq!(shown["type"], "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers");

    assert_eq!(client.post("/dbs", r#"{"id":"by-key"}"#).await.status, 201);
    let listed = manager.send("GET", &format!("{account}/sqlDatabases"), Value::Null).await.1;
    let names: Vec<_> = listed["value"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["by-key", "shop"]);

    let settings = format!("{container}/throughputSettings/default");
    let shown = manager.send("GET", &settings, Value::Null).await.1;
    assert_eq!(shown["properties"]["resource"]["throughput"], 400);
    let body = json!({ "properties": { "resource": { "throughput": 1200 } } });
    assert_eq!(manager.send("PUT", &settings, body).await.0, 202);
    let offers = client.get("/offers").await.json();
    assert_eq!(offers["Offers"][0]["content"]["offerThroughput"], 1200);

    assert_eq!(manager.send("DELETE", &format!("{account}/sqlDatabases/shop"), Value::Null).await.0, 202);
    assert_eq!(client.get("/dbs/shop").await.code(), (404, 0));
    assert_eq!(manager.send("GET", &container, Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_account_answers_on_its_own_host_and_on_its_regions() {
    let manager = Manager::begin().await;
    let client = manager.shop("my-acct").await;
    let account = client.get("/").await.json();
    assert_eq!(account["id"], "my-acct");
    let location = &account["writableLocations"][0];
    assert_eq!(location["name"], "West Europe");
    let regional = "https://my-acct-westeurope.documents.azure.com:443/";
    assert_eq!(location["databaseAccountEndpoint"], regional);
    for (host, code) in [
        ("my-acct-westeurope.documents.azure.com", (200, 0)),
        ("my-acct-westeurope.documents.azure.com:443", (200, 0)),
        ("my-acct-nowhere.documents.azure.com", (403, 1008)),
        ("my.documents.azure.com", (403, 1008)),
    ] {
        let there = manager.client(host, client.auth.clone());
        assert_eq!(there.get("/dbs/shop").await.code(), code, "{host}");
    }
    let elsewhere = manager.client("my-acct.documents.azure.com:10443", client.auth.clone());
    let there = elsewhere.get("/").await.json();
    let reached = "https://my-acct-westeurope.documents.azure.com:10443/";
    assert_eq!(there["readableLocations"][0]["databaseAccountEndpoint"], reached);
}

#[tokio::test]
async fn of_four_keys_two_write_and_two_read() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let body = r#"{"id":"a","customer":"ada"}"#;
    assert_eq!(client.send("POST", DOCS, &[ADA], body).await.status, 201);
    let query = [ADA, ("content-type", "application/query+json")];
    for (name, writes) in [
        ("primaryMasterKey", true),
        ("secondaryMasterKey", true),
        ("primaryReadonlyMasterKey", false),
        ("secondaryReadonlyMasterKey", false),
    ] {
        let with_key = client.with(Auth::Key(manager.key("acct", name).await));
        for path in ["/", "/dbs", "/dbs/shop", "/dbs/shop/colls/orders", "/offers", DOCS] {
            assert_eq!(with_key.get(path).await.status, 200, "{name} {path}");
        }
        let item = "/dbs/shop/colls/orders/docs/a";
        assert_eq!(with_key.send("GET", item, &[ADA], "").await.status, 200, "{name}");
        assert_eq!(with_key.send("POST", DOCS, &query, r#"{"query":"SELECT * FROM c"}"#).await.status, 200);
        let write = with_key.send("PUT", item, &[ADA], body).await;
        assert_eq!(write.code(), if writes { (200, 0) } else { (403, 0) }, "{name}");
        let make = with_key.post("/dbs", r#"{"id":"shop"}"#).await;
        assert_eq!(make.code(), if writes { (409, 0) } else { (403, 0) }, "{name}");
        let offers = with_key.get("/offers").await.json()["Offers"][0].clone();
        let offer = format!("/offers/{}", offers["id"].as_str().expect("is text"));
        let changed = with_key.send("PUT", &offer, &[], &offers.to_string()).await;
        assert_eq!(changed.status, if writes { 200 } else { 403 }, "{name}");
    }
}

#[tokio::test]
async fn a_regenerated_key_signs_and_the_old_one_does_not() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let path = format!("{}/regenerateKey", manager.account("acct"));
    assert_eq!(manager.send("POST", &path, json!({ "keyKind": "primary" })).await.0, 202);
    assert_eq!(client.get("/dbs").await.code(), (401, 0));
    let fresh = client.with(Auth::Key(manager.key("acct", "primaryMasterKey").await));
    assert_eq!(fresh.get("/dbs").await.status, 200);
    assert_eq!(manager.send("POST", &path, json!({ "keyKind": "tertiary" })).await.0, 400);
}

#[tokio::test]
async fn an_account_without_local_authentication_takes_no_key() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let path = manager.account("acct");
    let patch = json!({ "properties": { "disableLocalAuth": true } });
    assert_eq!(manager.send("PATCH", &path, patch).await.0, 200);
    let refused = client.get("/dbs").await;
    assert_eq!(refused.code(), (401, 5202));
    assert!(
        refused.json()["message"].as_str().expect("text").starts_with("Local Authorization is disabled.")
    );
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_to_one_of_its_name() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let who = manager.identity("id1").await;
    let contributor = "00000000-0000-0000-0000-000000000002";
    manager.assign("acct", (contributor, ""), who).await;
    assert_eq!(manager.as_principal("acct", who).await.get(DOCS).await.status, 200);
    assert_eq!(manager.send("DELETE", &manager.account("acct"), Value::Null).await.0, 202);
    assert_eq!(client.get("/dbs").await.code(), (403, 1008));
    let again = manager.shop("acct").await;
    assert_eq!(client.get("/dbs").await.code(), (401, 0), "the old key is the old account's");
    assert_eq!(again.get(DOCS).await.json()["_count"], 0);
    assert_eq!(manager.as_principal("acct", who).await.get(DOCS).await.code(), (403, 5302));
}

#[tokio::test]
async fn a_name_is_one_accounts_in_a_cloud_and_another_clouds_account_is_another() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let other_group = manager.account("acct").replace("/rg/", "/rg2/");
    let group = manager.group() + "2";
    assert_eq!(manager.send("PUT", &group, json!({ "location": "westeurope" })).await.0, 201);
    let body = json!({ "location": "westeurope", "properties": { "databaseAccountOfferType": "Standard" } });
    let taken = manager.send("PUT", &other_group, body).await;
    assert_eq!((taken.0, &taken.1["error"]["code"]), (409, &json!("Conflict")));
    assert_eq!(
        taken.1["error"]["message"].as_str().map(|it| it.contains("'acct' is already in use.")),
        Some(true)
    );

    let charter = Charter {
        tenant: "7af7e000-c10d-4000-8000-00000000001a".parse().expect("a guid"),
        subscription: "7af7e000-c10d-4000-8000-00000000001b".parse().expect("a guid"),
        ..Charter::contoso(NOW)
    };
    let second = CloudId(2);
    let cloud = Cloud { id: second, charter, clock: Clock::set(NOW), chance: Chance::seeded(99) };
    manager.server.open(cloud).await.expect("opens");
    let there = Manager { cloud: second, ..manager.clone() };
    let client_there = there.shop("acct").await;
    let body = r#"{"id":"a","customer":"ada"}"#;
    assert_eq!(client.send("POST", DOCS, &[ADA], body).await.status, 201);
    assert_eq!(client_there.get(DOCS).await.json()["_count"], 0, "nothing crosses over");
    assert_eq!(client_there.with(client.auth.clone()).get("/dbs").await.code(), (401, 0));
    let who = manager.identity("id1").await;
    let token = manager.token(who, super::manager::COSMOS).await;
    let foreign = client_there.with(Auth::Raw(format!("type=aad&ver=1.0&sig={token}")));
    assert_eq!(foreign.get("/").await.code(), (401, 5007));
}
