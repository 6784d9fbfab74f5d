//! What several processes may expect of one bucket, and what becomes of what they leave there.

use super::*;
use crate::store::{Content, Holds, Swept, bodies, tests::buckets::buckets};

const CLOUD: CloudId = CloudId(1);
const ONE: Guid = Guid([1; 16]);
const TWO: Guid = Guid([2; 16]);

fn id(byte: u8) -> ContentId {
    ContentId(Guid([byte; 16]))
}

fn body(length: usize) -> Bytes {
    (0..length).map(|index| (index >> 9) as u8).collect()
}

/// A process's view of a part of a bucket.
fn process(place: &crate::s3::Place, rows: &Store, writer: Guid) -> Content {
    let rows = Some((rows.clone(), writer));
    Content::in_bucket(
        Bucket::new(place.objects.clone(), &place.prefix, &place.name, rows).expect("a bucket"),
    )
}

async fn put(content: &Content, id: ContentId, length: usize) {
    let mut writer = content.create(CLOUD, id).await.expect("begins");
    writer.write(body(length)).await.expect("writes");
    writer.finish().await.expect("finishes");
}

async fn name(content: &Content, rows: &Store, id: ContentId) -> Result<Vec<ContentId>, StoreError> {
    let named = rows.write(CLOUD, |txn| {
        let mut holds = Holds::default();
        holds.hold(id);
        content.settle(txn, holds)
    });
    named.await
}

async fn sweep(content: &Content, rows: &Store) -> (usize, usize) {
    let Swept { unfinished, unnamed } = content.sweep_unreferenced(rows).await.expect("sweeps");
    (unfinished, unnamed)
}

#[tokio::test]
async fn a_sweep_takes_what_the_dead_began_and_nothing_of_the_living() {
    for place in buckets() {
        let rows = Store::in_memory();
        let (one, two) = (process(&place, &rows, ONE), process(&place, &rows, TWO));
        put(&one, id(1), 100_000).await;
        assert_eq!(name(&one, &rows, id(1)).await.expect("is named"), []);
        put(&one, id(2), 100_000).await;
        // Beyond one part, and not whole yet.
        let mut begun = one.create(CLOUD, id(3)).await.expect("begins");
        begun.write(body(2 * PART + 5)).await.expect("writes");
        assert_eq!(sweep(&two, &rows).await, (0, 0), "its process is alive");
        intents::bury(&rows, ONE).await;
        assert_eq!(sweep(&two, &rows).await, (1, 1), "one was being sent, one waited for its commit");
        assert!(two.exists(id(1)).await.expect("asks"), "a record holds it");
        assert!(!two.exists(id(2)).await.expect("asks"));
        // It was only slow. What was taken from it, it does not name.
        let late = name(&one, &rows, id(2)).await;
        assert!(matches!(late, Err(StoreError::NoContent { .. })), "{late:?}");
        assert!(begun.finish().await.is_err() || name(&one, &rows, id(3)).await.is_err());
        assert_eq!(sweep(&two, &rows).await.0, 0);
    }
}

#[tokio::test]
async fn a_body_that_nobody_came_to_name_goes_after_two_looks() {
    for place in buckets() {
        let rows = Store::in_memory();
        let content = process(&place, &rows, ONE);
        put(&content, id(1), 70_000).await;
        assert_eq!(sweep(&content, &rows).await, (0, 0));
        assert_eq!(sweep(&content, &rows).await, (0, 0));
        assert_eq!(sweep(&content, &rows).await, (0, 1));
        assert!(name(&content, &rows, id(1)).await.is_err());
    }
}

#[tokio::test]
async fn a_name_is_written_once() {
    for place in buckets() {
        let rows = Store::in_memory();
        let (one, two) = (process(&place, &rows, ONE), process(&place, &rows, TWO));
        put(&one, id(1), 70_000).await;
        let mut again = two.create(CLOUD, id(1)).await.expect("begins");
        again.write(body(10)).await.expect("writes");
        let refused = again.finish().await.expect_err("is taken");
        assert!(matches!(refused, StoreError::Objects { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_byte_that_changed_in_the_bucket_is_never_read() {
    for place in buckets() {
        let bucket =
            Arc::new(Bucket::new(place.objects.clone(), &place.prefix, &place.name, None).expect("a bucket"));
        let mut sink = bucket.begin(id(1), None);
        sink.write(body(700_000)).await.expect("writes");
        sink.finish().await.expect("finishes");
        let path = bucket.path(id(1));
        let whole = place.objects.get(&path).await.expect("gets").bytes().await.expect("reads");
        for (changed, others) in [(0, Some(300_000..400_000)), (699_999, Some(0..1)), (whole.len() - 9, None)]
        {
            let mut bytes = whole.to_vec();
            bytes[changed] ^= 1;
            place.objects.put(&path, bytes.into()).await.expect("puts");
            let error = bucket.check(id(1)).await.expect_err("is seen").to_string();
            assert!(error.contains(&id(1).to_string()), "{error}");
            if let Some(range) = others {
                let mut reader = bucket.open(id(1), range).await.expect("opens");
                assert!(reader.next().await.is_some_and(|piece| piece.is_ok()));
            }
        }
        place.objects.put(&path, whole.slice(1..).into()).await.expect("puts");
        let error = bucket.check(id(1)).await.expect_err("is seen").to_string();
        assert!(error.contains("seal"), "{error}");
    }
}

#[tokio::test]
async fn a_part_of_a_bucket_belongs_to_one_store() {
    for place in buckets() {
        let (one, two) = (Store::in_memory(), Store::in_memory());
        let settle = async |rows: &Store, drawn| {
            let content = process(&place, rows, drawn);
            bodies::settle(rows, &content, drawn).await.map_err(|error| error.to_string())
        };
        settle(&one, ONE).await.expect("is free");
        settle(&one, TWO).await.expect("is its own");
        let refused = settle(&two, TWO).await.expect_err("a store that knows nothing of these bodies");
        assert!(refused.contains("are another store's"), "{refused}");
        let other = crate::s3::Place { prefix: format!("{}/c", place.prefix), ..buckets().remove(0) };
        let content = process(&other, &one, ONE);
        let refused = bodies::settle(&one, &content, TWO).await.expect_err("its bodies are elsewhere");
        assert!(refused.to_string().contains(&place.name), "{refused}");
    }
}
