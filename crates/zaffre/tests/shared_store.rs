//! Two clouds' processes on one PostgreSQL database: one cloud, whichever is asked.

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

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
    one.signal(rustix::process::Signal::KILL);
    assert_eq!(two.token().0, 200, "the other goes on");
    let three = process::Up::start(&words);
    assert_eq!(credentials(&three.home), credentials(&two.home));
    two.signal(rustix::process::Signal::TERM);
    assert_eq!(three.token().0, 200);
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
