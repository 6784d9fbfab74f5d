//! A connection to the server, with its statements prepared, and the pool of them.

use std::{
    fmt, io,
    net::{TcpStream, ToSocketAddrs as _},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_postgres::{
    Client, Config, Error, Statement,
    config::{Host, SslMode},
    error::{DbError, SqlState},
};

use super::{
    tls::{self, Handshake},
    wire::{self, Broken, Protocol, Wire},
};
use crate::store::StoreError;

/// How long an answer may take before the connection counts as lost. Longer than the server lets a silent
/// transaction live, so that who waits for one that is gone still gets its turn.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long to go on trying while the server is away.
const LONGEST: Duration = Duration::from_secs(10);
/// The pauses between attempts double, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What each connection asks for. A server that does not know one of them has no need of it: they are PostgreSQL's,
/// and what is right does not depend on them.
///
/// - An answer means that the disk has it, whatever the server's own default is.
/// - A process that went away without a word frees the turn within seconds.
/// - A page of rows is read along the index: before a table is analysed, the planner may think otherwise.
const SETTINGS: &[&str] = &[
    "SET synchronous_commit = on",
    "SET idle_in_transaction_session_timeout = 5000",
    "SET tcp_user_timeout = 5000",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    "SET enable_sort = off",
    "SET jit = off",
];

/// Why the server did not do what it was asked.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing happened; another transaction was in the way.
    Again,
    /// The connection is gone; what was under way may have happened.
    Lost(String),
    /// It would not go better again.
    Fatal(StoreError),
}

pub(super) type Result<T> = std::result::Result<T, Trouble>;

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Socket(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Trouble::Lost(format!("no answer within {} s", PATIENCE.as_secs()))
            }
            Broken::Socket(error) => Trouble::Lost(error.to_string()),
            Broken::Said(error) => said(error),
        }
    }
}

fn said(error: Error) -> Trouble {
    let Some(refusal) = error.as_db_error() else {
        return match tls::refusal(&error) {
            Some(why) => Trouble::Fatal(StoreError::database("TLS to the database", why)),
            None => Trouble::Lost(error.to_string()),
        };
    };
    let code = refusal.code();
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => Trouble::Again,
        // A standby that was the primary, or will be.
        &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::TOO_MANY_CONNECTIONS => lost(refusal),
        // Connection exceptions, and an operator's intervention: a server that stops or starts.
        code if code.code().starts_with("08") || code.code().starts_with("57P") => lost(refusal),
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT | &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => {
            lost(refusal)
        }
        _ => Trouble::Fatal(StoreError::database("the database refused", refused(refusal))),
    }
}

fn lost(refusal: &DbError) -> Trouble {
    Trouble::Lost(refused(refusal))
}

fn refused(refusal: &DbError) -> String {
    format!("{} ({})", refusal.message(), refusal.code().code())
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Fatal(error)
    }
}

/// Where the server is, and who asks.
pub(super) struct Target {
    config: Config,
    /// For connections that are to be encrypted.
    tls: Arc<ClientConfig>,
    /// Without the password.
    name: String,
}

impl Target {
    pub(super) fn parse(url: &str) -> std::result::Result<Self, StoreError> {
        let wrong = |why: String| StoreError::database("the store's address", why);
        let (url, wish) = tls::Wish::take(url)?;
        let mut config: Config = url.parse().map_err(|error: Error| wrong(error.to_string()))?;
        if config.get_ssl_mode() != SslMode::Require {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host".to_owned()));
        }
        if config.get_application_name().is_none() {
            config.application_name("zaffre");
        }
        let name = config.get_hosts().iter().map(shown).collect::<Vec<_>>().join(",");
        Ok(Target { config, tls: wish.config()?, name })
    }

    /// The first host that takes a connection.
    fn connect(&self) -> io::Result<(Wire, &Host)> {
        let ports = self.config.get_ports();
        let mut refusal = None;
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let port = *ports.get(index).or(ports.first()).unwrap_or(&5432);
            match reach(host, port) {
                Ok(wire) => return Ok((wire, host)),
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// How to speak with a host, and as whom it is to prove itself where that is encrypted.
    fn manners(&self, host: &Host) -> std::result::Result<(Config, Handshake), StoreError> {
        let mut config = self.config.clone();
        let name = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(_) => {
                config.ssl_mode(SslMode::Disable);
                "localhost".to_owned()
            }
        };
        let name = ServerName::try_from(name)
            .map_err(|error| StoreError::database("the store's address", error.to_string()))?;
        Ok((config, Handshake { config: self.tls.clone(), name }))
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

fn reach(host: &Host, port: u16) -> io::Result<Wire> {
    match host {
        Host::Unix(folder) => {
            Wire::unix(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))?, PATIENCE)
        }
        Host::Tcp(name) => {
            let mut refusal = io::Error::from(io::ErrorKind::NotFound);
            for address in (name.as_str(), port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(socket) => return Wire::tcp(socket, PATIENCE),
                    Err(error) => refusal = error,
                }
            }
            Err(refusal)
        }
    }
}

/// One connection. One thread at a time uses it.
pub(super) struct Link {
    client: Client,
    protocol: Protocol,
    wire: Wire,
    statements: Option<Statements>,
}

