//! The categories beside identities: the attested document, scheduled events, the load balancer's metadata; and how often may
//! be asked.

use azure::text::base64_decode;

use super::*;
use crate::{
    cloud::{Chance, Charter, Clock, Cloud},
    env::{Env, Limits, LogFormat, Settings},
    front::ca::Authority,
    keys::Keyring,
    resources::scheduled_events::{self, EventSource, EventType},
    store::{Content, Store},
};

impl World {
    /// Stores a resource of any type.
    async fn store(&self, id: &str, kind: &str, sku: Option<&str>, properties: Value) {
        let mut resource = Resource::new(id.parse().expect("an id"), kind, Guid([2; 16]), NOW);
        resource.properties = properties.as_object().expect("an object").clone();
        resource.sku = sku.map(|name| json!({ "name": name }));
        self.cx().write(|txn| resources::put(txn, &resource)).await.expect("is stored");
    }

    /// Changes one that is stored.
    async fn change_stored(&self, id: &str, change: impl Fn(&mut Resource)) {
        let id = id.parse().expect("an id");
        let cx = self.cx();
        let wrote = cx.write(|txn| {
            let mut resource = resources::get(txn, &id)?.expect("is there");
            change(&mut resource);
            resources::put(txn, &resource)
        });
        wrote.await.expect("is stored");
    }
}

/// A world that keeps the platform's limits.
async fn limited() -> World {
    let settings = Settings { log: LogFormat::Off, limits: Limits::Platform, ..Settings::default() };
    let keys = Keyring::shared(crate::test_key(NOW));
    let server = Server::over(Env::new(Store::in_memory(), Content::in_memory(), keys, settings));
    let cloud = Cloud {
        id: CloudId::DEFAULT,
        charter: Charter::contoso(NOW),
        clock: Clock::set(NOW),
        chance: Chance::seeded(1),
    };
    server.open(cloud).await.expect("opens");
    World::on(server).await
}

/// What `openssl` says of a message, trusting our authority alone. It is on every machine that builds this.
fn openssl(message: &[u8], authority: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("message"), message).expect("is written");
    std::fs::write(at("authority"), authority).expect("is written");
    let verify = std::process::Command::new("openssl")
        .args(["cms", "-verify", "-inform", "DER", "-purpose", "any", "-in"])
        .arg(at("message"))
        .arg("-CAfile")
        .arg(at("authority"))
        .output()
        .expect("openssl runs");
    (verify.status.success(), String::from_utf8_lossy(&verify.stdout).into_owned())
}

#[tokio::test]
async fn openssl_verifies_the_attested_document_and_refuses_one_with_a_changed_byte() {
    let world = furnished().await;
    let answer = world.get("/metadata/attested/document?api-version=2020-09-01&nonce=1234567890").await;
    assert_eq!((answer.status, answer.text("encoding")), (200, "pkcs7"), "{}", answer.text);
    let message = base64_decode(answer.text("signature")).expect("is base64");
    let authority = world.server.env.authority.get().expect("has one").certificate().to_owned();

    let (is_good, content) = openssl(&message, &authority);
    assert!(is_good);
    let content: Value = serde_json::from_str(&content).expect("is JSON");
    let expected = json!({
        "nonce": "1234567890",
        "plan": { "name": "", "product": "", "publisher": "" },
        "timeStamp": { "createdOn": "11/21/26 23:02:54 -0000", "expiresOn": "11/22/26 05:02:54 -0000" },
        "vmId": VM_ID.to_string(),
        "subscriptionId": DEFAULT_SUBSCRIPTION,
        "sku": "22_04-lts-gen2",
        "licenseType": "",
    });
    assert_eq!(content, expected);

    let at = message.windows(10).position(|part| part == b"1234567890").expect("the content is inside");
    let mut changed = message.clone();
    changed[at] = b'9';
    assert!(!openssl(&changed, &authority).0);
    let stranger = Authority::in_memory(|| Clock::System.now()).expect("an authority");
    assert!(!openssl(&message, stranger.certificate()).0, "somebody else's authority");
}

/// What the message says, its signature unseen.
fn attested(answer: &Answer) -> Value {
    let message = base64_decode(answer.text("signature")).expect("is base64");
    let from = message.windows(9).position(|part| part == b"{\"nonce\":").expect("holds the document");
    let mut documents = serde_json::Deserializer::from_slice(&message[from..]).into_iter::<Value>();
    documents.next().expect("a document").expect("is JSON")
}

