//! Machines signed in to by OpenSSH's own client, over their public addresses, which are this host's loopback.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};
use zaffre::{cloud::CloudId, host::Ssh, products::compute::reconcile::Way, store::Store};

use super::{World, has_guests, id, processes_of};

const NETWORK: &str = "/providers/Microsoft.Network";
const VERSION: &str = "?api-version=2024-05-01";
const PASSWORD: &str = "Correct-horse-22";

/// Where there are guests and a client.
async fn can_sign_in() -> bool {
    let has_client = Command::new("ssh").arg("-V").output().await.is_ok();
    if !has_client {
        eprintln!("left out: this machine has no `ssh` (the package openssh-client)");
    }
    has_client && has_guests()
}

/// One machine with a public address, and somebody with a key for it.
struct Login {
    world: World,
    vm: String,
    folder: TempDir,
}

impl Login {
    /// A machine whose only user has a key of this kind.
    async fn new(vm: &str, kind: &str) -> Login {
        Login::over(Store::in_memory(), vm, kind).await
    }

    async fn over(store: Store, vm: &str, kind: &str) -> Login {
        Login::of(World::over(store, Way::Namespaces).await, vm, kind).await
    }

    async fn of(world: World, vm: &str, kind: &str) -> Login {
        let login = Login { world, vm: vm.to_owned(), folder: tempfile::tempdir().expect("a folder") };
        let key = login.key("mine", kind).await;
        let public = fs::read_to_string(key.with_extension("pub")).expect("a key");
        login.network().await;
        let linux = json!({
            "disablePasswordAuthentication": true,
            "ssh": { "publicKeys": [{ "path": "/home/azureuser/.ssh/authorized_keys", "keyData": public }] },
        });
        login.machine(json!({ "adminUsername": "azureuser", "linuxConfiguration": linux })).await;
        login
    }

    async fn key(&self, name: &str, kind: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(&path).status();
        assert!(made.await.expect("runs").success());
        path
    }

    /// What `az vm create` makes around a machine.
    async fn network(&self) {
        self.put("networkSecurityGroups/nsg", json!({ "securityRules": [allow_ssh()] })).await;
        let space = json!({ "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] }, "subnets": [
            { "name": "default", "properties": { "addressPrefix": "10.0.0.0/24" } },
        ] });
        self.put("virtualNetworks/vnet", space).await;
        self.put("publicIPAddresses/ip", json!({ "publicIPAllocationMethod": "Static" })).await;
        let subnet = self.named("virtualNetworks/vnet/subnets/default");
        let configuration = json!({ "name": "ipconfig", "properties": {
            "subnet": { "id": subnet }, "publicIPAddress": { "id": self.named("publicIPAddresses/ip") },
        } });
        let group = json!({ "id": self.named("networkSecurityGroups/nsg") });
        self.put(
            "networkInterfaces/nic",
            json!({ "ipConfigurations": [configuration], "networkSecurityGroup": group }),
        )
        .await;
    }

    fn named(&self, resource: &str) -> String {
        let group = id(&self.vm).as_str().split("/providers/").next().expect("a group").to_owned();
        format!("{group}{NETWORK}/{resource}")
    }

    async fn put(&self, resource: &str, properties: Value) {
        let body = json!({ "location": "westeurope", "properties": properties });
        let (status, made) = self.world.arm("PUT", &format!("{NETWORK}/{resource}{VERSION}"), body).await;
        assert!(status < 300, "{resource}: {made:#}");
    }

    async fn machine(&self, profile: Value) {
        let interface = json!([{ "id": self.named("networkInterfaces/nic") }]);
        let properties =
            json!({ "osProfile": profile, "networkProfile": { "networkInterfaces": interface } });
        let body = json!({ "location": "westeurope", "properties": properties });
        let (status, made) = self.world.vm("PUT", &self.vm, "", body).await;
        assert_eq!(status, 201, "{made:#}");
        self.world.done(&self.vm, "").await;
    }

    /// What the extension of `az vm user` is told.
    async fn access(&self, settings: Value) -> (u16, Value) {
        let properties = json!({
            "publisher": "Microsoft.OSTCExtensions",
            "type": "VMAccessForLinux",
            "typeHandlerVersion": "1.5",
            "settings": {},
            "protectedSettings": settings,
        });
        let body = json!({ "location": "westeurope", "properties": properties });
        self.world.vm("PUT", &self.vm, "/extensions/enablevmaccess", body).await
    }

    fn server(&self) -> Option<Ssh> {
        let guests = self.world.server.env.guests.get().expect("somebody runs machines");
        guests.ssh(CloudId::DEFAULT, &id(&self.vm))
    }

    /// The options of each of the clients, which know the machine's key and nothing of this host's owner.
    fn options(&self, key: &str) -> Vec<String> {
        let server = self.server().expect("it can be signed in to");
        let (ip, port) = (server.address.ip(), server.address.port());
        let known = self.folder.path().join(format!("known_hosts-{port}"));
        if !known.exists() {
            let name = if port == 22 { ip.to_string() } else { format!("[{ip}]:{port}") };
            fs::write(&known, format!("{name} {}\n", server.host_key)).expect("writes");
        }
        let identity = self.folder.path().join(key);
        [
            "BatchMode=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("IdentityFile={}", identity.display()),
            format!("UserKnownHostsFile={}", known.display()),
            format!("Port={port}"),
        ]
        .into_iter()
        .flat_map(|it| ["-o".to_owned(), it])
        .collect()
    }

    fn at(&self) -> String {
        let server = self.server().expect("it can be signed in to");
        format!("{}@{}", server.user, server.address.ip())
    }

    fn client(&self, program: &str, key: &str) -> Command {
        let mut client = Command::new(program);
        client.args(["-F", "none"]).args(self.options(key)).env_remove("SSH_AUTH_SOCK").kill_on_drop(true);
        client
    }

    /// What a command line comes to there: its code and what it prints.
    async fn runs(&self, command: &str) -> (Option<i32>, String) {
        let done = self.client("ssh", "mine").arg(self.at()).arg(command).output().await.expect("runs");
        (done.status.code(), text(&done))
    }
}

