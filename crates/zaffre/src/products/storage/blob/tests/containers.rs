//! Containers: made, described, listed, deleted, made again.

use super::client::Client;
use crate::{
    Server,
    cloud::{Chance, Charter, Clock, Cloud, CloudId},
};

#[tokio::test]
async fn a_container_is_made_once_and_its_name_is_free_when_it_is_deleted() {
    let client = Client::drop_in().await;
    let target = "/con?restype=container";
    let made = client.send("PUT", target, &[("x-ms-meta-color", "blue")], "").await;
    assert_eq!(made.status, 201);
    assert!(made.header("etag").starts_with("\"0x8D"), "{made:?}");
    let again = client.send("PUT", target, &[], "").await;
    assert_eq!((again.status, again.code()), (409, "ContainerAlreadyExists"));
    let shown = client.get(target).await;
    assert_eq!((shown.status, shown.header("x-ms-meta-color")), (200, "blue"));
    assert_eq!(shown.header("x-ms-lease-state"), "available");
    client.put("/con/a", "in the first").await;
    assert_eq!(client.send("DELETE", target, &[], "").await.status, 202);
    assert_eq!(client.get(target).await.code(), "ContainerNotFound");
    assert_eq!(client.get("/con/a").await.code(), "ContainerNotFound");
    client.make_container("con").await;
    assert_eq!(client.get("/con/a").await.code(), "BlobNotFound", "nothing of the first is in the second");
}

#[tokio::test]
async fn metadata_is_replaced_whole_and_changes_the_etag() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let before = client.get("/con?restype=container").await;
    let set = client.send("PUT", "/con?restype=container&comp=metadata", &[("x-ms-meta-a", "1")], "").await;
    assert_eq!(set.status, 200);
    assert_ne!(set.header("etag"), before.header("etag"));
    let shown = client.get("/con?restype=container&comp=metadata").await;
    assert_eq!((shown.header("x-ms-meta-a"), shown.header("etag")), ("1", set.header("etag")));
}

#[tokio::test]
async fn what_is_not_there_is_missing_in_its_own_words() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for (method, target, status, code) in [
        ("GET", "/none?restype=container", 404, "ContainerNotFound"),
        ("HEAD", "/none?restype=container", 404, "ContainerNotFound"),
        ("DELETE", "/none?restype=container", 404, "ContainerNotFound"),
        ("PUT", "/none?restype=container&comp=metadata", 404, "ContainerNotFound"),
        ("GET", "/none?restype=container&comp=list", 404, "ContainerNotFound"),
        ("GET", "/none/a", 404, "ContainerNotFound"),
        ("GET", "/con/none", 404, "BlobNotFound"),
        ("HEAD", "/con/none", 404, "BlobNotFound"),
        ("DELETE", "/con/none", 404, "BlobNotFound"),
        ("PUT", "/con/none?comp=metadata", 404, "BlobNotFound"),
        ("PUT", "/con/none?comp=properties", 404, "BlobNotFound"),
        ("GET", "/con/none?comp=blocklist", 404, "BlobNotFound"),
    ] {
        let answer = client.send(method, target, &[], "").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {target}");
        assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {target}");
    }
    assert_eq!(client.put("/none/a", "x").await.code(), "ContainerNotFound");
}

#[tokio::test]
async fn two_clouds_with_an_account_of_one_name_do_not_meet() {
    let server = Server::in_memory(1, super::client::NOW).await;
    let other = CloudId(7);
    let cloud = Cloud {
        id: other,
        charter: Charter::contoso(super::client::NOW),
        clock: Clock::set(super::client::NOW),
        chance: Chance::seeded(2),
    };
    server.open(cloud).await.expect("opens");
    let here = Client::named(&server, CloudId::DEFAULT, "acct").await;
    let there = Client::named(&server, other, "acct").await;
    here.make_container("con").await;
    here.put("/con/a", "here").await;
    assert_eq!(there.get("/con/a").await.code(), "ContainerNotFound");
    there.make_container("con").await;
    there.put("/con/a", "there").await;
    assert_eq!(here.get("/con/a").await.text(), "here");
    there.send("DELETE", "/con?restype=container", &[], "").await;
    assert_eq!(here.get("/con/a").await.text(), "here");
    let here = Client::drop_in_of(&server, CloudId::DEFAULT);
    let there = Client::drop_in_of(&server, other);
    here.make_container("drop").await;
    assert_eq!(there.get("/drop?restype=container").await.code(), "ContainerNotFound");
}
