//! What is not ours: passed on as it came, WebSockets too, directly or through the proxy that this host needs; and the proxy
//! asked for itself.

use super::*;
use crate::front::Upstreams;

fn upstream(url: &str) -> Settings {
    let (upstream, _) = Upstreams::read(Some(url), |_| None).expect("reads");
    Settings { upstream, ..Settings::default() }
}

/// Sends, and reads to the end of a head.
async fn asked(up: &Up, request: &str) -> (TcpStream, String) {
    let mut stream = up.connect("proxy").await;
    stream.write_all(request.as_bytes()).await.expect("writes");
    let head = head(&mut stream).await;
    (stream, head)
}

/// A server of WebSockets, as far as they concern a proxy: a switch, then bytes that come back.
async fn echo() -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a client");
        let heard = head(&mut stream).await;
        let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: x\r\n\r\n";
        stream.write_all(switched.as_bytes()).await.expect("answers");
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.expect("copies");
        heard
    });
    (address, heard)
}

#[tokio::test]
async fn a_web_socket_is_carried_by_a_tunnel_and_by_a_switch_in_the_open() {
    let up = up().await;
    let switch = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n";
    for is_tunnel in [true, false] {
        let (address, heard) = echo().await;
        let (mut stream, switched) = if is_tunnel {
            let (mut stream, established) =
                asked(&up, &format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
            assert_eq!(status(&established), "200");
            let request = format!("GET /chat HTTP/1.1\r\nHost: {address}\r\n{switch}");
            stream.write_all(request.as_bytes()).await.expect("writes");
            let switched = head(&mut stream).await;
            (stream, switched)
        } else {
            asked(&up, &format!("GET http://{address}/chat HTTP/1.1\r\nHost: {address}\r\n{switch}")).await
        };
        let switched = switched.to_ascii_lowercase();
        assert!(
            switched.starts_with("http/1.1 101 ") && switched.contains("sec-websocket-accept: x"),
            "{switched}"
        );
        assert!(
            switched.contains("upgrade: websocket") && switched.contains("connection: upgrade"),
            "{switched}"
        );
        let mut back = [0; 7];
        stream.write_all(b"\x81frame\x82").await.expect("writes");
        stream.read_exact(&mut back).await.expect("comes back");
        assert_eq!(&back, b"\x81frame\x82");
        drop(stream);
        let heard = heard.await.expect("heard").to_ascii_lowercase();
        assert!(
            heard.starts_with("get /chat http/1.1\r\n") && heard.contains("upgrade: websocket"),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_switch_answers_as_ever() {
    let up = up().await;
    let (address, _) = stranger("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno").await;
    let request = format!(
        "GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    );
    let answer = exchange(up.connect("proxy").await, &request).await;
    assert!(status(&answer) == "426" && answer.ends_with("no"), "{answer}");

    let (address, _) =
        stranger("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
    let answer =
        exchange(up.connect("proxy").await, &get(&format!("http://{address}/"), &address.to_string())).await;
    assert_eq!(status(&answer), "502", "{answer}");
}

#[tokio::test]
async fn a_tunnel_goes_through_the_upstream_proxy_with_its_credentials() {
    let (address, heard) = stranger("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nbanner").await;
    let up = with(upstream(&format!("http://ada:s%20cret@{address}")), Limits::default()).await;
    let (mut stream, established) =
        asked(&up, "CONNECT far.example:22 HTTP/1.1\r\nHost: far.example:22\r\n\r\n").await;
    assert_eq!(status(&established), "200");
    let mut banner = String::new();
    stream.read_to_string(&mut banner).await.expect("reads");
    assert_eq!(banner, "banner");
    let heard = heard.await.expect("heard");
    let basic = azure::text::base64(b"ada:s cret");
    assert!(heard.starts_with("CONNECT far.example:22 HTTP/1.1\r\nHost: far.example:22\r\n"), "{heard}");
    assert!(heard.contains(&format!("Proxy-Authorization: Basic {basic}\r\n")), "{heard}");
    assert!(heard.contains(&format!("Via: 1.1 zaffre-{}\r\n", up.authority.print())), "{heard}");
}

#[tokio::test]
async fn a_plain_request_goes_through_the_upstream_proxy_as_it_came() {
    let (address, heard) =
        stranger("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    let up = with(upstream(&format!("http://ada:secret@{address}")), Limits::default()).await;
    let request = get("http://far.example/path?q=1", "far.example");
    let request = request.replace("Connection", "Proxy-Authorization: Basic dm06eA==\r\nConnection");
    let answer = exchange(up.connect("proxy").await, &request).await;
    assert!(status(&answer) == "200" && answer.ends_with("ok"), "{answer}");
    let heard = heard.await.expect("heard").to_ascii_lowercase();
    assert!(heard.starts_with("get http://far.example/path?q=1 http/1.1\r\n"), "{heard}");
    assert!(heard.contains("host: far.example\r\n"), "{heard}");
    let basic = azure::text::base64(b"ada:secret").to_ascii_lowercase();
    assert!(heard.contains(&format!("proxy-authorization: basic {basic}\r\n")), "{heard}");
    assert!(!heard.contains("dm06ea=="), "our own credentials are nobody else's: {heard}");
}

#[tokio::test]
async fn azures_names_metadata_and_this_machine_never_go_upstream() {
    let refused = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = refused.local_addr().expect("an address");
    let up = with(upstream(&format!("http://{address}")), Limits::default()).await;
    let (here, _heard) = stranger("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    for (request, expected) in [
        (get(&format!("http://{ALIASES}/cli/vm/aliases.json"), ALIASES), "200"),
        (get("http://vault.azure.net/", "vault.azure.net"), "403"),
        (get("http://169.254.169.254/metadata", "169.254.169.254"), "400"),
        (get("http://169.254.1.1/", "169.254.1.1"), "502"),
        ("CONNECT aka.ms:443 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "403"),
        ("CONNECT 169.254.1.1:80 HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "502"),
        (get(&format!("http://{here}/"), &here.to_string()), "204"),
    ] {
        let answer = exchange(up.connect("proxy").await, &request).await;
        assert_eq!(status(&answer), expected, "{request}: {answer}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(1), refused.accept()).await;
    assert!(nobody.is_err(), "somebody asked the upstream proxy");
}

#[tokio::test]
async fn an_upstream_proxy_that_refuses_is_named_with_what_it_said() {
    for (answer, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "its URL takes NAME:PASSWORD@"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "`HTTP/1.1 403 Forbidden`"),
        ("SSH-2.0-x\r\n\r\n", "`SSH-2.0-x`"),
        ("", "cannot reach"),
    ] {
        let (address, _) = stranger(answer).await;
        let up = with(upstream(&format!("http://{address}")), Limits::default()).await;
        let request = "CONNECT far.example:443 HTTP/1.1\r\nConnection: close\r\n\r\n";
        let said = exchange(up.connect("proxy").await, request).await;
        assert!(status(&said) == "502" && said.contains(words), "{answer:?}: {said}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let up = with(upstream(&format!("http://{gone}")), Limits::default()).await;
    let said = exchange(up.connect("proxy").await, &get("http://far.example/", "far.example")).await;
    assert!(status(&said) == "502" && said.contains(&format!("the upstream proxy `{gone}`")), "{said}");
}

#[tokio::test]
async fn a_way_that_leads_back_is_refused_and_no_request_goes_round() {
    // Somebody between us and ourselves, who passes everything on.
    let between = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = between.local_addr().expect("an address");
    let up = with(upstream(&format!("http://{address}")), Limits::default()).await;
    let proxy = up.open.addresses["proxy"];
    let relay = tokio::spawn(async move {
        let mut rounds = 0;
        while let Ok(Ok((mut near, _))) =
            tokio::time::timeout(Duration::from_millis(300), between.accept()).await
        {
            rounds += 1;
            tokio::spawn(async move {
                let mut far = TcpStream::connect(proxy).await.expect("connects");
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
        rounds
    });
    let tunnel = exchange(
        up.connect("proxy").await,
        "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(status(&tunnel) == "502" && tunnel.contains("508 Loop Detected"), "{tunnel}");
    let plain = exchange(up.connect("proxy").await, &get("http://far.example/", "far.example")).await;
    assert!(
        status(&plain) == "508"
            && plain
                .contains("leads back to this proxy: the proxy that it goes through must not use this one"),
        "{plain}"
    );
    assert_eq!(relay.await.expect("no panic"), 2);
    let itself = exchange(
        up.connect("proxy").await,
        &format!("CONNECT {proxy} HTTP/1.1\r\nConnection: close\r\n\r\n"),
    )
    .await;
    assert_eq!(status(&itself), "508", "{itself}");
}

#[tokio::test]
async fn browsers_get_a_file_that_names_the_proxy_as_they_reached_it() {
    let up = with(offline(), Limits::default()).await;
    let proxy = up.open.addresses["proxy"];
    let localhost = format!("localhost:{}", proxy.port());
    for (request, kind) in [
        (get("/proxy.pac", &proxy.to_string()), "PROXY "),
        (get(&format!("http://{proxy}/proxy.pac"), &proxy.to_string()), "PROXY "),
    ] {
        let answer = exchange(up.connect("proxy").await, &request).await;
        assert!(status(&answer) == "200" && answer.contains("application/x-ns-proxy-autoconfig"), "{answer}");
        assert!(
            answer.contains(&format!("return \"{kind}{proxy}\";")) && answer.contains("return \"DIRECT\";")
        );
    }
    let secured = up.tls(up.connect("proxy").await, "localhost").await;
    let answer = exchange(secured, &get("/proxy.pac", &localhost)).await;
    assert!(answer.contains(&format!("return \"HTTPS {localhost}\";")), "{answer}");
    for request in [get("/", &localhost), get("/proxy.pac", &localhost).replace("GET", "POST")] {
        let answer = exchange(up.connect("proxy").await, &request).await;
        assert!(status(&answer) == "400" && answer.contains("this is a proxy"), "{answer}");
    }
    let up = with(upstream("http://127.0.0.1:9"), Limits::default()).await;
    let answer = exchange(up.connect("proxy").await, &get("/proxy.pac", "p:1")).await;
    assert!(!answer.contains("DIRECT") && answer.contains("return \"PROXY p:1\";"), "{answer}");
}

#[tokio::test]
async fn a_machines_public_address_leads_to_its_door_even_where_nothing_is_passed_on() {
    let up = with(offline(), Limits::default()).await;
    let public = "127.77.200.4:80".parse().expect("an address");
    let asks = "GET http://127.77.200.4/chat HTTP/1.1\r\nHost: 127.77.200.4\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Key: a\r\n\r\n";
    let (_, refused) = asked(&up, asks).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "nothing is open there: {refused}");
    let (at, heard) = echo().await;
    let door = crate::host::PublicDoor { vm: azure::ids::ResourceId::root(), at };
    let listed = up.server.env.public_doors.list(crate::cloud::CloudId::DEFAULT, public, door);
    let (stream, switched) = asked(&up, asks).await;
    assert!(switched.starts_with("HTTP/1.1 101"), "{switched}");
    drop(stream);
    let heard = heard.await.expect("it was asked");
    assert!(heard.starts_with("GET /chat HTTP/1.1\r\n") && heard.contains("127.77.200.4\r\n"), "{heard}");
    let (_, refused) = asked(&up, &asks.replace("/chat", ":8080/chat")).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "another port of it: {refused}");
    drop(listed);
    let (_, refused) = asked(&up, "CONNECT 127.77.200.4:80 HTTP/1.1\r\nHost: 127.77.200.4:80\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
}
