//! Disks that fail, are full, are read-only or say no: a clear error, reads go on, nothing acknowledged is lost.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::{
    child::{Start, Told},
    workload::{Place, Verdict, WRITERS, judge},
};

/// A disk's answer to a call, from some moment on.
struct Fault {
    name: &'static str,
    /// As preload.c reads it: call, part of the path, calls to let through, errno, failures (0: for good).
    fail: &'static str,
    /// Whether writes end, or only some of them fail.
    ends: bool,
    says: &'static str,
}

const EIO: &str = "Input/output error (os error 5)";

const FAULTS: &[Fault] = &[
    Fault { name: "a flush fails for good", fail: "fdatasync:.jnl:30:5:0", ends: true, says: EIO },
    // A kernel forgets what a failed flush was to write, and the next one succeeds: it must not be believed.
    Fault { name: "a flush fails once", fail: "fdatasync:.jnl:30:5:1", ends: true, says: EIO },
    Fault { name: "a write fails once", fail: "write:.jnl:50:5:1", ends: true, says: EIO },
    Fault {
        name: "the disk is full",
        fail: "write:.jnl:50:28:0",
        ends: true,
        says: "No space left on device",
    },
    Fault {
        name: "the quota is spent",
        fail: "write:.jnl:50:122:0",
        ends: true,
        says: "Disk quota exceeded",
    },
    Fault {
        name: "the disk becomes read-only",
        fail: "write:store:150:30:0",
        ends: true,
        says: "Read-only file system",
    },
    Fault { name: "the witness cannot be written", fail: "write:witness:20:5:0", ends: true, says: EIO },
    Fault { name: "a body's flush fails once", fail: "fdatasync:.part:3:5:1", ends: false, says: EIO },
    Fault {
        name: "a body finds no room, once",
        fail: "write:.part:3:28:1",
        ends: false,
        says: "No space left",
    },
    Fault { name: "a body's name fails once", fail: "rename:.part:3:5:1", ends: false, says: EIO },
];

fn judged(dir: &Path, told: &Told) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let place = Place::open(dir).expect("opens once the disk is well again");
        let acknowledged = told.acknowledged.map(|step| step.unwrap_or(0));
        let verdict = judge(&place, &acknowledged).await.expect("reads");
        // And it takes writes again.
        place.content.sweep_unreferenced(&place.store).await.expect("sweeps");
        let next = place.last(0).await.expect("reads") + 1;
        place.step(0, next).await.expect("writes");
        verdict
    })
}

#[test]
fn a_disk_that_fails_is_said_and_nothing_acknowledged_is_lost() {
    for fault in FAULTS {
        let dir = tempfile::tempdir().expect("a directory");
        let start = Start::on(dir.path()).steps(60).preloaded(dir.path(), &[("FAULTS_FAIL", fault.fail)]);
        let told = start.run().until_end();
        let name = fault.name;
        assert!(told.count > 5, "{name}: it failed before anything was acknowledged");
        assert!(!told.refusals.is_empty(), "{name}: nobody was told");
        assert!(told.refusals.iter().all(|why| why.contains(fault.says)), "{name}: {:?}", told.refusals);
        if fault.ends {
            let ends = told.refusals.iter().filter(|why| why.contains("takes no more writes")).count();
            assert!(ends > 0, "{name}: {:?}", told.refusals);
            assert_eq!(told.refusals.len() as u64, WRITERS, "{name}: some writers were not refused");
        } else {
            assert!(
                (told.refusals.len() as u64) < WRITERS,
                "{name}: other writers go on: {:?}",
                told.refusals
            );
        }
        assert_eq!(told.readers, WRITERS, "{name}: reads go on");
        assert_eq!(judged(dir.path(), &told), Verdict::default(), "{name}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    for (fail, named) in [
        ("open:store/lock:0:13:0", "store/lock`: Permission denied"),
        ("open:store/format:0:13:0", "store/format"),
        ("open:store/witness:0:5:0", "store/witness`: Input/output error"),
        ("mkdir:store:0:30:0", "store`: Read-only file system"),
        ("mkdir:content:0:28:0", "content`: No space left on device"),
        ("open:.jnl:0:13:0", "store/engine.new`: Permission denied"),
        ("open:engine.new/version:0:5:0", "store/engine.new`: Input/output error"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let told =
            Start::on(dir.path()).steps(1).preloaded(dir.path(), &[("FAULTS_FAIL", fail)]).run().until_end();
        let [why] = &told.refusals[..] else { panic!("{fail}: {:?}", told.refusals) };
        assert!(why.contains(named), "{fail}: {why}");
        // What failed left nothing that stands in the way.
        let told = Start::on(dir.path()).steps(1).run().until_end();
        assert_eq!((told.count, told.refusals.as_slice()), (WRITERS, &[][..]), "{fail}");
    }
}

#[test]
fn a_clock_that_runs_backwards_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let told =
        Start::on(dir.path()).steps(60).preloaded(dir.path(), &[("FAULTS_CLOCK", "1")]).run().until_end();
    assert_eq!((told.count, told.refusals.as_slice()), (60 * WRITERS, &[][..]));
    assert_eq!(judged(dir.path(), &told), Verdict::default());
}

/// A disk of its own: a tmpfs in a mount namespace that nobody else sees. None where the kernel gives none.
fn on_own_disk(dir: &Path, size: &str, script: &str) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size={size},mode=0700 tmpfs '{}' && {script}", dir.display());
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command
    };
    let probe = format!("mount -t tmpfs tmpfs '{}'", dir.display());
    let works = unshare(&probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    works.is_ok_and(|status| status.success()).then(|| unshare(&mount))
}

