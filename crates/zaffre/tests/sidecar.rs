//! Networks that are virtual machines', for the containers that share them: made as an engine makes them, one cloud in a network of its own and
//! two sidecars, each joined to it by a pair of interfaces. Nothing of it is in this machine's own network.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";
const PROGRAM: &str = env!("CARGO_BIN_EXE_zaffre");
const NAMESPACES: [&str; 6] = ["--user", "--map-root-user", "--net", "--mount", "--fork", "--kill-child"];

/// In the network of the cloud.
const CLOUD: &str = r#"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
exec "$@"
"#;

/// In a network of its own: the interface that leads to the cloud's, the file that an engine gives its containers, and the sidecar.
const SIDECAR: &str = r#"
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cloud=$1 number=$2 settings=$3
shift 3
ip link set lo up
ip link add eth0 type veth peer name "v$number" netns "$cloud"
ip address add "10.9.$number.2/24" dev eth0
ip link set eth0 up
nsenter --net --target "$cloud" ip address add "10.9.$number.1/24" dev "v$number"
nsenter --net --target "$cloud" ip link set "v$number" up
mount --bind "$settings" /etc/resolv.conf
exec "$@"
"#;

/// A process in namespaces of its own.
struct Inside {
    child: Child,
    /// `unshare`'s child, as this host numbers it.
    pid: i32,
}

impl Inside {
    /// Returns when a line has been said that ends so.
    fn begin(mut command: Command, ready: &str) -> Inside {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let is_ready = said.by_ref().lines().map_while(Result::ok).any(|line| line.contains(ready));
        assert!(is_ready, "it ended before it was ready");
        let unshare = child.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).expect("runs");
        let pid = children.split_whitespace().next().and_then(|it| it.parse().ok()).expect("a child");
        Inside { child, pid }
    }

    /// A command in its network, which sees its files where they are another.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--user",
            "--preserve-credentials",
            "--net",
            "--mount",
            "--target",
            &self.pid.to_string(),
            program,
        ]);
        command
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill_process(Pid::from_raw(self.pid).expect("a process"), signal).expect("is ours");
        self.child.wait().expect("ends")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct World {
    home: TempDir,
    cloud: Inside,
}

impl World {
    /// None where this machine makes no namespaces.
    fn begin() -> Option<World> {
        let may = Command::new("unshare").args(NAMESPACES).arg("true").status();
        if !may.is_ok_and(|it| it.success()) {
            eprintln!("skipped: this machine makes no namespaces");
            return None;
        }
        let home = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).args(["sh", "-c", CLOUD, "sh", PROGRAM, "--data"]).arg(home.path());
        command
            .args(["up", "--listen", "0.0.0.0", "--log", "off", "--guests", "simulated"])
            .stderr(Stdio::null());
        let cloud = Inside::begin(command, "stops it");
        Some(World { home, cloud })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts the sidecar of a machine in a network of its own; `more` wins.
    fn sidecar(&self, number: u32, words: &[&str]) -> Command {
        let settings = self.at(&format!("resolv-{number}.conf"));
        fs::write(&settings, "search example\n").expect("writes");
        let mut command = Command::new("nsenter");
        let pid = self.cloud.pid.to_string();
        command.args(["--user", "--preserve-credentials", "--target", &pid]);
        // In the cloud's user namespace, as containers of one engine are in one.
        command.args(["unshare", "--net", "--mount", "--fork", "--kill-child", "sh", "-c", SIDECAR, "sh"]);
        command
            .arg(&pid)
            .arg(number.to_string())
            .arg(&settings)
            .args([PROGRAM, "--data"])
            .arg(self.home.path());
        command.arg("sidecar").args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Makes a machine with an identity of its own, from where the cloud is.
    fn make_machine(&self, name: &str) {
        let env = self.run(&["env", "--format", "json"]);
        let env: Value = serde_json::from_slice(&env.stdout).expect("JSON");
        let of = |name: &str| env[name].as_str().expect("is set").to_owned();
        let curl = |words: &[&str]| {
            let variables = env.as_object().expect("variables").iter();
            let variables = variables.map(|(name, value)| (name, value.as_str().unwrap_or_default()));
            let done = self.cloud.command("curl").arg("--silent").args(words).envs(variables).output();
            serde_json::from_slice::<Value>(&done.expect("curl is here").stdout).expect("JSON")
        };
        let login = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", of("AZURE_TENANT_ID"));
        let (id, secret) = (of("AZURE_CLIENT_ID"), of("AZURE_CLIENT_SECRET"));
        let (id, secret) = (format!("client_id={id}"), format!("client_secret={secret}"));
        let scope = "scope=https://management.azure.com/.default";
        let form = [
            "--data",
            "grant_type=client_credentials",
            "--data",
            &id,
            "--data-urlencode",
            &secret,
            "--data",
            scope,
        ];
        let signed_in = curl(&[&[login.as_str()], &form[..]].concat());
        let bearer =
            format!("Authorization: Bearer {}", signed_in["access_token"].as_str().expect("a token"));
        let group = format!(
            "https://management.azure.com/subscriptions/{}/resourceGroups/rg",
            of("AZURE_SUBSCRIPTION_ID")
        );
        let put = |url: String, body: Value| {
            let body = body.to_string();
            curl(&["-X", "PUT", "-H", &bearer, "-H", "Content-Type: application/json", "--data", &body, &url])
        };
        put(format!("{group}?api-version=2021-04-01"), json!({ "location": "westeurope" }));
        let url =
            format!("{group}/providers/Microsoft.Compute/virtualMachines/{name}?api-version=2024-07-01");
        let identity = json!({ "type": "SystemAssigned" });
        let made = put(url, json!({ "location": "westeurope", "identity": identity, "properties": {} }));
        assert_eq!(made["name"], name, "{made}");
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(PROGRAM).arg("--data").arg(self.home.path()).args(words).output().expect("starts")
    }
}

/// An application in a sidecar's network: what it gets, whoever it is.
struct App<'a> {
    network: &'a Inside,
    certificates: PathBuf,
}

