//! Shells: the caller's own command, in a network whose doors somebody else serves. Each caller is a process of its own, as it would be.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use guest::Doors;
use guest::shell::{Arrival, Cover, Desk, File, Holds, Plan, Visitor, What, probe_walls};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use crate::spec;

/// Whether this machine allows walls; says so when not.
fn is_allowed() -> bool {
    match probe_walls(&spec().init) {
        Ok(()) => true,
        Err(refused) if std::env::var_os("ZAFFRE_REQUIRE_GUESTS").is_some() => {
            panic!("no walls here: {refused}")
        }
        Err(refused) => {
            println!("skipped: this machine refuses walls: {refused}");
            false
        }
    }
}

fn plan(folder: &Path, script: &str) -> Plan {
    Plan {
        walls: true,
        doors: Doors::of_azure(),
        desk: None,
        folder: Some(folder.into()),
        files: Vec::new(),
        covers: Vec::new(),
        command: Some(What { argv: ["bash", "-c", script].map(Into::into).into(), env: Vec::new() }),
    }
}

/// Another process that runs the plan, as `zaffre run` would.
fn caller(plan: &Plan) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "shells::call_a_shell", "--nocapture"])
        .env("SHELL_PLAN", serde_json::to_string(plan).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0);
    command.spawn().unwrap()
}

#[test]
#[ignore = "the other half of the tests here"]
fn call_a_shell() {
    let plan: Plan = serde_json::from_str(&std::env::var("SHELL_PLAN").unwrap()).unwrap();
    println!("ended={:?}", guest::shell::run(&spec().init, plan));
}

/// What the command printed, and how it ended.
fn output(mut caller: Child) -> (String, String) {
    let mut text = String::new();
    caller.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    caller.wait().unwrap();
    let ended = text.lines().find_map(|it| it.strip_prefix("ended=")).unwrap_or("nothing").to_string();
    let is_said = |it: &&str| it.starts_with("> ");
    let said = text.lines().filter(is_said).map(|it| &it[2..]).collect::<Vec<_>>().join("\n");
    (said, ended)
}

fn run(plan: &Plan) -> (String, String) {
    output(caller(plan))
}

const WELL: &str = "Ok(Code(0))";

#[test]
fn inside_is_the_callers_own_world_but_for_the_network() {
    if !is_allowed() {
        return;
    }
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(elsewhere.path().join("mine"), "mine").unwrap();
    let outside = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!(
        "echo '>' $(id -u) $PWD $(cat {}/mine) $KEPT ${{GONE-unset}} $GIVEN\n\
         (exec 3<>/dev/tcp/127.0.0.1/{outside}) 2>/dev/null && echo '> the host'\n\
         echo '>' $(ls /sys/class/net >/dev/null; grep -c : /proc/net/dev) interface",
        elsewhere.path().display()
    );
    let mut plan = plan(folder.path(), &script);
    plan.command.as_mut().unwrap().env = vec![
        ("GIVEN".into(), Some("given".into())),
        ("GONE".into(), None),
        ("KEPT".into(), Some("kept".into())),
    ];
    let (said, ended) = run(&plan);
    let expected = format!(
        "{} {} mine kept unset given\n1 interface",
        rustix::process::geteuid().as_raw(),
        std::env::current_dir().unwrap().display()
    );
    assert_eq!((said, ended.as_str()), (expected, WELL));
}

