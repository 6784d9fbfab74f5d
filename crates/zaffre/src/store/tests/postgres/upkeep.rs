//! Backup, restore, fsck and the rest of the upkeep, on a database.

use std::{fs, path::Path};

use azure::ids::Guid;
use bytes::Bytes;

use crate::store::{Content, ContentId, Raw, Store, Table, backup, fsck};

use super::{
    super::{CLOUD, commit_number, committed},
    cluster::{self, schema_of},
};

const LARGE: Table<u64, Raw> = Table::new("large");

fn id(byte: u8) -> ContentId {
    ContentId(Guid([byte; 16]))
}

async fn keep(store: &Store, content: &Content, byte: u8) {
    let mut writer = content.create(CLOUD, id(byte)).await.expect("creates");
    writer.write(Bytes::from(vec![byte; 200_000])).await.expect("writes");
    writer.finish().await.expect("finishes");
    store.write(CLOUD, |txn| id(byte).hold(txn)).await.expect("commits");
}

fn bodies(dir: &Path) -> Content {
    Content::in_dir(dir).expect("a directory")
}

/// A database with rows, long keys and large values among them, and two bodies.
async fn filled(address: &str, dir: &Path) -> (Store, Content) {
    let (store, content) = (Store::connect(address).expect("connects"), bodies(dir));
    for index in 0..40 {
        commit_number(&store, &format!("row {index:02}"), index).await;
    }
    commit_number(&store, &"k".repeat(3000), 7).await;
    let large = Raw(Bytes::from(vec![9; 2_000_000]));
    store.write(CLOUD, |txn| LARGE.put(txn, &1, &large)).await.expect("commits");
    keep(&store, &content, 1).await;
    keep(&store, &content, 2).await;
    (store, content)
}

async fn check_all(store: &Store) {
    assert_eq!(committed(store, "row 39").await, 39);
    assert_eq!(committed(store, &"k".repeat(3000)).await, 7);
    let large = store.read(CLOUD, |txn| LARGE.get(txn, &1)).await.expect("reads").expect("is there");
    assert!(large.0.len() == 2_000_000 && large.0.iter().all(|byte| *byte == 9));
}

#[tokio::test]
async fn a_backup_of_a_database_comes_back_in_another_and_in_a_directory() {
    let Some(cluster) = cluster::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let (store, content) = filled(&cluster.fresh(), &at("content")).await;
    let written = backup::write(&store, &content, &at("backup")).await.expect("is written");
    assert_eq!((written.bodies, written.copied), (2, 2));
    commit_number(&store, "row 39", -1).await;

    let other = cluster.fresh();
    let target = bodies(&at("other"));
    let back = backup::restore_into_database(&at("backup"), &other, &target).await.expect("restores");
    assert_eq!((back.rows, back.bodies, back.copied), (written.rows, 2, 2));
    let restored = Store::connect(&other).expect("connects");
    check_all(&restored).await;
    let report = fsck::check_database(&restored, &target).await.expect("checks");
    assert_eq!((report.findings.as_slice(), report.bodies, report.unnamed), (&[][..], 2, 0));

    let target = bodies(&at("third"));
    backup::restore(&at("backup"), &at("store"), &target).await.expect("restores");
    check_all(&Store::open(&at("store")).expect("opens")).await;
    let twice = backup::restore_into_database(&at("backup"), &other, &target).await;
    assert!(twice.expect_err("is not empty").to_string().contains("holds a store already"));
}

