//! A furnished cloud behind real sockets: bytes go in at a listener, and what came back is read to the connection's end.

use std::{sync::Arc, time::Duration};

use http::Request;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;
use zaffre::{
    cloud::Clock,
    front::{
        ca::Authority,
        connection::{Closer, Front, Limits},
        listen::{self, Open},
    },
    service::Body,
};

use crate::world::{Ask, World};

const CONTROL: &str = "control.sock";

pub(crate) struct Up {
    pub(crate) world: World,
    authority: Arc<Authority>,
    open: Open,
    _closer: Closer,
    folder: TempDir,
}

/// What came back on a connection until it ended.
pub(crate) struct Heard(pub(crate) String);

impl Up {
    pub(crate) async fn new() -> Up {
        let world = World::new().await;
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path(), || Clock::System.now()).expect("an authority");
        let limits = Limits { head_time: Duration::from_millis(500), ..Limits::default() };
        let authority = Arc::new(authority);
        let (front, closer) =
            Front::new(Arc::clone(&world.server), Arc::clone(&authority), limits).expect("a front");
        let open =
            listen::open(&front, std::net::Ipv4Addr::LOCALHOST.into(), &["all=0".parse().expect("a wish")])
                .await
                .expect("listens");
        listen::open_control(&front, &folder.path().join(CONTROL)).expect("listens");
        Up { world, authority, open, _closer: closer, folder }
    }

    /// Sends bytes, ends its own half, and reads to the end, which must come soon.
    pub(crate) async fn say(&self, listener: &str, bytes: &[u8]) -> Heard {
        let stream = TcpStream::connect(self.open.addresses[listener]).await.expect("connects");
        self.say_on(stream, bytes).await
    }

    /// The same by TLS, to a name.
    pub(crate) async fn say_by_tls(&self, listener: &str, name: &str, bytes: &[u8]) -> Heard {
        let ours = self.authority.certificate().as_bytes();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ours).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let stream = TcpStream::connect(self.open.addresses[listener]).await.expect("connects");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake");
        self.say_on(stream, bytes).await
    }

    /// The same at the socket of `zaffre`'s own commands.
    pub(crate) async fn say_to_control(&self, bytes: &[u8]) -> Heard {
        let stream = UnixStream::connect(self.folder.path().join(CONTROL)).await.expect("connects");
        self.say_on(stream, bytes).await
    }

    async fn say_on(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Heard {
        let talk = async {
            // Whoever is refused in the middle may not be able to send the rest.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
            heard
        };
        let heard = tokio::time::timeout(Duration::from_secs(4), talk).await.expect("the connection ends");
        Heard(String::from_utf8_lossy(&heard).into_owned())
    }

    /// The front still answers, and what was stored before is there.
    pub(crate) async fn assert_well(&self, after: &str) {
        let probe = self.say("blob", &wire(&self.world.drop_in_blob("GET", "/con/a.txt"), &self.world)).await;
        assert!(probe.statuses() == [200] && probe.0.ends_with("one"), "after {after}: {}", probe.0);
    }
}

impl Heard {
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let lines = self.0.split("HTTP/1.").skip(1);
        lines.filter_map(|line| line.split(' ').nth(1)?.get(..3)?.parse().ok()).collect()
    }
}

/// The request as bytes, its head and what of its body there is.
pub(crate) fn wire(ask: &Ask, world: &World) -> Vec<u8> {
    let request: Request<Body> = ask.request(world.cloud.clock.now()).expect("a request");
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    [bytes, ask.body.to_vec()].concat()
}
