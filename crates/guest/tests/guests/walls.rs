//! What of the host a guest has, and what it has not.

use guest::{By, Command, ExitStatus, ExtraFile, Limits, Share, Spec, User};

use crate::{as_root, code, print, shell, spec, start};

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let host = tempfile::tempdir().unwrap();
    let secret = host.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let Some((guest, _sockets)) = start(spec()).await else { return };
    assert_eq!(code(&guest, as_root(&format!("test -e {}", secret.display()))).await, 1);
    assert_eq!(code(&guest, as_root("grep -rqs secret /tmp /home /root /run /var /mnt /srv /opt")).await, 1);
    assert_eq!(
        print(&guest, as_root("ls -A /tmp /var/lib /srv /opt /mnt /media | grep -v : | grep .; ls -A /home"))
            .await,
        "azureuser"
    );
    let top = print(&guest, shell("cd /; ls | grep -vxE 'bin|sbin|lib|lib32|lib64|libx32|usr'")).await;
    assert_eq!(top.replace('\n', " "), "dev etc home media mnt opt proc root run srv tmp var");
}

#[tokio::test]
async fn the_hosts_processes_are_not_there() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let script = "for it in /proc/[0-9]*; do tr '\\0' ' ' < $it/cmdline | cut -c1-17; done";
    let seen = print(&guest, as_root(script)).await;
    let strangers: Vec<_> = seen
        .lines()
        .filter(|it| {
            !it.is_empty()
                && !["zaffre-guest-init", "bash", "tr", "cut"].iter().any(|own| it.starts_with(own))
        })
        .collect();
    assert_eq!(strangers, Vec::<&str>::new());
    assert!(seen.starts_with("zaffre-guest-init"), "{seen}");
}

