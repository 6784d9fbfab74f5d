//! Resource ids: `_rid`, a few bytes in base64 with `-` for `/` (cosmos.md §4.1).
//!
//! ```text
//! database     dddd                        4 bytes
//! collection   dddd cccc                   8, with the high bit of the fifth set
//! document     dddd cccc nnnnnnnn         16, a little-endian number whose top nibble says the kind
//! offer        ooo                         3, so four characters
//! ```

use azure::text;

use crate::cloud::Draw;

/// A collection's id, and with its first half its database's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct CollectionRid {
    pub(super) database: u32,
    pub(super) collection: u32,
}

const COLLECTION_BIT: u32 = 1 << 31;
/// Kinds of a collection's children, in the top nibble of their number (those of scripts: azure-cosmos-dotnet-v3,
/// ResourceId).
const DOCUMENT: u64 = 0x0;
const PARTITION_KEY_RANGE: u64 = 0x5;
const USER_DEFINED_FUNCTION: u64 = 0x6;
const TRIGGER: u64 = 0x7;
const STORED_PROCEDURE: u64 = 0x8;
const KIND_SHIFT: u32 = 60;

/// A database's number out of chance; the last byte is zero, as in ids one sees.
pub(super) fn draw_database(draw: &mut Draw) -> u32 {
    u32::from_be_bytes(draw.bytes()) & !0xff
}

/// A collection's number out of chance.
pub(super) fn draw_collection(draw: &mut Draw) -> u32 {
    (u32::from_be_bytes(draw.bytes()) & !0xff) | COLLECTION_BIT
}

pub(super) fn draw_offer(draw: &mut Draw) -> String {
    print(&draw.bytes::<3>())
}

pub(super) fn database(number: u32) -> String {
    print(&number.to_be_bytes())
}

pub(super) fn parse_database(rid: &str) -> Option<u32> {
    Some(u32::from_be_bytes(parse(rid)?.try_into().ok()?))
}

impl CollectionRid {
    pub(super) fn text(self) -> String {
        print(&self.bytes())
    }

    pub(super) fn parse(rid: &str) -> Option<Self> {
        let bytes: [u8; 8] = parse(rid)?.try_into().ok()?;
        let both = u64::from_be_bytes(bytes);
        Some(CollectionRid { database: (both >> 32) as u32, collection: both as u32 })
    }

    fn bytes(self) -> [u8; 8] {
        (u64::from(self.database) << 32 | u64::from(self.collection)).to_be_bytes()
    }

    /// `dbs/{rid}/colls/{rid}/`.
    pub(super) fn self_link(self) -> String {
        format!("dbs/{}/colls/{}/", database(self.database), self.text())
    }

    /// The id of the document with this number.
    pub(super) fn document(self, number: u64) -> String {
        self.child(DOCUMENT, number)
    }

    /// The number of a document of this collection, if the id is one's.
    pub(super) fn parse_document(self, rid: &str) -> Option<u64> {
        let bytes: [u8; 16] = parse(rid)?.try_into().ok()?;
        let (parent, number) = bytes.split_at(8);
        let number = u64::from_le_bytes(number.try_into().ok()?);
        (parent == self.bytes() && number >> KIND_SHIFT == DOCUMENT).then_some(number)
    }

    pub(super) fn partition_key_range(self, number: u64) -> String {
        self.child(PARTITION_KEY_RANGE, number)
    }

    pub(super) fn stored_procedure(self, number: u64) -> String {
        self.child(STORED_PROCEDURE, number)
    }

    pub(super) fn trigger(self, number: u64) -> String {
        self.child(TRIGGER, number)
    }

    pub(super) fn user_defined_function(self, number: u64) -> String {
        self.child(USER_DEFINED_FUNCTION, number)
    }

    fn child(self, kind: u64, number: u64) -> String {
        let number = kind << KIND_SHIFT | number;
        print(&[self.bytes(), number.to_le_bytes()].concat())
    }
}

fn print(bytes: &[u8]) -> String {
    text::base64(bytes).replace('/', "-")
}

fn parse(rid: &str) -> Option<Vec<u8>> {
    text::base64_decode(&rid.replace('-', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of the tutorial's collection and of its first document.
    #[test]
    fn ids_print_as_the_service_prints_them() {
        let collection = CollectionRid { database: 0x12ce_5200, collection: 0xcd85_0f00 };
        assert_eq!(database(collection.database), "Es5SAA==");
        assert_eq!(collection.text(), "Es5SAM2FDwA=");
        assert_eq!(collection.self_link(), "dbs/Es5SAA==/colls/Es5SAM2FDwA=/");
        assert_eq!(collection.document(1), "Es5SAM2FDwABAAAAAAAAAA==");
        assert_eq!(collection.partition_key_range(2), "Es5SAM2FDwACAAAAAAAAUA==");
    }

    #[test]
    fn what_was_printed_is_read_again_and_nothing_else() {
        let collection = CollectionRid { database: 0xffff_fe00, collection: 0x8000_0100 };
        assert_eq!(CollectionRid::parse(&collection.text()), Some(collection));
        assert_eq!(parse_database(&database(collection.database)), Some(collection.database));
        assert_eq!(collection.parse_document(&collection.document(77)), Some(77));
        assert_eq!(collection.parse_document(&collection.partition_key_range(77)), None);
        let other = CollectionRid { collection: 0x8000_0200, ..collection };
        assert_eq!(other.parse_document(&collection.document(77)), None);
        for text in ["", "orders", "Es5SAA", "Es5SAM2FDwA=="] {
            assert_eq!(CollectionRid::parse(text), None, "{text}");
        }
    }
}
