//! Two guests of one program, side by side: what one leaves lying about, the other does not find; nor does either find what the host has.

use guest::{Command, Guest, Spec, User};

use crate::{as_root, code, print, shell, spec, start};

/// A way to leave something behind, and to look for it. Each looks first where it was left, to see that the look is worth something.
struct Way {
    what: &'static str,
    leave: &'static str,
    find: &'static str,
}

const fn way(what: &'static str, leave: &'static str, find: &'static str) -> Way {
    Way { what, leave, find }
}

static WAYS: &[Way] = &[
    way("a file in /tmp", "echo token > /tmp/left", "test -e /tmp/left"),
    way("a file in /dev/shm", "echo token > /dev/shm/left", "test -e /dev/shm/left"),
    way("a file in /var/tmp", "echo token > /var/tmp/left", "test -e /var/tmp/left"),
    way(
        "a file of the administrator's",
        "sudo -u azureuser sh -c 'echo token > ~azureuser/left'",
        "test -e ~azureuser/left",
    ),
    way("a file of root's", "sudo sh -c 'echo token > /root/left'", "sudo test -e /root/left"),
    way(
        "shared memory",
        "perl -e 'defined shmget(0x5a41, 4096, 01666) or die'",
        "perl -e 'exit(defined shmget(0x5a41, 0, 0) ? 0 : 1)'",
    ),
    way(
        "a semaphore",
        "perl -e 'defined semget(0x5a42, 1, 01666) or die'",
        "perl -e 'exit(defined semget(0x5a42, 0, 0) ? 0 : 1)'",
    ),
    way(
        "a queue of messages",
        "perl -e 'defined msgget(0x5a43, 01666) or die'",
        "perl -e 'exit(defined msgget(0x5a43, 0) ? 0 : 1)'",
    ),
    way(
        "an abstract socket",
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, pack(\"S\", AF_UNIX) . \"\\0left\") or die; listen($s, 1); $0 = \"listens-abstract\"; fork and exit; close STDOUT; close STDERR; sleep 1000'",
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack(\"S\", AF_UNIX) . \"\\0left\") or exit 1'",
    ),
    way(
        "a listener on loopback",
        "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\", LocalPort => 7777, Listen => 1) or die; fork and exit; close STDOUT; close STDERR; sleep 1000'",
        "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => 7777) or exit 1'",
    ),
    way(
        "a process",
        "setsid bash -c 'exec -a left-running sleep 1000' >/dev/null 2>&1 &",
        // The look itself has the word in its own line.
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -a 'left-runnin[g]'",
    ),
    way("a name", "sudo sh -c 'echo 192.0.2.7 left >> /etc/hosts'", "grep left /etc/hosts"),
    way("an account", "sudo sh -c 'echo left:x:1777:1777::/:/bin/sh >> /etc/passwd'", "getent passwd left"),
];

async fn finds(guest: &Guest, find: &str, user: User) -> bool {
    let command = Command { user, ..shell(&format!("{{ {find}; }} >/dev/null 2>&1")) };
    code(guest, command).await == 0
}

#[tokio::test]
async fn what_one_guest_leaves_another_does_not_find() {
    let Some((one, _sockets)) = start(spec()).await else { return };
    let Some((other, _other_sockets)) = start(Spec { hostname: "other".into(), ..spec() }).await else {
        return;
    };
    for Way { what, leave, find } in WAYS {
        print(&one, as_root(leave)).await;
        for user in [User::Admin, User::Root] {
            let found = async || finds(&one, find, user).await;
            // A process that was sent away shows under its own name a moment later.
            let mut is_there = found().await;
            for _ in 0..100 {
                is_there = is_there || found().await;
            }
            assert!(is_there, "{what}, where it was left, as {user:?}");
            assert!(!finds(&other, find, user).await, "{what}, next door, as {user:?}");
        }
    }
    // Without a process of its own, the other knows neither how many there are nor who.
    let init = print(&other, as_root("cat /proc/1/cmdline | tr '\\0' ' '")).await;
    assert!(init.starts_with("zaffre-guest-init"), "{init}");
}

/// The host's own, made by a process of this very user, so that nothing but the walls stands between.
#[tokio::test]
async fn what_the_host_has_a_guest_does_not_find() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let name = format!("zaffre-test-{}", std::process::id());
    let hosts = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    hosts.set_nonblocking(true).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = std::process::id();
    for (what, find) in [
        (
            "an abstract socket",
            format!(
                "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack(\"S\", AF_UNIX) . \"\\0{name}\") or exit 1'"
            ),
        ),
        ("its name", format!("grep -a {name} /proc/net/unix")),
        ("a listener on loopback", format!("timeout 1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'")),
        ("the same by IPv6", format!("timeout 1 bash -c 'exec 3<>/dev/tcp/::1/{port}'")),
        ("the same at any address", format!("timeout 1 bash -c 'exec 3<>/dev/tcp/0.0.0.0/{port}'")),
        ("this process", format!("test -e /proc/{own}/stat && grep -q guests /proc/{own}/comm")),
        (
            "its environment",
            "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -aE '^(CARGO|GUEST_INIT|ZAFFRE)'".to_string(),
        ),
    ] {
        for user in [User::Admin, User::Root] {
            assert!(!finds(&guest, &find, user).await, "{what}, as {user:?}");
        }
    }
    assert!(hosts.accept().is_err() && listener.accept().is_err(), "nobody has called");
}
