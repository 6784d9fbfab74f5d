//! The proxy: Azure's own host names, for programs that know nothing of us but two variables.
//!
//! ```text
//! CONNECT host:443 ── by name ──► emulated: 200, TLS with that name's leaf, then the one path
//!                                 Microsoft's, not emulated: 403, never passed on
//!                                 a machine's: to its door (`machines`)
//!                                 anybody else's: a tunnel, unless the cloud is offline
//! GET http://host/ ── the same, without TLS; http://169.254.169.254 is the metadata service
//! GET /proxy.pac   ── the same for browsers (`pac`)
//! ```
//!
//! It is spoken to in HTTP/1.1 or HTTP/2, in the open or by TLS (as `localhost`), whichever a client begins with. CONNECT is no
//! service: it opens a door, judged by the table of names alone (`judge`), and the requests inside take the one path. What is
//! passed on goes directly or through the proxy that this host needs (`upstream`, `dial`), WebSockets too; a way that leads back
//! here is refused, by our name in `Via`.
//!
//! Who asks is the machine whose secret the proxy's credentials hold (`vm_secrets`), else a process of this host, whatever
//! else was sent: credentials that are wrong prove nothing and are no reason to refuse, so nobody is ever asked for them.

mod dial;
mod hops;
mod judge;
mod machines;
pub(crate) mod pac;
pub(crate) mod upstream;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use azure::error::{Error, Row};
use http::{HeaderMap, Method, Request, Response, StatusCode, header, uri::Authority};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::TcpStream,
};

use self::{
    judge::{Verdict, judge},
    pac::NOT_FOR_A_PROXY,
    upstream::{Kind, Upstream},
};
use super::{
    connection::{Front, Slot, spoil, well_addressed},
    counted::{Counted, Moved},
    http2::Busy,
    log,
    prompt::{Opening, Prompt},
    vm_secrets,
};
use crate::{
    cloud::CloudId,
    door::{Door, Entrance, From},
    service::{Body, Reply, reply::ReplyBody},
};

static NO_PORT: Row = Row {
    code: "NoPort",
    status: 400,
    template: "`{0}` names a port that is none",
    source: "our own; RFC 9110 §9.3.6",
};
static UNREACHABLE: Row =
    Row { code: "Unreachable", status: 502, template: "cannot reach `{0}`: {1}", source: "our own" };
static LOOP: Row = Row {
    code: "LoopDetected",
    status: 508,
    template: "the way to `{0}` leads back to this proxy: the proxy that it goes through must not use this one",
    source: "our own; RFC 9110 §7.6.3, RFC 5842 §7.2",
};

/// One client of the proxy.
struct Client {
    front: Front,
    slot: Slot,
    cloud: CloudId,
    peer: SocketAddr,
    /// Where it reached us.
    here: SocketAddr,
    /// Whether it speaks TLS to the proxy itself.
    tls: bool,
}

/// Serves a connection to the proxy's port.
pub(super) async fn serve(front: &Front, slot: Slot, stream: TcpStream, peer: SocketAddr, cloud: CloudId) {
    let Ok(here) = stream.local_addr() else { return };
    let mut stream = Prompt::new(stream);
    let opening = tokio::time::timeout(front.limits.head_time, stream.opening()).await;
    let Ok(Ok(opening)) = opening else { return };
    let client = Client {
        front: front.clone(),
        slot: Arc::clone(&slot),
        cloud,
        peer,
        here,
        tls: opening == Opening::Tls,
    };
    let client = Arc::new(client);
    let respond = move |request| {
        let client = Arc::clone(&client);
        async move { client.answer(request).await }
    };
    match opening {
        Opening::Plain(http) => front.drive(slot, stream, http, respond).await,
        Opening::Tls => {
            let Some((stream, http)) = front.handshake(stream).await else { return };
            front.drive(slot, stream, http, respond).await;
        }
    }
}

