//! What outlives the process: everything that was answered, byte for byte.

use std::{path::Path, sync::Arc};

use zaffre::{
    Server,
    cloud::CloudId,
    env::{LogFormat, Settings},
    store::{Content, Store},
};

use crate::world::{Auth, Protocol, World};

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
    let credentials = server.credentials(CloudId::DEFAULT).expect("is founded");
    let state = before.state().await;
    let (arm, storage) = (before.arm.clone(), before.storage.clone());
    let (graph, cosmos) = (before.graph.clone(), before.cosmos_token.clone());
    server.env.store.close().await.expect("closes");
    drop((before, server));

    let server = start(folder.path()).await;
    assert!(server.credentials(CloudId::DEFAULT) == Some(credentials), "other credentials");
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
