//! Tables, scans and pages.

use azure::ids::ResourceId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::store::{Raw, Span, Store, StoreError, Table, Txn};

use super::{CLOUD, NUMBERS, begin, commit, key, on_every_engine};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blob {
    etag: String,
    length: u64,
}

const BLOBS: Table<(String, String), Blob> = Table::new("blobs");
const RESOURCES: Table<ResourceId, String> = Table::new("resources");
const BODIES: Table<u64, Raw> = Table::new("bodies");

on_every_engine! {
    a_record_comes_back_as_it_was_put,
    pages_join_to_the_whole,
    a_component_prefix_is_whole_and_a_text_prefix_is_not,
    what_lies_within_a_scope_is_found_and_its_neighbours_are_not,
    a_listing_leaps_over_folders,
    a_span_is_cut_by_its_ends,
    large_values_survive,
    a_scan_longer_than_any_chunk_is_complete_both_ways,
    a_record_of_a_later_format_is_refused,
    a_record_that_does_not_fit_names_its_table,
    many_keys_are_got_in_their_order,
    a_key_too_long_for_an_engine_is_refused,
}

fn blob(length: u64) -> Blob {
    Blob { etag: format!("0x{length}"), length }
}

fn path(container: &str, name: &str) -> (String, String) {
    (key(container), key(name))
}

async fn fill(store: &Store, names: &[(&str, &str)]) {
    let written = store.write(CLOUD, |txn| {
        for (container, name) in names {
            BLOBS.put(txn, &path(container, name), &blob(1))?;
        }
        Ok::<_, StoreError>(())
    });
    written.await.expect("commits");
}

async fn read<T>(store: &Store, f: impl FnMut(&Txn) -> Result<T, StoreError>) -> T {
    store.read(CLOUD, f).await.expect("reads")
}

fn names(rows: Vec<((String, String), Blob)>) -> Vec<String> {
    rows.into_iter().map(|((_, name), _)| name).collect()
}

async fn a_record_comes_back_as_it_was_put(store: &Store) {
    let written = store.write(CLOUD, |txn| {
        BLOBS.put(txn, &path("c", "b"), &blob(7))?;
        BODIES.put(txn, &7, &Raw(Bytes::from_static(b"\0\xffbody")))
    });
    written.await.expect("commits");
    assert_eq!(read(store, |txn| BLOBS.get(txn, &path("c", "b"))).await, Some(blob(7)));
    assert_eq!(read(store, |txn| BODIES.get(txn, &7)).await, Some(Raw(Bytes::from_static(b"\0\xffbody"))));
    assert_eq!(read(store, |txn| BLOBS.get(txn, &path("c", "B"))).await, None);
    let deleted = store.write(CLOUD, |txn| BLOBS.delete(txn, &path("c", "b")));
    deleted.await.expect("commits");
    assert!(!read(store, |txn| BLOBS.exists(txn, &path("c", "b"))).await);
}

async fn pages_join_to_the_whole(store: &Store) {
    let all: Vec<String> = (0..25).map(|index| format!("{index:02}")).collect();
    fill(store, &all.iter().map(|name| ("c", name.as_str())).collect::<Vec<_>>()).await;
    fill(store, &[("b", "before"), ("d", "behind")]).await;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = read(store, |txn| BLOBS.scan(txn, &("c",), after.as_ref(), 10)).await;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        assert!(page.len() <= 10);
        found.extend(names(page));
    }
    assert_eq!(found, all);
}

