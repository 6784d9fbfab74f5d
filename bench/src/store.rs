//! The store beside a bare log, one flushed append, and the engine it stands on.

use std::{
    fs,
    hint::black_box,
    io::Write as _,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fjall::Readable as _;
use tokio::runtime::Runtime;
use zaffre::store::{CloudId, Raw, Store, StoreError, Table};

use crate::{
    Outcome,
    figure::{Figure, Round, Target},
    raw_log::{RawLog, Rows, encode, log_file},
};

/// The word that makes this program the one that is killed.
pub(crate) const FILL: &str = "fill-until-killed";

const CLOUD: CloudId = CloudId(1);
const DOCUMENTS: Table<(u64, u64), Raw> = Table::new("documents");
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const WRITERS: u64 = 32;
const RECORDS: u64 = 100_000;
const PAGE: usize = 100;

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = Vec::new();
    figures.extend(commits(&runtime)?);
    figures.extend(reads(&runtime)?);
    figures.push(reopening()?);
    figures.push(empty_opening()?);
    Ok(figures)
}

/// Runs something and takes its time, by the clock and of the processor.
pub(crate) fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Duration, Duration)> {
    let (clock, cpu) = (now(), cpu_time()?);
    let done = work()?;
    Ok((done, clock.elapsed(), cpu_time()?.saturating_sub(cpu)))
}

#[expect(clippy::disallowed_methods, reason = "how long a thing takes is the question")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Processor time that this process has taken, by proc_pid_schedstat's first field of each thread, in nanoseconds.
fn cpu_time() -> Outcome<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread that ended meanwhile took its count along: none does within a round.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// splitmix64, as everywhere where chance must be the same every time.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// A document of 1 KiB that packs about as well as JSON does.
pub(crate) fn document(number: u64) -> Bytes {
    let mut text = format!("{{\"id\":\"{:016x}\"", mixed(number));
    for field in 0.. {
        if text.len() >= 1000 {
            break;
        }
        text.push_str(&format!(",\"property{field}\":\"{:x}\"", mixed(number ^ field << 32)));
    }
    Bytes::from(text)
}

/// A document and three entries of indexes.
fn four_keys(writer: u64, number: u64) -> [((u64, u64), Bytes); 4] {
    let id = mixed(writer << 40 | number);
    std::array::from_fn(|part| {
        let value = if part == 0 { document(id) } else { Bytes::from_static(b"1") };
        ((part as u64, id ^ part as u64), value)
    })
}

fn raw_rows(keys: [((u64, u64), Bytes); 4]) -> Rows {
    keys.into_iter().map(|((part, id), value)| (raw_key(part, id), value)).collect()
}

fn raw_key(part: u64, id: u64) -> Bytes {
    let mut key = Vec::with_capacity(24);
    key.extend(CLOUD.0.to_be_bytes());
    key.extend(b"rows");
    key.extend(part.to_be_bytes());
    key.extend(id.to_be_bytes());
    Bytes::from(key)
}

async fn commit(store: &Store, writer: u64, number: u64) -> Result<(), StoreError> {
    let rows = four_keys(writer, number);
    store
        .write(CLOUD, |txn| {
            rows.iter().try_for_each(|(key, value)| DOCUMENTS.put(txn, key, &Raw(value.clone())))
        })
        .await
}

