//! A request's body: a stream with a limit, read whole only by those who say how much they can hold.
//!
//! The limit of an operation is its own; time limits are by progress, never in total: a body that
//! moves may take as long as it likes. hyper answers `100 Continue` when the first byte is asked
//! for, which is after authorization.

use std::{pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use azure::error::{Error, Result};

use super::fault::Fault;

pub type Cause = Box<dyn std::error::Error + Send + Sync>;
type Inner = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Cause> + Send>>;

/// How long a body may stand still.
pub const IDLE: Duration = Duration::from_secs(60);
/// What a refusal reads of the body it does not want, so that a client that writes before it reads
/// gets to see the answer.
const DRAIN_BYTES: u64 = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);

pub struct Body {
    /// Taken only when the body is dropped.
    inner: Option<Inner>,
    limit: u64,
    read: u64,
    leftover: Option<oneshot::Sender<Inner>>,
    /// Whether the client holds the body back until it is asked for.
    is_held_back: bool,
}

/// What a handler did not read of its body, once it has dropped it.
pub struct Leftover(oneshot::Receiver<Inner>);

impl Body {
    pub fn new<B>(inner: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        Body {
            inner: Some(Box::pin(inner.map_err(Into::into))),
            limit: u64::MAX,
            read: 0,
            leftover: None,
            is_held_back: false,
        }
    }

    /// Says that the client holds the body back: to ask for it, even to throw it away, is to invite it.
    pub fn held_back(mut self, is_held_back: bool) -> Self {
        self.is_held_back = is_held_back;
        self
    }

    /// Lets the caller have back what will not have been read.
    pub fn lent(mut self) -> (Self, Leftover) {
        let (give, take) = oneshot::channel();
        self.leftover = Some(give);
        (self, Leftover(take))
    }

    pub fn empty() -> Self {
        Body::from(Bytes::new())
    }

    /// The length that the client announced, where it did.
    pub fn announced(&self) -> Option<u64> {
        self.inner.as_ref()?.size_hint().exact()
    }

    /// Refuses what goes beyond so many bytes: at once where the client announced it.
    pub fn limited(mut self, limit: u64) -> Result<Self> {
        if self.announced().is_some_and(|length| length > limit) {
            return Err(Fault::BodyTooLarge.row().into());
        }
        self.limit = limit;
        Ok(self)
    }

    /// The next piece, as it arrives. `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            let inner = self.inner.as_mut()?;
            let frame = match tokio::time::timeout(IDLE, inner.frame()).await {
                Err(_) => return Some(Err(Fault::BodyTooSlow.row().into())),
                Ok(None) => return None,
                Ok(Some(Err(cause))) => {
                    // A stream that has failed may not be asked again, not even to be drained.
                    self.inner = None;
                    return Some(Err(Fault::BodyCutShort.because(cause)));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            // Trailers carry nothing that any of these protocols reads.
            let Ok(data) = frame.into_data() else { continue };
            self.read += data.len() as u64;
            return Some(if self.read > self.limit {
                Err(Fault::BodyTooLarge.row().into())
            } else {
                Ok(data)
            });
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        let mut body = self.limited(limit as u64)?;
        let Some(first) = body.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = body.next().await.transpose()? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(first.len() + second.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(more) = body.next().await.transpose()? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    /// The body as JSON of at most `limit` bytes; what is no JSON is the caller's row to name.
    pub async fn json<T: DeserializeOwned>(
        self,
        limit: usize,
        malformed: impl FnOnce(serde_json::Error) -> Error,
    ) -> Result<T> {
        let bytes = self.bytes(limit).await?;
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    /// Reads a little of what nobody wants.
    pub async fn drain(mut self) {
        self.limit = DRAIN_BYTES;
        let drained = async { while let Some(Ok(_)) = self.next().await {} };
        let _ = tokio::time::timeout(DRAIN_TIME, drained).await;
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.is_held_back && self.read == 0 {
            return;
        }
        if let (Some(leftover), Some(inner)) = (self.leftover.take(), self.inner.take()) {
            // Nobody waits for it when all went well.
            let _ = leftover.send(inner);
        }
    }
}

impl Leftover {
    pub async fn drain(self) {
        if let Ok(inner) = self.0.await {
            Body { inner: Some(inner), limit: u64::MAX, read: 0, leftover: None, is_held_back: false }
                .drain()
                .await;
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body::new(Full::new(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Body::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Body::from(Bytes::from_static(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::channel::Channel;

    use super::*;

    #[tokio::test]
    async fn a_body_that_failed_is_asked_no_more() {
        let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(2);
        sender.send_data(Bytes::from_static(b"half")).await.expect("there is room");
        sender.abort(std::io::Error::other("the connection is gone"));
        let (mut body, leftover) = Body::new(channel).lent();
        assert_eq!(body.next().await.expect("a piece").expect("whole"), "half");
        let error = body.next().await.expect("an end").expect_err("is cut short");
        assert_eq!(Fault::of(error.row), Some(Fault::BodyCutShort));
        assert!(body.next().await.is_none());
        drop(body);
        leftover.drain().await;
    }
}
