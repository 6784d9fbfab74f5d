//! What users' own programs do with what `zaffre env`, `status` and `ca` print: curl, OpenSSL, Python and Node, through the
//! proxy of the built program.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::process::{Up, run, text, zaffre};

const ALIASES: &str = "https://azcliprod.blob.core.windows.net/cli/vm/aliases.json";
const TOKEN: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";

/// A program in an environment of nothing but PATH and these variables.
fn with(env: &Value, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
    let all = env.as_object().expect("an object").iter();
    command.envs(all.map(|(name, value)| (name, value.as_str().expect("text"))));
    command
}

fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("is a tool of the tests");
    assert!(status.success(), "{command:?}: {status} {}", text(&stderr));
    text(&stdout)
}

#[test]
fn curl_reaches_azures_names_in_either_version_of_http_and_verifies_them() {
    let up = Up::start(&["--memory"]);
    let proxy = up.run_json()["addresses"]["proxy"].as_str().expect("a proxy").to_owned();
    let port = proxy.rsplit_once(':').expect("a port").1;
    let env = up.env();
    let ca = env["NODE_EXTRA_CA_CERTS"].as_str().expect("a file");
    let shown = [
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_version} %{http_code} %{ssl_verify_result} %{proxy_ssl_verify_result}",
    ];
    for (words, expected) in [
        (vec!["--http1.1", ALIASES], "1.1 200 0 0"),
        (vec!["--http2", ALIASES], "2 200 0 0"),
        (vec!["--http2", "https://management.azure.com/subscriptions?api-version=2022-12-01"], "2 401 0 0"),
        // To the proxy itself by TLS, and in the open.
        (
            vec!["--http2", "--proxy-cacert", ca, "--proxy", &format!("https://localhost:{port}"), ALIASES],
            "2 200 0 0",
        ),
        (vec!["http://azcliprod.blob.core.windows.net/cli/vm/aliases.json"], "1.1 200 0 0"),
        (vec!["--noproxy", "*", &format!("http://{proxy}/proxy.pac")], "1.1 200 0 0"),
    ] {
        assert_eq!(said(with(&env, "curl").args(shown).args(&words)), expected, "{words:?}");
    }
    let status = text(&run(up.path(), &["status"]).stdout);
    assert!(status.contains(&format!("http://{proxy}/proxy.pac")), "{status}");
}

#[test]
fn a_shell_that_evaluates_the_variables_is_in_the_cloud() {
    let up = Up::start(&["--memory"]);
    for shell in ["sh", "bash"] {
        let script = format!(
            "eval \"$('{}' --data '{}' env)\" && curl -fsS {ALIASES}",
            crate::program().display(),
            up.path().display()
        );
        let came = said(with(&Value::Object(Default::default()), shell).args(["-c", &script]));
        assert!(came.contains("Ubuntu2204"), "{shell}: {came}");
    }
    let warned =
        zaffre(up.path(), &["env"]).env("NO_PROXY", "localhost,169.254.169.254").output().expect("starts");
    let warned = text(&warned.stderr);
    assert!(warned.contains("NO_PROXY held 169.254.169.254"), "{warned}");
    assert!(run(up.path(), &["env"]).stderr.is_empty());
}

/// Opens a tunnel by hand, as Node's libraries for proxies do, and asks in both versions of HTTP.
const NODE: &str = r#"
const http = require('http'), tls = require('tls'), https = require('https'), http2 = require('http2');
const proxy = new URL(process.env.HTTPS_PROXY), host = 'azcliprod.blob.core.windows.net', path = '/cli/vm/aliases.json';
const tunnel = () => new Promise((resolve, reject) => http
  .request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: host + ':443' })
  .on('connect', (_, socket) => resolve(socket)).on('error', reject).end());
