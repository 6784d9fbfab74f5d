//! What only a socket can do wrong: bytes that are no request, heads without end, bodies that end early, lengths that
//! lie, doors that are no doors. Every connection must come to its end at once, and the next one be served.

use crate::{
    up::{Up, wire},
    world::{Ask, World},
};

/// The same request, whose head says that so many bytes follow.
fn announcing(length: &str, ask: Ask, world: &World) -> Vec<u8> {
    let ask = ask.with("content-length", length);
    wire(&ask, world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_request_end_the_connection_and_nothing_else() {
    let up = Up::new().await;
    let long =
        |bytes: usize| format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(bytes));
    for (what, bytes, statuses) in [
        ("nothing", Vec::new(), &[][..]),
        ("zeros", vec![0; 64], &[400][..]),
        ("no request line", b"hello\r\n\r\n".to_vec(), &[400]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[]),
        ("another version", b"GET / HTTP/3.7\r\nHost: a\r\n\r\n".to_vec(), &[400]),
        ("a head that stops", b"GET / HTTP/1.1\r\nHost: loc".to_vec(), &[]),
        ("a header without a colon", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n".to_vec(), &[400]),
        ("a blank before the colon", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec(), &[400]),
        ("a folded header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n".to_vec(), &[400]),
        ("NUL in a header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n".to_vec(), &[400]),
        ("a method of no kind", b"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), &[400]),
        (
            "two lengths",
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
            &[400],
        ),
        ("a negative length", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n".to_vec(), &[400]),
        (
            "a target beyond all measure",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)).into_bytes(),
            &[414],
        ),
        ("a head beyond all measure", long(250_000).into_bytes(), &[431]),
        (
            "300 headers",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(300)).into_bytes(),
            &[431],
        ),
    ] {
        for listener in ["blob", "cosmos", "proxy"] {
            let heard = up.say(listener, &bytes).await;
            assert_eq!(heard.statuses(), statuses, "{what} at {listener}: {}", heard.0);
        }
        up.assert_well(what).await;
    }
    for listener in ["blob", "cosmos", "tls", "proxy"] {
        let heard = up.say(listener, b"\x16\x03\x01\x02\x00\x01").await;
        assert_eq!(heard.statuses(), [0; 0], "half a handshake at {listener}: {}", heard.0);
    }
    // Far more than is ever read: the answer may be lost, the connection and the server may not.
    let heard = up.say("blob", long(1 << 20).as_bytes()).await;
    assert!(matches!(heard.statuses()[..], [] | [431]), "{}", heard.0);
    up.assert_well("1 MB of head").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_long_or_names_no_host_is_refused_in_the_services_own_words() {
    let up = Up::new().await;
    let xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>";
    let (arm, entra) =
        ("http://management.azure.com/subscriptions", "http://login.microsoftonline.com/common");
    let metadata = "http://169.254.169.254/metadata/instance";
    for (listener, target, host, words) in [
        ("blob", "/devstoreaccount1?comp=list", "localhost", xml),
        ("cosmos", "/dbs", "localhost", "{\"code\":\""),
        ("proxy", arm, "management.azure.com", "{\"error\":{\"code\":\""),
        (
            "proxy",
            entra,
            "login.microsoftonline.com",
            "{\"error\":\"invalid_request\",\"error_description\":\"",
        ),
        ("proxy", metadata, "169.254.169.254", "{\"error\":\""),
    ] {
        for (what, version, headers, status) in [
            ("100 KB of header", "1.1", format!("Host: {host}\r\nX-Long: {}\r\n", "a".repeat(100_000)), 431),
            ("no host", "1.1", String::new(), 400),
            ("no host in HTTP/1.0", "1.0", String::new(), 400),
            ("two hosts", "1.1", format!("Host: {host}\r\nHost: {host}\r\n"), 400),
            ("a host that is none", "1.1", "Host: a b/c\r\n".to_owned(), 400),
            ("a host beyond ASCII", "1.1", "Host: \u{e9}\r\n".to_owned(), 400),
        ] {
            // In absolute form the target has said the host; what the header says must be one all the same.
            let is_absolute = target.starts_with("http:");
            if is_absolute && what == "a host that is none" {
                continue;
            }
            let request = format!("GET {target} HTTP/{version}\r\n{headers}\r\n");
            let heard = up.say(listener, request.as_bytes()).await;
            assert_eq!(heard.statuses(), [status], "{what} at {listener} {target}: {}", heard.0);
            let body = heard.0.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            assert!(body.starts_with(words), "{what} at {listener} {target}: {}", heard.0);
        }
    }
    up.assert_well("heads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_early_or_is_garbage_leaves_nothing_behind() {
    let up = Up::new().await;
    let world = &up.world;
    let put = || world.drop_in_blob("PUT", "/con/cut.txt").with("x-ms-blob-type", "BlockBlob");
    let block = || world.drop_in_blob("PUT", "/con/cut.txt?comp=block&blockid=AAAA");
    let document = || world.document("POST", "").with("content-type", "application/json");
    let chunked = |ask: Ask, chunks: &str| {
        [wire(&ask.with("transfer-encoding", "chunked"), world), chunks.as_bytes().to_vec()].concat()
    };
    let before = world.state().await;
    for (what, listener, bytes, code) in [
        ("a blob cut short", "blob", announcing("20", put().body("only this"), world), "InvalidInput"),
        (
            "a large blob cut short",
            "blob",
            announcing("900000", put().body(vec![b'x'; 300_000]), world),
            "InvalidInput",
        ),
        ("a block cut short", "blob", announcing("20", block().body("only this"), world), "InvalidInput"),
        (
            "a document cut short",
            "cosmos",
            announcing("90", document().body("{\"id\":\"2\",\"customer\":\"ada\"}"), world),
            "BadRequest",
        ),
        (
            "chunks that are none",
            "cosmos",
            chunked(document(), "ZZ\r\n{\"id\":\"2\",\"customer\":\"ada\"}\r\n0\r\n\r\n"),
            "BadRequest",
        ),
        (
            "a chunk cut short",
            "cosmos",
            chunked(document(), "40\r\n{\"id\":\"2\",\"customer\":\"ada\"}"),
            "BadRequest",
        ),
        (
            "no last chunk",
            "cosmos",
            chunked(document(), "1b\r\n{\"id\":\"2\",\"customer\":\"ada\"}\r\n"),
            "BadRequest",
        ),
        ("a chunk beyond numbers", "cosmos", chunked(document(), "fffffffffffffffff\r\n{}"), "BadRequest"),
    ] {
        let heard = up.say(listener, &bytes).await;
        assert!(matches!(heard.statuses()[..], [400]), "{what}: {}", heard.0);
        assert!(heard.0.contains(code), "{what}: {}", heard.0);
        assert!(world.state().await == before, "{what} left something");
        up.assert_well(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_refusal_on_the_same_connection_is_answered_in_order() {
    let up = Up::new().await;
    let world = &up.world;
    let good = || world.drop_in_blob("GET", "/con/a.txt");
    let refused = world.drop_in_blob("PUT", "/con?comp=list").body("a body that nobody reads");
    let nobody = good().by(crate::world::Auth::None);
    let last = good().with("connection", "close");
    let pipeline =
        [wire(&refused, world), wire(&nobody, world), wire(&good(), world), wire(&last, world)].concat();
    let heard = up.say("blob", &pipeline).await;
    assert_eq!(heard.statuses(), [400, 401, 200, 200], "{}", heard.0);

    // Refused before the body was asked for: nobody is told to go on.
    let waiting = world.drop_in_blob("PUT", "/con/b.txt").with("x-ms-blob-type", "BlockBlob");
    let waiting = waiting.with("expect", "100-continue").by(crate::world::Auth::None);
    let waiting = announcing("10", waiting, world);
    let heard = up.say("blob", &waiting).await;
    assert_eq!(heard.statuses(), [401], "{}", heard.0);

    // A blob's length is known before it begins.
    let chunked = world.drop_in_blob("PUT", "/con/c.txt").with("x-ms-blob-type", "BlockBlob");
    let chunked =
        [wire(&chunked.with("transfer-encoding", "chunked"), world), b"1\r\nx\r\n0\r\n\r\n".to_vec()];
    let heard = up.say("blob", &chunked.concat()).await;
    assert!(heard.statuses() == [411] && heard.0.contains("MissingContentLengthHeader"), "{}", heard.0);

    // Which of two framings counts is the server's to settle once: a request hidden in the body is not one.
    let both = world.document("POST", "").with("transfer-encoding", "chunked");
    let hidden = [announcing("5", both, world), b"0\r\n\r\n".to_vec()].concat();
    let heard = up.say("cosmos", &hidden).await;
    assert!(heard.statuses().len() == 1 && heard.statuses()[0] == 400, "{}", heard.0);
    up.assert_well("pipelines").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forms_of_a_target_open_no_other_door() {
    let up = Up::new().await;
    let close = "Connection: close\r\n\r\n";
    for (what, listener, request, status) in [
        (
            "absolute form at a drop-in port",
            "blob",
            "GET http://127.0.0.1:10000/devstoreaccount1?comp=list HTTP/1.1\r\nHost: a\r\n",
            404,
        ),
        (
            "another host in absolute form",
            "cosmos",
            "GET http://management.azure.com/dbs HTTP/1.1\r\nHost: localhost\r\n",
            401,
        ),
        (
            "CONNECT at a drop-in port",
            "blob",
            "CONNECT management.azure.com:443 HTTP/1.1\r\nHost: management.azure.com\r\n",
            400,
        ),
        (
            "CONNECT at the other",
            "cosmos",
            "CONNECT management.azure.com:443 HTTP/1.1\r\nHost: management.azure.com\r\n",
            405,
        ),
        ("an asterisk", "blob", "OPTIONS * HTTP/1.1\r\nHost: a\r\n", 405),
        ("HTTP/1.0", "cosmos", "GET /dbs HTTP/1.0\r\nHost: localhost\r\n", 401),
        (
            "an upgrade nobody offers",
            "cosmos",
            "GET /dbs HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
            401,
        ),
        ("a path at the proxy", "proxy", "GET /dbs HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("CONNECT without a host", "proxy", "CONNECT /dbs HTTP/1.1\r\nHost: a\r\n", 400),
        ("CONNECT to no port", "proxy", "CONNECT management.azure.com:99999 HTTP/1.1\r\nHost: a\r\n", 400),
        ("CONNECT to another port", "proxy", "CONNECT management.azure.com:22 HTTP/1.1\r\nHost: a\r\n", 403),
        ("CONNECT to metadata by TLS", "proxy", "CONNECT 169.254.169.254:443 HTTP/1.1\r\nHost: a\r\n", 403),
        ("CONNECT to the wire server", "proxy", "CONNECT 168.63.129.16:80 HTTP/1.1\r\nHost: a\r\n", 403),
        (
            "CONNECT to a name of Microsoft's",
            "proxy",
            "CONNECT x.vault.azure.net:443 HTTP/1.1\r\nHost: a\r\n",
            403,
        ),
        (
            "metadata by another spelling",
            "proxy",
            "GET http://[::ffff:169.254.169.254]/metadata/instance HTTP/1.1\r\nHost: a\r\n",
            502,
        ),
        (
            "metadata as one number",
            "proxy",
            "GET http://2852039166/metadata/instance HTTP/1.1\r\nHost: a\r\n",
            502,
        ),
    ] {
        let heard = up.say(listener, format!("{request}{close}").as_bytes()).await;
        assert_eq!(heard.statuses(), [status], "{what}: {}", heard.0);
        up.assert_well(what).await;
    }
    for (what, request, words) in [
        ("a path", "GET /dbs HTTP/1.1\r\nHost: localhost\r\n", "variables that make programs use it"),
        (
            "CONNECT to no port",
            "CONNECT management.azure.com:99999 HTTP/1.1\r\nHost: a\r\n",
            "names a port that is none",
        ),
        (
            "CONNECT to another port",
            "CONNECT management.azure.com:22 HTTP/1.1\r\nHost: a\r\n",
            "answers on ports 443 and 80, not on 22",
        ),
        (
            "a name of Microsoft's",
            "CONNECT x.vault.azure.net:443 HTTP/1.1\r\nHost: a\r\n",
            "is one of Microsoft's names",
        ),
    ] {
        let heard = up.say("proxy", format!("{request}{close}").as_bytes()).await;
        assert!(heard.0.contains(words), "{what}: {}", heard.0);
    }
    // A tunnel that was opened and is not used as one: no word of it is read as HTTP in the clear.
    let abused = b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: management.azure.com\r\n\r\n";
    let heard = up.say("proxy", abused).await;
    assert_eq!(heard.statuses(), [200], "{}", heard.0);
    up.assert_well("a tunnel").await;
}
