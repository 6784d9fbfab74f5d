//! HTTP/2 on one connection, with the limits that HTTP/1.1 has.
//!
//! Requests come as streams side by side, each down the same path as any other: what this version says in its own way is put
//! as HTTP/1.1 puts it, so that nothing behind can tell. What makes the protocol dear to a server is bounded: streams at once
//! and what each may send unread; the length of a head, however well it was packed; streams that are opened to be thrown away.
//! Beyond those the connection ends, as RFC 9113 §10.5 allows, in `h2`'s own words (GOAWAY, or 431 for a head).
//!
//! A connection without a request under way may stay as long as one of HTTP/1.1 may say nothing, whatever frames it sends:
//! pings, windows and beginnings of heads are no requests. One with requests under way may stand still as long as a tunnel.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::{
    connection::{Front, Slot},
    counted::{Counted, Moved},
};
use crate::service::{body::Cause, reply::ReplyBody};

/// What a client sends before anything else (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests of one connection at once; clients wait with more.
const STREAMS: u32 = 100;
/// What a client may send before it is read: of one body, and of all of a connection's.
const STREAM_BYTES: u32 = 256 << 10;
const CONNECTION_BYTES: u32 = 1 << 20;
/// Streams that a client threw away before they were looked at, and that were refused: beyond these it does nothing else.
const THROWN_AWAY: usize = 20;
const REFUSED: usize = 1024;

/// Reads requests and writes what `respond` makes of them, until the other side goes, the front closes, or nothing moves.
pub(super) async fn drive<IO, R, F>(front: &Front, slot: Slot, io: IO, respond: R)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<ReplyBody>> + Send + 'static,
{
    let limits = front.limits;
    let (requests, moved) = (Requests::new(), Moved::default());
    let under_way = requests.clone();
    let service = service_fn(move |mut request| {
        let busy = under_way.begin();
        put_as_http1(&mut request);
        request.extensions_mut().insert(busy.clone());
        let answer = respond(request);
        async move { Ok::<_, Infallible>(answer.await.map(|body| busy.until_the_end_of(body))) }
    });
    let connection = http2::Builder::new(OnFront { front: front.clone(), slot })
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_BYTES)
        .initial_connection_window_size(CONNECTION_BYTES)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(THROWN_AWAY)
        .max_local_error_reset_streams(REFUSED)
        .serve_connection(TokioIo::new(Counted::new(io, moved.clone())), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = front.closing() => {}
        () = requests.idle_for(limits.head_time) => {}
        () = moved.stands_still_for(limits.tunnel_idle) => return,
    }
    connection.as_mut().graceful_shutdown();
    // Whoever was told to go and stays is not waited for, unless the cloud goes down: then requests have their time.
    let finished = tokio::time::timeout(limits.finish_time.max(Duration::from_secs(1)), connection);
    tokio::select! {
        _ = finished => {}
        () = front.cut() => {}
    }
}

/// The host in its own header, and one header of cookies (RFC 9113 §8.3.1, §8.2.3). A Host unlike the authority becomes a
/// second one, which the path refuses.
fn put_as_http1<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    let headers = request.headers_mut();
    if let Some(authority) = authority.filter(|it| headers.get(header::HOST) != Some(it)) {
        headers.append(header::HOST, authority);
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookies) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, cookies);
    }
}

/// Runs a connection's streams as long as the front lets them, in the connection's slot.
#[derive(Clone)]
struct OnFront {
    front: Front,
    slot: Slot,
}

impl<F> Executor<F> for OnFront
where
    F: Future + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.front.spawn(Arc::clone(&self.slot), async move {
            stream.await;
        });
    }
}

/// How many requests of a connection are under way.
#[derive(Clone)]
struct Requests(Arc<watch::Sender<usize>>);

/// One of them, until the last clone is dropped: by its answer's end, or the end of the tunnel that it opened.
#[derive(Clone)]
pub(super) struct Busy(#[expect(dead_code, reason = "kept to be dropped")] Arc<UnderWay>);

struct UnderWay(Requests);

impl Requests {
    fn new() -> Self {
        Requests(Arc::new(watch::Sender::new(0)))
    }

    fn begin(&self) -> Busy {
        self.0.send_modify(|count| *count += 1);
        Busy(Arc::new(UnderWay(self.clone())))
    }

    /// Resolves when there has been none for so long.
    async fn idle_for(&self, time: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // The sender is this value's.
            let _ = count.wait_for(|it| *it == 0).await;
            if tokio::time::timeout(time, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

impl Busy {
    fn until_the_end_of(self, body: ReplyBody) -> ReplyBody {
        Box::pin(Lasting { body, _busy: self })
    }
}

/// A body whose request is under way until it has been sent.
struct Lasting {
    body: ReplyBody,
    _busy: Busy,
}

impl Body for Lasting {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http2_says_in_its_own_way_is_put_as_http1_puts_it() {
        for (headers, hosts, cookies) in [
            (&[] as &[(&str, &str)], &["a.example:444"] as &[&str], &[] as &[&str]),
            (&[("host", "a.example:444")], &["a.example:444"], &[]),
            (&[("host", "b.example")], &["b.example", "a.example:444"], &[]),
            (&[("cookie", "a=1"), ("cookie", "b=2")], &["a.example:444"], &["a=1; b=2"]),
        ] {
            let mut request = Request::get("https://a.example:444/p");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut request = request.body(()).expect("a request");
            put_as_http1(&mut request);
            let all = |name| request.headers().get_all(name).iter().collect::<Vec<_>>();
            assert_eq!(all(header::HOST), hosts, "{headers:?}");
            assert_eq!(all(header::COOKIE), cookies, "{headers:?}");
        }
    }
}
