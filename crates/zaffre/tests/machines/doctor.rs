//! What `zaffre doctor` says to whoever runs these tests is what happens to them: as root, and as an ordinary user (`ordinary_user`).

use std::{collections::BTreeMap, io::ErrorKind, net::TcpListener};

use guest::{Bounds, By};

use crate::process::run;

/// Of each line its subject, with the verdict and the words behind it.
fn said() -> (bool, BTreeMap<String, (String, String)>) {
    let home = tempfile::tempdir().expect("a folder");
    let done = run(home.path(), &["doctor"]);
    let text = String::from_utf8(done.stdout).expect("text");
    let line = |line: &str| {
        let (verdict, rest) = line.split_once(' ')?;
        let (about, words) = rest.trim_start().split_once(' ')?;
        Some((about.to_owned(), (verdict.to_owned(), words.trim().to_owned())))
    };
    let said = text.lines().filter(|it| !it.starts_with(' ')).filter_map(line).collect();
    (done.status.success(), said)
}

#[test]
fn what_doctor_says_is_what_happens() {
    let (is_good, said) = said();
    let verdict = |about: &str| said[about].0.as_str();
    let guests = guest::probe(&crate::program());
    assert_eq!(verdict("guests"), if guests.is_ok() { "ok" } else { "missing" }, "{guests:?}");
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(verdict("users"), if is_root { "ok" } else { "limited" });
    assert!(said["machine"].1.contains(if is_root { "as root" } else { "as an ordinary user" }), "{said:?}");

    let Bounds { memory, processes, cpu } = guest::bounds();
    let is_group = |by: By| matches!(by, By::Group(_));
    let memory = if is_group(memory) && is_group(processes) { "ok" } else { "limited" };
    assert_eq!(
        (verdict("memory"), verdict("processors")),
        (memory, if is_group(cpu) { "ok" } else { "limited" })
    );

    // Tried where no machine is: somebody else may have the port, but whether it may be had is the question.
    let port = TcpListener::bind("127.77.255.253:22").map_err(|error| error.kind());
    let may = !matches!(port, Err(ErrorKind::PermissionDenied));
    assert_eq!(verdict("addresses"), if may { "ok" } else { "limited" }, "{port:?}");
    assert!(said["addresses"].1.contains(if may { "port 22" } else { "`zaffre vm list`" }), "{said:?}");

    assert_eq!(is_good, said.values().all(|(verdict, _)| verdict != "missing"));
    assert_eq!(verdict("data"), "ok");
}
