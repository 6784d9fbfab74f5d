//! Bodies: in, out, in part, in blocks, cut short.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use azure::text;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, channel::Channel};
use md5::{Digest, Md5};

use super::client::{Answer, Client};
use crate::{
    Server,
    env::{LogFormat, Settings},
    service::{Body, body::Cause},
    store::{Content, Store},
};

/// One that fits a row, one that does not, and one that is exactly as large as a row may be.
fn sizes() -> [usize; 5] {
    [0, 1, 1024, 64 << 10, (64 << 10) + 1]
}

pub(super) fn bytes(length: usize) -> Bytes {
    (0..length).map(|index| (index % 251) as u8).collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn what_was_put_is_got_whatever_its_size() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for size in sizes() {
        let put = client.put("/con/a", bytes(size)).await;
        let md5 = text::base64(Md5::digest(bytes(size)));
        assert_eq!((put.status, put.header("content-md5")), (201, md5.as_str()), "{size}");
        let got = client.get("/con/a").await;
        assert_eq!((got.status, &got.body), (200, &bytes(size)), "{size}");
        assert_eq!(got.header("content-length"), size.to_string());
        assert_eq!(got.header("etag"), put.header("etag"), "{size}");
        assert_eq!(got.header("content-md5"), md5);
        let head = client.send("HEAD", "/con/a", &[], "").await;
        assert_eq!((head.status, head.header("content-length")), (200, size.to_string().as_str()));
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn a_range_is_a_206_and_one_behind_the_end_a_416() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for size in [10, 200_000] {
        client.put("/con/a", bytes(size)).await;
        for (range, expected) in [("bytes=0-3", 0..4), ("bytes=2-", 2..size), ("bytes=0-33554431", 0..size)] {
            let got = client.send("GET", "/con/a", &[("x-ms-range", range)], "").await;
            assert_eq!(
                (got.status, &got.body),
                (206, &bytes(size).slice(expected.clone())),
                "{size} {range}"
            );
            let text = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!(got.header("content-range"), text);
            assert_eq!(got.header("content-md5"), "", "the blob's own is no part's");
            assert_ne!(got.header("x-ms-blob-content-md5"), "");
        }
        let behind = client.send("GET", "/con/a", &[("x-ms-range", "bytes=200000-")], "").await;
        assert_eq!((behind.status, behind.code()), (416, "InvalidRange"));
    }
    client.put("/con/empty", "").await;
    let empty = client.send("GET", "/con/empty", &[("x-ms-range", "bytes=0-33554431")], "").await;
    assert_eq!(
        (empty.status, empty.code()),
        (416, "InvalidRange"),
        "Python's SDK asks again without a range"
    );
    let both = client.send("GET", "/con/a", &[("range", "bytes=0-1"), ("x-ms-range", "bytes=4-5")], "").await;
    assert_eq!(both.header("content-range"), "bytes 4-5/200000");
}

#[tokio::test]
async fn a_ranges_md5_is_its_own() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    client.put("/con/a", bytes(200_000)).await;
    let headers = [("x-ms-range", "bytes=5-99999"), ("x-ms-range-get-content-md5", "true")];
    let got = client.send("GET", "/con/a", &headers, "").await;
    assert_eq!(got.header("content-md5"), text::base64(Md5::digest(bytes(200_000).slice(5..100_000))));
    let without = client.send("GET", "/con/a", &headers[1..], "").await;
    assert_eq!((without.status, without.code()), (400, "InvalidHeaderValue"));
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_leaves_nothing() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let wrong_md5 = text::base64([0; 16]);
    let wrong_crc = text::base64([0; 8]);
    for (header, value, code) in [
        ("content-md5", wrong_md5.as_str(), "Md5Mismatch"),
        ("content-md5", "short", "InvalidMd5"),
        ("x-ms-content-crc64", wrong_crc.as_str(), "Crc64Mismatch"),
        ("x-ms-content-crc64", "AA==", "InvalidHeaderValue"),
    ] {
        let headers = [("x-ms-blob-type", "BlockBlob"), (header, value)];
        let answer = client.send("PUT", "/con/a", &headers, bytes(70_000)).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{header}: {value}");
        assert_eq!(client.get("/con/a").await.code(), "BlobNotFound");
    }
    let good = client.put("/con/a", bytes(9)).await;
    let crc = good.header("x-ms-content-crc64").to_owned();
    let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-content-crc64", crc.as_str())];
    assert_eq!(client.send("PUT", "/con/a", &headers, bytes(9)).await.status, 201);
}

/// A body that announces more than comes.
fn cut_short(sent: usize) -> Body {
    let (mut sender, body) = Channel::<Bytes, Cause>::new(8);
    sender.try_send(http_body::Frame::data(bytes(sent))).expect("has room");
    sender.abort("the connection ended".into());
    Body::new(Announced { inner: Some(body.boxed_unsync()), length: 1_000_000 })
}

/// A body whose announced length is what the test says, and which is over when it has failed.
struct Announced<B> {
    inner: Option<B>,
    length: u64,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Announced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, B::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(task);
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.inner = None;
        }
        polled
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length)
    }
}

