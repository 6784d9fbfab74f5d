//! `zaffre run` and `zaffre shell`, as processes: what is inside, what is passed on, and that nothing is left, also as an ordinary user.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use serde_json::Value;

use crate::process::Up;

/// Whether this machine allows walls; says so when not.
fn has_walls() -> bool {
    match guest::shell::probe_walls(&crate::program()) {
        Ok(()) => true,
        Err(refused) if std::env::var_os("ZAFFRE_REQUIRE_GUESTS").is_some() => {
            panic!("no walls here: {refused}")
        }
        Err(refused) => {
            eprintln!("left out: this machine refuses walls: {refused}");
            false
        }
    }
}

fn up() -> Up {
    Up::start(&["--memory", "--guests", "off"])
}

/// `zaffre run WORDS -- bash -c SCRIPT`, with nothing set that could lead clients anywhere.
fn command(up: &Up, words: &[&str], script: &str) -> Command {
    let mut command = Command::new(crate::program());
    command.arg("--data").arg(up.home.path()).arg("run").args(words).args(["--", "bash", "-c", script]);
    for name in
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ZAFFRE_HOME"]
    {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(up: &Up, words: &[&str], script: &str) -> Output {
    command(up, words, script).output().expect("the program starts")
}

/// What a script that must go well prints.
fn printed(up: &Up, words: &[&str], script: &str) -> String {
    let done = run(up, words, script);
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}");
    out.trim_end().to_owned()
}

#[test]
fn inside_azures_names_are_this_cloud_and_nothing_else_is_reached() {
    if !has_walls() {
        return;
    }
    let up = up();
    // As it is trusted by whoever reads no variable at all, where the system has a bundle to cover.
    let has_bundle = Path::new("/etc/ssl/certs/ca-certificates.crt").is_file();
    let trust = if has_bundle { "env -u CURL_CA_BUNDLE -u SSL_CERT_FILE -u SSL_CERT_DIR" } else { "env" };
    let script = format!(
        "ask() {{ {trust} curl -s -o /dev/null -w '%{{http_code}}\\n' \"$@\"; }}\n\
         ask https://management.azure.com/metadata/endpoints?api-version=2022-09-01\n\
         ask https://made-later.blob.core.windows.net/\n\
         ask https://vault.azure.net/\n\
         ask -H Metadata:true 'http://169.254.169.254/metadata/instance?api-version=2021-02-01'\n\
         getent hosts example.org || echo no such name\n\
         (exec 3<>/dev/tcp/192.0.2.7/80) 2>&1 | grep -m 1 -o 'Network is unreachable'"
    );
    let said = printed(&up, &[], &script);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["200", "405", "404", "404", "no such name", "Network is unreachable"]
    );
}

#[test]
fn az_is_signed_in_in_a_folder_that_goes_with_the_shell() {
    if !has_walls() {
        return;
    }
    let up = up();
    for words in [&[] as &[&str], &["--no-namespace"]] {
        let script = "echo $AZURE_CONFIG_DIR; cat $AZURE_CONFIG_DIR/azureProfile.json; echo; stat -c %a $AZURE_CONFIG_DIR/..";
        let said = printed(&up, words, script);
        let [folder, profile, mode] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
        let profile: Value = serde_json::from_str(profile).expect("JSON");
        let account = &profile["subscriptions"][0];
        assert_eq!(account["user"]["name"], "admin@contoso.onmicrosoft.com");
        assert_eq!((&account["name"], mode), (&"Zaffre".into(), "700"));
        assert!(!Path::new(folder).exists(), "{folder}");
    }
    let another = printed(
        &up,
        &["--as", "zaffre-admin"],
        "cat $AZURE_CONFIG_DIR/azureProfile.json; echo $AZURE_CLIENT_ID",
    );
    assert!(another.contains("servicePrincipal") && another.ends_with("a1"), "{another}");
    let nobody = run(&up, &["--as", "nobody@nowhere"], "echo ran");
    assert_eq!((nobody.status.code(), nobody.stdout.is_empty()), (Some(1), true));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no user is called `nobody@nowhere`"));
}

#[test]
fn a_port_of_the_host_is_brought_in_and_others_are_not() {
    if !has_walls() {
        return;
    }
    let up = up();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answering = std::thread::spawn(move || {
        for _ in 0..2 {
            listener.accept().expect("a connection").0.write_all(b"the host\n").expect("writes");
        }
    });
    let moved = format!("4321:{port}");
    let script = "exec 3<>/dev/tcp/127.0.0.1/$PORT && cat <&3";
    let at = |inside: u16| format!("PORT={inside}; {script}");
    assert_eq!(printed(&up, &["--forward", &moved], &at(4321)), "the host");
    let own = port.to_string();
    assert_eq!(printed(&up, &["--forward", &own], &at(port)), "the host");
    answering.join().expect("both came");
    let refused = run(&up, &[], &at(port));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Connection refused"));
    let bad = run(&up, &["--forward", "http"], "echo ran");
    assert_eq!((bad.status.code(), bad.stdout.is_empty()), (Some(1), true));
}

#[test]
fn the_clouds_own_ports_are_the_same_inside() {
    if !has_walls() {
        return;
    }
    let up = up();
    // The proxy refuses what is Microsoft's and not emulated; the drop-in port for blobs is asked as Azurite is.
    let script = "curl -s -o /dev/null -w '%{http_connect}\\n' --noproxy '' https://vault.azure.net/; \
                  zaffre=$0; echo $HTTPS_PROXY";
    let said = printed(&up, &[], script);
    let [connect, proxy] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert_eq!(connect, "403");
    assert_eq!(proxy, up.env()["HTTPS_PROXY"].as_str().expect("a proxy"));
}