#[tokio::test]
async fn a_database_that_was_restored_in_part_takes_no_cloud() {
    let Some(cluster) = cluster::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let (store, content) = filled(&cluster.fresh(), &at("content")).await;
    backup::write(&store, &content, &at("backup")).await.expect("is written");
    let other = cluster.fresh();
    // Whoever restored was killed after the rows, before the end.
    let mark = "INSERT INTO zaffre_rows (key, value) VALUES ('\\xffffffff72', 'r')";
    drop(Store::connect(&other).expect("makes the tables"));
    cluster.sql("postgres", &format!("SET search_path = {}; {mark}", schema_of(&other)));
    let refused = Store::connect(&other).map(drop).expect_err("is half there");
    assert!(refused.to_string().contains("part of a backup"), "{refused}");
    // A file that is damaged is seen before anything is written.
    let rows = at("backup").join("rows");
    let whole = fs::read(&rows).expect("reads");
    fs::write(&rows, &whole[..whole.len() - 20]).expect("writes");
    let third = cluster.fresh();
    backup::restore_into_database(&at("backup"), &third, &bodies(&at("third"))).await.expect_err("is cut");
    Store::connect(&third).expect("nothing was written");
}

#[tokio::test]
async fn fsck_names_what_is_wrong_in_a_database() {
    let Some(cluster) = cluster::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let address = cluster.fresh();
    let (store, content) = filled(&address, dir.path()).await;
    let body = |byte: u8| dir.path().join(format!("{byte:02x}")).join(id(byte).to_string());
    fs::remove_file(body(1)).expect("removes");
    let mut damaged = fs::read(body(2)).expect("reads");
    damaged[1000] ^= 1;
    fs::write(body(2), damaged).expect("writes");
    let schema = schema_of(&address);
    let sql =
        format!("UPDATE {schema}.zaffre_rows SET value = '' WHERE position('row 07'::bytea IN key) > 0");
    cluster.sql("postgres", &sql);
    let report = fsck::check_database(&store, &content).await.expect("checks");
    let found: Vec<&str> = report.findings.iter().map(|it| it.what.as_str()).collect();
    let [row, other, missing] = found[..] else { panic!("{found:?}") };
    assert!(row.contains("row 07") && row.contains("no format"), "{row}");
    assert!(other.contains(&id(2).to_string()) && other.contains("not what was written"), "{other}");
    assert!(missing.contains(&id(1).to_string()) && missing.contains("missing"), "{missing}");
}

#[tokio::test]
async fn a_database_is_counted_and_its_server_compacts_it() {
    let Some(store) = super::fresh_store() else { return };
    commit_number(&store, "n", 1).await;
    let stats = store.stats().await.expect("counts");
    let value = |name: &str| stats.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    assert_eq!((value("rows"), value("commits")), (Some(1), Some(1)));
    assert!(value("table and index, bytes").is_some_and(|bytes| bytes > 0));
    let refused = store.compact().await.expect_err("is the server's").to_string();
    assert!(refused.contains("VACUUM"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_process_that_removes_bodies_is_one_moment() {
    let Some(cluster) = cluster::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let address = cluster.fresh();
    let (store, content) = (Store::connect(&address).expect("connects"), bodies(&at("content")));
    keep(&store, &content, 0).await;
    let busy = {
        let (store, content) = (Store::connect(&address).expect("connects"), bodies(&at("content")));
        tokio::spawn(async move {
            for byte in 1..40 {
                keep(&store, &content, byte).await;
                assert!(store.write(CLOUD, |txn| id(byte - 1).release(txn)).await.expect("commits"));
                content.remove(id(byte - 1)).await.expect("removes");
            }
        })
    };
    let mut written = 0;
    while !busy.is_finished() {
        // A body that lives for a few milliseconds may be gone at every moment that is tried: then it is said.
        written += u32::from(backup::write(&store, &content, &at("backup")).await.is_ok());
    }
    busy.await.expect("ends");
    backup::write(&store, &content, &at("backup")).await.expect("is written");
    let other = cluster.fresh();
    let target = bodies(&at("other"));
    let back = backup::restore_into_database(&at("backup"), &other, &target).await.expect("restores");
    assert_eq!(back.bodies, 1, "after {written} others");
    let report = fsck::check_database(&Store::connect(&other).expect("connects"), &target).await;
    assert_eq!(report.expect("checks").findings, []);
}
