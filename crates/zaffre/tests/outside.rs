//! Nothing leaves: the program does everything it is for in a network of its own, whose only way out leads over a wire that is watched.
//!
//! ```text
//! network namespace, made by `unshare`
//!   lo                     where everything is to happen
//!   out 192.0.2.1 ◀─ veth ─▶ wire      the way to every other address: whatever leaves asks first, there, whose it is
//! ```
//!
//! The kernel counts what goes over an interface. The count is 0 in the end; and then it is shown that it would not be, had anything left.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output},
};

use http::Request;
use http_body_util::BodyExt as _;
use rustix::process::Signal;
use serde_json::json;
use zaffre::{
    cloud::CloudId,
    door::Door,
    front::route::{self, Target},
    service::Body,
};

use crate::{
    process::{Up, run},
    world::World,
};

#[test]
fn nothing_leaves_the_loopback_and_the_programs_own_namespaces() {
    let has_ip = Command::new("ip").arg("-V").output().is_ok();
    let is_root = rustix::process::geteuid().is_root();
    if !has_ip || !is_root || guest::probe(&crate::program()).is_err() {
        return eprintln!("left out: it takes root, guests, and `ip` (the package iproute2)");
    }
    let inside = Command::new("unshare")
        .args(["--net", "--"])
        .arg(std::env::current_exe().expect("a path"))
        .args(["--ignored", "--exact", "--nocapture", "outside::everything_in_a_network_of_its_own"])
        .output()
        .expect("runs");
    assert!(inside.status.success(), "{}", text(&inside));
    assert!(text(&inside).contains("1 passed"), "{}", text(&inside));
}

/// Clients go where the cloud's own description sends them, with tokens: each of those hosts is answered or refused here.
#[tokio::test]
async fn every_host_that_the_cloud_names_is_kept_from_leaving() {
    let world = World::new().await;
    let url = "https://management.azure.com/metadata/endpoints?api-version=2022-09-01";
    let request = Request::get(url).body(Body::empty()).expect("a request");
    let response = world.server.send(Door::named(CloudId::DEFAULT), request).await;
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let words = text.split('"').map(|it| it.trim_start_matches("https://"));
    let hosts = words.map(|it| it.split(['/', ':']).next().unwrap_or_default()).filter(|it| it.contains('.'));
    let hosts: BTreeSet<&str> = hosts.collect();
    assert!(hosts.contains("azurecr.io") && hosts.len() > 20, "{hosts:?}");
    for host in hosts {
        assert_ne!(route::by_name(host), Target::Foreign, "{host}");
        assert_ne!(route::by_name(&format!("somebodys.{host}")), Target::Foreign, "a name under {host}");
    }
}

#[test]
#[ignore = "the other half of `nothing_leaves_the_loopback_and_the_programs_own_namespaces`, in a network that it made"]
fn everything_in_a_network_of_its_own() {
    // Neighbour discovery is the kernel's own, and would be counted.
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("is ours to write");
    for words in [
        "link set lo up",
        "link add out type veth peer name wire",
        "address add 192.0.2.1/24 dev out",
        "link set wire up",
        "link set out up",
        "route add default dev out",
    ] {
        let done = Command::new("ip").args(words.split(' ')).output().expect("runs");
        assert!(done.status.success(), "ip {words}: {}", text(&done));
    }
    assert_eq!(sent(), 0);
    let mut up = Up::start(&["--memory", "--guests", "namespaces"]);
    live(&up);
    assert_eq!(sent(), 0, "packets have left");

    let tour = run(up.home.path(), &["tour", "--all"]);
    assert!(tour.status.success(), "{}", text(&tour));
    assert_eq!(sent(), 0, "packets have left");

    // A host that is not Azure's is another's: who asks the proxy for it gets it, and that is what the wire shows.
    curl(&up, &["-m", "1", "http://192.0.2.77/"]);
    assert!(sent() > 0, "it would have been seen");
    assert!(up.signal(Signal::TERM).success());
}

