//! Encoded keys sort as their values do, and come back as they went in.

use std::ops::Bound;

use azure::ids::{Guid, ObjectId, ResourceId};
use bytes::Bytes;
use proptest::prelude::{any, proptest};

use crate::store::key::{Key, KeyBuf, KeyPrefix, KeyRange, KeyReader};

fn bytes_of(key: &impl Key) -> Bytes {
    let mut out = KeyBuf::default();
    key.encode(&mut out);
    out.into_bytes()
}

fn check<K: Key + Ord + std::fmt::Debug>(one: &K, two: &K) {
    let (one_bytes, two_bytes) = (bytes_of(one), bytes_of(two));
    assert_eq!(one.cmp(two), one_bytes.cmp(&two_bytes), "{one:?} and {two:?}");
    for (key, bytes) in [(one, &one_bytes), (two, &two_bytes)] {
        let mut rest = KeyReader(bytes);
        assert_eq!(K::decode(&mut rest).as_ref(), Some(key));
        assert!(rest.0.is_empty());
    }
}

proptest! {
    #[test]
    fn text_sorts_by_its_bytes(one: String, two: String) {
        check(&one, &two);
    }

    #[test]
    fn bytes_with_zeros_sort(one in proptest::collection::vec(0_u8..4, 0..6), two in proptest::collection::vec(0_u8..4, 0..6)) {
        check(&one, &two);
    }

    #[test]
    fn numbers_sort(a: (u64, i64, u32, bool), b: (u64, i64, u32, bool)) {
        check(&a.0, &b.0);
        check(&a.1, &b.1);
        check(&a.2, &b.2);
        check(&a.3, &b.3);
        check(&a, &b);
    }

    #[test]
    fn tuples_sort_by_their_first_difference(
        one in (proptest::collection::vec(0_u8..3, 0..4), any::<String>(), any::<i64>()),
        two in (proptest::collection::vec(0_u8..3, 0..4), any::<String>(), any::<i64>()),
    ) {
        check(&one, &two);
    }

    #[test]
    fn guids_sort(one: [u8; 16], two: [u8; 16]) {
        check(&ObjectId(Guid(one)), &ObjectId(Guid(two)));
    }

    #[test]
    fn a_prefix_is_a_range_of_exactly_the_keys_that_begin_so(
        prefix in proptest::collection::vec(253_u8..=255, 0..3),
        key in proptest::collection::vec(252_u8..=255, 0..5),
    ) {
        let range = KeyRange::prefix(prefix.clone().into());
        let is_within = std::ops::RangeBounds::<[u8]>::contains(&range.bounds(), key.as_slice());
        assert_eq!(is_within, key.starts_with(&prefix));
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes: Vec<u8>) {
        let _ = <(String, u64, Vec<u8>, ResourceId)>::decode(&mut KeyReader(&bytes));
    }
}

#[test]
fn resource_ids_are_equal_without_case_and_decode_in_lower_case() {
    let (one, two) = ("/subscriptions/S/resourceGroups/RG", "/Subscriptions/s/resourcegroups/rg");
    let (one, two) = (ResourceId::parse(one).expect(one), ResourceId::parse(two).expect(two));
    assert_eq!(bytes_of(&one), bytes_of(&two));
    for id in [one, ResourceId::root()] {
        let decoded = ResourceId::decode(&mut KeyReader(&bytes_of(&id))).expect("decodes");
        assert_eq!(decoded, id);
        assert_eq!(decoded.key(), id.key());
    }
}

#[test]
fn a_component_prefix_is_a_prefix_of_the_bytes() {
    let key = ("account".to_owned(), "container".to_owned(), 7_u64);
    let prefixes: [&dyn KeyPrefix<(String, String, u64)>; 4] =
        [&(), &("account",), &("account".to_owned(),), &("account", "container")];
    for prefix in prefixes {
        let mut out = KeyBuf::default();
        prefix.encode_prefix(&mut out);
        assert!(bytes_of(&key).starts_with(&out.into_bytes()));
    }
    let mut out = KeyBuf::default();
    KeyPrefix::<(String, String, u64)>::encode_prefix(&("acc",), &mut out);
    assert!(!bytes_of(&key).starts_with(&out.into_bytes()), "`acc` is not the whole of `account`");
}

#[test]
fn a_range_is_only_ever_narrowed() {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    let narrowed = |to: Bound<Bytes>| {
        let mut range = KeyRange { start: Bound::Excluded(bytes("m")), end: Bound::Unbounded };
        range.raise_start(to);
        range.start
    };
    assert_eq!(narrowed(Bound::Included(bytes("a"))), Bound::Excluded(bytes("m")));
    assert_eq!(narrowed(Bound::Included(bytes("m"))), Bound::Excluded(bytes("m")));
    assert_eq!(narrowed(Bound::Included(bytes("z"))), Bound::Included(bytes("z")));
}
