//! The guest's network: who hears what is said inside, and who does not.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use guest::{Guest, GuestSockets, METADATA_ADDRESS, RESOLVER_ADDRESS, SERVICE_ADDRESS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{code, print, shell, spec, start};

fn tcp(sockets: &mut GuestSockets, address: impl Into<SocketAddr>) -> TcpListener {
    let address = address.into();
    let at = sockets.tcp.iter().position(|(it, _)| *it == address).unwrap();
    sockets.tcp.swap_remove(at).1
}

/// Answers one request with `hello`, and gives its head.
async fn answer_once(listener: TcpListener) -> String {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        .await
        .unwrap();
    String::from_utf8(head).unwrap()
}

/// Asks with curl where the host has it, else with bash alone.
fn get(address: Ipv4Addr, port: u16) -> guest::Command {
    shell(&format!(
        "if command -v curl >/dev/null; then exec curl -sS -H Metadata:true http://{address}:{port}/metadata; fi
         exec 3<>/dev/tcp/{address}/{port}; printf 'GET /metadata HTTP/1.1\\r\\nMetadata:true\\r\\n\\r\\n' >&3; tail -n 1 <&3"
    ))
}

#[tokio::test]
async fn a_request_inside_arrives_at_the_listener_outside() {
    let Some((guest, mut sockets)) = start(spec()).await else { return };
    for (address, port) in [(METADATA_ADDRESS, 80), (SERVICE_ADDRESS, 80), (SERVICE_ADDRESS, 443)] {
        let listener = tcp(&mut sockets, (address, port));
        let (head, body) = tokio::join!(answer_once(listener), print(&guest, get(address, port)));
        assert!(head.starts_with("GET /metadata HTTP/1.1\r\n") && head.contains("Metadata:true"), "{head}");
        assert_eq!(body, "hello");
    }
}

#[tokio::test]
async fn a_question_to_the_resolver_arrives() {
    let Some((guest, mut sockets)) = start(spec()).await else { return };
    let (address, socket) = sockets.udp.pop().unwrap();
    assert_eq!(address, SocketAddr::from((RESOLVER_ADDRESS, 53)));
    let script = format!("exec 3<>/dev/udp/{RESOLVER_ADDRESS}/53; printf question >&3; head -c 6 <&3");
    let (heard, said) = tokio::join!(answer_datagram(socket), print(&guest, shell(&script)));
    assert_eq!((heard.as_str(), said.as_str()), ("question", "answer"));
}

async fn answer_datagram(socket: UdpSocket) -> String {
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    let mut buffer = [0; 512];
    let (n, from) = socket.recv_from(&mut buffer).await.unwrap();
    socket.send_to(b"answer", from).await.unwrap();
    String::from_utf8(buffer[..n].to_vec()).unwrap()
}

#[tokio::test]
async fn a_listener_opened_later_works_and_closes() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], 50342));
    for _ in 0..2 {
        assert_ne!(code(&guest, get(Ipv4Addr::LOCALHOST, 50342)).await, 0);
        let listener = guest.listen(address).await.unwrap();
        let (_, body) = tokio::join!(answer_once(listener), print(&guest, get(Ipv4Addr::LOCALHOST, 50342)));
        assert_eq!(body, "hello");
    }
}

#[tokio::test]
async fn an_address_that_is_not_the_guests_is_refused_by_name() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let error = guest.listen(SocketAddr::from(([192, 0, 2, 1], 80))).await.unwrap_err().to_string();
    assert!(error.contains("listen on 192.0.2.1:80"), "{error}");
    let mut spec = spec();
    spec.tcp.push(SocketAddr::from(([192, 0, 2, 1], 80)));
    let error = Guest::start(spec).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("listen on 192.0.2.1:80"), "{error}");
}

#[tokio::test]
async fn private_addresses_are_the_guests_own() {
    let mut spec = spec();
    let private: SocketAddr = "10.0.0.4:8080".parse().unwrap();
    let sixth: SocketAddr = "[fd00::4]:8080".parse().unwrap();
    spec.addresses.extend([private.ip(), sixth.ip()]);
    spec.tcp.extend([private, sixth]);
    let Some((guest, mut sockets)) = start(spec).await else { return };
    let listener = tcp(&mut sockets, private);
    let (_, body) = tokio::join!(answer_once(listener), print(&guest, get(Ipv4Addr::new(10, 0, 0, 4), 8080)));
    assert_eq!(body, "hello");
}

#[tokio::test]
async fn two_guests_with_the_same_addresses_do_not_meet() {
    let Some((one, mut of_one)) = start(spec()).await else { return };
    let Some((_other, mut of_other)) = start(spec()).await else { return };
    let here = tcp(&mut of_one, (METADATA_ADDRESS, 80));
    let there = tcp(&mut of_other, (METADATA_ADDRESS, 80));
    let (_, body) = tokio::join!(answer_once(here), print(&one, get(METADATA_ADDRESS, 80)));
    assert_eq!(body, "hello");
    assert_eq!(there.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn there_is_no_way_out() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let interfaces = print(&guest, shell("tail -n +3 /proc/net/dev | tr -d ' ' | cut -d: -f1")).await;
    assert_eq!(interfaces, "lo");
    // Documentation addresses (RFC 5737, RFC 3849): nobody's, should a guest ever have a way out.
    for (address, why) in [("192.0.2.1", "unreachable"), ("2001:db8::1", "unreachable")] {
        let done = guest
            .exec(shell(&format!("exec 3<>/dev/tcp/{address}/80")))
            .await
            .unwrap()
            .finish()
            .await
            .unwrap();
        let error = String::from_utf8_lossy(&done.stderr).to_lowercase();
        assert!(error.contains(why), "{address}: {error}");
    }
}

#[tokio::test]
async fn the_hosts_loopback_is_not_the_guests() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    host.set_nonblocking(true).unwrap();
    let port = host.local_addr().unwrap().port();
    assert_ne!(code(&guest, shell(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}"))).await, 0);
    assert_eq!(host.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
