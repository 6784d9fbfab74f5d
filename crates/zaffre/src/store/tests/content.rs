//! Bodies stream in and out, and leave nothing behind that nobody names.

use std::{fs, path::Path};

use azure::ids::Guid;
use bytes::Bytes;

use crate::store::{Bucket, CloudId, Content, ContentId, Holds, Store, StoreError, Swept};

use super::buckets::buckets;

const ID: ContentId = ContentId(Guid([0x3f; 16]));
const OTHER: ContentId = ContentId(Guid([0x40; 16]));

/// One blocking thread: what was given to it before has ended when what is given next does.
fn on_one_blocking_thread(test: impl AsyncFnOnce(&Path)) {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
    let dir = tempfile::tempdir().expect("a directory");
    runtime.expect("a runtime").block_on(test(dir.path()));
}

/// Every place there is for bodies, each empty. A real bucket is one of them where there is one (`buckets`).
fn everywhere(dir: &Path) -> Vec<Content> {
    let files = Content::in_dir(&dir.join("content")).expect("opens");
    let buckets = buckets().into_iter().map(|place| {
        let rows = Some((Store::in_memory(), Guid([1; 16])));
        Content::in_bucket(Bucket::new(place.objects, &place.prefix, &place.name, rows).expect("a bucket"))
    });
    [Content::in_memory(), files].into_iter().chain(buckets).collect()
}

async fn settle() {
    tokio::task::spawn_blocking(|| ()).await.expect("runs");
}

fn files(dir: &Path) -> Vec<String> {
    let folders = fs::read_dir(dir).expect("lists").map(|folder| folder.expect("lists").path());
    let folders = folders.filter(|folder| !folder.ends_with("claims"));
    let files = folders.flat_map(|folder| fs::read_dir(folder).expect("lists"));
    files.map(|file| file.expect("lists").file_name().to_string_lossy().into_owned()).collect()
}

fn body(length: usize) -> Bytes {
    (0..length).map(|index| ((index * 7) >> 4) as u8).collect()
}

async fn store(content: &Content, id: ContentId, body: &Bytes, piece: usize) {
    let mut writer = content.create(CLOUDS[0], id).await.expect("creates");
    for start in (0..body.len()).step_by(piece) {
        writer.write(body.slice(start..body.len().min(start + piece))).await.expect("writes");
    }
    let stored = writer.finish().await.expect("finishes");
    assert_eq!((stored.id, stored.length), (id, body.len() as u64));
}

async fn load(content: &Content, id: ContentId, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut reader = content.open(id, range).await.expect("opens");
    let mut loaded = Vec::new();
    while let Some(piece) = reader.next().await {
        let piece = piece.expect("reads");
        assert!(!piece.is_empty() && piece.len() <= 256 << 10);
        loaded.extend_from_slice(&piece);
    }
    loaded
}

#[test]
fn a_body_comes_back_whole_and_in_ranges() {
    on_one_blocking_thread(async |dir| {
        for content in everywhere(dir) {
            // More than two flushes.
            let body = body((33 << 20) + 17);
            store(&content, ID, &body, 300_000).await;
            let length = body.len() as u64;
            for range in
                [0..length, 0..1, 5..5, 299_999..300_002, 262_143..800_000, length - 1..length, 1..u64::MAX]
            {
                let expected = &body[range.start as usize..range.end.min(length) as usize];
                assert!(load(&content, ID, range.clone()).await == expected, "{range:?}");
            }
            assert!(load(&content, ID, length + 5..length + 9).await.is_empty());
        }
    });
}

#[test]
fn an_empty_body_is_a_body() {
    on_one_blocking_thread(async |dir| {
        for content in everywhere(dir) {
            store(&content, ID, &Bytes::new(), 1).await;
            assert!(load(&content, ID, 0..10).await.is_empty());
        }
    });
}