#[test]
fn a_command_ends_as_it_ends() {
    if !is_allowed() {
        return;
    }
    for (script, expected) in [
        ("exit 7", "Ok(Code(7))"),
        ("kill -TERM $$", "Ok(Signal(15))"),
        ("exec /no/such/program", "Ok(Code(127))"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(&plan(folder.path(), script)).1, expected, "{script}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut none = plan(folder.path(), "");
    none.command.as_mut().unwrap().argv = vec!["/no/such/program".into()];
    assert_eq!(run(&none).1, "Ok(Code(127))");
}

#[test]
fn files_are_seen_inside_alone_and_in_place_of_the_hosts() {
    if !is_allowed() {
        return;
    }
    let (folder, outer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let covered = outer.path().join("settings");
    fs::write(&covered, "the host's").unwrap();
    std::os::unix::fs::symlink(&covered, outer.path().join("link")).unwrap();
    let script = format!("echo '>' $(cat {} {}/deep/file)", covered.display(), folder.path().display());
    let mut plan = plan(folder.path(), &script);
    let file = |path: &str, text: &str| File { path: path.into(), holds: Holds::Text(text.into()) };
    plan.files = vec![file("settings", "ours"), file("deep/file", "deep")];
    let cover =
        |target: &str, source: &str| Cover { target: outer.path().join(target), source: source.into() };
    // By its link, by its name, and what is not there.
    plan.covers =
        vec![cover("link", "settings"), cover("settings", "deep/file"), cover("missing", "settings")];
    assert_eq!(run(&plan), ("oursdeep".to_string(), WELL.to_string()));
    assert_eq!(fs::read_to_string(&covered).unwrap(), "the host's");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    plan.files = vec![file("../out", "out")];
    assert!(run(&plan).1.contains("leads out"), "a file outside the folder");
}

#[test]
fn without_walls_the_files_are_made_and_taken_away() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    let script = format!("echo '>' $(cat {}/file; stat -c %a {})", folder.display(), folder.display());
    let mut plan = plan(&folder, &script);
    plan.walls = false;
    plan.files = vec![File { path: "file".into(), holds: Holds::Text("ours ".into()) }];
    assert_eq!(run(&plan), ("ours 700".to_string(), WELL.to_string()));
    assert!(!folder.exists());
}

#[tokio::test]
async fn whoever_has_the_ticket_serves_the_doors() {
    if !is_allowed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("desk");
    let desk = UnixListener::bind(&socket).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = "exec 3<>/dev/tcp/169.254.169.254/80; read -r line <&3; echo \"> $line\"\n\
                  until (exec 4<>/dev/tcp/127.77.0.9/2200) 2>/dev/null; do :; done; echo '> later'";
    let mut plan = plan(scratch.path(), script);
    plan.desk = Some(Desk { socket, ticket: "t1cket".into() });
    let caller = tokio::task::spawn_blocking(move || run(&plan));
    let (stream, _) = desk.accept().await.unwrap();
    let (mut visitor, Arrival { ticket, sockets }) = Visitor::arrive(stream).await.unwrap();
    let addresses: Vec<String> = sockets.tcp.iter().map(|it| it.0.to_string()).collect();
    assert_eq!(ticket, "t1cket");
    assert_eq!(addresses, ["169.254.169.254:80", "168.63.129.16:53", "10.255.255.1:443", "10.255.255.1:80"]);
    assert_eq!(sockets.udp.len(), 1);
    visitor.welcome().await.unwrap();
    let door = tokio::net::TcpListener::from_std(sockets.tcp.into_iter().next().unwrap().1).unwrap();
    let (mut asking, _) = door.accept().await.unwrap();
    asking.write_all(b"whoever holds the door\n").await.unwrap();
    visitor.ask_to_listen("127.77.0.9:2200".parse().unwrap()).await.unwrap();
    let (address, later) = visitor.opened().await.unwrap().unwrap();
    let _later = later.unwrap();
    assert_eq!(address, "127.77.0.9:2200".parse().unwrap());
    assert!(visitor.opened().await.unwrap().is_none(), "the shell has ended");
    assert_eq!(caller.await.unwrap(), ("whoever holds the door\nlater".to_string(), WELL.to_string()));
}

#[tokio::test]
async fn who_is_turned_away_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("desk");
    let desk = UnixListener::bind(&socket).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut plan = plan(&scratch.path().join("own"), "echo '> ran'");
    plan.walls = false;
    plan.desk = Some(Desk { socket, ticket: "another".into() });
    let caller = tokio::task::spawn_blocking(move || run(&plan));
    let (mut visitor, _) = Visitor::arrive(desk.accept().await.unwrap().0).await.unwrap();
    visitor.turn_away("no such ticket").await.unwrap();
    let (said, ended) = caller.await.unwrap();
    assert_eq!(said, "");
    assert!(ended.contains("no such ticket"), "{ended}");
}

#[test]
fn a_shell_without_a_cloud_does_not_begin() {
    let scratch = tempfile::tempdir().unwrap();
    let mut plan = plan(&scratch.path().join("own"), "echo '> ran'");
    plan.walls = false;
    plan.desk = Some(Desk { socket: scratch.path().join("nobody"), ticket: String::new() });
    let (said, ended) = run(&plan);
    assert_eq!(said, "");
    assert!(ended.contains("reach the cloud"), "{ended}");
}

/// A caller whose shell has daemons, and handles of the whole family: command, keeper, daemons.
fn with_daemons(folder: &Path, then: &str) -> (Child, Vec<rustix::fd::OwnedFd>) {
    let script = format!(
        "sleep 1000 & a=$!; setsid sleep 1000 & b=$!; c=$(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')\n\
         echo \"pids=$PPID $$ $a $b $c\"\n{then}"
    );
    let mut caller = caller(&plan(folder, &script));
    let mut lines = BufReader::new(caller.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    let pids = lines.find_map(|it| it.strip_prefix("pids=").map(str::to_owned)).unwrap();
    let handle =
        |it: &str| pidfd_open(Pid::from_raw(it.parse().unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
    let handles: Vec<_> = pids.split_whitespace().map(handle).collect();
    assert_eq!(handles.len(), 5, "{pids}");
    (caller, handles)
}

fn assert_gone(handles: &[rustix::fd::OwnedFd]) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    for handle in handles {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ended, 1, "a process is left");
    }
}

#[test]
fn nothing_is_left_of_a_shell_that_ended() {
    if !is_allowed() {
        return;
    }
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let (folder, before) = (tempfile::tempdir().unwrap(), mounts());
    let (caller, handles) = with_daemons(folder.path(), "read -t 0.01 < <(sleep 60); exit 0");
    assert_eq!(output(caller).1, WELL);
    assert_gone(&handles);
    assert_eq!(mounts(), before);
}

#[test]
fn nothing_is_left_of_a_shell_whose_caller_or_keeper_was_killed() {
    if !is_allowed() {
        return;
    }
    for kills_keeper in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (mut caller, handles) = with_daemons(folder.path(), "exec sleep 1000");
        match kills_keeper {
            true => rustix::process::pidfd_send_signal(&handles[0], Signal::KILL).unwrap(),
            false => caller.kill().unwrap(),
        }
        caller.wait().unwrap();
        assert_gone(&handles);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_refusal_says_that_it_is_of_the_walls() {
    let folder = tempfile::tempdir().unwrap();
    if !is_allowed() {
        return;
    }
    let plan = plan(&folder.path().join("not there"), "echo '> ran'");
    let (said, ended) = run(&plan);
    assert_eq!(said, "");
    assert!(ended.starts_with("Err(NoWalls"), "{ended}");
}
