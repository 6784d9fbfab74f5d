//! A new signing key, by whole requests.

use super::{grants::World, *};
use crate::door::Entrance;

const ARM: &str = "https://management.azure.com/subscriptions?api-version=2022-12-01";

async fn control(world: &World, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "zaffre");
    let request = request.body(Body::from(String::new())).expect("a request");
    read(world.server.send(Door::at(CloudId::DEFAULT, Entrance::Control), request).await).await
}

async fn token(world: &World) -> String {
    let credentials = world.server.credentials(CloudId::DEFAULT).expect("is founded");
    let id = credentials.client_id.to_string();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", &credentials.client_secret),
        ("scope", SCOPE),
    ];
    let answer = post(&world.server, TOKEN, &form).await;
    answer.body["access_token"].as_str().expect("a token").to_owned()
}

/// Whether Resource Manager believes it.
async fn is_believed(world: &World, token: &str) -> bool {
    let request = Request::get(ARM).header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::from(String::new())).expect("a request");
    let answer = read(world.server.send(Door::named(CloudId::DEFAULT), request).await).await;
    assert!([200, 401].contains(&answer.status), "{}", answer.body);
    answer.status == 200
}

async fn kids(world: &World) -> Vec<String> {
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    let keys = jwks["keys"].as_array().expect("a list").iter();
    keys.map(|key| key["kid"].as_str().expect("text").to_owned()).collect()
}

fn kid(token: &str) -> String {
    let header = base64url_decode(token.split('.').next().expect("a header")).expect("decodes");
    let header: Value = serde_json::from_slice(&header).expect("is JSON");
    header["kid"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_rotation_changes_the_kid_and_takes_nothing_away() {
    let world = World::begin().await;
    let old = token(&world).await;
    let listed = control(&world, "POST", "/keys/rotate").await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let new = token(&world).await;
    assert_ne!(kid(&old), kid(&new));
    assert_eq!(kids(&world).await, [kid(&old), kid(&new)]);
    assert!(is_believed(&world, &old).await && is_believed(&world, &new).await);
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    assert!(verified(&jwks, &old).is_some() && verified(&jwks, &new).is_some());
    let listed = control(&world, "GET", "/keys").await.body;
    assert_eq!(listed["value"][0]["kid"], json!(kid(&old)));
    assert_eq!(listed["value"][0]["retired"], json!(NOW.iso_seconds()));
    assert_eq!(
        (&listed["value"][1]["kid"], &listed["value"][1]["leaves"]),
        (&json!(kid(&new)), &Value::Null)
    );
    world.later(25 * 3600);
    assert_eq!(kids(&world).await, [kid(&new)], "nothing that it signed can live");
}

#[tokio::test]
async fn only_the_operator_rotates() {
    let world = World::begin().await;
    let before = kids(&world).await;
    for path in ["/keys/rotate", "/common/keys/rotate"] {
        let answer = post(&world.server, path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(kids(&world).await, before);
}

#[test]
fn a_retired_key_stays_longer_than_any_token_lives() {
    use crate::directory::mint;
    for life in [mint::APPLICATION_LIFETIME, mint::MANAGED_IDENTITY_LIFETIME] {
        assert!(life < crate::keys::STAYS);
    }
}
