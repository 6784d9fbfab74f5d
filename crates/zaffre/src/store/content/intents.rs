//! Intents: which bodies of a bucket somebody has begun and no record names yet. They do there what claims do in a directory.
//!
//! ```text
//! content_intents   in the record's cloud   body → the process that writes it, the upload that its parts belong to
//! content_writers   in the store's own      process → until when it counts as alive, by the store's clock
//! ```
//!
//! The row is there before the body's first byte, and goes in the transaction that names the body. A sweep that finds the
//! intent of a process which counts as dead takes the intent first, in a transaction, and then the body. So a process that
//! was only slow does not name what was taken from it: its transaction finds no intent, and is refused.

use std::{sync::OnceLock, time::Duration};

use azure::{ids::Guid, time::Timestamp};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::interval};

use super::{ContentId, refs::REFERENCES};
use crate::store::{CloudId, Store, StoreError, Table, Txn, lease};

const INTENTS: Table<Guid, Intent> = Table::new("content_intents");
const WRITERS: Table<Guid, Timestamp> = Table::new("content_writers");

/// How long a process that says nothing counts as alive.
const TTL: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    writer: Guid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
}

/// This process, as those know it who sweep.
pub(super) struct Writer {
    id: Guid,
    announced: tokio::sync::OnceCell<()>,
    keeper: OnceLock<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn new(id: Guid) -> Self {
        Writer { id, announced: tokio::sync::OnceCell::new(), keeper: OnceLock::new() }
    }

    /// Says that this process is alive, from the first body on and as long as it is.
    async fn announce(&self, store: &Store) -> Result<(), StoreError> {
        self.announced.get_or_try_init(|| say_alive(store, self.id)).await?;
        let keep = || {
            let (store, id) = (store.downgrade(), self.id);
            tokio::spawn(async move {
                let mut ticks = interval(TTL / 4);
                // The first comes at once, and has been said.
                ticks.tick().await;
                loop {
                    ticks.tick().await;
                    let Some(store) = store.upgrade() else { return };
                    // A store that does not answer is told the next time.
                    let _ = say_alive(&store, id).await;
                }
            })
        };
        self.keeper.get_or_init(keep);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

async fn say_alive(store: &Store, id: Guid) -> Result<(), StoreError> {
    let until = lease::now(store).await?.plus(TTL);
    store.write(CloudId::RING, |txn| WRITERS.put(txn, &id, &until)).await
}

/// Writes down that this process begins a body.
pub(super) async fn begin(
    store: &Store,
    writer: &Writer,
    cloud: CloudId,
    id: ContentId,
) -> Result<(), StoreError> {
    writer.announce(store).await?;
    let intent = Intent { writer: writer.id, upload: None };
    store.write(cloud, |txn| INTENTS.put(txn, &id.0, &intent)).await
}

/// And which upload its parts belong to.
pub(super) async fn note_upload(
    store: &Store,
    writer: &Writer,
    cloud: CloudId,
    id: ContentId,
    upload: &str,
) -> Result<(), StoreError> {
    let intent = Intent { writer: writer.id, upload: Some(upload.to_owned()) };
    let noted = store.write(cloud, |txn| {
        check(txn, id)?;
        INTENTS.put(txn, &id.0, &intent)
    });
    noted.await
}

/// A body is given up.
pub(super) async fn end(store: &Store, cloud: CloudId, id: ContentId) -> Result<(), StoreError> {
    store.write(cloud, |txn| INTENTS.delete(txn, &id.0)).await
}

/// In the transaction that first names a body: its intent has served.
pub(super) fn serve(txn: &mut Txn, id: ContentId) -> Result<(), StoreError> {
    check(txn, id)?;
    INTENTS.delete(txn, &id.0)
}

fn check(txn: &Txn, id: ContentId) -> Result<(), StoreError> {
    if INTENTS.exists(txn, &id.0)? {
        return Ok(());
    }
    Err(StoreError::NoContent { id: id.to_string() })
}

/// Who counts as alive. Rows of those who do not are dropped.
async fn living(store: &Store) -> Result<Vec<Guid>, StoreError> {
    let now = lease::now(store).await?;
    let swept = store.write(CloudId::RING, |txn| {
        let (alive, dead): (Vec<_>, Vec<_>) =
            WRITERS.scan(txn, &(), None, usize::MAX)?.into_iter().partition(|(_, until)| *until > now);
        dead.iter().try_for_each(|(id, _)| WRITERS.delete(txn, id))?;
        Ok::<_, StoreError>(alive.into_iter().map(|(id, _)| id).collect())
    });
    swept.await
}

/// Whether a body is nobody's in a cloud: no record holds it and nobody alive is about to name one. An intent of the dead
/// is taken away with that; it is given for what belongs to it.
pub(super) async fn is_left(
    store: &Store,
    cloud: CloudId,
    id: ContentId,
) -> Result<(bool, Option<Intent>), StoreError> {
    let seen = store.read(cloud, |txn| INTENTS.get(txn, &id.0)).await?;
    // Asked after the intent was seen: whoever wrote it had said before that it lives.
    let is_dead = match &seen {
        Some(intent) => !living(store).await?.contains(&intent.writer),
        None => false,
    };
    let judged = store.write(cloud, |txn| {
        let intent = INTENTS.get(txn, &id.0)?;
        let is_held = REFERENCES.exists(txn, &id.0)?;
        if is_held || intent != seen || (intent.is_some() && !is_dead) {
            return Ok((false, None));
        }
        if intent.is_some() {
            INTENTS.delete(txn, &id.0)?;
        }
        Ok::<_, StoreError>((true, intent))
    });
    judged.await
}

/// Every body of a cloud that somebody has begun.
pub(super) async fn all(store: &Store, cloud: CloudId) -> Result<Vec<ContentId>, StoreError> {
    let rows = store.read(cloud, |txn| INTENTS.scan(txn, &(), None, usize::MAX)).await?;
    Ok(rows.into_iter().map(|(id, _)| ContentId(id)).collect())
}

/// As if a process had been silent for too long.
#[cfg(test)]
pub(super) async fn bury(store: &Store, writer: Guid) {
    let long_ago = Timestamp::from_seconds(0);
    store.write(CloudId::RING, |txn| WRITERS.put(txn, &writer, &long_ago)).await.expect("commits");
}
