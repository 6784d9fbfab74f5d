//! The account, databases, collections, offers, and who is let in by key.

use serde_json::json;

use super::client::{Auth, Client, NOW, shop};

#[tokio::test]
async fn the_account_says_where_it_is_as_the_client_reached_it() {
    let client = Client::drop_in().await;
    let account = client.get("/").await;
    assert_eq!(account.status, 200, "{}", account.text);
    let shown = account.json();
    assert_ne!(shown["id"], "localhost", "the JavaScript SDK would ask again before every request");
    for locations in ["writableLocations", "readableLocations"] {
        assert_eq!(shown[locations][0]["databaseAccountEndpoint"], "http://localhost:8081/");
    }
    assert_eq!(shown["userConsistencyPolicy"], json!({ "defaultConsistencyLevel": "Session" }));
    let engine = shown["queryEngineConfiguration"].as_str().expect("a string");
    assert!(serde_json::from_str::<serde_json::Value>(engine).is_ok());
}

#[tokio::test]
async fn databases_come_and_go() {
    let client = Client::drop_in().await;
    let made = client.post("/dbs", r#"{"id":"one"}"#).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(client.post("//dbs/", r#"{"id":"one"}"#).await.code(), (409, 0));
    assert_eq!(client.post("/dbs", r#"{"id":"One"}"#).await.status, 201, "names differ by case");
    let read = client.get("/dbs/one/").await;
    assert_eq!(read.json(), made.json());
    assert_eq!(read.json()["_colls"], "colls/");
    assert_eq!(read.header("etag"), read.json()["_etag"]);
    let listed = client.get("/dbs").await.json();
    assert_eq!((&listed["_count"], &listed["Databases"][1]["id"]), (&json!(2), &json!("one")));
    let rid = made.json()["_rid"].as_str().expect("is text").to_owned();
    assert_eq!(client.get(&format!("/dbs/{rid}")).await.json(), made.json());
    assert_eq!(client.send("DELETE", "/dbs/one", &[], "").await.status, 204);
    assert_eq!(client.get("/dbs/one").await.code(), (404, 0));
    for body in ["", "{}", r#"{"id":7}"#, r#"{"id":"a/b"}"#, r#"{"id":"a#b"}"#, r#"{"id":"a "}"#] {
        assert_eq!(client.post("/dbs", body).await.code(), (400, 0), "{body}");
    }
}

#[tokio::test]
async fn a_collection_is_shown_as_the_tutorial_shows_it() {
    let client = Client::drop_in().await;
    assert_eq!(client.post("/dbs", r#"{"id":"Test"}"#).await.status, 201);
    let throughput = ("x-ms-offer-throughput", "400");
    let made = client.send("POST", "/dbs/Test/colls", &[throughput], r#"{"id":"Test"}"#).await;
    assert_eq!(made.status, 201, "{}", made.text);
    // What `az cosmosdb collection show` asks: the account, the collection, every offer.
    let session = ("x-ms-session-token", "");
    assert_eq!(client.send("GET", "/", &[session], "").await.status, 200);
    let collection = client.get("//dbs/Test/colls/Test/").await.json();
    let offers = client.get("//offers").await.json();
    assert_eq!(offers["_count"], 1);
    let offer = &offers["Offers"][0];
    assert_eq!(offer["resource"], collection["_self"]);
    assert_eq!(offer["offerResourceId"], collection["_rid"]);
    assert_eq!((&offer["offerType"], &offer["offerVersion"]), (&json!("Invalid"), &json!("V2")));
    assert_eq!(offer["content"]["offerThroughput"], 400);
    assert_eq!(offer["content"]["offerIsRUPerMinuteThroughputEnabled"], false);
    assert_eq!(offer["_self"], format!("offers/{}/", offer["id"].as_str().expect("is text")));
    assert_eq!(collection["id"], "Test");
    assert_eq!(collection["_ts"], NOW.seconds());
    for (name, link) in [
        ("_docs", "docs/"),
        ("_sprocs", "sprocs/"),
        ("_triggers", "triggers/"),
        ("_udfs", "udfs/"),
        ("_conflicts", "conflicts/"),
    ] {
        assert_eq!(collection[name], link);
    }
    let policy = &collection["indexingPolicy"];
    assert_eq!((&policy["automatic"], &policy["indexingMode"]), (&json!(true), &json!("consistent")));
    assert_eq!(policy["includedPaths"][0]["path"], "/*");
    assert!(collection.get("partitionKey").is_none(), "a fixed collection has none");
    let docs = "/dbs/Test/colls/Test/docs";
    assert_eq!(client.post(docs, r#"{"id":"a"}"#).await.status, 201, "and its documents neither");
    assert_eq!(client.get("/dbs/Test/colls/Test/docs/a").await.status, 200);
}

#[tokio::test]
async fn a_collection_made_again_has_nothing_of_the_old_one() {
    let client = shop().await;
    let docs = "/dbs/shop/colls/orders/docs";
    let made = client.send("POST", docs, &[super::client::ADA], r#"{"id":"a","customer":"ada"}"#).await;
    assert_eq!(made.status, 201);
    let old = client.get("/dbs/shop/colls/orders").await.json()["_rid"].as_str().expect("text").to_owned();
    assert_eq!(client.send("DELETE", "/dbs/shop/colls/orders", &[], "").await.status, 204);
    assert_eq!(client.get("/dbs/shop/colls/orders").await.code(), (404, 0));
    assert_eq!(client.get("/offers").await.json()["_count"], 0);
    let body = r#"{"id":"orders","partitionKey":{"paths":["/customer"],"version":2}}"#;
    assert_eq!(client.post("/dbs/shop/colls", body).await.status, 201);
    assert_eq!(client.get(docs).await.json()["_count"], 0);
    let stale = client.send("GET", docs, &[("x-ms-cosmos-intended-collection-rid", &old)], "").await;
    assert_eq!(stale.code(), (400, 1024));
    assert_eq!(client.get("/dbs/nowhere/colls").await.code(), (404, 1003));
}

#[tokio::test]
async fn a_replaced_collection_keeps_its_partition_key() {
    let client = shop().await;
    let path = "/dbs/shop/colls/orders";
    let changed = client.send("PUT", path, &[], r#"{"id":"orders","defaultTtl":60}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.json()["defaultTtl"], 60);
    assert_eq!(changed.json()["partitionKey"]["paths"], json!(["/customer"]));
    let moved = r#"{"id":"orders","partitionKey":{"paths":["/other"],"version":2}}"#;
    assert_eq!(client.send("PUT", path, &[], moved).await.code(), (400, 0));
    assert_eq!(client.send("PUT", path, &[], r#"{"id":"others"}"#).await.code(), (400, 0));
}

#[tokio::test]
async fn the_ranges_are_read_until_nothing_is_new() {
    let client = shop().await;
    let path = "/dbs/shop/colls/orders/pkranges";
    let incremental = ("a-im", "Incremental Feed");
    let first = client.send("GET", path, &[incremental, ("x-ms-max-item-count", "-1")], "").await;
    assert_eq!(first.status, 200, "{}", first.text);
    let range = &first.json()["PartitionKeyRanges"][0];
    assert_eq!(
        (&range["id"], &range["minInclusive"], &range["maxExclusive"]),
        (&json!("0"), &json!(""), &json!("FF"))
    );
    let second = client.send("GET", path, &[incremental, ("if-none-match", first.header("etag"))], "").await;
    assert_eq!((second.status, second.text.as_str()), (304, ""));
}

#[tokio::test]
async fn throughput_is_shared_asked_for_and_changed() {
    let client = Client::drop_in().await;
    let wanted = ("x-ms-offer-throughput", "1000");
    assert_eq!(client.send("POST", "/dbs", &[wanted], r#"{"id":"shared"}"#).await.status, 201);
    assert_eq!(client.post("/dbs/shared/colls", r#"{"id":"c"}"#).await.status, 201);
    let offers = client.get("/offers").await.json();
    assert_eq!(offers["_count"], 1, "the collection shares its database's");
    let mut offer = offers["Offers"][0].clone();
    let path = format!("/offers/{}", offer["id"].as_str().expect("is text"));
    assert_eq!(client.get(&path).await.json(), offer);
    offer["content"]["offerThroughput"] = json!(2000);
    let changed = client.send("PUT", &path, &[], &offer.to_string()).await;
    assert_eq!((changed.status, &changed.json()["content"]["offerThroughput"]), (200, &json!(2000)));
    offer["content"]["offerThroughput"] = json!(250);
    assert_eq!(client.send("PUT", &path, &[], &offer.to_string()).await.code(), (400, 0));
    let link = offer["resource"].as_str().expect("is text");
    let query = json!({ "query": "SELECT * FROM root r WHERE r.resource=@link",
        "parameters": [{ "name": "@link", "value": link }] });
    let headers = [("x-ms-documentdb-isquery", "True")];
    let found = client.send("POST", "/offers", &headers, &query.to_string()).await;
    assert_eq!(found.json()["_count"], 1, "{}", found.text);
    for (name, value) in [("x-ms-offer-throughput", "50"), ("x-ms-offer-throughput", "many")] {
        assert_eq!(client.send("POST", "/dbs", &[(name, value)], r#"{"id":"x"}"#).await.code(), (400, 0));
    }
}

#[tokio::test]
async fn whoever_shows_nothing_or_the_wrong_thing_is_refused() {
    let client = shop().await;
    let wrong = format!("{}==", "A".repeat(86));
    for (auth, code) in [
        (Auth::None, (401, 5000)),
        (Auth::Raw("Bearer x".to_owned()), (401, 5001)),
        (Auth::Raw("type=master&ver=1.0&sig=".to_owned()), (401, 5001)),
        (Auth::Key(wrong.clone()), (401, 0)),
        (Auth::Raw("type=aad&ver=1.0&sig=a.b.c".to_owned()), (401, 5003)),
        (Auth::Raw("type=resource&ver=1&sig=x".to_owned()), (400, 0)),
    ] {
        let refused = client.with(auth).get("/dbs").await;
        assert_eq!(refused.code(), code, "{}", refused.text);
    }
    let signed = client.with(Auth::Key(wrong)).get("/dbs/shop").await;
    let message = signed.json()["message"].as_str().expect("is text").to_owned();
    assert!(message.contains("'get\ndbs\ndbs/shop\nsun, 22 nov 2026 00:22:54 gmt\n\n'"), "{message}");
    for (seconds, code) in [(14 * 60, (200, 0)), (16 * 60, (403, 0))] {
        let early = NOW.minus(std::time::Duration::from_secs(seconds));
        assert_eq!(client.send_at(early, "GET", "/dbs", &[], "").await.code(), code, "{seconds}");
    }
}

#[tokio::test]
async fn an_answer_repeats_the_clients_activity_id() {
    let client = shop().await;
    let id = "2d9e8e0a-5bd5-4b7c-9d3b-0d2c1b4b6a11";
    let answer = client.send("GET", "/dbs", &[("x-ms-activity-id", id)], "").await;
    assert_eq!(answer.header("x-ms-activity-id"), id);
}
