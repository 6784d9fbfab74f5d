//! Machines in virtual networks: found by name, reached by address, as far as security rules let them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{GROUP, World, has_guests};
use zaffre::products::compute::reconcile::Way;

impl World {
    pub(super) async fn network(&self, path: &str, body: Value) -> Value {
        let path = format!("/providers/Microsoft.Network/{path}?api-version=2024-05-01");
        let (status, made) = self.arm("PUT", &path, body).await;
        assert!(matches!(status, 200 | 201), "{made:#}");
        made
    }

    /// A network, and machines with an interface in it.
    pub(super) async fn in_network(&self, network: &str, group: &Value, machines: &[&str]) {
        self.in_network_at(network, "10.0", group, machines).await;
    }

    /// The same, whose addresses begin with these numbers.
    async fn in_network_at(&self, network: &str, begin: &str, group: &Value, machines: &[&str]) {
        let prefix = format!("{begin}.0.0/24");
        let subnet = json!({ "name": "default", "properties": { "addressPrefix": prefix, "networkSecurityGroup": group } });
        let space = json!({ "addressPrefixes": [format!("{begin}.0.0/16")] });
        let body =
            json!({ "location": "westeurope", "properties": { "addressSpace": space, "subnets": [subnet] } });
        let made = self.network(&format!("virtualNetworks/{network}"), body).await;
        let subnet = made["properties"]["subnets"][0]["id"].clone();
        for vm in machines {
            let entry = json!({ "name": "ip", "properties": { "subnet": { "id": subnet } } });
            let body = json!({ "location": "westeurope", "properties": { "ipConfigurations": [entry] } });
            let interface = self.network(&format!("networkInterfaces/{vm}-nic"), body).await;
            let profile = json!({ "networkInterfaces": [{ "id": interface["id"] }] });
            let properties = json!({ "networkProfile": profile, "osProfile": { "computerName": vm, "adminUsername": "azureuser" } });
            let body = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": properties });
            let (status, made) = self.vm("PUT", vm, "", body).await;
            assert_eq!(status, 201, "{made:#}");
            self.done(vm, "").await;
        }
    }

