//! The activity log: who changed what, when, and what came of it.
//!
//! One row for each request that was to change something, written in the transaction of the change itself,
//! so that it costs no flush of its own and is there exactly when the change is. A row whose work goes on
//! names the operation, which knows the end; so a row is written once and never again.
//!
//! ```text
//! (time, id) ─► Entry { who, what, where, outcome ─► operations, for what takes its time }
//! ```
//!
//! What is older than ninety days goes, as on the platform, and so does the oldest beyond a number that
//! keeps the log small: `sweep` is upkeep's.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId, ResourceId},
    principal::{Principal, PrincipalKind},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Raw, Span, StoreError, Table, Txn};

const LOG: Table<(Timestamp, Guid), Entry> = Table::new("activity_log");
/// The same rows, undecoded.
const LOG_ROWS: Table<(Timestamp, Guid), Raw> = Table::new("activity_log");

/// For how long Azure keeps it (documented: "Retention period" of the activity log).
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// More than a cloud of tests looks back on; some fifty megabytes.
const MOST: usize = 50_000;
/// Rows of one transaction of a sweep.
const BATCH: usize = 1000;

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By which its events are named, and the pages of a list go on.
    pub id: Guid,
    pub at: Timestamp,
    pub correlation: Guid,
    pub request: Guid,
    /// `Microsoft.Compute/virtualMachines/write`.
    pub action: String,
    pub resource: ResourceId,
    pub resource_type: String,
    pub who: Who,
    pub http: Http,
    pub outcome: Outcome,
}

/// Who asked, as far as the log tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Who {
    pub object_id: ObjectId,
    pub kind: PrincipalKind,
    pub app_id: Option<ClientId>,
    pub name: Option<String>,
}

/// How it was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    pub method: String,
    pub uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Succeeded {
        status: u16,
    },
    /// Taken on; the operation tells the rest.
    Accepted {
        status: u16,
        operation: Guid,
    },
    /// Refused, with the error as it was answered.
    Failed {
        status: u16,
        error: Value,
    },
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        Who {
            object_id: principal.object_id,
            kind: principal.kind,
            app_id: principal.app_id,
            name: principal.name.as_deref().map(str::to_owned),
        }
    }
}

/// Writes a request down.
pub fn put(txn: &mut Txn, entry: &Entry) -> Result<()> {
    Ok(LOG.put(txn, &(entry.at, entry.id), entry)?)
}

/// Newest first: those from one time to another, both included, and before a row where one is named.
pub fn between<'t>(
    txn: &'t Txn,
    (from, to): (Timestamp, Timestamp),
    before: Option<&(Timestamp, Guid)>,
) -> impl Iterator<Item = Result<Entry>> + 't {
    let end = (to, Guid([0xff; 16]));
    let end = before.filter(|it| **it < end).unwrap_or(&end);
    let span = Span::under(&()).from(&(from, Guid::default())).before(end);
    LOG.rows_back(txn, span).map(|row| Ok(row?.1))
}

/// Takes away what is too old or too much, a batch at most. Says whether there may be more.
pub fn sweep(txn: &mut Txn, now: Timestamp) -> Result<bool, StoreError> {
    sweep_but(txn, now, MOST)
}

fn sweep_but(txn: &mut Txn, now: Timestamp, most: usize) -> Result<bool, StoreError> {
    let oldest = (now.minus(KEPT), Guid::default());
    let rows = |txn: &Txn, span| -> Result<Vec<(Timestamp, Guid)>, StoreError> {
        LOG_ROWS.rows(txn, span).take(BATCH).map(|row| Ok(row?.0)).collect()
    };
    let mut gone = rows(txn, Span::under(&()).before(&oldest))?;
    if gone.is_empty() {
        // The last of those that may stay; what lies before it is too much.
        let last = LOG_ROWS.rows_back(txn, Span::under(&())).nth(most - 1).transpose()?;
        if let Some((last, _)) = last {
            gone = rows(txn, Span::under(&()).before(&last))?;
        }
    }
    for key in &gone {
        LOG.delete(txn, key)?;
    }
    Ok(gone.len() == BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Server, store::CloudId};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn entry(days_ago: u32) -> Entry {
        let at = NOW.minus(DAY * days_ago);
        Entry {
            id: Guid([days_ago as u8; 16]),
            at,
            correlation: Guid::default(),
            request: Guid::default(),
            action: "a.b/c/write".to_owned(),
            resource: ResourceId::root(),
            resource_type: "a.b/c".to_owned(),
            who: Who {
                object_id: ObjectId(Guid::default()),
                kind: PrincipalKind::User,
                app_id: None,
                name: None,
            },
            http: Http {
                method: "PUT".to_owned(),
                uri: String::new(),
                client_request: None,
                client_address: None,
            },
            outcome: Outcome::Succeeded { status: 200 },
        }
    }

    #[tokio::test]
    async fn what_is_too_old_or_too_much_goes_and_the_newest_stays() {
        let server = Server::in_memory(1, NOW).await;
        let store = &server.env.store;
        let left = |txn: &Txn| -> Result<Vec<Timestamp>> {
            between(txn, (Timestamp::default(), NOW), None).map(|it| Ok(it?.at)).collect()
        };
        let write = |txn: &mut Txn| [0, 1, 2, 89, 91, 200].iter().try_for_each(|it| put(txn, &entry(*it)));
        store.write(CloudId::DEFAULT, write).await.expect("writes");
        for (most, days) in [(100, vec![0, 1, 2, 89]), (3, vec![0, 1, 2]), (3, vec![0, 1, 2])] {
            let sweep = |txn: &mut Txn| sweep_but(txn, NOW, most);
            assert!(!store.write(CloudId::DEFAULT, sweep).await.expect("sweeps"), "a batch was enough");
            let expected: Vec<Timestamp> = days.iter().map(|it| NOW.minus(DAY * *it)).collect();
            assert_eq!(store.read(CloudId::DEFAULT, left).await.expect("reads"), expected);
        }
    }
}
