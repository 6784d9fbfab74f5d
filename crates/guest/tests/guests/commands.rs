//! Commands: what goes in, what comes out, how they end.

use guest::{Command, ExitStatus, GuestError, Size, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{as_root, code, print, shell, spec, start};

#[tokio::test]
async fn a_command_ends_with_its_own_code() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    for expected in [0, 1, 42, 255] {
        assert_eq!(code(&guest, shell(&format!("exit {expected}"))).await, expected);
    }
}

#[tokio::test]
async fn stdout_and_stderr_come_apart() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let done = guest.exec(shell("echo out; echo err >&2")).await.unwrap().finish().await.unwrap();
    assert_eq!((done.stdout, done.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
}

#[tokio::test]
async fn ten_megabytes_go_in_and_come_out() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut exec = guest.exec(Command::new(["cat"])).await.unwrap();
    let bytes: Vec<u8> = (0..10u32 << 20).map(|i| (i % 251) as u8).collect();
    let (mut stdin, mut stdout) = (exec.stdin.take().unwrap(), exec.stdout.take().unwrap());
    let mut echoed = Vec::new();
    let write = async {
        stdin.write_all(&bytes).await.unwrap();
        drop(stdin);
    };
    let (_, read) = tokio::join!(write, stdout.read_to_end(&mut echoed));
    read.unwrap();
    assert!(echoed == bytes, "{} of {} bytes, or others", echoed.len(), bytes.len());
    assert_eq!(exec.wait().await, Ok(ExitStatus::Code(0)));
}

#[tokio::test]
async fn twenty_commands_run_at_once() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(guest.exec(Command::new(["cat"])).await.unwrap());
    }
    for (i, mut exec) in all.into_iter().enumerate() {
        exec.stdin.as_mut().unwrap().write_all(format!("{i}").as_bytes()).await.unwrap();
        assert_eq!(exec.finish().await.unwrap().stdout, format!("{i}").into_bytes());
    }
}

#[tokio::test]
async fn a_terminal_has_a_size_that_can_change() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let script = "tty; stty size; read line; stty size; echo \"$line\" $TERM";
    for user in [User::Admin, User::Root] {
        let tty = Some(Size { rows: 24, columns: 80 });
        let mut exec = guest.exec(Command { tty, user, ..shell(script) }).await.unwrap();
        let mut output = exec.stdout.take().unwrap();
        let mut seen = String::new();
        read_until(&mut output, &mut seen, "24 80").await;
        assert!(seen.starts_with("/dev/pts/"), "{seen}");
        exec.resize(Size { rows: 50, columns: 132 }).unwrap();
        exec.stdin.as_mut().unwrap().write_all(b"typed\n").await.unwrap();
        read_until(&mut output, &mut seen, "50 132\r\ntyped xterm-256color").await;
        assert_eq!(exec.wait().await, Ok(ExitStatus::Code(0)));
        // The end of a terminal is an end, not an error.
        output.read_to_string(&mut seen).await.unwrap();
        assert!(exec.stderr.is_none());
    }
    assert!(guest.exec(shell("true")).await.unwrap().resize(Size { rows: 1, columns: 1 }).is_err());
}

async fn read_until(output: &mut guest::Output, seen: &mut String, wanted: &str) {
    while !seen.contains(wanted) {
        let mut chunk = [0; 256];
        let n = output.read(&mut chunk).await.unwrap();
        assert!(n > 0, "ended before `{wanted}`: {seen}");
        seen.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
    }
}

#[tokio::test]
async fn a_key_at_the_terminal_interrupts() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let tty = Some(Size { rows: 24, columns: 80 });
    let mut exec = guest.exec(Command { tty, ..shell("echo ready; exec sleep 1000") }).await.unwrap();
    read_until(exec.stdout.as_mut().unwrap(), &mut String::new(), "ready").await;
    exec.stdin.as_mut().unwrap().write_all(&[3]).await.unwrap();
    assert_eq!(exec.wait().await, Ok(ExitStatus::Signal(2)));
}

