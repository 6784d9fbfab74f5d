//! The store on PostgreSQL beside pgbench, which is what C and libpq make of the same server.
//!
//! Both have sixteen clients and prepared statements, on a table of 100,000 rows of 1 KiB that fits the server's memory.
//! pgbench sends what a program would that talks to the database itself: a select by key; four upserts between BEGIN and
//! END, or all four as one statement.

use std::{env, fs, path::PathBuf, process::Command};

use tokio::runtime::Runtime;
use zaffre::store::{CloudId, Raw, Store, StoreError, Table};

use crate::{
    Outcome,
    cluster::{self, Cluster},
    figure::{Figure, Round, Target},
    store::{document, mixed, now, timed},
};

const CLOUD: CloudId = CloudId(1);
const DOCUMENTS: Table<(u64, u64), Raw> = Table::new("documents");
const ROUNDS: usize = 5;
const SECONDS: u64 = 2;
const CLIENTS: u64 = 16;
const RECORDS: u64 = 100_000;

const FILL: [&str; 3] = [
    "CREATE TABLE bench_rows (key BYTEA PRIMARY KEY, value BYTEA NOT NULL)",
    "INSERT INTO bench_rows SELECT int8send(row_number() OVER ()), value FROM zaffre_rows",
    "CHECKPOINT",
];

const SELECT: &str = "\\set id random(1, 100000)\nSELECT value FROM bench_rows WHERE key = int8send(:id);\n";

const UPSERT: &str = "INSERT INTO bench_rows (key, value) VALUES (int8send(CAST(:id AS INT8) + PART), decode(repeat('61', SIZE), 'hex')) \
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n";

const ONE_UPSERT: &str = "\\set id 10 * random(100000, 100000000000)\n\
    INSERT INTO bench_rows (key, value) \
    SELECT int8send(CAST(:id AS INT8) + part), decode(repeat('61', CASE part WHEN 0 THEN 1000 ELSE 1 END), 'hex') \
    FROM generate_series(0, 3) AS part ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n";

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    let cluster = cluster::shared().ok_or("PostgreSQL is not wanted here")?;
    let address = cluster.fresh();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Store::connect(&address)?;
    fill(&runtime, &store)?;
    let schema = cluster::schema_of(&address);
    for statement in FILL {
        cluster.sql("postgres", &format!("SET search_path = {schema}; {statement}"));
    }
    for table in ["zaffre_rows", "bench_rows"] {
        cluster.sql("postgres", &format!("VACUUM ANALYZE {schema}.{table}"));
    }
    let pgbench = Pgbench::new(cluster, schema)?;
    let mut rounds: [Vec<Round>; 5] = Default::default();
    for round in 0..ROUNDS as u64 {
        rounds[0].push(pgbench.run("select", SELECT)?);
        rounds[1].push(clients(&runtime, &store, round, read)?);
        rounds[2].push(pgbench.run("four", &four_upserts())?);
        rounds[3].push(clients(&runtime, &store, round, commit)?);
        rounds[4].push(pgbench.run("one", ONE_UPSERT)?);
    }
    let [select, reads, four, commits, one] = rounds;
    let figure = |name, ours: &Vec<Round>, other| {
        let target = Target::AtLeast(0.6);
        Figure { name, unit: "/s", ours: ours.clone(), other, target }
    };
    Ok(vec![
        figure("store-postgres/point-read", &reads, select),
        figure("store-postgres/commit-4-keys", &commits, four),
        figure("store-postgres/commit-4-keys-one-stmt", &commits, one),
    ])
}

fn fill(runtime: &Runtime, store: &Store) -> Outcome<()> {
    for start in (0..RECORDS).step_by(1000) {
        runtime.block_on(store.write(CLOUD, |txn| {
            (start..start + 1000).try_for_each(|id| DOCUMENTS.put(txn, &(0, id), &Raw(document(id))))
        }))?;
    }
    Ok(())
}

fn four_upserts() -> String {
    let upsert = |part: u32| {
        let size = if part == 0 { "1000" } else { "1" };
        UPSERT.replace("PART", &part.to_string()).replace("SIZE", size)
    };
    let upserts: String = (0..4).map(upsert).collect();
    format!("\\set id 10 * random(100000, 100000000000)\nBEGIN;\n{upserts}END;\n")
}

async fn read(store: Store, id: u64) -> Result<(), StoreError> {
    let found = store.read(CLOUD, |txn| DOCUMENTS.get(txn, &(0, mixed(id) % RECORDS))).await?;
    assert!(found.is_some(), "a record is missing");
    Ok(())
}

async fn commit(store: Store, id: u64) -> Result<(), StoreError> {
    let id = mixed(id);
    let document = document(id);
    store
        .write(CLOUD, |txn| {
            DOCUMENTS.put(txn, &(1, id), &Raw(document.clone()))?;
            (2..5).try_for_each(|part| DOCUMENTS.put(txn, &(part, id ^ part), &Raw("1".into())))
        })
        .await
}

/// Sixteen clients that each do one thing after another, for a round.
fn clients<F>(
    runtime: &Runtime,
    store: &Store,
    round: u64,
    act: impl Fn(Store, u64) -> F + Copy + Send + 'static,
) -> Outcome<Round>
where
    F: Future<Output = Result<(), StoreError>> + Send,
{
    let (operations, took, cpu) = timed(|| {
        let end = now() + std::time::Duration::from_secs(SECONDS);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let store = store.clone();
                runtime.spawn(async move {
                    let first = (round * CLIENTS + client) << 24;
                    let mut number = first;
                    while now() < end {
                        act(store.clone(), number).await?;
                        number += 1;
                    }
                    Ok::<u64, StoreError>(number - first)
                })
            })
            .collect();
        let mut operations = 0;
        for client in clients {
            operations += runtime.block_on(client)??;
        }
        Ok(operations)
    })?;
    Ok(Round::rate(operations, took, cpu))
}

struct Pgbench {
    program: PathBuf,
    host: PathBuf,
    schema: String,
    scripts: tempfile::TempDir,
}

impl Pgbench {
    fn new(cluster: &Cluster, schema: &str) -> Outcome<Self> {
        let program = cluster::programs().ok_or("no PostgreSQL here")?.join("pgbench");
        let scripts = tempfile::tempdir()?;
        Ok(Pgbench { program, host: cluster.folder.clone(), schema: schema.to_owned(), scripts })
    }

    fn run(&self, name: &str, script: &str) -> Outcome<Round> {
        let path = self.scripts.path().join(name);
        fs::write(&path, script)?;
        let (clients, seconds) = (CLIENTS.to_string(), SECONDS.to_string());
        let run = Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds, "-U", "zaffre", "-h"])
            .arg(&self.host)
            .arg("-f")
            .arg(&path)
            .arg("postgres")
            .env("PGOPTIONS", format!("-c search_path={}", self.schema))
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .output()?;
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let why = || format!("pgbench: {said}{}", String::from_utf8_lossy(&run.stderr));
        Ok(Round { value: rate.ok_or_else(why)?, cpu_us: f64::NAN })
    }
}