    /// What a script of lines that each say one thing says, by its first word.
    async fn told(&self, vm: &str, script: &str) -> BTreeMap<String, String> {
        let said = self.says(vm, script).await.expect("runs");
        let words = said.lines().filter_map(|line| line.split_once(' '));
        words.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Answers at these ports for as long as the machine runs.
fn serve(ports: &[u16]) -> String {
    let one = |port: &u16| {
        format!(
            "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort => {port}, Listen => 9, ReuseAddr => 1) or die; open O, \">/tmp/up{port}\"; while (my $c = $s->accept) {{ print $c \"hello\\n\"; close $c }}' >/dev/null 2>&1 &"
        )
    };
    let wait = |port: &u16| format!("while ! test -e /tmp/up{port}; do :; done");
    let (starts, waits): (Vec<String>, Vec<String>) =
        (ports.iter().map(one).collect(), ports.iter().map(wait).collect());
    format!("{}\n{}", starts.join("\n"), waits.join("\n"))
}

fn knock(name: &str, port: u16) -> String {
    format!("timeout 1 bash -c 'exec 2>/dev/null; exec 3<>/dev/tcp/{name}/{port} && cat <&3' || echo nobody")
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_a_network_find_each_other_as_rules_let_them() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    let rule = |name: &str, priority: u16, access: &str, ports: &str| {
        json!({ "name": name, "properties": { "priority": priority, "direction": "Inbound", "access": access,
            "protocol": "Tcp", "sourceAddressPrefix": "VirtualNetwork", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": ports } })
    };
    let rules = json!([rule("shut", 200, "Deny", "81-82"), rule("open", 100, "Allow", "82")]);
    let body = json!({ "location": "westeurope", "properties": { "securityRules": rules } });
    let group = world.network("networkSecurityGroups/guard", body).await;
    world.in_network("one", &json!({ "id": group["id"] }), &["net-a", "net-b"]).await;
    world.in_network("two", &Value::Null, &["net-c"]).await;
    for vm in ["net-b", "net-c"] {
        let body = json!({ "commandId": "RunShellScript", "script": [serve(&[80, 81, 82])] });
        let answer = world.runs(vm, body).await;
        assert_eq!(answer["value"][0]["code"], "ProvisioningState/succeeded", "{answer:#}");
    }
    assert_eq!(world.says("net-a", &knock("net-b", 80)).await.as_deref(), Ok("hello\n"));
    assert_eq!(world.says("net-a", &knock("10.0.0.5", 82)).await.as_deref(), Ok("hello\n"));
    assert_eq!(world.says("net-a", &knock("net-b", 81)).await.as_deref(), Ok("nobody\n"));
    // net-c is 10.0.0.4 of its own network.
    assert_eq!(world.says("net-a", &knock("net-c", 80)).await.as_deref(), Ok("nobody\n"));
    assert_eq!(world.says("net-c", &knock("10.0.0.5", 80)).await.as_deref(), Ok("nobody\n"));
    let script = "echo short $(getent ahostsv4 net-b | head -n 1 | cut -d' ' -f1)\n\
                  suffix=$(sed -n 's/^search //p' /etc/resolv.conf); echo suffix $suffix\n\
                  echo whole $(getent ahostsv4 net-b.$suffix | head -n 1 | cut -d' ' -f1)\n\
                  echo own $(getent ahostsv4 net-a | head -n 1 | cut -d' ' -f1)\n\
                  echo back $(getent hosts 10.0.0.5)\n\
                  echo other $(getent hosts net-c || echo unknown)";
    let told = world.told("net-a", script).await;
    let suffix = told["suffix"].clone();
    assert!(suffix.ends_with(".internal.cloudapp.net"), "{suffix}");
    assert_eq!(
        (told["short"].as_str(), told["whole"].as_str(), told["own"].as_str()),
        ("10.0.0.5", "10.0.0.5", "10.0.0.4")
    );
    assert!(told["back"].contains(&format!("net-b.{suffix}")), "{told:?}");
    assert_eq!(told["other"], "unknown");

    let rule = format!(
        "{GROUP}/providers/Microsoft.Network/networkSecurityGroups/guard/securityRules/shut?api-version=2024-05-01"
    );
    let (head, _) = world.raw("DELETE", &rule, Value::Null).await;
    assert!(matches!(head.status.as_u16(), 200 | 202 | 204), "{head:?}");
    world
        .until("a rule that is gone", async || {
            world.says("net-a", &knock("net-b", 81)).await.as_deref() == Ok("hello\n")
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wire_server_says_that_it_is_there() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("wire-m", Value::Null).await;
    let ask = |path: &str| format!("curl -s -H 'x-ms-version: 2012-11-30' 'http://168.63.129.16{path}'");
    let versions = world.says("wire-m", &ask("/?comp=versions")).await.expect("runs");
    assert!(versions.contains("<Preferred>\n    <Version>2015-04-05</Version>"), "{versions}");
    let goal = world.says("wire-m", &ask("/machine/?comp=goalstate")).await.expect("runs");
    assert!(
        goal.contains("<Version>2012-11-30</Version>") && goal.contains("<ExpectedState>Started<"),
        "{goal}"
    );
    let token = world.says("wire-m", &ask("/metadata/identity/oauth2/token")).await.expect("runs");
    assert!(token.contains("WireResourceNotFound"), "{token}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_peered_networks_reach_each_other_while_both_halves_stand() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.in_network("hub", &Value::Null, &["hub-m"]).await;
    world.in_network_at("spoke", "10.1", &Value::Null, &["spoke-m"]).await;
    for vm in ["hub-m", "spoke-m"] {
        world.says(vm, &serve(&[8080])).await.expect("runs");
    }
    let knocks = async |vm: &str, at: &str| world.says(vm, &knock(at, 8080)).await.expect("runs");
    let peer = async |from: &str, to: &str, open: bool| {
        let properties = json!({
            "remoteVirtualNetwork": { "id": format!("{}/providers/Microsoft.Network/virtualNetworks/{to}", GROUP.trim_start_matches("https://management.azure.com")) },
            "allowVirtualNetworkAccess": open,
        });
        let made = world
            .network(
                &format!("virtualNetworks/{from}/virtualNetworkPeerings/to-{to}"),
                json!({ "properties": properties }),
            )
            .await;
        made["properties"]["peeringState"].as_str().expect("a state").to_owned()
    };
    assert_eq!(knocks("hub-m", "10.1.0.4").await, "nobody\n");
    assert_eq!(peer("hub", "spoke", true).await, "Initiated");
    assert_eq!(knocks("hub-m", "10.1.0.4").await, "nobody\n");
    assert_eq!(peer("spoke", "hub", true).await, "Connected");
    let until = async |vm: &'static str, at: &'static str, said: &'static str| {
        world.until(said, async || knocks(vm, at).await == said).await;
    };
    until("hub-m", "10.1.0.4", "hello\n").await;
    until("spoke-m", "10.0.0.4", "hello\n").await;
    assert_eq!(knocks("hub-m", "spoke-m").await, "nobody\n", "names are one network's");

    // One network's machines may begin nothing in the other; the other's may, and are answered.
    assert_eq!(peer("spoke", "hub", false).await, "Connected");
    until("spoke-m", "10.0.0.4", "nobody\n").await;
    let path = "/providers/Microsoft.Network/virtualNetworks/hub/virtualNetworkPeerings/to-spoke?api-version=2024-05-01";
    world.arm("DELETE", path, Value::Null).await;
    until("hub-m", "10.1.0.4", "nobody\n").await;
    world.end().await;
}
