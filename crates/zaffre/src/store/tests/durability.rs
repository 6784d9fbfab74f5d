//! What is committed is there after a restart, and a directory that cannot be trusted is refused.

use std::{fs, os::unix::fs::FileExt, path::Path};

use crate::store::{Store, StoreError};

use super::{CLOUD, NUMBERS, commit_number, committed, key, set};

fn open(dir: &Path) -> Store {
    Store::open(dir).expect("opens")
}

fn refusal(dir: &Path) -> StoreError {
    match Store::open(dir) {
        Ok(_) => panic!("`{}` opened", dir.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_is_committed_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    for round in 1..=4 {
        let store = open(dir.path());
        assert_eq!(committed(&store, "round").await, round - 1);
        commit_number(&store, "round", round).await;
        commit_number(&store, &format!("round {round}"), round).await;
        if round % 2 == 0 {
            store.close().await.expect("closes");
        }
    }
    let store = open(dir.path());
    let rows = store.read(CLOUD, |txn| NUMBERS.scan(txn, &(), None, 10)).await.expect("scans");
    assert_eq!(rows.len(), 5);
}

#[tokio::test]
async fn a_transaction_is_there_wholly_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    {
        let store = open(dir.path());
        let tasks = (0..8).map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let written = store.write(CLOUD, |txn| {
                        for part in 0..4 {
                            set(txn, &format!("{task}/{part}"), round);
                        }
                        Ok::<_, StoreError>(())
                    });
                    // The store closes meanwhile.
                    if written.await.is_err() {
                        return;
                    }
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        tokio::task::yield_now().await;
        store.close().await.expect("closes");
        for task in tasks {
            task.await.expect("ends");
        }
    }
    let store = open(dir.path());
    for task in 0..8 {
        let first = committed(&store, &format!("{task}/0")).await;
        for part in 1..4 {
            assert_eq!(committed(&store, &format!("{task}/{part}")).await, first);
        }
    }
}

#[tokio::test]
async fn a_directory_in_use_is_refused_naming_the_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn a_newer_directory_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()));
    fs::write(dir.path().join("format"), "zaffre store, format 2\n").expect("writes");
    assert!(matches!(refusal(dir.path()), StoreError::Newer { found: 2, known: 1, .. }));
    fs::write(dir.path().join("format"), "something else\n").expect("writes");
    assert!(matches!(refusal(dir.path()), StoreError::Corrupt { .. }));
    fs::write(dir.path().join("format"), "zaffre store, format 1\n").expect("writes");
    open(dir.path());
}

/// Copies a directory as it is: what a restored backup or a lost journal leaves behind.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("has a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[tokio::test]
async fn a_lost_end_of_the_journal_is_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let (live, past) = (dir.path().join("live"), dir.path().join("past"));
    let store = open(&live);
    commit_number(&store, "a", 1).await;
    drop(store);
    copy(&live, &past);
    let store = open(&live);
    commit_number(&store, "a", 2).await;
    commit_number(&store, "a", 3).await;
    drop(store);
    // The engine forgets the last two commits; the witness does not.
    fs::remove_dir_all(live.join("engine")).expect("removes");
    copy(&past.join("engine"), &live.join("engine"));

    let error = refusal(&live);
    let text = error.to_string();
    assert!(text.contains("ends at commit 1") && text.contains("commit 3 was acknowledged"), "{text}");
    assert!(matches!(refusal(&live), StoreError::Corrupt { .. }), "it is still seen the second time");
    fs::remove_file(live.join("witness")).expect("removes");
    assert_eq!(committed(&open(&live), "a").await, 1);
}

#[tokio::test]
async fn a_store_whose_making_was_cut_short_is_made_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()));
    // What a kill leaves between the engine's first file and its last.
    fs::remove_file(dir.path().join("witness")).expect("removes");
    fs::rename(dir.path().join("engine"), dir.path().join("engine.new")).expect("renames");
    fs::remove_file(dir.path().join("engine.new/version")).expect("removes");
    let store = open(dir.path());
    commit_number(&store, "a", 1).await;
    drop(store);
    assert_eq!(committed(&open(dir.path()), "a").await, 1);
    assert!(!dir.path().join("engine.new").exists());
}

#[tokio::test]
async fn a_torn_place_of_the_witness_does_no_harm() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    commit_number(&store, "a", 1).await;
    drop(store);
    let witness = fs::OpenOptions::new().write(true).open(dir.path().join("witness")).expect("opens");
    witness.write_all_at(&[0xff; 8], 4096).expect("writes");
    assert_eq!(committed(&open(dir.path()), "a").await, 1);
    witness.write_all_at(&[0xff; 8], 0).expect("writes");
    witness.write_all_at(&[0xff; 8], 4096).expect("writes");
    assert!(refusal(dir.path()).to_string().contains("witness"));
}

#[tokio::test]
async fn another_history_under_the_same_number_is_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for (dir, value) in [(&one, 1), (&two, 2)] {
        commit_number(&open(dir), "a", value).await;
    }
    fs::copy(one.join("witness"), two.join("witness")).expect("copies");
    assert!(refusal(&two).to_string().contains("different commits of number 1"));
}

#[tokio::test]
async fn a_record_changed_on_disk_never_comes_back_as_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    for value in 0..20 {
        commit_number(&store, "a", value).await;
        commit_number(&store, &key("b"), value).await;
    }
    drop(store);
    let journal = fs::read_dir(dir.path().join("engine"))
        .expect("lists")
        .map(|entry| entry.expect("lists").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .expect("a journal");
    let mut bytes = fs::read(&journal).expect("reads");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("not empty");
    bytes[used / 2] ^= 0x10;
    fs::write(&journal, bytes).expect("writes");
    assert!(matches!(refusal(dir.path()), StoreError::Corrupt { .. } | StoreError::Io { .. }));
}
