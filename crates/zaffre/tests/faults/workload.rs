//! What is written while things go wrong, and how to see that nothing of it is lost or torn.
//!
//! Each writer takes steps, numbered from one. A step is one transaction: four rows that belong together, a count that
//! two writers share, the rows of an old step taken away; now and then a value of 300 KB, or a body in a file that a
//! record names and holds. From the last step's number all that must be there follows.

use std::path::Path;

use azure::ids::Guid;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zaffre::store::{CloudId, Content, ContentId, Raw, Store, StoreError, Stored, Table, Txn};

pub(super) const WRITERS: u64 = 6;
const CLOUD: CloudId = CloudId(1);
const PARTS: u64 = 4;
/// Steps whose rows are kept.
const KEPT: u64 = 40;
const BODY_EVERY: u64 = 10;
const BODIES_KEPT: u64 = 5;
const LARGE_EVERY: u64 = 20;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    step: u64,
    filling: String,
}

const ROWS: Table<(u64, u64, u64), Row> = Table::new("rows");
const LAST: Table<u64, u64> = Table::new("last");
const SHARED: Table<u64, u64> = Table::new("shared");
const BODIES: Table<(u64, u64), Stored> = Table::new("bodies");
const LARGE: Table<u64, Raw> = Table::new("large");

/// A store and its content under one directory.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) content: Content,
}

impl Place {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let store = Store::open(&dir.join("store"))?;
        Ok(Place { store, content: Content::in_dir(&dir.join("content"))? })
    }

    /// The last step of a writer.
    pub(super) async fn last(&self, writer: u64) -> Result<u64, StoreError> {
        self.store.read(CLOUD, |txn| Ok(LAST.get(txn, &writer)?.unwrap_or(0))).await
    }

    pub(super) async fn step(&self, writer: u64, step: u64) -> Result<(), StoreError> {
        let stored = match step.is_multiple_of(BODY_EVERY) {
            true => Some(self.upload(writer, step).await?),
            false => None,
        };
        let gone = self.store.write(CLOUD, |txn| write(txn, writer, step, stored)).await?;
        if let Some(id) = gone {
            self.content.remove(id).await?;
        }
        Ok(())
    }

    async fn upload(&self, writer: u64, step: u64) -> Result<Stored, StoreError> {
        let mut upload = self.content.create(CLOUD, body_id(writer, step)).await?;
        let body = filling(writer, step, body_length(step));
        for piece in 0..body.len().div_ceil(50_000) {
            let end = body.len().min((piece + 1) * 50_000);
            upload.write(body.slice(piece * 50_000..end)).await?;
        }
        upload.finish().await
    }
}

fn write(
    txn: &mut Txn,
    writer: u64,
    step: u64,
    stored: Option<Stored>,
) -> Result<Option<ContentId>, StoreError> {
    for part in 0..PARTS {
        ROWS.put(txn, &(writer, step, part), &row(writer, step, part))?;
        if let Some(old) = step.checked_sub(KEPT) {
            ROWS.delete(txn, &(writer, old, part))?;
        }
    }
    let shared = SHARED.get(txn, &(writer / 2))?.unwrap_or(0);
    SHARED.put(txn, &(writer / 2), &(shared + 1))?;
    LAST.put(txn, &writer, &step)?;
    if step.is_multiple_of(LARGE_EVERY) {
        LARGE.put(txn, &writer, &Raw(filling(writer, step, 300_000)))?;
    }
    let Some(stored) = stored else { return Ok(None) };
    BODIES.put(txn, &(writer, step), &stored)?;
    stored.id.hold(txn)?;
    let Some(old) = step.checked_sub(BODY_EVERY * BODIES_KEPT).filter(|old| *old > 0) else {
        return Ok(None);
    };
    BODIES.delete(txn, &(writer, old))?;
    let gone = body_id(writer, old);
    Ok(gone.release(txn)?.then_some(gone))
}

fn row(writer: u64, step: u64, part: u64) -> Row {
    let length = 20 + (writer * 31 + step * 17 + part * 7) % 600;
    Row { step, filling: format!("{writer}.{step}.{part} ").repeat(length as usize / 8) }
}