#[test]
fn a_full_disk_ends_writes_and_not_reads_and_room_is_all_it_takes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, after) = (dir.path().join("disk"), dir.path().join("after"));
    fs::create_dir(&disk).expect("creates");
    fs::create_dir(&after).expect("creates");
    // What was on the disk is copied out before the disk goes with its namespace.
    let script = format!("\"$@\"; cp -r '{}/.' '{}'", disk.display(), after.display());
    let Some(command) = on_own_disk(&disk, "24m", &script) else {
        println!("skipped: this kernel lets us mount no tmpfs in a namespace of our own");
        return;
    };
    let told = Start::behind(command, &disk).steps(5000).run().until_end();
    assert!(told.count > 5, "it was full from the start");
    assert!(told.refusals.iter().any(|why| why.contains("No space left on device")), "{:?}", told.refusals);
    assert_eq!(told.refusals.len() as u64, WRITERS, "{:?}", told.refusals);
    assert_eq!(told.readers, WRITERS, "reads go on");
    assert_eq!(judged(&after, &told), Verdict::default());
}

#[test]
fn a_data_directory_that_is_remounted_read_only_ends_uploads_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, after, aside) = (dir.path().join("disk"), dir.path().join("after"), dir.path().join("aside"));
    for made in [&disk, &after, &aside] {
        fs::create_dir(made).expect("creates");
    }
    let (at, aside) = (disk.display(), aside.display());
    // Once bodies are being written, the directory is mounted a second time, read-only, and that mount is moved over the
    // first. The kernel makes no mount read-only on which a file is open for writing, so this one is nobody's until then:
    // what is open stays writable, and everything that is opened from now on is not.
    let script = format!(
        "{{ \"$@\" & child=$!; until ls '{at}'/content/[0-9a-f][0-9a-f]/* >/dev/null 2>&1; do :; done; \
         mount --bind '{at}' '{aside}' && mount -o remount,bind,ro '{aside}' && mount --move '{aside}' '{at}'; \
         wait $child; cp -r '{at}/.' '{}'; }}",
        after.display()
    );
    let Some(command) = on_own_disk(&disk, "200m", &script) else {
        println!("skipped: this kernel lets us mount no tmpfs in a namespace of our own");
        return;
    };
    let told = Start::behind(command, &disk).steps(5000).run().until_end();
    assert!(told.count > 5, "it was read-only from the start");
    assert_eq!(told.refusals.len() as u64, WRITERS, "{:?}", told.refusals);
    assert!(told.refusals.iter().all(|why| why.contains("Read-only file system")), "{:?}", told.refusals);
    assert_eq!(told.readers, WRITERS, "reads go on");
    assert_eq!(judged(&after, &told), Verdict::default());
}
