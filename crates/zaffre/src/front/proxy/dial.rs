//! The way to other hosts: directly, or through the proxy that this host needs.
//!
//! No connection ends at an address where a real cloud answers metadata, whatever name led there. Behind an upstream proxy that
//! holds for addresses; what names lead to there, it alone knows.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::upstream::Upstream;

const TIME: Duration = Duration::from_secs(10);
/// A proxy that reaches a slow host says nothing for a while.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Of a proxy's answer to CONNECT.
const HEAD_BYTES: usize = 16 << 10;

/// A connection to a host.
pub(super) async fn direct(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match at(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection to an address.
pub(super) async fn at(address: SocketAddr) -> io::Result<TcpStream> {
    if is_a_clouds_own(address.ip()) {
        return Err(clouds_own());
    }
    let stream = tokio::time::timeout(TIME, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to the proxy that leads to a host.
pub(super) async fn to(upstream: &Upstream, host: &str) -> io::Result<TcpStream> {
    if host.parse().is_ok_and(is_a_clouds_own) {
        return Err(clouds_own());
    }
    let Upstream { host, port, .. } = upstream;
    direct(host, *port).await.map_err(|error| of(upstream, &error.to_string()))
}

/// A connection to a host through a proxy, by CONNECT.
pub(super) async fn through(
    upstream: &Upstream,
    host: &str,
    port: u16,
    via: &HeaderValue,
) -> io::Result<TcpStream> {
    let mut stream = to(upstream, host).await?;
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nVia: ").into_bytes();
    request.extend_from_slice(via.as_bytes());
    if let Some(credentials) = &upstream.credentials {
        request.extend_from_slice(b"\r\nProxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
    }
    request.extend_from_slice(b"\r\n\r\n");
    stream.write_all(&request).await?;
    let head = tokio::time::timeout(ANSWER_TIME, head(&mut stream)).await??;
    let line = String::from_utf8_lossy(&head);
    let line = line.lines().next().unwrap_or_default();
    match line.split(' ').nth(1).unwrap_or_default() {
        status if line.starts_with("HTTP/1.") && status.len() == 3 && status.starts_with('2') => Ok(stream),
        "407" => Err(of(upstream, "it wants to know who asks: its URL takes NAME:PASSWORD@")),
        _ => Err(of(upstream, &format!("it answered `{}`", line.escape_debug()))),
    }
}

/// Reads to the end of a head, and no byte further: what follows is another's.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while head.len() < HEAD_BYTES {
        let seen = stream.peek(&mut buffer).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(&buffer[..seen]);
        let end = head.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4);
        head.truncate(end.unwrap_or(head.len()));
        stream.read_exact(&mut buffer[..head.len() - before]).await?;
        if end.is_some() {
            return Ok(head);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a proxy's answer has no end"))
}

fn of(upstream: &Upstream, why: &str) -> io::Error {
    io::Error::other(format!("the upstream proxy `{}:{}`: {why}", upstream.host, upstream.port))
}

fn clouds_own() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "a real cloud answers at this address")
}

/// Addresses where the cloud that this machine may itself be part of answers: link-local ones and Azure's wire server.
fn is_a_clouds_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local() || address.octets() == [168, 63, 129, 16],
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
