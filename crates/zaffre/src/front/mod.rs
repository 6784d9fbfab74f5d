//! The front: the only part that opens sockets, and the one path behind them.
//!
//! A connection is accepted by a listener, whose door says which cloud it opens and who may be on
//! the other side. `route` names the service by entrance and host, and `serve` takes the request
//! down the one path. Nothing else in the program reads from a client's socket.

pub mod ca;
mod catalogue;
pub mod connection;
mod counted;
mod dns;
pub(crate) mod documents;
mod elsewhere;
pub mod guest_doors;
pub(crate) mod host_doors;
mod http2;
pub(crate) mod issuers;
pub mod listen;
pub mod log;
pub mod outside;
mod prompt;
pub(crate) mod proxy;
pub mod public_doors;
pub mod route;
pub mod serve;
pub mod shell_doors;
pub(crate) mod sidecar;
pub mod ssh_doors;
mod tls;
mod truststore;
pub(crate) mod vm_secrets;
mod wire_server;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use http::{Request, Response};

use azure::ids::Guid;

pub use self::proxy::upstream::Upstreams;
use self::{
    catalogue::Catalogue, elsewhere::Elsewhere, proxy::pac::Pac, route::Target, serve::serve,
    wire_server::WireServer,
};
use crate::{
    arm::Arm,
    cloud::Cloud,
    control::Control,
    door::Door,
    entra::Entra,
    env::Env,
    graph::{AzureAdGraph, Graph},
    imds::{Hosts, Imds},
    products::{self, cosmos::data::Cosmos, storage::blob::BlobService},
    service::{
        Body, Cx, Parts,
        reply::{ReplyBody, Takeover},
    },
};

/// What takes a connection over after a `101`, found among a response's extensions.
#[derive(Clone)]
pub struct Handover(Arc<Mutex<Option<Takeover>>>);

impl Handover {
    fn new(takeover: Takeover) -> Self {
        Handover(Arc::new(Mutex::new(Some(takeover))))
    }

    /// The takeover, the first time it is asked for.
    pub fn take(&self) -> Option<Takeover> {
        self.0.lock().ok()?.take()
    }
}

/// Resource Manager, over this program's products.
static ARM: Arm = Arm::new(products::PROVIDERS);

/// Answers one request that came through a door.
pub async fn answer(
    env: &Arc<Env>,
    cloud: &Arc<Cloud>,
    door: Door,
    request: Request<Body>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let parts = Parts::new(door, head);
    let cx = context(env, cloud, &parts);
    match route::target(&parts.door, parts.host()) {
        Target::Wire => serve(&WireServer, cx, parts, body).await,
        Target::Control => serve(&Control, cx, parts, body).await,
        Target::Proxy => serve(&Pac, cx, parts, body).await,
        Target::Catalogue => serve(&Catalogue, cx, parts, body).await,
        Target::Entra => serve(&Entra, cx, parts, body).await,
        Target::Metadata | Target::Extension => serve(&Imds, cx, parts, body).await,
        Target::Hosts => serve(&Hosts, cx, parts, body).await,
        Target::Arm => serve(&ARM, cx, parts, body).await,
        Target::Blob => serve(&BlobService, cx, parts, body).await,
        Target::Cosmos => serve(&Cosmos, cx, parts, body).await,
        Target::Graph => serve(&Graph, cx, parts, body).await,
        Target::AzureAdGraph => serve(&AzureAdGraph, cx, parts, body).await,
        Target::Refused | Target::Foreign => serve(&Elsewhere, cx, parts, body).await,
    }
}

/// Goes on with what a cloud had not ended when the program did: its deployments.
pub async fn resume(env: &Arc<Env>, cloud: &Arc<Cloud>) -> azure::error::Result<()> {
    ARM.resume(&Cx::internal(env, cloud, Door::named(cloud.id))).await
}

fn context(env: &Arc<Env>, cloud: &Arc<Cloud>, parts: &Parts) -> Cx {
    let mut cx = Cx::internal(env, cloud, parts.door.clone());
    cx.correlation_id = correlation(parts).unwrap_or(cx.request_id);
    cx
}

/// The client's own id for what it is doing, under the names that Azure's clients use.
fn correlation(parts: &Parts) -> Option<Guid> {
    ["x-ms-correlation-request-id", "client-request-id", "x-ms-client-request-id"]
        .iter()
        .find_map(|name| parts.header(name)?.parse().ok())
}
