//! Writing: the processes take turns, and each commits in its turn what waits for it.
//!
//! ```text
//! BEGIN; UPDATE zaffre_store … RETURNING number; SELECT … FROM zaffre_commits     one message: the turn, and the news
//!     (the committer checks what waits against the news)
//! INSERT INTO zaffre_commits; INSERT INTO zaffre_rows; DELETE; COMMIT             one message
//! ```
//!
//! The row of `zaffre_store` is what others wait for, so commits happen one after another, in the order of their
//! numbers, and whoever has the turn sees every commit before it, at any isolation level: where the level is one that
//! fixes what a transaction sees at its first statement, a transaction that had to wait is refused, and tries again.
//!
//! When a connection goes while a commit is under way, nobody knows whether it happened. The next turn tells: then
//! the lost transaction is over, and `zaffre_commits` has its number with our name, or another's, or not at all.

use std::{
    mem,
    sync::{MutexGuard, PoisonError},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio_postgres::Row as Found;

use super::{Postgres, snapshot::pair};
use super::{
    link::{Link, Result as Attempt, Trouble},
    long, schema,
};
use crate::store::{
    StoreError,
    commit::Outcome,
    engine::{News, Shared, Write},
};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Every so many commits, what is older than a minute is dropped from the list of commits.
const TRIM_EVERY: u64 = 256;

/// The writing connection.
#[derive(Default)]
pub(super) enum Turn {
    #[default]
    Unconnected,
    Idle(Link),
    /// In a transaction that holds the turn.
    Taken(Link),
}

/// What a turn brings: the number it is for, and the commits before it.
struct Taken {
    number: u64,
    log: Vec<Noted>,
}

/// A row of `zaffre_commits`.
struct Noted {
    number: u64,
    writer: Vec<u8>,
    keys: Bytes,
}

/// A batch as statements take it.
struct Rows<'b> {
    put: Vec<&'b [u8]>,
    values: Vec<&'b [u8]>,
    deleted: Vec<&'b [u8]>,
}

impl Shared for Postgres {
    fn take_turn(&self, since: u64) -> Result<News, StoreError> {
        let taken = self.pool.persist(|| self.try_take(since))?;
        news(taken.log, since, taken.number - 1)
    }

    fn give_back(&self) {
        let mut turn = self.turn();
        if let Turn::Taken(mut link) = mem::take(&mut *turn) {
            link.tell("ROLLBACK");
            *turn = Turn::Idle(link);
        }
    }

    fn commit(&self, number: u64, batch: Vec<Write>) -> Result<Outcome, StoreError> {
        let keys = encode(batch.iter().map(|(key, _)| key));
        let outcome = self.pool.persist(|| {
            if !matches!(*self.turn(), Turn::Taken(_))
                && let Some(outcome) = self.resume(number)?
            {
                return Ok(outcome);
            }
            self.try_commit(number, &keys, &batch).map(|()| Outcome::Committed)
        })?;
        if outcome == Outcome::Committed && number.is_multiple_of(TRIM_EVERY) {
            self.trim(number);
        }
        Ok(outcome)
    }

    fn news(&self, since: u64) -> Result<News, StoreError> {
        let log = self.pool.persist(|| {
            let rows = self.writing(|link| {
                link.ask(async |client, statements| client.query(&statements.log, &[&(since as i64)]).await)
            })?;
            Ok(noted(&rows)?)
        })?;
        let last = log.last().map_or(since, |commit| commit.number);
        news(log, since, last)
    }
}

impl Postgres {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the writing connection, outside a turn.
    fn writing<T>(&self, act: impl FnOnce(&mut Link) -> Attempt<T>) -> Attempt<T> {
        let mut link = match mem::take(&mut *self.turn()) {
            Turn::Unconnected => Link::open(self.pool.target())?,
            Turn::Idle(link) => link,
            Turn::Taken(mut link) => {
                link.tell("ROLLBACK");
                link
            }
        };
        let done = act(&mut link);
        match &done {
            Err(Trouble::Lost(_)) => {}
            Ok(_) => *self.turn() = Turn::Idle(link),
            Err(Trouble::Again | Trouble::Fatal(_)) => {
                link.tell("ROLLBACK");
                *self.turn() = Turn::Idle(link);
            }
        }
        done
    }

    fn try_take(&self, since: u64) -> Attempt<Taken> {
        let (turn, log) = self.writing(|link| {
            let asked = link.ask(async |client, statements| {
                let since = since as i64;
                let turn = client.query_one(&statements.turn, &[]);
                let log = async { client.query(&statements.log, &[&since]).await };
                let (_, turn, log) = tokio::try_join!(biased; client.batch_execute(BEGIN), turn, log)?;
                Ok(((turn.try_get::<_, i64>(0)?, turn.try_get::<_, i64>(1)?), log))
            })?;
            schema::check(asked.0.1)?;
            Ok(asked)
        })?;
        let mut now = self.turn();
        if let Turn::Idle(link) = mem::take(&mut *now) {
            *now = Turn::Taken(link);
        }
        Ok(Taken { number: turn.0 as u64, log: noted(&log)? })
    }

