//! Refusals by counting: every row of the table of operations is asked for by nobody, by a wrong key, and by somebody
//! without a role.

use super::{
    client::{ADA, Auth},
    manager::Manager,
};
use crate::products::cosmos::data::operations::{Form, LATER, OPERATIONS, Operation};

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