fn commits(runtime: &Runtime) -> Outcome<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(&dir.path().join("store"))?;
    let (mut many, mut many_raw, mut one, mut one_raw) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let log = Arc::new(RawLog::open(&dir.path().join(format!("many {round}.log")))?);
        many_raw.push(many_writers(runtime, round, move |writer, number| {
            let log = log.clone();
            async move { log.commit(raw_rows(four_keys(writer, number))).await }
        })?);
        let shared = store.clone();
        many.push(many_writers(runtime, round, move |writer, number| {
            let store = shared.clone();
            async move { Ok(commit(&store, writer, number).await?) }
        })?);
        one_raw.push(one_appender(&dir.path().join(format!("one {round}.log")))?);
        one.push(one_writer(runtime, &store, round as u64)?);
    }
    Ok(vec![
        Figure {
            name: "store/commit-4-keys-32-writers",
            unit: "/s",
            ours: many,
            other: many_raw,
            target: Target::AtLeast(0.6),
        },
        Figure {
            name: "store/commit-4-keys-1-writer-p50",
            unit: "us",
            ours: one,
            other: one_raw,
            target: Target::AtMost(1.5),
        },
    ])
}

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn many_writers<F>(
    runtime: &Runtime,
    round: usize,
    commit: impl Fn(u64, u64) -> F + Clone + Send + 'static,
) -> Outcome<Round>
where
    F: Future<Output = Done> + Send,
{
    let (operations, took, cpu) = timed(|| {
        let end = now() + ROUND;
        let writers = (0..WRITERS).map(|writer| {
            let commit = commit.clone();
            runtime.spawn(async move {
                let mut number = (round as u64) << 32;
                while now() < end {
                    commit(writer, number).await?;
                    number += 1;
                }
                Ok::<u64, Box<dyn std::error::Error + Send + Sync>>(number - ((round as u64) << 32))
            })
        });
        let writers: Vec<_> = writers.collect();
        let mut operations = 0;
        for writer in writers {
            operations += runtime.block_on(writer)?.map_err(|error| error.to_string())?;
        }
        Ok(operations)
    })?;
    Ok(Round::rate(operations, took, cpu))
}

fn one_writer(runtime: &Runtime, store: &Store, round: u64) -> Outcome<Round> {
    runtime.block_on(async {
        let mut number = 0;
        let cpu = cpu_time()?;
        let mut times = Vec::new();
        let end = now() + ROUND;
        while now() < end {
            let start = now();
            commit(store, WRITERS + round, number).await?;
            times.push(start.elapsed());
            number += 1;
        }
        middle(times, cpu)
    })
}

/// The same bytes, appended and flushed by the thread that has them.
fn one_appender(path: &Path) -> Outcome<Round> {
    let mut file = log_file(path)?;
    let mut buffer = Vec::new();
    let cpu = cpu_time()?;
    let mut times = Vec::new();
    let end = now() + ROUND;
    let mut number = 0;
    while now() < end {
        let start = now();
        buffer.clear();
        raw_rows(four_keys(0, number)).iter().for_each(|row| encode(row, &mut buffer));
        file.write_all(&buffer)?;
        file.sync_data()?;
        times.push(start.elapsed());
        number += 1;
    }
    middle(times, cpu)
}

fn middle(mut times: Vec<Duration>, cpu_before: Duration) -> Outcome<Round> {
    let cpu = cpu_time()?.saturating_sub(cpu_before);
    times.sort();
    let value = times[times.len() / 2].as_secs_f64() * 1e6;
    Ok(Round { value, cpu_us: cpu.as_secs_f64() * 1e6 / times.len() as f64 })
}