impl Link {
    /// A connection that can run any SQL, and has prepared none.
    pub(super) fn open_bare(target: &Target) -> Result<Self> {
        let (wire, host) = target.connect().map_err(|error| Trouble::Lost(error.to_string()))?;
        let (config, handshake) = target.manners(host)?;
        let made = wire::drive(&wire, None, config.connect_raw(wire.clone(), handshake));
        let (client, protocol) = made?;
        let mut link = Link { client, protocol, wire, statements: None };
        for setting in SETTINGS {
            match link.run(async |client| client.batch_execute(setting).await) {
                Ok(()) | Err(Trouble::Fatal(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(link)
    }

    pub(super) fn open(target: &Target) -> Result<Self> {
        let mut link = Self::open_bare(target)?;
        link.statements = Some(link.run(Statements::prepare)?);
        Ok(link)
    }

    /// Runs SQL that needs no prepared statements.
    pub(super) fn run<T>(
        &mut self,
        request: impl AsyncFnOnce(&Client) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        Ok(wire::drive(&self.wire, Some(&mut self.protocol), request(&self.client))?)
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<T>(
        &mut self,
        request: impl AsyncFnOnce(&Client, &Statements) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        let statements = self.statements.as_ref().expect("every link of the pool has them");
        Ok(wire::drive(&self.wire, Some(&mut self.protocol), request(&self.client, statements))?)
    }

    /// Sends SQL whose answer nobody waits for.
    pub(super) fn tell(&mut self, sql: &str) {
        wire::send(&mut self.protocol, self.client.batch_execute(sql));
    }
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $sql:literal,)*) => {
        /// The prepared statements. Only SQL that CockroachDB and YugabyteDB document too.
        pub(super) struct Statements {
            $($(#[$doc])* pub(super) $name: Statement,)*
        }

        impl Statements {
            async fn prepare(client: &Client) -> std::result::Result<Self, Error> {
                let ($($name,)*) = tokio::try_join!(biased; $(client.prepare($sql),)*)?;
                Ok(Statements { $($name,)* })
            }
        }
    };
}

statements! {
    get: "SELECT value FROM zaffre_rows WHERE key = $1",
    get_many: "SELECT key, value FROM zaffre_rows WHERE key = ANY($1)",
    forward: "SELECT key, value FROM zaffre_rows WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3",
    backward: "SELECT key, value FROM zaffre_rows WHERE key >= $1 AND key < $2 ORDER BY key DESC LIMIT $3",
    /// Takes the turn: nobody else gets past this before the transaction ends.
    turn: "UPDATE zaffre_store SET number = number + 1 WHERE id = 0 RETURNING number, format",
    last: "SELECT number FROM zaffre_store WHERE id = 0",
    log: "SELECT number, writer, keys FROM zaffre_commits WHERE number > $1 ORDER BY number",
    note: "INSERT INTO zaffre_commits (number, writer, keys) VALUES ($1, $2, $3)",
    put: "INSERT INTO zaffre_rows (key, value) \
          SELECT k, v FROM unnest($1::BYTEA[], $2::BYTEA[]) AS rows (k, v) \
          ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    delete: "DELETE FROM zaffre_rows WHERE key = ANY($1)",
    trim: "DELETE FROM zaffre_commits WHERE number IN (SELECT number FROM zaffre_commits \
           WHERE number < $1 AND at < now() - INTERVAL '1 minute' ORDER BY number LIMIT 1000)",
    now: "SELECT CAST(extract(epoch FROM now()) * 1000000 AS INT8)",
}

/// Connections that nobody uses at the moment.
pub(super) struct Pool {
    target: Target,
    idle: Mutex<Vec<Link>>,
    /// Connections kept; as many as there may be readers.
    pub(super) size: usize,
}

impl Pool {
    pub(super) fn new(target: Target, size: usize) -> Self {
        Pool { target, idle: Mutex::default(), size }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn take(&self) -> std::result::Result<Link, StoreError> {
        let idle = self.idle().pop();
        idle.map_or_else(|| self.persist(|| Link::open(&self.target)), Ok)
    }

    pub(super) fn put_back(&self, link: Link) {
        let mut idle = self.idle();
        if idle.len() < self.size {
            idle.push(link);
        }
    }

    /// Drops the idle connections: one has just been found dead, and the others may be.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    /// Tries again while the server is away or others are in the way, for some seconds.
    #[expect(clippy::disallowed_methods, reason = "how long a server may be away is real time")]
    pub(super) fn persist<T>(
        &self,
        mut act: impl FnMut() -> Result<T>,
    ) -> std::result::Result<T, StoreError> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match act() {
                Ok(value) => return Ok(value),
                Err(Trouble::Fatal(error)) => return Err(error),
                Err(Trouble::Again) => "other transactions were in the way".to_owned(),
                Err(Trouble::Lost(cause)) => cause,
            };
            if start.elapsed() >= LONGEST {
                return Err(StoreError::database(format_args!("the database at `{}`", self.target), why));
            }
            wait(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that is away gives no sign when it is back")]
fn wait(pause: Duration) {
    std::thread::sleep(pause);
}
