//! The front over real sockets, on loopback: what each door lets in, and what HTTP, TLS and the proxy refuse.

mod handshakes;
mod http2;
mod passing_on;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use azure::time::Timestamp;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    ca::Authority,
    connection::{Closer, Front, Limits},
    listen::{self, Open},
};
use crate::{
    Server,
    cloud::{Chance, Clock},
    env::{Env, LogFormat, Settings},
    store::{Content, Store},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const ALIASES: &str = "azcliprod.blob.core.windows.net";

struct Up {
    server: Arc<Server>,
    open: Open,
    closer: Closer,
    authority: Arc<Authority>,
    _folder: TempDir,
}

async fn up() -> Up {
    with(Settings::default(), Limits::default()).await
}

async fn with(settings: Settings, limits: Limits) -> Up {
    let server = Server::in_memory(1, NOW).await;
    let server = twin(&server, settings).await;
    let folder = tempfile::tempdir().expect("a folder");
    let authority =
        Arc::new(Authority::open(&folder.path().join("ca"), || Clock::System.now()).expect("an authority"));
    let (front, closer) = Front::new(Arc::clone(&server), Arc::clone(&authority), limits).expect("a front");
    let open =
        listen::open(&front, std::net::Ipv4Addr::LOCALHOST.into(), &["all=0".parse().expect("a wish")])
            .await
            .expect("listens");
    Up { server, open, closer, authority, _folder: folder }
}

fn offline() -> Settings {
    Settings { offline: true, ..Settings::default() }
}

/// The same signing key, so that none has to be made, and other settings.
async fn twin(server: &Server, settings: Settings) -> Arc<Server> {
    let settings = Settings { log: LogFormat::Off, ..settings };
    let keys = crate::keys::Keyring::shared(server.env.keys.signer());
    let twin = Server::over(Env::new(Store::in_memory(), Content::in_memory(), keys, settings));
    let charter = crate::cloud::Charter::contoso(NOW);
    let (clock, chance) = (Clock::set(NOW), Chance::seeded(1));
    let cloud = crate::cloud::Cloud { id: crate::cloud::CloudId::DEFAULT, charter, clock, chance };
    twin.open(cloud).await.expect("opens");
    twin
}

impl Up {
    async fn connect(&self, listener: &str) -> TcpStream {
        TcpStream::connect(self.open.addresses[listener]).await.expect("connects")
    }

    async fn handshake<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: IO,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<IO>> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        TlsConnector::from(Arc::new(self.trusting(versions))).connect(name, io).await
    }

    /// A client's configuration that trusts this cloud alone.
    fn trusting(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let ours =
            CertificateDer::from_pem_slice(self.authority.certificate().as_bytes()).expect("a certificate");
        roots.add(ours).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
        config.with_root_certificates(roots).with_no_client_auth()
    }

    async fn tls<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO, name: &str) -> TlsStream<IO> {
        self.handshake(io, name, rustls::ALL_VERSIONS).await.expect("a handshake")
    }
}

/// Sends text and reads to the connection's end: the requests say `Connection: close`, or are refused with one.
async fn exchange(mut io: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    io.write_all(text.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    // A peer that closes TCP without a word of TLS is no failure here.
    let _ = io.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// Reads one head, up to its empty line.
async fn head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.expect("more of the head"));
    }
    String::from_utf8(head).expect("text")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_name_of_azures_is_answered_over_both_versions_of_tls() {
    let up = up().await;
    for (versions, expected) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let stream = up.handshake(up.connect("tls").await, ALIASES, &[versions]).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        let answer = exchange(stream, &get("/cli/vm/aliases.json", ALIASES)).await;
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("Ubuntu2204"));
    }
}

#[tokio::test]
async fn a_name_that_is_nobodys_we_know_gets_no_certificate() {
    let up = up().await;
    assert!(up.handshake(up.connect("tls").await, "example.org", rustls::ALL_VERSIONS).await.is_err());
}

#[tokio::test]
async fn one_leaf_is_minted_for_a_name() {
    let up = up().await;
    let one = up.authority.leaf("management.azure.com").expect("a leaf");
    let again = up.authority.leaf("MANAGEMENT.azure.com.").expect("a leaf");
    let other = up.authority.leaf("graph.microsoft.com").expect("a leaf");
    assert!(Arc::ptr_eq(&one, &again));
    assert!(one.cert != other.cert);
}

#[tokio::test]
async fn a_host_unlike_the_handshakes_name_is_misdirected() {
    let up = up().await;
    let stream = up.tls(up.connect("tls").await, ALIASES).await;
    let answer = exchange(stream, &get("/", "management.azure.com")).await;
    assert_eq!(status(&answer), "421", "{answer}");
    assert!(answer.contains("MisdirectedRequest"));
}