(async () => {
  const socket = await tunnel();
  const one = await new Promise((resolve, reject) => https
    .get({ host, path, createConnection: () => tls.connect({ socket, servername: host }) }, resolve)
    .on('error', reject));
  one.resume();
  const inner = await tunnel();
  const session = http2.connect('https://' + host, {
    createConnection: () => tls.connect({ socket: inner, servername: host, ALPNProtocols: ['h2'] }),
  });
  const two = session.request({ ':path': path });
  two.on('response', headers => { console.log(one.httpVersion, one.statusCode, 2, headers[':status']); session.destroy(); process.exit(0); });
  two.end();
})().catch(error => { console.error(error); process.exit(1); });
"#;

const PYTHON: &str = r#"
import os, ssl, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as answer:
    print(answer.status, 'Ubuntu2204' in answer.read().decode())
"#;

#[test]
fn the_runtimes_of_azures_libraries_accept_the_authority() {
    let up = Up::start(&["--memory"]);
    let env = up.env();
    assert_eq!(said(with(&env, "python3").args(["-c", PYTHON, ALIASES])), "200 True\n");
    assert_eq!(said(with(&env, "node").args(["-e", NODE])), "1.1 200 2 200\n");
    // Drop-in ports, at an address and by name.
    for address in ["127.0.0.1", "localhost"] {
        let cosmos =
            up.run_json()["addresses"]["cosmos"].as_str().expect("cosmos").replace("127.0.0.1", address);
        let code = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"];
        assert_eq!(said(with(&env, "curl").args(code).arg(format!("https://{cosmos}/"))), "401", "{cosmos}");
        let get = format!(
            "const https = require('https'); https.get('https://{cosmos}/', it => console.log(it.statusCode)); setTimeout(() => process.exit(0), 500).unref()"
        );
        assert_eq!(said(with(&env, "node").args(["-e", &get])), "401\n", "{cosmos}");
    }
}

#[test]
fn the_secret_of_a_machine_counts_in_the_open_and_in_a_tunnel_and_nobody_is_asked_for_one() {
    let up = Up::start(&["--memory"]);
    let (_, answer) = up.token();
    up.make_machine(answer["access_token"].as_str().expect("a token"), "myVM");
    let lent = run(up.path(), &["env", "--format", "json", "--as-vm", "myVM"]);
    let as_machine: Value = serde_json::from_slice(&lent.stdout).expect("JSON");
    let shown = ["-s", "-H", "Metadata: true", "-w", "\n%{http_code} %{http_connect}"];
    for (env, expected) in [(&as_machine, "200"), (&up.env(), "400")] {
        for (words, connect) in [(&[][..], "000"), (&["--proxytunnel"], "200")] {
            let came = said(with(env, "curl").args(shown).args(words).arg(TOKEN));
            let (body, codes) = came.rsplit_once('\n').expect("two lines");
            assert_eq!(codes, format!("{expected} {connect}"), "{words:?}: {came}");
            assert_eq!(body.contains("access_token"), expected == "200", "{came}");
        }
    }
}

#[test]
fn a_cloud_refuses_to_be_its_own_upstream_proxy_and_takes_none_of_another_cloud() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let home = tempfile::tempdir().expect("a folder");
    let (port, own) = (format!("proxy={free}"), format!("http://localhost:{free}"));
    let words = ["up", "--memory", "--port", "all=0", "--port", &port, "--upstream-proxy", &own];
    let refused = run(home.path(), &words);
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("this cloud's own proxy"),
        "{}",
        text(&refused.stderr)
    );
    let nonsense = run(home.path(), &["up", "--memory", "--upstream-proxy", "socks5://u:s3cret@p:1"]);
    let said = text(&nonsense.stderr);
    assert!(said.contains("`socks5://` is not spoken") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_host_that_needs_a_proxy_reaches_others_through_it_and_azure_without() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let upstream = format!("http://ada:lovelace@{}", socket.local_addr().expect("an address"));
    let proxy = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("the cloud");
        let lines = BufReader::new(stream.try_clone().expect("clones")).lines();
        let head: Vec<String> = lines.map(|it| it.expect("text")).take_while(|it| !it.is_empty()).collect();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfar\n")
            .expect("answers");
        head.join("\n").to_lowercase()
    });
    let up = Up::start(&["--memory", "--upstream-proxy", &upstream]);
    let env = up.env();
    assert_eq!(said(with(&env, "curl").args(["-sS", "http://far.example/x"])), "far\n");
    let heard = proxy.join().expect("no panic");
    assert!(heard.starts_with("get http://far.example/x http/1.1\n"), "{heard}");
    let basic = azure::text::base64(b"ada:lovelace").to_lowercase();
    assert!(heard.contains(&format!("proxy-authorization: basic {basic}")), "{heard}");
    assert!(said(with(&env, "curl").args(["-sS", ALIASES])).contains("Ubuntu2204"));
    let pac = format!("{}/proxy.pac", env["HTTP_PROXY"].as_str().expect("a proxy"));
    let pac = said(with(&env, "curl").args(["-sS", &pac]));
    assert!(!pac.contains("DIRECT") && !pac.contains("lovelace"), "{pac}");
}

