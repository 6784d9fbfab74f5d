//! The command line's side of the control socket: one request, its answer.

use std::{io, path::Path};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::home::Home;
use crate::{StartError, control::Run};

/// The running cloud, found.
pub(super) struct Client<'h> {
    pub(super) run: Run,
    home: &'h Home,
}

impl<'h> Client<'h> {
    pub(super) fn find(home: &'h Home) -> Result<Self, StartError> {
        Ok(Client { run: home.running()?, home })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, StartError> {
        self.json(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Value, StartError> {
        self.json(Method::POST, path, Bytes::new()).await
    }

    pub(super) async fn json(&self, method: Method, path: &str, body: Bytes) -> Result<Value, StartError> {
        let response = self.send(Request::builder().method(method).uri(path), body).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(serde_json::from_slice(&body)?);
        }
        Err(refusal(&body).unwrap_or_else(|| format!("the cloud answered {status}")).into())
    }

    /// Sends a request and gives its answer as it comes, upgrades included.
    pub(super) async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, StartError> {
        let stream = self.connect(&self.run.control).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        let request = request.header(header::HOST, "zaffre").body(Full::new(body))?;
        Ok(sender.send_request(request).await?)
    }

    /// A socket that nobody listens at belongs to a cloud that ended without a word.
    async fn connect(&self, socket: &Path) -> Result<UnixStream, StartError> {
        UnixStream::connect(socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => format!(
                "the cloud that was up as process {} is gone; `{}` starts it again",
                self.run.pid,
                self.home.to_type("up")
            )
            .into(),
            _ => format!("cannot reach `{}`: {error}", socket.display()).into(),
        })
    }
}

/// The message of `{"error":{"message":...}}`.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    document["error"]["message"].as_str().map(str::to_owned)
}
