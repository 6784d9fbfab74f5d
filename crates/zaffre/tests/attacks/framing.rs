//! What HTTP itself is abused for: lines that end otherwise, headers that are folded, doubled or hidden, lengths that
//! contradict one another, a second request inside the first. Each is sent to every kind of door, over a socket of its
//! own; it has to be refused once, and nothing else may come back.
//!
//! LF alone ends a line here as CRLF does (RFC 9112 §2.2): so it hides nothing, which is what the rows with it show.

use crate::up::{Heard, Up};

/// How a door is come to.
enum Way {
    Plain(&'static str),
    /// The listener, and the name that is asked for.
    Tls(&'static str, &'static str),
    Control,
}

struct Place {
    name: &'static str,
    way: Way,
    target: &'static str,
    host: &'static str,
}

static PLACES: [Place; 8] = [
    Place {
        name: "blobs",
        way: Way::Plain("blob"),
        target: "/devstoreaccount1/con/a.txt",
        host: "127.0.0.1:10000",
    },
    Place {
        name: "blobs by TLS",
        way: Way::Tls("blob", "localhost"),
        target: "/devstoreaccount1/con/a.txt",
        host: "localhost",
    },
    Place { name: "Cosmos", way: Way::Plain("cosmos"), target: "/dbs", host: "localhost:8081" },
    Place { name: "Cosmos by TLS", way: Way::Tls("cosmos", "localhost"), target: "/dbs", host: "localhost" },
    Place {
        name: "other hosts",
        way: Way::Plain("hosts"),
        target: "/arc/x/metadata/identity/oauth2/token",
        host: "localhost",
    },
    Place {
        name: "the proxy",
        way: Way::Plain("proxy"),
        target: "http://169.254.169.254/metadata/instance",
        host: "169.254.169.254",
    },
    Place {
        name: "Resource Manager",
        way: Way::Tls("tls", "management.azure.com"),
        target: "/subscriptions",
        host: "management.azure.com",
    },
    Place { name: "control", way: Way::Control, target: "/vms", host: "localhost" },
];

/// A header that is added to a good request, and the status that it is refused with.
const LINES: &[(&str, &str, u16)] = &[
    ("a header folded by a blank", "X-A: b\r\n c\r\n", 400),
    ("a header folded by a tab", "X-A: b\r\n\tc: d\r\n", 400),
    ("a header folded behind LF alone", "X-A: b\n c\r\n", 400),
    ("a blank before the colon", "X-A : b\r\n", 400),
    ("a header without a name", ": b\r\n", 400),
    ("a header without a colon", "X-A b\r\n", 400),
    ("CR alone in a header", "X-A: b\rMetadata: true\r\n", 400),
    ("NUL in a header", "X-A: b\0c\r\n", 400),
    ("NUL in a header's name", "X-\0A: b\r\n", 400),
    ("a header's name beyond ASCII", "X-\u{c1}: b\r\n", 400),
    ("a second host", "Host: other.example\r\n", 400),
    ("a second host behind LF alone", "X-A: b\nHost: other.example\r\n", 400),
    ("the same host again", "host: localhost\r\n", 400),
    ("two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n", 400),
    ("two lengths behind LF alone", "Content-Length: 1\nContent-Length: 2\r\n", 400),
    ("two lengths in one header", "Content-Length: 1, 2\r\n", 400),
    ("a length with a sign", "Content-Length: +1\r\n", 400),
    ("a negative length", "Content-Length: -1\r\n", 400),
    ("a length in hexadecimal", "Content-Length: 0x1\r\n", 400),
    ("a length with a blank inside", "Content-Length: 1 0\r\n", 400),
    ("a length beyond all numbers", "Content-Length: 99999999999999999999\r\n", 400),
    ("chunks that are not the last word", "Transfer-Encoding: chunked, identity\r\n", 400),
    ("an encoding that looks like chunks", "Transfer-Encoding: xchunked\r\n", 400),
    ("an encoding of two headers", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", 400),
];

pub(super) struct Outcome {
    pub(super) name: String,
    /// None where it is the service's to say how.
    pub(super) expected: Option<u16>,
    pub(super) came: Heard,
}

impl Outcome {
    /// Refused, once.
    pub(super) fn is_refused(&self) -> bool {
        let [status] = self.came.statuses()[..] else { return false };
        status >= 400 && self.expected.is_none_or(|expected| expected == status)
    }
}

pub(super) async fn outcomes() -> Vec<Outcome> {
    let up = Up::new().await;
    let mut all = Vec::new();
    for place in &PLACES {
        let malformed = requests(place).into_iter().map(|(name, bytes, status)| (name, bytes, Some(status)));
        for (name, bytes, expected) in malformed.chain(hidden(place).map(|(name, bytes)| (name, bytes, None)))
        {
            let name = format!("{name}, to {}", place.name);
            let came = say(&up, place, &bytes).await;
            all.push(Outcome { name, expected, came });
        }
    }
    up.assert_well("the attacks").await;
    all
}

async fn say(up: &Up, place: &Place, bytes: &[u8]) -> Heard {
    match place.way {
        Way::Plain(listener) => up.say(listener, bytes).await,
        Way::Tls(listener, name) => up.say_by_tls(listener, name, bytes).await,
        Way::Control => up.say_to_control(bytes).await,
    }
}

fn requests(place: &Place) -> Vec<(&'static str, Vec<u8>, u16)> {
    let Place { target, host, .. } = place;
    let begin = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
    let mut all: Vec<(&str, String, u16)> =
        LINES.iter().map(|(name, line, status)| (*name, format!("{begin}{line}\r\n"), *status)).collect();
    let bytes = |count: usize| "a".repeat(count);
    all.extend([
        ("a header of 70 KB", format!("{begin}X-A: {}\r\n\r\n", bytes(70_000)), 431),
        ("a header of 300 KB", format!("{begin}X-A: {}\r\n\r\n", bytes(300_000)), 431),
        ("a header's name of 70 KB", format!("{begin}{}: a\r\n\r\n", bytes(70_000)), 431),
        ("500 headers", format!("{begin}{}\r\n", "X: y\r\n".repeat(500)), 431),
        (
            "a target beyond all measure",
            format!("GET {target}?{} HTTP/1.1\r\nHost: {host}\r\n\r\n", bytes(70_000)),
            414,
        ),
        (
            "chunks in HTTP/1.0",
            format!("POST {target} HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400,
        ),
        ("a request line of HTTP/0.9", format!("GET {target}\r\n\r\n"), 400),
        ("a version of no kind", format!("GET {target} HTTP/9.9\r\nHost: {host}\r\n\r\n"), 400),
        ("tabs in the request line", format!("GET\t{target}\tHTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        ("a header in the request line", format!("GET {target}\nX: HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (
            "a control character in the target",
            format!("GET {target}\u{1} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            400,
        ),
        ("a method with a colon", format!("GE:T {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
    ]);
    all.into_iter().map(|(name, text, status)| (name, text.into_bytes(), status)).collect()
}

/// A second request, which only whoever reads the first's length otherwise would see: the connection ends before it.
fn hidden(place: &Place) -> [(&'static str, Vec<u8>); 2] {
    let Place { target, host, .. } = place;
    let inner = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let length = format!("Content-Length: {}\r\n", inner.len() + 5);
    let chunks = "Transfer-Encoding: chunked\r\n";
    let both = |first: &str, second: &str| {
        format!("PATCH {target} HTTP/1.1\r\nHost: {host}\r\n{first}{second}\r\n0\r\n\r\n{inner}").into_bytes()
    };
    [
        ("a length before chunks, and a request inside", both(&length, chunks)),
        ("chunks before a length, and a request inside", both(chunks, &length)),
    ]
}