async fn a_component_prefix_is_whole_and_a_text_prefix_is_not(store: &Store) {
    fill(store, &[("c", "photo"), ("c", "photos/1"), ("c", "photos\0"), ("c", "x"), ("cc", "photos/2")])
        .await;
    let whole = read(store, |txn| BLOBS.scan(txn, &("c",), None, 10)).await;
    assert_eq!(names(whole), ["photo", "photos\0", "photos/1", "x"]);
    for (text, found) in [
        ("", &["photo", "photos\0", "photos/1", "x"][..]),
        ("photo", &["photo", "photos\0", "photos/1"]),
        ("photos", &["photos\0", "photos/1"]),
        ("photos\0", &["photos\0"]),
        ("y", &[]),
    ] {
        let rows = read(store, |txn| BLOBS.scan_text_prefix(txn, &("c",), text, None, 10)).await;
        assert_eq!(names(rows), found, "{text:?}");
    }
    let after = path("c", "photos\0");
    let rows = read(store, |txn| BLOBS.scan_text_prefix(txn, &("c",), "photo", Some(&after), 10)).await;
    assert_eq!(names(rows), ["photos/1"]);
    let accounts = read(store, |txn| BLOBS.scan_text_prefix(txn, &(), "c", None, 10)).await;
    assert_eq!(accounts.len(), 5);
}