fn body_id(writer: u64, step: u64) -> ContentId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(step * WRITERS + writer).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&(step * WRITERS + writer).to_be_bytes());
    ContentId(Guid(id))
}

fn body_length(step: u64) -> usize {
    66_000 + (step as usize * 7919) % 130_000
}

fn filling(writer: u64, step: u64, length: usize) -> Bytes {
    let mut chance = super::Chance::new(writer << 32 | step);
    let mut filling: Vec<u8> = Vec::with_capacity(length + 8);
    while filling.len() < length {
        filling.extend(chance.next().to_le_bytes());
    }
    filling.truncate(length);
    Bytes::from(filling)
}

/// What is missing of what was acknowledged, and what is there in part.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) lost: u64,
    pub(super) torn: Vec<String>,
}

/// Compares what is there with what was acknowledged: the last step of each writer.
pub(super) async fn judge(place: &Place, acknowledged: &[u64]) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict::default();
    let mut sums = vec![0; acknowledged.len().div_ceil(2)];
    for (writer, acknowledged) in (0..).zip(acknowledged) {
        let last = place.last(writer).await?;
        verdict.lost += acknowledged.saturating_sub(last);
        if last > acknowledged + 1 {
            verdict
                .torn
                .push(format!("writer {writer} is at {last} and cannot have passed {acknowledged} + 1"));
        }
        sums[writer as usize / 2] += last;
        let wrong = place.store.read(CLOUD, |txn| wrong_rows(txn, writer, last)).await?;
        verdict.torn.extend(wrong);
        verdict.torn.extend(wrong_bodies(place, writer, last).await?);
    }
    for (pair, sum) in (0..).zip(sums) {
        let shared = place.store.read(CLOUD, |txn| SHARED.get(txn, &pair)).await?.unwrap_or(0);
        if shared != sum {
            verdict
                .torn
                .push(format!("the count of pair {pair} is {shared}, and its writers made {sum} steps"));
        }
    }
    Ok(verdict)
}

fn wrong_rows(txn: &Txn, writer: u64, last: u64) -> Result<Vec<String>, StoreError> {
    let first = (last + 1).saturating_sub(KEPT).max(1);
    let expected: Vec<_> = (first..=last)
        .flat_map(|step| (0..PARTS).map(move |part| ((writer, step, part), row(writer, step, part))))
        .collect();
    let mut wrong = Vec::new();
    if ROWS.scan(txn, &(writer,), None, usize::MAX)? != expected {
        wrong.push(format!("the rows of writer {writer} are not those of the steps {first} to {last}"));
    }
    let large = last - last % LARGE_EVERY;
    let expected = (large > 0).then(|| Raw(filling(writer, large, 300_000)));
    if LARGE.get(txn, &writer)? != expected {
        wrong.push(format!("the large value of writer {writer} is not that of step {large}"));
    }
    Ok(wrong)
}

async fn wrong_bodies(place: &Place, writer: u64, last: u64) -> Result<Vec<String>, StoreError> {
    let newest = last / BODY_EVERY;
    let steps = (newest.saturating_sub(BODIES_KEPT) + 1..=newest).map(|number| number * BODY_EVERY);
    let expected: Vec<_> = steps
        .map(|step| {
            let id = body_id(writer, step);
            ((writer, step), Stored { id, length: body_length(step) as u64 })
        })
        .collect();
    let records = place.store.read(CLOUD, |txn| BODIES.scan(txn, &(writer,), None, usize::MAX)).await?;
    let mut wrong = Vec::new();
    if records != expected {
        wrong.push(format!("the bodies of writer {writer} are not those up to step {last}"));
    }
    for ((_, step), stored) in records {
        if read_body(place, stored.id).await.ok().as_deref()
            != Some(&filling(writer, step, body_length(step))[..])
        {
            wrong.push(format!("the body of step {step} of writer {writer} is not whole"));
        }
    }
    Ok(wrong)
}

async fn read_body(place: &Place, id: ContentId) -> Result<Vec<u8>, StoreError> {
    let mut reader = place.content.open(id, 0..u64::MAX).await?;
    let mut body = Vec::new();
    while let Some(piece) = reader.next().await {
        body.extend_from_slice(&piece?);
    }
    Ok(body)
}
