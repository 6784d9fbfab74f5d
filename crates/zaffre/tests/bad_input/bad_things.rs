//! What can be wrong with a request: each takes a good one and spoils it.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::world::{Ask, Auth, Protocol};

/// A name for the table, and what it does; nothing where the request has no such part.
pub(super) struct Bad(pub(super) &'static str, pub(super) fn(&Ask) -> Option<Ask>);

pub(super) static BODIES: &[Bad] = &[
    Bad("body: 10 MB of [", |ask| body(ask, &TEN_MB_OF_ARRAYS)),
    Bad("body: 10 MB of objects", |ask| body(ask, &TEN_MB_OF_OBJECTS)),
    Bad("body: 10 MB of XML elements", |ask| body(ask, &TEN_MB_OF_ELEMENTS)),
    Bad("body: 100,000 of [", |ask| body(ask, &ARRAYS)),
    Bad("body: 20,000 objects", |ask| body(ask, &OBJECTS)),
    Bad("body: 20,000 XML elements", |ask| body(ask, &ELEMENTS)),
    Bad("body: deep where it is open", |ask| body(ask, &DEEP_INSIDE)),
    Bad("body: ends early", |ask| body(ask, &Bytes::from_static(br#"{"location": "west"#))),
    Bad("body: trailing garbage", |ask| body(ask, &Bytes::from([&ask.body[..], b"}garbage"].concat()))),
    Bad("body: no JSON", |ask| body(ask, &Bytes::from_static(b"location=westeurope"))),
    Bad("body: null", |ask| body(ask, &Bytes::from_static(b"null"))),
    Bad("body: an array", |ask| body(ask, &Bytes::from_static(b"[]"))),
    Bad("body: text", |ask| body(ask, &Bytes::from_static(b"\"text\""))),
    Bad("body: a number beyond doubles", |ask| {
        body(ask, &Bytes::from_static(b"{\"location\":1e999,\"id\":1e999}"))
    }),
    Bad("body: empty", |ask| body(ask, &Bytes::new())),
    Bad("body: empty object", |ask| body(ask, &Bytes::from_static(b"{}"))),
    Bad("body: blanks", |ask| body(ask, &Bytes::from_static(b" \r\n\t "))),
    Bad("body: not UTF-8", |ask| body(ask, &Bytes::from_static(b"{\"location\": \"\xff\xfe\"}"))),
    Bad("body: overlong UTF-8", |ask| {
        body(ask, &Bytes::from_static(b"{\"id\": \"\xc0\xaf\", \"location\": \"\xc0\xaf\"}"))
    }),
    Bad("body: half a surrogate", |ask| {
        body(ask, &Bytes::from_static(b"{\"id\": \"\\ud800\", \"location\": \"\\ud800\"}"))
    }),
    Bad("body: NUL", |ask| {
        body(ask, &Bytes::from_static(b"{\"id\": \"\\u0000\", \"location\": \"\\u0000\"}"))
    }),
    Bad("body: UTF-16", |ask| body(ask, &Bytes::from_static(b"\xff\xfe{\0}\0"))),
    Bad("body: wrong types", |ask| body(ask, &WRONG_TYPES)),
    Bad("body: percent garbage", |ask| {
        body(ask, &Bytes::from_static(b"grant_type=%zz&client_id=%ff&scope=%c0%af"))
    }),
    Bad("body: a doctype", |ask| body(ask, &DOCTYPE)),
];

pub(super) static LINES: &[Bad] = &[
    Bad("method: BREW", |ask| method(ask, "BREW")),
    Bad("method: TRACE", |ask| method(ask, "TRACE")),
    Bad("method: OPTIONS", |ask| method(ask, "OPTIONS")),
    Bad("method: PATCH", |ask| method(ask, "PATCH")),
    Bad("method: lower case", |ask| method(ask, &ask.method.to_lowercase())),
    Bad("path: ..", |ask| last(ask, "..")),
    Bad("path: %2e%2e", |ask| last(ask, "%2e%2e")),
    Bad("path: %2E%2e/x", |ask| last(ask, "%2E%2e/x")),
    Bad("path: .", |ask| last(ask, ".")),
    Bad("path: %2f", |ask| last(ask, "a%2fb")),
    Bad("path: %5c", |ask| last(ask, "a%5cb")),
    Bad("path: %00", |ask| last(ask, "a%00b")),
    Bad("path: %0d%0a", |ask| last(ask, "a%0d%0aX:%20y")),
    Bad("path: %ff", |ask| last(ask, "%ff")),
    Bad("path: overlong UTF-8", |ask| last(ask, "%c0%ae%c0%ae")),
    Bad("path: broken percent", |ask| last(ask, "100%")),
    Bad("path: %zz", |ask| last(ask, "%zz")),
    Bad("path: twice encoded", |ask| last(ask, "%252e%252e")),
    Bad("path: 2,100 characters", |ask| last(ask, &"a".repeat(2_100))),
    Bad("path: 30,000 characters", |ask| last(ask, &"a".repeat(30_000))),
    Bad("path: 4,000 segments", |ask| last(ask, &"a/".repeat(4_000))),
    Bad("path: look-alikes", |ask| last(ask, "%D1%80g%EF%BC%8F%E2%80%AE")),
    Bad("path: a blank", |ask| last(ask, "%20")),
    Bad("path: empty segments", |ask| path(ask, |path| path.replace('/', "//"))),
    Bad("path: ends with /", |ask| path(ask, |path| format!("{path}/"))),
    Bad("path: /", |ask| path(ask, |_| "/".to_owned())),
    Bad("path: upper case", |ask| path(ask, str::to_uppercase)),
    Bad("query: none", |ask| query(ask, |_| String::new())),
    Bad("query: empty values", |ask| query(ask, |pairs| each(pairs, |name, _| format!("{name}=")))),
    Bad("query: no values", |ask| query(ask, |pairs| each(pairs, |name, _| name.to_owned()))),
    Bad("query: twice", |ask| query(ask, |pairs| format!("{pairs}&{pairs}"))),
    Bad("query: twice, unlike", |ask| {
        query(ask, |pairs| format!("{pairs}&{}", each(pairs, |name, _| format!("{name}=x"))))
    }),
    Bad("query: no such day", |ask| query(ask, |pairs| each(pairs, |name, _| format!("{name}=2021-13-45")))),
    Bad("query: SQL", |ask| query(ask, |pairs| each(pairs, |name, _| format!("{name}='%20OR%201%3D1--")))),
    Bad("query: dots", |ask| query(ask, |pairs| each(pairs, |name, _| format!("{name}=../../etc/passwd")))),
    Bad("query: %00", |ask| query(ask, |pairs| each(pairs, |name, value| format!("{name}={value}%00")))),
    Bad("query: one more, not UTF-8", |ask| query(ask, |pairs| format!("{pairs}&x=%ff"))),
    Bad("query: broken percent", |ask| query(ask, |pairs| format!("{pairs}&x=%"))),
    Bad("query: 30,000 characters", |ask| query(ask, |pairs| format!("{pairs}&x={}", "a".repeat(30_000)))),
    Bad("query: 4,000 parameters", |ask| query(ask, |pairs| format!("{pairs}{}", "&x=1".repeat(4_000)))),
    Bad("query: huge numbers", |ask| {
        query(ask, |pairs| {
            format!(
                "{pairs}&$top=99999999999999999999&maxresults=99999999999999999999&$skiptoken=%00&marker=%00&prefix=%00"
            )
        })
    }),
];

pub(super) static HEADERS: &[Bad] = &[
    Bad("header: beyond the limit", |ask| header(ask, "x-ms-client-request-id", "a".repeat(100_000))),
    Bad("header: 200 of them", |ask| {
        Some((0..200).fold(ask.clone(), |ask, at| ask.with(&format!("x-ms-meta-a{at}"), "v".repeat(100))))
    }),
    Bad("header: bytes beyond ASCII", |ask| header(ask, "x-ms-client-request-id", b"\xff\xfe\x80")),
    Bad("header: content type of no kind", |ask| replaced(ask, "content-type", b"\xff/\xfe")),
    Bad("header: content type text/xml", |ask| replaced(ask, "content-type", b"text/xml; charset=utf-16")),
    Bad("header: content length lies", |ask| replaced(ask, "content-length", b"99999999999999999999")),
    Bad("header: negative length", |ask| replaced(ask, "content-length", b"-1")),
    Bad("header: If-Match garbage", |ask| header(ask, "if-match", b"\"\xff, W/")),
    Bad("header: If-None-Match garbage", |ask| header(ask, "if-none-match", "\"\"\"\",,,*")),
    Bad("header: dates that are none", |ask| {
        Some(ask.clone().with("if-modified-since", "yesterday").with("if-unmodified-since", "99 Foo 99999"))
    }),
    Bad("header: Range garbage", |ask| header(ask, "range", "bytes=99999999999999999999-1")),
    Bad("header: versions garbage", |ask| {
        replaced(ask, "x-ms-version", b"2021-13-45").or_else(|| header(ask, "metadata", "true, true"))
    }),
    Bad("header: forwarded", |ask| header(ask, "x-forwarded-for", "127.0.0.1")),
    Bad("header: partition key garbage", |ask| {
        replaced(ask, "x-ms-documentdb-partitionkey", "[".repeat(10_000).as_bytes())
    }),
    Bad("header: checksums garbage", |ask| {
        Some(ask.clone().with("content-md5", "%%%").with("x-ms-content-crc64", b"\xff"))
    }),
    Bad("header: Cosmos garbage", |ask| {
        let ask =
            ask.clone().with("x-ms-max-item-count", "99999999999999999999").with("x-ms-continuation", "{");
        Some(ask.with("x-ms-session-token", "::,#").with("x-ms-offer-throughput", "-1"))
    }),
    Bad("who: nobody", |ask| by(ask, Auth::None)),
    Bad("who: an empty bearer", |ask| authorized(ask, b"Bearer ")),
    Bad("who: a scheme alone", |ask| authorized(ask, b"Bearer")),
    Bad("who: another scheme", |ask| authorized(ask, b"Digest username=\"admin\"")),
    Bad("who: basic", |ask| authorized(ask, b"Basic YWRtaW46YWRtaW4=")),
    Bad("who: a scheme in lower case", |ask| match &ask.auth {
        Auth::Bearer(token) => authorized(ask, format!("bearer {token}").as_bytes()),
        _ => authorized(ask, b"sharedkey devstoreaccount1:AAAA"),
    }),
    Bad("who: no token", |ask| authorized(ask, b"Bearer a.b.c")),
    Bad("who: alg none", |ask| authorized(ask, b"Bearer eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.")),
    Bad("who: deep token", |ask| {
        let claims = azure::text::base64url("[".repeat(20_000));
        authorized(ask, format!("Bearer {claims}.{claims}.AAAA").as_bytes())
    }),
    Bad("who: 1 MB of bearer", |ask| {
        authorized(ask, &[b"Bearer ".as_slice(), &vec![b'a'; 1 << 20]].concat())
    }),
    Bad("who: bytes beyond ASCII", |ask| authorized(ask, b"Bearer \xff\xfe")),
    Bad("who: twice", |ask| match &ask.auth {
        Auth::None => None,
        _ => header(ask, "authorization", "Bearer a.b.c"),
    }),
    Bad("who: a key that is not base64", |ask| authorized(ask, b"SharedKey acct:%%%")),
    Bad("who: a Cosmos key cut short", |ask| authorized(ask, b"type%3Dmaster%26ver%3D1.0%26sig%3D")),
    Bad("who: a Cosmos token of no kind", |ask| authorized(ask, b"type%3Daad%26ver%3D1.0%26sig%3Da.b.c")),
    Bad("who: a Cosmos type of no kind", |ask| authorized(ask, b"type%3D%ff%26ver%3D%26sig%3D")),
];

const TEN_MB: usize = 10 << 20;

static TEN_MB_OF_ARRAYS: LazyLock<Bytes> = LazyLock::new(|| vec![b'['; TEN_MB].into());
static TEN_MB_OF_OBJECTS: LazyLock<Bytes> = LazyLock::new(|| br#"{"a":"#.repeat(TEN_MB / 5).into());
static TEN_MB_OF_ELEMENTS: LazyLock<Bytes> = LazyLock::new(|| b"<a>".repeat(TEN_MB / 3).into());
static ARRAYS: LazyLock<Bytes> = LazyLock::new(|| vec![b'['; 100_000].into());
static OBJECTS: LazyLock<Bytes> =
    LazyLock::new(|| [br#"{"a":"#.repeat(20_000), b"1".to_vec(), b"}".repeat(20_000)].concat().into());
static ELEMENTS: LazyLock<Bytes> =
    LazyLock::new(|| [b"<a>".repeat(20_000), b"</a>".repeat(20_000)].concat().into());
/// Well-formed, and deep in every member that any operation reads.
static DEEP_INSIDE: LazyLock<Bytes> = LazyLock::new(|| {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let members =
        ["id", "location", "tags", "properties", "identity", "sku", "partitionKey", "query", "keyName"];
    let members: Vec<String> = members.iter().map(|name| format!("\"{name}\":{deep}")).collect();
    format!("{{{}}}", members.join(",")).into()
});
static WRONG_TYPES: LazyLock<Bytes> = LazyLock::new(|| {
    let members =
        ["id", "location", "tags", "properties", "identity", "sku", "kind", "partitionKey", "query"];
    let members: Vec<String> = members.iter().map(|name| format!("\"{name}\":[{{\"a\":-1}}]")).collect();
    format!("{{{}}}", members.join(",")).into()
});
static DOCTYPE: LazyLock<Bytes> = LazyLock::new(|| {
    let entities = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>"#;
    format!("<?xml version=\"1.0\"?>{entities}<BlockList><Latest>&b;&c;</Latest></BlockList>").into()
});

fn body(ask: &Ask, body: &Bytes) -> Option<Ask> {
    ask.is_unsafe().then(|| ask.clone().body(body.clone()))
}

fn method(ask: &Ask, method: &str) -> Option<Ask> {
    (ask.method != method).then(|| Ask { method: method.to_owned(), ..ask.clone() })
}

fn target(ask: &Ask, spoil: impl FnOnce(&str, &str) -> String) -> Option<Ask> {
    let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
    Some(Ask { target: spoil(path, query), ..ask.clone() })
}

fn path(ask: &Ask, spoil: impl FnOnce(&str) -> String) -> Option<Ask> {
    target(ask, |path, query| format!("{}?{query}", spoil(path)))
}

/// Puts something in place of the last segment.
fn last(ask: &Ask, segment: &str) -> Option<Ask> {
    path(ask, |path| format!("{}/{segment}", path.rsplit_once('/').map_or("", |(front, _)| front)))
}

fn query(ask: &Ask, spoil: impl FnOnce(&str) -> String) -> Option<Ask> {
    target(ask, |path, query| format!("{path}?{}", spoil(query)))
}

fn each(pairs: &str, spoil: impl Fn(&str, &str) -> String) -> String {
    let spoiled = pairs.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        spoil(name, value)
    });
    spoiled.collect::<Vec<_>>().join("&")
}

fn header(ask: &Ask, name: &str, value: impl AsRef<[u8]>) -> Option<Ask> {
    Some(ask.clone().with(name, value))
}

/// Spoils a header that the request has.
fn replaced(ask: &Ask, name: &str, value: &[u8]) -> Option<Ask> {
    let mut ask = ask.clone();
    let is_there = ask.headers.iter().any(|(given, _)| given == name);
    ask.headers.retain(|(given, _)| given != name);
    (is_there || name == "content-length").then(|| ask.with(name, value))
}

fn by(ask: &Ask, auth: Auth) -> Option<Ask> {
    (ask.auth != Auth::None).then(|| ask.clone().by(auth))
}

fn authorized(ask: &Ask, value: &[u8]) -> Option<Ask> {
    let reads_it = ask.protocol != Protocol::Imds && ask.protocol != Protocol::Plain;
    reads_it.then(|| ask.clone().by(Auth::None).with("authorization", value))
}