async fn what_lies_within_a_scope_is_found_and_its_neighbours_are_not(store: &Store) {
    let ids = ["/subscriptions/s/resourceGroups/rg", "/subscriptions/s/resourceGroups/rg-2/x/y"];
    let inside =
        ["/subscriptions/s/resourceGroups/RG/providers/A.B/c/d", "/subscriptions/s/resourcegroups/rg/e/f"];
    let id = |text: &str| ResourceId::parse(text).expect("an id");
    let written = store.write(CLOUD, |txn| {
        ids.iter().chain(&inside).try_for_each(|text| RESOURCES.put(txn, &id(text), &(*text).to_owned()))
    });
    written.await.expect("commits");
    let within = |scope: ResourceId| async move {
        let rows: Vec<(ResourceId, String)> =
            read(store, |txn| RESOURCES.rows(txn, Span::within(&(), &scope)).collect()).await;
        rows.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    assert_eq!(within(id("/subscriptions/S/resourceGroups/Rg")).await, [inside[1], inside[0]]);
    assert_eq!(within(ResourceId::root()).await.len(), 4);
}

async fn a_listing_leaps_over_folders(store: &Store) {
    fill(store, &[("c", "a"), ("c", "dir/1"), ("c", "dir/2"), ("c", "dir/3"), ("c", "dir2"), ("c", "e")])
        .await;
    fill(store, &[("d", "f")]).await;
    let mut txn = begin(store);
    let mut listed = Vec::new();
    let mut rows = BLOBS.rows(&txn, Span::under(&("c",)));
    while let Some(row) = rows.next() {
        let ((_, name), _) = row.expect("reads");
        if name == "dir/1" {
            rows.leap(&("c",), "dir/");
        }
        listed.push(name);
    }
    drop(rows);
    assert_eq!(listed, ["a", "dir/1", "dir2", "e"]);

    // What was leapt over was not read.
    fill(store, &[("c", "dir/2")]).await;
    BLOBS.put(&mut txn, &path("d", "listed"), &blob(4)).expect("puts");
    assert_eq!(commit(store, txn).await, crate::store::Outcome::Committed);
}

async fn a_span_is_cut_by_its_ends(store: &Store) {
    fill(store, &[("a", "1"), ("b", "1"), ("b", "2"), ("b", "3"), ("c", "1")]).await;
    let txn = begin(store);
    let at = path("b", "2");
    let under = || Span::under(&("b",));
    for (name, span, found) in [
        ("after", under().after(&at), &["3"][..]),
        ("from", under().from(&at), &["2", "3"]),
        ("before", under().before(&at), &["1"]),
        ("nothing between", under().after(&at).before(&at), &[]),
        ("after another container's", under().after(&path("c", "1")), &[]),
        ("after an earlier container's", under().after(&path("a", "9")), &["1", "2", "3"]),
    ] {
        let rows: Result<Vec<_>, _> = BLOBS.rows(&txn, span).collect();
        assert_eq!(names(rows.expect("reads")), found, "{name}");
    }
    let back: Result<Vec<_>, _> = BLOBS.rows_back(&txn, under().before(&path("b", "3"))).collect();
    assert_eq!(names(back.expect("reads")), ["2", "1"]);
}

async fn large_values_survive(store: &Store) {
    let body: Bytes = (0..3_000_000_u32).map(|index| ((index * 31) >> 3) as u8).collect();
    let written = store.write(CLOUD, |txn| BODIES.put(txn, &1, &Raw(body.clone())));
    written.await.expect("commits");
    assert_eq!(read(store, |txn| BODIES.get(txn, &1)).await, Some(Raw(body)));
}

async fn a_scan_longer_than_any_chunk_is_complete_both_ways(store: &Store) {
    const ROWS: u64 = 1000;
    let written = store.write(CLOUD, |txn| {
        (0..ROWS).try_for_each(|index| BODIES.put(txn, &index, &Raw(Bytes::from_static(b"x"))))
    });
    written.await.expect("commits");
    let deleted = store.write(CLOUD, |txn| {
        (0..ROWS).filter(|index| index % 3 == 0).try_for_each(|index| BODIES.delete(txn, &index))
    });
    deleted.await.expect("commits");
    let mut expected: Vec<u64> = (0..ROWS).filter(|index| index % 3 != 0).collect();
    let keys = |rows: Vec<(u64, Raw)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let rows = read(store, |txn| BODIES.rows(txn, Span::under(&())).collect()).await;
    assert_eq!(keys(rows), expected);
    expected.reverse();
    let rows = read(store, |txn| BODIES.rows_back(txn, Span::under(&())).collect()).await;
    assert_eq!(keys(rows), expected);
}

async fn a_record_of_a_later_format_is_refused(store: &Store) {
    let mut txn = begin(store);
    NUMBERS.put(&mut txn, &key("n"), &1).expect("puts");
    let (stored_key, _) = txn.only_write();
    txn.put(stored_key, Bytes::from_static(b"\x02{}"));
    assert!(matches!(NUMBERS.get(&txn, &key("n")), Err(StoreError::Newer { found: 2, known: 1, .. })));
    assert!(matches!(NUMBERS.scan(&txn, &(), None, 1), Err(StoreError::Newer { .. })));
}

async fn a_record_that_does_not_fit_names_its_table(store: &Store) {
    const AS_TEXT: Table<String, String> = Table::new("numbers");
    let mut txn = begin(store);
    AS_TEXT.put(&mut txn, &key("n"), &key("not a number")).expect("puts");
    let error = NUMBERS.get(&txn, &key("n")).expect_err("is no number");
    assert!(error.to_string().contains("`numbers`"), "{error}");
}

async fn many_keys_are_got_in_their_order(store: &Store) {
    fill(store, &[("c", "1"), ("c", "3")]).await;
    let wanted = [path("c", "3"), path("c", "2"), path("c", "1")];
    let found = read(store, |txn| BLOBS.get_many(txn, &wanted)).await;
    assert_eq!(found, [Some(blob(1)), None, Some(blob(1))]);
}

async fn a_key_too_long_for_an_engine_is_refused(store: &Store) {
    let (long, longest) = ("n".repeat(70_000), "n".repeat(65_000));
    let refused = store.write(CLOUD, |txn| NUMBERS.put(txn, &long, &1)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { table: "numbers", .. })));
    let written = store.write(CLOUD, |txn| {
        NUMBERS.delete(txn, &long)?;
        NUMBERS.put(txn, &key("a"), &1)?;
        NUMBERS.put(txn, &longest, &2)?;
        NUMBERS.put(txn, &key("z"), &3)
    });
    written.await.expect("commits");

    let txn = begin(store);
    assert_eq!(NUMBERS.get(&txn, &long).expect("reads"), None);
    let values = |rows: Vec<(String, i64)>| rows.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(values(NUMBERS.scan(&txn, &(), Some(&long), 9).expect("scans")), [3]);
    assert!(NUMBERS.scan_text_prefix(&txn, &(), &long, None, 9).expect("scans").is_empty());
    let before: Result<Vec<_>, _> = NUMBERS.rows(&txn, Span::under(&()).before(&long)).collect();
    assert_eq!(values(before.expect("scans")), [1, 2]);
}
