//! The way to the cloud: its proxy, with a machine's secret.

use std::{fmt::Write as _, io, str::FromStr, time::Duration};

use azure::text;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Longer than a cloud of this machine takes to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A head of ours is far shorter.
const HEAD_BYTES: u64 = 8 << 10;
/// A certificate is far shorter.
const DOCUMENT_BYTES: u64 = 64 << 10;

/// `http://vm:SECRET@HOST:PORT`, as `zaffre env --as-vm` prints it.
#[derive(Clone)]
pub(crate) struct Way {
    host: String,
    port: u16,
    /// As the header has it.
    credentials: String,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        // What was given holds a secret, and is not repeated.
        let wrong =
            "expected http://vm:SECRET@HOST:PORT, which `zaffre env --as-vm NAME` prints as HTTP_PROXY";
        let rest = url.strip_prefix("http://").ok_or(wrong)?.trim_end_matches('/');
        let (credentials, place) = rest.rsplit_once('@').ok_or(wrong)?;
        let (host, port) = place.rsplit_once(':').ok_or(wrong)?;
        let port = port.parse().map_err(|_| wrong)?;
        let is_whole = credentials.starts_with("vm:") && !host.is_empty();
        let host = host.trim_matches(['[', ']']).to_owned();
        is_whole
            .then(|| Way { host, port, credentials: text::base64(credentials) })
            .ok_or_else(|| wrong.to_owned())
    }
}

impl Way {
    /// `HOST:PORT`, without the secret.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// A connection to what the proxy takes for this host and port.
    pub(super) async fn connect(&self, host: &str, port: u16) -> io::Result<BufReader<TcpStream>> {
        let opened = async {
            let (status, stream) =
                self.ask(&format!("CONNECT {host}:{port}"), &format!("{host}:{port}")).await?;
            match status {
                200 => Ok(stream),
                other => Err(io::Error::other(format!("the cloud's proxy answered {other}"))),
            }
        };
        tokio::time::timeout(PATIENCE, opened).await?
    }

    /// A document that the cloud serves in the open.
    pub(crate) async fn fetch(&self, url: &str, host: &str) -> io::Result<Vec<u8>> {
        let fetched = async {
            let (status, stream) = self.ask(&format!("GET {url}"), host).await?;
            let mut document = Vec::new();
            stream.take(DOCUMENT_BYTES).read_to_end(&mut document).await?;
            match status {
                200 => Ok(document),
                other => Err(io::Error::other(format!("the cloud answered {other} for {url}"))),
            }
        };
        tokio::time::timeout(PATIENCE, fetched).await?
    }

    /// Sends a request that is the last of its connection, and reads the head of its answer.
    async fn ask(&self, what: &str, host: &str) -> io::Result<(u16, BufReader<TcpStream>)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let mut head =
            format!("{what} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic {}\r\n", self.credentials);
        if !what.starts_with("CONNECT ") {
            let _ = write!(head, "Connection: close\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        let mut lines = Vec::new();
        while !lines.ends_with(b"\r\n\r\n") {
            let left = HEAD_BYTES.saturating_sub(lines.len() as u64);
            if (&mut stream).take(left).read_until(b'\n', &mut lines).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let status =
            lines.split(|it| *it == b' ').nth(1).and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_what_env_prints_and_nothing_less() {
        let way: Way = "http://vm:s3cret@zaffre:10080".parse().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((way.place(), way.credentials), ("zaffre:10080".to_owned(), text::base64("vm:s3cret")));
        for wrong in [
            "http://zaffre:10080",
            "http://vm:s@zaffre",
            "https://vm:s@z:1",
            "http://x:s@z:1",
            "http://vm:s@:1",
            "",
        ] {
            let why = wrong.parse::<Way>().err().unwrap_or_default();
            assert!(why.starts_with("expected http://vm:SECRET@"), "{wrong}");
        }
    }
}