/// Each is tried as both users, and must fail.
static FORBIDDEN: &[(&str, &str)] = &[
    ("a new user namespace", "unshare -U true"),
    ("a new network", "unshare -n true"),
    ("a mount", "mount -t tmpfs none /mnt"),
    ("taking a mount away", "umount -l /proc"),
    ("writing to the host's programs", "touch /usr/written"),
    ("making them writable", "mount -o remount,rw /usr"),
    ("a device", "mknod /tmp/disk b 8 0"),
    ("another root", "chroot /usr true"),
    ("the host's control of the kernel", "test -w /proc/sysrq-trigger -o -w /proc/sys/kernel/core_pattern"),
    ("the kernel's log", "dmesg"),
    ("the init's files", "ls /proc/1/fd/"),
    ("the init's memory", "cat /proc/1/environ"),
    ("the init's root", "ls /proc/1/root/"),
    ("the init's network", "nsenter -t 1 -n true"),
    ("the host's name", "hostname other"),
    ("an address", "test -x /usr/sbin/ip && /usr/sbin/ip address add 192.0.2.7/32 dev lo"),
    ("more open files", "ulimit -Hn 10000000"),
    ("the host's control groups", "ls /sys/fs/cgroup/* || mount -t cgroup2 none /mnt"),
    ("packets", "perl -e 'socket(my $s, 17, 3, 768) or exit 1'"),
    ("raw packets", "perl -e 'socket(my $s, 2, 3, 1) or exit 1'"),
    (
        "a set-user-id program",
        "cp /bin/bash /tmp/b && chmod 4755 /tmp/b && test \"$(/tmp/b -p -c 'grep ^NoNewPrivs /proc/self/status | cut -f 2')\" = 0",
    ),
    ("the init's stack of calls", "cat /proc/1/syscall || cat /proc/1/maps | grep ."),
    ("a file by its handle", "perl -e 'exit(syscall(304, -100, 0, 0) < 0 ? 1 : 0)'"),
    ("a keyring", "perl -e 'exit(syscall(250, 0, 0, 0) < 0 ? 1 : 0)'"),
    ("the kernel's programs", "perl -e 'exit(syscall(321, 0, 0, 0) < 0 ? 1 : 0)'"),
    ("a ring of calls", "perl -e 'exit(syscall(425, 1, 0) < 0 ? 1 : 0)'"),
    ("the init's terminal", "perl -e 'exit(ioctl(STDIN, 0x5412, \"x\") ? 0 : 1)'"),
    (
        "the host's devices",
        "ls /dev/sda /dev/vda /dev/kvm /dev/mem /dev/net/tun /dev/fuse 2>/dev/null | grep .",
    ),
    ("the kernel's settings", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    // The rest of them belong to the guest's own namespaces for processes and messages.
    (
        "a setting that is not its own",
        "find /proc/sys -type f -writable | grep -vE '^/proc/sys/(kernel/(sem|ns_last_pid|pid_max|auto_msgmni|(msg|shm|sem)[a-z_]*)$|fs/mqueue/)' | grep .",
    ),
    ("the init's memory, by call", "perl -e 'exit(syscall(310, 1, 0, 0, 0, 0, 0) < 0 ? 1 : 0)'"),
    ("tracing the init", "perl -e 'exit(syscall(101, 16, 1, 0, 0) < 0 ? 1 : 0)'"),
    (
        "a file of the init's, by call",
        "perl -e 'my $it = syscall(434, 1, 0); exit(syscall(438, $it, 0, 0) < 0 ? 1 : 0)'",
    ),
    (
        "the init's network, by call",
        "perl -e 'open(my $it, \"<\", \"/proc/1/ns/net\") or exit 1; exit(syscall(308, fileno($it), 0) < 0 ? 1 : 0)'",
    ),
    (
        "any other network",
        "perl -e 'my $it = syscall(434, 1, 0); exit(syscall(308, $it, 0x40000000) < 0 ? 1 : 0)'",
    ),
    ("a new user namespace, by the newest call", "perl -e 'exit(syscall(435, 0, 0) < 0 ? 1 : 0)'"),
    (
        "a mount, by another count of calls",
        "perl -e 'exit(syscall(0x40000000 + 165, 0, 0, 0, 0, 0) < 0 ? 1 : 0)'",
    ),
    (
        "another kernel",
        "perl -e 'exit(syscall(246, 0, 0, 0, 0) < 0 && syscall(320, 0, 0, 0, 0, 0) < 0 ? 1 : 0)'",
    ),
    ("a module of the kernel's", "perl -e 'exit(syscall(313, 0, 0, 0) < 0 ? 1 : 0)'"),
    ("the processor's counters", "perl -e 'exit(syscall(298, 0, 0, -1, -1, 0) < 0 ? 1 : 0)'"),
    ("the kernel's faults of pages", "perl -e 'exit(syscall(323, 0) < 0 ? 1 : 0)'"),
    ("the hypervisor", "perl -e 'socket(my $s, 40, 1, 0) or exit 1'"),
    ("the kernel's cryptography", "perl -e 'socket(my $s, 38, 5, 0) or exit 1'"),
    ("packets by the express way", "perl -e 'socket(my $s, 44, 3, 0) or exit 1'"),
    ("the clock", "date -s @0"),
    ("a place before others", "perl -e 'exit(syscall(141, 0, 0, -5) < 0 ? 1 : 0)'"),
    ("a machine that ends", "perl -e 'exit(syscall(169, 0xfee1dead, 672274793, 0x1234567, 0) < 0 ? 1 : 0)'"),
    ("the program that runs it", "exec 3<>/run/guest/program"),
    ("a program that runs", "for it in /proc/[0-9]*/exe; do (exec 3<>$it) && exit 0; done; exit 1"),
    ("what the host reads at its events", "exec 3</dev/kmsg || ls /sys/kernel /sys/fs | grep ."),
    (
        "files of whoever owns the host's",
        "find / -xdev \\( -path /proc -o -path /dev \\) -prune -o -writable ! -type l -not -user root -not -user azureuser -print | grep .",
    ),
    (
        "the host's other mounts",
        "grep -vE ' (/|/usr|/bin|/sbin|/lib|/lib32|/lib64|/libx32|/proc|/dev/[a-z]+|/etc/[a-z.-]+|/run/guest/program|/usr/bin/[a-z-]+) ' /proc/self/mounts",
    ),
];

#[tokio::test]
async fn no_command_gets_past_its_guest() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    // What could not even be tried would seem to have failed.
    assert_eq!(code(&guest, shell("perl -e 'exit 0'")).await, 0, "these tries need perl");
    for (what, script) in FORBIDDEN {
        for user in [User::Admin, User::Root] {
            let command = Command { user, ..shell(&format!("{script} >/dev/null 2>&1")) };
            assert_ne!(code(&guest, command).await, 0, "{what}, as {user:?}");
        }
    }
    // The same words are allowed where they should be: the tests above did not fail for want of a shell.
    assert_eq!(code(&guest, as_root("touch /etc/written && chown 0:0 /etc/written")).await, 0);
}

#[tokio::test]
async fn the_init_can_not_be_killed_from_inside() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    for signal in [15, 9, 11, 17, 19] {
        code(&guest, as_root(&format!("kill -{signal} 1"))).await;
    }
    assert_eq!(print(&guest, shell("echo alive")).await, "alive");
}

#[tokio::test]
async fn rights_are_gone_for_good() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let script = "grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    let none = "0000000000000000";
    let admin = format!("CapPrm:{none} CapEff:{none} CapBnd:{none} NoNewPrivs:1 Seccomp:2");
    assert_eq!(print(&guest, shell(script)).await, admin);
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, net_bind_service.
    let some = "00000000000004fb";
    let root = format!("CapPrm:{some} CapEff:{some} CapBnd:{some} NoNewPrivs:1 Seccomp:2");
    assert_eq!(print(&guest, as_root(script)).await, root);
}