#[test]
fn a_body_is_not_there_before_it_is_finished_nor_after_it_is_removed() {
    on_one_blocking_thread(async |dir| {
        for content in everywhere(dir) {
            let missing = async || matches!(content.open(ID, 0..1).await, Err(StoreError::NoContent { .. }));
            let mut writer = content.create(CLOUDS[0], ID).await.expect("creates");
            writer.write(body(2 << 20)).await.expect("writes");
            assert!(missing().await);
            writer.finish().await.expect("finishes");
            assert!(!missing().await);
            content.remove(ID).await.expect("removes");
            assert!(missing().await);
            content.remove(ID).await.expect("removes what is not there");
        }
    });
}

#[test]
fn a_removed_body_can_be_read_to_its_end() {
    on_one_blocking_thread(async |dir| {
        for content in everywhere(dir) {
            store(&content, ID, &body(1 << 20), 1 << 20).await;
            let mut reader = content.open(ID, 0..u64::MAX).await.expect("opens");
            content.remove(ID).await.expect("removes");
            let mut length = 0;
            while let Some(piece) = reader.next().await {
                length += piece.expect("reads").len();
            }
            assert_eq!(length, 1 << 20);
        }
    });
}

#[test]
fn an_unfinished_body_is_removed() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        let mut writer = content.create(CLOUDS[0], ID).await.expect("creates");
        writer.write(body(3 << 20)).await.expect("writes");
        assert_eq!(files(dir), [format!("{ID}.part")]);
        drop(writer);
        settle().await;
        assert_eq!(files(dir), [""; 0]);
    });
}

#[test]
fn a_body_whose_finishing_is_given_up_is_removed() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        // Given up at each point at which it waits, until it waits no more.
        for polls in 1.. {
            let mut writer = content.create(CLOUDS[0], ID).await.expect("creates");
            writer.write(body(10)).await.expect("writes");
            let mut finish = Box::pin(writer.finish());
            let mut is_done = false;
            for _ in 0..polls {
                is_done =
                    std::future::poll_fn(|cx| std::task::Poll::Ready(finish.as_mut().poll(cx).is_ready()))
                        .await;
                if is_done {
                    break;
                }
                settle().await;
            }
            drop(finish);
            settle().await;
            if is_done {
                assert_eq!(files(dir), [ID.to_string()]);
                break;
            }
            assert_eq!(files(dir), [""; 0], "given up after {polls} polls");
        }
    });
}

#[test]
fn a_sweep_keeps_what_is_named_and_what_is_not_ours() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        store(&content, ID, &body(10), 10).await;
        store(&content, OTHER, &body(10), 10).await;
        fs::write(dir.join("3f").join(format!("{OTHER}.part")), "begun").expect("writes");
        fs::write(dir.join("3f").join("README"), "a user's").expect("writes");
        let rows = Store::in_memory();
        hold(&rows, CLOUDS[0], ID).await;
        let swept = content.sweep_unreferenced(&rows).await.expect("sweeps");
        assert_eq!(swept, Swept { unfinished: 0, unnamed: 0 }, "this process claims its own");
        // As after a restart.
        drop(content);
        let content = Content::in_dir(dir).expect("opens");
        let swept = content.sweep_unreferenced(&rows).await.expect("sweeps");
        assert_eq!(swept, Swept { unfinished: 1, unnamed: 1 });
        let mut left = files(dir);
        left.sort();
        assert_eq!(left, [ID.to_string(), "README".to_owned()]);
        assert_eq!(load(&content, ID, 0..10).await, body(10));
    });
}

#[test]
fn an_id_is_used_once() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        let _writer = content.create(CLOUDS[0], ID).await.expect("creates");
        assert!(matches!(content.create(CLOUDS[0], ID).await, Err(StoreError::Io { .. })));
    });
}

