//! What a guest has in place of the host's programs: `sudo`, `su`, and the word about packages.

use guest::{Command, ExtraFile, Size, Spec, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{as_root, code, print, shell, spec, start};

#[tokio::test]
async fn sudo_makes_the_administrator_root_and_somebody_else() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    for (script, expected) in [
        ("sudo id -u", "0"),
        ("sudo -n -- sh -c 'id -un; pwd; echo $HOME $SUDO_USER'", "root\n/home/azureuser\n/root azureuser"),
        ("sudo -u azureuser id -un", "azureuser"),
        ("sudo -i pwd", "/root"),
        ("sudo -s echo '$HOME;' a b", "/root; a b"),
        ("echo in | sudo tee /root/x; sudo cat /root/x", "in\nin"),
        ("sudo A='b c' printenv A", "b c"),
        ("sudo sh -c 'exit 7'; echo $?", "7"),
        ("sudo sh -c 'kill -9 $$'; echo $?", "137"),
        ("sudo no-such-program 2>&1; echo $?", "sudo: no-such-program: command not found\n1"),
        ("sudo -u stranger true 2>&1; echo $?", "sudo: unknown user stranger\n1"),
        ("sudo sudo -u azureuser sudo id -u", "0"),
        ("/usr/bin/sudo -l >/dev/null 2>&1 || sudo -l > /dev/null; echo $?", "0"),
        ("sudo su - azureuser -c 'id -un; pwd'", "azureuser\n/home/azureuser"),
    ] {
        assert_eq!(print(&guest, shell(script)).await, expected, "{script}");
    }
}

#[tokio::test]
async fn sudos_command_ends_with_whoever_asked_for_it() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut exec = guest.exec(shell("exec sudo sh -c 'echo $$; exec sleep 1000'")).await.unwrap();
    let mut pid = String::new();
    while !pid.ends_with('\n') {
        let mut piece = [0; 64];
        let n = exec.stdout.as_mut().unwrap().read(&mut piece).await.unwrap();
        pid.push_str(std::str::from_utf8(&piece[..n]).unwrap());
    }
    drop(exec);
    let script = format!("while kill -0 {} 2>/dev/null; do :; done; echo gone", pid.trim());
    assert_eq!(print(&guest, as_root(&script)).await, "gone");
}

#[tokio::test]
async fn a_signal_to_sudo_is_its_commands() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let script = "sudo sh -c 'trap \"echo told; exit 3\" TERM; echo ready; while :; do sleep 0.01; done' & \
                  wait_for() { while ! grep -qs ready out; do :; done; }; wait $! ; echo $?";
    let script = script
        .replace("& wait_for", "> out & wait_for")
        .replace("wait $!", "wait_for; kill -TERM $!; wait $!");
    assert_eq!(print(&guest, shell(&format!("{script}; cat out"))).await, "3\nready\ntold");
}

#[tokio::test]
async fn sudo_on_a_terminal_gives_one_with_job_control() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let tty = Some(Size { rows: 33, columns: 99 });
    let mut exec = guest.exec(Command { tty, ..Command::new(["sudo", "bash", "--norc"]) }).await.unwrap();
    let (mut stdin, mut output) = (exec.stdin.take().unwrap(), exec.stdout.take().unwrap());
    let mut seen = String::new();
    stdin
        .write_all(b"id -un; stty size; set -o | grep monitor; tty -s && echo is-tty; exit 5\n")
        .await
        .unwrap();
    output.read_to_string(&mut seen).await.unwrap();
    for wanted in ["root", "33 99", "monitor        \ton", "is-tty"] {
        assert!(seen.contains(wanted), "{wanted}: {seen}");
    }
    assert!(!seen.contains("no job control"), "{seen}");
    assert_eq!(exec.wait().await, Ok(guest::ExitStatus::Code(5)));
}

/// Only where accounts are really different; with one id for all there is nobody to refuse.
#[tokio::test]
async fn who_is_not_in_the_group_may_not() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let text = "root:x:0:0:root:/root:/bin/bash\nazureuser:x:1000:1000::/home/azureuser:/bin/bash\ngrace:x:1001:1001::/tmp:/bin/sh\n";
    let passwd = ExtraFile { path: "/etc/passwd".into(), mode: 0o644, owner: User::Root, bytes: text.into() };
    let Some((guest, _sockets)) = start(Spec { files: vec![passwd], ..spec() }).await else { return };
    for (script, expected) in [
        ("sudo -u grace sudo id 2>&1; echo $?", "sudo: grace is not in the group sudo\n1"),
        (
            "sudo -u grace su -c id 2>&1; echo $?",
            "su: Authentication failure: nobody here has a password; `sudo` needs none\n1",
        ),
        ("su -c id >/dev/null 2>&1; echo $?", "1"),
        ("sudo -u grace sudo -u grace id -un", "grace"),
        ("echo 'sudo:x:27:grace' | sudo tee /etc/group >/dev/null; sudo -u grace sudo id -u", "0"),
    ] {
        assert_eq!(print(&guest, shell(script)).await, expected, "{script}");
    }
}

/// The first process answers everybody, whatever somebody says to it.
#[tokio::test]
async fn nonsense_at_sudos_socket_hurts_nobody() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let nonsense = r#"command -v perl >/dev/null || { echo fine; exit; }
        perl -e 'use Socket; for my $text ("\xff" x 64, "x", "", "\x05\0\0\0\xff\0\0\0hello", "\x02\0\0\0\0\0\0\0{}") {
            for (1..40) { socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un("/run/guest/sudo")) or die "$!"; syswrite($s, $text); push @all, $s; } }
        print "fine\n"'"#;
    assert_eq!(print(&guest, shell(nonsense)).await, "fine");
    assert_eq!(print(&guest, shell("sudo id -u")).await, "0");
}

#[tokio::test]
async fn packages_are_said_not_to_be_there() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    for script in ["apt-get install -y jq", "sudo apt update", "sudo dpkg -i x.deb"] {
        let done = guest.exec(shell(script)).await.unwrap().finish().await.unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status, guest::ExitStatus::Code(100), "{script}: {said}");
        assert!(said.contains("cannot install others") && said.contains("--rootfs"), "{script}: {said}");
    }
    assert_eq!(code(&guest, shell("dpkg --print-architecture | grep -qE 'amd64|arm64'")).await, 0);
}
