//! `If-*`, as requests carry them; the rules themselves are tested beside them.

use super::client::Client;

#[tokio::test]
async fn conditions_decide_over_reads_and_writes() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let tag = client.put("/con/a", "first").await.header("etag").to_owned();
    let other = "\"0x8D0\"";
    for (method, target, header, value, status, code) in [
        ("GET", "/con/a", "if-match", tag.as_str(), 200, ""),
        ("GET", "/con/a", "if-match", other, 412, "ConditionNotMet"),
        ("GET", "/con/a", "if-none-match", &tag, 304, "ConditionNotMet"),
        ("HEAD", "/con/a", "if-none-match", &tag, 304, "ConditionNotMet"),
        ("GET", "/con/a", "if-none-match", "*", 400, "UnsatisfiableCondition"),
        ("GET", "/con/a", "if-modified-since", "Sat, 21 Nov 2026 23:02:54 GMT", 304, "ConditionNotMet"),
        ("GET", "/con/a", "if-modified-since", "yesterday", 400, "InvalidHeaderValue"),
        ("PUT", "/con/a", "if-none-match", "*", 409, "BlobAlreadyExists"),
        ("PUT", "/con/a", "if-match", other, 412, "ConditionNotMet"),
        ("PUT", "/con/new", "if-match", "*", 412, "ConditionNotMet"),
        ("PUT", "/con/a?comp=metadata", "if-match", other, 412, "ConditionNotMet"),
        ("DELETE", "/con/a", "if-match", other, 412, "ConditionNotMet"),
        ("DELETE", "/con/none", "if-match", other, 404, "BlobNotFound"),
    ] {
        let headers = [("x-ms-blob-type", "BlockBlob"), (header, value)];
        let answer = client.send(method, target, &headers, "").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {target} {header}: {value}");
        if status == 304 {
            assert!(answer.body.is_empty());
            assert_eq!(answer.header("etag"), tag, "a 304 keeps the tag");
        }
    }
    assert_eq!(client.get("/con/a").await.text(), "first");
    let headers = [("x-ms-blob-type", "BlockBlob"), ("if-match", tag.as_str())];
    assert_eq!(client.send("PUT", "/con/a", &headers, "second").await.status, 201);
    assert_eq!(client.send("PUT", "/con/a", &headers, "third").await.status, 412, "the tag has changed");
}

#[tokio::test]
async fn of_writers_that_race_with_one_tag_one_wins() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    let tag = client.put("/con/a", "start").await.header("etag").to_owned();
    let headers = [("x-ms-blob-type", "BlockBlob"), ("if-match", tag.as_str())];
    let large = vec![b'x'; 100_000];
    let (one, two, three) = tokio::join!(
        client.send("PUT", "/con/a", &headers, "one"),
        client.send("PUT", "/con/a", &headers, large),
        client.send("PUT", "/con/a", &headers, "three"),
    );
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412, 412]);
}