impl Client {
    async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let Some(authority) = request.uri().authority().cloned() else {
            return self.answer_for_itself(request).await;
        };
        let is_connect = request.method() == Method::CONNECT;
        let (host, default_port) = (bare(&authority), if is_connect { 443 } else { 80 });
        let Some(port) = port(&authority, default_port) else {
            return self.refuse(request.method().as_str(), NO_PORT.with([authority.as_str()]));
        };
        let what = format!("{} {host}:{port}", request.method());
        if self.is_here(host, port) {
            return match is_connect {
                true => self.refuse(&what, LOOP.with([host])),
                false => self.answer_for_itself(request).await,
            };
        }
        let machine = self.machine(host, port).await;
        let verdict = match machine {
            Some(_) => Verdict::PassOn,
            None => judge(host, port, self.front.server.env.settings.offline),
        };
        match (verdict, is_connect) {
            (Verdict::Refuse(row), _) => self.refuse(&what, row.with([host.to_owned(), port.to_string()])),
            (Verdict::Ours { entrance, tls }, true) => self.open_door(entrance, tls, request).await,
            (Verdict::Ours { entrance, tls: false }, false) => self.answer_plain(entrance, request).await,
            // Nobody asks a proxy for https:// in the open.
            (Verdict::Ours { tls: true, .. }, false) => self.refuse(&what, NOT_FOR_A_PROXY.bare()),
            (Verdict::PassOn, _) if hops::is_signed(request.headers(), &self.front.name) => {
                self.refuse(&what, LOOP.with([host]))
            }
            (Verdict::PassOn, true) => self.tunnel((host, port), machine, request).await,
            (Verdict::PassOn, false) => self.forward((host, port), machine, request).await,
        }
    }

    /// Whether this is the very port that the client has reached.
    fn is_here(&self, host: &str, port: u16) -> bool {
        let is_ours = |address: IpAddr| address == self.here.ip();
        port == self.here.port()
            && (host.parse().is_ok_and(is_ours)
                || (host.eq_ignore_ascii_case("localhost") && self.here.ip().is_loopback()))
    }

    /// Says no, to the client and in the log.
    fn refuse(&self, what: &str, error: Error) -> Response<ReplyBody> {
        log::turned_away(&self.front.server.env, what, &error);
        let reply = in_words(&error);
        let mut response = Response::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }

    fn unreachable(&self, host: &str, port: u16, error: &io::Error) -> Response<ReplyBody> {
        self.refuse(&format!("pass on {host}:{port}"), UNREACHABLE.with([host.to_owned(), error.to_string()]))
    }

    /// Whose requests these are.
    async fn door(&self, entrance: Entrance, headers: &HeaderMap) -> Door {
        let env = &self.front.server.env;
        let guest = match hops::secret(headers) {
            Some(secret) => vm_secrets::owner(&env.store, self.cloud, &secret).await,
            None => None,
        };
        let from = guest.unwrap_or(From::Host(self.peer));
        Door { cloud: self.cloud, from, entrance, tls: false }
    }

    /// What is asked of the proxy itself.
    async fn answer_for_itself(&self, mut request: Request<Incoming>) -> Response<ReplyBody> {
        if let Err(fault) = well_addressed(&request, None) {
            spoil(&mut request, fault, None);
        }
        let from = From::Host(self.peer);
        let door = Door { cloud: self.cloud, from, entrance: Entrance::Proxy, tls: self.tls };
        self.front.server.send(door, request.map(Body::new)).await
    }

    async fn open_door(
        &self,
        entrance: Entrance,
        tls: bool,
        mut request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let door = self.door(entrance, request.headers()).await;
        let busy = request.extensions_mut().remove::<Busy>();
        let upgrade = hyper::upgrade::on(&mut request);
        let (front, slot) = (self.front.clone(), Arc::clone(&self.slot));
        self.front.spawn(Arc::clone(&self.slot), async move {
            let _busy = busy;
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
        hops::strip(request.headers_mut());
        self.front.server.send(door, request.map(Body::new)).await
    }

    /// The proxy that leads to a host; none where there is none, or where it is this one.
    fn upstream(&self, host: &str, port: u16, kind: Kind) -> Option<&Upstream> {
        let upstreams = &self.front.server.env.settings.upstream;
        upstreams.to(host, port, kind).filter(|it| !it.is_here(self.here.port()))
    }

    /// A connection that no other proxy leads to.
    async fn dial(&self, host: &str, port: u16, machine: Option<SocketAddr>) -> io::Result<TcpStream> {
        match machine {
            Some(door) => dial::at(door).await,
            None => dial::direct(host, port).await,
        }
    }

    async fn tunnel(
        &self,
        (host, port): (&str, u16),
        machine: Option<SocketAddr>,
        mut request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let version = request.version();
        hops::sign(request.headers_mut(), version, &self.front.name);
        let far = match self.upstream(host, port, Kind::Tunnel).filter(|_| machine.is_none()) {
            Some(upstream) => dial::through(upstream, host, port, &hops::signatures(request.headers())).await,
            None => self.dial(host, port, machine).await,
        };
        let far = match far {
            Ok(far) => far,
            Err(error) => return self.unreachable(host, port, &error),
        };
        let busy = request.extensions_mut().remove::<Busy>();
        let upgrade = hyper::upgrade::on(&mut request);
        let front = self.front.clone();
        self.front.spawn(Arc::clone(&self.slot), async move {
            let _busy = busy;
            let Ok(upgraded) = upgrade.await else { return };
            carry(&front, TokioIo::new(upgraded), far).await;
        });
        established()
    }

    /// Passes a plain request on as a proxy does, bodies streaming both ways.
    async fn forward(
        &self,
        (host, port): (&str, u16),
        machine: Option<SocketAddr>,
        request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        match self.passed_on((host, port), machine, request).await {
            Ok(response) => response.map(|body| Reply::new(200).streamed(body).body),
            Err(error) => self.unreachable(host, port, &error),
        }
    }

    async fn passed_on(
        &self,
        (host, port): (&str, u16),
        machine: Option<SocketAddr>,
        mut request: Request<Incoming>,
    ) -> io::Result<Response<Incoming>> {
        let near = hops::upgrade(request.headers()).map(|_| hyper::upgrade::on(&mut request));
        hops::pass_on(&mut request, &self.front.name);
        let stream = match self.upstream(host, port, Kind::Plain).filter(|_| machine.is_none()) {
            Some(upstream) => {
                if let Some(credentials) = &upstream.credentials {
                    request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials.clone());
                }
                dial::to(upstream, host).await?
            }
            None => {
                *request.uri_mut() = hops::origin_form(request.uri());
                self.dial(host, port, machine).await?
            }
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        self.front.spawn(Arc::clone(&self.slot), async {
            let _ = connection.with_upgrades().await;
        });
        let answer = tokio::time::timeout(self.front.limits.tunnel_idle, sender.send_request(request));
        let mut response = answer.await?.map_err(io::Error::other)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let near = near.ok_or_else(|| io::Error::other("it switched protocols unasked"))?;
            self.join(near, hyper::upgrade::on(&mut response));
        }
        hops::pass_back(&mut response, &self.front.name);
        Ok(response)
    }

    /// Carries bytes between two ends that have left HTTP, once they have.
    fn join(&self, near: hyper::upgrade::OnUpgrade, far: hyper::upgrade::OnUpgrade) {
        let front = self.front.clone();
        self.front.spawn(Arc::clone(&self.slot), async move {
            let (Ok(near), Ok(far)) = tokio::join!(near, far) else { return };
            carry(&front, TokioIo::new(near), TokioIo::new(far)).await;
        });
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

fn established() -> Response<ReplyBody> {
    Response::new(Reply::new(200).body)
}

/// How the proxy itself says no.
fn in_words(error: &Error) -> Reply {
    Reply::new(error.row.status).typed("text/plain; charset=utf-8", format!("{}\n", error.message()))
}

/// Copies both ways until both ends are done, nothing has moved for a while, or the front closes.
async fn carry(
    front: &Front,
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    far: impl AsyncRead + AsyncWrite + Unpin,
) {
    let moved = Moved::default();
    let mut far = Counted::new(far, moved.clone());
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        () = moved.stands_still_for(front.limits.tunnel_idle) => {}
        () = front.closing() => {}
    }
}

#[cfg(test)]
mod tests {
    use azure::text;

    use super::*;

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

    #[tokio::test]
    async fn only_the_right_secret_makes_a_request_a_machines() {
        let server = crate::Server::in_memory(1, azure::time::Timestamp::from_seconds(1_795_302_174)).await;
        let (vm, vm_id, secret) = vm_secrets::tests::machine_with_secret(&server.env.store).await;
        let folder = tempfile::tempdir().expect("a folder");
        let now = || crate::cloud::Clock::System.now();
        let authority = crate::front::ca::Authority::open(folder.path(), now).expect("an authority");
        let (front, _closer) = Front::new(server, Arc::new(authority), Default::default()).expect("a front");
        let peer = SocketAddr::from(([127, 0, 0, 1], 7));
        let slot = front.slot().await.expect("a slot");
        let client = Client { front, slot, cloud: CloudId::DEFAULT, peer, here: peer, tls: false };
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