#[test]
fn a_file_that_became_shorter_is_named() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        store(&content, ID, &body(1 << 20), 1 << 20).await;
        let mut reader = content.open(ID, 0..u64::MAX).await.expect("opens");
        let path = file(dir, ID);
        reader.next().await.expect("a piece").expect("reads");
        settle().await;
        fs::OpenOptions::new().write(true).open(path).expect("opens").set_len(500_000).expect("cuts");
        let mut last = None;
        while let Some(piece) = reader.next().await {
            last = Some(piece);
        }
        let error = last.expect("more").expect_err("is short");
        assert!(error.to_string().contains(&ID.to_string()), "{error}");
    });
}

fn file(dir: &Path, id: ContentId) -> std::path::PathBuf {
    dir.join(&id.to_string()[..2]).join(id.to_string())
}

async fn load_error(content: &Content, range: std::ops::Range<u64>) -> Option<String> {
    let mut reader = match content.open(ID, range).await {
        Ok(reader) => reader,
        Err(error) => return Some(error.to_string()),
    };
    while let Some(piece) = reader.next().await {
        if let Err(error) = piece {
            return Some(error.to_string());
        }
    }
    None
}

#[test]
fn a_byte_that_changed_on_disk_is_never_read() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        let body = body(700_000);
        store(&content, ID, &body, 100_000).await;
        let path = file(dir, ID);
        let whole = fs::read(&path).expect("reads");
        // The changed byte, and a range that does not need it.
        for (changed, others) in [(0, Some(300_000..400_000)), (699_999, Some(0..1)), (whole.len() - 9, None)]
        {
            let mut bytes = whole.clone();
            bytes[changed] ^= 1;
            fs::write(&path, bytes).expect("writes");
            let error = load_error(&content, 0..700_000).await.expect("is seen");
            assert!(error.contains(&ID.to_string()), "{error}");
            if let Some(others) = others {
                assert_eq!(load_error(&content, others).await, None);
            }
        }
        fs::write(&path, &whole[..whole.len() - 1]).expect("writes");
        assert!(load_error(&content, 0..1).await.is_some_and(|error| error.contains("seal")));
        fs::write(&path, &whole).expect("writes");
        assert_eq!(load_error(&content, 0..700_000).await, None);
    });
}

const CLOUDS: [CloudId; 2] = [CloudId(1), CloudId(7)];

async fn hold(store: &Store, cloud: CloudId, id: ContentId) {
    store.write(cloud, |txn| id.hold(txn)).await.expect("commits");
}

async fn release(store: &Store, cloud: CloudId, id: ContentId) -> bool {
    store.write(cloud, |txn| id.release(txn)).await.expect("commits")
}

#[test]
fn a_body_that_is_shared_goes_with_the_last_record_that_holds_it() {
    on_one_blocking_thread(async |_| {
        let store = Store::in_memory();
        hold(&store, CLOUDS[0], ID).await;
        hold(&store, CLOUDS[0], ID).await;
        assert!(!release(&store, CLOUDS[0], ID).await);
        assert!(release(&store, CLOUDS[0], ID).await);
        let again = store.write(CLOUDS[0], |txn| ID.release(txn)).await;
        assert!(matches!(again, Err(StoreError::Corrupt { .. })));
    });
}

#[test]
fn what_moves_from_record_to_record_within_a_transaction_stays_held() {
    on_one_blocking_thread(async |_| {
        let store = Store::in_memory();
        let settle = async |change: &dyn Fn(&mut Holds)| {
            let settled = store.write(CLOUDS[0], |txn| {
                let mut holds = Holds::default();
                change(&mut holds);
                Content::in_memory().settle(txn, holds)
            });
            settled.await
        };
        let none: &[ContentId] = &[];
        assert_eq!(settle(&|holds| holds.hold(ID)).await.expect("commits"), none);
        let moved = settle(&|holds| {
            holds.hold(ID);
            holds.hold(ID);
            holds.release(ID);
            holds.hold(OTHER);
        });
        assert_eq!(moved.await.expect("commits"), none, "a list names it twice, and no block any more");
        assert_eq!(settle(&|holds| holds.release(ID)).await.expect("commits"), none);
        assert_eq!(settle(&|holds| holds.release(ID)).await.expect("commits"), [ID]);
        assert!(matches!(settle(&|holds| holds.release(ID)).await, Err(StoreError::Corrupt { .. })));
        assert_eq!(settle(&|holds| holds.release(OTHER)).await.expect("commits"), [OTHER]);
    });
}