/// What users do with a cloud, and what machines might try.
fn live(up: &Up) {
    let (status, answer) = up.token();
    assert_eq!(status, 200, "{answer}");
    let token = answer["access_token"].as_str().expect("a token");
    up.make_machine(token, "plain");
    up.put(
        token,
        "/providers/Microsoft.Network/virtualNetworks/net",
        &json!({ "location": "westeurope", "properties": { "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
            "subnets": [{ "name": "default", "properties": { "addressPrefix": "10.0.0.0/24" } }] } }),
    );
    let group =
        "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Network";
    up.put(
        token,
        "/providers/Microsoft.Network/networkInterfaces/nic",
        &json!({ "location": "westeurope", "properties": { "ipConfigurations": [{ "name": "ip", "properties": {
            "subnet": { "id": format!("{group}/virtualNetworks/net/subnets/default") } } }] } }),
    );
    up.put(
        token,
        "/providers/Microsoft.Compute/virtualMachines/wired",
        &json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": {
            "hardwareProfile": { "vmSize": "Standard_B1s" },
            "osProfile": { "computerName": "wired", "adminUsername": "azureuser" },
            "networkProfile": { "networkInterfaces": [{ "id": format!("{group}/networkInterfaces/nic") }] } } }),
    );
    for vm in ["plain", "wired"] {
        for (script, says) in MACHINE {
            let done = run(up.home.path(), &["vm", "exec", vm, "--", "bash", "-c", script]);
            assert!(text(&done).contains(says), "{vm}: {script}: {}", text(&done));
            assert_eq!(sent(), 0, "{vm}: {script}");
        }
    }
    // A name of Azure's that nobody here answers to is refused, and never asked for elsewhere.
    for host in ["nobody.vault.azure.net", "no-such-account.blob.core.windows.net", "api.loganalytics.io"] {
        let done = curl(
            up,
            &[
                "-s",
                "-m",
                "5",
                "-o",
                "/dev/null",
                "-w",
                "%{http_connect} %{http_code}",
                &format!("https://{host}/"),
            ],
        );
        assert!(!text(&done).contains("200 200"), "{host}: {}", text(&done));
        assert_eq!(sent(), 0, "{host}");
    }
    for words in [&["status"][..], &["vm", "list"], &["explain"], &["doctor"], &["env"], &["credentials"]] {
        run(up.home.path(), words);
        assert_eq!(sent(), 0, "{words:?}");
    }
}

/// In a machine, with a word of what comes of it.
static MACHINE: &[(&str, &str)] = &[
    (
        "curl -s -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F'",
        "access_token",
    ),
    (
        "curl -s -m 5 https://management.azure.com/subscriptions?api-version=2022-12-01",
        "AuthenticationFailed",
    ),
    ("curl -s -m 1 http://192.0.2.9/ || echo nothing", "nothing"),
    ("curl -s -m 1 https://example.com/ || echo nothing", "nothing"),
    ("getent hosts example.com || echo nothing", "nothing"),
    ("timeout 1 bash -c 'echo x > /dev/udp/8.8.8.8/53'; echo tried", "tried"),
    ("timeout 1 bash -c 'echo x > /dev/udp/255.255.255.255/9'; echo tried", "tried"),
    ("timeout 1 bash -c 'exec 3<>/dev/tcp/192.0.2.1/22' || echo nothing", "nothing"),
];

fn curl(up: &Up, words: &[&str]) -> Output {
    let env = up.env();
    let named = |name: &str| env[name].as_str().expect("is set").to_owned();
    let mut command = Command::new("curl");
    command.args(["--proxy", &named("HTTPS_PROXY"), "--cacert", &named("NODE_EXTRA_CA_CERTS")]);
    command.args(words).output().expect("runs")
}

/// How many packets went out over the interface, by the kernel's count.
fn sent() -> u64 {
    let counts = fs::read_to_string("/proc/self/net/dev").expect("a /proc");
    let line = counts.lines().find_map(|line| line.trim_start().strip_prefix("out:")).expect("the interface");
    // Eight columns are of what came in: bytes and packets are first of either half.
    line.split_whitespace().nth(9).and_then(|it| it.parse().ok()).expect("a count")
}

fn text(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}
