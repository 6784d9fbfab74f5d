//! Machines that run: what is written is followed, in real guests. Where this machine allows none, each test says so and ends.

mod doctor;
mod egress;
mod first_boot;
mod identities;
mod leaks;
mod networks;
mod ordinary_user;
mod public;
mod shells;
mod simulated;
mod ssh;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use azure::ids::ResourceId;
use http::Request;
use http_body_util::BodyExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use zaffre::{
    Server,
    cloud::{Clock, CloudId, DEFAULT_SUBSCRIPTION},
    control::{Run, Running},
    door::Door,
    env::{Egress, LogFormat, Settings},
    front::{
        ca::Authority,
        connection::{Closer, Front, Limits},
        guest_doors::{self, Inside},
        listen::Ports,
        outside::{self, Outside},
        public_doors, ssh_doors,
    },
    host::{Command, Exit, Share},
    products::compute::reconcile::{Reconciler, Setup, Way, Whose},
    service::Body,
    store::{Content, Store},
};

const TOKEN: &str = "curl -s -H Metadata:true 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F'";

/// The default subscription's, where everything here is.
const GROUP: &str =
    "https://management.azure.com/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg";

/// A cloud whose machines run, and its owner.
struct World {
    server: Arc<Server>,
    machines: Reconciler,
    closer: Closer,
    folder: TempDir,
    token: String,
}

impl World {
    async fn new(way: Way) -> World {
        World::over(Store::in_memory(), way).await
    }

    async fn over(store: Store, way: Way) -> World {
        World::with(store, way, &crate::program(), &[0]).await
    }

    /// With an init of its own, and the ports that SSH servers try.
    async fn with(store: Store, way: Way, init: &Path, ssh_ports: &'static [u16]) -> World {
        World::let_out(store, way, init, ssh_ports, None).await
    }

