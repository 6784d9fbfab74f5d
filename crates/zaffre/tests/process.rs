//! The program as a process: started, found, asked through its proxy, stopped, and what it leaves behind.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use tempfile::TempDir;

const TENANT: &str = "7af7e000-c10d-4000-8000-00000000000a";
const SUBSCRIPTION: &str = "7af7e000-c10d-4000-8000-00000000005b";

pub(crate) fn zaffre(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(crate::program());
    command.arg("--data").arg(home).args(words).env_remove("ZAFFRE_HOME").env_remove("ZAFFRE_SELF");
    // What the machine of the tests needs itself is none of theirs.
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

pub(crate) fn run(home: &Path, words: &[&str]) -> Output {
    zaffre(home, words).output().expect("the program starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running cloud, killed if a test ends before it does.
pub(crate) struct Up {
    child: Child,
    pub(crate) home: TempDir,
}

impl Up {
    pub(crate) fn start(words: &[&str]) -> Up {
        Up::start_in(tempfile::tempdir().expect("a folder"), words)
    }

    /// Returns when the cloud has said that it is up.
    pub(crate) fn start_in(home: TempDir, words: &[&str]) -> Up {
        Up::start_with(home, words, None)
    }

    /// With a folder of its own for temporary files.
    pub(crate) fn start_with(home: TempDir, words: &[&str], temporary: Option<&Path>) -> Up {
        let words = [&["up", "--port", "all=0", "--log", "off"], words].concat();
        let mut command = zaffre(home.path(), &words);
        if let Some(temporary) = temporary {
            command.env("TMPDIR", temporary);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.as_mut().expect("a pipe"));
        let is_up = stdout.lines().map_while(Result::ok).any(|line| line.ends_with("stops it"));
        assert!(is_up, "the cloud ended before it was up");
        Up { child, home }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its place, for the next one; it must have ended.
    pub(crate) fn into_home(mut self) -> TempDir {
        let nowhere = tempfile::tempdir().expect("a folder");
        std::mem::replace(&mut self.home, nowhere)
    }

    pub(crate) fn run_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("run.json")).expect("run.json")).expect("JSON")
    }

    pub(crate) fn env(&self) -> Value {
        serde_json::from_slice(&run(self.path(), &["env", "--format", "json"]).stdout).expect("JSON")
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("the process is ours");
        self.child.wait().expect("it ends")
    }

    /// Asks a host of Azure's as any client does: by CONNECT, trusting what `env` names.
    fn ask(&self, host: &str, request: &str) -> (u16, Value) {
        let env = self.env();
        let proxy = env["HTTPS_PROXY"].as_str().expect("a proxy").trim_start_matches("http://");
        let mut stream = TcpStream::connect(proxy).expect("connects");
        write!(stream, "CONNECT {host}:443 HTTP/1.1\r\n\r\n").expect("writes");
        let mut established = [0; 12];
        stream.read_exact(&mut established).expect("an answer");
        assert_eq!(text(&established), "HTTP/1.1 200");
        let mut last = [0; 4];
        while last != *b"\r\n\r\n" {
            last.rotate_left(1);
            stream.read_exact(&mut last[3..]).expect("the head's end");
        }
        let mut roots = RootCertStore::empty();
        let ca = env["NODE_EXTRA_CA_CERTS"].as_str().expect("a file");
        roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut stream = StreamOwned::new(tls, stream);
        stream.write_all(request.as_bytes()).expect("writes");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = text(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

impl Up {
    /// Asks for a token for Resource Manager with the credentials of `env`.
    pub(crate) fn token(&self) -> (u16, Value) {
        let env = self.env();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            env["AZURE_CLIENT_ID"].as_str().expect("an id"),
            env["AZURE_CLIENT_SECRET"].as_str().expect("a secret"),
        );
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let login = "login.microsoftonline.com";
        self.ask(login, &sent("POST", &format!("/{TENANT}/oauth2/v2.0/token"), login, headers, &form))
    }

    /// Writes a resource as the application that owns the subscription.
    pub(crate) fn put(&self, token: &str, path: &str, body: &Value) {
        let path = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg{path}?api-version=2024-11-01");
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let arm = "management.azure.com";
        let (status, answer) = self.ask(arm, &sent("PUT", &path, arm, &headers, &body.to_string()));
        assert!(status == 200 || status == 201, "{status} {answer}");
    }

    /// Makes a virtual machine, and the group that it is in.
    pub(crate) fn make_machine(&self, token: &str, name: &str) {
        self.put(token, "", &json!({ "location": "westeurope" }));
        let machine = json!({
            "location": "westeurope",
            "identity": { "type": "SystemAssigned" },
            "properties": {
                "hardwareProfile": { "vmSize": "Standard_D2s_v5" },
                "storageProfile": { "imageReference": {
                    "publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy",
                    "sku": "22_04-lts-gen2", "version": "latest",
                } },
                "osProfile": {
                    "computerName": name, "adminUsername": "azureuser", "adminPassword": "Not-A-Secret-1",
                },
                "networkProfile": { "networkInterfaces": [] },
            },
        });
        self.put(token, &format!("/providers/Microsoft.Compute/virtualMachines/{name}"), &machine);
    }

    /// Asks the metadata service at the proxy for a token, with an absolute address, as clients do.
    fn metadata(&self, credentials: Option<&str>) -> String {
        let address = self.run_json()["addresses"]["proxy"].as_str().expect("a proxy").to_owned();
        let mut stream = TcpStream::connect(address).expect("connects");
        let proof = credentials.map(|it| format!("Proxy-Authorization: Basic {it}\r\n")).unwrap_or_default();
        let query = "api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
        let path = format!("http://169.254.169.254/metadata/identity/oauth2/token?{query}");
        let request = sent("GET", &path, "169.254.169.254", &format!("Metadata: true\r\n{proof}"), "");
        stream.write_all(request.as_bytes()).expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

/// A request that ends its connection.
fn sent(method: &str, path: &str, host: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_cloud_in_memory_gives_a_token_through_its_proxy_and_leaves_nothing() {
    let mut up = Up::start(&["--memory"]);
    let login = "login.microsoftonline.com";
    let get = format!(
        "GET /{TENANT}/v2.0/.well-known/openid-configuration HTTP/1.1\r\nHost: {login}\r\nConnection: close\r\n\r\n"
    );
    let (status, document) = up.ask(login, &get);
    assert_eq!(status, 200);
    assert_eq!(document["token_endpoint"], format!("https://{login}/{TENANT}/oauth2/v2.0/token"));

    let (status, answer) = up.token();
    assert_eq!((status, answer["token_type"].as_str()), (200, Some("Bearer")), "{answer}");

    let control = PathBuf::from(up.run_json()["control"].as_str().expect("a path"));
    assert!(control.exists());
    let status = up.signal(Signal::TERM);
    assert!(status.success(), "{status}");
    assert!(!control.parent().expect("a folder").exists(), "the passing folder is gone");
    let left: Vec<_> =
        fs::read_dir(up.path()).expect("the home").map(|it| it.expect("an entry").file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn a_cloud_keeps_its_secrets_and_its_authority_over_a_restart() {
    let mut up = Up::start(&[]);
    let (before, ca) = (up.env(), fs::read(up.path().join("ca/ca.pem")).expect("a certificate"));
    let down = run(up.path(), &["down"]);
    assert!(down.status.success(), "{}", text(&down.stderr));
    assert!(up.child.wait().expect("it ends").success());
    let home = std::mem::replace(&mut up.home, tempfile::tempdir().expect("a folder"));
    let up = Up::start_in(home, &[]);
    let after = up.env();
    for name in ["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "REQUESTS_CA_BUNDLE"] {
        assert!(before[name].is_string() && before[name] == after[name], "{name}");
    }
    assert_eq!(fs::read(up.path().join("ca/ca.pem")).expect("a certificate"), ca);
}

#[test]
fn what_is_secret_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let up = Up::start(&[]);
    let home = tempfile::tempdir().expect("a folder");
    let new = home.path().join("new");
    let other = Up::start(&["--memory", "--data", new.to_str().expect("text")]);
    for (path, mode) in [
        (up.path().join("ca"), 0o700),
        (up.path().join("ca/ca.key"), 0o600),
        (up.path().join("control.sock"), 0o600),
        (up.path().join("run.json"), 0o600),
        (new.clone(), 0o700),
    ] {
        let is = fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(is, mode, "{}", path.display());
    }
    drop(other);
}

#[test]
fn a_cloud_that_was_killed_is_said_to_be_gone_with_the_line_that_starts_it() {
    let mut up = Up::start(&["--memory"]);
    up.signal(Signal::KILL);
    let status = run(up.path(), &["status"]);
    let said = text(&status.stderr);
    assert!(
        !status.status.success() && said.contains("is gone") && said.contains(" up` starts it again"),
        "{said}"
    );
    let none = tempfile::tempdir().expect("a folder");
    let said = text(&run(none.path(), &["env"]).stderr);
    assert!(said.contains("no cloud is up") && said.contains(" up` starts it"), "{said}");
}

#[test]
fn what_a_killed_cloud_in_memory_left_among_the_temporary_files_goes_with_the_next_one() {
    let temporary = tempfile::tempdir().expect("a folder");
    let names = || fs::read_dir(temporary.path()).expect("a folder").count();
    let start =
        || Up::start_with(tempfile::tempdir().expect("a folder"), &["--memory"], Some(temporary.path()));
    let (mut killed, living) = (start(), start());
    killed.signal(Signal::KILL);
    assert_eq!(names(), 2, "nobody was there to take it away");
    let mut next = start();
    assert_eq!(names(), 2, "its own, and that of one that runs");
    assert_eq!(living.token().0, 200);
    assert!(next.signal(Signal::TERM).success());
    let mut living = living;
    assert!(living.signal(Signal::TERM).success());
    assert_eq!(names(), 0);
}

#[test]
fn a_second_cloud_in_one_directory_is_refused() {
    let up = Up::start(&["--memory"]);
    let second = run(up.path(), &["up", "--memory", "--port", "all=0"]);
    let said = text(&second.stderr);
    assert!(
        !second.status.success() && said.contains("is up in") && said.contains("down` stops it"),
        "{said}"
    );
}

#[test]
fn a_detached_cloud_is_up_when_the_command_returns_and_goes_down_when_told() {
    let home = tempfile::tempdir().expect("a folder");
    let up = run(home.path(), &["up", "--detach", "--memory", "--port", "all=0"]);
    assert!(up.status.success() && text(&up.stdout).contains("is up"), "{}", text(&up.stderr));
    let status = run(home.path(), &["status"]);
    assert!(status.status.success() && text(&status.stdout).contains("proxy"), "{}", text(&status.stderr));
    let down = run(home.path(), &["down"]);
    assert!(down.status.success(), "{}", text(&down.stderr));
    assert!(!home.path().join("run.json").exists());

    let failed = run(home.path(), &["up", "--detach", "--memory", "--port", "blob=1", "--port", "proxy=x"]);
    assert!(!failed.status.success());
}

#[test]
fn a_virtual_machine_runs_commands_and_lends_its_identity_to_who_has_its_secret() {
    let up = Up::start(&["--memory"]);
    let (_, answer) = up.token();
    let token = answer["access_token"].as_str().expect("a token");
    up.make_machine(token, "myVM");

    let mut command =
        zaffre(up.path(), &["vm", "exec", "myVM", "--", "sh", "-c", "cat; echo oops >&2; exit 7"]);
    let mut exec =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    exec.stdin.take().expect("a pipe").write_all(b"from the caller").expect("writes");
    let done = exec.wait_with_output().expect("ends");
    assert_eq!(
        (done.status.code(), text(&done.stdout), text(&done.stderr)),
        (Some(7), "from the caller".into(), "oops\n".into())
    );

    let as_vm = run(up.path(), &["env", "--format", "json", "--as-vm", "myvm"]);
    let env: Value = serde_json::from_slice(&as_vm.stdout).expect("JSON");
    assert!(env["AZURE_CLIENT_ID"].is_null() && env["AZURE_CLIENT_SECRET"].is_null());
    let proxy = env["http_proxy"].as_str().expect("a proxy");
    let (credentials, _) = proxy.trim_start_matches("http://").split_once('@').expect("credentials");
    let proved = up.metadata(Some(&azure::text::base64(credentials)));
    assert!(proved.starts_with("HTTP/1.1 200") && proved.contains("access_token"), "{proved}");
    for credentials in [None, Some(azure::text::base64("vm:guessed"))] {
        let answer = up.metadata(credentials.as_deref());
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Identity not found"), "{answer}");
    }
    let nobody = run(up.path(), &["vm", "exec", "other", "--", "true"]);
    assert!(
        text(&nobody.stderr).contains("no virtual machine is called `other`"),
        "{}",
        text(&nobody.stderr)
    );
}

/// The text of the file that a backup keeps of the certificate authority.
fn certificate(home: &Path) -> Option<String> {
    let entries = fs::read_dir(home.join("ca")).ok()?;
    let mut files: Vec<_> = entries.map(|entry| entry.expect("lists").path()).collect();
    files.sort();
    Some(files.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect())
}

#[test]
fn a_backup_of_a_running_cloud_comes_back_elsewhere() {
    let mut up = Up::start(&[]);
    let credentials = text(&run(up.path(), &["credentials"]).stdout);
    let stats = text(&run(up.path(), &["store", "stats"]).stdout);
    assert!(stats.contains("rows") && stats.contains("commits"), "{stats}");
    assert!(run(up.path(), &["store", "compact"]).status.success());
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    let dir = backup.to_str().expect("a path of text");
    let written = run(up.path(), &["backup", dir]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let in_use = run(up.path(), &["fsck"]);
    assert!(!in_use.status.success() && text(&in_use.stderr).contains("is up"), "{}", text(&in_use.stderr));
    assert!(up.signal(Signal::TERM).success());
    // The same while it is down, into the same place.
    assert!(run(up.path(), &["backup", dir]).status.success());
    let whole = run(up.path(), &["fsck"]);
    assert!(whole.status.success() && text(&whole.stdout).contains(" 0 findings"), "{}", text(&whole.stdout));

    let home = tempfile::tempdir().expect("a folder");
    let restored = run(home.path(), &["restore", dir]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    let twice = run(home.path(), &["restore", dir]);
    assert!(text(&twice.stderr).contains("holds a store already"), "{}", text(&twice.stderr));
    let again = Up::start_in(home, &[]);
    assert_eq!(text(&run(again.path(), &["credentials"]).stdout), credentials);
    assert!(certificate(again.path()).is_some_and(|it| Some(it) == certificate(up.path())));
}

/// In namespaces of its own, as an engine would start it in a container.
#[test]
fn as_the_first_process_it_buries_whatever_is_left_to_it_and_ends_as_the_cloud_does() {
    let home = tempfile::tempdir().expect("a folder");
    let namespaces = ["--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "--kill-child"];
    let may = Command::new("unshare").args(namespaces).arg("true").status();
    if !may.is_ok_and(|it| it.success()) {
        eprintln!("skipped: this machine makes no namespaces");
        return;
    }
    let own = zaffre(home.path(), &["up", "--port", "all=0", "--log", "off", "--guests", "simulated"]);
    let mut inside = Command::new("unshare");
    inside.args(namespaces).arg(own.get_program()).args(own.get_args()).stdout(Stdio::piped());
    let mut child = inside.spawn().expect("unshare is here");
    let stdout = BufReader::new(child.stdout.as_mut().expect("a pipe"));
    assert!(stdout.lines().map_while(Result::ok).any(|line| line.ends_with("stops it")), "it is up");
    let mut up = Up { child, home };
    let (_, answer) = up.token();
    up.make_machine(answer["access_token"].as_str().expect("a token"), "orphanage");

    // The inner shell's parent ends without waiting for it.
    let said = run(up.path(), &["vm", "exec", "orphanage", "--", "sh", "-c", "(sh -c 'echo left alone' &)"]);
    assert_eq!(text(&said.stdout), "left alone\n", "{}", text(&said.stderr));
    let first = *children(up.pid()).first().expect("the first process inside");
    let is_alone = (0..200).any(|_| {
        assert!(run(up.path(), &["status"]).status.success());
        children(first).len() == 1
    });
    assert!(is_alone, "the cloud is its only child: {:?}", children(first));
    kill_process(Pid::from_raw(first.cast_signed()).expect("a process"), Signal::TERM).expect("is ours");
    assert!(up.child.wait().expect("ends").success());
    assert!(!up.path().join("run.json").exists(), "it went in order");
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|it| it.parse().ok()).collect()
}
