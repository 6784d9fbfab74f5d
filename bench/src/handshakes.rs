//! Handshakes: a client of Azure's opens a connection for every few requests, so what one costs is what the cloud costs.
//! A connection, a handshake and one short answer, full and resumed, beside a server of the same libraries that says nothing.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, server, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, ServerConfig, client::Resumption, crypto::aws_lc_rs,
    server::ResolvesServerCert,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use zaffre::{
    Server,
    cloud::Clock,
    front::{
        ca::Authority,
        connection::{Front, Limits},
        listen,
    },
};

use crate::{
    Outcome,
    figure::{Figure, Round, Target},
    identity::joined,
    store::timed,
};

const NAME: &str = "azcliprod.blob.core.windows.net";
const ROUNDS: usize = 9;
const HANDSHAKES: u64 = 300;

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _entered = runtime.enter();
    let server = runtime.block_on(Server::in_memory(1, azure::time::Timestamp::from_seconds(1_795_302_174)));
    let folder = tempfile::tempdir()?;
    let authority = Arc::new(joined(Authority::open(folder.path(), || Clock::System.now()))?);
    let (front, _closer) = joined(Front::new(server, Arc::clone(&authority), Limits::default()))?;
    let open = runtime.block_on(listen::open(&front, Ipv4Addr::LOCALHOST.into(), &["all=0".parse()?]));
    let ours_at = joined(open)?.addresses["tls"];
    let theirs_at = runtime.block_on(say_nothing(&authority))?;
    let client = Client::new(&runtime, &authority)?;
    let (mut full, mut resumed) = ((vec![], vec![]), (vec![], vec![]));
    for _ in 0..ROUNDS {
        full.0.push(client.round(ours_at, HandshakeKind::Full)?);
        full.1.push(client.round(theirs_at, HandshakeKind::Full)?);
        resumed.0.push(client.round(ours_at, HandshakeKind::Resumed)?);
        resumed.1.push(client.round(theirs_at, HandshakeKind::Resumed)?);
    }
    let figure = |name, (ours, other): (Vec<Round>, Vec<Round>), most| Figure {
        name,
        unit: "us",
        ours,
        other,
        target: Target::AtMost(most),
    };
    Ok(vec![
        figure("handshakes/resumed-beside-full", (resumed.0.clone(), full.0.clone()), 0.85),
        figure("handshakes/full", full, 1.3),
        figure("handshakes/resumed", resumed, 1.4),
    ])
}

/// A server with a certificate of the same kind, tickets, and an empty answer.
async fn say_nothing(authority: &Authority) -> Outcome<SocketAddr> {
    let leaf = joined(authority.leaf(NAME))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(One(leaf)));
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let at = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let nothing = service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
                });
                // The client goes away when it has its answer.
                let _ =
                    server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), nothing).await;
            });
        }
    });
    Ok(at)
}

#[derive(Debug)]
struct One(Arc<rustls::sign::CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

struct Client<'r> {
    runtime: &'r Runtime,
    config: ClientConfig,
}

impl<'r> Client<'r> {
    fn new(runtime: &'r Runtime, authority: &Authority) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(joined(authority.certificate_der())?))?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Client { runtime, config })
    }

    /// Handshakes of one kind, one after another, in microseconds each.
    fn round(&self, at: SocketAddr, kind: HandshakeKind) -> Outcome<Round> {
        let mut config = self.config.clone();
        config.resumption = match kind {
            HandshakeKind::Resumed => Resumption::in_memory_sessions(8),
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => Resumption::disabled(),
        };
        let connector = TlsConnector::from(Arc::new(config));
        // The first of a round that resumes has nothing to resume.
        self.runtime.block_on(ask(&connector, at))?;
        let ((), took, cpu) = timed(|| {
            self.runtime.block_on(async {
                for _ in 0..HANDSHAKES {
                    let made = ask(&connector, at).await?;
                    if made != Some(kind) {
                        return Err(format!("a handshake was {made:?}").into());
                    }
                }
                Ok(())
            })
        })?;
        Ok(Round::each(HANDSHAKES, took, cpu))
    }
}

/// A connection, a handshake, a request that is answered in a few words, and the end.
async fn ask(connector: &TlsConnector, at: SocketAddr) -> Outcome<Option<HandshakeKind>> {
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let mut stream = connector.connect(ServerName::try_from(NAME)?, stream).await?;
    let request = format!("HEAD / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if !answer.starts_with(b"HTTP/1.1 ") {
        return Err("no answer".into());
    }
    Ok(stream.get_ref().1.handshake_kind())
}
