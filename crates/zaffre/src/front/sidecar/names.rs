//! What names stand for in a sidecar's network: Azure's are here, and all others are asked of whoever was asked before.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use guest::SERVICE_ADDRESS;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};

use super::super::dns::{self, Names};

pub(super) const MESSAGE_BYTES: usize = 4096;
/// As a resolver's clients wait (resolv.conf(5), timeout).
const PATIENCE: Duration = Duration::from_secs(5);
/// Where a message says how it was answered, and "there is no such name" (RFC 1035 §4.1.1).
const CODE: usize = 3;
const NAME_ERROR: u8 = 3;

pub(crate) struct Resolver {
    names: Names,
    /// Who answered before, in the order in which they are asked.
    others: Vec<SocketAddr>,
}

impl Resolver {
    pub(crate) fn new(others: Vec<SocketAddr>) -> Self {
        let own = Ipv4Addr::LOCALHOST;
        let names = Names {
            hostname: "localhost".to_owned(),
            own,
            network: None,
            service: SERVICE_ADDRESS,
            outside: None,
        };
        Resolver { names, others }
    }

    /// The answer to a message; none to what is no query.
    pub(super) async fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let reply = dns::answer(query, &self.names)?.whole().await;
        if !is_unknown(&reply) {
            return Some(reply);
        }
        for other in &self.others {
            if let Ok(Ok(answered)) = tokio::time::timeout(PATIENCE, ask(*other, query)).await {
                return Some(answered);
            }
        }
        Some(reply)
    }

    /// Queries over a stream, each behind its length (RFC 1035 §4.2.2).
    pub(super) async fn answer_stream(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let query = read(&mut stream).await?;
            let Some(reply) = dns::answer(&query, &self.names) else { return Ok(()) };
            let reply = reply.whole().await;
            let answered = match self.others.first().filter(|_| is_unknown(&reply)) {
                Some(other) => {
                    tokio::time::timeout(PATIENCE, ask_at_length(*other, &query)).await?.unwrap_or(reply)
                }
                None => reply,
            };
            write(&mut stream, &answered).await?;
        }
    }
}

fn is_unknown(reply: &[u8]) -> bool {
    reply.get(CODE).is_some_and(|it| it & 0x0f == NAME_ERROR)
}

async fn ask(other: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any = if other.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    // Connected: nobody else's datagrams are taken for an answer.
    socket.connect(other).await?;
    socket.send(query).await?;
    let mut reply = vec![0; MESSAGE_BYTES];
    loop {
        let length = socket.recv(&mut reply).await?;
        if length >= 2 && reply[..2] == query[..2] {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

/// The same over a stream, for an answer that does not fit a datagram.
async fn ask_at_length(other: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(other).await?;
    write(&mut stream, query).await?;
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = tokio::time::timeout(PATIENCE, stream.read_u16()).await??;
    let mut message = vec![0; usize::from(length)];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut message)).await??;
    Ok(message)
}

async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend_from_slice(label.as_bytes());
        }
        message.extend_from_slice(&[0, 0, 1, 0, 1]);
        message
    }

    #[tokio::test]
    async fn azures_names_are_answered_here_and_others_by_whoever_answered_before() {
        let other = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let resolver = Resolver::new(vec![other.local_addr().expect("an address")]);
        let here = resolver.answer(&query("acct.blob.core.windows.net")).await.expect("an answer");
        assert_eq!(here[here.len() - 4..], SERVICE_ADDRESS.octets());

        let asked = query("db.example");
        let answering = async {
            let mut heard = [0; 512];
            let (length, peer) = other.recv_from(&mut heard).await.expect("a query");
            assert_eq!(heard[..length], asked);
            // Another query's answer first, which is not taken for this one's.
            other.send_to(b"\0\0stale", peer).await.expect("sends");
            other.send_to(b"\xab\xcdtheirs", peer).await.expect("sends");
        };
        let (answer, ()) = tokio::join!(resolver.answer(&asked), answering);
        assert_eq!(answer.as_deref(), Some(&b"\xab\xcdtheirs"[..]));
    }

    #[tokio::test]
    async fn where_nobody_answered_before_another_name_does_not_exist() {
        let answer = Resolver::new(Vec::new()).answer(&query("db.example")).await.expect("an answer");
        assert!(is_unknown(&answer));
        assert_eq!(Resolver::new(Vec::new()).answer(b"no query").await, None);
    }
}
