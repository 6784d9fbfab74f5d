//! One connection: HTTP on whatever carries it, each request through the same door. HTTP/2 differs in how requests come and
//! answers go (`http2`), and in nothing after that.
//!
//! What is wrong with a head whatever service it is for is seen here: a missing or repeated Host (400), a Host unlike the
//! name that the TLS handshake was for (421); the service refuses it in its own words. Only what cannot be read as a request
//! is answered by hyper, with a bare status: no HTTP (400), a target (414) or a head (431) beyond all measure. Everything else is
//! `front::answer`'s. Bodies stream both ways; an answer of 101 hands the connection over to the one who gave it.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Handover, ca::Authority, http2, tls};
use crate::{
    Server, StartError,
    door::Door,
    service::{Body, Fault, reply::ReplyBody},
};

/// What connections may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the end of one answer, or from the connection's begin, to the end of the next head.
    pub head_time: Duration,
    pub handshake_time: Duration,
    /// The request line and the headers together, as far as they are read at all. Services refuse what is much shorter.
    pub head_bytes: usize,
    pub connections: usize,
    /// How long requests under way may take once the cloud goes down.
    pub finish_time: Duration,
    /// How long a tunnel to another host, or a connection with answers under way, may stand still.
    pub tunnel_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_time: Duration::from_secs(60),
            handshake_time: Duration::from_secs(30),
            head_bytes: 240 << 10,
            connections: 8192,
            finish_time: Duration::from_secs(5),
            tunnel_idle: Duration::from_secs(600),
        }
    }
}

/// Which HTTP is spoken on a connection. Other versions are none that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Http {
    One,
    Two,
}

/// What is read at a time at most: much, because blobs are large.
const READ_BYTES: usize = 256 << 10;

/// Where the front is on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// Nothing new is accepted; what is under way is finished.
    Finishing,
    /// Whatever is left is cut.
    Cut,
}

/// What connections are served with. Clones share everything.
#[derive(Clone)]
pub struct Front {
    pub server: Arc<Server>,
    pub(super) limits: Limits,
    /// As which the proxy signs what it passes on: no other cloud has the name.
    pub(super) name: Arc<str>,
    tls: TlsAcceptor,
    phase: watch::Receiver<Phase>,
    slots: Arc<Semaphore>,
}

/// Ends a front: the connections of all its clones.
pub struct Closer {
    phase: watch::Sender<Phase>,
    slots: Arc<Semaphore>,
    limits: Limits,
}

/// A connection's place among those that may be open at once, kept by whatever goes on with it.
pub(super) type Slot = Arc<OwnedSemaphorePermit>;

impl Front {
    pub fn new(
        server: Arc<Server>,
        authority: Arc<Authority>,
        limits: Limits,
    ) -> Result<(Front, Closer), StartError> {
        let name = Arc::from(format!("zaffre-{}", authority.print()));
        let tls = TlsAcceptor::from(tls::config(authority)?);
        let (sender, phase) = watch::channel(Phase::Open);
        let slots = Arc::new(Semaphore::new(limits.connections));
        let closer = Closer { phase: sender, slots: Arc::clone(&slots), limits };
        Ok((Front { server, limits, name, tls, phase, slots }, closer))
    }

    /// A place for one more connection, as soon as there is one; none once the front is closing.
    pub(super) async fn slot(&self) -> Option<Slot> {
        let mut phase = self.phase.clone();
        tokio::select! {
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok().map(Arc::new),
            _ = phase.wait_for(|it| *it >= Phase::Finishing) => None,
        }
    }

    /// Resolves when the front begins to close.
    pub(super) async fn closing(&self) {
        let mut phase = self.phase.clone();
        let _ = phase.wait_for(|it| *it >= Phase::Finishing).await;
    }

    /// Resolves when what is left is to be cut.
    pub(super) async fn cut(&self) {
        let mut phase = self.phase.clone();
        let _ = phase.wait_for(|it| *it == Phase::Cut).await;
    }

