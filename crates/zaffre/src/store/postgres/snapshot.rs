//! Reading: one snapshot of the database for all that a closure reads.
//!
//! Most closures read one key. So the first `get` goes alone, as a statement of its own; a transaction begins with the
//! second read, which asks for the first once more: if that is still what it was, both are of the transaction's
//! snapshot. If it is not, the closure has seen two states at once, and runs again.
//!
//! ```text
//! get a                    →  SELECT a
//! get b                    →  BEGIN; SELECT a; SELECT b     in one message; was `a` the same?
//! get c, range …           →  SELECT …
//! drop                     →  COMMIT                        nobody waits for it
//! ```

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    vec,
};

use bytes::Bytes;
use tokio_postgres::{Client, Error, Row as Found};

use super::{
    link::{Link, Pool, Statements, Trouble},
    long,
};
use crate::store::{
    StoreError,
    engine::{Row, Snapshot},
    key::KeyRange,
};

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Rows of a scan's first page, and of any.
const FIRST_PAGE: usize = 32;
const MAX_PAGE: usize = 1024;
/// Later pages hold about as much.
const PAGE_BYTES: usize = 1 << 20;

pub(super) struct At {
    pool: Arc<Pool>,
    reading: RefCell<Reading>,
    /// Set when the closure must run again: what it saw is not one state, or the connection is gone.
    is_void: Cell<bool>,
}

/// How far the transaction is.
enum Reading {
    Nothing,
    /// One key was read, by itself.
    One(Link, Bytes, Option<Bytes>),
    Open(Link),
    /// The connection failed.
    Over,
}

impl At {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        At { pool, reading: RefCell::new(Reading::Nothing), is_void: Cell::new(false) }
    }

    /// Reads inside the transaction, which begins if need be.
    fn ask<T>(
        &self,
        request: impl AsyncFn(&Client, &Statements) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let (mut link, asked) = match self.reading.replace(Reading::Over) {
            Reading::Over => return Err(void()),
            Reading::Open(mut link) => {
                let asked = link.ask(async |client, statements| request(client, statements).await);
                (link, asked.map(|answer| (answer, true)))
            }
            Reading::Nothing => {
                let mut link = self.pool.take()?;
                let asked = link.ask(async |client, statements| {
                    tokio::try_join!(biased; client.batch_execute(BEGIN), request(client, statements))
                });
                (link, asked.map(|((), answer)| (answer, true)))
            }
            Reading::One(mut link, key, seen) => {
                let asked = link.ask(async |client, statements| {
                    let again = get(client, statements, long::place(&key));
                    tokio::try_join!(biased; client.batch_execute(BEGIN), again, request(client, statements))
                });
                (link, asked.map(|((), again, answer)| (answer, again == seen)))
            }
        };
        match asked {
            Ok((answer, is_one_state)) => {
                *self.reading.borrow_mut() = Reading::Open(link);
                if is_one_state { Ok(answer) } else { Err(self.spoil()) }
            }
            Err(Trouble::Fatal(error)) => {
                link.tell("ROLLBACK");
                self.pool.put_back(link);
                Err(error)
            }
            Err(Trouble::Again) => {
                link.tell("ROLLBACK");
                self.pool.put_back(link);
                Err(self.spoil())
            }
            Err(Trouble::Lost(_)) => {
                self.pool.clear();
                Err(self.spoil())
            }
        }
    }

    /// The first read, alone.
    fn get_alone(&self, place: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut link = self.pool.take()?;
        let asked = link.ask(async |client, statements| get(client, statements, place).await);
        let (reading, answer) = match asked {
            Ok(seen) => (Reading::One(link, Bytes::copy_from_slice(place), seen.clone()), Ok(seen)),
            Err(Trouble::Fatal(error)) => (Reading::Over, Err(error)),
            Err(Trouble::Again) => (Reading::Over, Err(self.spoil())),
            Err(Trouble::Lost(_)) => {
                self.pool.clear();
                (Reading::Over, Err(self.spoil()))
            }
        };
        *self.reading.borrow_mut() = reading;
        answer
    }

    fn spoil(&self) -> StoreError {
        self.is_void.set(true);
        void()
    }

    /// The rows of a stretch of places, as the database has them.
    fn page(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let limit = limit as i64;
        let rows = self.ask(async |client, statements| {
            let statement = if reverse { &statements.backward } else { &statements.forward };
            client.query(statement, &[&start, &end, &limit]).await
        })?;
        rows.iter().map(pair).collect()
    }
}

