//! The engine on PostgreSQL's protocol: any number of processes on one database.
//!
//! ```text
//! closure ── snapshot.rs ── link.rs: a pool of connections ── wire.rs: a socket that blocks
//! committer ── turn.rs ── one more connection
//! ```
//!
//! - `schema.rs`: the tables, and how they come about.
//! - `long.rs`: keys longer than the database's index takes.
//! - `snapshot.rs`: what a closure reads.
//! - `turn.rs`: commits, one process after another, each with all that waits in it.
//! - `link.rs`: connections and every statement there is.
//! - `wire.rs`: how a thread waits for an answer; `tls.rs`: what encrypts it.
//!
//! What is right here does not depend on the database's isolation of writers, nor on anything that PostgreSQL alone
//! has: the program runs on what CockroachDB and YugabyteDB document as well. Why commits take turns, and what that
//! costs, is in docs/decisions/store-postgres.md.

mod link;
mod long;
mod schema;
mod snapshot;
mod tls;
mod turn;
mod wire;

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand;
use azure::time::Timestamp;
use bytes::Bytes;

use self::{
    link::{Link, Pool, Target, Trouble},
    turn::Turn,
};
use super::{
    StoreError,
    commit::Outcome,
    engine::{Engine, Shared, Snapshot, Write},
    key::KeyRange,
};

/// Closures that read at a time, each with a thread and a connection.
const READERS: usize = 16;

pub(super) struct Postgres {
    pool: Arc<Pool>,
    turn: Mutex<Turn>,
    /// Who wrote a commit: this process, as long as it runs.
    writer: Vec<u8>,
    last: u64,
}

/// There while a backup is brought back. Behind every row of a cloud, so that no reader meets it.
const HALF_RESTORED: &[u8] = &[0xff, 0xff, 0xff, 0xff, b'r'];

impl Postgres {
    /// Connects, and makes the tables if need be. Refuses a database that was restored in part.
    pub(super) fn connect(url: &str) -> Result<Self, StoreError> {
        let engine = Self::open(url)?;
        if engine.snapshot()?.get(HALF_RESTORED)?.is_some() {
            let what = "the database holds part of a backup";
            return Err(StoreError::database(what, "empty it, and restore again"));
        }
        Ok(engine)
    }

    /// Writes rows, in key order, into a database that has none.
    pub(super) fn fill(
        url: &str,
        mut rows: impl FnMut() -> Result<Option<Vec<Write>>, StoreError>,
    ) -> Result<(), StoreError> {
        let engine = Self::open(url)?;
        if engine.snapshot()?.range(&KeyRange::all_clouds(), false).next().transpose()?.is_some() {
            return Err(StoreError::database(
                "the database holds a store already",
                "restore into an empty one",
            ));
        }
        let mark = Bytes::from_static(HALF_RESTORED);
        let mut last = engine.add(engine.last, vec![(mark.clone(), Some(mark.clone()))])?;
        while let Some(batch) = rows()? {
            last = engine.add(last, batch)?;
        }
        engine.add(last, vec![(mark, None)]).map(drop)
    }

    /// Commits what nobody else can have to do with. Gives the commit's number.
    fn add(&self, last: u64, batch: Vec<Write>) -> Result<u64, StoreError> {
        let number = self.take_turn(last)?.last + 1;
        match self.commit(number, batch)? {
            Outcome::Committed => Ok(number),
            Outcome::Conflict => Err(StoreError::database("the database", "somebody else writes to it")),
        }
    }

    fn open(url: &str) -> Result<Self, StoreError> {
        let pool = Pool::new(Target::parse(url)?, READERS);
        pool.persist(|| schema::prepare(&mut Link::open_bare(pool.target())?))?;
        let last: i64 = pool.persist(|| {
            let mut link = Link::open(pool.target())?;
            let last = link
                .ask(async |client, statements| client.query_one(&statements.last, &[]).await?.try_get(0))?;
            pool.put_back(link);
            Ok(last)
        })?;
        Ok(Postgres { pool: Arc::new(pool), turn: Mutex::default(), writer: name(), last: last as u64 })
    }
}

impl Engine for Postgres {
    fn last_commit(&self) -> u64 {
        self.last
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(snapshot::At::new(self.pool.clone())))
    }

    fn apply(&self, _: u64, batch: Vec<Write>) -> Result<(), StoreError> {
        let news = self.take_turn(self.last)?;
        self.commit(news.last + 1, batch).map(drop)
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        let why = "its server gives back the room of old versions by itself; `VACUUM (FULL) zaffre_rows` does so at once";
        Err(StoreError::database("compacting a database", why))
    }

    fn stats(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let mut link = self.pool.take()?;
        let last =
            link.ask(async |client, statements| client.query_one(&statements.last, &[]).await?.try_get(0));
        let last: i64 = last.map_err(said)?;
        let mut stats = vec![("commits", last as u64)];
        // What only some databases can say is said by those.
        let size = "SELECT pg_total_relation_size('zaffre_rows')";
        if let Ok(size) = link.run(async |client| client.query_one(size, &[]).await?.try_get::<_, i64>(0)) {
            stats.push(("table and index, bytes", size as u64));
            self.pool.put_back(link);
        }
        Ok(stats)
    }

    fn shared(&self) -> Option<&dyn Shared> {
        Some(self)
    }

    fn readers(&self) -> Option<usize> {
        Some(READERS)
    }

    /// The database's clock, which all processes share.
    fn now(&self) -> Result<Timestamp, StoreError> {
        let micros: i64 = self.pool.persist(|| {
            let mut link = self.pool.take()?;
            let now = link
                .ask(async |client, statements| client.query_one(&statements.now, &[]).await?.try_get(0))?;
            self.pool.put_back(link);
            Ok(now)
        })?;
        Ok(Timestamp::from_nanos(micros.saturating_mul(1000)))
    }
}

fn said(trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Fatal(error) => error,
        Trouble::Again => StoreError::database("the database", "other transactions were in the way"),
        Trouble::Lost(why) => StoreError::database("the database", why),
    }
}

/// A name that no other process has.
#[expect(clippy::disallowed_methods, reason = "a process's name among others is no cloud's chance")]
fn name() -> Vec<u8> {
    let mut name = vec![0; 16];
    rand::fill(&mut name).expect("the system's generator answers");
    name
}