#[test]
fn where_the_authority_is_and_what_trusting_it_would_do_is_said() {
    let up = Up::start(&["--memory"]);
    for (words, name) in [
        (&["ca", "path"][..], "ca.pem"),
        (&["ca", "path", "--bundle"], "bundle.pem"),
        (&["ca", "path", "--java"], "truststore.jks"),
    ] {
        let path = text(&run(up.path(), words).stdout);
        assert!(path.ends_with(&format!("/{name}\n")) && Path::new(path.trim()).is_file(), "{path}");
    }
    let anchors = Path::new("/usr/local/share/ca-certificates");
    let list = || fs::read_dir(anchors).into_iter().flatten().count();
    let before = list();
    let mut command = zaffre(up.path(), &["ca", "trust", "--dry-run"]);
    let said = text(&command.env("HOME", up.path()).output().expect("starts").stdout);
    assert!(said.starts_with("no browser of this user has a store of NSS\n"), "{said}");
    assert!(said.lines().count() >= 2 && !said.lines().any(|line| line.starts_with("write ")), "{said}");
    assert_eq!(list(), before);
    let none = tempfile::tempdir().expect("a folder");
    let said = text(&run(none.path(), &["ca", "trust"]).stderr);
    assert!(said.contains("no authority in") && said.contains(" up` makes one"), "{said}");
}

/// In a mount namespace of its own: the system's store is a copy there. Hooks that make other stores of it are left out.
const IN_A_COPY: &str = r#"
place=$(mktemp -d); mount -t tmpfs none "$place"; mkdir "$place/anchors" "$place/hooks"; cp -a /etc/ssl/certs "$place/store"
mount --bind "$place/store" /etc/ssl/certs
mount --bind "$place/anchors" /usr/local/share/ca-certificates
mount --bind "$place/hooks" /etc/ca-certificates/update.d
asked() { env -i PATH="$PATH" https_proxy="$PROXY" curl -s -o /dev/null -w '%{http_code}' "$1" || true; }
store() { (cd /etc/ssl/certs; find . | sort; find . -type l -exec readlink {} + | sort; find . -type f -exec cat {} + ) | sha256sum; }
update-ca-certificates --fresh > "$place/settled"
before=$(store)
"$ZAFFRE" --data "$HOME" ca trust --store system > "$place/said"
asked "$1"; [ "$before" != "$(store)" ] && echo " trusted"
"$ZAFFRE" --data "$HOME" ca untrust --store system >> "$place/said"
asked "$1"; [ "$before" = "$(store)" ] && echo " as before"
umount /etc/ca-certificates/update.d /usr/local/share/ca-certificates /etc/ssl/certs; umount "$place"; rmdir "$place"
"#;

#[test]
fn debians_own_store_trusts_it_and_is_afterwards_what_it_was() {
    if !Path::new("/etc/debian_version").is_file() {
        return;
    }
    let up = Up::start(&["--memory"]);
    let proxy = up.env()["https_proxy"].as_str().expect("a proxy").to_owned();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", IN_A_COPY, "sh", ALIASES]);
    command.env("PROXY", proxy).env("ZAFFRE", crate::program()).env("HOME", up.path());
    assert_eq!(said(&mut command), "200 trusted\n000 as before\n");
}
