//! DER, as far as it is written here: values with their tag and length, and the few that a certificate or
//! a signed message is made of (X.690).
//!
//! Reading is one function, which splits off the first value of some bytes.

pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const IA5_STRING: u8 = 0x16;
pub const UTC_TIME: u8 = 0x17;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// A value: its tag, its length, its content.
pub fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let used = bytes.iter().position(|byte| *byte != 0).map_or(&bytes[..0], |at| &bytes[at..]);
            out.push(0x80 | used.len() as u8);
            out.extend_from_slice(used);
        }
    }
    out.extend_from_slice(content);
    out
}

pub fn sequence<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// A set of values, in the order that DER demands.
pub fn set_of(mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    value(SET, &members.concat())
}

/// An object identifier, by its arcs.
pub fn oid(arcs: &[u64]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return value(0x06, &[]) };
    let mut content = base_128(first * 40 + second);
    content.extend(rest.iter().flat_map(|arc| base_128(*arc)));
    value(0x06, &content)
}

fn base_128(mut arc: u64) -> Vec<u8> {
    let mut out = vec![(arc & 0x7f) as u8];
    while arc > 0x7f {
        arc >>= 7;
        out.push(0x80 | (arc & 0x7f) as u8);
    }
    out.reverse();
    out
}

/// A value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// The first value of some bytes, and what follows it. Tags above 30 are not read.
pub fn read(bytes: &[u8]) -> Option<(Read<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (digits, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|it| it.0.len() <= 4)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Read { tag, content, whole: &bytes[..bytes.len() - rest.len()] }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_identifiers_are_as_the_standard_writes_them() {
        assert_eq!(value(OCTET_STRING, &[1, 2]), [4, 2, 1, 2]);
        assert_eq!(value(OCTET_STRING, &[0; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(value(OCTET_STRING, &[0; 0x1234])[..4], [4, 0x82, 0x12, 0x34]);
        // RFC 5652: id-signedData.
        let signed_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
        assert_eq!(oid(&[1, 2, 840, 113549, 1, 7, 2]), signed_data);
        assert_eq!(set_of(vec![vec![5, 0], vec![2, 1, 9], vec![2, 1, 7]]), [0x31, 8, 2, 1, 7, 2, 1, 9, 5, 0]);
    }

    #[test]
    fn what_was_written_is_read_and_what_is_cut_short_is_not() {
        for length in [0, 1, 0x7f, 0x80, 0x100, 0x1_0000] {
            let content = vec![7; length];
            let written = value(SEQUENCE, &content);
            let (read_back, rest) = read(&written).expect("is whole");
            assert_eq!((read_back.tag, read_back.content, rest), (SEQUENCE, &content[..], &[][..]));
            assert_eq!(read_back.whole, written);
            for cut in [0, 1, written.len() - 1] {
                assert!(read(&written[..cut]).is_none(), "{length} cut to {cut}");
            }
        }
        assert!(read(&[0x30, 0xff]).is_none());
    }
}
