//! Backup and restore, fsck, compaction: what is whole is kept, what is not is named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use azure::ids::Guid;
use bytes::Bytes;

use crate::store::{CloudId, Content, ContentId, Raw, Store, StoreError, Table, backup, fsck};

use super::{CLOUD, NUMBERS, commit_number, committed};

const BODIES: Table<u64, Raw> = Table::new("bodies");
const OTHER_CLOUD: CloudId = CloudId(9);

fn id(byte: u8) -> ContentId {
    ContentId(Guid([byte; 16]))
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().expect("a directory"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> (Store, Content) {
        let store = Store::open(&self.at("store")).expect("opens");
        (store, Content::in_dir(&self.at("content")).expect("opens"))
    }

    fn content(&self) -> Content {
        Content::in_dir(&self.at("content")).expect("a directory")
    }

    async fn fsck(&self, repair: bool) -> fsck::Report {
        fsck::check(&self.at("store"), &self.content(), repair).await.expect("checks")
    }

    fn body(&self, byte: u8) -> PathBuf {
        self.at("content").join(format!("{byte:02x}")).join(id(byte).to_string())
    }
}

async fn keep(store: &Store, content: &Content, cloud: CloudId, byte: u8) {
    let mut writer = content.create(cloud, id(byte)).await.expect("creates");
    writer.write(Bytes::from(vec![byte; 300_000])).await.expect("writes");
    writer.finish().await.expect("finishes");
    store.write(cloud, |txn| id(byte).hold(txn)).await.expect("commits");
}

async fn load(content: &Content, byte: u8) -> Result<Vec<u8>, StoreError> {
    let mut reader = content.open(id(byte), 0..u64::MAX).await?;
    let mut body = Vec::new();
    while let Some(piece) = reader.next().await {
        body.extend_from_slice(&piece?);
    }
    Ok(body)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("reads");
    bytes[at] ^= 0x20;
    fs::write(path, bytes).expect("writes");
}

fn journal(home: &Home) -> PathBuf {
    let entries = fs::read_dir(home.at("store").join("engine")).expect("lists");
    let mut paths = entries.map(|entry| entry.expect("lists").path());
    paths.find(|path| path.extension().is_some_and(|it| it == "jnl")).expect("a journal")
}

#[tokio::test]
async fn a_backup_is_everything_at_one_moment_and_comes_back() {
    let home = Home::new();
    let (store, content) = home.open();
    for index in 0..500 {
        commit_number(&store, &format!("row {index:03}"), index).await;
    }
    let large = Raw(Bytes::from(vec![7; 3_000_000]));
    store.write(OTHER_CLOUD, |txn| BODIES.put(txn, &1, &large)).await.expect("commits");
    keep(&store, &content, CLOUD, 1).await;
    keep(&store, &content, OTHER_CLOUD, 2).await;
    let first = backup::write(&store, &content, &home.at("backup")).await.expect("is written");
    assert_eq!((first.bodies, first.copied), (2, 2));

    // The next one brings what is new and takes along what has gone.
    commit_number(&store, "row 007", -7).await;
    keep(&store, &content, CLOUD, 3).await;
    assert!(store.write(CLOUD, |txn| id(1).release(txn)).await.expect("commits"));
    content.remove(id(1)).await.expect("removes");
    let second = backup::write(&store, &content, &home.at("backup")).await.expect("is written");
    assert_eq!((second.bodies, second.copied), (2, 1));
    commit_number(&store, "too late", 1).await;

    let to = Home::new();
    let back = backup::restore(&home.at("backup"), &to.at("store"), &to.content()).await.expect("restores");
    assert_eq!((back.rows, back.bodies, back.copied), (second.rows, 2, 2));
    let (store, content) = to.open();
    assert_eq!(committed(&store, "row 007").await, -7);
    assert_eq!(committed(&store, "row 499").await, 499);
    assert_eq!(committed(&store, "too late").await, 0);
    assert_eq!(store.read(OTHER_CLOUD, |txn| BODIES.get(txn, &1)).await.expect("reads"), Some(large));
    assert!(matches!(load(&content, 1).await, Err(StoreError::NoContent { .. })));
    for byte in [2, 3] {
        assert_eq!(load(&content, byte).await.expect("reads"), vec![byte; 300_000]);
    }
    drop(store);
    let report = to.fsck(false).await;
    assert_eq!((report.findings.as_slice(), report.bodies, report.unnamed), (&[][..], 2, 0));
}

#[tokio::test]
async fn a_backup_taken_while_others_write_is_one_moment() {
    let home = Home::new();
    let (store, content) = home.open();
    let writer = {
        let (store, content) = (store.clone(), content.clone());
        tokio::spawn(async move {
            for round in 1..60_u8 {
                // Two rows that are always equal, and a body that lives for one round.
                store
                    .write(CLOUD, |txn| {
                        NUMBERS.put(txn, &"a".to_owned(), &i64::from(round))?;
                        NUMBERS.put(txn, &"b".to_owned(), &i64::from(round))
                    })
                    .await
                    .expect("commits");
                keep(&store, &content, CLOUD, round).await;
                if round > 1 {
                    assert!(store.write(CLOUD, |txn| id(round - 1).release(txn)).await.expect("commits"));
                    content.remove(id(round - 1)).await.expect("removes");
                }
            }
        })
    };
    let mut backups = 0;
    while !writer.is_finished() {
        backup::write(&store, &content, &home.at("backup")).await.expect("is written");
        backups += 1;
        let to = Home::new();
        backup::restore(&home.at("backup"), &to.at("store"), &to.content()).await.expect("restores");
        let (restored, _) = to.open();
        assert_eq!(committed(&restored, "a").await, committed(&restored, "b").await);
        drop(restored);
        assert_eq!(to.fsck(false).await.findings, []);
    }
    writer.await.expect("ends");
    assert!(backups > 0);
    // What was put off while backups ran has been removed.
    let left = (0..60).filter(|byte| home.body(*byte).exists()).count();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_damaged_backup_or_a_place_in_use_is_refused() {
    let home = Home::new();
    let (store, content) = home.open();
    commit_number(&store, "a", 1).await;
    backup::write(&store, &content, &home.at("backup")).await.expect("is written");
    let taken = backup::restore(&home.at("backup"), &home.at("store"), &home.content()).await;
    assert!(taken.expect_err("is refused").to_string().contains("holds a store already"));
    let rows = home.at("backup").join("rows");
    let whole = fs::read(&rows).expect("reads");
    for damage in [0, 14, 30, whole.len() - 1] {
        flip(&rows, damage);
        let to = Home::new();
        let refused = backup::restore(&home.at("backup"), &to.at("store"), &to.content()).await;
        assert!(refused.expect_err("is refused").to_string().contains("rows"), "byte {damage}");
        assert!(!to.at("store").exists(), "nothing half restored is left in place");
        fs::write(&rows, &whole).expect("writes");
    }
    fs::write(&rows, &whole[..whole.len() - 12]).expect("writes");
    let to = Home::new();
    backup::restore(&home.at("backup"), &to.at("store"), &to.content()).await.expect_err("has no end");
}

#[tokio::test]
async fn fsck_finds_nothing_where_nothing_is_wrong() {
    let home = Home::new();
    let (store, content) = home.open();
    for index in 0..2000 {
        let body = Raw(Bytes::from(vec![index as u8; 100 + index]));
        store.write(CLOUD, |txn| BODIES.put(txn, &(index as u64), &body)).await.expect("commits");
        if index % 500 == 499 {
            store.compact().await.expect("compacts");
        }
    }
    keep(&store, &content, CLOUD, 1).await;
    let stats = store.stats().await.expect("counts");
    assert!(stats.contains(&("rows", 2001)), "{stats:?}");
    assert!(stats.iter().any(|(name, number)| *name == "tables" && *number > 0), "{stats:?}");
    let held = fsck::check(&home.at("store"), &home.content(), false).await;
    assert!(matches!(held, Err(StoreError::Locked { pid: Some(_), .. })));
    drop(store);
    let report = home.fsck(false).await;
    assert_eq!(report, fsck::Report { rows: 2001, bodies: 1, unnamed: 0, findings: vec![] });
}

#[tokio::test]
async fn a_damaged_table_is_named_wherever_the_damage_is() {
    let home = Home::new();
    let (store, _) = home.open();
    for index in 0..300 {
        let body = Raw(Bytes::from(format!("{index}").repeat(100)));
        store.write(CLOUD, |txn| BODIES.put(txn, &index, &body)).await.expect("commits");
    }
    store.compact().await.expect("compacts");
    drop(store);
    let tables = crate::store::sorted::tables(&home.at("store")).expect("lists");
    let table = tables.iter().max_by_key(|path| fs::metadata(path).expect("is there").len()).expect("one");
    let length = fs::metadata(table).expect("is there").len() as usize;
    for at in [0, 3, 40, length / 3, length / 2] {
        flip(table, at);
        let report = home.fsck(true).await;
        let name = table.display().to_string();
        assert!(
            report.findings.iter().any(|it| it.what.contains(&name)),
            "byte {at} of {length}: {report:?}"
        );
        flip(table, at);
    }
    assert_eq!(home.fsck(false).await.findings, []);
}

#[tokio::test]
async fn a_damaged_journal_is_named_and_repair_keeps_what_is_before() {
    let home = Home::new();
    let (store, _) = home.open();
    for index in 0..50 {
        commit_number(&store, &format!("row {index:02}"), 1).await;
    }
    drop(store);
    let journal = journal(&home);
    let used = fs::read(&journal).expect("reads").iter().rposition(|byte| *byte != 0).expect("not empty");
    flip(&journal, used / 2);
    let name = journal.display().to_string();
    let report = home.fsck(false).await;
    assert!(!report.is_good() && report.findings[0].what.contains(&name), "{report:?}");
    assert_eq!(home.fsck(false).await, report, "looking changes nothing");

    let repaired = home.fsck(true).await;
    assert!(repaired.is_good(), "{repaired:?}");
    assert!(home.at("store").join("damaged").read_dir().expect("is kept").count() >= 1);
    let (store, _) = home.open();
    let kept = store.read(CLOUD, |txn| NUMBERS.scan(txn, &(), None, 100)).await.expect("scans").len();
    assert!((10..50).contains(&kept), "{kept} of 50");
    drop(store);
    assert_eq!(home.fsck(false).await.findings, []);
}

#[tokio::test]
async fn a_damaged_or_missing_body_is_named() {
    let home = Home::new();
    let (store, content) = home.open();
    for byte in 1..5 {
        keep(&store, &content, CLOUD, byte).await;
    }
    assert!(store.write(CLOUD, |txn| id(4).release(txn)).await.expect("commits"));
    drop((store, content));
    flip(&home.body(1), 299_999);
    fs::remove_file(home.body(2)).expect("removes");
    fs::write(home.body(3).with_extension("part"), "begun").expect("writes");
    let report = home.fsck(true).await;
    assert_eq!((report.bodies, report.unnamed), (3, 1));
    let found: Vec<_> = report.findings.iter().map(|it| (it.what.as_str(), it.repair.is_some())).collect();
    let [(damaged, false), (part, true), (missing, false)] = found[..] else { panic!("{found:?}") };
    assert!(damaged.contains(&home.body(1).display().to_string()), "{damaged}");
    assert!(part.contains(".part"), "{part}");
    assert!(missing.contains(&id(2).to_string()) && missing.contains("1 records"), "{missing}");
}
