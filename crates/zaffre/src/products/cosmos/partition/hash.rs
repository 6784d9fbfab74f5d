//! Effective partition keys: where in the space `"" .. "FF"` a partition key lies (cosmos.md §4.4).
//!
//! SDKs compute them too, for the change feed and for reads of many items, so every bit counts.
//!
//! ```text
//! V2        murmur3 x64 128 over the components, reversed, its two highest bits off       16 bytes
//! MultiHash each component hashed alone, one behind the other                          n * 16 bytes
//! V1        murmur3 x86 32 as a number, then the components in a form that keeps order     variable
//! ```

use super::{Component, Hashing};

/// Strings are cut to so many UTF-16 units before V1 looks at them.
const V1_TEXT_UNITS: usize = 100;
const NUMBER: u8 = 0x05;
const TEXT: u8 = 0x08;

/// The effective partition key, as bytes that compare as it does.
pub(in crate::products::cosmos) fn effective(hashing: Hashing, components: &[Component]) -> Vec<u8> {
    match hashing {
        Hashing::V1 => v1(components),
        Hashing::V2 => v2(components).to_vec(),
        Hashing::Multi => components.iter().flat_map(|it| v2(std::slice::from_ref(it))).collect(),
    }
}

/// In the text that goes over the wire.
pub(in crate::products::cosmos) fn printed(effective: &[u8]) -> String {
    effective.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn v2(components: &[Component]) -> [u8; 16] {
    let mut hash = hash_v2(components, Some(0xff));
    // The space ends before "FF", and the two highest bits are kept for other uses.
    hash[0] &= 0x3f;
    hash
}

fn hash_v2(components: &[Component], terminator: Option<u8>) -> [u8; 16] {
    let mut input = Vec::new();
    components.iter().for_each(|it| it.write_for_hashing(terminator, &mut input));
    let mut hash = murmur3_x64_128(&input);
    hash.reverse();
    hash
}

fn v1(components: &[Component]) -> Vec<u8> {
    let cut: Vec<Component> = components.iter().map(Component::cut).collect();
    let mut key = Vec::new();
    Component::Number(f64::from(hash_v1(&cut, Some(0x00)))).write_in_order(&mut key);
    cut.iter().for_each(|it| it.write_in_order(&mut key));
    key
}

fn hash_v1(cut: &[Component], terminator: Option<u8>) -> u32 {
    let mut input = Vec::new();
    cut.iter().for_each(|it| it.write_for_hashing(terminator, &mut input));
    murmur3_x86_32(&input)
}

impl Component {
    /// The type, and what it holds; a text ends in its version's terminator.
    fn write_for_hashing(&self, terminator: Option<u8>, out: &mut Vec<u8>) {
        out.push(self.marker());
        match self {
            Component::Undefined | Component::Null | Component::Bool(_) => {}
            Component::Number(number) => out.extend_from_slice(&number.to_le_bytes()),
            Component::Text(text) => {
                out.extend_from_slice(text.as_bytes());
                out.extend(terminator);
            }
        }
    }

    fn marker(&self) -> u8 {
        match self {
            Component::Undefined => 0x00,
            Component::Null => 0x01,
            Component::Bool(false) => 0x02,
            Component::Bool(true) => 0x03,
            Component::Number(_) => NUMBER,
            Component::Text(_) => TEXT,
        }
    }

    /// V1's own length limit; half of a character outside the basic plane becomes U+FFFD.
    fn cut(&self) -> Component {
        match self {
            Component::Text(text) => {
                let units: Vec<u16> = text.encode_utf16().take(V1_TEXT_UNITS).collect();
                Component::Text(String::from_utf16_lossy(&units))
            }
            other => other.clone(),
        }
    }

    /// So that the bytes compare as the values do.
    fn write_in_order(&self, out: &mut Vec<u8>) {
        out.push(self.marker());
        match self {
            Component::Undefined | Component::Null | Component::Bool(_) => {}
            Component::Number(number) => write_number_in_order(*number, out),
            Component::Text(text) => write_text_in_order(text, out),
        }
    }
}

/// Eight bits, then seven a byte with a last bit that says whether more follow.
fn write_number_in_order(number: f64, out: &mut Vec<u8>) {
    const SIGN: u64 = 1 << 63;
    let bits = number.to_bits();
    let mut payload = if bits < SIGN { bits ^ SIGN } else { (!bits).wrapping_add(1) };
    out.push((payload >> 56) as u8);
    payload <<= 8;
    loop {
        let byte = (payload >> 56) as u8 | 1;
        payload <<= 7;
        if payload == 0 {
            out.push(byte & 0xfe);
            return;
        }
        out.push(byte);
    }
}

/// Every byte one higher, so that the terminator is below all of them; what is cut has none.
fn write_text_in_order(text: &str, out: &mut Vec<u8>) {
    const MAX_BYTES: usize = 100;
    let bytes = text.as_bytes();
    let is_short = bytes.len() <= MAX_BYTES;
    let kept = if is_short { bytes } else { &bytes[..=MAX_BYTES] };
    out.extend(kept.iter().map(|byte| byte.saturating_add(1)));
    if is_short {
        out.push(0);
    }
}

/// MurmurHash3 x86 32-bit, seed 0.
fn murmur3_x86_32(input: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mix = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let mut hash = 0u32;
    let (blocks, tail) = input.as_chunks::<4>();
    for block in blocks {
        hash ^= mix(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let mut rest = [0; 4];
    rest[..tail.len()].copy_from_slice(tail);
    hash ^= mix(u32::from_le_bytes(rest));
    hash ^= input.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// MurmurHash3 x64 128-bit, seed 0, as its two halves in little endian.
fn murmur3_x64_128(input: &[u8]) -> [u8; 16] {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let halves = |block: [u8; 16]| {
        let both = u128::from_le_bytes(block);
        (both as u64, (both >> 64) as u64)
    };
    let (mut h1, mut h2) = (0u64, 0u64);
    let (blocks, tail) = input.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(*block);
        h1 = (h1 ^ mix1(k1)).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mix2(k2)).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut rest = [0; 16];
    rest[..tail.len()].copy_from_slice(tail);
    let (k1, k2) = halves(rest);
    h1 ^= mix1(k1) ^ input.len() as u64;
    h2 ^= mix2(k2) ^ input.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (u128::from(h1) | u128::from(h2) << 64).to_le_bytes()
}

fn finish(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::cosmos::partition;

    fn text(text: &str) -> Component {
        Component::Text(text.to_owned())
    }

    /// Two keys whose effective partition keys are known from SDKs (cosmos.md §4.4).
    #[test]
    fn effective_partition_keys_are_the_sdks() {
        for (key, known) in
            [("customer42", "19819C94CE42A1654CCC8110539D9589"), ("a", "3A5381E1114EB8D3FCC90795045B49B7")]
        {
            assert_eq!(printed(&effective(Hashing::V2, &[text(key)])), known, "{key}");
        }
        let hierarchical = effective(Hashing::Multi, &[text("customer42"), text("a")]);
        assert_eq!(
            printed(&hierarchical),
            "19819C94CE42A1654CCC8110539D95893A5381E1114EB8D3FCC90795045B49B7"
        );
    }

    #[test]
    fn v1_keeps_the_value_behind_its_hash() {
        let short = effective(Hashing::V1, &[text("ab")]);
        assert_eq!(short[0], NUMBER);
        assert!(short.ends_with(&[TEXT, b'b', b'c', 0]), "{short:02x?}");
        let long = effective(Hashing::V1, &[text(&"x".repeat(300))]);
        assert!(long.ends_with(&[&[TEXT][..], &[b'y'; 100], &[0]].concat()), "{long:02x?}");
    }

    /// Data published with the .NET SDK, read from beside the repository where it is there. It was made by a
    /// class that puts no terminator behind a text, unlike the service; the rest is the same.
    #[test]
    fn hashes_agree_with_the_published_vectors() {
        let above = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut folders = above.map(|it| it.join("shared/vectors/cosmos/partition-key-hash"));
        let Some(files) = folders.find_map(|folder| std::fs::read_dir(folder).ok()) else {
            println!("left out: no folder above this one has shared/vectors");
            return;
        };
        let mut compared = 0;
        for file in files {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("is text");
            for result in text.split("<Result>").skip(1) {
                compared += usize::from(agrees(result));
            }
        }
        assert!(compared >= 20, "only {compared} vectors were compared");
    }

    /// False where the value is a number that JSON does not have, which no key can be.
    fn agrees(result: &str) -> bool {
        let field = |name: &str| {
            let (_, rest) = result.split_once(&format!("<{name}>")).expect("a field");
            let value = rest.split_once(&format!("</{name}>")).expect("its end").0;
            value.trim_start_matches("<![CDATA[").trim_end_matches("]]>").replace("&quot;", "\"")
        };
        let value = field("PartitionKeyValue");
        if ["\"NaN\"", "\"Infinity\"", "\"-Infinity\""].contains(&value.as_str()) {
            return false;
        }
        let key = if value.starts_with('[') { value.clone() } else { format!("[{value}]") };
        let key = key.replace("UNDEFINED", "{}");
        let Ok(components) = partition::parse_header(&key) else { return false };
        let dashed =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join("-");
        let hashes_v2: Vec<u8> =
            components.iter().flat_map(|it| hash_v2(std::slice::from_ref(it), None)).collect();
        assert_eq!(dashed(&hashes_v2), field("PartitionKeyHashV2"), "V2 of {value}");
        let hashes_v1: Vec<u8> =
            components.iter().flat_map(|it| u128::from(hash_v1(&[it.cut()], None)).to_be_bytes()).collect();
        assert_eq!(dashed(&hashes_v1), field("PartitionKeyHashV1"), "V1 of {value}");
        true
    }
}
