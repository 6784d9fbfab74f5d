//! The process under test, and how to start it.
//!
//! It opens the store, sweeps as a start does, and writes until it has taken the steps it was asked for or until it is
//! stopped. Lines on its standard output: `ack WRITER STEP`, and when something fails `refused WRITER WHAT`, then what
//! can still be read: `reads WRITER STEP`.

use std::{
    fs::OpenOptions,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use super::workload::{Place, WRITERS};

const DIR: &str = "ZAFFRE_FAULTS_DIR";
const STEPS: &str = "ZAFFRE_FAULTS_STEPS";
/// A file that acknowledgements are written to as well, so that a trace shows their place in the order of things.
const ACKS: &str = "ZAFFRE_FAULTS_ACKS";
/// Compact after so many steps of the first writer.
const COMPACT: &str = "ZAFFRE_FAULTS_COMPACT";

#[test]
#[ignore = "a process that other tests start; alone it does nothing"]
fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    // The test harness has begun a line.
    say("");
    runtime.expect("a runtime").block_on(work(&dir));
}

async fn work(dir: &Path) {
    let place = match Place::open(dir) {
        Ok(place) => Arc::new(place),
        Err(error) => return say(&format!("refused - {error}")),
    };
    place.content.sweep_unreferenced(&place.store).await.expect("sweeps");
    let steps = super::asked(STEPS, u64::MAX);
    let compact = super::asked(COMPACT, u64::MAX);
    let acks = std::env::var_os(ACKS).map(|path| {
        Arc::new(Mutex::new(OpenOptions::new().append(true).create(true).open(path).expect("opens")))
    });
    let writers = (0..WRITERS).map(|writer| {
        let (place, acks) = (place.clone(), acks.clone());
        tokio::spawn(async move {
            let first = place.last(writer).await.expect("reads") + 1;
            for step in first..first.saturating_add(steps) {
                if let Err(error) = place.step(writer, step).await {
                    say(&format!("refused {writer} {error}"));
                    break;
                }
                if let Some(acks) = &acks {
                    let line = format!("ack {writer} {step}\n");
                    acks.lock().expect("not poisoned").write_all(line.as_bytes()).expect("writes");
                }
                say(&format!("ack {writer} {step}"));
                if writer == 0 && step.is_multiple_of(compact) {
                    place.store.compact().await.expect("compacts");
                }
            }
            match place.last(writer).await {
                Ok(last) => say(&format!("reads {writer} {last}")),
                Err(error) => say(&format!("unreadable {writer} {error}")),
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody listens any more when the test is over.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// How to start it.
pub(super) struct Start {
    command: Command,
}

impl Start {
    pub(super) fn on(dir: &Path) -> Self {
        Self::with(Command::new(std::env::current_exe().expect("this program is a file")), dir)
    }

    /// Behind another program that becomes it.
    pub(super) fn behind(mut program: Command, dir: &Path) -> Self {
        program.arg(std::env::current_exe().expect("this program is a file"));
        Self::with(program, dir)
    }

    fn with(mut command: Command, dir: &Path) -> Self {
        command
            .args(["faults::child::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Start { command }
    }

    pub(super) fn steps(mut self, steps: u64) -> Self {
        self.command.env(STEPS, steps.to_string());
        self
    }

    pub(super) fn compacting(mut self, after: u64) -> Self {
        self.command.env(COMPACT, after.to_string());
        self
    }

    pub(super) fn acks_in(mut self, file: &Path) -> Self {
        self.command.env(ACKS, file);
        self
    }

    /// With the library of faults loaded, told these things.
    pub(super) fn preloaded(mut self, root: &Path, told: &[(&str, &str)]) -> Self {
        self.command.env("LD_PRELOAD", library()).env("FAULTS_ROOT", root).envs(told.iter().copied());
        self
    }

    pub(super) fn run(mut self) -> Running {
        let mut child = self.command.spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped"));
        Running { child, lines, told: Told::default() }
    }
}

/// What the process said so far.
#[derive(Default)]
pub(super) struct Told {
    /// The last step of each writer that was acknowledged; none of a writer that was not heard of.
    pub(super) acknowledged: [Option<u64>; WRITERS as usize],
    pub(super) count: u64,
    pub(super) refusals: Vec<String>,
    /// How many writers could read after they were refused.
    pub(super) readers: u64,
}

impl Told {
    fn note(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let kind = words.next();
        let writer = words.next().and_then(|word| word.parse::<usize>().ok());
        match (kind, writer, words.next()) {
            (Some("ack"), Some(writer), Some(step)) => {
                self.acknowledged[writer] = Some(step.parse().expect("a step"));
                self.count += 1;
            }
            (Some("refused"), _, Some(why)) => self.refusals.push(why.to_owned()),
            (Some("reads"), Some(_), Some(_)) => self.readers += 1,
            _ => {}
        }
    }
}

pub(super) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(super) told: Told,
}

impl Running {
    /// Waits for the next acknowledgement or other word; false when nothing more comes.
    pub(super) fn listen(&mut self) -> bool {
        let mut line = String::new();
        // A line that was cut short by the end of the process was not said.
        match self.lines.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => {
                self.told.note(line.trim_end());
                true
            }
            _ => false,
        }
    }

    /// Kills it, and hears what it had said before.
    pub(super) fn kill(mut self) -> Told {
        self.child.kill().expect("is killed");
        self.until_end()
    }

    pub(super) fn until_end(mut self) -> Told {
        while self.listen() {}
        self.child.wait().expect("has ended");
        self.told
    }
}

/// The library of faults, compiled when first asked for.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/preload.c");
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let flags = ["-O1", "-shared", "-fPIC", "-o"];
        let built = Command::new("cc").args(flags).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.expect("a C compiler").success());
        library
    })
}