/// Our store and the bare engine, each with the same records, written out of memory and compacted.
fn reads(runtime: &Runtime) -> Outcome<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(&dir.path().join("store"))?;
    let database = fjall::Database::builder(dir.path().join("engine")).open()?;
    let keyspace = database.keyspace("rows", fjall::KeyspaceCreateOptions::default)?;
    for start in (0..RECORDS).step_by(1000) {
        let batch: Vec<_> = (start..start + 1000).map(|number| (mixed(number), document(number))).collect();
        runtime.block_on(store.write(CLOUD, |txn| {
            batch.iter().try_for_each(|(id, value)| DOCUMENTS.put(txn, &(0, *id), &Raw(value.clone())))
        }))?;
        let mut writes = database.batch();
        batch.iter().for_each(|(id, value)| writes.insert(&keyspace, raw_key(0, *id), value.clone()));
        writes.commit()?;
    }
    runtime.block_on(store.compact())?;
    keyspace.rotate_memtable_and_wait()?;
    keyspace.major_compact()?;

    let (mut get, mut get_raw, mut scan, mut scan_raw) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        get_raw.push(rate(|id| {
            let found = database.snapshot().get(&keyspace, raw_key(0, id))?;
            black_box(found.ok_or("a record is missing")?);
            Ok(1)
        })?);
        get.push(rate(|id| {
            let found = runtime.block_on(store.read(CLOUD, |txn| DOCUMENTS.get(txn, &(0, id))))?;
            black_box(found.ok_or("a record is missing")?);
            Ok(1)
        })?);
        scan_raw.push(rate(|id| {
            let snapshot = database.snapshot();
            let mut rows = Vec::with_capacity(PAGE);
            for row in snapshot.range(&keyspace, raw_key(0, id)..raw_key(1, 0)).take(PAGE) {
                rows.push(row.into_inner()?);
            }
            Ok(black_box(rows).len() as u64)
        })?);
        scan.push(rate(|id| {
            let rows = runtime
                .block_on(store.read(CLOUD, |txn| DOCUMENTS.scan(txn, &(0,), Some(&(0, id)), PAGE)))?;
            Ok(black_box(rows).len() as u64)
        })?);
    }
    Ok(vec![
        Figure {
            name: "store/point-read",
            unit: "/s",
            ours: get,
            other: get_raw,
            target: Target::AtLeast(0.75),
        },
        Figure {
            name: "store/scan-100-rows",
            unit: "rows/s",
            ours: scan,
            other: scan_raw,
            target: Target::AtLeast(0.7),
        },
    ])
}

/// Does something with one record after another, in no order, for a round.
fn rate(mut with: impl FnMut(u64) -> Outcome<u64>) -> Outcome<Round> {
    let (operations, took, cpu) = timed(|| {
        let end = now() + ROUND / 2;
        let (mut operations, mut turn) = (0, 0);
        while now() < end {
            for _ in 0..16 {
                operations += with(mixed(mixed(turn) % RECORDS))?;
                turn += 1;
            }
        }
        Ok(operations)
    })?;
    Ok(Round::rate(operations, took, cpu))
}

/// Bytes that a store holds when its process is killed.
const FILLED: u64 = 1 << 30;

/// Opens what a killed process left, with nothing written out but the journal.
fn reopening() -> Outcome<Figure> {
    let mut ours = Vec::new();
    for _ in 0..3 {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("store");
        let mut child =
            Command::new(std::env::current_exe()?).args([FILL]).arg(&path).arg(FILLED.to_string()).spawn()?;
        child.wait()?;
        let (store, took, cpu) = timed(|| Ok(Store::open(&path)?))?;
        drop(store);
        let gigabytes = FILLED as f64 / f64::from(1 << 30);
        let value = took.as_secs_f64() / gigabytes;
        ours.push(Round { value, cpu_us: cpu.as_secs_f64() * 1e6 });
    }
    let name = "store/open-after-kill-per-GB";
    Ok(Figure { name, unit: "s", ours, other: vec![], target: Target::Below(1.0) })
}

pub(crate) fn fill_until_killed(dir: &str, bytes: &str) -> Outcome<()> {
    let bytes: u64 = bytes.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = Store::open(Path::new(dir))?;
    for start in (0..bytes / 1024).step_by(500) {
        runtime.block_on(store.write(CLOUD, |txn| {
            (start..start + 500)
                .try_for_each(|number| DOCUMENTS.put(txn, &(0, mixed(number)), &Raw(document(number))))
        }))?;
    }
    // As `kill -9` does: no destructor runs, nothing is flushed.
    let itself = std::process::id().to_string();
    Command::new("kill").args(["-9", &itself]).status()?;
    Ok(())
}

fn empty_opening() -> Outcome<Figure> {
    let dir = tempfile::tempdir()?;
    drop(Store::open(dir.path())?);
    let mut ours = Vec::new();
    for _ in 0..ROUNDS {
        let (store, took, cpu) = timed(|| Ok(Store::open(dir.path())?))?;
        drop(store);
        ours.push(Round { value: took.as_secs_f64() * 1e3, cpu_us: cpu.as_secs_f64() * 1e6 });
    }
    Ok(Figure { name: "store/open-empty", unit: "ms", ours, other: vec![], target: Target::Below(10.0) })
}
