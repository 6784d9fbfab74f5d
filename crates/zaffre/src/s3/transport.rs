//! Requests to one endpoint: connections that are kept while they are good, and nothing else that a client library brings.
//!
//! A connection whose answer has been read is used again. Whoever is silent for too long, while connecting, before the
//! answer's head or within its body, is given up; the library above tries again where that is safe.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Uri, header::HOST, uri::Authority};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, timeout},
};
use tokio_rustls::TlsConnector;

use crate::StartError;

const TO_CONNECT: Duration = Duration::from_secs(5);
/// A server may check what it was sent before it answers.
const TO_ANSWER: Duration = Duration::from_secs(60);
const BETWEEN_PIECES: Duration = Duration::from_secs(30);
/// Connections that are kept though nobody uses them.
const KEPT: usize = 16;

/// The way to one endpoint; clones share its connections.
#[derive(Clone)]
pub(super) struct Transport(Arc<Way>);

struct Way {
    authority: Authority,
    address: (String, u16),
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<SendRequest<HttpRequestBody>>>,
}

impl Transport {
    /// `roots` is asked for where the endpoint is encrypted.
    pub(super) fn to(
        endpoint: &Uri,
        roots: impl FnOnce() -> Result<Arc<ClientConfig>, StartError>,
    ) -> Result<Self, StartError> {
        let authority = endpoint.authority().ok_or("it names no host")?.clone();
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, port) = match endpoint.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let name = ServerName::try_from(host.clone())?;
                (Some((TlsConnector::from(roots()?), name)), 443)
            }
            _ => return Err("it begins with neither http:// nor https://".into()),
        };
        let address = (host, authority.port_u16().unwrap_or(port));
        Ok(Transport(Arc::new(Way { authority, address, tls, idle: Mutex::default() })))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {}", self.0.authority)
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Transport {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(self.0.send(request))
    }
}

impl Way {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().authority() != Some(&self.authority) {
            let elsewhere = format!("`{}` is not the endpoint", request.uri());
            return Err(HttpError::new(HttpErrorKind::Unknown, io::Error::other(elsewhere)));
        }
        self.address_to_origin(&mut request)?;
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => timeout(TO_CONNECT, self.connect()).await.map_err(timed_out)??,
        };
        let answered = timeout(TO_ANSWER, connection.send_request(request)).await.map_err(timed_out)?;
        let (head, body) = answered.map_err(failed)?.into_parts();
        self.keep(connection);
        let body = Patient { body, silence: Box::pin(silence()) };
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }

    /// As a server takes it: the path in the request line, the host in its header.
    fn address_to_origin(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let wrong = |error: http::Error| HttpError::new(HttpErrorKind::Unknown, error);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let path: Uri = path.parse().map_err(|error: http::uri::InvalidUri| wrong(error.into()))?;
        let host = HeaderValue::from_str(self.authority.as_str()).map_err(|error| wrong(error.into()))?;
        *request.uri_mut() = path;
        request.headers_mut().entry(HOST).or_insert(host);
        Ok(())
    }

    async fn connect(&self) -> Result<SendRequest<HttpRequestBody>, HttpError> {
        let unreachable = |error: io::Error| HttpError::new(HttpErrorKind::Connect, error);
        let (host, port) = &self.address;
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        match &self.tls {
            None => shake_hands(TokioIo::new(socket)).await,
            Some((tls, name)) => {
                let socket = tls.connect(name.clone(), socket).await.map_err(unreachable)?;
                shake_hands(TokioIo::new(socket)).await
            }
        }
    }

    /// A connection that waits for a request.
    fn kept(&self) -> Option<SendRequest<HttpRequestBody>> {
        let mut idle = self.idle();
        idle.retain(|connection| !connection.is_closed());
        let ready = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    fn keep(&self, connection: SendRequest<HttpRequestBody>) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<HttpRequestBody>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn shake_hands<S>(socket: TokioIo<S>) -> Result<SendRequest<HttpRequestBody>, HttpError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (connection, driver) = http1::handshake(socket).await.map_err(failed)?;
    tokio::spawn(driver);
    Ok(connection)
}

fn timed_out(error: tokio::time::error::Elapsed) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, error)
}

fn failed(error: hyper::Error) -> HttpError {
    let kind = match () {
        // It never got there: a connection that was kept had been closed from the other side.
        () if error.is_canceled() || error.is_closed() => HttpErrorKind::Request,
        () if error.is_timeout() => HttpErrorKind::Timeout,
        () if error.is_parse() => HttpErrorKind::Decode,
        () => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a body is polled, not awaited: its limit is a timer beside it"
)]
fn silence() -> Sleep {
    tokio::time::sleep(BETWEEN_PIECES)
}

/// An answer's body, which fails when nothing comes for too long.
struct Patient {
    body: Incoming,
    silence: Pin<Box<Sleep>>,
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.silence.as_mut().reset(Instant::now() + BETWEEN_PIECES);
            return Poll::Ready(frame.map(|frame| frame.map_err(failed)));
        }
        ready!(self.silence.as_mut().poll(cx));
        let silent = io::Error::new(io::ErrorKind::TimedOut, "nothing came for too long");
        Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, silent))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