#[tokio::test]
async fn the_attested_document_grows_with_the_versions_and_makes_a_nonce_of_the_time() {
    let world = furnished().await;
    for (version, members) in [
        ("2018-10-01", &["nonce", "plan", "timeStamp", "vmId"][..]),
        ("2019-04-30", &["nonce", "plan", "timeStamp", "vmId", "subscriptionId"][..]),
        ("2019-11-01", &["nonce", "plan", "timeStamp", "vmId", "subscriptionId", "sku"][..]),
        ("2025-04-07", &["nonce", "plan", "timeStamp", "vmId", "subscriptionId", "sku", "licenseType"][..]),
    ] {
        let answer = world.get(&format!("/metadata/attested/document?api-version={version}")).await;
        let document = attested(&answer);
        assert_eq!(document["nonce"], "20261121-230254");
        let names: Vec<&String> = document.as_object().expect("an object").keys().collect();
        assert_eq!(names, members, "{version}");
    }
    for bad in ["nonce=", "nonce=12-34", "nonce=123456789012345678901234567890123"] {
        let answer = world.get(&format!("/metadata/attested/document?api-version=2020-09-01&{bad}")).await;
        assert_eq!((answer.status, answer.text("error")), (400, codes::BAD_NONCE.template), "{bad}");
    }
    let early = world.get("/metadata/attested/document?api-version=2018-02-01").await;
    assert_eq!(early.status, 400, "before the category was there");
}

#[tokio::test]
async fn whoever_checks_a_document_finds_the_issuer_where_the_signer_says() {
    let world = World::new().await;
    let answer = world.get("/metadata/attested/document?api-version=2020-09-01").await;
    let message = base64_decode(answer.text("signature")).expect("is base64");
    let named = String::from_utf8_lossy(&message);
    let url = "http://metadata.azure.com/certificates/authority.cer";
    assert!(named.contains(url) && named.contains("*.metadata.azure.com"));
    let request = Request::builder().uri(url).header("host", "metadata.azure.com");
    let door = Door::at(CloudId::DEFAULT, Entrance::Named);
    let (head, body) = world
        .server
        .send(door, request.body(Body::from(String::new())).expect("a request"))
        .await
        .into_parts();
    let body = body.collect().await.expect("the body comes whole").to_bytes();
    let authority = world.server.env.authority.get().expect("has one");
    assert_eq!(head.status, 200);
    assert_eq!(body.to_vec(), authority.certificate_der().expect("is PEM"));
}

#[tokio::test]
async fn a_machine_behind_a_load_balancer_learns_what_leads_to_it() {
    let world = furnished().await;
    let path = "/metadata/loadbalancer?api-version=2020-10-01";
    let none = world.get(path).await;
    assert_eq!((none.status, none.text("error")), (404, codes::NO_LOAD_BALANCER.template));

    let network = format!("{}/Microsoft.Network", group());
    let balancer = format!("{network}/loadBalancers/lb");
    let reference = |part: &str| json!({ "id": format!("{balancer}/{part}") });
    let frontend = reference("frontendIPConfigurations/public");
    let properties = json!({
        "frontendIPConfigurations": [
            { "id": frontend["id"], "properties": { "publicIPAddress": { "id": format!("{network}/publicIPAddresses/lbip") } } },
        ],
        "loadBalancingRules": [
            { "properties": {
                "frontendIPConfiguration": frontend, "backendAddressPool": reference("backendAddressPools/pool"),
                "protocol": "Tcp", "frontendPort": 80, "backendPort": 8080,
            } },
            { "properties": {
                "frontendIPConfiguration": frontend, "backendAddressPool": reference("backendAddressPools/other"),
                "protocol": "Tcp", "frontendPort": 81, "backendPort": 8081,
            } },
        ],
        "inboundNatRules": [
            { "id": format!("{balancer}/inboundNatRules/ssh"), "properties": {
                "frontendIPConfiguration": frontend, "protocol": "Tcp", "frontendPort": 2222, "backendPort": 22,
            } },
        ],
        "outboundRules": [
            { "properties": { "frontendIPConfigurations": [frontend], "backendAddressPool": reference("backendAddressPools/pool") } },
        ],
    });
    world.store(&balancer, "Microsoft.Network/loadBalancers", Some("Standard"), properties).await;
    let address = json!({ "ipAddress": "20.0.0.1" });
    world
        .store(
            &format!("{network}/publicIPAddresses/lbip"),
            "Microsoft.Network/publicIPAddresses",
            Some("Standard"),
            address,
        )
        .await;
    world
        .change_stored(&format!("{network}/networkInterfaces/nic1"), |nic| {
            let configuration = &mut nic.properties["ipConfigurations"][0]["properties"];
            configuration["loadBalancerBackendAddressPools"] = json!([reference("backendAddressPools/pool")]);
            configuration["loadBalancerInboundNatRules"] = json!([reference("inboundNatRules/ssh")]);
        })
        .await;
    let rule = |frontend: u16, backend: u16| {
        json!({
            "frontendIpAddress": "20.0.0.1", "protocol": "tcp", "frontendPort": frontend, "backendPort": backend,
            "privateIpAddress": "10.0.0.4",
        })
    };
    let expected = json!({ "loadbalancer": {
        "publicIpAddresses": [],
        "inboundRules": [rule(80, 8080), rule(2222, 22)],
        "outboundRules": [{ "frontendIpAddress": "20.0.0.1", "privateIpAddress": "10.0.0.4" }],
    } });
    assert_eq!(world.get(path).await.body, expected);

    world.change_stored(&balancer, |it| it.sku = Some(json!({ "name": "Basic" }))).await;
    assert_eq!(world.get(path).await.status, 404, "the Basic kind has no metadata");
}

