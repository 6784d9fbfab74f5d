//! Two clouds' processes on one PostgreSQL database: one cloud, whichever is asked.

use std::{fs, path::Path, process::Output, time::Duration};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{postgres, process};

fn credentials(home: &TempDir) -> Value {
    let out = process::run(home.path(), &["env", "--format", "json"]);
    let env: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    env["AZURE_CLIENT_SECRET"].clone()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn two_processes_on_one_database_are_one_cloud_and_outlive_each_other() {
    let Some(cluster) = postgres::shared() else { return };
    let address = cluster.fresh();
    let bodies = folder();
    let words = ["--store", &address, "--content", bodies.path().to_str().expect("text")];
    let mut one = process::Up::start(&words);
    let mut two = process::Up::start(&words);
    assert_eq!(credentials(&one.home), credentials(&two.home));
    assert_eq!(one.token().0, 200);
    one.signal(Signal::KILL);
    assert_eq!(two.token().0, 200, "the other goes on");
    let three = process::Up::start(&words);
    assert_eq!(credentials(&three.home), credentials(&two.home));
    two.signal(Signal::TERM);
    assert_eq!(three.token().0, 200);
}

/// The most that anybody may wait for what a process did that is gone.
const GONE: Duration = Duration::from_secs(10);

fn runs(home: &Path, vm: &str) -> Result<(), String> {
    let done = process::run(home, &["vm", "exec", vm, "--", "true"]);
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

#[test]
fn what_one_process_did_for_all_another_does_when_it_is_killed() {
    let Some(cluster) = postgres::shared() else { return };
    let address = cluster.fresh();
    let bodies = folder();
    let content = bodies.path().to_str().expect("text");
    let words = ["--store", &address, "--content", content, "--guests", "simulated"];
    let mut one = process::Up::start(&words);
    let token = one.token().1["access_token"].as_str().expect("a token").to_owned();
    one.make_machine(&token, "first");
    runs(one.home.path(), "first").expect("it has the machines");

    let two = process::Up::start(&words);
    two.make_machine(&token, "second");
    runs(one.home.path(), "second").expect("what another process is told, this one does");
    // As a process leaves a body that it did not come to name. Both have looked when they started.
    let orphan = bodies.path().join("3f").join("3f".repeat(16));
    fs::create_dir_all(orphan.parent().expect("a folder")).expect("creates");
    fs::write(&orphan, "nobody's").expect("writes");

    one.signal(Signal::KILL);
    let since = Instant::now();
    for vm in ["first", "second"] {
        runs(two.home.path(), vm).expect("it has the machines now");
    }
    assert!(since.elapsed() < GONE, "the machines took {:?}", since.elapsed());
    while orphan.exists() {
        assert!(since.elapsed() < GONE, "the sweep took longer");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_is_stopped_hands_its_duties_over() {
    let Some(cluster) = postgres::shared() else { return };
    let address = cluster.fresh();
    let bodies = folder();
    let content = bodies.path().to_str().expect("text");
    let words = ["--store", &address, "--content", content, "--guests", "simulated"];
    let mut one = process::Up::start(&words);
    let token = one.token().1["access_token"].as_str().expect("a token").to_owned();
    one.make_machine(&token, "first");
    let two = process::Up::start(&words);
    let refused = runs(two.home.path(), "first").expect_err("another process has it");
    assert!(refused.contains("run by another process of this cloud"), "{refused}");
    one.signal(Signal::TERM);
    runs(two.home.path(), "first").expect("it has the machines now");
}

#[test]
fn a_key_that_one_process_rotates_signs_in_the_other_too() {
    let Some(cluster) = postgres::shared() else { return };
    let address = cluster.fresh();
    let bodies = folder();
    let words = ["--store", &address, "--content", bodies.path().to_str().expect("text")];
    let (one, two) = (process::Up::start(&words), process::Up::start(&words));
    let keys = |up: &process::Up, verb: &str| {
        let out = process::run(up.home.path(), &["keys", verb]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    };
    assert_eq!(keys(&one, "list"), keys(&two, "list"));
    let rotated = keys(&one, "rotate");
    assert_eq!(rotated.lines().count(), 2, "{rotated}");
    // The other hears of it within a tenth of a second; each look takes a while.
    let is_heard = (0..1000).any(|_| keys(&two, "list") == rotated);
    assert!(is_heard, "{}", keys(&two, "list"));
    assert_eq!((one.token().0, two.token().0), (200, 200));
}

#[test]
fn a_cloud_on_a_database_is_backed_up_checked_and_brought_back_to_another() {
    let Some(cluster) = postgres::shared() else { return };
    let (from, to) = (cluster.fresh(), cluster.fresh());
    let place = folder();
    let at = |name: &str| place.path().join(name).display().to_string();
    let said = |out: Output| {
        let text =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.success(), text)
    };
    let mut up = process::Up::start(&["--store", &from, "--content", &at("bodies")]);
    let before = credentials(&up.home);
    let home = up.home.path().to_owned();
    let (done, text) = said(process::run(&home, &["backup", &at("backup")]));
    assert!(done && text.contains("is written"), "{text}");
    let (done, text) = said(process::run(&home, &["store", "compact"]));
    assert!(!done && text.contains("VACUUM"), "{text}");
    up.signal(Signal::TERM);
    let old = ["--store", &from, "--content", &at("bodies")];
    let (done, text) = said(process::run(&home, &[&["backup", &at("backup")], &old[..]].concat()));
    assert!(done && text.contains("is written"), "{text}");
    let (done, text) = said(process::run(&home, &[&["fsck"], &old[..]].concat()));
    assert!(done && text.contains(" 0 findings"), "{text}");

    let new = ["--store", &to, "--content", &at("new bodies")];
    let (one, two) = (folder(), folder());
    let (done, text) = said(process::run(one.path(), &[&["restore", &at("backup")], &new[..]].concat()));
    assert!(done && text.contains("is restored"), "{text}");
    let (done, text) = said(process::run(two.path(), &[&["restore", &at("backup")], &new[..]].concat()));
    assert!(!done && text.contains("holds a store already"), "{text}");
    let again = process::Up::start(&new);
    assert_eq!(credentials(&again.home), before);
}

#[test]
fn a_database_that_has_another_ones_bodies_is_refused() {
    let Some(cluster) = postgres::shared() else { return };
    let bodies = folder();
    let content = bodies.path().to_str().expect("text");
    let _one = process::Up::start(&["--store", &cluster.fresh(), "--content", content]);
    let out = process::run(
        folder().path(),
        &["up", "--port", "all=0", "--log", "off", "--store", &cluster.fresh(), "--content", content],
    );
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("are another store's"), "{said}");
}

#[test]
fn a_process_that_keeps_bodies_elsewhere_is_refused() {
    let Some(cluster) = postgres::shared() else { return };
    let address = cluster.fresh();
    let _one = process::Up::start(&["--store", &address]);
    let refused = up(&folder(), &address);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the database's bodies are in"), "{said}");
}

#[test]
fn a_database_that_is_not_there_is_named_and_its_password_is_not() {
    let address = "postgres://someone:s3cret@%2Fnowhere%2Fat%2Fall";
    let refused = up(&folder(), address);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("/nowhere/at/all") && !said.contains("s3cret"), "{said}");
}

fn up(home: &TempDir, address: &str) -> Output {
    process::run(home.path(), &["up", "--port", "all=0", "--log", "off", "--store", address])
}
