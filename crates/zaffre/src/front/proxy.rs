//! The proxy: Azure's own host names, for programs that know nothing of us but two variables.
//!
//! ```text
//! CONNECT host:443 ── by name ──► emulated: 200, TLS with that name's leaf, then the one path
//!                                 Microsoft's, not emulated: 403, never passed on
//!                                 anybody else's: a tunnel, unless the cloud is offline
//! GET http://host/ ── the same, without TLS; http://169.254.169.254 is the metadata service
//! ```
//!
//! CONNECT is no service: it opens a door, judged by the table of names alone, and the requests inside take the one path.
//! Who asks is the machine whose secret the proxy's credentials hold (`vm_secrets`), else a process of this host, whatever
//! else was sent: credentials that are wrong prove nothing and are no reason to refuse.
//!
//! A tunnel never ends at an address where a real cloud answers metadata, whatever name led there.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use azure::{
    error::{Error, Row},
    text,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header, uri::Authority};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    net::TcpStream,
};

use super::{
    connection::{Front, Slot, spoil, well_addressed},
    log,
    prompt::Prompt,
    route::{self, Target},
    vm_secrets,
};
use crate::{
    cloud::CloudId,
    door::{Door, Entrance, From},
    service::{Body, Reply, reply::ReplyBody},
};

const DIAL_TIME: Duration = Duration::from_secs(10);

static NOT_EMULATED: Row = Row {
    code: "NotEmulated",
    status: 403,
    template: "`{0}` is one of Microsoft's names, and this cloud does not emulate it; nothing was sent to the real service",
    source: "our own (invariant 11)",
};
static NOT_THAT_PORT: Row = Row {
    code: "NotThatPort",
    status: 403,
    template: "`{0}` answers on ports 443 and 80, not on {1}",
    source: "our own (invariant 11)",
};
static NO_PORT: Row = Row {
    code: "NoPort",
    status: 400,
    template: "`{0}` names a port that is none",
    source: "our own; RFC 9110 §9.3.6",
};
static OFFLINE: Row = Row {
    code: "Offline",
    status: 403,
    template: "this cloud is offline: `{0}` is not Azure's, and nothing is passed on",
    source: "our own",
};
static UNREACHABLE: Row =
    Row { code: "Unreachable", status: 502, template: "cannot reach `{0}`: {1}", source: "our own" };
static NOT_FOR_A_PROXY: Row = Row {
    code: "NotForAProxy",
    status: 400,
    template: "this is a proxy: `eval \"$(zaffre env)\"` sets the variables that make programs use it",
    source: "our own",
};

/// What becomes of a request for a host and a port.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Ours { entrance: Entrance, tls: bool },
    PassOn,
    Refuse(&'static Row),
}

fn judge(host: &str, port: u16, is_offline: bool) -> Verdict {
    match route::by_name(host) {
        Target::Foreign if is_offline => Verdict::Refuse(&OFFLINE),
        Target::Foreign => Verdict::PassOn,
        Target::Refused | Target::Control | Target::Extension | Target::Hosts | Target::Wire => {
            Verdict::Refuse(&NOT_EMULATED)
        }
        Target::Metadata if port == 80 => Verdict::Ours { entrance: Entrance::Metadata, tls: false },
        Target::Entra
        | Target::Arm
        | Target::Graph
        | Target::AzureAdGraph
        | Target::Blob
        | Target::Cosmos
        | Target::Catalogue
            if port == 443 || port == 80 =>
        {
            Verdict::Ours { entrance: Entrance::Named, tls: port == 443 }
        }
        Target::Entra
        | Target::Arm
        | Target::Graph
        | Target::AzureAdGraph
        | Target::Metadata
        | Target::Blob
        | Target::Cosmos
        | Target::Catalogue => Verdict::Refuse(&NOT_THAT_PORT),
    }
}

/// One client of the proxy.
struct Client {
    front: Front,
    slot: Slot,
    cloud: CloudId,
    peer: SocketAddr,
}