#[tokio::test]
async fn a_request_must_name_its_host_once() {
    let up = up().await;
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n"] {
        let request = format!("GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = exchange(up.connect("blob").await, &request).await;
        assert_eq!(status(&answer), "400", "{hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let up = up().await;
    let limit = Limits::default().head_bytes;
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(limit));
    let answer = exchange(up.connect("blob").await, &request).await;
    assert_eq!(status(&answer), "431", "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let up =
        with(Settings::default(), Limits { head_time: Duration::from_millis(50), ..Limits::default() }).await;
    for begun in ["GET / HTTP/1.1\r\nHost: localhost\r\n", ""] {
        // Returns only because the server closes: the client never does.
        let answer = exchange(up.connect("blob").await, begun).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{begun:?}: {answer}");
    }
}

#[tokio::test]
async fn a_drop_in_port_takes_tls_and_plain_http() {
    let up = up().await;
    let plain = exchange(up.connect("cosmos").await, &get("/", "localhost")).await;
    let stream = up.tls(up.connect("cosmos").await, "localhost").await;
    let secured = exchange(stream, &get("/", "localhost")).await;
    assert!(plain.starts_with("HTTP/1.1 ") && status(&plain) == status(&secured), "{plain}\n{secured}");
}

#[tokio::test]
async fn the_proxy_is_each_of_azures_names_with_tls_or_without() {
    let up = up().await;
    // As Python sends it: with no headers at all.
    let mut stream = up.connect("proxy").await;
    stream.write_all(format!("CONNECT {ALIASES}:443 HTTP/1.1\r\n\r\n").as_bytes()).await.expect("writes");
    assert_eq!(status(&head(&mut stream).await), "200");
    let inside = up.tls(stream, ALIASES).await;
    let answer = exchange(inside, &get("/cli/vm/aliases.json", ALIASES)).await;
    assert_eq!(status(&answer), "200", "{answer}");

    let mut stream = up.connect("proxy").await;
    let connect = format!("CONNECT {ALIASES}:80 HTTP/1.1\r\nHost: {ALIASES}:80\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.expect("writes");
    assert_eq!(status(&head(&mut stream).await), "200");
    let answer = exchange(stream, &get("/cli/vm/aliases.json", ALIASES)).await;
    assert_eq!(status(&answer), "200", "{answer}");

    let absolute = get(&format!("http://{ALIASES}/cli/vm/aliases.json"), ALIASES);
    let answer = exchange(up.connect("proxy").await, &absolute).await;
    assert_eq!(status(&answer), "200", "{answer}");
}

#[tokio::test]
async fn the_proxy_refuses_microsofts_other_names_in_words() {
    let up = up().await;
    for request in [
        "CONNECT vault.azure.net:443 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        get("http://vault.azure.net/secrets", "vault.azure.net"),
    ] {
        let answer = exchange(up.connect("proxy").await, &request).await;
        assert_eq!(status(&answer), "403", "{answer}");
        assert!(answer.contains("`vault.azure.net`") && answer.contains("does not emulate"), "{answer}");
    }
    let answer = exchange(up.connect("proxy").await, &get("/", "localhost")).await;
    assert_eq!(status(&answer), "400", "{answer}");
}

/// A stranger's server on loopback: answers one connection, and gives what it was sent.
async fn stranger(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a client");
        let heard = head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.expect("answers");
        heard
    });
    (address, heard)
}

#[tokio::test]
async fn a_strangers_tunnel_carries_bytes_both_ways_as_they_are() {
    let up = up().await;
    let (address, heard) = stranger("not http\r\n").await;
    let mut stream = up.connect("proxy").await;
    let connect = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.expect("writes");
    assert_eq!(status(&head(&mut stream).await), "200");
    assert_eq!(exchange(stream, "anything\r\n\r\n").await, "not http\r\n");
    assert_eq!(heard.await.expect("heard"), "anything\r\n\r\n");
}

#[tokio::test]
async fn a_strangers_plain_request_is_passed_on_without_a_word_of_the_proxy() {
    let up = up().await;
    let (address, heard) =
        stranger("HTTP/1.1 207 Multi\r\nKeep-Alive: x\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nok").await;
    let request = format!(
        "GET http://{address}/path?q=1 HTTP/1.1\r\nHost: wrong\r\nProxy-Authorization: Basic eA==\r\n\
         Proxy-Connection: close\r\nConnection: close\r\nX-Own: 1\r\n\r\n"
    );
    let answer = exchange(up.connect("proxy").await, &request).await;
    assert!(
        status(&answer) == "207" && answer.contains("x-mine: 1") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
    assert!(!answer.contains("keep-alive: x"), "{answer}");
    let heard = heard.await.expect("heard").to_ascii_lowercase();
    assert!(heard.starts_with("get /path?q=1 http/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {address}\r\n")) && heard.contains("x-own: 1"), "{heard}");
    assert!(!heard.contains("proxy-") && !heard.contains("wrong"), "{heard}");
}

#[tokio::test]
async fn offline_strangers_are_refused_and_azure_is_not() {
    let up = with(offline(), Limits::default()).await;
    for request in [
        "CONNECT 127.0.0.1:9 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        get("http://127.0.0.1:9/", "127.0.0.1:9"),
    ] {
        let answer = exchange(up.connect("proxy").await, &request).await;
        assert!(status(&answer) == "403" && answer.contains("offline"), "{answer}");
    }
    let absolute = get(&format!("http://{ALIASES}/cli/vm/aliases.json"), ALIASES);
    assert_eq!(status(&exchange(up.connect("proxy").await, &absolute).await), "200");
}

#[tokio::test]
async fn a_stranger_who_cannot_be_reached_is_a_bad_gateway() {
    let up = up().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let request = format!("CONNECT {gone} HTTP/1.1\r\nConnection: close\r\n\r\n");
    let answer = exchange(up.connect("proxy").await, &request).await;
    assert!(status(&answer) == "502" && answer.contains("cannot reach"), "{answer}");
}

#[tokio::test]
async fn a_front_that_closes_ends_idle_connections_and_takes_no_new_ones() {
    let up = up().await;
    let mut idle = up.connect("blob").await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("writes");
    head(&mut idle).await;
    let address = up.open.addresses["blob"];
    up.closer.close().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("ends");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_proxy_wants_one_host_of_a_plain_request_too() {
    let up = up().await;
    let request = format!(
        "GET http://{ALIASES}/cli/vm/aliases.json HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(status(&exchange(up.connect("proxy").await, &request).await), "400");
}