#[test]
fn a_sweep_beside_uploads_takes_what_nobody_names_or_claims() {
    on_one_blocking_thread(async |dir| {
        let rows = Store::in_memory();
        for content in [Content::in_memory(), Content::in_dir(dir).expect("opens")] {
            let sweep = async || {
                let swept = content.sweep_unreferenced(&rows).await.expect("sweeps");
                (swept.unfinished, swept.unnamed)
            };
            let id = |byte: u8| ContentId(Guid([byte; 16]));
            store(&content, id(0), &body(10), 10).await;
            hold(&rows, CLOUDS[0], id(0)).await;
            store(&content, id(0xff), &body(10), 10).await;
            hold(&rows, CLOUDS[1], id(0xff)).await;
            let mut writing = content.create(CLOUDS[0], id(2)).await.expect("creates");
            writing.write(body(3 << 20)).await.expect("writes");
            store(&content, id(3), &body(10), 10).await;
            assert_eq!(sweep().await, (0, 0), "one is being written, one waits for its commit");
            assert_eq!(sweep().await, (0, 0), "the second sweep gives the unnamed one up");
            assert_eq!(sweep().await, (0, 1), "and the third takes it");
            writing.finish().await.expect("finishes");
            assert_eq!(load(&content, id(2), 0..10).await, body(10));
            for kept in [id(0), id(0xff)] {
                assert_eq!(load(&content, kept, 0..10).await, body(10));
                for cloud in CLOUDS {
                    rows.write(cloud, |txn| kept.release(txn).map(drop).or(Ok::<_, StoreError>(())))
                        .await
                        .expect("commits");
                }
            }
            // Named no longer, and claimed no longer since a sweep has seen them named.
            assert_eq!(sweep().await, (0, 2));
        }
    });
}

#[test]
fn another_process_s_upload_is_left_alone_until_it_dies() {
    on_one_blocking_thread(async |dir| {
        let rows = Store::in_memory();
        let other = Content::in_dir(dir).expect("opens");
        let mut upload = other.create(CLOUDS[0], ID).await.expect("creates");
        upload.write(body(2 << 20)).await.expect("writes");
        // A second handle knows of the first only what is on disk, as another process would.
        let content = Content::in_dir(dir).expect("opens");
        store(&content, OTHER, &body(10), 10).await;
        hold(&rows, CLOUDS[0], OTHER).await;
        assert_eq!(content.sweep_unreferenced(&rows).await.expect("sweeps"), Swept::default());
        // As a killed process leaves it: the file is there, the lock is not.
        let claims = fs::read_dir(dir.join("claims")).expect("lists").map(|it| it.expect("lists").path());
        let dead = claims.into_iter().find(|it| it.join(ID.to_string()).exists()).expect("claimed");
        let kept = dir.join("kept");
        fs::hard_link(dir.join("3f").join(format!("{ID}.part")), &kept).expect("links");
        drop(upload);
        settle().await;
        drop(other);
        fs::create_dir_all(&dead).expect("creates");
        fs::write(dead.join("alive"), "").expect("writes");
        fs::write(dead.join(ID.to_string()), "").expect("writes");
        fs::rename(&kept, dir.join("3f").join(format!("{ID}.part"))).expect("renames");
        let swept = content.sweep_unreferenced(&rows).await.expect("sweeps");
        assert_eq!(swept, Swept { unfinished: 1, unnamed: 0 });
        assert!(!dead.exists());
        assert_eq!(files(dir), [OTHER.to_string()]);
    });
}
