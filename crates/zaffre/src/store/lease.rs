//! Leases: who does what only one process may do at a time, such as to reconcile guests or to sweep what expired.
//!
//! A lease is a row: who holds it, until when, and its fence, a number that rises whenever it changes hands. Time is the
//! store's (`Engine::now`: a database's own clock), so processes whose clocks differ agree on what has expired. A holder
//! that is gone is succeeded when its time is over.
//!
//! A holder may be late without knowing: it thinks that it holds the lease while another one has it. So every write
//! made under a lease asks `Lease::check` first, in its own transaction: that reads the row, and a transaction which
//! read it does not commit once somebody else took the lease.
//!
//! ```text
//! let Some(lease) = lease::acquire(&store, cloud, "reconciler", ttl).await? else { return Ok(()) };
//! store.write(cloud, |txn| {
//!     lease.check(txn)?;
//!     …
//! }).await?;
//! lease.renew().await?;      // well before `ttl` has passed
//! ```

use std::time::Duration;

use azure::{ids::Guid, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{CloudId, Store, StoreError, Table, Txn, blocking};

const LEASES: Table<String, Row> = Table::new("leases");
/// The highest fence that was seen in a cloud which is not the lease's own.
const FENCES: Table<String, u64> = Table::new("fences");

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    /// Absent once it was given back.
    holder: Option<Guid>,
    fence: u64,
    expires: Timestamp,
}

/// A duty that is this process's for a while. Dropping it does not give it back: it expires.
pub struct Lease(Option<Held>);

/// Absent in a lease that nobody else can want: there is no row, and nothing to ask.
struct Held {
    store: Store,
    cloud: CloudId,
    name: String,
    holder: Guid,
    ttl: Duration,
    fence: u64,
}

/// Takes a lease in a cloud, unless somebody holds it. `holder` is a name that no one else goes by.
pub async fn acquire(
    store: &Store,
    cloud: CloudId,
    name: &str,
    holder: Guid,
    ttl: Duration,
) -> Result<Option<Lease>, StoreError> {
    let now = now(store).await?;
    let key = name.to_owned();
    let taken = store.write(cloud, |txn| {
        let before = LEASES.get(txn, &key)?;
        let is_held = before.as_ref().is_some_and(|row| row.holder.is_some() && row.expires > now);
        if is_held {
            return Ok(None);
        }
        let fence = before.map_or(1, |row| row.fence + 1);
        LEASES.put(txn, &key, &Row { holder: Some(holder), fence, expires: now.plus(ttl) })?;
        Ok::<_, StoreError>(Some(fence))
    });
    let held = |fence| Held { store: store.clone(), cloud, name: name.to_owned(), holder, ttl, fence };
    Ok(taken.await?.map(|fence| Lease(Some(held(fence)))))
}

impl Lease {
    /// For a duty on a store that no other process has.
    pub(super) fn sole() -> Self {
        Lease(None)
    }

    /// Rises whenever the lease changes hands: what is done elsewhere on a lease's behalf is marked with it.
    pub fn fence(&self) -> u64 {
        self.0.as_ref().map_or(0, |held| held.fence)
    }

    /// Whether it is still held, within a transaction of its cloud. What is written there is written only if it is.
    pub fn check(&self, txn: &Txn) -> Result<bool, StoreError> {
        self.0.as_ref().map_or(Ok(true), |held| Ok(held.row(txn)?.is_some()))
    }

    /// The same within a transaction of any cloud: a transaction sees one cloud, and the lease's row may be in another. So
    /// the fence is left there, and whoever comes with a lower one is late. A new holder does this before all else.
    pub fn check_in_any(&self, txn: &mut Txn) -> Result<bool, StoreError> {
        let Some(held) = &self.0 else { return Ok(true) };
        if txn.cloud() == held.cloud {
            return self.check(txn);
        }
        let seen = FENCES.get(txn, &held.name)?.unwrap_or(0);
        if seen < held.fence {
            FENCES.put(txn, &held.name, &held.fence)?;
        }
        Ok(seen <= held.fence)
    }

    /// Holds it for another `ttl` from now. Says whether it was still held; it may have expired meanwhile, as long as
    /// nobody took it.
    pub async fn renew(&self) -> Result<bool, StoreError> {
        let Some(held) = &self.0 else { return Ok(true) };
        let expires = now(&held.store).await?.plus(held.ttl);
        held.change(|row| row.expires = expires).await
    }

    /// Lets another one have it at once.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        match &self.0 {
            Some(held) => held.change(|row| row.holder = None).await.map(drop),
            None => Ok(()),
        }
    }
}

impl Held {
    async fn change(&self, change: impl Fn(&mut Row)) -> Result<bool, StoreError> {
        let changed = self.store.write(self.cloud, |txn| {
            let Some(mut row) = self.row(txn)? else { return Ok(false) };
            change(&mut row);
            LEASES.put(txn, &self.name, &row)?;
            Ok::<_, StoreError>(true)
        });
        changed.await
    }

    fn row(&self, txn: &Txn) -> Result<Option<Row>, StoreError> {
        let row = LEASES.get(txn, &self.name)?;
        Ok(row.filter(|row| row.holder == Some(self.holder) && row.fence == self.fence))
    }
}

pub(super) async fn now(store: &Store) -> Result<Timestamp, StoreError> {
    let engine = store.inner.engine.clone();
    blocking::run(move || engine.now()).await
}