    /// Whose machines reach this world outside.
    async fn let_out(
        store: Store,
        way: Way,
        init: &Path,
        ssh_ports: &'static [u16],
        outside: Option<Arc<dyn outside::World>>,
    ) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings { log: LogFormat::Off, ..Settings::default() };
        let server = Server::start(store, Content::in_memory(), settings).await.expect("starts");
        if let Some(outside) = outside.and_then(|it| Outside::new(Egress::Internet, it, LogFormat::Off)) {
            let _ = server.env.outside.set(outside);
        }
        let authority =
            Arc::new(Authority::open(folder.path(), || Clock::System.now()).expect("an authority"));
        let (front, closer) =
            Front::new(Arc::clone(&server), Arc::clone(&authority), Limits::default()).expect("a front");
        let served = front.clone();
        let serve_ssh = move |address, server| {
            let (at, door) = ssh_doors::open(&served, address, ssh_ports, server)?;
            Ok((at, Box::new(door) as _))
        };
        let served = front.clone();
        let serve_public = move |public, cut: &_, let_in| {
            let (at, door) = public_doors::open(&served, public, Ports::Any, cut, let_in)?;
            Ok((at, Box::new(door) as _))
        };
        let serve = move |whose: &Whose, sockets| {
            let inside = Inside {
                cloud: whose.cloud,
                vm: whose.vm.clone(),
                vm_id: whose.vm_id,
                hostname: whose.hostname.clone(),
                address: whose.address,
                network: whose.network.clone(),
                service: guest::SERVICE_ADDRESS,
            };
            Ok(Box::new(guest_doors::serve(&front, &inside, sockets)?) as _)
        };
        let setup = Setup {
            way: Some(way),
            ca_bundle: authority.certificate().to_owned(),
            init: init.into(),
            rootfs: None,
            serve: Box::new(serve),
            serve_ssh: Box::new(serve_ssh),
            serve_public: Box::new(serve_public),
        };
        let machines = Reconciler::start(&server, setup);
        let mut world = World { server, machines, closer, folder, token: String::new() };
        world.token = world.sign_in().await;
        world.arm("PUT", "?api-version=2021-04-01", json!({ "location": "westeurope" })).await;
        world
    }

    async fn end(self) {
        self.machines.stop().await;
        self.closer.close().await;
    }

    /// As `zaffre up` does, for whoever asks for the variables of clients. No proxy is there.
    fn says_where_it_is(&self) {
        let proxy = ("proxy".to_owned(), "127.0.0.1:10080".parse().expect("an address"));
        self.server.env.running.get_or_init(|| {
            Running::new(Run {
                pid: 1,
                version: String::new(),
                data: None,
                control: PathBuf::new(),
                ca: PathBuf::new(),
                bundle: PathBuf::new(),
                offline: true,
                public_address: None,
                egress: Default::default(),
                addresses: BTreeMap::from([proxy]),
            })
        });
    }

    async fn sign_in(&self) -> String {
        let credentials = self.server.credentials(CloudId::DEFAULT).expect("a cloud");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            credentials.client_id,
            azure::text::percent_encode(&credentials.client_secret)
        );
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", credentials.tenant);
        let request = Request::post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form));
        let (_, answer) = self.send(request.expect("a request")).await;
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let (head, body) = self.whole(request).await;
        (head.status.as_u16(), body)
    }

    async fn whole(&self, request: Request<Body>) -> (http::response::Parts, Value) {
        let response = self.server.send(Door::named(CloudId::DEFAULT), request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn arm(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let (head, body) = self.raw(method, &format!("{GROUP}{path}"), body).await;
        (head.status.as_u16(), body)
    }

    async fn raw(&self, method: &str, url: &str, body: Value) -> (http::response::Parts, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body);
        self.whole(request.expect("a request")).await
    }

    async fn vm(&self, method: &str, vm: &str, rest: &str, body: Value) -> (u16, Value) {
        let path = format!("/providers/Microsoft.Compute/virtualMachines/{vm}{rest}?api-version=2024-07-01");
        self.arm(method, &path, body).await
    }

    async fn make(&self, vm: &str, identity: Value) -> Value {
        let (status, made) = self
            .vm("PUT", vm, "", json!({ "location": "westeurope", "identity": identity, "properties": {} }))
            .await;
        assert_eq!(status, 201, "{made:#}");
        self.done(vm, "").await;
        made
    }

    /// Waits until what is under way is over, however busy this host is: an answer itself waits a second.
    async fn done(&self, vm: &str, rest: &str) {
        let mut reports = self.server.env.follower.reports();
        for _ in 0..400 {
            let (_, shown) = self.vm("GET", vm, rest, Value::Null).await;
            if shown["properties"]["provisioningState"] == "Succeeded" {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), reports.changed()).await;
        }
        panic!("`{vm}{rest}` never succeeded");
    }

    /// As the machine behind the door: whatever is announced to it may begin now.
    async fn lets_begin(&self, door: &Door) {
        let ask = async |method: &str, body: String| {
            let request = Request::builder()
                .method(method)
                .uri("/metadata/scheduledevents?api-version=2020-07-01")
                .header("host", "169.254.169.254")
                .header("metadata", "true")
                .body(Body::from(body));
            let response = self.server.send(door.clone(), request.expect("a request")).await;
            let bytes = response.into_body().collect().await.expect("a body").to_bytes();
            serde_json::from_slice::<Value>(&bytes).unwrap_or(Value::Null)
        };
        let event = ask("GET", String::new()).await["Events"][0]["EventId"].clone();
        ask("POST", json!({ "StartRequests": [{ "EventId": event }] }).to_string()).await;
    }

    /// What run command says in the end; the operation's error where there is one.
    async fn runs(&self, vm: &str, body: Value) -> Value {
        self.runs_at(&format!("/virtualMachines/{vm}"), body).await
    }

    async fn runs_at(&self, machine: &str, body: Value) -> Value {
        let url = format!("{GROUP}/providers/Microsoft.Compute{machine}/runCommand?api-version=2024-07-01");
        let (head, _) = self.raw("POST", &url, body).await;
        assert_eq!(head.status.as_u16(), 202);
        let result = head.headers["location"].to_str().expect("text").to_owned();
        let mut answer = Value::Null;
        self.until("the end of the script", async || {
            let (head, body) = self.raw("GET", &result, Value::Null).await;
            answer = body;
            head.status.as_u16() != 202
        })
        .await;
        answer
    }

    /// What a script prints in a machine; the error where it cannot be run.
    async fn says(&self, vm: &str, script: &str) -> Result<String, String> {
        self.says_with(vm, script, Vec::new()).await
    }

    async fn says_with(&self, vm: &str, script: &str, shares: Vec<Share>) -> Result<String, String> {
        let guests = self.server.env.guests.get().expect("somebody runs machines");
        let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
        let command = Command { argv, env: Vec::new(), as_root: false, tty: None, shares };
        let mut exec =
            guests.exec(CloudId::DEFAULT, &id(vm), command).await.map_err(|error| error.to_string())?;
        let mut said = String::new();
        exec.stdout.read_to_string(&mut said).await.map_err(|error| error.to_string())?;
        match exec.exit.await {
            Ok(Exit::Code(_)) => Ok(said),
            other => Err(format!("{other:?}")),
        }
    }

    /// Waits until something that the reconciler does has been done.
    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let mut reports = self.server.env.follower.reports();
        for _ in 0..400 {
            if is_so().await {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), reports.changed()).await;
        }
        panic!("{what} never came about");
    }
}

