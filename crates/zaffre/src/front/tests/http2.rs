//! HTTP/2 at every door that speaks it: the same answers as over HTTP/1.1, and an end to whoever abuses it.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

type Sender<B> = http2::SendRequest<B>;

async fn spoken<B>(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("a connection");
    tokio::spawn(connection);
    sender
}

/// A TLS connection on which HTTP/2 was settled.
async fn secured(
    up: &Up,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    name: &str,
) -> Sender<Empty<Bytes>> {
    let mut config = up.trusting(rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = ServerName::try_from(name.to_owned()).expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    spoken(stream).await
}

fn get2(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).version(Version::HTTP_2).body(Empty::new()).expect("a request")
}

async fn text(response: Response<Incoming>) -> (StatusCode, String) {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn azures_names_speak_http2_with_whoever_offers_it() {
    let up = up().await;
    let mut sender = secured(&up, up.connect("tls").await, ALIASES).await;
    let uri = format!("https://{ALIASES}/cli/vm/aliases.json");
    let answers = futures_util::future::join_all((0..50).map(|_| sender.send_request(get2(&uri)))).await;
    for answer in answers {
        let (status, body) = text(answer.expect("an answer")).await;
        assert!(status == 200 && body.contains("Ubuntu2204"), "{status} {body}");
    }
    let other = sender.send_request(get2("https://management.azure.com/")).await.expect("an answer");
    assert_eq!(text(other).await.0, 421);
    let mut two_hosts = get2(&uri);
    two_hosts.headers_mut().insert("host", "other.example".parse().expect("a header"));
    let refused = sender.send_request(two_hosts).await.expect("an answer");
    assert_eq!(text(refused).await.0, 400);
}

#[tokio::test]
async fn the_proxy_takes_http2_in_the_open_and_by_tls() {
    let up = up().await;
    for is_secured in [false, true] {
        let stream = up.connect("proxy").await;
        let mut sender =
            if is_secured { secured(&up, stream, "localhost").await } else { spoken(stream).await };
        let uri = format!("http://{ALIASES}/cli/vm/aliases.json");
        let (status, body) = text(sender.send_request(get2(&uri)).await.expect("an answer")).await;
        assert!(status == 200 && body.contains("Ubuntu2204"), "{status} {body}");
        let refused = sender.send_request(get2("http://vault.azure.net/")).await.expect("an answer");
        assert_eq!(text(refused).await.0, 403);
        let pac = format!("http://{}/proxy.pac", up.open.addresses["proxy"]);
        let (status, body) = text(sender.send_request(get2(&pac)).await.expect("an answer")).await;
        assert!(status == 200 && body.contains("FindProxyForURL"), "{status} {body}");

        // Two tunnels side by side on one connection: HTTP/2 within TLS within HTTP/2, and a stranger's.
        let connect = |target: &str| {
            Request::connect(target).version(Version::HTTP_2).body(Empty::new()).expect("a request")
        };
        let opened = sender.send_request(connect(&format!("{ALIASES}:443"))).await.expect("an answer");
        assert_eq!(opened.status(), 200);
        let inside = TokioIo::new(hyper::upgrade::on(opened).await.expect("a tunnel"));
        let (address, heard) = stranger("not http").await;
        let opened = sender.send_request(connect(&address.to_string())).await.expect("an answer");
        let mut far = TokioIo::new(hyper::upgrade::on(opened).await.expect("a tunnel"));
        far.write_all(b"hello\r\n\r\n").await.expect("writes");
        let mut said = String::new();
        far.read_to_string(&mut said).await.expect("reads");
        assert_eq!((said.as_str(), heard.await.expect("heard").as_str()), ("not http", "hello\r\n\r\n"));
        let mut inside = secured(&up, inside, ALIASES).await;
        let uri = format!("https://{ALIASES}/cli/vm/aliases.json");
        let (status, _) = text(inside.send_request(get2(&uri)).await.expect("an answer")).await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn a_request_of_http2_is_passed_on_as_one_of_http1() {
    let up = up().await;
    let (address, heard) = stranger("HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Mine: 1\r\n\r\nok").await;
    let mut sender = spoken(up.connect("proxy").await).await;
    let request = Request::post(format!("http://{address}/path"))
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(Bytes::from_static(b"body")))
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    assert_eq!(response.headers()["x-mine"], "1");
    assert_eq!(text(response).await, (StatusCode::CREATED, "ok".to_owned()));
    let heard = heard.await.expect("heard").to_ascii_lowercase();
    assert!(
        heard.starts_with("post /path http/1.1\r\n") && heard.contains(&format!("host: {address}\r\n")),
        "{heard}"
    );
    assert!(heard.contains("cookie: a=1; b=2\r\n") && heard.contains("via: 2 zaffre-"), "{heard}");
}

// Frames by hand (RFC 9113 §4.1, §6): what no client of good faith sends.

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("fits").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET http://a/`, as the static table has it.
fn request_head() -> Vec<u8> {
    vec![0x82, 0x86, 0x84, 0x01, 1, b'a']
}

fn opened() -> Vec<u8> {
    [crate::front::http2::PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// Kinds, streams and payloads of the frames that came, up to the connection's end.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut all = Vec::new();
    while bytes.len() >= 9 {
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let stream = u32::from_be_bytes(bytes[5..9].try_into().expect("four bytes"));
        let Some(payload) = bytes.get(9..9 + length) else { break };
        all.push((bytes[3], stream, payload));
        bytes = &bytes[9 + length..];
    }
    all
}

/// What a connection was ended with: the code of the last GOAWAY.
fn goaway(bytes: &[u8]) -> Option<u32> {
    let all = frames(bytes);
    let last = all.iter().rfind(|(kind, ..)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(last.2[4..8].try_into().expect("four bytes")))
}

/// Sends, and reads to the end, which must come though the client never ends its half.
async fn provoked(up: &Up, bytes: &[u8]) -> Vec<u8> {
    let stream = up.connect("proxy").await;
    let (mut read, mut write) = stream.into_split();
    let sent = async {
        // Whoever is cut off cannot send the rest.
        let _ = write.write_all(bytes).await;
        write
    };
    let heard = async {
        let mut heard = Vec::new();
        let _ = read.read_to_end(&mut heard).await;
        heard
    };
    let both = async { tokio::join!(sent, heard).1 };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("the connection ends")
}

async fn assert_well(up: &Up) {
    let absolute = get(&format!("http://{ALIASES}/cli/vm/aliases.json"), ALIASES);
    assert_eq!(status(&exchange(up.connect("proxy").await, &absolute).await), "200");
}

const PROTOCOL_ERROR: u32 = 1;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;
const ENHANCE_YOUR_CALM: u32 = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abuse_of_http2_ends_the_connection_with_its_reason_and_nothing_else() {
    let up = up().await;
    let streams = |count: u32| (0..count).map(|number| number * 2 + 1);
    let rapid_reset: Vec<u8> = streams(5000)
        .flat_map(|id| {
            let head = frame(HEADERS, END_STREAM | END_HEADERS, id, &request_head());
            [head, frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    let continued: Vec<u8> =
        [frame(HEADERS, END_STREAM, 1, &request_head()), frame(CONTINUATION, 0, 1, &[]).repeat(100_000)]
            .concat();
    let literal = |name: &str, value: &str| {
        let text = |it: &str| [&[u8::try_from(it.len()).expect("short")], it.as_bytes()].concat();
        [&[0][..], &text(name), &text(value)].concat()
    };
    for (what, bytes, codes) in [
        ("a rapid reset", rapid_reset, &[ENHANCE_YOUR_CALM] as &[u32]),
        ("a head without end", continued, &[ENHANCE_YOUR_CALM, PROTOCOL_ERROR]),
        (
            "a frame beyond what was settled",
            [&[0xff, 0xff, 0xff, DATA, 0], &[0, 0, 0, 1][..]].concat(),
            &[FRAME_SIZE_ERROR],
        ),
        ("data of no stream", frame(DATA, 0, 1, b"x"), &[PROTOCOL_ERROR]),
        (
            "a stream of the server's",
            frame(HEADERS, END_STREAM | END_HEADERS, 2, &request_head()),
            &[PROTOCOL_ERROR],
        ),
        (
            "a head that does not unpack",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 12]),
            &[COMPRESSION_ERROR, PROTOCOL_ERROR],
        ),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &[]), &[PROTOCOL_ERROR]),
        (
            "a name in capitals",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[request_head(), literal("X-Upper", "1")].concat()),
            &[PROTOCOL_ERROR],
        ),
        ("settings that are none", frame(SETTINGS, 0, 0, &[1]), &[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
    ] {
        let heard = provoked(&up, &[opened(), bytes].concat()).await;
        let code = goaway(&heard);
        assert!(code.is_some_and(|it| codes.contains(&it)), "{what}: {code:?} {heard:?}");
        assert_well(&up).await;
    }
    let connection = [request_head(), literal("connection", "close")].concat();
    let bytes =
        [opened(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &connection), frame(GOAWAY, 0, 0, &[0; 8])];
    let heard = provoked(&up, &bytes.concat()).await;
    assert!(frames(&heard).iter().any(|(kind, stream, _)| (*kind, *stream) == (RST_STREAM, 1)), "{heard:?}");
    assert_well(&up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_unpacks_beyond_all_measure_ends_the_connection() {
    let up = up().await;
    // One header of 4000 bytes, which the client has the server remember, then one byte for each time that it is meant again.
    let remembered = [0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    let head = [request_head(), remembered.to_vec(), vec![b'a'; 4000], vec![0xbe; 10_000]].concat();
    let bytes = [opened(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &head)].concat();
    assert_eq!(goaway(&provoked(&up, &bytes).await), Some(ENHANCE_YOUR_CALM));
    assert_well(&up).await;
}

#[tokio::test]
async fn a_head_of_http2_has_the_limits_of_one_of_http1() {
    let up = up().await;
    let mut sender = spoken(up.connect("proxy").await).await;
    for (bytes, expected, words) in
        [(60_000, 200, "Ubuntu2204"), (100_000, 431, "too long"), (300_000, 431, "")]
    {
        let mut request = get2(&format!("http://{ALIASES}/cli/vm/aliases.json"));
        for number in 0..bytes / 10_000 {
            let name = http::HeaderName::try_from(format!("x-{number}")).expect("a name");
            request.headers_mut().insert(name, "a".repeat(10_000).parse().expect("a value"));
        }
        let (status, body) = text(sender.send_request(request).await.expect("an answer")).await;
        assert!(status == expected && body.contains(words), "{bytes}: {status} {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_requests_ends_whatever_it_sends() {
    let limits = Limits {
        head_time: Duration::from_millis(60),
        finish_time: Duration::from_millis(60),
        ..Limits::default()
    };
    let up = with(Settings::default(), limits).await;
    let begun = [opened(), frame(HEADERS, END_STREAM, 1, &request_head())].concat();
    let pings = [opened(), frame(PING, 0, 0, &[0; 8]).repeat(1000)].concat();
    let (half, whole) = (crate::front::http2::PREFACE[..10].to_vec(), crate::front::http2::PREFACE.to_vec());
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("half a beginning", half),
        ("a beginning", whole),
        ("settings", opened()),
        ("half a head", begun),
        ("pings", pings),
    ] {
        // Comes to its end only because the server ends it.
        let heard = provoked(&up, &bytes).await;
        assert!(goaway(&heard).is_none_or(|it| it == 0), "{what}: {heard:?}");
    }
    // One that is used stays: each answer begins the time anew.
    let mut sender = spoken(up.connect("proxy").await).await;
    for _ in 0..5 {
        let uri = format!("http://{ALIASES}/cli/vm/aliases.json");
        let (status, _) = text(sender.send_request(get2(&uri)).await.expect("an answer")).await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn a_front_that_closes_lets_a_connection_finish() {
    let up = up().await;
    let mut sender = secured(&up, up.connect("tls").await, ALIASES).await;
    let uri = format!("https://{ALIASES}/cli/vm/aliases.json");
    let answer = sender.send_request(get2(&uri)).await.expect("an answer");
    up.closer.close().await;
    assert_eq!(text(answer).await.0, 200);
    assert!(sender.send_request(get2(&uri)).await.is_err());
}