impl Snapshot for At {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let place = long::place(key);
        let is_first = matches!(*self.reading.borrow(), Reading::Nothing);
        let stored = match is_first {
            true => self.get_alone(place)?,
            false => self.ask(async |client, statements| get(client, statements, place).await)?,
        };
        stored.map_or(Ok(None), |stored| long::find(key, stored))
    }

    fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let places: Vec<&[u8]> = keys.iter().map(|key| long::place(key)).collect();
        let rows =
            self.ask(async |client, statements| client.query(&statements.get_many, &[&places]).await)?;
        let found: std::collections::HashMap<Bytes, Bytes> =
            rows.iter().map(pair).collect::<Result<_, _>>()?;
        keys.iter()
            .map(|key| found.get(long::place(key)).map_or(Ok(None), |stored| long::find(key, stored.clone())))
            .collect()
    }

    fn range<'s>(&'s self, range: &KeyRange, reverse: bool) -> Box<dyn Iterator<Item = Row> + 's> {
        Box::new(Walk {
            at: self,
            rest: Some(long::places(range)),
            range: range.clone(),
            reverse,
            limit: FIRST_PAGE,
            page: Vec::new().into_iter(),
        })
    }

    fn is_void(&self) -> bool {
        self.is_void.get()
    }
}

impl Drop for At {
    fn drop(&mut self) {
        match self.reading.replace(Reading::Over) {
            Reading::Open(mut link) => {
                link.tell("COMMIT");
                self.pool.put_back(link);
            }
            Reading::One(link, ..) => self.pool.put_back(link),
            Reading::Nothing | Reading::Over => {}
        }
    }
}

async fn get(client: &Client, statements: &Statements, place: &[u8]) -> Result<Option<Bytes>, Error> {
    let found = client.query_opt(&statements.get, &[&place]).await?;
    found.map(|row| row.try_get::<_, &[u8]>(0).map(Bytes::copy_from_slice)).transpose()
}

pub(super) fn pair(row: &Found) -> Result<(Bytes, Bytes), StoreError> {
    let column = |index| row.try_get::<_, &[u8]>(index).map(Bytes::copy_from_slice);
    let pair = column(0).and_then(|key| Ok((key, column(1)?)));
    pair.map_err(|error| StoreError::corrupt(format!("a row of the database: {error}")))
}

/// What the closure is told, whose answer will not be asked for: it runs again.
fn void() -> StoreError {
    StoreError::database("a read", "what was read before is no longer so, or the connection is gone")
}

/// A scan, page by page.
struct Walk<'s> {
    at: &'s At,
    range: KeyRange,
    /// Where the rows lie that have not been fetched.
    rest: Option<(Vec<u8>, Vec<u8>)>,
    reverse: bool,
    limit: usize,
    page: vec::IntoIter<(Bytes, Bytes)>,
}

impl Walk<'_> {
    fn fetch(&mut self) -> Result<(), StoreError> {
        let Some((start, end)) = self.rest.take() else { return Ok(()) };
        let rows = self.at.page(&start, &end, self.limit, self.reverse)?;
        if rows.len() == self.limit
            && let Some((last, _)) = rows.last()
        {
            self.rest = Some(match self.reverse {
                true => (start, last.to_vec()),
                false => (long::behind(last), end),
            });
        }
        self.limit = next_limit(&rows);
        let mut page = Vec::with_capacity(rows.len());
        for (key, stored) in rows {
            let mut held = long::expand(key, stored)?;
            if self.reverse {
                held.reverse();
            }
            page.extend(held.into_iter().filter(|(key, _)| self.range.contains(key)));
        }
        self.page = page.into_iter();
        Ok(())
    }
}

fn next_limit(rows: &[(Bytes, Bytes)]) -> usize {
    let bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
    (PAGE_BYTES * rows.len()).checked_div(bytes).unwrap_or(FIRST_PAGE).clamp(FIRST_PAGE, MAX_PAGE)
}

impl Iterator for Walk<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.page.next() {
                return Some(Ok(row));
            }
            self.rest.as_ref()?;
            if let Err(error) = self.fetch() {
                return Some(Err(error));
            }
        }
    }
}
