//! Two machines, two identities: neither gets the other's token, and neither finds the host.

use std::net::TcpListener;

use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use zaffre::{
    cloud::CloudId,
    door::{Door, Entrance},
    products::compute::reconcile::Way,
    service::Body,
};

use super::{TOKEN, World, has_guests};

/// Every way that a machine without an identity could think of to ask as another. `{client}`, `{principal}` and `{id}` are the other's; it is at
/// 10.0.0.4 of the same network, and called `whole`.
static WAYS: &[(&str, &str)] = &[
    ("as itself", "{token}"),
    ("naming the other's client", "{token} --data-urlencode client_id={client} -G"),
    ("naming the other's principal", "{token} --data-urlencode object_id={principal} -G"),
    ("naming the other", "{token} --data-urlencode mi_res_id={id} -G"),
    (
        "with the other's address in headers",
        "{token} -H 'X-Forwarded-For: 10.0.0.4' -H 'Forwarded: for=10.0.0.4' -H 'X-Real-IP: 10.0.0.4' -H 'X-Ms-Vm-Id: {id}'",
    ),
    ("with the other's host", "{token} -H 'Host: whole'"),
    ("with the address of the other for a host", "{token} -H 'Host: 10.0.0.4'"),
    (
        "with the other's name at the proxy, and a guess",
        "{token} -H 'Proxy-Authorization: Basic d2hvbGU6Z3Vlc3NlZA=='",
    ),
    ("with the other's secret at the proxy", "{token} -H 'Proxy-Authorization: Basic {secret}'"),
    (
        "through the platform as a proxy, with the other's secret",
        "curl -s -m 1 -x http://169.254.169.254:80 -H 'Proxy-Authorization: Basic {secret}' -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "through a tunnel, with the other's secret",
        "curl -s -m 1 -p -x http://10.255.255.1:80 --proxy-header 'Proxy-Authorization: Basic {secret}' -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "behind a request that hides another",
        "printf 'GET /metadata/instance?api-version=2021-02-01 HTTP/1.1\\r\\nHost: a\\r\\nMetadata: true\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nGET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/&mi_res_id={id} HTTP/1.1\\r\\nHost: whole\\r\\nMetadata: true\\r\\nConnection: close\\r\\n\\r\\n' | timeout 2 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(\"169.254.169.254:80\") or exit; print $s $_ while <STDIN>; shutdown($s, 1); print while <$s>'",
    ),
    (
        "by TLS",
        "curl -s -m 1 -k --connect-to ::10.255.255.1:443 -H Metadata:true 'https://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "at its own loopback",
        "curl -s -m 1 -H Metadata:true 'http://127.0.0.1/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "as an application of the platform's",
        "curl -s -m 1 -H 'X-IDENTITY-HEADER: guessed' 'http://10.255.255.1:10082/msi/token?api-version=2019-08-01&resource=https://management.azure.com/'",
    ),
    (
        "at the other's extension",
        "curl -s -m 1 -H Metadata:true 'http://10.0.0.4:50342/oauth2/token' --data resource=https://management.azure.com/",
    ),
    (
        "from the other's address, which it does not have",
        "timeout 2 perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, 0, 15, pack(\"i\", 1)); bind($s, sockaddr_in(0, inet_aton(\"10.0.0.4\"))) or exit; connect($s, sockaddr_in(80, inet_aton(\"169.254.169.254\"))) or exit; syswrite($s, \"GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/ HTTP/1.1\\r\\nHost: a\\r\\nMetadata: true\\r\\nConnection: close\\r\\n\\r\\n\"); print while <$s>'",
    ),
    (
        "with the service's address for its own",
        "{ ip address add 169.254.169.254/32 dev eth0 || ip address add 169.254.169.254/32 dev lo; } && echo access_token",
    ),
    ("from the service's address", "{token} --interface 169.254.169.254"),
    (
        "as the one that the other asks",
        "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(LocalAddr => \"169.254.169.254\", LocalPort => 80, Listen => 1) and print \"access_token\"'",
    ),
    (
        "as the other's gateway",
        "perl -e 'use Socket; socket(my $s, AF_INET, SOCK_RAW, 1) or exit; print \"access_token\"'",
    ),
    (
        "in the other's memory",
        "for it in /proc/[0-9]*; do grep -aqs whole $it/environ && grep -aqs eyJ0 $it/mem && echo access_token; done",
    ),
    (
        "by another path",
        "{token} --path-as-is --request-target 'http://10.0.0.4/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "at the other's address",
        "curl -s -m 1 -H Metadata:true 'http://10.0.0.4/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "through the other",
        "curl -s -m 1 -x http://10.0.0.4:80 -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    ("from the other's address", "{token} --interface 10.0.0.4"),
    ("from no address of its own", "{token} --interface 10.0.0.77"),
    (
        "at the wire server",
        "curl -s -H Metadata:true 'http://168.63.129.16/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "at the address of Azure's names",
        "curl -s -H Metadata:true -H 'Host: 169.254.169.254' 'http://10.255.255.1/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'",
    ),
    (
        "at the old extension",
        "curl -s -H Metadata:true 'http://localhost:50342/oauth2/token' --data resource=https://management.azure.com/",
    ),
    ("by raw packets", "sudo perl -e 'socket(my $s, 2, 3, 6) or die \"refused\"; print \"access_token\"'"),
    (
        "by packets at the interface",
        "sudo perl -e 'socket(my $s, 17, 3, 768) or die \"refused\"; print \"access_token\"'",
    ),
    (
        "with the other's address for its own",
        "sudo sh -c 'ip address add 10.0.0.4/24 dev eth0 && echo access_token'",
    ),
    (
        "in the other's network",
        "sudo sh -c 'for it in /proc/[0-9]*/ns/net; do nsenter --net=$it true && test $(readlink $it) != $(readlink /proc/self/ns/net) && echo access_token; done'",
    ),
    (
        "in the other's files",
        "sudo sh -c 'grep -rls --exclude=program whole /proc/[0-9]*/root/etc/hostname /run /tmp /var /mnt && echo access_token'",
    ),
];

impl World {
    /// What a process of the host proves with, at the proxy, that it speaks as this machine: `zaffre env --as-vm`.
    async fn secret(&self, vm: &str) -> String {
        self.says_where_it_is();
        let door = Door::at(CloudId::DEFAULT, Entrance::Control);
        let request = Request::get(format!("/env?as_vm={vm}")).header("host", "control").body(Body::empty());
        let response = self.server.send(door, request.expect("a request")).await;
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (credentials, _) = text.split_once("@127.0.0.1:10080").expect("credentials");
        let (_, credentials) = credentials.rsplit_once("//").expect("an address");
        azure::text::base64(credentials)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_machine_gets_anothers_token_whatever_it_says() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.in_network("shared", &Value::Null, &["whole", "thief"]).await;
    let (status, other) = world.vm("GET", "whole", "", Value::Null).await;
    assert_eq!(status, 200);
    let body = json!({ "identity": { "type": "None" } });
    assert_eq!(world.vm("PATCH", "thief", "", body).await.0, 200);
    let token: Value = serde_json::from_str(&world.says("whole", TOKEN).await.expect("runs")).expect("JSON");
    let secret = world.secret("whole").await;
    let filled = |way: &str| {
        way.replace("{token}", TOKEN)
            .replace("{client}", token["client_id"].as_str().expect("a client"))
            .replace("{principal}", other["identity"]["principalId"].as_str().expect("a principal"))
            .replace("{id}", other["id"].as_str().expect("an id"))
            .replace("{secret}", &secret)
    };
    // The other has its token at hand, and has just been given one.
    world
        .says(
            "whole",
            &format!("{TOKEN} > ~/token; (TOKEN=$(cat ~/token) setsid sleep 1000 >/dev/null 2>&1 &)"),
        )
        .await
        .expect("runs");
    for (what, way) in WAYS {
        for shell in ["bash", "sudo bash"] {
            let script = format!("{shell} 2>&1 <<'END'\n{}\nEND", filled(way));
            let said = world.says("thief", &script).await.expect("runs");
            assert!(!said.contains("access_token"), "{what}, by {shell}: {said}");
        }
    }
    // The same question is answered where it may be.
    assert!(world.says("whole", &filled("{token}")).await.expect("runs").contains("access_token"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_machine_finds_the_host() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.in_network("alone", &Value::Null, &["seeker"]).await;
    let host = TcpListener::bind("0.0.0.0:0").expect("a port");
    host.set_nonblocking(true).expect("does not block");
    let port = host.local_addr().expect("an address").port();
    let data = world.folder.path().display().to_string();
    std::fs::write(world.folder.path().join("secret"), "secret").expect("writes");
    let control = world.folder.path().join("control.sock");
    let socket = std::os::unix::net::UnixListener::bind(&control).expect("a socket");
    socket.set_nonblocking(true).expect("does not block");
    for address in [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "10.0.0.4",
        "169.254.169.254",
        "168.63.129.16",
        "10.255.255.1",
        "127.77.0.4",
        "host",
    ] {
        let script = format!(
            "timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo found || echo nothing"
        );
        assert_eq!(world.says("seeker", &script).await.as_deref(), Ok("nothing\n"), "{address}");
    }
    assert!(host.accept().is_err(), "nobody has called");
    for script in [
        format!("sudo ls {data}"),
        format!("sudo cat {data}/secret"),
        format!(
            "sudo perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un(\"{}\")) or exit 1'",
            control.display()
        ),
        "sudo grep -aqs zaffre /proc/net/unix && sudo sh -c 'ls $(grep -ao \"/.*control.*\" /proc/net/unix)'"
            .to_owned(),
        "sudo ls /proc/1/root/ /proc/1/cwd/".to_owned(),
    ] {
        let said =
            world.says("seeker", &format!("{script} >/dev/null 2>&1 && echo found || echo nothing")).await;
        assert_eq!(said.as_deref(), Ok("nothing\n"), "{script}");
    }
    assert!(socket.accept().is_err(), "nobody has called");
    world.end().await;
}
