//! A root file system of the user's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use guest::Spec;

use crate::{print, shell, spec, start};

/// Programs of the host's with the libraries that they need, at their own places; no more.
fn furnish(root: &Path) {
    let init = spec().init;
    let programs = ["/bin/bash", "/bin/sh", "/bin/cat", "/bin/ls", "/usr/bin/id", "/usr/bin/touch"];
    let mut files: Vec<String> = programs.map(str::to_string).to_vec();
    for program in programs.iter().map(Path::new).chain([init.as_path()]) {
        let listed = Command::new("ldd").arg(program).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        files.extend(listed.split_whitespace().filter(|it| it.starts_with('/')).map(str::to_string));
    }
    for file in files {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    fs::create_dir_all(root.join("etc")).unwrap();
    let own = [
        ("etc/own", "own\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n"),
        ("etc/group", "root:x:0:\nsudo:x:27:ubuntu\n"),
        ("usr/bin/sudo", "#!/bin/sh\necho theirs\n"),
    ];
    for (path, text) in own {
        fs::write(root.join(path), text).unwrap();
    }
    std::os::unix::fs::symlink("/nowhere", root.join("etc/resolv.conf")).unwrap();
}

#[tokio::test]
async fn a_machine_has_its_own_copy_of_a_root_file_system() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    furnish(&root);
    fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let with_root = || Spec { rootfs: Some(root.clone()), ..spec() };
    let Some((guest, _sockets)) = start(with_root()).await else { return };
    for (script, expected) in [
        ("cat /etc/own", "own"),
        ("ls /usr/bin", "id\nsudo\ntouch"),
        ("id -u; id -un; echo ~", "1000\nazureuser\n/home/azureuser"),
        ("cat /etc/resolv.conf", "nameserver 168.63.129.16"),
        ("sudo id -u", "0"),
        (
            "sudo sh -c 'touch /etc/new && echo changed > /etc/own'; cat /etc/own; ls /etc/new",
            "changed\n/etc/new",
        ),
        ("test -e /usr/bin/apt || echo none", "none"),
        ("echo x > /dev/null; ls -d /proc/self /tmp /run/lock", "/proc/self\n/run/lock\n/tmp"),
    ] {
        assert_eq!(print(&guest, shell(script)).await, expected, "{script}");
    }
    let (other, _sockets) = start(with_root()).await.unwrap();
    assert_eq!(print(&other, shell("cat /etc/own; ls /etc/new 2>/dev/null || echo no")).await, "own\nno");
    assert_eq!(fs::read_to_string(root.join("etc/own")).unwrap(), "own\n");
    assert!(!root.join("etc/new").exists() && !root.join("run/guest").exists());
}

#[tokio::test]
async fn a_root_file_system_that_is_not_there_is_refused_by_name() {
    if !crate::is_allowed() {
        return;
    }
    let spec = Spec { rootfs: Some("/no/such/root".into()), ..spec() };
    let error = guest::Guest::start(spec).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("lend `/no/such/root`"), "{error}");
}