#[tokio::test]
async fn a_machine_that_asks_too_often_waits_a_second_where_the_platforms_limits_are_kept() {
    let free = World::new().await;
    free.attach(true, &[]).await;
    for _ in 0..30 {
        assert_eq!(free.get(TOKEN).await.status, 200, "no limits unless they were asked for");
    }
    let world = limited().await;
    world.attach(true, &[]).await;
    let other = "/metadata/instance?api-version=2021-02-01";
    for (path, most) in [(TOKEN, 20), (other, 5)] {
        for _ in 0..most {
            assert_eq!(world.get(path).await.status, 200, "{path}");
        }
        let refused = world.get(path).await;
        assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"1".parse().expect("a header")));
    }
    let refused = world.get(TOKEN).await;
    assert_eq!(refused.refusal(), (429, "too_many_requests", codes::TOO_MANY_REQUESTS.template));
    let cloud = world.server.cloud(CloudId::DEFAULT).expect("is open");
    cloud.clock.move_to(NOW.plus(Duration::from_secs(1)));
    assert_eq!(world.get(TOKEN).await.status, 200, "the next second");
}

const EVENTS: &str = "/metadata/scheduledevents?api-version=";

impl World {
    async fn announce(&self, event: EventType, notice: u64, id: Guid) {
        let (cx, what) = (self.cx(), (event, EventSource::Platform));
        let notice = Duration::from_secs(notice);
        let announced = cx.write(|txn| scheduled_events::schedule(txn, &self.vm, what, (id, cx.now, notice)));
        announced.await.expect("is announced");
    }

    fn pass(&self, seconds: u64) {
        let clock = &self.server.cloud(CloudId::DEFAULT).expect("is open").clock;
        clock.move_to(clock.now().plus(Duration::from_secs(seconds)));
    }

    /// Incarnation, and each event's type and status.
    async fn events(&self) -> (Value, Vec<String>) {
        let body = self.get(&format!("{EVENTS}2020-07-01")).await.body;
        let shown = |it: &Value| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", text("EventType"), text("EventStatus"), text("NotBefore"))
                .trim_end()
                .to_owned()
        };
        (
            body["DocumentIncarnation"].clone(),
            body["Events"].as_array().expect("a list").iter().map(shown).collect(),
        )
    }

    async fn start(&self, body: &str) -> Answer {
        let path = format!("{EVENTS}2020-07-01");
        self.send(self.door(), "POST", &path, &[("Metadata", "true")], body.to_owned()).await
    }
}

#[tokio::test]
async fn an_event_is_scheduled_then_started_then_gone_and_each_step_is_a_new_incarnation() {
    let world = World::new().await;
    assert_eq!(world.events().await, (json!(0), vec![]));
    world.announce(EventType::Reboot, 900, Guid([5; 16])).await;
    let told = (json!(1), vec!["Reboot Scheduled Sat, 21 Nov 2026 23:17:54 GMT".to_owned()]);
    assert_eq!(world.events().await, told);
    world.pass(899);
    assert_eq!(world.events().await, told);
    world.pass(1);
    assert_eq!(world.events().await, (json!(2), vec!["Reboot Started".to_owned()]));
    world.pass(60);
    assert_eq!(world.events().await, (json!(3), vec![]));
}

