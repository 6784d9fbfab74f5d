//! TLS handshakes: made once, resumed afterwards, with certificates that are minted once and good for Azure's names alone.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Barrier,
};

use rustls::HandshakeKind;

use super::*;

/// A connection to the proxy, through which a name is reached.
async fn through(proxy: TcpStream, name: &str) -> TcpStream {
    let mut stream = proxy;
    stream.write_all(format!("CONNECT {name}:443 HTTP/1.1\r\n\r\n").as_bytes()).await.expect("writes");
    assert_eq!(status(&head(&mut stream).await), "200");
    stream
}

#[tokio::test]
async fn a_client_that_comes_back_is_spared_the_handshake_at_every_door() {
    let up = up().await;
    let name = || ServerName::try_from(ALIASES).expect("a name");
    for version in [&version::TLS12, &version::TLS13] {
        let connector = TlsConnector::from(Arc::new(up.trusting(&[version])));
        let mut kinds = Vec::new();
        for is_proxied in [false, true, true, false] {
            let stream = match is_proxied {
                true => through(up.connect("proxy").await, ALIASES).await,
                false => up.connect("tls").await,
            };
            let mut stream = connector.connect(name(), stream).await.expect("a handshake");
            // The ticket comes with what is read first.
            stream.write_all(get("/cli/vm/aliases.json", ALIASES).as_bytes()).await.expect("writes");
            assert_eq!(status(&head(&mut stream).await), "200");
            kinds.push(stream.get_ref().1.handshake_kind().expect("is made"));
        }
        let resumed = HandshakeKind::Resumed;
        assert_eq!(kinds, [HandshakeKind::Full, resumed, resumed, resumed], "{version:?}");
    }
}

#[tokio::test]
async fn a_ticket_for_one_name_is_no_good_for_another() {
    let up = up().await;
    let connector = TlsConnector::from(Arc::new(up.trusting(rustls::ALL_VERSIONS)));
    for name in [ALIASES, "management.azure.com"] {
        let name = ServerName::try_from(name).expect("a name");
        let mut stream = connector.connect(name, up.connect("tls").await).await.expect("a handshake");
        stream.write_all(get("/", ALIASES).as_bytes()).await.expect("writes");
        head(&mut stream).await;
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

fn openssl(words: &[&str], input: &str) -> Output {
    let mut child = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is a tool of the tests");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("writes");
    child.wait_with_output().expect("ends")
}

/// Asks by OpenSSL's client, directly or through the proxy, with a session that is kept between calls.
fn ask_by_openssl(
    up: &Up,
    folder: &Path,
    (at, proxy): (SocketAddr, Option<SocketAddr>),
    version: &str,
) -> String {
    let (ca, session) = (folder.join("ca.pem"), folder.join(format!("session{version}")));
    fs::write(&ca, up.authority.certificate()).expect("writes");
    let at = proxy.map_or(at.to_string(), |_| format!("{ALIASES}:443"));
    let (ca, session) = (ca.to_str().expect("text"), session.to_str().expect("text"));
    let mut words = vec!["s_client", "-connect", &at, "-servername", ALIASES, "-CAfile", ca, "-ign_eof"];
    words.extend(["-verify_return_error", version, "-sess_out", session]);
    let proxy = proxy.map(|it| it.to_string());
    words.extend(proxy.iter().flat_map(|it| ["-proxy", it]));
    if Path::new(session).exists() {
        words.extend(["-sess_in", session]);
    }
    let output = openssl(&words, &get("/cli/vm/aliases.json", ALIASES));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_resumes_a_session_too() {
    let up = up().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, proxy) = (up.open.addresses["tls"], up.open.addresses["proxy"]);
    for version in ["-tls1_2", "-tls1_3"] {
        for (proxy, begins) in [(None, "New, "), (Some(proxy), "Reused, "), (None, "Reused, ")] {
            let said = ask_by_openssl(&up, folder.path(), (tls, proxy), version);
            assert!(said.contains("Verify return code: 0") && said.contains("Ubuntu2204"), "{said}");
            assert!(said.lines().any(|line| line.starts_with(begins)), "{version} {proxy:?}: {said}");
        }
    }
}

#[tokio::test]
async fn many_who_ask_for_a_name_at_once_get_one_leaf() {
    let up = up().await;
    let barrier = Barrier::new(8);
    let leaves: Vec<_> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            up.authority.leaf("new.blob.core.windows.net").expect("a leaf")
        };
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().expect("no panic")).collect()
    });
    assert!(leaves.iter().all(|leaf| Arc::ptr_eq(leaf, &leaves[0])));
    assert!(leaves[0].cert[0].len() < 700, "{} bytes of certificate", leaves[0].cert[0].len());
}

/// PEM of what the authority makes for a name, whether or not anybody would be given it.
fn pem(der: &[u8]) -> String {
    let base64 = azure::text::base64(der);
    let lines: Vec<&str> =
        (0..base64.len()).step_by(64).map(|at| &base64[at..base64.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[test]
fn the_authority_is_good_for_azures_names_and_this_machine_alone() {
    let authority = Authority::in_memory(|| Clock::System.now()).expect("an authority");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    fs::write(at("ca"), authority.certificate()).expect("writes");
    let roots = {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate_der().expect("DER"))).expect("a root");
        Arc::new(roots)
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    let verifier = verifier.expect("a verifier");
    for (name, is_good) in [
        ("management.azure.com", true),
        ("a.blob.core.windows.net", true),
        ("login.partner.microsoftonline.cn", true),
        ("raw.githubusercontent.com", true),
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("example.org", false),
        ("notazure.com", false),
        ("github.com", false),
        ("192.0.2.1", false),
    ] {
        let leaf = authority.leaf(name).expect("a leaf");
        let subject = ServerName::try_from(name).expect("a name");
        use rustls::client::danger::ServerCertVerifier as _;
        let now = rustls_pki_types::UnixTime::now();
        let judged = verifier.verify_server_cert(&leaf.cert[0], &[], &subject, &[], now);
        assert_eq!(judged.is_ok(), is_good, "rustls, {name}: {judged:?}");
        fs::write(at("leaf"), pem(&leaf.cert[0])).expect("writes");
        let kind = if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        let output = openssl(&["verify", "-x509_strict", "-CAfile", &at("ca"), kind, name, &at("leaf")], "");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), is_good, "openssl, {name}: {said}");
        assert!(is_good || said.contains("permitted subtree violation"), "{name}: {said}");
    }
}