#[tokio::test]
async fn a_body_cut_short_leaves_what_was_there() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    client.put("/con/a", "before").await;
    for sent in [10, 100_000] {
        let answer = client.send_body("/con/a", 1_000_000, cut_short(sent)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(client.get("/con/a").await.text(), "before", "{sent}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_versions_limit_is_refused_unread() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let body = Body::new(Announced { inner: Some(Empty::new()), length: 5001 << 20 });
    let answer = client.send_body("/con/a", 5001 << 20, body).await;
    assert_eq!((answer.status, answer.code()), (413, "RequestBodyTooLarge"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_blob_that_keeps_being_replaced_get_one_of_its_bodies_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings { log: LogFormat::Off, ..Settings::default() };
    let content = Content::in_dir(dir.path()).expect("a directory");
    let server = Server::start(Store::in_memory(), content, settings).await.expect("starts");
    let (writer, reader) = (Client::over(server.clone()), Client::over(server));
    writer.make_container("con").await;
    let body = |letter: u8| Bytes::from(vec![letter; 100_000 + usize::from(letter)]);
    writer.put("/con/a", body(0)).await;
    let writing = tokio::spawn(async move {
        for letter in 1..60 {
            assert_eq!(writer.put("/con/a", body(letter)).await.status, 201);
        }
    });
    while !writing.is_finished() {
        let got = reader.get("/con/a").await;
        assert_eq!(got.status, 200, "{:?}", got.headers);
        assert_eq!(got.body, body(got.body[0]));
    }
    writing.await.expect("writes");
}

pub(super) async fn put_block(client: &Client, id: &str, body: Bytes) -> Answer {
    let target = format!("/con/a?comp=block&blockid={}", text::percent_encode(&text::base64(id)));
    client.send("PUT", &target, &[], body).await
}

pub(super) async fn put_list(client: &Client, items: &[(&str, &str)]) -> Answer {
    let items: String =
        items.iter().map(|(kind, id)| format!("<{kind}>{}</{kind}>", text::base64(id))).collect();
    client.send("PUT", "/con/a?comp=blocklist", &[], format!("<BlockList>{items}</BlockList>")).await
}

#[tokio::test]
async fn blocks_become_a_blob_in_the_lists_order() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let (one, two, three) = (bytes(5), bytes(100_000), Bytes::from_static(b"three"));
    for (id, body) in [("b1", &one), ("b2", &two), ("b3", &three)] {
        assert_eq!(put_block(&client, id, body.clone()).await.status, 201, "{id}");
    }
    assert_eq!(client.get("/con/a").await.code(), "BlobNotFound", "what waits is no blob");
    let waiting = client.get("/con/a?comp=blocklist&blocklisttype=all").await;
    assert_eq!(waiting.elements("Size"), ["5", "100000", "5"]);
    assert_eq!(
        put_list(&client, &[("Latest", "b3"), ("Uncommitted", "b2"), ("Latest", "b1")]).await.status,
        201
    );
    let whole = Bytes::from([three.as_ref(), &two, &one].concat());
    assert_eq!(client.get("/con/a").await.body, whole);
    let part = client.send("GET", "/con/a", &[("x-ms-range", "bytes=3-100006")], "").await;
    assert_eq!((part.status, part.body), (206, whole.slice(3..100_007)));
    // Blocks that the blob has may be used again; the others are gone.
    assert_eq!(put_block(&client, "b4", Bytes::from_static(b"four")).await.status, 201);
    assert_eq!(
        put_list(&client, &[("Committed", "b1"), ("Latest", "b4"), ("Committed", "b1")]).await.status,
        201
    );
    assert_eq!(client.get("/con/a").await.body, Bytes::from([one.as_ref(), b"four", &one].concat()));
    assert_eq!(put_list(&client, &[("Latest", "b2")]).await.code(), "InvalidBlockList");
    let listed = client.get("/con/a?comp=blocklist&blocklisttype=all").await;
    assert_eq!(listed.elements("Size"), ["5", "4", "5"]);
    assert_eq!(put_list(&client, &[]).await.status, 201);
    assert_eq!(client.get("/con/a").await.header("content-length"), "0");
}

#[tokio::test]
async fn block_ids_of_one_blob_have_one_length() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    assert_eq!(put_block(&client, "b1", bytes(1)).await.status, 201);
    assert_eq!(put_block(&client, "longer", bytes(1)).await.code(), "InvalidBlobOrBlock");
    let bad = client.send("PUT", "/con/a?comp=block&blockid=!", &[], "x").await;
    assert_eq!(bad.code(), "InvalidQueryParameterValue");
    let none = client.send("PUT", "/con/a?comp=block", &[], "x").await;
    assert_eq!(none.code(), "MissingRequiredQueryParameter");
}

#[tokio::test]
async fn a_put_over_waiting_blocks_drops_them() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    put_block(&client, "b1", bytes(70_000)).await;
    client.put("/con/a", "whole").await;
    assert_eq!(put_list(&client, &[("Latest", "b1")]).await.code(), "InvalidBlockList");
    assert_eq!(client.get("/con/a").await.text(), "whole");
}
