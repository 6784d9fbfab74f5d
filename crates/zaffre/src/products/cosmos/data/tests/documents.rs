//! Documents: one at a time, and feeds.

use super::client::{ADA, Client, shop};

const DOCS: &str = "/dbs/shop/colls/orders/docs";
const KEPT: &str = "/dbs/shop/colls/orders/docs/kept";

async fn with_one() -> Client {
    let client = shop().await;
    let made = client.send("POST", DOCS, &[ADA], r#"{"id":"kept","customer":"ada","total":1}"#).await;
    assert_eq!(made.status, 201, "{}", made.text);
    client
}

#[tokio::test]
async fn a_document_comes_back_as_it_was_written_with_what_the_service_adds() {
    let client = shop().await;
    let sent = r#"{"z": 1.50, "id":"x","customer":"ada","big":9007199254740993,"text":"é\u00e9"}"#;
    let made = client.send("POST", DOCS, &[ADA], sent).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let kept = r#"{"z":1.50,"id":"x","customer":"ada","big":9007199254740993,"text":"é\u00e9","_rid":""#;
    assert!(made.text.starts_with(kept), "{}", made.text);
    let read = client.send("GET", "/dbs/shop/colls/orders/docs/x/", &[ADA], "").await;
    assert_eq!((read.status, &read.text), (200, &made.text));
    let shown = read.json();
    assert_eq!(shown["_etag"], read.header("etag"));
    assert_eq!(shown["_ts"], super::client::NOW.seconds());
    assert_eq!(shown["_attachments"], "attachments/");
    let collection = client.get("/dbs/shop/colls/orders").await.json();
    let rid = shown["_rid"].as_str().expect("is text");
    let of_collection = collection["_self"].as_str().expect("is text");
    assert_eq!(shown["_self"], format!("{of_collection}docs/{rid}/"));
    assert_eq!(read.header("x-ms-content-path"), collection["_rid"]);
    assert_eq!(read.header("x-ms-alt-content-path"), "dbs/shop/colls/orders");
    assert_eq!(read.header("x-ms-session-token"), "0:-1#1");
}

#[tokio::test]
async fn one_id_is_one_document_in_its_partition_and_another_in_another() {
    let client = with_one().await;
    let again = client.send("POST", DOCS, &[ADA], r#"{"id":"kept","customer":"ada"}"#).await;
    assert_eq!(again.code(), (409, 0));
    assert_eq!(again.json()["code"], "Conflict");
    let grace = ("x-ms-documentdb-partitionkey", r#"["grace"]"#);
    assert_eq!(client.send("GET", KEPT, &[grace], "").await.code(), (404, 0));
    assert_eq!(client.send("POST", DOCS, &[grace], r#"{"id":"kept","customer":"grace"}"#).await.status, 201);
    assert_eq!(client.send("DELETE", KEPT, &[grace], "").await.status, 204);
    assert_eq!(client.send("GET", KEPT, &[ADA], "").await.status, 200);
}

#[tokio::test]
async fn an_upsert_creates_and_then_replaces() {
    let client = shop().await;
    let upsert = ("x-ms-documentdb-is-upsert", "True");
    let first = client.send("POST", DOCS, &[ADA, upsert], r#"{"id":"a","customer":"ada","n":1}"#).await;
    let second = client.send("POST", DOCS, &[ADA, upsert], r#"{"id":"a","customer":"ada","n":2}"#).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json()["_rid"], second.json()["_rid"], "it is the same document");
    assert_ne!(first.json()["_etag"], second.json()["_etag"]);
}

#[tokio::test]
async fn an_old_etag_changes_nothing_and_a_current_one_is_not_read_again() {
    let client = with_one().await;
    let etag = client.send("GET", KEPT, &[ADA], "").await.header("etag").to_owned();
    let body = r#"{"id":"kept","customer":"ada","total":2}"#;
    assert_eq!(client.send("PUT", KEPT, &[ADA, ("if-match", &etag)], body).await.status, 200);
    for (method, body) in [("PUT", body), ("DELETE", "")] {
        let refused = client.send(method, KEPT, &[ADA, ("if-match", &etag)], body).await;
        assert_eq!(refused.code(), (412, 0), "{method}");
        assert_eq!(refused.json()["code"], "PreconditionFailed");
    }
    let now = client.send("GET", KEPT, &[ADA], "").await;
    assert_eq!(now.json()["total"], 2);
    let same = client.send("GET", KEPT, &[ADA, ("if-none-match", now.header("etag"))], "").await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
}

#[tokio::test]
async fn a_minimal_answer_has_no_body() {
    let client = shop().await;
    let minimal = ("prefer", "return=minimal");
    let made = client.send("POST", DOCS, &[ADA, minimal], r#"{"id":"a","customer":"ada"}"#).await;
    assert_eq!((made.status, made.text.as_str()), (201, ""));
    assert!(!made.header("etag").is_empty());
}

#[tokio::test]
async fn the_partition_key_of_header_and_body_must_agree() {
    let client = with_one().await;
    let named = |key: &'static str| ("x-ms-documentdb-partitionkey", key);
    let body = r#"{"id":"b","customer":"ada"}"#;
    for (headers, body, code) in [
        (vec![], body, (400, 0)),
        (vec![named(r#"["grace"]"#)], body, (400, 1001)),
        (vec![named(r#"[{}]"#)], body, (400, 1001)),
        (vec![named(r#"[]"#)], body, (400, 0)),
        (vec![named(r#"["ada","x"]"#)], body, (400, 0)),
        (vec![named("ada")], body, (400, 0)),
        (vec![ADA], r#"{"id":"b"}"#, (400, 1001)),
        (vec![ADA], r#"{"id":"b","customer":["ada"]}"#, (400, 1001)),
        (vec![named("[{}]")], r#"{"id":"b"}"#, (201, 0)),
        (vec![named("[null]")], r#"{"id":"b","customer":null}"#, (201, 0)),
        (vec![named("[1]")], r#"{"id":"b","customer":1.0}"#, (201, 0)),
    ] {
        assert_eq!(client.send("POST", DOCS, &headers, body).await.code(), code, "{headers:?} {body}");
    }
    let moved = client.send("PUT", KEPT, &[ADA], r#"{"id":"kept","customer":"grace"}"#).await;
    assert_eq!(moved.code(), (400, 1001));
    assert_eq!(client.send("GET", KEPT, &[], "").await.code(), (400, 0));
}

#[tokio::test]
async fn bad_input_is_refused_in_the_protocols_own_envelope() {
    let client = with_one().await;
    let deep = format!(r#"{{"id":"d","customer":"ada","a":{}"#, "[".repeat(1_000_000));
    let large = format!(r#"{{"id":"l","customer":"ada","a":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    for (method, path, body, code) in [
        ("POST", DOCS, "{", (400, 0)),
        ("POST", DOCS, "", (400, 0)),
        ("POST", DOCS, "[]", (400, 0)),
        ("POST", DOCS, r#"{"customer":"ada"}"#, (400, 0)),
        ("POST", DOCS, r#"{"id":"a/b","customer":"ada"}"#, (400, 0)),
        ("POST", DOCS, deep.as_str(), (400, 0)),
        ("POST", DOCS, large.as_str(), (413, 0)),
        ("PUT", "/dbs/shop/colls/orders/docs/absent", r#"{"id":"absent","customer":"ada"}"#, (404, 0)),
        ("DELETE", "/dbs/shop/colls/orders/docs/absent", "", (404, 0)),
        ("GET", "/dbs/shop/colls/absent/docs/x", "", (404, 1003)),
        ("GET", "/dbs/shop/colls/orders/docs/..", "", (404, 0)),
        ("GET", "/dbs/shop/colls/orders/docs/a%2Fb", "", (404, 0)),
        ("PATCH", DOCS, "", (405, 0)),
        ("GET", "/nothing/here", "", (404, 0)),
        ("GET", "/dbs/%ff", "", (404, 0)),
    ] {
        let refused = client.send(method, path, &[ADA], body).await;
        assert_eq!(refused.code(), code, "{method} {path} {}", refused.text);
        assert!(refused.json()["code"].is_string() && refused.json()["message"].is_string());
        assert!(!refused.header("x-ms-activity-id").is_empty());
    }
    assert_eq!(client.send("GET", DOCS, &[ADA], "").await.json()["_count"], 1, "nothing was half written");
}

#[tokio::test]
async fn a_feed_goes_on_where_its_page_ended() {
    let client = shop().await;
    for number in 0..7 {
        let customer = ["ada", "grace"][number % 2];
        let key = format!(r#"["{customer}"]"#);
        let body = format!(r#"{{"id":"{number}","customer":"{customer}"}}"#);
        let made = client.send("POST", DOCS, &[("x-ms-documentdb-partitionkey", &key)], &body).await;
        assert_eq!(made.status, 201);
    }
    let (mut seen, mut continuation) = (Vec::new(), String::new());
    for _ in 0..10 {
        let headers = [("x-ms-max-item-count", "3"), ("x-ms-continuation", continuation.as_str())];
        let page = client.send("GET", DOCS, &headers, "").await;
        assert_eq!(page.header("x-ms-item-count"), page.json()["_count"].to_string());
        let documents = page.json()["Documents"].as_array().expect("a list").clone();
        seen.extend(documents.iter().map(|it| it["id"].as_str().expect("is text").to_owned()));
        continuation = page.header("x-ms-continuation").to_owned();
        if continuation.is_empty() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(client.send("GET", DOCS, &[ADA], "").await.json()["_count"], 4);
    for bad in ["x", "AAAA"] {
        assert_eq!(client.send("GET", DOCS, &[("x-ms-continuation", bad)], "").await.code(), (400, 0));
    }
    assert_eq!(client.send("GET", DOCS, &[("x-ms-max-item-count", "0")], "").await.code(), (400, 0));
    let other_range = ("x-ms-documentdb-partitionkeyrangeid", "7");
    assert_eq!(client.send("GET", DOCS, &[other_range], "").await.code(), (410, 1002));
}

#[tokio::test]
async fn a_query_for_everything_is_answered_and_others_are_named_as_missing() {
    let client = with_one().await;
    let query = ("content-type", "application/query+json");
    let everywhere = ("x-ms-documentdb-query-enablecrosspartition", "True");
    let all = client.send("POST", DOCS, &[query, everywhere], r#"{"query":"SELECT * FROM c"}"#).await;
    assert_eq!((all.status, &all.json()["_count"]), (200, &1.into()), "{}", all.text);
    let one = client.send("POST", DOCS, &[query, ADA], r#"{"query":"SELECT * FROM root r"}"#).await;
    assert_eq!(one.json()["Documents"][0]["id"], "kept");
    let neither = client.send("POST", DOCS, &[query], r#"{"query":"SELECT * FROM c"}"#).await;
    assert_eq!(neither.code(), (400, 0));
    for text in ["SELECT VALUE 1", "SELECT * FROM c WHERE c.id = 'kept'"] {
        let body = format!(r#"{{"query":"{text}"}}"#);
        let refused = client.send("POST", DOCS, &[query, ADA], &body).await;
        assert_eq!(refused.json()["code"], "NotImplemented", "{text}: {}", refused.text);
    }
    for header in ["x-ms-cosmos-is-query-plan-request", "x-ms-cosmos-is-batch-request"] {
        let refused = client.send("POST", DOCS, &[(header, "True"), ADA], "{}").await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &"NotImplemented".into()), "{header}");
    }
}

#[tokio::test]
async fn a_session_token_ahead_of_the_collection_waits_for_nothing() {
    let client = with_one().await;
    for (token, code) in [("", (200, 0)), ("0:-1#1", (200, 0)), ("0:-1#2", (404, 1002)), ("x", (400, 0))] {
        let read = client.send("GET", KEPT, &[ADA, ("x-ms-session-token", token)], "").await;
        assert_eq!(read.code(), code, "{token}");
    }
}

#[tokio::test]
async fn everything_is_found_by_its_resource_id_too() {
    let client = with_one().await;
    let document = client.send("GET", KEPT, &[ADA], "").await.json();
    let link = document["_self"].as_str().expect("is text").to_owned();
    let read = client.get(&format!("/{link}")).await;
    assert_eq!((read.status, read.json()), (200, document));
    let collection = link.split_once("/docs").expect("a document's").0;
    assert_eq!(client.get(&format!("/{collection}/docs")).await.json()["_count"], 1);
    let absent = format!("/{collection}/docs/{}", "A".repeat(22) + "==");
    assert_eq!(client.get(&absent).await.code(), (404, 0));
}

#[tokio::test]
async fn a_document_whose_time_is_up_is_gone() {
    let client = shop().await;
    let orders = r#"{"id":"short","defaultTtl":60,"partitionKey":{"paths":["/customer"],"version":2}}"#;
    assert_eq!(client.post("/dbs/shop/colls", orders).await.status, 201);
    let docs = "/dbs/shop/colls/short/docs";
    for body in [
        r#"{"id":"default","customer":"ada"}"#,
        r#"{"id":"for-ever","customer":"ada","ttl":-1}"#,
        r#"{"id":"longer","customer":"ada","ttl":600}"#,
    ] {
        assert_eq!(client.send("POST", docs, &[ADA], body).await.status, 201);
    }
    let later = super::client::NOW.plus(std::time::Duration::from_secs(61));
    let cloud = client.server.cloud(crate::cloud::CloudId::DEFAULT).expect("is open");
    assert!(cloud.clock.move_to(later));
    let listed = client.send_at(later, "GET", docs, &[ADA], "").await.json();
    let ids: Vec<_> =
        listed["Documents"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, ["for-ever", "longer"]);
    let again = r#"{"id":"default","customer":"ada"}"#;
    assert_eq!(client.send_at(later, "POST", docs, &[ADA], again).await.status, 201, "its name is free");
    assert_eq!(client.send("POST", docs, &[ADA], r#"{"id":"z","customer":"ada","ttl":0}"#).await.status, 400);
}