    /// Runs something to its end, or until everything is cut; it keeps the connection's slot.
    pub(super) fn spawn(&self, slot: Slot, task: impl Future<Output = ()> + Send + 'static) {
        let front = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                () = front.cut() => {}
            }
            drop(slot);
        });
    }

    /// Serves plain HTTP until the other side goes or the front closes.
    pub(super) async fn serve<IO>(&self, slot: Slot, io: IO, door: Door)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve_named(slot, io, Http::One, door, None).await;
    }

    /// The same behind a TLS handshake.
    pub(super) async fn serve_tls<IO>(&self, slot: Slot, io: IO, door: Door)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some((stream, http)) = self.handshake(io).await else { return };
        let name = stream.get_ref().1.server_name().map(str::to_ascii_lowercase);
        self.serve_named(slot, stream, http, Door { tls: true, ..door }, name).await;
    }

    /// The server's side of a TLS handshake, and what is spoken behind it. None where it came to nothing: a client that does
    /// not trust us breaks it off, and sees why on its own side.
    pub(super) async fn handshake<IO>(&self, io: IO) -> Option<(TlsStream<IO>, Http)>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = tokio::time::timeout(self.limits.handshake_time, self.tls.accept(io)).await;
        let stream = accepted.ok()?.ok()?;
        let is_two = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
        Some((stream, if is_two { Http::Two } else { Http::One }))
    }

    async fn serve_named<IO>(&self, slot: Slot, io: IO, http: Http, door: Door, name: Option<String>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let named = Arc::new(Named { front: self.clone(), slot: Arc::clone(&slot), door, name });
        let respond = move |request| {
            let named = Arc::clone(&named);
            async move { named.answer(request).await }
        };
        self.drive(slot, io, http, respond).await;
    }

    /// Reads requests and writes what `respond` makes of them.
    pub(super) async fn drive<IO, R, F>(&self, slot: Slot, io: IO, http: Http, respond: R)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        R: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<ReplyBody>> + Send + 'static,
    {
        match http {
            Http::One => self.drive_http1(io, respond).await,
            Http::Two => http2::drive(self, slot, io, respond).await,
        }
    }

    async fn drive_http1<IO, R, F>(&self, io: IO, respond: R)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        R: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<ReplyBody>>,
    {
        let service = service_fn(|request| {
            let response = respond(request);
            async { Ok::<_, Infallible>(response.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(READ_BYTES)
            // Who has said all it has to say may still listen: a body cut short that way is refused in words.
            .half_close(true)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        // How a connection breaks is the client's to know: what was done about its requests is in the log.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.closing() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            () = self.cut() => {}
        }
    }
}

/// A connection to a door, and the name that its handshake was for.
struct Named {
    front: Front,
    slot: Slot,
    door: Door,
    name: Option<String>,
}

impl Named {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<ReplyBody> {
        let name = self.name.as_deref();
        if let Err(fault) = well_addressed(&request, name) {
            spoil(&mut request, fault, name);
        }
        let wants_upgrade = request.headers().contains_key(header::UPGRADE);
        let upgrade = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
        let mut response = self.front.server.send(self.door.clone(), request.map(Body::new)).await;
        let takeover = response.extensions_mut().remove::<Handover>().and_then(|handover| handover.take());
        if let (Some(upgrade), Some(takeover)) = (upgrade, takeover) {
            self.front.spawn(Arc::clone(&self.slot), async move {
                if let Ok(upgraded) = upgrade.await {
                    takeover(upgraded).await;
                }
            });
        }
        response
    }
}

impl Closer {
    /// Stops accepting, lets requests finish for a while, cuts the rest.
    pub async fn close(self) {
        let _ = self.phase.send(Phase::Finishing);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let finished = self.slots.acquire_many(all);
        if tokio::time::timeout(self.limits.finish_time, finished).await.is_err() {
            let _ = self.phase.send(Phase::Cut);
            // What was cut is dropped at its next turn.
            let _ = self.slots.acquire_many(all).await;
        }
    }
}

/// Refuses a request unless it names one host, and the one that its connection was made for (RFC 9112 §3.2, RFC 9110 §7.4).
pub(super) fn well_addressed<B>(request: &Request<B>, name: Option<&str>) -> Result<(), Fault> {
    let written = written_host(request.headers())?;
    let authority = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => written.parse().map_err(|_| Fault::BadHead)?,
    };
    let host = authority.host().trim_end_matches('.');
    match name {
        Some(name) if !host.eq_ignore_ascii_case(name.trim_end_matches('.')) => Err(Fault::Misdirected),
        Some(_) | None => Ok(()),
    }
}

fn written_host(headers: &HeaderMap) -> Result<&str, Fault> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| Fault::BadHead),
        (_, _) => Err(Fault::BadHead),
    }
}

/// Leaves it to the service to refuse the request, in its own words; where the request names none, to that of the
/// connection's name.
pub(super) fn spoil<B>(request: &mut Request<B>, fault: Fault, name: Option<&str>) {
    request.extensions_mut().insert(fault);
    let named = name.and_then(|name| name.parse().ok());
    if let (Some(name), false) = (named, request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_one_host_and_the_one_of_its_handshake() {
        let arm = Some("management.azure.com");
        for (uri, hosts, name, outcome) in [
            ("/", &["management.azure.com"] as &[_], arm, Ok(())),
            ("/", &["MANAGEMENT.azure.com:443"], arm, Ok(())),
            ("/", &["management.azure.com."], arm, Ok(())),
            ("/", &["graph.microsoft.com"], arm, Err(Fault::Misdirected)),
            ("/", &["graph.microsoft.com"], None, Ok(())),
            ("https://graph.microsoft.com/", &["management.azure.com"], arm, Err(Fault::Misdirected)),
            ("/", &[], arm, Err(Fault::BadHead)),
            ("/", &["a", "a"], None, Err(Fault::BadHead)),
            ("/", &["a b"], None, Err(Fault::BadHead)),
            ("/", &["a/b"], None, Err(Fault::BadHead)),
            ("/", &["[::1]:10443"], None, Ok(())),
        ] {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let request = request.body(()).expect("a request");
            assert_eq!(well_addressed(&request, name), outcome, "{uri} {hosts:?} {name:?}");
        }
    }
}
