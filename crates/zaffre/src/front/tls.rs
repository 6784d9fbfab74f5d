//! TLS: the server's side, with a certificate for whatever name the client says it wants.
//!
//! A name of Azure's is answered whether or not it is emulated, so that a client which calls one that is not gets words
//! instead of a broken handshake. A name that is nobody's we know gets no certificate: nothing here could answer for it.
//! Tickets spare returning clients the handshake, in both versions of TLS: `az` opens ten connections for one command, and
//! Node's libraries one for every request. HTTP/2 is spoken with whoever offers it, HTTP/1.1 with everybody else.

use std::{fmt, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{
    ca::Authority,
    route::{self, Target},
};
use crate::StartError;

/// HTTP/2 as a handshake names it (RFC 9113 §3.2).
pub(super) const HTTP_2: &[u8] = b"h2";

/// One configuration for all listeners: tickets that one of them gave are good at the others.
pub(super) fn config(authority: Arc<Authority>) -> Result<Arc<ServerConfig>, StartError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(authority)));
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

struct ByName(Arc<Authority>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An address is never named in a handshake: who calls one calls this machine's own.
        let name = hello.server_name().unwrap_or("localhost");
        let is_ours = is_local(name) || route::by_name(name) != Target::Foreign;
        is_ours.then(|| self.0.leaf(name).ok()).flatten()
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByName")
    }
}

fn is_local(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}
