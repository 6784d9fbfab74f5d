//! An answer: status, headers, and a body that may be streamed.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use serde::Serialize;

use super::body::Cause;

pub type ReplyBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Cause> + Send>>;
/// What takes the connection over once `101 Switching Protocols` has been sent.
pub type Takeover =
    Box<dyn FnOnce(hyper::upgrade::Upgraded) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

pub struct Reply {
    pub status: StatusCode,
    /// The reason phrase, where a protocol has its own: Storage prints the error's message there.
    pub reason: Option<String>,
    pub headers: HeaderMap,
    pub body: ReplyBody,
    pub takeover: Option<Takeover>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Reply {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            reason: None,
            headers: HeaderMap::new(),
            body: full(Bytes::new()),
            takeover: None,
        }
    }

    /// `application/json; charset=utf-8`, compact.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let text = serde_json::to_vec(value).expect("answers are made of maps with text for keys");
        Reply::new(status).typed("application/json; charset=utf-8", text)
    }

    /// A whole body of the given type.
    pub fn typed(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = full(body.into());
        self
    }

    pub fn streamed<B>(mut self, body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        self.body = Box::pin(body.map_err(Into::into));
        self
    }

    /// Sets a header; a value that no header can hold is left out.
    pub fn with(mut self, name: impl TryInto<HeaderName>, value: impl AsRef<str>) -> Self {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: impl TryInto<HeaderName>, value: impl AsRef<str>) {
        if let (Ok(name), Ok(value)) = (name.try_into(), HeaderValue::from_str(value.as_ref())) {
            self.headers.insert(name, value);
        }
    }

    /// The same answer to HEAD: its headers, its length, no body.
    pub fn without_body(mut self) -> Self {
        if let (Some(length), false) =
            (self.body.size_hint().exact(), self.headers.contains_key(header::CONTENT_LENGTH))
            && length > 0
        {
            self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        self.body = full(Bytes::new());
        self
    }
}

fn full(bytes: Bytes) -> ReplyBody {
    Box::pin(Full::new(bytes).map_err(|never| match never {}))
}
