//! Listings: prefixes, folders, pages.

use super::client::{Client, VERSION};

async fn filled() -> Client {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for name in ["a", "a/1", "a/2", "a/b/3", "ab", "b/1", "c"] {
        client.put(&format!("/con/{name}"), "x").await;
    }
    client
}

#[tokio::test]
async fn names_come_in_order_and_folders_once() {
    let client = filled().await;
    for (query, names) in [
        ("", "a a/1 a/2 a/b/3 ab b/1 c"),
        ("&prefix=a/", "a/1 a/2 a/b/3"),
        ("&prefix=none", ""),
        ("&delimiter=/", "a a/ ab b/ c"),
        ("&delimiter=/&prefix=a/", "a/1 a/2 a/b/"),
        ("&delimiter=b", "a a/1 a/2 a/b ab b c"),
        ("&startFrom=ab", "ab b/1 c"),
    ] {
        let answer = client.get(&format!("/con?restype=container&comp=list{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(answer.elements("Name").join(" "), names, "{query}");
        assert_eq!(answer.elements("NextMarker"), [""], "{query}");
    }
}

#[tokio::test]
async fn pages_of_any_size_make_up_the_whole() {
    let client = filled().await;
    for delimiter in ["", "&delimiter=/"] {
        let all = client.get(&format!("/con?restype=container&comp=list{delimiter}")).await;
        let all: Vec<String> = all.elements("Name").into_iter().map(str::to_owned).collect();
        for size in 1..=8 {
            let mut seen = Vec::new();
            let mut marker = String::new();
            for _ in 0..10 {
                let target =
                    format!("/con?restype=container&comp=list{delimiter}&maxresults={size}&marker={marker}");
                let page = client.get(&target).await;
                assert!(page.elements("Name").len() <= size);
                seen.extend(page.elements("Name").into_iter().map(str::to_owned));
                marker = page.elements("NextMarker")[0].to_owned();
                if marker.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, all, "{size} {delimiter}");
        }
    }
}

#[tokio::test]
async fn a_folders_marker_does_not_lead_out_of_the_prefix() {
    let client = filled().await;
    let marker = client.get("/con?restype=container&comp=list&delimiter=/&maxresults=2").await;
    let marker = marker.elements("NextMarker")[0].to_owned();
    let answer = client.get(&format!("/con?restype=container&comp=list&prefix=c&marker={marker}")).await;
    assert_eq!(answer.elements("Name"), ["c"]);
}

#[tokio::test]
async fn bad_pages_are_refused() {
    let client = filled().await;
    for (query, code) in [
        ("maxresults=0", "OutOfRangeQueryParameterValue"),
        ("maxresults=-1", "OutOfRangeQueryParameterValue"),
        ("maxresults=many", "InvalidQueryParameterValue"),
        ("marker=!", "InvalidQueryParameterValue"),
        ("include=nonsense", "InvalidQueryParameterValue"),
    ] {
        let answer = client.get(&format!("/con?restype=container&comp=list&{query}")).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
    let answer = client.get("/con?restype=container&comp=list&maxresults=9999").await;
    assert_eq!((answer.status, answer.elements("MaxResults")[0]), (200, "9999"));
}

#[tokio::test]
async fn a_listing_shows_what_a_blob_is() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let headers =
        [("x-ms-blob-type", "BlockBlob"), ("x-ms-blob-content-type", "text/<plain>"), ("x-ms-meta-k", "v&w")];
    let put = client.send("PUT", "/con/a%26b", &headers, "12345").await;
    let listed = client.get("/con?restype=container&comp=list&include=metadata").await;
    assert_eq!(listed.elements("Name"), ["a&amp;b"]);
    assert_eq!(listed.elements("Content-Length"), ["5"]);
    assert_eq!(listed.elements("Content-Type"), ["text/&lt;plain&gt;"]);
    assert_eq!(listed.elements("Etag"), [put.header("etag").trim_matches('"')]);
    assert_eq!(listed.elements("Metadata"), ["<k>v&amp;w</k>"]);
    let without = client.get("/con?restype=container&comp=list").await;
    assert!(without.elements("Metadata").is_empty());
}

#[tokio::test]
async fn names_that_xml_cannot_hold_are_escaped_for_those_who_know() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    client.put("/con/a%01b", "x").await;
    let listed =
        client.send("GET", "/con?restype=container&comp=list", &[("x-ms-version", VERSION)], "").await;
    assert!(listed.text().contains("<Name Encoded=\"true\">a%01b</Name>"), "{}", listed.text());
    assert_eq!(client.get("/con/a%01b").await.status, 200);
}

#[tokio::test]
async fn containers_are_listed_with_their_metadata_on_demand() {
    let client = Client::drop_in().await;
    for name in ["alpha", "beta", "gamma"] {
        client.send("PUT", &format!("/{name}?restype=container"), &[("x-ms-meta-k", name)], "").await;
    }
    let all = client.get("/?comp=list&maxresults=5000&include=").await;
    assert_eq!(all.elements("Name"), ["alpha", "beta", "gamma"]);
    assert!(all.elements("Metadata").is_empty());
    assert!(
        all.text().contains("ServiceEndpoint=\"http://127.0.0.1:10000/devstoreaccount1/\""),
        "{}",
        all.text()
    );
    let first = client.get("/?comp=list&maxresults=2&include=metadata").await;
    assert_eq!(first.elements("Metadata"), ["<k>alpha</k>", "<k>beta</k>"]);
    let rest = client.get(&format!("/?comp=list&marker={}", first.elements("NextMarker")[0])).await;
    assert_eq!(rest.elements("Name"), ["gamma"]);
}
