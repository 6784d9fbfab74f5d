//! What listens in a machine, reached at the machine's public address as far as its rules let in who comes from outside.

use std::net::{SocketAddr, SocketAddrV4};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use zaffre::{cloud::CloudId, products::compute::reconcile::Way};

use super::{World, has_guests};

const GROUP_RULES: &str = "networkSecurityGroups/open/securityRules";

/// A machine with a public address, behind a group of its own.
struct Site {
    world: World,
    vm: &'static str,
    address: String,
}

/// Says to each who comes where that one comes from, and then what it hears, for as long as it hears anything. `once` ends its listening with
/// the first one.
fn serve(port: u16, once: bool) -> String {
    let after = if once { "close $s;" } else { "" };
    format!(
        "sudo setsid perl -MIO::Socket::INET -MIO::Handle -e 'my $s = IO::Socket::INET->new(LocalPort => {port}, Listen => 9, ReuseAddr => 1) or die; while (my $c = $s->accept) {{ {after} $c->autoflush; print $c $c->peerhost, \"\\n\"; while (<$c>) {{ print $c \"heard $_\" }} close $c; {} }}' >/dev/null 2>&1 &",
        if once { "exit" } else { "" }
    )
}

impl Site {
    async fn new(vm: &'static str) -> Site {
        let world = World::new(Way::Namespaces).await;
        let put = async |path: &str, properties: Value| {
            let body =
                json!({ "location": "westeurope", "properties": properties, "sku": { "name": "Standard" } });
            let path = format!("/providers/Microsoft.Network/{path}?api-version=2024-05-01");
            let (status, made) = world.arm("PUT", &path, body).await;
            assert!(matches!(status, 200 | 201), "{made:#}");
            made
        };
        let subnet = json!({ "name": "default", "properties": { "addressPrefix": "10.0.0.0/24" } });
        let space = json!({ "addressPrefixes": ["10.0.0.0/16"] });
        let network =
            put("virtualNetworks/vnet", json!({ "addressSpace": space, "subnets": [subnet] })).await;
        let group = put("networkSecurityGroups/open", json!({})).await;
        let ip = put("publicIPAddresses/ip", json!({ "publicIPAllocationMethod": "Static" })).await;
        let configuration = json!({
            "subnet": { "id": network["properties"]["subnets"][0]["id"] },
            "publicIPAddress": { "id": ip["id"] },
        });
        let entry = json!({ "name": "ip", "properties": configuration });
        let group = json!({ "id": group["id"] });
        let nic = json!({ "ipConfigurations": [entry], "networkSecurityGroup": group });
        let nic = put("networkInterfaces/nic", nic).await;
        let properties = json!({
            "networkProfile": { "networkInterfaces": [{ "id": nic["id"] }] },
            "osProfile": { "computerName": vm, "adminUsername": "azureuser" },
        });
        let body = json!({ "location": "westeurope", "properties": properties });
        assert_eq!(world.vm("PUT", vm, "", body).await.0, 201);
        world.done(vm, "").await;
        let address = ip["properties"]["ipAddress"].as_str().expect("an address").to_owned();
        Site { world, vm, address }
    }

    async fn rule(&self, name: &str, priority: u16, access: &str, ports: &str) {
        let properties = json!({
            "priority": priority, "access": access, "direction": "Inbound", "protocol": "Tcp",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": ports,
        });
        let path = format!("/providers/Microsoft.Network/{GROUP_RULES}/{name}?api-version=2024-05-01");
        let (status, made) = self.world.arm("PUT", &path, json!({ "properties": properties })).await;
        assert!(matches!(status, 200 | 201), "{made:#}");
    }

    async fn drop_rule(&self, name: &str) {
        let path = format!("/providers/Microsoft.Network/{GROUP_RULES}/{name}?api-version=2024-05-01");
        self.world.arm("DELETE", &path, Value::Null).await;
    }

    /// Where the machine's door for a port is, if it is open.
    fn door(&self, port: u16) -> Option<SocketAddr> {
        let public = SocketAddrV4::new(self.address.parse().expect("an address"), port);
        self.world.server.env.public_doors.find(CloudId::DEFAULT, public)
    }

    async fn opens(&self, port: u16) -> SocketAddr {
        self.world.until("an open door", async || self.door(port).is_some()).await;
        self.door(port).expect("it is open")
    }

    async fn closes(&self, port: u16) {
        self.world.until("a closed door", async || self.door(port).is_none()).await;
    }
}

/// What a connection is told first, and the connection.
async fn greeted(at: SocketAddr) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(at).await.expect("it is open");
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(stream.read_u8().await.expect("a greeting"));
    }
    (String::from_utf8(line).expect("text"), stream)
}

async fn asks(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(b"you\n").await?;
    let mut heard = [0; 10];
    stream.read_exact(&mut heard).await?;
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listens_in_a_machine_is_open_at_its_public_address_as_its_rules_say() {
    if !has_guests() {
        return;
    }
    let site = Site::new("web-m").await;
    site.world.says(site.vm, &serve(80, false)).await.expect("runs");
    site.rule("web", 900, "Allow", "80-90").await;
    let at = site.opens(80).await;
    assert_eq!(at.ip().to_string(), site.address);
    let (greeting, mut stream) = greeted(at).await;
    assert_eq!(greeting, "192.0.2.1\n", "who comes from outside is nobody in the network");
    assert_eq!(asks(&mut stream).await.expect("it answers"), "heard you\n");
    // Nothing listens at the others that are let in.
    assert_eq!((site.door(81), site.door(22)), (None, None));

    // No rule lets anybody in any more: the door is shut, and whoever was in is out.
    site.drop_rule("web").await;
    site.closes(80).await;
    assert!(asks(&mut stream).await.is_err());
    assert!(TcpStream::connect(at).await.is_err());

    // As wide as can be, but for what listens: one that is denied, and the SSH server's.
    site.rule("all", 1000, "Allow", "*").await;
    site.rule("not-this", 500, "Deny", "8443").await;
    site.world.says(site.vm, &[serve(8443, false), serve(8444, false)].concat()).await.expect("runs");
    site.opens(8444).await;
    let ssh = site.opens(22).await;
    let open: Vec<u16> =
        site.world.server.env.public_doors.of(CloudId::DEFAULT).iter().map(|it| it.0.port()).collect();
    assert_eq!(open, [22, 80, 8444]);
    assert_ne!(Some(ssh), site.door(80));

    let (_, mut stream) = greeted(site.opens(80).await).await;
    site.world.vm("POST", site.vm, "/deallocate", Value::Null).await;
    site.closes(80).await;
    assert!(asks(&mut stream).await.is_err());
    assert!(site.world.server.env.public_doors.of(CloudId::DEFAULT).is_empty());
    site.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_listens_no_more_keeps_whom_it_serves() {
    if !has_guests() {
        return;
    }
    let site = Site::new("once-m").await;
    site.rule("web", 900, "Allow", "8080").await;
    site.world.says(site.vm, &serve(8080, true)).await.expect("runs");
    let (_, mut stream) = greeted(site.opens(8080).await).await;
    site.closes(8080).await;
    assert_eq!(asks(&mut stream).await.expect("it answers"), "heard you\n");
    // The end of what is sent is passed on, and the end of what is answered comes back.
    stream.shutdown().await.expect("half of it closes");
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.expect("ends well"), 0);
    site.world.end().await;
}
