//! Two machines, two identities: neither gets the other's token, and neither finds the host.

use std::net::TcpListener;

use serde_json::{Value, json};
use zaffre::products::compute::reconcile::Way;

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
    let filled = |way: &str| {
        way.replace("{token}", TOKEN)
            .replace("{client}", token["client_id"].as_str().expect("a client"))
            .replace("{principal}", other["identity"]["principalId"].as_str().expect("a principal"))
            .replace("{id}", other["id"].as_str().expect("an id"))
    };
    for (what, way) in WAYS {
        let said = world.says("thief", &format!("{{ {}; }} 2>&1", filled(way))).await.expect("runs");
        assert!(!said.contains("access_token"), "{what}: {said}");
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