/// Serves a connection to the proxy's port.
pub(super) async fn serve(front: &Front, slot: Slot, stream: Prompt, peer: SocketAddr, cloud: CloudId) {
    let client = Client { front: front.clone(), slot, cloud, peer };
    front.drive(stream, |request| client.answer(request)).await;
}

impl Client {
    async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let Some(authority) = request.uri().authority().cloned() else {
            return self.refuse(request.method().as_str(), NOT_FOR_A_PROXY.bare());
        };
        let is_connect = request.method() == Method::CONNECT;
        let (host, default_port) = (bare(&authority), if is_connect { 443 } else { 80 });
        let Some(port) = port(&authority, default_port) else {
            return self.refuse(request.method().as_str(), NO_PORT.with([authority.as_str()]));
        };
        let what = format!("{} {host}:{port}", request.method());
        match (judge(host, port, self.front.server.env.settings.offline), is_connect) {
            (Verdict::Refuse(row), _) => self.refuse(&what, row.with([host.to_owned(), port.to_string()])),
            (Verdict::Ours { entrance, tls }, true) => self.open_door(entrance, tls, request).await,
            (Verdict::Ours { entrance, tls: false }, false) => self.answer_plain(entrance, request).await,
            // Nobody asks a proxy for https:// in the open.
            (Verdict::Ours { tls: true, .. }, false) => self.refuse(&what, NOT_FOR_A_PROXY.bare()),
            (Verdict::PassOn, true) => self.tunnel(host, port, request).await,
            (Verdict::PassOn, false) => self.forward(host, port, request).await,
        }
    }

    /// Says no, to the client and in the log.
    fn refuse(&self, what: &str, error: Error) -> Response<ReplyBody> {
        log::turned_away(&self.front.server.env, what, &error);
        refusal(&error)
    }

    fn unreachable(&self, host: &str, port: u16, error: &io::Error) -> Response<ReplyBody> {
        self.refuse(&format!("pass on {host}:{port}"), UNREACHABLE.with([host.to_owned(), error.to_string()]))
    }

    /// Whose requests these are.
    async fn door(&self, entrance: Entrance, headers: &HeaderMap) -> Door {
        let env = &self.front.server.env;
        let guest = match credentials(headers) {
            Some(secret) => vm_secrets::owner(&env.store, self.cloud, &secret).await,
            None => None,
        };
        let from = guest.unwrap_or(From::Host(self.peer));
        Door { cloud: self.cloud, from, entrance, tls: false }
    }

    async fn open_door(
        &self,
        entrance: Entrance,
        tls: bool,
        mut request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let door = self.door(entrance, request.headers()).await;
        let upgrade = hyper::upgrade::on(&mut request);
        let (front, slot) = (self.front.clone(), Arc::clone(&self.slot));
        self.front.spawn(Arc::clone(&self.slot), async move {
            let Ok(upgraded) = upgrade.await else { return };
            match tls {
                true => front.serve_tls(slot, TokioIo::new(upgraded), door).await,
                false => front.serve(slot, TokioIo::new(upgraded), door).await,
            }
        });
        established()
    }

    async fn answer_plain(&self, entrance: Entrance, mut request: Request<Incoming>) -> Response<ReplyBody> {
        if let Err(fault) = well_addressed(&request, None) {
            spoil(&mut request, fault, None);
        }
        let door = self.door(entrance, request.headers()).await;
        strip_hops(request.headers_mut());
        self.front.server.send(door, request.map(Body::new)).await
    }

    async fn tunnel(&self, host: &str, port: u16, mut request: Request<Incoming>) -> Response<ReplyBody> {
        let mut far = match dial(host, port).await {
            Ok(far) => far,
            Err(error) => return self.unreachable(host, port, &error),
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let front = self.front.clone();
        self.front.spawn(Arc::clone(&self.slot), async move {
            let Ok(upgraded) = upgrade.await else { return };
            let mut near = TokioIo::new(upgraded);
            tokio::select! {
                () = carry(&mut near, &mut far, front.limits.tunnel_idle) => {}
                () = front.closing() => {}
            }
        });
        established()
    }

    /// Passes a plain request on as a proxy does, bodies streaming both ways.
    async fn forward(&self, host: &str, port: u16, request: Request<Incoming>) -> Response<ReplyBody> {
        let sent = async {
            let stream = TokioIo::new(dial(host, port).await?);
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
            self.front.spawn(Arc::clone(&self.slot), async {
                let _ = connection.await;
            });
            let answer = sender.send_request(passed_on(request)?);
            match tokio::time::timeout(self.front.limits.tunnel_idle, answer).await {
                Ok(answer) => answer.map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        match sent.await {
            Ok(mut response) => {
                strip_hops(response.headers_mut());
                response.map(|body| Reply::new(200).streamed(body).body)
            }
            Err(error) => self.unreachable(host, port, &error),
        }
    }
}

/// The host as the table of names writes it: without the brackets of an address.
fn bare(authority: &Authority) -> &str {
    authority.host().trim_start_matches('[').trim_end_matches(']')
}

/// The port that is named, or the usual one; none where what is named is no port.
fn port(authority: &Authority, usual: u16) -> Option<u16> {
    let behind = authority.as_str().rsplit_once(authority.host()).map_or("", |(_, behind)| behind);
    if behind.is_empty() { Some(usual) } else { authority.port_u16() }
}

/// The secret in `Proxy-Authorization: Basic vm:SECRET`.
fn credentials(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::PROXY_AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = text::base64_decode(encoded.trim()).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(decoded).ok()?;
    decoded.strip_prefix("vm:").map(str::to_owned)
}

fn established() -> Response<ReplyBody> {
    Response::new(Reply::new(200).body)
}

fn refusal(error: &Error) -> Response<ReplyBody> {
    let reply =
        Reply::new(error.row.status).typed("text/plain; charset=utf-8", format!("{}\n", error.message()));
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Headers that concern one hop alone (RFC 9110 §7.6.1), and our own credentials.
static HOPS: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

fn strip_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOPS.iter().chain(&named) {
        headers.remove(name);
    }
    headers.remove("proxy-connection");
}

/// The request as its own server expects it: a path, the host in its header, no word of the proxy.
fn passed_on(mut request: Request<Incoming>) -> io::Result<Request<Incoming>> {
    let host = request.uri().authority().map(|it| it.as_str().to_owned()).unwrap_or_default();
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let path = path.parse::<Uri>().map_err(io::Error::other)?;
    *request.uri_mut() = path;
    strip_hops(request.headers_mut());
    let host = host.parse().map_err(io::Error::other)?;
    request.headers_mut().insert(header::HOST, host);
    Ok(request)
}

async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        if is_a_clouds_own(address.ip()) {
            last = io::Error::new(io::ErrorKind::PermissionDenied, "a real cloud answers at this address");
            continue;
        }
        match tokio::time::timeout(DIAL_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Addresses where the cloud that this machine may itself be part of answers: link-local ones and Azure's wire server.
fn is_a_clouds_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local() || address.octets() == [168, 63, 129, 16],
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Copies both ways until both ends are done, or nothing has moved for a while.
async fn carry(near: &mut (impl AsyncRead + AsyncWrite + Unpin), far: &mut TcpStream, idle: Duration) {
    let moved = AtomicU64::new(0);
    let mut far = Counted { inner: far, moved: &moved };
    let mut copying = pin!(copy_bidirectional(near, &mut far));
    loop {
        let before = moved.load(Ordering::Relaxed);
        let is_over = tokio::time::timeout(idle, copying.as_mut()).await.is_ok();
        if is_over || moved.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// A stream that counts what moves through it.
struct Counted<'a> {
    inner: &'a mut TcpStream,
    moved: &'a AtomicU64,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.moved.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut *self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.moved.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut *self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_answered_refused_or_passed_on() {
        let named = |tls| Verdict::Ours { entrance: Entrance::Named, tls };
        for (host, port, verdict, offline) in [
            ("management.azure.com", 443, named(true), None),
            ("management.azure.com", 80, named(false), None),
            ("management.azure.com", 8443, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("a.documents.azure.com", 10250, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("vault.azure.net", 443, Verdict::Refuse(&NOT_EMULATED), None),
            ("168.63.129.16", 80, Verdict::Refuse(&NOT_EMULATED), None),
            ("169.254.169.254", 80, Verdict::Ours { entrance: Entrance::Metadata, tls: false }, None),
            ("169.254.169.254", 443, Verdict::Refuse(&NOT_THAT_PORT), None),
            ("raw.githubusercontent.com", 443, named(true), None),
            ("example.org", 443, Verdict::PassOn, Some(Verdict::Refuse(&OFFLINE))),
            ("example.org", 8080, Verdict::PassOn, Some(Verdict::Refuse(&OFFLINE))),
        ] {
            assert_eq!(
                judge(host, port, true),
                offline.unwrap_or_else(|| judge(host, port, false)),
                "{host}:{port}"
            );
            assert_eq!(judge(host, port, false), verdict, "{host}:{port}");
        }
    }

    #[test]
    fn a_port_is_the_one_named_or_the_usual_one() {
        for (authority, expected) in [
            ("a", Some(443)),
            ("a:80", Some(80)),
            ("[::1]", Some(443)),
            ("[::1]:8080", Some(8080)),
            ("a:99999", None),
            ("a:", None),
        ] {
            let authority: Authority = authority.parse().expect("an authority");
            assert_eq!(port(&authority, 443), expected, "{authority}");
        }
    }

    #[test]
    fn no_tunnel_ends_where_a_real_cloud_answers() {
        for (address, is_theirs) in [
            ("169.254.169.254", true),
            ("::ffff:169.254.169.254", true),
            ("168.63.129.16", true),
            ("fe80::1", true),
            ("127.0.0.1", false),
            ("8.8.8.8", false),
        ] {
            assert_eq!(is_a_clouds_own(address.parse().expect("an address")), is_theirs, "{address}");
        }
    }

    #[test]
    fn a_secret_comes_as_basic_credentials_of_the_user_vm() {
        for (value, secret) in [
            (format!("Basic {}", text::base64(b"vm:s3cret")), Some("s3cret")),
            (format!("basic {}", text::base64(b"vm:a:b")), Some("a:b")),
            (format!("Basic {}", text::base64(b"user:s3cret")), None),
            (format!("Bearer {}", text::base64(b"vm:s3cret")), None),
            ("Basic %%%".to_owned(), None),
            ("Basic".to_owned(), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::PROXY_AUTHORIZATION, value.parse().expect("a header"));
            assert_eq!(credentials(&headers).as_deref(), secret, "{value}");
        }
    }

    #[test]
    fn headers_of_one_hop_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic eA=="),
            ("x-stays", "1"),
        ] {
            headers.insert(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        strip_hops(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-stays"]);
    }

    #[tokio::test]
    async fn only_the_right_secret_makes_a_request_a_machines() {
        let server = crate::Server::in_memory(1, azure::time::Timestamp::from_seconds(1_795_302_174)).await;
        let (vm, vm_id, secret) = vm_secrets::tests::machine_with_secret(&server.env.store).await;
        let folder = tempfile::tempdir().expect("a folder");
        let now = || crate::cloud::Clock::System.now();
        let authority = super::super::ca::Authority::open(folder.path(), now).expect("an authority");
        let (front, _closer) = Front::new(server, Arc::new(authority), Default::default()).expect("a front");
        let peer = SocketAddr::from(([127, 0, 0, 1], 7));
        let slot = front.slot().await.expect("a slot");
        let client = Client { front, slot, cloud: CloudId::DEFAULT, peer };
        for (credentials, from) in [
            (Some(format!("vm:{secret}")), From::Guest { vm, vm_id }),
            (Some("vm:wrong".to_owned()), From::Host(peer)),
            (Some(format!("admin:{secret}")), From::Host(peer)),
            (None, From::Host(peer)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(credentials) = &credentials {
                let value = format!("Basic {}", text::base64(credentials.as_bytes()));
                headers.insert(header::PROXY_AUTHORIZATION, value.parse().expect("a header"));
            }
            let door = client.door(Entrance::Metadata, &headers).await;
            assert_eq!((door.from, door.entrance), (from, Entrance::Metadata), "{credentials:?}");
        }
    }
}
