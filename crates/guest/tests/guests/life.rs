//! Beginning and end.

use std::time::Instant;

use guest::{Guest, GuestError, Spec};

use crate::{code, print, shell, spec, start};

#[tokio::test]
async fn stopping_is_once_and_for_all() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut exec = guest.exec(shell("sleep 1000")).await.unwrap();
    guest.stop().await;
    guest.stop().await;
    guest.wait_dead().await;
    assert_eq!(exec.wait().await, Err(GuestError::Dead));
    assert!(matches!(guest.exec(shell("true")).await.map(|_| ()), Err(GuestError::Dead)));
    assert!(matches!(guest.listen("127.0.0.1:1".parse().unwrap()).await, Err(GuestError::Dead)));
}

#[tokio::test]
async fn a_guest_that_dies_by_itself_is_noticed() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    assert_eq!(code(&guest, shell("true")).await, 0);
    let init = rustix::process::Pid::from_raw(guest.pid() as i32).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    guest.wait_dead().await;
    assert!(matches!(guest.exec(shell("true")).await.map(|_| ()), Err(GuestError::Dead)));
}

#[tokio::test]
async fn a_program_that_is_no_init_is_refused() {
    for (program, why) in [("/bin/true", "left without a word"), ("/no/such/program", "No such file")] {
        let spec = Spec { init: program.into(), ..spec() };
        let error = Guest::start(spec).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(why), "{program}: {error}");
        let error = guest::probe(program.as_ref()).unwrap_err().to_string();
        assert!(error.contains(why), "{program}: {error}");
    }
}

/// In a user namespace where no more may be made: the kernel's "No space left on device" alone would help nobody.
#[test]
fn a_machine_without_namespaces_is_told_apart_and_why() {
    if !crate::is_allowed() {
        return;
    }
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" --exact --nocapture life::stopping_is_once_and_for_all";
    let tests = std::env::current_exe().unwrap();
    let inside = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script])
        .arg(tests)
        .env_remove("ZAFFRE_REQUIRE_GUESTS")
        .output();
    let Ok(inside) = inside else { return println!("skipped: no `unshare` here") };
    let said = String::from_utf8_lossy(&inside.stdout);
    for words in ["skipped: ", "make the guest's namespaces", "`sysctl user.max_user_namespaces`"] {
        assert!(said.contains(words), "{words}: {said}{}", String::from_utf8_lossy(&inside.stderr));
    }
}

#[tokio::test]
async fn a_malformed_description_is_refused_before_anything_starts() {
    let error = Guest::start(Spec { hostname: "a b".into(), ..spec() }).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`a b` is no host name"), "{error}");
}

#[tokio::test]
async fn ten_guests_start_at_once() {
    if !crate::is_allowed() {
        return;
    }
    let all: Vec<_> =
        (0..10).map(|i| tokio::spawn(Guest::start(Spec { hostname: format!("vm{i}"), ..spec() }))).collect();
    for (i, starting) in all.into_iter().enumerate() {
        let (guest, _sockets) = starting.await.unwrap().unwrap();
        assert_eq!(print(&guest, shell("hostname")).await, format!("vm{i}"));
    }
}

/// Measured for whoever reads the output; the bound is only there to notice a guest that waits for something.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this is the one that measures")]
async fn a_guest_is_there_at_once() {
    if !crate::is_allowed() {
        return;
    }
    let mut rounds = Vec::new();
    for _ in 0..20 {
        let begin = Instant::now();
        let (guest, _sockets) = Guest::start(spec()).await.unwrap();
        let started = begin.elapsed();
        assert_eq!(code(&guest, guest::Command::new(["true"])).await, 0);
        let first = begin.elapsed();
        guest.stop().await;
        rounds.push((first, started, begin.elapsed()));
    }
    rounds.sort();
    let (first, started, stopped) = rounds[rounds.len() / 2];
    println!(
        "median of {}: started {started:.1?}, first command done {first:.1?}, stopped {stopped:.1?}",
        rounds.len()
    );
    assert!(first.as_secs() < 5, "{first:?}");
}
