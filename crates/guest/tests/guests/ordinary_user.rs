//! All of this again, as somebody who is not root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::spec;

/// `nobody` on most systems; on the others it is nobody all the same.
const NOBODY: u32 = 65_534;

#[test]
fn an_ordinary_user_has_the_same_guests() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: these tests run as an ordinary user already");
    }
    // Neither the tests nor the init need be where that user may read them.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let tests = copy(&std::env::current_exe().unwrap(), place.path().join("tests"));
    let init = copy(&spec().init, place.path().join("init"));
    let scratch = place.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    chown(&scratch, Some(NOBODY), Some(NOBODY)).unwrap();
    let done = Command::new(tests)
        .args(["--nocapture", "--skip", "ordinary_user"])
        .env("GUEST_INIT", init)
        .env("TMPDIR", &scratch)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{stdout}\n{stderr}");
    for line in
        stdout.lines().filter(|it| ["skipped:", "median", "test result"].iter().any(|word| it.contains(word)))
    {
        println!("as an ordinary user: {line}");
    }
}

fn copy(from: &Path, to: PathBuf) -> PathBuf {
    fs::copy(from, &to).unwrap();
    fs::set_permissions(&to, Permissions::from_mode(0o755)).unwrap();
    to
}
