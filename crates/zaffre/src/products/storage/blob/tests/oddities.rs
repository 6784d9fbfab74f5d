//! What every answer carries; what is malformed, unknown, or not here yet.

use http::Request;

use super::client::{Client, VERSION};
use crate::service::Body;

#[tokio::test]
async fn every_answer_says_whose_it_is() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for (target, status) in [("/con?restype=container", 200), ("/con/none", 404)] {
        let answer = client.send("GET", target, &[("x-ms-client-request-id", "mine, verbatim")], "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-ms-version"), VERSION);
        assert_eq!(answer.header("x-ms-client-request-id"), "mine, verbatim");
        assert_eq!(answer.header("server"), "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0");
        assert_eq!(answer.header("date"), "Sat, 21 Nov 2026 23:02:54 GMT");
        assert_eq!(answer.header("x-ms-request-id").len(), 36);
    }
    let silent = client.get("/con/none").await;
    assert_eq!(silent.header("x-ms-client-request-id"), "", "never invented");
}

#[tokio::test]
async fn an_error_is_xml_with_its_request_and_its_time() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let answer = client.get("/con/none").await;
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>The specified blob \
         does not exist.\nRequestId:{}\nTime:2026-11-21T23:02:54.0000000Z</Message></Error>",
        answer.header("x-ms-request-id")
    );
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.reason, "The specified blob does not exist.");
    assert_eq!(answer.header("content-type"), "application/xml");
}

#[tokio::test]
async fn bad_input_gets_its_own_code() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let huge = "x".repeat(9 << 10);
    let block: &[(&str, &str)] = &[("x-ms-blob-type", "BlockBlob")];
    let with = |name, value| vec![("x-ms-blob-type", "BlockBlob"), (name, value)];
    for (method, target, headers, status, code) in [
        ("PUT", "/Con?restype=container", block.to_vec(), 400, "InvalidResourceName"),
        ("PUT", "/co?restype=container", block.to_vec(), 400, "OutOfRangeInput"),
        ("GET", "/con/%FF", block.to_vec(), 400, "InvalidUri"),
        ("PUT", "/con/a", vec![], 400, "MissingRequiredHeader"),
        ("PUT", "/con/a", vec![("x-ms-blob-type", "Cloud")], 400, "InvalidHeaderValue"),
        ("PUT", "/con/a", with("x-ms-meta-a-b", "1"), 400, "InvalidMetadata"),
        ("PUT", "/con/a", with("x-ms-meta-1a", "1"), 400, "InvalidMetadata"),
        ("PUT", "/con/a", with("x-ms-meta-", "1"), 400, "EmptyMetadataKey"),
        (
            "PUT",
            "/con/a",
            vec![
                ("x-ms-blob-type", "BlockBlob"),
                ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
                ("x-ms-content-crc64", "AAAAAAAAAAA="),
            ],
            400,
            "BothCrc64AndMd5HeaderPresent",
        ),
        (
            "PUT",
            "/con/a",
            vec![("x-ms-blob-type", "BlockBlob"), ("if-match", "*"), ("if-none-match", "*")],
            400,
            "MultipleConditionHeadersNotSupported",
        ),
        ("PUT", "/con/a", with("x-ms-meta-a", &huge), 400, "MetadataTooLarge"),
        ("PUT", "/con/a", with("x-ms-blob-content-md5", "?"), 400, "InvalidMd5"),
        ("GET", "/con/a", with("x-ms-range", "bytes=-5"), 400, "InvalidHeaderValue"),
        ("GET", "/con/a", with("x-ms-version", "soon"), 400, "InvalidHeaderValue"),
        ("GET", "/con/a?comp=nonsense", block.to_vec(), 400, "InvalidQueryParameterValue"),
        ("GET", "/?comp=nonsense", block.to_vec(), 400, "InvalidQueryParameterValue"),
        ("PATCH", "/con/a", block.to_vec(), 405, "UnsupportedHttpVerb"),
        ("GET", "/", block.to_vec(), 405, "UnsupportedHttpVerb"),
        ("PUT", "/con/a?comp=blocklist", block.to_vec(), 400, "InvalidXmlDocument"),
        (
            "PUT",
            "/con?restype=container",
            vec![("x-ms-blob-public-access", "all")],
            400,
            "InvalidHeaderValue",
        ),
    ] {
        let answer = client.send(method, target, &headers, "").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {target} {headers:?}");
    }
}

#[tokio::test]
async fn a_block_list_has_at_most_fifty_thousand_elements() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for (count, code) in [(50_000, "InvalidBlockList"), (50_001, "BlockListTooLong")] {
        let list = format!("<BlockList>{}</BlockList>", "<Latest>AAAA</Latest>".repeat(count));
        let answer = client.send("PUT", "/con/a?comp=blocklist", &[], list).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{count}");
    }
}

#[tokio::test]
async fn the_secondary_endpoint_is_read_and_never_written() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    client.put("/con/a", "x").await;
    for method in ["PUT", "DELETE"] {
        let request = Request::builder()
            .method(method)
            .uri("/devstoreaccount1-secondary/con/a")
            .header("host", "127.0.0.1:10000")
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-version", VERSION);
        let request = request.body(Body::empty()).expect("a request");
        let response = client.server.send(client.door.clone(), request).await;
        let code = response.headers()["x-ms-error-code"].clone();
        assert_eq!(
            (response.status().as_u16(), code.as_bytes()),
            (403, &b"InsufficientAccountPermissions"[..])
        );
    }
    assert_eq!(client.get("/con/a").await.text(), "x");
}

