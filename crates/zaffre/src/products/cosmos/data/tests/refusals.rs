//! Refusals by counting: every row of the table of operations is asked for by nobody, by a wrong key, and by somebody
//! without a role.

use std::time::Duration;

use http::Request;
use serde_json::json;

use super::{
    client::{ADA, Auth, NOW, shop},
    manager::Manager,
};
use crate::{
    products::cosmos::data::operations::{Form, LATER, OPERATIONS, Operation},
    service::Body,
};

/// `dbs/{db}` with the names that are there.
fn target(row: &Operation) -> String {
    let named = |segment: &str| match segment {
        "{db}" => "shop",
        "{coll}" => "orders",
        "{item}" | "{user}" => "a",
        _ => panic!("what stands for {segment}?"),
    };
    let segments =
        row.path.split('/').map(|it| if it.starts_with('{') { named(it).to_owned() } else { it.to_owned() });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

fn headers(row: &Operation) -> Vec<(&'static str, &'static str)> {
    let form = match row.form {
        Form::Plain => None,
        Form::Upsert => Some(("x-ms-documentdb-is-upsert", "True")),
        Form::Query => Some(("x-ms-documentdb-isquery", "True")),
        Form::QueryPlan => Some(("x-ms-cosmos-is-query-plan-request", "True")),
        Form::Batch => Some(("x-ms-cosmos-is-batch-request", "True")),
        Form::ChangeFeed => Some(("a-im", "Incremental feed")),
    };
    form.into_iter().chain([ADA]).collect()
}

#[tokio::test]
async fn every_operation_is_refused_to_nobody_to_a_wrong_key_and_to_those_without_a_role() {
    let manager = Manager::begin().await;
    let client = manager.shop("acct").await;
    let who = manager.identity("id1").await;
    let somebody = manager.as_principal("acct", who).await;
    let strangers = [
        (client.with(Auth::None), 401),
        (client.with(Auth::Key(azure::text::base64([7; 64]))), 401),
        (somebody, 403),
    ];
    for row in OPERATIONS.iter().chain(LATER) {
        for (stranger, status) in &strangers {
            let answer = stranger
                .send(row.method.as_str(), &target(row), &headers(row), r#"{"id":"a","customer":"ada"}"#)
                .await;
            assert_eq!(answer.status, *status, "{} {}: {}", row.method, row.path, answer.text);
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                code,
                if *status == 401 { "Unauthorized" } else { "Forbidden" },
                "{} {}",
                row.method,
                row.path
            );
        }
    }
    assert_eq!(client.get("/dbs/shop/colls/orders").await.status, 200);
}

/// What a status and a sub-status do not tell apart, each in its own words.
#[tokio::test]
async fn each_refusal_has_its_own_words() {
    let client = shop().await;
    let docs = "/dbs/shop/colls/orders/docs";
    let key = |key: &'static str| ("x-ms-documentdb-partitionkey", key);
    let one = r#"{"id":"a","customer":"ada"}"#;
    let keyed = |key: serde_json::Value| json!({ "id": "x", "partitionKey": key }).to_string();
    let multi = |paths: usize, version: u8| {
        let paths: Vec<String> = (0..paths).map(|path| format!("/{path}")).collect();
        keyed(json!({ "paths": paths, "kind": "MultiHash", "version": version }))
    };
    let query = ("x-ms-documentdb-isquery", "True");
    let (throughput, autopilot) = (
        ("x-ms-offer-throughput", "400"),
        ("x-ms-cosmos-offer-autopilot-settings", r#"{"maxThroughput":4000}"#),
    );
    for (method, path, headers, body, code, words) in [
        ("GET", "/nothing/of/the/kind", vec![], "", (404, 0), "The requested resource does not exist"),
        ("PUT", "/dbs", vec![], "", (405, 0), "The requested verb is not supported"),
        ("POST", docs, vec![], one, (400, 0), "PartitionKey value must be supplied for this operation"),
        (
            "POST",
            docs,
            vec![key("ada")],
            one,
            (400, 0),
            "specified for the header 'x-ms-documentdb-partitionkey' is invalid",
        ),
        ("POST", docs, vec![key("[]")], one, (400, 0), "PartitionKey has fewer components than"),
        ("POST", docs, vec![key(r#"["ada","x"]"#)], one, (400, 0), "PartitionKey has more components than"),
        (
            "POST",
            docs,
            vec![key(r#"["eve"]"#)],
            one,
            (400, 1001),
            "doesn't correspond to definition in the collection",
        ),
        ("POST", docs, vec![ADA], "{", (400, 0), "not well-formed JSON"),
        ("POST", docs, vec![ADA], r#"{"customer":"ada"}"#, (400, 0), "the required properties"),
        (
            "POST",
            docs,
            vec![ADA],
            r#"{"id":"a/b","customer":"ada"}"#,
            (400, 0),
            "The input name 'a/b' is invalid",
        ),
        (
            "POST",
            "/dbs/shop/colls",
            vec![],
            &keyed(json!({ "paths": [], "kind": "Hash" })),
            (400, 0),
            "The partition key definition of the collection is invalid",
        ),
        ("POST", "/dbs/shop/colls", vec![], &multi(2, 1), (400, 0), "only supported for Hash V2"),
        (
            "POST",
            "/dbs/shop/colls",
            vec![],
            &multi(4, 2),
            (400, 0),
            "only supported for atmost 3 partition paths",
        ),
        (
            "POST",
            "/dbs",
            vec![throughput, autopilot],
            r#"{"id":"x"}"#,
            (400, 0),
            "Offer throughput and autopilot settings cannot both be specified",
        ),
        ("GET", docs, vec![("x-ms-max-item-count", "0")], "", (400, 0), "Ensure to pass a valid page size"),
        ("GET", docs, vec![("x-ms-continuation", "x")], "", (400, 0), "Invalid Continuation Token"),
        (
            "GET",
            docs,
            vec![("x-ms-session-token", "x")],
            "",
            (400, 0),
            "The session token provided 'x' is invalid",
        ),
        (
            "POST",
            docs,
            vec![query],
            r#"{"query":"SELECT * FROM c"}"#,
            (400, 0),
            "Cross partition query is required",
        ),
        ("POST", docs, vec![query, ADA], r#"{"query":7}"#, (400, 0), "The request body is no query"),
    ] {
        let answer = client.send(method, path, &headers, body).await;
        assert_eq!(answer.code(), code, "{method} {path} {headers:?} {body}: {}", answer.text);
        assert!(answer.text.contains(words), "{method} {path} {headers:?} {body}: {}", answer.text);
    }
    let late = client.send_at(NOW.plus(Duration::from_secs(3600)), "GET", "/dbs", &[], "").await;
    assert_eq!(late.code(), (403, 0));
    assert!(late.text.contains("not valid at the current time"), "{}", late.text);
}

#[tokio::test]
async fn a_signature_without_a_date_signs_nothing() {
    let client = shop().await;
    let request = Request::get("http://localhost:8081/dbs")
        .header("authorization", "type%3Dmaster%26ver%3D1.0%26sig%3DAAAA")
        .body(Body::empty())
        .expect("a request");
    let response = client.server.send(client.door.clone(), request).await;
    assert_eq!(response.status(), 401);
    let bytes = Body::new(response.into_body()).bytes(1 << 16).await.expect("a body in memory");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Authorization token mandates Date headers."), "{text}");
}