#[tokio::test]
async fn commands_run_as_their_user_at_home() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let script = "id -u; id -g; whoami; pwd; echo $HOME $USER; stat -c %U ~; touch ~/mine && echo ok";
    let admin = "1000\n1000\nazureuser\n/home/azureuser\n/home/azureuser azureuser\nazureuser\nok";
    assert_eq!(print(&guest, shell(script)).await, admin);
    let root = "0\n0\nroot\n/root\n/root root\nroot\nok";
    assert_eq!(print(&guest, as_root(script)).await, root);
    let elsewhere = Command { cwd: Some("/tmp".into()), ..Command::new(["pwd"]) };
    assert_eq!(print(&guest, elsewhere).await, "/tmp");
}

#[tokio::test]
async fn a_commands_environment_is_the_guests_and_nothing_of_the_hosts() {
    let mut spec = spec();
    spec.env = vec![("IDENTITY".into(), "guest".into()), ("LANG".into(), "C".into())];
    let Some((guest, _sockets)) = start(spec).await else { return };
    let command = Command { env: vec![("MINE".into(), "a b".into())], ..Command::new(["env"]) };
    let seen = print(&guest, command).await;
    let mut seen: Vec<_> = seen.lines().collect();
    seen.sort_unstable();
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let expected = [
        format!("CURL_CA_BUNDLE={bundle}"),
        "HOME=/home/azureuser".into(),
        "IDENTITY=guest".into(),
        "LANG=C".into(),
        "LOGNAME=azureuser".into(),
        "MINE=a b".into(),
        format!("NODE_EXTRA_CA_CERTS={bundle}"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/guest/bin".into(),
        format!("REQUESTS_CA_BUNDLE={bundle}"),
        "SHELL=/bin/bash".into(),
        format!("SSL_CERT_FILE={bundle}"),
        "USER=azureuser".into(),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_can_not_run_is_refused_with_the_step() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let nowhere = Command { cwd: Some("/nowhere".into()), ..shell("true") };
    for (command, what, is_not_found) in [
        (Command::new(["no-such-program"]), "run `no-such-program`", true),
        (Command::new(["/etc/passwd"]), "run `/etc/passwd`", false),
        (nowhere, "enter `/nowhere`", true),
        (Command::new(Vec::<String>::new()), "run a command", false),
    ] {
        match guest.exec(command).await.map(|_| ()) {
            Err(GuestError::Refused(refused)) => {
                assert_eq!((refused.what.as_str(), refused.is_not_found()), (what, is_not_found));
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(code(&guest, shell("true")).await, 0);
}

#[tokio::test]
async fn a_signal_reaches_the_commands_whole_group() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut exec = guest.exec(shell("sleep 1000 & echo ready; wait")).await.unwrap();
    read_until(exec.stdout.as_mut().unwrap(), &mut String::new(), "ready").await;
    exec.signal(15).unwrap();
    assert_eq!(exec.wait().await, Ok(ExitStatus::Signal(15)));
    // The pipe ends only when the sleeper is gone too.
    exec.finish().await.unwrap();
}

#[tokio::test]
async fn a_command_dies_when_its_owner_lets_go() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut exec = guest.exec(shell("sleep 1000 & echo $$; wait")).await.unwrap();
    let mut pid = String::new();
    read_until(exec.stdout.as_mut().unwrap(), &mut pid, "\n").await;
    drop(exec);
    let script = format!("while kill -0 -{} 2>/dev/null; do :; done; ! pgrep sleep", pid.trim());
    assert_eq!(code(&guest, as_root(&script)).await, 0);
}

#[tokio::test]
async fn orphans_are_buried() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    print(&guest, shell("for i in 1 2 3 4 5; do (setsid true &); done")).await;
    // Those of this very shell are done with too, once the loop ends.
    let script = "while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done; echo none";
    assert_eq!(print(&guest, shell(script)).await, "none");
}