#[tokio::test]
async fn a_block_list_is_elements_and_nothing_between_or_behind_them() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for list in ["<BlockList></BlockList>}", "<BlockList>x</BlockList>", "x<BlockList/>"] {
        let answer = client.send("PUT", "/con/a?comp=blocklist", &[], list).await;
        assert_eq!((answer.status, answer.code()), (400, "InvalidXmlDocument"), "{list}");
    }
    let blanks = "\r\n<BlockList>\n\t</BlockList>\n";
    assert_eq!(client.send("PUT", "/con/a?comp=blocklist", &[], blanks).await.status, 201);
}

#[tokio::test]
async fn what_is_not_here_yet_says_so_by_name() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for (method, target, headers, name) in [
        ("PUT", "/con/a?comp=lease", vec![], "Lease Blob"),
        ("PUT", "/con/a?comp=snapshot", vec![], "Snapshot Blob"),
        ("PUT", "/con/a", vec![("x-ms-blob-type", "AppendBlob")], "Put Blob (AppendBlob)"),
        ("PUT", "/con/a", vec![("x-ms-copy-source", "http://x/")], "Copy Blob"),
        (
            "PUT",
            "/con/a",
            vec![("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", "a=b")],
            "Put Blob with x-ms-tags",
        ),
        ("GET", "/con/a?snapshot=2026-01-01T00:00:00.0000000Z", vec![], "Get Blob with snapshot"),
    ] {
        let answer = client.send(method, target, &headers, "").await;
        assert_eq!((answer.status, answer.code()), (501, "NotImplemented"), "{name}");
        assert!(answer.text().contains(&format!("'{name}'")), "{}", answer.text());
    }
    let nobody = client.send_unsigned("PUT", "/con/a?comp=lease", &[]).await;
    assert_eq!(nobody.status, 401, "what is missing is not told to everybody");
}

#[tokio::test]
async fn whoever_names_a_lease_names_one_that_is_not_there() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    client.put("/con/a", "x").await;
    let lease = [("x-ms-lease-id", "6f265eb5-92eb-426f-b1de-e970369b1a5e"), ("x-ms-blob-type", "BlockBlob")];
    for (method, target, code) in [
        ("PUT", "/con/a", "LeaseNotPresentWithBlobOperation"),
        ("DELETE", "/con/a", "LeaseNotPresentWithBlobOperation"),
        ("DELETE", "/con?restype=container", "LeaseNotPresentWithContainerOperation"),
    ] {
        let answer = client.send(method, target, &lease, "").await;
        assert_eq!((answer.status, answer.code()), (412, code), "{method} {target}");
    }
    assert_eq!(client.get("/con/a").await.text(), "x");
}

#[tokio::test]
async fn headers_and_metadata_are_kept_and_replaced_whole() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let given = [
        ("x-ms-blob-type", "BlockBlob"),
        ("content-type", "text/plain"),
        ("x-ms-blob-content-encoding", "gzip"),
        ("x-ms-blob-content-language", "de"),
        ("x-ms-blob-content-disposition", "inline"),
        ("x-ms-blob-cache-control", "no-cache"),
        ("x-ms-meta-one", "1"),
    ];
    client.send("PUT", "/con/a", &given, "x").await;
    let got = client.get("/con/a").await;
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-disposition", "inline"),
        ("cache-control", "no-cache"),
        ("x-ms-meta-one", "1"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-creation-time", "Sat, 21 Nov 2026 23:02:54 GMT"),
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-server-encrypted", "true"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let set = client.send("PUT", "/con/a?comp=properties", &[("x-ms-blob-content-type", "a/b")], "").await;
    assert_eq!(set.status, 200);
    let meta = client.send("PUT", "/con/a?comp=metadata", &[("x-ms-meta-two", "2")], "").await;
    assert_ne!(meta.header("etag"), set.header("etag"));
    let got = client.get("/con/a").await;
    for (name, value) in [
        ("content-type", "a/b"),
        ("content-encoding", ""),
        ("content-md5", ""),
        ("x-ms-meta-one", ""),
        ("x-ms-meta-two", "2"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let only = client.get("/con/a?comp=metadata").await;
    assert_eq!((only.header("x-ms-meta-two"), only.text()), ("2", ""));
}

#[tokio::test]
async fn the_root_container_holds_blobs_without_one() {
    let client = Client::drop_in().await;
    client.make_container("$root").await;
    assert_eq!(client.put("/file.txt", "root").await.status, 201);
    assert_eq!(client.get("/file.txt").await.text(), "root");
    assert_eq!(client.get("/$root/file.txt").await.text(), "root");
}

#[tokio::test]
async fn the_account_says_what_it_is() {
    let client = Client::drop_in().await;
    for target in ["/?restype=account&comp=properties", "/con?restype=account&comp=properties"] {
        let answer = client.get(target).await;
        assert_eq!((answer.status, answer.header("x-ms-sku-name")), (200, "Standard_RAGRS"), "{target}");
        assert_eq!(answer.header("x-ms-account-kind"), "StorageV2");
    }
    let properties = client.get("/?restype=service&comp=properties").await;
    assert_eq!((properties.status, properties.elements("Cors")), (200, vec![""]));
}