#[tokio::test]
async fn a_guest_is_what_its_description_says() {
    let mut spec = Spec { hostname: "web-1".into(), admin: "grace".into(), ..spec() };
    spec.machine_id = "0123456789abcdef0123456789abcdef".into();
    spec.ca_bundle = "-----BEGIN CERTIFICATE-----\n".into();
    spec.hosts = vec![("10.0.0.4".parse().unwrap(), "web-1".into())];
    let file = |path: &str, mode, owner, text: &str| ExtraFile {
        path: path.into(),
        mode,
        owner,
        bytes: text.into(),
    };
    spec.files = vec![
        file("/home/grace/.ssh/authorized_keys", 0o600, User::Admin, "ssh-ed25519 A"),
        file("/var/run/x", 0o640, User::Root, "through a link"),
    ];
    let Some((guest, _sockets)) = start(spec).await else { return };
    for (script, expected) in [
        ("hostname; cat /etc/hostname", "web-1\nweb-1"),
        ("cat /etc/machine-id", "0123456789abcdef0123456789abcdef"),
        ("whoami; cd; pwd", "grace\n/home/grace"),
        ("getent ahostsv4 web-1 | head -n 1 | tr -s ' '", "10.0.0.4 STREAM web-1"),
        ("cat /etc/resolv.conf", "nameserver 168.63.129.16"),
        ("cat /etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----"),
        ("cat /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt | sort -u", "-----BEGIN CERTIFICATE-----"),
        ("cd .ssh; stat -c '%a %U' authorized_keys; cat authorized_keys", "600 grace\nssh-ed25519 A"),
        ("stat -c %a /run/x", "640"),
        ("test -c /dev/null -a -c /dev/urandom -a -w /dev/shm -a -e /dev/ptmx && echo ok", "ok"),
        ("echo x > /dev/null; head -c 4 /dev/zero | wc -c; echo via fd > /dev/stdout", "4\nvia fd"),
    ] {
        assert_eq!(print(&guest, shell(script)).await, expected, "{script}");
    }
    assert!(!std::path::Path::new("/run/x").exists(), "a link of the guest's led to the host");
}

#[tokio::test]
async fn shares_are_lent_as_agreed() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("given"), "given").unwrap();
    let share = |guest: &str, read_only| Share { host: host.path().into(), guest: guest.into(), read_only };
    let mut spec = spec();
    spec.shares = vec![share("/mnt/read", true), share("/var/run/write", false)];
    let Some((guest, _sockets)) = start(spec).await else { return };
    // The directory is private to its owner, who is root inside.
    assert_eq!(print(&guest, as_root("cat /mnt/read/given; stat -c %U /mnt/read/given")).await, "givenroot");
    assert_ne!(code(&guest, as_root("echo x > /mnt/read/taken")).await, 0);
    print(&guest, as_root("echo -n taken > /var/run/write/taken")).await;
    assert_eq!(std::fs::read_to_string(host.path().join("taken")).unwrap(), "taken");
    use std::os::unix::fs::MetadataExt;
    let owner = |name| host.path().join(name).metadata().unwrap().uid();
    assert_eq!(owner("taken"), owner("given"));
}

#[tokio::test]
async fn a_share_that_is_not_there_is_refused_by_name() {
    if !crate::is_allowed() {
        return;
    }
    let mut spec = spec();
    spec.shares = vec![Share { host: "/no/such/place".into(), guest: "/mnt".into(), read_only: true }];
    let error = guest::Guest::start(spec).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("lend `/no/such/place`"), "{error}");
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits {
        processes: Some(20),
        open_files: Some(64),
        address_space_bytes: Some(1 << 30),
        disk_bytes: 8 << 20,
        ..Limits::default()
    };
    let Some((guest, _sockets)) = start(Spec { limits, ..spec() }).await else { return };
    assert_eq!(print(&guest, shell("ulimit -n; ulimit -v")).await, "64\n1048576");
    let full =
        guest.exec(as_root("head -c 16M /dev/zero > /tmp/full")).await.unwrap().finish().await.unwrap();
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left"));
    // Not with a shell, which would try again for a quarter of a minute.
    let script = "command -v perl >/dev/null || { echo no perl; exit; }
        perl -e 'for (1..40) { my $child = fork; defined $child or die \"$!\"; $child or exec \"sleep\", 1000 }' 2>&1 | head -n 1";
    let many = print(&guest, shell(&format!("ulimit -u; {script}"))).await;
    assert!(many == "20\nno perl" || many.starts_with("20\nResource temporarily unavailable"), "{many}");
}

/// What it says of itself is what happens.
#[tokio::test]
async fn a_machine_has_its_sizes_memory() {
    let limits = Limits { memory_bytes: Some(96 << 20), cpus: Some(1), ..Limits::default() };
    let Some((guest, _sockets)) = start(Spec { limits, ..spec() }).await else { return };
    let script =
        "command -v perl >/dev/null || exit 9; exec perl -e 'my $x = \"x\" x (200 << 20); print length $x'";
    let ended = guest.exec(shell(script)).await.unwrap().finish().await.unwrap();
    let is_bounded = match (guest.bounds().memory, ended.status) {
        (By::Group(_), ExitStatus::Signal(9)) | (_, ExitStatus::Code(9)) => true,
        // It is told, and dies of it itself.
        (By::Process, ExitStatus::Code(code)) => code != 0,
        _ => false,
    };
    assert!(is_bounded, "{ended:?}, by {:?}", guest.bounds());
    assert_eq!(print(&guest, shell("cat /proc/self/cgroup | cut -d: -f3 | sort -u")).await, "/");
    assert_eq!(print(&guest, shell("echo alive")).await, "alive");
}