fn id(vm: &str) -> ResourceId {
    let text = format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{vm}"
    );
    ResourceId::parse(&text).expect("an id")
}

/// The host's numbers of the processes that live in a guest of this host name. Those of an ordinary user are not root's: the same tests may be run
/// by one beside these (`ordinary_user`).
fn processes_of(hostname: &str) -> Vec<i32> {
    let all = fs::read_dir("/proc").expect("a /proc").filter_map(Result::ok);
    let numbers = all.filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok());
    let is_inside = |pid: &i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/root/etc/hostname")).unwrap_or_default();
        name.trim() == hostname && (is_nobody("self") || !is_nobody(&pid.to_string()))
    };
    numbers.filter(is_inside).collect()
}

fn is_nobody(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let uid = status.lines().find_map(|it| it.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    uid == Some(ordinary_user::NOBODY)
}

/// The init that buries this process.
fn init_above(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|it| it.strip_prefix("PPid:"))?.trim().parse().ok()?;
    let cmdline = fs::read_to_string(format!("/proc/{parent}/cmdline")).ok()?;
    cmdline.starts_with("zaffre-guest-init").then_some(parent)
}

/// Whether guests are allowed here; says why not.
fn has_guests() -> bool {
    let refused = guest::probe(&crate::program()).err();
    if let Some(refused) = &refused {
        assert!(std::env::var_os("ZAFFRE_REQUIRE_GUESTS").is_none(), "no guests here: {refused}");
        eprintln!("left out: this machine allows no guests: {refused}");
    }
    refused.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_gets_its_own_token_and_no_other_machines() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    let first = world.make("one-m", json!({ "type": "SystemAssigned" })).await;
    world.make("two-m", Value::Null).await;
    let token: Value = serde_json::from_str(&world.says("one-m", TOKEN).await.expect("runs")).expect("JSON");
    let client = token["client_id"].as_str().expect("a client id");
    let claims = token["access_token"].as_str().and_then(|it| it.split('.').nth(1)).expect("a token");
    let claims = azure::text::base64url_decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["oid"], first["identity"]["principalId"]);
    for script in [TOKEN.to_owned(), TOKEN.replace("resource=", &format!("client_id={client}&resource="))] {
        let refused = world.says("two-m", &script).await.expect("runs");
        assert!(refused.contains("Identity not found"), "{refused}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_init_dies_is_booted_again() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("killed-m", Value::Null).await;
    // Whoever is not root here sees what runs in it, and that its parent is the init.
    world.says("killed-m", "touch ~/mark; setsid sleep 1000 >/dev/null 2>&1 &").await.expect("runs");
    let mut victims = processes_of("killed-m");
    victims.extend(victims.clone().into_iter().filter_map(init_above));
    assert!(victims.len() > 1, "it has processes, and its init");
    for pid in victims {
        let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL);
    }
    world
        .until("another boot", async || {
            matches!(world.says("killed-m", "test -e ~/mark || echo fresh").await.as_deref(), Ok("fresh\n"))
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deallocated_machine_has_no_guest_until_it_is_started() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("idle-m", Value::Null).await;
    let (status, _) = world.vm("POST", "idle-m", "/deallocate", Value::Null).await;
    assert_eq!(status, 202);
    world.until("no process", async || processes_of("idle-m").is_empty()).await;
    let refused = world.says("idle-m", "true").await.expect_err("is off");
    assert!(refused.starts_with("VmNotRunning") && refused.contains("deallocated"), "{refused}");
    world
        .until("the end of the operation", async || {
            let (_, view) = world.vm("GET", "idle-m", "", Value::Null).await;
            view["properties"]["provisioningState"] == "Succeeded"
        })
        .await;
    let (_, view) = world.vm("GET", "idle-m", "/instanceView", Value::Null).await;
    assert_eq!(view["statuses"][1]["code"], "PowerState/deallocated");
    world.vm("POST", "idle-m", "/start", Value::Null).await;
    assert_eq!(world.says("idle-m", "hostname").await.as_deref(), Ok("idle-m\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_machines_guest_ends_and_another_of_its_name_is_another() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    let first = world.make("again-m", json!({ "type": "SystemAssigned" })).await;
    world.says("again-m", "touch ~/mark").await.expect("runs");
    assert_eq!(world.vm("DELETE", "again-m", "", Value::Null).await.0, 202);
    world.until("no process", async || processes_of("again-m").is_empty()).await;
    assert!(world.says("again-m", "true").await.is_err());
    let second = world.make("again-m", json!({ "type": "SystemAssigned" })).await;
    assert_ne!(first["identity"]["principalId"], second["identity"]["principalId"]);
    assert_eq!(world.says("again-m", "ls ~").await.as_deref(), Ok(""), "nothing is left of the first");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_extension_answers_at_its_port_while_it_is_there() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("old-m", json!({ "type": "SystemAssigned" })).await;
    let path = "/extensions/ManagedIdentityExtensionForLinux";
    let body = |port: u16| {
        json!({ "location": "westeurope", "properties": {
            "publisher": "Microsoft.ManagedIdentity", "type": "ManagedIdentityExtensionForLinux",
            "typeHandlerVersion": "1.0", "settings": { "port": port } } })
    };
    let asks = |port: u16| {
        format!(
            "curl -s http://localhost:{port}/oauth2/token --data resource=https://management.azure.com/ -H Metadata:true; echo $?"
        )
    };
    assert_eq!(world.says("old-m", &asks(50342)).await.as_deref(), Ok("7\n"), "nobody listens");
    assert_eq!(world.vm("PUT", "old-m", path, body(50342)).await.0, 201);
    let token = world.says("old-m", &asks(50342)).await.expect("runs");
    assert!(token.contains("\"refresh_token\":\"\""), "{token}");
    assert_eq!(world.vm("PUT", "old-m", path, body(50343)).await.0, 200);
    assert!(world.says("old-m", &asks(50343)).await.expect("runs").contains("access_token"));
    assert_eq!(world.says("old-m", &asks(50342)).await.as_deref(), Ok("7\n"), "it has moved");
    world.vm("DELETE", "old-m", path, Value::Null).await;
    world.until("silence", async || world.says("old-m", &asks(50343)).await.as_deref() == Ok("7\n")).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_directory_is_there_at_its_path_and_read_only() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("lent-m", Value::Null).await;
    let path = world.folder.path().join("lent");
    fs::create_dir(&path).expect("makes it");
    fs::write(path.join("file"), "hello\n").expect("writes");
    let share = Share { path: path.clone(), read_only: true };
    let script = format!("cat {0}/file; touch {0}/more 2>/dev/null || echo refused", path.display());
    // The folder is its owner's alone, and the machine's administrator is somebody else.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.folder.path(), open).expect("opens it");
    let said = world.says_with("lent-m", &script, vec![share]).await;
    assert_eq!(said.as_deref(), Ok("hello\nrefused\n"));
    let absent = Share { path: path.join("absent"), read_only: true };
    let refused = world.says_with("lent-m", "true", vec![absent]).await.expect_err("is not there");
    assert!(refused.starts_with("CannotLend"), "{refused}");
    let guests = world.server.env.guests.get().expect("somebody runs machines");
    let argv = vec!["/no/such/program".to_owned()];
    let command = Command { argv, env: Vec::new(), as_root: false, tty: None, shares: Vec::new() };
    let refused = guests.exec(CloudId::DEFAULT, &id("lent-m"), command).await.err().expect("is not there");
    assert_eq!(refused.row.code, "CannotRun", "{refused}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_should_run_runs_after_a_restart_and_nothing_is_left_in_between() {
    if !has_guests() {
        return;
    }
    let store = Store::in_memory();
    let world = World::over(store.clone(), Way::Namespaces).await;
    world.make("kept-m", Value::Null).await;
    world.make("off-m", Value::Null).await;
    world.vm("POST", "off-m", "/powerOff", Value::Null).await;
    world.end().await;
    assert!(processes_of("kept-m").is_empty() && processes_of("off-m").is_empty(), "nothing is left");
    let world = World::over(store, Way::Namespaces).await;
    assert_eq!(world.says("kept-m", "hostname").await.as_deref(), Ok("kept-m\n"));
    assert!(world.says("off-m", "true").await.expect_err("is off").contains("stopped"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_cannot_boot_has_failed_and_says_why() {
    let world = World::with(Store::in_memory(), Way::Namespaces, Path::new("/no/such/init"), &[0]).await;
    let body = json!({ "location": "westeurope", "properties": {} });
    let (status, made) = world.vm("PUT", "broken-m", "", body.clone()).await;
    assert_eq!((status, &made["properties"]["provisioningState"]), (201, &json!("Failed")));
    let (_, view) = world.vm("GET", "broken-m", "/instanceView", Value::Null).await;
    assert_eq!(view["statuses"][0]["code"], "ProvisioningState/failed");
    let message = view["statuses"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("/no/such/init"), "{view:#}");
    assert!(world.says("broken-m", "true").await.expect_err("is broken").contains("/no/such/init"));
    let (_, again) = world.vm("PUT", "broken-m", "", body).await;
    assert_eq!(again["properties"]["provisioningState"], "Failed", "it was tried again, and failed again");
    assert_eq!(world.vm("DELETE", "broken-m", "", Value::Null).await.0, 202);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_machines_are_made_at_once_and_none_takes_anothers_place() {
    if !has_guests() {
        return;
    }
    let world = Arc::new(World::new(Way::Namespaces).await);
    let names: Vec<String> = (0..12).map(|number| format!("many{number}-m")).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for name in names.clone() {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            world.make(&name, Value::Null).await;
            assert_eq!(world.says(&name, "hostname").await, Ok(format!("{name}\n")));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("is made, and is itself");
    }
    Arc::into_inner(world).expect("nobody else has it").end().await;
    assert!(names.iter().all(|name| processes_of(name).is_empty()), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_machine_is_done_at_once_and_its_commands_run_here() {
    let world = World::new(Way::Simulated).await;
    world.make("sim-m", json!({ "type": "SystemAssigned" })).await;
    let guests = world.server.env.guests.get().expect("somebody");
    world.until("the machine", async || guests.is_on_host(CloudId::DEFAULT, &id("sim-m"))).await;
    let said = world.says("sim-m", "echo $$").await.expect("runs");
    assert!(said.trim().parse::<u32>().is_ok(), "{said}");
    let (_, view) = world.vm("GET", "sim-m", "/instanceView", Value::Null).await;
    assert_eq!(view["statuses"][1]["code"], "PowerState/running");
    world.end().await;
}

/// The text of a run command's answer, which az prints as it is.
fn message(answer: &Value) -> &str {
    answer["value"][0]["message"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_as_root_and_its_words_are_the_answer() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("script-m", json!({ "type": "SystemAssigned" })).await;
    let script = json!(["id -un; hostname; echo \"$1 $colour\"", "echo oh no >&2", "exit 3"]);
    let parameters = json!([{ "name": "arg1", "value": "one" }, { "name": "colour", "value": "blue sky" }]);
    let body = json!({ "commandId": "RunShellScript", "script": script, "parameters": parameters });
    let answer = world.runs("script-m", body).await;
    assert_eq!(
        message(&answer),
        "Enable succeeded: \n[stdout]\nroot\nscript-m\none blue sky\n\n[stderr]\noh no\n",
        "{answer:#}"
    );
    assert_eq!(answer["value"][0]["code"], "ProvisioningState/succeeded");
    let other = json!({ "commandId": "RunShellScript", "script": ["#!/usr/bin/env perl", "print 6 * 7"] });
    assert!(
        message(&world.runs("script-m", other).await).contains("\n42\n"),
        "the first line says what reads it"
    );
    let long = json!({ "commandId": "RunShellScript", "script": ["seq 10000; echo end"] });
    let said = message(&world.runs("script-m", long).await).to_owned();
    assert!(said.contains("10000\nend\n") && said.len() < 4300, "the last of it: {}", said.len());
    let token = json!({ "commandId": "RunShellScript", "script": [TOKEN] });
    assert!(message(&world.runs("script-m", token).await).contains("access_token"), "it is that machine");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_powershell_script_needs_powershell_and_says_so() {
    if !has_guests()
        || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|it| it.join("pwsh").exists())
    {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("posh-m", Value::Null).await;
    let body = json!({ "commandId": "RunPowerShellScript", "script": ["Get-Date"] });
    let answer = world.runs("posh-m", body).await;
    let said = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(said.contains("OperationNotAllowed: PowerShell scripts are read by `pwsh`"), "{answer:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_machines_are_simulated_a_script_runs_here_and_speaks_as_its_machine() {
    let world = World::new(Way::Simulated).await;
    world.says_where_it_is();
    world.make("sim-script-m", json!({ "type": "SystemAssigned" })).await;
    let body =
        json!({ "commandId": "RunShellScript", "script": ["echo ${HTTPS_PROXY%%:*} ${HTTPS_PROXY##*@}"] });
    let answer = world.runs("sim-script-m", body).await;
    assert!(message(&answer).contains("[stdout]\nhttp 127.0.0.1:10080\n"), "{answer:#}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_command_that_is_a_resource_keeps_what_came_of_it() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("kept-script-m", Value::Null).await;
    let path = "/runCommands/first";
    let body = |script: &str, is_strict: bool| {
        json!({ "location": "westeurope", "properties": {
            "source": { "script": script }, "parameters": [{ "name": "a", "value": "b" }],
            "treatFailureAsDeploymentFailure": is_strict } })
    };
    let (status, _) = world.vm("PUT", "kept-script-m", path, body("echo said $a; exit 7", false)).await;
    assert_eq!(status, 201);
    world.done("kept-script-m", path).await;
    let expanded = format!(
        "{GROUP}/providers/Microsoft.Compute/virtualMachines/kept-script-m{path}?$expand=instanceView&api-version=2024-07-01"
    );
    let view = async || world.raw("GET", &expanded, Value::Null).await.1["properties"].clone();
    let seen = view().await["instanceView"].clone();
    let told = |name: &str| seen[name].clone();
    assert_eq!(
        (told("executionState"), told("exitCode"), told("output")),
        (json!("Failed"), json!(7), json!("said b\n")),
        "{seen:#}"
    );
    assert_eq!(world.vm("PUT", "kept-script-m", path, body("exit 7", true)).await.0, 200);
    world.until("the failure", async || view().await["provisioningState"] == "Failed").await;
    let mut endless = body("tail -f /dev/null", false);
    endless["properties"]["timeoutInSeconds"] = json!(0);
    assert_eq!(world.vm("PUT", "kept-script-m", path, endless).await.0, 200);
    let said = async || view().await["instanceView"]["error"].as_str().unwrap_or_default().to_owned();
    world
        .until("the end of its time", async || {
            said().await.contains("The script did not end within 0 seconds")
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_machine_of_a_scale_set_knows_itself_and_has_its_sets_identity() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    let set = "/providers/Microsoft.Compute/virtualMachineScaleSets/web-m";
    let arm = async |method: &str, rest: &str, body: Value| {
        world.arm(method, &format!("{set}{rest}?api-version=2024-07-01"), body).await
    };
    let settled = async || {
        world
            .until("the set", async || {
                arm("GET", "", Value::Null).await.1["properties"]["provisioningState"] == "Succeeded"
            })
            .await;
    };
    let says = async |instance: &str, script: &str| {
        let body = json!({ "commandId": "RunShellScript", "script": [script] });
        let answer =
            world.runs_at(&format!("/virtualMachineScaleSets/web-m/virtualMachines/{instance}"), body).await;
        let said = message(&answer).split("[stdout]\n").nth(1).unwrap_or_default();
        said.split("\n[stderr]").next().unwrap_or_default().to_owned()
    };
    let profile = json!({ "osProfile": { "computerNamePrefix": "web-m" } });
    let body = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" },
        "sku": { "name": "Standard_B1s", "capacity": 2 },
        "properties": { "upgradePolicy": { "mode": "Manual" }, "virtualMachineProfile": profile } });
    let (status, made) = arm("PUT", "", body).await;
    assert_eq!(status, 201, "{made:#}");
    settled().await;
    let (_, first) = arm("GET", "/virtualMachines/0", Value::Null).await;
    assert_eq!(first["properties"]["provisioningState"], "Succeeded", "{first:#}");
    let metadata =
        "curl -s -H Metadata:true 'http://169.254.169.254/metadata/instance/compute?api-version=2021-02-01'";
    for (instance, name, hostname) in [("0", "web-m_0", "web-m000000"), ("1", "web-m_1", "web-m000001")] {
        assert_eq!(says(instance, "hostname").await, format!("{hostname}\n"));
        let known: Value = serde_json::from_str(&says(instance, metadata).await).expect("JSON");
        assert_eq!((&known["name"], &known["vmScaleSetName"]), (&json!(name), &json!("web-m")));
        let id = known["resourceId"].as_str().expect("an id");
        assert!(id.ends_with(&format!("/virtualMachineScaleSets/web-m/virtualMachines/{instance}")), "{id}");
    }
    let claims = says("1", &format!("{TOKEN} | sed 's/.*access_token[^.]*\\.\\([^.]*\\)\\..*/\\1/'")).await;
    let claims = azure::text::base64url_decode(claims.trim()).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["oid"], made["identity"]["principalId"]);
    let bearer = claims["xms_mirid"].as_str().unwrap_or_default();
    assert!(bearer.ends_with("/virtualMachineScaleSets/web-m"), "{claims}");

    assert_eq!(arm("PATCH", "", json!({ "sku": { "capacity": 1 } })).await.0, 200);
    world.until("one machine", async || processes_of("web-m000001").is_empty()).await;
    assert_eq!(says("0", "hostname").await, "web-m000000\n", "the older one runs on");
    assert_eq!(arm("POST", "/deallocate", json!({})).await.0, 202);
    settled().await;
    assert!(processes_of("web-m000000").is_empty());
    assert_eq!(arm("POST", "/start", json!({ "instanceIds": ["0"] })).await.0, 202);
    settled().await;
    assert_eq!(says("0", "hostname").await, "web-m000000\n");
    assert_eq!(arm("DELETE", "", Value::Null).await.0, 202);
    world.until("no machine", async || processes_of("web-m000000").is_empty()).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_go_with_a_machine_goes_when_its_end_comes_later() {
    let world = World::new(Way::Simulated).await;
    let told = json!({ "terminateNotificationProfile": { "enable": true } });
    for (vm, mut properties) in [
        ("told", json!({ "scheduledEventsProfile": told })),
        ("evicted", json!({ "priority": "Spot", "evictionPolicy": "Delete" })),
    ] {
        let name = format!("{vm}-disk");
        properties["storageProfile"] = json!({ "osDisk": { "name": &name, "deleteOption": "Delete" } });
        let body = json!({ "location": "westeurope", "properties": properties });
        let (status, made) = world.vm("PUT", vm, "", body).await;
        assert_eq!(status, 201, "{made:#}");
        world.done(vm, "").await;
        let disk = format!("/providers/Microsoft.Compute/disks/{name}?api-version=2024-03-02");
        assert_eq!(world.arm("GET", &disk, Value::Null).await.0, 200);
        let (status, _) = match vm {
            "told" => world.vm("DELETE", vm, "", Value::Null).await,
            _ => world.vm("POST", vm, "/simulateEviction", Value::Null).await,
        };
        assert!([202, 204].contains(&status), "{status}");
        let vm_id = made["properties"]["vmId"].as_str().expect("a vmId").parse().expect("a guid");
        world.lets_begin(&Door::metadata(CloudId::DEFAULT, id(vm), vm_id)).await;
        world.until("the end", async || world.vm("GET", vm, "", Value::Null).await.0 == 404).await;
        assert_eq!(world.arm("GET", &disk, Value::Null).await.0, 404, "the disk of `{vm}` went along");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_wants_to_be_told_of_its_end_lives_until_it_says_that_it_knows() {
    let world = World::new(Way::Simulated).await;
    let notice = json!({ "terminateNotificationProfile": { "enable": true, "notBeforeTimeout": "PT10M" } });
    let body = json!({ "location": "westeurope", "properties": { "scheduledEventsProfile": notice } });
    let (status, made) = world.vm("PUT", "vm", "", body).await;
    assert_eq!(status, 201, "{made:#}");
    let vm: ResourceId = made["id"].as_str().expect("an id").parse().expect("an id");
    let door = Door::metadata(
        CloudId::DEFAULT,
        vm,
        made["properties"]["vmId"].as_str().expect("a vmId").parse().expect("a guid"),
    );
    let events = async |method: &str, body: String| {
        let request = Request::builder()
            .method(method)
            .uri("/metadata/scheduledevents?api-version=2020-07-01")
            .header("host", "169.254.169.254")
            .header("metadata", "true")
            .body(Body::from(body));
        let response = world.server.send(door.clone(), request.expect("a request")).await;
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    };
    assert_eq!(world.vm("DELETE", "vm", "", Value::Null).await.0, 202);
    assert_eq!(world.vm("GET", "vm", "", Value::Null).await.1["properties"]["provisioningState"], "Deleting");
    let told = events("GET", String::new()).await;
    let event = &told["Events"][0];
    assert_eq!((&event["EventType"], &event["EventStatus"]), (&json!("Terminate"), &json!("Scheduled")));

    let mut reports = world.server.env.follower.reports();
    events("POST", json!({ "StartRequests": [{ "EventId": event["EventId"] }] }).to_string()).await;
    while world.vm("GET", "vm", "", Value::Null).await.0 != 404 {
        reports.changed().await.expect("the reconciler is there");
    }
    world.end().await;
}