#[tokio::test]
async fn an_acknowledged_event_starts_at_once_and_only_the_machines_own_can_be_acknowledged() {
    let world = World::new().await;
    let (id, other) = (Guid([5; 16]), Guid([6; 16]));
    world.announce(EventType::Freeze, 900, id).await;
    for (body, row) in [
        (String::new(), &codes::BAD_START_REQUESTS),
        ("{".to_owned(), &codes::BAD_START_REQUESTS),
        (json!({ "StartRequests": [] }).to_string(), &codes::BAD_START_REQUESTS),
        (json!({ "StartRequests": [{ "EventId": "x" }] }).to_string(), &codes::BAD_START_REQUESTS),
        (
            json!({ "StartRequests": [{ "EventId": id }, { "EventId": other }] }).to_string(),
            &codes::NO_SUCH_EVENT,
        ),
    ] {
        let answer = world.start(&body).await;
        assert_eq!((answer.status, answer.text("error")), (400, row.template), "{body}");
    }
    assert_eq!(world.events().await.0, json!(1), "nothing has begun");
    // Clients send back what they were given, in capitals.
    let request = json!({ "StartRequests": [{ "EventId": id.to_string().to_uppercase() }] }).to_string();
    let answer = world.start(&request).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.events().await, (json!(2), vec!["Freeze Started".to_owned()]));
    assert_eq!(world.start(&request).await.status, 200, "again");
    world.pass(9);
    assert_eq!(world.events().await, (json!(3), vec![]));
    assert_eq!(world.start(&request).await.status, 400, "it is over");
}

#[tokio::test]
async fn what_is_told_of_an_event_grows_with_the_versions() {
    let world = World::new().await;
    for (at, event) in [EventType::Freeze, EventType::Preempt, EventType::Terminate].into_iter().enumerate() {
        world.announce(event, 900 + at as u64, Guid([at as u8 + 1; 16])).await;
    }
    let base = ["EventId", "EventStatus", "EventType", "ResourceType", "Resources", "NotBefore"];
    for (version, name, types, more) in [
        ("2017-03-01", "_VM1", &["Freeze"][..], &[][..]),
        ("2017-08-01", "VM1", &["Freeze"][..], &[][..]),
        ("2017-11-01", "VM1", &["Freeze", "Preempt"][..], &[][..]),
        ("2019-01-01", "VM1", &["Freeze", "Preempt", "Terminate"][..], &[][..]),
        ("2019-04-01", "VM1", &["Freeze", "Preempt", "Terminate"][..], &["Description"][..]),
        ("2019-08-01", "VM1", &["Freeze", "Preempt", "Terminate"][..], &["Description", "EventSource"][..]),
        (
            "2020-07-01",
            "VM1",
            &["Freeze", "Preempt", "Terminate"][..],
            &["Description", "EventSource", "DurationInSeconds"][..],
        ),
    ] {
        let body = world.get(&format!("{EVENTS}{version}")).await.body;
        let events = body["Events"].as_array().expect("a list");
        let found: Vec<&str> = events.iter().filter_map(|it| it["EventType"].as_str()).collect();
        assert_eq!(found, types, "{version}");
        let members: Vec<&String> = events[0].as_object().expect("an object").keys().collect();
        assert_eq!(members, [&base[..], more].concat(), "{version}");
        assert_eq!(events[0]["Resources"], json!([name]), "{version}");
        assert!(body["DocumentIncarnation"].is_u64(), "{version}");
    }
    for version in ["2020-09-01", "2021-02-01", ""] {
        assert_eq!(
            world.get(&format!("{EVENTS}{version}")).await.status,
            400,
            "{version}: another category's"
        );
    }
}

#[tokio::test]
async fn events_of_long_ago_are_forgotten_and_still_counted() {
    let world = World::new().await;
    for at in 1..=5 {
        world.announce(EventType::Freeze, 0, Guid([at; 16])).await;
        let cx = world.cx();
        cx.write(|txn| scheduled_events::done(txn, &world.vm, Guid([at; 16]))).await.expect("is done");
        world.pass(10);
    }
    assert_eq!(world.events().await, (json!(15), vec![]));
    let kept = world.cx().read(|txn| scheduled_events::of(txn, &world.vm)).await.expect("reads");
    assert_eq!(kept.len(), 1);
}
