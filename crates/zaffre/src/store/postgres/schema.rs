//! The tables, made and migrated by the program.
//!
//! ```text
//! zaffre_store     one row: the format of all this, and the number of the last commit
//! zaffre_rows      key, value: everything
//! zaffre_commits   number, writer, keys: what each commit wrote, for about a minute
//! ```
//!
//! Who makes or migrates them holds the one row, so that processes that start together do it one after another. Each
//! commit takes the same row and sees the format there: a process that is older than the tables have become while it
//! ran commits nothing more. (Advisory locks would do for the first of the two, but CockroachDB's hold nobody.)

use super::link::{Link, Result, Trouble};
use crate::store::StoreError;

pub(super) const FORMAT: i64 = 1;

/// The table that says which of the others there are. It must never change.
const ROOT: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS zaffre_store (id INT8 PRIMARY KEY, format INT8 NOT NULL, number INT8 NOT NULL)",
    "INSERT INTO zaffre_store (id, format, number) VALUES (0, 0, 0) ON CONFLICT (id) DO NOTHING",
];

/// What makes each format of the one before it. Each may be run again where it was cut short: not every database
/// takes such statements back with their transaction.
const MIGRATIONS: [&str; FORMAT as usize] = [
    "CREATE TABLE IF NOT EXISTS zaffre_rows (key BYTEA PRIMARY KEY, value BYTEA NOT NULL); \
     CREATE TABLE IF NOT EXISTS zaffre_commits (number INT8 PRIMARY KEY, writer BYTEA NOT NULL, keys BYTEA NOT NULL, \
     at TIMESTAMPTZ NOT NULL DEFAULT now())",
];

/// Makes what is missing. Refuses what a later version made.
pub(super) fn prepare(link: &mut Link) -> Result<()> {
    if format(link).is_ok_and(|format| format == FORMAT) {
        return Ok(());
    }
    for statement in ROOT {
        link.run(async |client| client.batch_execute(statement).await).map_err(made_by_another)?;
    }
    link.run(async |client| client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await)?;
    let migrated = migrate(link);
    let end = if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" };
    migrated.and(link.run(async |client| client.batch_execute(end).await))
}

fn migrate(link: &mut Link) -> Result<()> {
    let locked = "SELECT format FROM zaffre_store WHERE id = 0 FOR UPDATE";
    let found: i64 = link.run(async |client| client.query_one(locked, &[]).await?.try_get(0))?;
    check(found)?;
    for step in &MIGRATIONS[found as usize..] {
        link.run(async |client| client.batch_execute(step).await).map_err(made_by_another)?;
    }
    let done = "UPDATE zaffre_store SET format = $1 WHERE id = 0";
    link.run(async |client| client.execute(done, &[&FORMAT]).await).map(drop)
}

fn format(link: &mut Link) -> Result<i64> {
    let found = "SELECT format FROM zaffre_store WHERE id = 0";
    link.run(async |client| client.query_one(found, &[]).await?.try_get(0))
}

/// Refuses a format that this program does not know.
pub(super) fn check(found: i64) -> std::result::Result<(), StoreError> {
    if (0..=FORMAT).contains(&found) {
        return Ok(());
    }
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    Err(StoreError::Newer { what: "the database".to_owned(), found, known: FORMAT as u32 })
}

/// What PostgreSQL says to one of two processes that make one table at once, by how far the other had come: its name
/// is taken in an index, as a table, as the type of the table's rows.
const TAKEN: [&str; 3] = ["23505", "42P07", "42710"];

fn made_by_another(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Fatal(StoreError::Database { why, .. }) if TAKEN.iter().any(|code| why.contains(code)) => {
            Trouble::Again
        }
        other => other,
    }
}