#[test]
fn ends_and_signals_are_passed_on_with_and_without_walls() {
    if !has_walls() {
        return;
    }
    let up = up();
    for words in [&[] as &[&str], &["--no-namespace"]] {
        assert_eq!(run(&up, words, "exit 7").status.code(), Some(7));
        assert_eq!(run(&up, words, "kill -KILL $$").status.code(), Some(128 + 9));
        let mut child =
            command(&up, words, "trap 'exit 3' TERM; sleep 1000 & echo ready; wait").spawn().expect("starts");
        assert_eq!(first_line(&mut child), "ready");
        kill_process(Pid::from_child(&child), Signal::TERM).expect("is ours");
        assert_eq!(child.wait().expect("ends").code(), Some(3));
    }
    let missing = Command::new(crate::program())
        .arg("--data")
        .arg(up.home.path())
        .args(["run", "--", "/no/such/program"])
        .output()
        .expect("starts");
    assert_eq!(missing.status.code(), Some(127));
}

#[test]
fn without_namespaces_the_variables_are_those_of_env() {
    let up = up();
    let said =
        printed(&up, &["--no-namespace"], "echo $HTTPS_PROXY $NO_PROXY $REQUESTS_CA_BUNDLE $ZAFFRE_SHELL");
    let env = up.env();
    let of = |name: &str| env[name].as_str().expect("is set").to_owned();
    let expected =
        format!("{} {} {} administrator", of("HTTPS_PROXY"), of("NO_PROXY"), of("REQUESTS_CA_BUNDLE"));
    assert_eq!(said, expected);
}

#[test]
fn a_shell_reads_what_is_typed() {
    if !has_walls() {
        return;
    }
    let up = up();
    let mut child = Command::new(crate::program())
        .arg("--data")
        .arg(up.home.path())
        .arg("shell")
        .env("SHELL", "/bin/bash")
        .env_remove("ZAFFRE_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("a pipe").write_all(b"echo in $ZAFFRE_SHELL\nexit 5\n").expect("writes");
    let done = child.wait_with_output().expect("ends");
    assert_eq!(
        (done.status.code(), String::from_utf8_lossy(&done.stdout).as_ref()),
        (Some(5), "in administrator\n")
    );
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("reads");
    line.trim_end().to_owned()
}

/// A shell with daemons: its caller, and handles of the keeper, the command and the daemons.
fn with_daemons(up: &Up) -> (Child, Vec<OwnedFd>) {
    let script = "sleep 1000 & a=$!; setsid sleep 1000 & b=$!; c=$(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')\n\
                  echo $PPID $$ $a $b $c; exec sleep 1000";
    let mut child = command(up, &[], script).spawn().expect("starts");
    let pids = first_line(&mut child);
    let handle = |it: &str| {
        let pid = Pid::from_raw(it.parse().expect("a number")).expect("a process");
        pidfd_open(pid, PidfdFlags::empty()).expect("is there")
    };
    let handles: Vec<OwnedFd> = pids.split_whitespace().map(handle).collect();
    assert_eq!(handles.len(), 5, "{pids}");
    (child, handles)
}

fn assert_gone(handles: &[OwnedFd]) {
    for handle in handles {
        let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&patience)).expect("polls");
        assert_eq!(ended, 1, "a process is left");
    }
}

/// The cloud's sockets that are not in this network: a shell's.
fn sockets_of(up: &Up) -> usize {
    fs::read_dir(format!("/proc/{}/fd", up.pid())).expect("is ours").count()
}

#[test]
fn nothing_is_left_of_shells_that_were_killed_and_the_others_go_on() {
    if !has_walls() {
        return;
    }
    let up = up();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("reads");
    // One shell has been: whatever the cloud opens once and for all is open.
    printed(&up, &[], "true");
    let (before, open) = (mounts(), sockets_of(&up));
    let (mut other, other_handles) = with_daemons(&up);
    for _ in 0..3 {
        let (mut child, handles) = with_daemons(&up);
        child.kill().expect("is ours");
        child.wait().expect("ends");
        assert_gone(&handles);
        assert_eq!(printed(&up, &[], "curl -s -o /dev/null -w %{http_code} https://vault.azure.net/"), "404");
    }
    kill_process(Pid::from_child(&other), Signal::TERM).expect("is ours");
    assert_eq!(other.wait().expect("ends").code(), Some(128 + 15));
    assert_gone(&other_handles);
    assert_eq!(mounts(), before);
    // The cloud hears of an end as of everything else: after a while, of which some more shells are a measure.
    for _ in 0..100 {
        if sockets_of(&up) <= open {
            break;
        }
        printed(&up, &[], "true");
    }
    assert!(sockets_of(&up) <= open, "{} open before, {} now", open, sockets_of(&up));
}

#[test]
fn a_shell_outlives_its_cloud_and_is_told_nothing_wrong() {
    if !has_walls() {
        return;
    }
    let mut up = up();
    let script = "echo ready; read -r line; curl -s https://management.azure.com/; echo $?";
    let mut child = command(&up, &[], script).stdin(Stdio::piped()).spawn().expect("starts");
    assert_eq!(first_line(&mut child), "ready");
    up.signal(Signal::KILL);
    child.stdin.take().expect("a pipe").write_all(b"go on\n").expect("writes");
    let mut rest = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut rest).expect("reads");
    assert!(child.wait().expect("ends").success());
    // curl could not resolve the name (6), or could not connect (7).
    assert!(["6", "7"].contains(&rest.trim()), "{rest}");
}
