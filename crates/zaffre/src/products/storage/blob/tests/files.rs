//! Files of bodies: counted by whoever names them, gone with the last mention, swept when a crash left them.

use std::{path::Path, sync::Arc};

use azure::ids::Guid;

use super::{
    bodies::{bytes, put_block, put_list},
    client::{Client, NOW},
};
use crate::{
    Server,
    cloud::CloudId,
    env::{LogFormat, Settings},
    products::storage::blob::{
        purge,
        records::{BLOBS, COUNTED, Place, drop_account},
    },
    products::storage::keys::DROP_IN,
    s3,
    store::{Bucket, Content, ContentId, Span, Store, Swept, recount},
};

fn settings() -> Settings {
    Settings { log: LogFormat::Off, ..Settings::default() }
}

/// A process of the cloud whose rows are in this store and whose bodies are in this directory.
async fn process(store: &Store, dir: &Path) -> Arc<Server> {
    let content = Content::in_dir(dir).expect("a directory");
    Server::start(store.clone(), content, settings()).await.expect("starts")
}

#[tokio::test]
async fn files_of_what_is_overwritten_or_deleted_are_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let client = Client::over(process(&Store::in_memory(), dir.path()).await);
    client.make_container("con").await;
    let files = || walk(dir.path());
    client.put("/con/a", bytes(100_000)).await;
    assert_eq!(files(), 1);
    client.put("/con/a", bytes(200_000)).await;
    put_block(&client, "b1", bytes(70_000)).await;
    eventually(|| files() == 2).await;
    client.send("DELETE", "/con/a", &[], "").await;
    eventually(|| files() == 0).await;
    client.put("/con/b", bytes(100_000)).await;
    client.send("DELETE", "/con?restype=container", &[], "").await;
    eventually(|| files() == 0).await;
}

#[tokio::test]
async fn a_start_sweeps_what_no_record_names_and_serves_what_one_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let content = dir.path().join("content");
    let open = async || {
        let store = Store::open(&dir.path().join("store")).expect("opens");
        process(&store, &content).await
    };
    let server = open().await;
    let client = Client::over(server.clone());
    client.make_container("con").await;
    client.put("/con/a", bytes(100_000)).await;
    put_block(&client, "b1", bytes(80_000)).await;
    put_list(&client, &[("Latest", "b1")]).await;
    client.put("/con/b", bytes(90_000)).await;
    let id = ContentId(Guid([7; 16]));
    let mut orphan = server.env.content.create(CloudId::DEFAULT, id).await.expect("creates");
    orphan.write(bytes(10)).await.expect("writes");
    orphan.finish().await.expect("finishes");
    eventually(|| walk(&content) == 3).await;
    drop((client, server));
    let again = Client::over(open().await);
    assert_eq!(walk(&content), 2, "the orphan is gone");
    assert_eq!(again.get("/con/a").await.body, bytes(80_000));
    assert_eq!(again.get("/con/b").await.body, bytes(90_000));
}

#[tokio::test]
async fn files_of_an_account_that_is_deleted_go_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::in_memory();
    let client = Client::over(process(&store, dir.path()).await);
    for container in ["one", "two"] {
        client.make_container(container).await;
        client.put(&format!("/{container}/a"), bytes(100_000)).await;
    }
    assert_eq!(walk(dir.path()), 2);
    store.write(CloudId::DEFAULT, |txn| drop_account(txn, DROP_IN)).await.expect("commits");
    purge::all(&client.server.env, CloudId::DEFAULT).await.expect("clears");
    assert_eq!(walk(dir.path()), 0);
}

#[tokio::test]
async fn a_block_that_a_list_names_twice_goes_with_its_last_mention() {
    let dir = tempfile::tempdir().expect("a directory");
    let client = Client::over(process(&Store::in_memory(), dir.path()).await);
    client.make_container("con").await;
    put_block(&client, "b1", bytes(100_000)).await;
    put_block(&client, "b2", bytes(70_000)).await;
    assert_eq!(put_list(&client, &[("Latest", "b1"), ("Latest", "b2"), ("Latest", "b1")]).await.status, 201);
    assert_eq!(client.get("/con/a").await.header("content-length"), "270000");
    assert_eq!(put_list(&client, &[("Committed", "b1")]).await.status, 201);
    eventually(|| walk(dir.path()) == 1).await;
    assert_eq!(client.get("/con/a").await.body, bytes(100_000));
    client.put("/con/a", "small").await;
    eventually(|| walk(dir.path()) == 0).await;
}

/// The file of the one blob there is.
async fn file(store: &Store) -> ContentId {
    let row = store.read(CloudId::DEFAULT, |txn| BLOBS.rows(txn, Span::under(&())).next().transpose());
    match row.await.expect("reads").expect("a blob").1.body {
        Place::File(id) => id,
        other => panic!("{other:?} is no file"),
    }
}

