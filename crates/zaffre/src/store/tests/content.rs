//! Bodies stream in and out, and leave nothing behind that nobody names.

use std::{fs, path::Path};

use azure::ids::Guid;
use bytes::Bytes;

use crate::store::{Content, ContentId, StoreError};

const ID: ContentId = ContentId(Guid([0x3f; 16]));
const OTHER: ContentId = ContentId(Guid([0x40; 16]));

/// One blocking thread: what was given to it before has ended when what is given next does.
fn on_one_blocking_thread(test: impl AsyncFnOnce(&Path)) {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    let dir = tempfile::tempdir().expect("a directory");
    runtime.expect("a runtime").block_on(test(dir.path()));
}

async fn settle() {
    tokio::task::spawn_blocking(|| ()).await.expect("runs");
}

fn files(dir: &Path) -> Vec<String> {
    let folders = fs::read_dir(dir).expect("lists").map(|folder| folder.expect("lists").path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).expect("lists"));
    files.map(|file| file.expect("lists").file_name().to_string_lossy().into_owned()).collect()
}

fn body(length: usize) -> Bytes {
    (0..length).map(|index| ((index * 7) >> 4) as u8).collect()
}

async fn store(content: &Content, id: ContentId, body: &Bytes, piece: usize) {
    let mut writer = content.create(id).await.expect("creates");
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
        for content in [Content::in_memory(), Content::in_dir(&dir.join("content")).expect("opens")] {
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
        for content in [Content::in_memory(), Content::in_dir(dir).expect("opens")] {
            store(&content, ID, &Bytes::new(), 1).await;
            assert!(load(&content, ID, 0..10).await.is_empty());
        }
    });
}

#[test]
fn a_body_is_not_there_before_it_is_finished_nor_after_it_is_removed() {
    on_one_blocking_thread(async |dir| {
        for content in [Content::in_memory(), Content::in_dir(dir).expect("opens")] {
            let missing = async || matches!(content.open(ID, 0..1).await, Err(StoreError::NoContent { .. }));
            let mut writer = content.create(ID).await.expect("creates");
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
        for content in [Content::in_memory(), Content::in_dir(dir).expect("opens")] {
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
        let mut writer = content.create(ID).await.expect("creates");
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
            let mut writer = content.create(ID).await.expect("creates");
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
        assert_eq!(content.sweep(|id| id == ID).await.expect("sweeps"), 2);
        let mut left = files(dir);
        left.sort();
        assert_eq!(left, [ID.to_string(), "README".to_owned()]);
        assert_eq!(load(&content, ID, 0..10).await, body(10));

        let memory = Content::in_memory();
        store(&memory, ID, &body(10), 10).await;
        store(&memory, OTHER, &body(10), 10).await;
        assert_eq!(memory.sweep(|id| id == ID).await.expect("sweeps"), 1);
    });
}

#[test]
fn an_id_is_used_once() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        let _writer = content.create(ID).await.expect("creates");
        assert!(matches!(content.create(ID).await, Err(StoreError::Io { .. })));
    });
}

#[test]
fn a_file_that_became_shorter_is_said() {
    on_one_blocking_thread(async |dir| {
        let content = Content::in_dir(dir).expect("opens");
        store(&content, ID, &body(1 << 20), 1 << 20).await;
        let mut reader = content.open(ID, 0..u64::MAX).await.expect("opens");
        let path = dir.join("3f").join(ID.to_string());
        reader.next().await.expect("a piece").expect("reads");
        settle().await;
        fs::OpenOptions::new().write(true).open(path).expect("opens").set_len(600_000).expect("cuts");
        let mut last = None;
        while let Some(piece) = reader.next().await {
            last = Some(piece);
        }
        let error = last.expect("more").expect_err("is short");
        assert!(error.to_string().contains("shorter"), "{error}");
    });
}