impl App<'_> {
    fn curl(&self, words: &[&str]) -> Output {
        let mut command = self.network.command("curl");
        command
            .args(["--silent", "--show-error", "--cacert"])
            .arg(self.certificates.join("ca.pem"))
            .args(words);
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "NO_PROXY", "no_proxy"] {
            command.env_remove(name);
        }
        command.output().expect("curl is here")
    }

    fn json(&self, words: &[&str]) -> Value {
        let done = self.curl(words);
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)))
    }

    fn token(&self) -> String {
        let answer = self.json(&["-H", "Metadata: true", TOKEN]);
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    fn is(&self, machine: &str) -> bool {
        let token = self.token();
        let payload = token.split('.').nth(1).unwrap_or_default();
        let claims = azure::text::base64url_decode(payload).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&claims).expect("claims");
        claims["xms_mirid"].as_str().is_some_and(|it| it.ends_with(&format!("/virtualMachines/{machine}")))
    }
}

#[test]
fn an_application_that_shares_a_sidecars_network_is_that_machine_by_name_address_and_certificate() {
    let Some(world) = World::begin() else { return };
    world.make_machine("first");
    world.make_machine("second");
    let (ours, theirs) = (world.at("certificates-1"), world.at("certificates-2"));
    let certificates = |at: &Path| at.to_str().expect("text").to_owned();
    let words = ["--as-vm", "first", "--address", "10.9.1.1", "--certificates", &certificates(&ours)];
    let mut first = Inside::begin(world.sidecar(1, &words), "this network is `first`'s");
    // Another one without the cloud's data directory: by the secret alone.
    let env = world.run(&["env", "--as-vm", "second", "--address", "10.9.2.1", "--format", "json"]);
    let env: Value = serde_json::from_slice(&env.stdout).expect("JSON");
    let words =
        ["--proxy", env["HTTP_PROXY"].as_str().expect("a proxy"), "--certificates", &certificates(&theirs)];
    let second = Inside::begin(world.sidecar(2, &words), "this network is");

    let app = App { network: &first, certificates: ours };
    let other = App { network: &second, certificates: theirs };
    assert!(app.is("first") && other.is("second"), "each is the machine of its own network");

    let bearer = format!("Authorization: Bearer {}", app.token());
    let listed =
        app.json(&["-H", &bearer, "https://management.azure.com/subscriptions?api-version=2022-12-01"]);
    assert!(listed["value"].is_array(), "{listed}");
    let blob = app.curl(&["https://nobody.blob.core.windows.net/"]);
    assert!(blob.status.success(), "{}", String::from_utf8_lossy(&blob.stderr));
    let refused = app.json(&["https://vault.azure.net/"]);
    assert_eq!(refused["error"]["code"], "NotEmulated", "a name of Microsoft's gets words: {refused}");
    let unknown = app.curl(&["http://elsewhere.example/"]);
    assert_eq!(unknown.status.code(), Some(6), "nobody answered for other names before, so nobody does");
    let wire = app.curl(&["--max-time", "2", "http://168.63.129.16/?comp=versions"]);
    assert_eq!(wire.status.code(), Some(7), "what a sidecar does not have is closed");

    // An engine's words for "is it healthy", and an end that leaves the file as it was.
    let settings = world.at("resolv-1.conf");
    let check = ["sidecar", "--check", "--resolver", settings.to_str().expect("text")];
    assert!(world.run(&check).status.success());
    assert!(first.signal(Signal::TERM).success());
    assert_eq!(fs::read_to_string(&settings).expect("is there"), "search example\n");
    assert!(!world.run(&check).status.success());
}

#[test]
fn a_sidecar_waits_for_its_machine_and_says_what_it_lacks() {
    let Some(world) = World::begin() else { return };
    let mut early = world.sidecar(1, &["--as-vm", "later", "--address", "10.9.1.1"]);
    let mut early = early.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut said = BufReader::new(early.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.ends_with("; waiting")), "there is no such machine yet");
    world.make_machine("later");
    let mut ready = BufReader::new(early.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(ready.any(|line| line.contains("this network is `later`'s")));
    early.kill().expect("is ours");
    early.wait().expect("ends");

    let bare = world.sidecar(2, &["--as-vm", "later", "--address", "10.9.2.1"]);
    let words: Vec<_> = bare.get_args().map(|it| it.to_owned()).collect();
    let at = words.iter().position(|it| it == PROGRAM).expect("the program");
    // As an engine starts a container that was given nothing.
    let mut poor = Command::new("nsenter");
    poor.args(&words[..at])
        .args(["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
        .args(&words[at..]);
    let done = poor.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().expect("starts");
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && why.contains("--cap-add NET_ADMIN"), "{why}");
}

/// Shown only where this test runs in the machine's own network, and there it must add nothing.
#[test]
fn the_machines_own_network_is_no_sidecars() {
    if !guest::is_machines_network().expect("can be told") {
        eprintln!("skipped: this test is in a container's network already");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(PROGRAM);
    let done =
        command.arg("--data").arg(home.path()).args(["sidecar", "--as-vm", "any"]).output().expect("starts");
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && why.contains("the machine's own network"), "{why}");
    let addresses = fs::read_to_string("/proc/net/fib_trie").expect("the addresses of this network");
    assert!(!addresses.contains("169.254.169.254"), "nothing was added");
}
