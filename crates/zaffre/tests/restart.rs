//! What outlives the process: everything that was answered, byte for byte.

use std::{path::Path, sync::Arc};

use serde_json::json;
use zaffre::{
    Server,
    cloud::CloudId,
    door::Door,
    env::{LogFormat, Settings},
    store::{Content, Store},
};

use crate::world::{Ask, Auth, ENTRA, Protocol, World};

async fn start(folder: &Path) -> Arc<Server> {
    let store = Store::open(&folder.join("store")).expect("opens");
    let content = Content::in_dir(&folder.join("content")).expect("opens");
    let settings = Settings { log: LogFormat::Off, ..Settings::default() };
    Server::start(store, content, settings).await.expect("starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_everything_is_there_and_old_tokens_still_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path()).await;
    let before = World::furnished(Arc::clone(&server), CloudId::DEFAULT, "one").await;
    // Larger than what lies beside its record.
    let large = before.blob("PUT", "/con/large").with("x-ms-blob-type", "BlockBlob").body(vec![7; 300_000]);
    assert_eq!(before.ask(&large).await.status, 201);
    let identity =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";
    let machine = before.ask(&before.metadata(identity)).await.json();
    let machine = Auth::Bearer(machine["access_token"].as_str().expect("a token").to_owned());
    let credentials = json!(server.credentials(CloudId::DEFAULT).expect("is founded"));
    let state = before.state().await;
    let (arm, storage) = (before.arm.clone(), before.storage.clone());
    let (graph, cosmos) = (before.graph.clone(), before.cosmos_token.clone());
    server.env.store.close().await.expect("closes");
    drop((before, server));

    let server = start(folder.path()).await;
    assert!(json!(server.credentials(CloudId::DEFAULT)) == credentials, "other credentials");
    let mut after = World::found(Arc::clone(&server), CloudId::DEFAULT).await;
    assert_eq!(after.state().await, state);
    (after.arm, after.storage, after.graph, after.cosmos_token) = (arm, storage, graph, cosmos);
    assert_eq!(after.state().await, state, "with the tokens of before");
    assert_eq!(after.ask(&after.blob("GET", "/con/large")).await.body, vec![7; 300_000]);
    // Known, and without a role: an unknown signature would be 401.
    let refused = after.ask(&after.arm("GET", &after.group("?api-version=2024-11-01")).by(machine)).await;
    assert_eq!((refused.status, refused.code(Protocol::Arm).as_str()), (403, "AuthorizationFailed"));
    assert_eq!(after.ask(&after.metadata(identity)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_signs_after_a_restart_and_the_one_before_it_still_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path()).await;
    let before = World::furnished(Arc::clone(&server), CloudId::DEFAULT, "one").await;
    let old = before.arm.clone();
    let first = server.env.keys.signer().kid.clone();
    let second = server.env.keys.rotate(&server.env.store, before.cloud.clock.now()).await.expect("rotates");
    assert_ne!(second.kid, first);
    server.env.store.close().await.expect("closes");
    drop((before, server));

    let server = start(folder.path()).await;
    assert_eq!(server.env.keys.signer().kid, second.kid);
    let after = World::found(Arc::clone(&server), CloudId::DEFAULT).await;
    let ask = after.arm("GET", &after.group("?api-version=2024-11-01")).by(old);
    assert_eq!(after.ask(&ask).await.status, 200);
    let jwks =
        Ask::new(Protocol::Entra, Door::named(CloudId::DEFAULT), ENTRA, "GET", "/common/discovery/v2.0/keys");
    let jwks = after.ask(&jwks).await.json();
    let kids: Vec<&str> =
        jwks["keys"].as_array().expect("a list").iter().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(kids, [first.as_str(), second.kid.as_str()]);
}
