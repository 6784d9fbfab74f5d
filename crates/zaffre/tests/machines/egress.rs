//! Machines that are let out (`zaffre up --egress`), into a world that is this test: what they reach there, and what they never do.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex},
};

use guest::Opening;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
};
use zaffre::{front::outside, products::compute::reconcile::Way, store::Store};

use super::{World, has_guests};

/// Everybody outside is one server of this test, wherever they are dialled.
struct Elsewhere {
    server: SocketAddr,
    dialled: Arc<Mutex<Vec<SocketAddrV4>>>,
}

impl outside::World for Elsewhere {
    fn addresses_of(&self, name: String) -> Opening<Vec<IpAddr>> {
        let found = match name.as_str() {
            "example.com" => vec![IpAddr::from([203, 0, 113, 7])],
            "rebinds.example.com" => vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 5])],
            _ => Vec::new(),
        };
        Box::pin(async { if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) } })
    }

    fn connect(&self, to: SocketAddrV4) -> Opening<TcpStream> {
        self.dialled.lock().expect("nobody panics").push(to);
        Box::pin(TcpStream::connect(self.server))
    }

    fn bind(&self, to: SocketAddrV4) -> Opening<UdpSocket> {
        self.dialled.lock().expect("nobody panics").push(to);
        Box::pin(async { Err(io::ErrorKind::HostUnreachable.into()) })
    }

    /// One of the addresses that are for examples is this host's own.
    fn owns(&self, address: Ipv4Addr) -> bool {
        address.octets() == [203, 0, 113, 99]
    }
}

/// Answers each request with where it was said to be for, and keeps every byte that it hears.
async fn serve(listener: TcpListener, heard: Arc<Mutex<String>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let heard = Arc::clone(&heard);
        tokio::spawn(async move {
            let (mut head, mut buffer) = (String::new(), [0; 4096]);
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                head.push_str(&String::from_utf8_lossy(&buffer[..length]));
                if head.ends_with("\r\n\r\n") {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nhello\n";
                    let _ = stream.write_all(answer).await;
                }
            }
            heard.lock().expect("nobody panics").push_str(&head);
        });
    }
}

/// A script that says what comes of connecting.
fn knock(to: &str) -> String {
    format!(
        "timeout 0.5 bash -c 'exec 3<>/dev/tcp/{to}' 2>&1 | grep -o 'refused\\|unreachable\\|No route' | head -n 1 | grep . || {{ timeout 0.5 bash -c 'exec 3<>/dev/tcp/{to}' 2>/dev/null && echo open || echo nothing; }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_reach_what_they_are_let_out_to_and_nothing_else() {
    if !has_guests() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let server = listener.local_addr().expect("an address");
    let (dialled, heard) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<String>>::default());
    let served = tokio::spawn(serve(listener, Arc::clone(&heard)));
    let elsewhere = Elsewhere { server, dialled: Arc::clone(&dialled) };
    let world = World::let_out(
        Store::in_memory(),
        Way::Namespaces,
        &crate::program(),
        &[0],
        Some(Arc::new(elsewhere)),
    )
    .await;
    let shut = json!({ "name": "shut", "properties": { "priority": 100, "direction": "Outbound", "access": "Deny",
        "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "Internet",
        "destinationPortRange": "8080" } });
    let body = json!({ "location": "westeurope", "properties": { "securityRules": [shut] } });
    let group = world.network("networkSecurityGroups/outbound", body).await;
    world.in_network("out", &json!({ "id": group["id"] }), &["out-a"]).await;
    let says = async |script: &str| world.says("out-a", script).await.expect("runs");

    assert_eq!(says("curl -sS http://example.com/ 2>&1").await, "hello\n");
    assert_eq!(says("getent ahostsv4 example.com | head -n 1 | cut -d' ' -f1").await, "203.0.113.7\n");
    assert_eq!(says("getent ahosts vault.azure.net | head -n 1 | cut -d' ' -f1").await, "10.255.255.1\n");
    for nobody in ["nobody.example.com", "rebinds.example.com", "localhost.localdomain.test"] {
        assert_eq!(says(&format!("getent ahosts {nobody} || echo nobody")).await, "nobody\n", "{nobody}");
    }
    // By address, with a name of Microsoft's.
    let cut = "curl -sS -m 5 -o /dev/null --resolve login.microsoftonline.com:443:203.0.113.7 -k https://login.microsoftonline.com/ 2>/dev/null; \
               curl -sS -m 5 -H 'Host: management.azure.com' http://203.0.113.7/ 2>/dev/null; echo $?";
    assert_eq!(says(cut).await, "56\n", "the connection is reset");

    for (to, expected) in [
        ("203.0.113.7/8080", "nothing"),
        ("203.0.113.7/25", "refused"),
        ("203.0.113.7/53", "refused"),
        ("203.0.113.99/443", "refused"),
        (&format!("127.0.0.1/{}", server.port()), "refused"),
        ("127.77.0.4/22", "refused"),
        ("10.0.0.77/80", "nothing"),
        ("10.1.0.4/80", "refused"),
        ("172.17.0.1/80", "refused"),
        ("192.168.0.1/80", "refused"),
        ("100.64.0.1/80", "refused"),
        ("169.254.169.253/80", "refused"),
        ("168.63.129.16/81", "refused"),
    ] {
        assert_eq!(says(&knock(to)).await.trim(), expected, "{to}");
    }
    let reached: Vec<String> =
        dialled.lock().expect("nobody panics").iter().map(ToString::to_string).collect();
    assert!(
        reached.iter().all(|it| ["203.0.113.7:80", "203.0.113.7:443"].contains(&it.as_str())),
        "{reached:?}"
    );
    let heard = heard.lock().expect("nobody panics").clone();
    assert!(heard.contains("Host: example.com") && !heard.contains("azure"), "{heard}");

    let log = world.server.env.guests.get().expect("somebody runs machines");
    let log = log.log(zaffre::cloud::CloudId::DEFAULT, &super::id("out-a")).expect("a log");
    assert!(log.contains("egress is on: machines reach the Internet"), "{log}");

    // A private subnet, from now on.
    let path = "virtualNetworks/out/subnets/default";
    let subnet = json!({ "properties": { "addressPrefix": "10.0.0.0/24", "defaultOutboundAccess": false } });
    world.network(path, subnet).await;
    world.until("a private subnet", async || says(&knock("203.0.113.7/80")).await.trim() == "nothing").await;
    world.end().await;
    served.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_are_not_let_out_are_told_so_at_once() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.in_network("shut", &Value::Null, &["shut-a"]).await;
    let says = async |script: &str| world.says("shut-a", script).await.expect("runs");
    for to in ["203.0.113.7/80", "198.51.100.7/443", "10.1.0.4/80"] {
        assert_eq!(says(&knock(to)).await, "unreachable\n", "{to}");
    }
    assert_eq!(says("getent ahosts example.com || echo nobody").await, "nobody\n");
    world.end().await;
}