#[tokio::test]
async fn a_body_that_another_record_holds_too_stays_until_that_one_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::in_memory();
    let client = Client::over(process(&store, dir.path()).await);
    client.make_container("con").await;
    client.put("/con/a", bytes(100_000)).await;
    let id = file(&store).await;
    // As a snapshot or a copy will.
    store.write(CloudId::DEFAULT, |txn| id.hold(txn)).await.expect("commits");
    assert_eq!(client.send("DELETE", "/con/a", &[], "").await.status, 202);
    let content = &client.server.env.content;
    let swept = content.sweep_unreferenced(&store).await.expect("sweeps");
    assert_eq!((swept, walk(dir.path())), (Swept::default(), 1));
    assert!(store.write(CloudId::DEFAULT, |txn| id.release(txn)).await.expect("commits"), "the last");
    let swept = content.sweep_unreferenced(&store).await.expect("sweeps");
    assert_eq!((swept, walk(dir.path())), (Swept { unfinished: 0, unnamed: 1 }, 0));
}

#[tokio::test]
async fn a_sweep_of_one_process_takes_nothing_that_another_is_putting() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::in_memory();
    let (one, two) = (process(&store, dir.path()).await, process(&store, dir.path()).await);
    let id = ContentId(Guid([9; 16]));
    let mut upload = one.env.content.create(CloudId::DEFAULT, id).await.expect("creates");
    upload.write(bytes(3 << 20)).await.expect("writes");
    let sweep = async || two.env.content.sweep_unreferenced(&store).await.expect("sweeps");
    assert_eq!(sweep().await, Swept::default(), "it is being written");
    upload.finish().await.expect("finishes");
    for _ in 0..4 {
        assert_eq!(sweep().await, Swept::default(), "it waits for its commit");
    }
    store.write(CloudId::DEFAULT, |txn| id.hold(txn)).await.expect("commits");
    one.env.content.named(id).await.expect("ends the claim");
    assert_eq!(sweep().await, Swept::default(), "it is named");
    assert_eq!(walk(dir.path()), 1);
}

#[tokio::test]
async fn a_data_directory_of_a_version_that_counted_nothing_is_counted_when_it_is_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::in_memory();
    let client = Client::over(process(&store, dir.path()).await);
    client.make_container("con").await;
    client.put("/con/b", bytes(90_000)).await;
    put_block(&client, "b1", bytes(80_000)).await;
    put_block(&client, "b2", bytes(70_000)).await;
    put_list(&client, &[("Latest", "b1"), ("Latest", "b1")]).await;
    put_block(&client, "b3", bytes(70_000)).await;
    eventually(|| walk(dir.path()) == 3).await;
    let forget = store.write(CloudId::DEFAULT, |txn| {
        recount(txn, &Default::default())?;
        COUNTED.delete(txn, &0)
    });
    forget.await.expect("commits");
    drop(client);
    let client = Client::over(process(&store, dir.path()).await);
    assert_eq!(walk(dir.path()), 3, "nothing was swept");
    assert_eq!(client.get("/con/a").await.body.len(), 160_000);
    for name in ["a", "b"] {
        assert_eq!(client.send("DELETE", &format!("/con/{name}"), &[], "").await.status, 202);
    }
    eventually(|| walk(dir.path()) == 0).await;
}

#[tokio::test]
async fn a_bucket_that_is_away_is_a_503_and_small_blobs_go_on() {
    let store = Store::in_memory();
    let keys = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        // Nobody listens there.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let variable = |name: &str| keys.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned());
    let place = s3::open("s3://bodies/here", variable).expect("an address");
    let rows = Some((store.clone(), Guid([1; 16])));
    let bucket = Bucket::new(place.objects, &place.prefix, &place.name, rows).expect("a bucket");
    let content = Content::in_bucket(bucket);
    let client = Client::over(Server::in_memory_over(store, content, 1, NOW).await);
    client.make_container("con").await;
    client.put("/con/a", "small").await;
    let away = client.put("/con/a", bytes(100_000)).await;
    assert_eq!((away.status, away.code()), (503, "ServerBusy"), "{away:?}");
    assert_eq!(client.get("/con/a").await.text(), "small", "what was there is there");
    assert_eq!(client.put("/con/b", "small").await.status, 201);
}

/// How many bodies there are; what is being written is claimed in a folder of its own.
fn walk(dir: &std::path::Path) -> usize {
    let folders = std::fs::read_dir(dir).expect("a directory").map(|it| it.expect("an entry").path());
    let of_bodies = folders.filter(|folder| !folder.ends_with("claims"));
    of_bodies.map(|folder| std::fs::read_dir(folder).expect("a directory").count()).sum()
}

/// Waits for what is cleared up behind the answer.
async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("comes to hold");
}
