//! All of this again, as somebody who is not root.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::has_guests;

/// `nobody` on most systems; on the others it is nobody all the same.
pub(super) const NOBODY: u32 = 65_534;

#[test]
fn an_ordinary_user_has_the_same_machines() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("left out: these tests run as an ordinary user already");
    }
    if !has_guests() {
        return;
    }
    // Neither the tests nor the program need be where that user may read them.
    let place = tempfile::tempdir().expect("a folder");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("opens it");
    let tests = copy(&std::env::current_exe().expect("a path"), place.path().join("tests"));
    let program = copy(&crate::program(), place.path().join("zaffre"));
    let scratch = place.path().join("scratch");
    fs::create_dir(&scratch).expect("makes it");
    chown(&scratch, Some(NOBODY), Some(NOBODY)).expect("gives it away");
    let done = Command::new(tests)
        .args(["machines::", "--nocapture", "--skip", "ordinary_user"])
        .env("ZAFFRE_PROGRAM", program)
        .env("ZAFFRE_REQUIRE_GUESTS", "1")
        .envs([("TMPDIR", &scratch), ("HOME", &scratch)])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{stdout}\n{stderr}");
    for line in stdout.lines().chain(stderr.lines()) {
        if ["left out", "leaked", "test result"].iter().any(|word| line.contains(word)) {
            eprintln!("as an ordinary user: {line}");
        }
    }
}

fn copy(from: &Path, to: PathBuf) -> PathBuf {
    fs::copy(from, &to).expect("copies");
    fs::set_permissions(&to, Permissions::from_mode(0o755)).expect("opens it");
    to
}
