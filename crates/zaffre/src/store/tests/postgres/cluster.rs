//! A PostgreSQL server of the tests' own: Debian's package, a fresh cluster in a temporary folder, a socket there and no
//! port, every commit flushed. One serves all tests of a run; each test has a schema of its own.
//!
//! A shell stands between: it reads from a pipe that this process holds, and when that ends, however it ends, stops
//! the server and removes the folder.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Set to `skip` where there is no PostgreSQL and none is wanted.
const CHOICE: &str = "ZAFFRE_TEST_POSTGRES";

/// PostgreSQL runs as nobody's root: the tests' root becomes this user.
const NOBODY: u32 = 65534;

const SCRIPT: &str = r#"
trap '' HUP INT
run() { if [ "$(id -u)" = 0 ]; then exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; else exec "$@"; fi; }
bin=$1 folder=$2 user=$3
shift 3
(run "$bin/initdb" -D "$folder/data" -U zaffre -A trust -E UTF8 --locale C --no-sync) >"$folder/initdb.log" 2>&1 || {
    echo "initdb failed:" $(tail -n 3 "$folder/initdb.log"); exit 1; }
run "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=300 "$@" >"$folder/log" 2>&1 &
server=$!
for try in $(seq 300); do
    "$bin/pg_isready" -q -h "$folder" && break
    kill -0 $server 2>/dev/null || { echo "the server ended:" $(tail -n 3 "$folder/log"); exit 1; }
    sleep 0.1
done
echo ready
read -r _
kill -INT $server
wait $server
rm -rf "$folder"
"#;

pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    port: u16,
    /// Its standard input is what keeps it running.
    _shell: Child,
    schemas: AtomicUsize,
}

/// The cluster of this run; none where it is not wanted.
///
/// # Panics
/// Where PostgreSQL is not installed.
pub(crate) fn shared() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(|| is_wanted().then(|| Cluster::start(5432, |_| Vec::new()))).as_ref()
}

/// Whether PostgreSQL is to be tested at all.
pub(crate) fn is_wanted() -> bool {
    std::env::var(CHOICE).as_deref() != Ok("skip")
}

impl Cluster {
    /// A cluster whose sockets are called by this port, with what else the server is told once its folder is there.
    pub(crate) fn start(port: u16, settings: impl FnOnce(&Path) -> Vec<String>) -> Cluster {
        let programs = programs().unwrap_or_else(|| {
            panic!("no PostgreSQL here: install the package `postgresql`, or set {CHOICE}=skip")
        });
        let folder = tempfile::Builder::new().prefix("zaffre-pg-").tempdir().expect("a folder").keep();
        let settings = settings(&folder);
        for path in fs::read_dir(&folder).expect("lists").map(|it| it.expect("an entry").path()) {
            let _ = chown(path, Some(NOBODY), Some(NOBODY));
        }
        let _ = chown(&folder, Some(NOBODY), Some(NOBODY));
        let mut shell = Command::new("bash")
            .args(["-c", SCRIPT, "cluster"])
            .args([&programs, &folder])
            .arg(NOBODY.to_string())
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .env("PGPORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut said = String::new();
        let stdout = shell.stdout.take().expect("was asked for");
        BufReader::new(stdout).read_line(&mut said).expect("speaks");
        assert_eq!(said, "ready\n", "the cluster starts");
        Cluster { folder, port, _shell: shell, schemas: AtomicUsize::new(0) }
    }

    /// The address of a schema that nothing is in yet.
    pub(crate) fn fresh(&self) -> String {
        let schema = format!("test_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE SCHEMA {schema}"));
        self.address(&self.folder.display().to_string().replace('/', "%2F"), &schema)
    }

    /// The same schema by another way to the server.
    pub(crate) fn address(&self, host: &str, schema: &str) -> String {
        format!("postgres://zaffre@{host}/postgres?options=-csearch_path%3D{schema}")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Runs SQL; gives what it prints, without any dress.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let psql = programs().expect("the cluster runs").join("psql");
        let run = Command::new(psql)
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "zaffre", "-h"])
            .arg(&self.folder)
            .args(["-d", database, "-c", sql, "-p", &self.port.to_string()])
            .output()
            .expect("psql starts");
        assert!(run.status.success(), "{sql}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    }
}

/// The schema that an address names.
pub(crate) fn schema_of(address: &str) -> &str {
    address.rsplit("%3D").next().expect("an address of ours")
}

/// Where the newest version's programs are: Debian keeps them out of the path.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("initdb").exists()).max_by_key(|bin| version(bin))
}

fn version(bin: &Path) -> Option<u32> {
    bin.parent()?.file_name()?.to_str()?.parse().ok()
}
