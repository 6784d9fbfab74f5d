//! A container, made as an engine makes one of the image's own configuration: namespaces, a root that holds the layer and no more than
//! what every engine puts there, the variables, the entrypoint.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
};

use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Layout;

/// An address of the container's beside loopback, where its user reaches it.
pub(super) const ADDRESS: &str = "10.20.30.40";
/// Where a small root file system is, for machines: a shell and `curl`.
pub(super) const ROOTFS: &str = "/rootfs";

/// In the container's namespaces, before its root is exchanged. What is taken off last is the host's root, by the host's own program
/// and loader, which are still there under `/old`.
const BEGIN: &str = r#"
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount --rbind "$1" "$1"
cd "$1"
mkdir -p proc dev etc old rootfs
mount -t proc proc proc
mount --rbind /dev dev
for program in sh curl; do
  path=$(command -v $program)
  for file in "$path" $(ldd "$path" | grep -o '/[^ )]*'); do
    mkdir -p "rootfs$(dirname "$file")"
    cp --dereference "$file" "rootfs$file"
  done
done
mkdir -p rootfs/etc
printf '127.0.0.1 localhost elsewhere.example\n' > etc/hosts
ip link set lo up
ip address add "$2" dev lo
loader=$(readlink -f /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* 2>/dev/null | head -n 1)
umount=$(readlink -f "$(command -v umount)")
libraries=$(dirname "$(ldd "$umount" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')")
shift 2
pivot_root . old
/old$loader --library-path /old$libraries /old$umount --lazy /old
exec "$@"
"#;

pub(super) struct Container {
    /// `unshare`, whose child is the first process inside.
    child: Child,
    root: TempDir,
    variables: Vec<(String, String)>,
    said: Arc<Mutex<String>>,
}