/// What was printed, complaints last.
fn text(done: &Output) -> String {
    [&done.stdout, &done.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat()
}

/// Nobody listens there any more, a moment after what listened was told to end.
async fn closes(address: SocketAddr) {
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the door closes");
}

fn allow_ssh() -> Value {
    json!({ "name": "default-allow-ssh", "properties": {
        "priority": 1000, "access": "Allow", "direction": "Inbound", "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22",
    } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_signed_in_to_by_its_users_key_alone() {
    if !can_sign_in().await {
        return;
    }
    // The kind that `az vm create --generate-ssh-keys` makes.
    let login = Login::new("keyed-m", "rsa").await;
    assert_eq!(login.runs("whoami; hostname").await, (Some(0), "azureuser\nkeyed-m\n".to_owned()));
    assert_eq!(login.runs("echo out; echo err >&2; exit 7").await, (Some(7), "out\nerr\n".to_owned()));
    // OpenSSH's client says no more of a signal.
    assert_eq!(login.runs("kill -TERM $$").await.0, Some(255));
    let (_, seen) = login.runs("env").await;
    assert!(seen.contains("SSH_CONNECTION=127.") && !seen.contains("SSH_TTY"), "{seen}");

    login.key("others", "ed25519").await;
    let done = login.client("ssh", "others").arg(login.at()).arg("true").output().await.expect("runs");
    assert_eq!(done.status.code(), Some(255));
    assert!(text(&done).contains("Permission denied (publickey)"), "{}", text(&done));

    // What the machine's user lets in, as `ssh-copy-id` would write it, counts too.
    let line = fs::read_to_string(login.folder.path().join("others.pub")).expect("a key");
    login.runs(&format!("mkdir -p ~/.ssh && echo '{}' >> ~/.ssh/authorized_keys", line.trim())).await;
    let done = login.client("ssh", "others").arg(login.at()).arg("whoami").output().await.expect("runs");
    assert_eq!(text(&done), "azureuser\n");

    // As does what `az vm user update` says, from the next sign-in on.
    login.key("later", "ecdsa").await;
    let line = fs::read_to_string(login.folder.path().join("later.pub")).expect("a key");
    let (status, kept) = login.access(json!({ "username": "azureuser", "ssh_key": line })).await;
    assert!(status < 300 && !kept.to_string().contains("ecdsa"), "{kept:#}");
    let done = login.client("ssh", "later").arg(login.at()).arg("whoami").output().await.expect("runs");
    assert_eq!(text(&done), "azureuser\n");
    for (settings, refused, word) in [
        (json!({ "username": "root", "ssh_key": line }), 400, "protectedSettings.username"),
        (json!({ "remove_user": "a:b" }), 400, "protectedSettings.remove_user"),
        (json!({ "username": "ada", "password": PASSWORD, "expiration": "2027-01-01" }), 501, "expiration"),
        (json!({ "ssh_key": line }), 400, "protectedSettings.username"),
    ] {
        let (status, answer) = login.access(settings).await;
        assert!(status == refused && answer.to_string().contains(word), "{status} {answer:#}");
    }
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_machine_knows_signs_in_and_who_was_removed_does_not() {
    if !can_sign_in().await {
        return;
    }
    let login = Login::new("others-m", "ed25519").await;
    let as_user = async |user: &str, key: &str, command: &str| {
        let at = format!("{user}@{}", login.at().split('@').nth(1).expect("an address"));
        let done = login.client("ssh", key).arg(at).arg(command).output().await.expect("runs");
        (done.status.code(), text(&done))
    };
    login.key("hers", "ed25519").await;
    let line = fs::read_to_string(login.folder.path().join("hers.pub")).expect("a key");

    // One whom the machine's own root made, as cloud-init's `users` does.
    let user = "grace:x:1001:1001::/home/grace:/bin/bash";
    let home = "/home/grace/.ssh";
    login
        .runs(&format!(
            "echo '{user}' | sudo tee -a /etc/passwd; sudo mkdir -p {home}; echo '{}' | sudo tee {home}/authorized_keys; \
             sudo chown -R 1001:1001 /home/grace",
            line.trim()
        ))
        .await;
    assert_eq!(as_user("grace", "hers", "whoami; pwd").await, (Some(0), "grace\n/home/grace\n".to_owned()));
    assert_eq!(as_user("grace", "mine", "true").await.0, Some(255), "her keys are hers");
    assert_eq!(as_user("nobody", "hers", "true").await.0, Some(255));
    assert_eq!(as_user("stranger", "hers", "true").await.0, Some(255));

    // One whom VMAccess makes, who may become root, and is there after a restart.
    let (status, made) = login.access(json!({ "username": "ada", "ssh_key": line })).await;
    assert!(status < 300, "{made:#}");
    login.world.done("others-m", "/extensions/enablevmaccess").await;
    assert_eq!(
        as_user("ada", "hers", "id -un; pwd; sudo id -un").await,
        (Some(0), "ada\n/home/ada\nroot\n".to_owned())
    );
    login.world.vm("POST", "others-m", "/restart", Value::Null).await;
    login
        .world
        .until("another boot", async || {
            login.server().is_some() && as_user("ada", "hers", "test ! -e /home/grace").await.0 == Some(0)
        })
        .await;

    let (status, made) = login.access(json!({ "remove_user": "ada" })).await;
    assert!(status < 300, "{made:#}");
    login.world.done("others-m", "/extensions/enablevmaccess").await;
    assert_eq!(as_user("ada", "hers", "true").await.0, Some(255));
    assert_eq!(
        login.runs("grep -c ada /etc/passwd /etc/group; ls /home").await.1,
        "/etc/passwd:0\n/etc/group:0\nazureuser\n"
    );
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_a_way_in_where_the_machine_was_made_with_one() {
    if !can_sign_in().await {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    let login = Login { world, vm: "word-m".to_owned(), folder: tempfile::tempdir().expect("a folder") };
    login.network().await;
    login.machine(json!({ "adminUsername": "ada", "adminPassword": PASSWORD })).await;
    let (_, shown) = login.world.vm("GET", "word-m", "", Value::Null).await;
    assert!(!shown.to_string().contains(PASSWORD));
    for (given, code, said) in
        [(PASSWORD, Some(0), "ada"), ("Wrong-horse-22", Some(255), "Permission denied")]
    {
        let ask = login.folder.path().join("ask");
        fs::write(&ask, format!("#!/bin/sh\necho '{given}'\n")).expect("writes");
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o700)).expect("is ours");
        let mut client = Command::new("ssh");
        client.args(["-F", "none", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1"]);
        client.args(login.options("none")).env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force");
        let done = client.arg(login.at()).arg("whoami").output().await.expect("runs");
        assert_eq!(done.status.code(), code, "{}", text(&done));
        assert!(text(&done).contains(said), "{}", text(&done));
    }
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_both_ways() {
    if !can_sign_in().await {
        return;
    }
    let login = Login::new("files-m", "ed25519").await;
    let folder = login.folder.path();
    // More than one packet, window or pipe.
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|it| (it % 251) as u8).collect();
    fs::write(folder.join("there"), &bytes).expect("writes");
    // By the file protocol, as today's client does unless told otherwise, and by the program in the machine (`-O`) that older ones ask for.
    let copy = async |kind: &str, from: &Path, to: &Path| {
        let spelled = |path: &Path| match path.strip_prefix("/remote") {
            Ok(path) => format!("{}:{}", login.at(), path.display()),
            Err(_) => path.display().to_string(),
        };
        let done =
            login.client("scp", "mine").args([kind, "-p"]).arg(spelled(from)).arg(spelled(to)).output().await;
        let done = done.expect("runs");
        assert!(done.status.success(), "{}", text(&done));
    };
    for kind in ["-s", "-O"] {
        copy(kind, &folder.join("there"), Path::new("/remote/~/dir-to-be")).await;
        let sum = login.runs("cksum < dir-to-be; stat -c '%U %F' dir-to-be").await.1;
        assert!(sum.contains("5000000") && sum.contains("azureuser regular file"), "{kind}: {sum}");
        copy(kind, Path::new("/remote/dir-to-be"), &folder.join("back")).await;
        assert!(fs::read(folder.join("back")).expect("a file") == bytes, "{kind}: it came back as it went");
        login.runs("rm dir-to-be").await;
    }

    let batch =
        "mkdir d\ncd d\nput there a\nrename a b\nln -s b c\nls -l\nget c again\nrm b\nrm c\ncd ..\nrmdir d\n";
    fs::write(folder.join("batch"), batch).expect("writes");
    let mut client = login.client("sftp", "mine");
    let done = client.arg("-b").arg(folder.join("batch")).arg(login.at()).current_dir(folder).output().await;
    let done = done.expect("runs");
    assert!(done.status.success() && text(&done).contains("-rw-"), "{}", text(&done));
    assert!(fs::read(folder.join("again")).expect("a file") == bytes, "through a link, too");
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listens_in_the_machine_is_reached_through_it() {
    if !can_sign_in().await {
        return;
    }
    let login = Login::new("ways-m", "ed25519").await;
    let mut client = login.client("ssh", "mine");
    client.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut through = client.args(["-W", "169.254.169.254:80"]).arg(login.at()).spawn().expect("runs");
    let mut stdin = through.stdin.take().expect("a pipe");
    let ask = "GET /metadata/instance/compute/name?api-version=2021-02-01&format=text HTTP/1.1\r\nHost: 169.254.169.254\r\n\
               Metadata: true\r\nConnection: close\r\n\r\n";
    stdin.write_all(ask.as_bytes()).await.expect("writes");
    let answer = text(&through.wait_with_output().await.expect("ends"));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ways-m"), "{answer}");
    drop(stdin);
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_sessions_run_at_once() {
    if !can_sign_in().await {
        return;
    }
    let login = Login::new("busy-m", "ed25519").await;
    // None ends before all have begun.
    let script =
        |it: u32| format!("touch /tmp/in-{it}; until [ $(ls /tmp/in-* | wc -l) = 20 ]; do sleep 0.05; done");
    let commands: Vec<String> = (0..20).map(script).collect();
    let runs = commands.iter().map(|it| login.runs(it));
    let all = futures_util::future::join_all(runs).await;
    assert!(all.iter().all(|(code, _)| *code == Some(0)), "{all:?}");
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_known_by_its_key_after_a_restart_of_the_program() {
    if !can_sign_in().await {
        return;
    }
    let store = Store::in_memory();
    let mut login = Login::over(store.clone(), "known-m", "ed25519").await;
    let before = login.server().expect("it can be signed in to");
    login.world.end().await;
    closes(before.address).await;
    login.world = World::over(store, Way::Namespaces).await;
    login.world.until("an open door", async || login.server().is_some()).await;
    let after = login.server().expect("it can be signed in to");
    assert_eq!((after.address.ip(), &after.host_key), (before.address.ip(), &before.host_key));
    assert_eq!(login.runs("whoami").await.1, "azureuser\n");
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn port_22_where_it_may_be_had_else_2222_else_any() {
    if !can_sign_in().await {
        return;
    }
    let world = World::with(Store::in_memory(), Way::Namespaces, &crate::program(), &[22, 2222, 0]).await;
    let login = Login::of(world, "port-m", "ed25519").await;
    // Whether this user may have them, and nobody has them at all addresses, is tried at one that no machine has.
    let may = |port: u16| TcpListener::bind(("127.77.255.253", port)).is_ok();
    let ports: Vec<u16> = [22, 2222].into_iter().filter(|it| may(*it)).collect();
    let mut taken = Vec::new();
    for number in 0..=ports.len() {
        let server = login.server().expect("it can be signed in to");
        match ports.get(number) {
            Some(port) => assert_eq!(server.address.port(), *port),
            None => assert!(![22, 2222].contains(&server.address.port()), "{}", server.address),
        }
        assert_eq!(login.runs("whoami").await.1, "azureuser\n", "{}", server.address);
        // Somebody else has it from now on.
        login.world.vm("POST", "port-m", "/deallocate", Value::Null).await;
        login.world.until("no machine", async || login.server().is_none()).await;
        closes(server.address).await;
        taken.push(TcpListener::bind(server.address).expect("is free"));
        login.world.vm("POST", "port-m", "/start", Value::Null).await;
        login.world.until("an open door", async || login.server().is_some()).await;
    }
    assert_eq!(taken.len(), ports.len() + 1);
    login.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_follows_the_rules_and_the_machine() {
    if !can_sign_in().await {
        return;
    }
    let login = Login::new("rules-m", "ed25519").await;
    let first = login.server().expect("it can be signed in to");
    let mut client = login.client("ssh", "mine");
    let mut session = client.arg(login.at()).arg("exec sleep 1000").spawn().expect("runs");
    login.world.until("the session", async || login.runs("pgrep sleep").await.0 == Some(0)).await;

    // No rule lets anybody in: the address is shut, and whoever was in is out.
    let rule = format!("{NETWORK}/networkSecurityGroups/nsg/securityRules/default-allow-ssh{VERSION}");
    login.world.arm("DELETE", &rule, Value::Null).await;
    login.world.until("a closed door", async || login.server().is_none()).await;
    assert_eq!(session.wait().await.expect("ends").code(), Some(255));
    closes(first.address).await;
    login
        .put("networkSecurityGroups/nsg/securityRules/default-allow-ssh", allow_ssh()["properties"].clone())
        .await;
    login.world.until("an open door", async || login.server().is_some()).await;
    // It was a session's process, and it went with the session.
    login.world.until("no process", async || login.runs("pgrep sleep").await.0 == Some(1)).await;

    // A machine that is off lets nobody in, and is the same machine afterwards.
    let mut session =
        login.client("ssh", "mine").arg(login.at()).arg("exec sleep 1000").spawn().expect("runs");
    login.world.until("the session", async || login.runs("pgrep sleep").await.0 == Some(0)).await;
    login.world.vm("POST", "rules-m", "/deallocate", Value::Null).await;
    login.world.until("no machine", async || login.server().is_none()).await;
    assert_eq!(session.wait().await.expect("ends").code(), Some(255));
    login.world.until("no process", async || processes_of("rules-m").is_empty()).await;
    login.world.vm("POST", "rules-m", "/start", Value::Null).await;
    login.world.until("an open door", async || login.server().is_some()).await;
    let again = login.server().expect("it can be signed in to");
    assert_eq!((again.address.ip(), again.host_key), (first.address.ip(), first.host_key));
    assert_eq!(login.runs("hostname").await.1, "rules-m\n");

    login.world.vm("DELETE", "rules-m", "", Value::Null).await;
    login.world.until("no machine", async || login.server().is_none()).await;
    login.world.end().await;
}