    /// After a commit whose end nobody saw: takes a turn again. Gives what became of it, or nothing when it did not
    /// happen and the turn is for that number once more.
    fn resume(&self, number: u64) -> Attempt<Option<Outcome>> {
        let taken = self.try_take(number - 1)?;
        if taken.number == number {
            return Ok(None);
        }
        self.give_back();
        match taken.log.iter().find(|commit| commit.number == number) {
            Some(commit) if commit.writer == self.writer => Ok(Some(Outcome::Committed)),
            Some(_) => Ok(Some(Outcome::Conflict)),
            None => Err(Trouble::Fatal(StoreError::database(
                "a commit",
                "the connection went while it was under way, and too much happened since to tell whether it did",
            ))),
        }
    }

    fn try_commit(&self, number: u64, keys: &[u8], batch: &[Write]) -> Attempt<()> {
        let Turn::Taken(mut link) = mem::take(&mut *self.turn()) else {
            return Err(Trouble::Lost("the turn is gone".to_owned()));
        };
        let done = self.write(&mut link, number, keys, batch);
        match &done {
            Err(Trouble::Lost(_)) => {}
            Ok(()) => *self.turn() = Turn::Idle(link),
            Err(Trouble::Again | Trouble::Fatal(_)) => {
                link.tell("ROLLBACK");
                *self.turn() = Turn::Idle(link);
            }
        }
        done
    }

    fn write(&self, link: &mut Link, number: u64, keys: &[u8], batch: &[Write]) -> Attempt<()> {
        let long = long_rows(link, batch)?;
        let rows = Rows::of(batch, &long);
        let number = number as i64;
        link.ask(async |client, statements| {
            let note = async { client.execute(&statements.note, &[&number, &self.writer, &keys]).await };
            let put = async {
                match rows.put.is_empty() {
                    true => Ok(0),
                    false => client.execute(&statements.put, &[&rows.put, &rows.values]).await,
                }
            };
            let delete = async {
                match rows.deleted.is_empty() {
                    true => Ok(0),
                    false => client.execute(&statements.delete, &[&rows.deleted]).await,
                }
            };
            tokio::try_join!(biased; note, put, delete, client.batch_execute("COMMIT"))
        })?;
        Ok(())
    }

    /// What it leaves behind is dropped another time.
    fn trim(&self, number: u64) {
        let _ = self.writing(|link| {
            link.ask(async |client, statements| client.execute(&statements.trim, &[&(number as i64)]).await)
        });
    }
}

/// The rows that hold long keys, as a batch leaves them.
fn long_rows(link: &mut Link, batch: &[Write]) -> Attempt<Vec<Write>> {
    let is_long = |write: &&Write| long::is_long(&write.0);
    let places: Vec<&[u8]> = batch.iter().filter(is_long).map(|(key, _)| long::place(key)).collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let found = link.ask(async |client, statements| client.query(&statements.get_many, &[&places]).await)?;
    let found: Vec<(Bytes, Bytes)> = found.iter().map(pair).collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    // A batch is in key order.
    for group in batch.chunk_by(|one, two| long::place(&one.0) == long::place(&two.0)) {
        let place = long::place(&group[0].0);
        if long::is_long(place) {
            let stored = found.iter().find(|(key, _)| key == place).map(|(_, value)| value.clone());
            rows.push((Bytes::copy_from_slice(place), long::rewrite(stored, group)?));
        }
    }
    Ok(rows)
}

impl<'b> Rows<'b> {
    fn of(batch: &'b [Write], long: &'b [Write]) -> Self {
        let mut rows = Rows { put: Vec::new(), values: Vec::new(), deleted: Vec::new() };
        for (key, value) in batch.iter().filter(|(key, _)| !long::is_long(key)).chain(long) {
            match value {
                Some(value) => {
                    rows.put.push(key);
                    rows.values.push(value);
                }
                None => rows.deleted.push(key),
            }
        }
        rows
    }
}

fn noted(rows: &[Found]) -> Result<Vec<Noted>, StoreError> {
    let commit = |row: &Found| {
        let number: i64 = row.try_get(0)?;
        let keys = Bytes::copy_from_slice(row.try_get(2)?);
        Ok(Noted { number: number as u64, writer: row.try_get(1)?, keys })
    };
    let rows: Result<_, tokio_postgres::Error> = rows.iter().map(commit).collect();
    rows.map_err(|error| StoreError::corrupt(format!("the list of commits: {error}")))
}

/// What was committed behind a commit, up to the last.
fn news(log: Vec<Noted>, since: u64, last: u64) -> Result<News, StoreError> {
    let is_whole = log.len() as u64 == last.saturating_sub(since);
    let commits = log.into_iter().map(|commit| Ok((commit.number, decode(commit.keys)?)));
    Ok(News { last, is_whole, commits: commits.collect::<Result<_, StoreError>>()? })
}

fn encode<'k>(keys: impl Iterator<Item = &'k Bytes>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for key in keys {
        out.put_u32(key.len() as u32);
        out.put_slice(key);
    }
    out.into()
}

fn decode(mut rest: Bytes) -> Result<Vec<Bytes>, StoreError> {
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let length = rest.try_get_u32().map_or(usize::MAX, |length| length as usize);
        if length > rest.len() {
            return Err(StoreError::corrupt("the list of commits"));
        }
        keys.push(rest.split_to(length));
    }
    Ok(keys)
}