impl Container {
    /// Starts what the image starts, with more words. None where this machine makes no namespaces.
    pub(super) fn start(layout: &Layout, words: &[&str]) -> Option<Container> {
        let namespaces =
            ["--user", "--map-root-user", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork"];
        let may = Command::new("unshare").args(namespaces).arg("true").status();
        if !may.is_ok_and(|it| it.success()) {
            eprintln!("skipped: this machine makes no namespaces");
            return None;
        }
        let root = tempfile::tempdir().expect("a folder");
        super::unpack(&layout.layer(), root.path());
        let config = &layout.config()["config"];
        let texts =
            |name: &str| config[name].as_array().expect("a list").iter().map(text).collect::<Vec<_>>();
        let variables: Vec<(String, String)> = texts("Env")
            .iter()
            .map(|it| it.split_once('=').expect("a name and a value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut child = Command::new("unshare")
            .args(namespaces)
            .args(["--kill-child", "sh", "-c", BEGIN, "sh"])
            .arg(root.path())
            .arg(ADDRESS)
            .args(texts("Entrypoint"))
            .args(texts("Cmd"))
            .args(words)
            .env_clear()
            .envs(variables.iter().cloned())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare is here");
        let said = Arc::<Mutex<String>>::default();
        let (errors, kept) = (BufReader::new(child.stderr.take().expect("a pipe")), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                *kept.lock().expect("nobody panics") += &format!("{line}\n");
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let is_up = stdout.by_ref().lines().map_while(Result::ok).any(|line| line.ends_with("stops it"));
        let container = Container { child, root, variables, said };
        assert!(is_up, "the cloud ended before it was up: {}", container.said());
        Some(container)
    }

    /// Its root, from outside.
    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// What it has said on its standard error.
    pub(super) fn said(&self) -> String {
        self.said.lock().expect("nobody panics").clone()
    }

    /// As the host numbers its first process.
    fn pid(&self) -> String {
        let unshare = self.child.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"));
        children.expect("is running").split_whitespace().next().expect("one").to_owned()
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--preserve-credentials", "--net", "--target", &self.pid()]).args(namespaces);
        command
    }

    /// `docker exec zaffre zaffre WORDS`.
    pub(super) fn try_exec(&self, words: &[&str]) -> Output {
        let mut command = self.enter(&["--mount", "--pid", "--root", "--wd", "/bin/zaffre"]);
        command.args(words).env_clear().envs(self.variables.iter().cloned());
        // `nsenter` itself is found before it enters.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().expect("nsenter is here")
    }

    pub(super) fn exec(&self, words: &[&str]) -> String {
        let done = self.try_exec(words);
        assert!(done.status.code().is_some(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Where its certificates are, from outside.
    pub(super) fn certificates(&self) -> PathBuf {
        let own: Value = serde_json::from_str(&self.exec(&["env", "--format", "json"])).expect("JSON");
        let bundle = text(&own["SSL_CERT_FILE"]);
        let folder = Path::new(&bundle).parent().expect("a folder");
        self.root().join(folder.strip_prefix("/").expect("an absolute path"))
    }

    /// The variables, for somebody outside.
    pub(super) fn env(&self, words: &[&str]) -> Value {
        let folder = self.certificates();
        let where_it_is = ["--address", ADDRESS, "--certificates", folder.to_str().expect("text")];
        let words = [&["env", "--format", "json"], &where_it_is[..], words].concat();
        serde_json::from_str(&self.exec(&words)).expect("JSON")
    }

    /// What `curl` prints in the container's network, with these variables and none of the container's files.
    pub(super) fn text(&self, env: &Value, words: &[&str]) -> String {
        let variables = env.as_object().expect("variables").iter().map(|(name, value)| (name, text(value)));
        let mut command = self.enter(&["curl", "--silent", "--show-error"]);
        let done = command.args(words).env_clear().envs(variables).env("PATH", "/usr/bin:/bin").output();
        let done = done.expect("nsenter is here");
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    pub(super) fn curl(&self, env: &Value, words: &[&str]) -> Value {
        let said = self.text(env, words);
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"))
    }

    pub(super) fn sign_in(&self, env: &Value) -> String {
        let of = |name: &str| text(&env[name]);
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", of("AZURE_TENANT_ID"));
        let (id, secret) = (of("AZURE_CLIENT_ID"), of("AZURE_CLIENT_SECRET"));
        let answer = self.curl(
            env,
            &[
                &url,
                "--data",
                "grant_type=client_credentials",
                "--data",
                &format!("client_id={id}"),
                "--data-urlencode",
                &format!("client_secret={secret}"),
                "--data",
                "scope=https://management.azure.com/.default",
            ],
        );
        text(&answer["access_token"])
    }

    /// Makes a virtual machine with an identity of its own, and the group that it is in.
    pub(super) fn make_machine(&self, env: &Value, token: &str, name: &str) -> Value {
        let group = format!("/subscriptions/{}/resourceGroups/rg", text(&env["AZURE_SUBSCRIPTION_ID"]));
        let put = |path: String, body: Value| {
            let url = format!("https://management.azure.com{path}");
            let bearer = format!("Authorization: Bearer {token}");
            let body = body.to_string();
            let json = "Content-Type: application/json";
            self.curl(env, &["-X", "PUT", "-H", &bearer, "-H", json, "--data", &body, &url])
        };
        put(format!("{group}?api-version=2021-04-01"), json!({ "location": "westeurope" }));
        let path =
            format!("{group}/providers/Microsoft.Compute/virtualMachines/{name}?api-version=2024-07-01");
        let identity = json!({ "type": "SystemAssigned" });
        put(path, json!({ "location": "westeurope", "identity": identity, "properties": {} }))
    }

    /// `docker stop`: tells the first process, and waits.
    pub(super) fn signal(&mut self, signal: rustix::process::Signal) -> ExitStatus {
        let pid = self.pid().parse().ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("is ours");
        self.child.wait().expect("ends")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Its first process dies with it, and all others with that one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a token says.
pub(super) fn claims(answer: &Value) -> Value {
    let token = text(&answer["access_token"]);
    let payload = token.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&azure::text::base64url_decode(payload).unwrap_or_default()).unwrap_or_default()
}
