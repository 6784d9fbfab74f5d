//! The two checksums of a body on its way in: MD5, and CRC-64/NVME (blob.md §9).

use azure::{error::Result, text};
use md5::{Digest, Md5};

use super::codes;
use crate::service::Parts;

/// What the client says the body's checksum is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) md5: Option<[u8; 16]>,
    crc64: Option<u64>,
}

impl Expected {
    pub(super) fn of(parts: &Parts) -> Result<Self> {
        let (md5, crc64) = (parts.header("content-md5"), parts.header("x-ms-content-crc64"));
        if md5.is_some() && crc64.is_some() {
            return Err(codes::BOTH_CHECKSUMS.bare());
        }
        Ok(Expected { md5: md5.map(parse_md5).transpose()?, crc64: crc64.map(parse_crc64).transpose()? })
    }
}

pub(super) fn parse_md5(text: &str) -> Result<[u8; 16]> {
    text::base64_decode(text).and_then(|it| it.try_into().ok()).ok_or_else(|| codes::INVALID_MD5.bare())
}

fn parse_crc64(text: &str) -> Result<u64> {
    let bytes: Option<[u8; 8]> = text::base64_decode(text).and_then(|it| it.try_into().ok());
    let refused =
        || codes::INVALID_HEADER.bare().and("HeaderName", "x-ms-content-crc64").and("HeaderValue", text);
    bytes.map(u64::from_le_bytes).ok_or_else(refused)
}

/// Both checksums of what has passed by. The CRC is left out where the client gave an MD5: then nobody asks.
pub(super) struct Running {
    md5: Md5,
    crc64: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) md5: [u8; 16],
    crc64: Option<u64>,
}

impl Running {
    pub(super) fn new(expected: Expected) -> Self {
        Running { md5: Md5::new(), crc64: expected.md5.is_none().then_some(!0) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc64 = self.crc64.map(|crc| crc64(crc, bytes));
    }

    pub(super) fn finish(self) -> Sums {
        Sums { md5: self.md5.finalize().into(), crc64: self.crc64.map(|crc| !crc) }
    }
}

impl Sums {
    pub(super) fn check(&self, expected: Expected) -> Result<()> {
        if let Some(md5) = expected.md5.filter(|md5| *md5 != self.md5) {
            let error = codes::MD5_MISMATCH.bare();
            return Err(error
                .and("UserSpecifiedMd5", text::base64(md5))
                .and("ServerCalculatedMd5", text::base64(self.md5)));
        }
        match (expected.crc64, self.crc64) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(codes::CRC64_MISMATCH
                .bare()
                .and("UserSpecifiedCrc64", text::base64(theirs.to_le_bytes()))
                .and("ServerCalculatedCrc64", text::base64(ours.to_le_bytes()))),
            _ => Ok(()),
        }
    }

    pub(super) fn crc64_text(&self) -> Option<String> {
        self.crc64.map(|crc| text::base64(crc.to_le_bytes()))
    }
}

/// CRC-64/NVME, reflected, eight bytes a step.
fn crc64(mut crc: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = crc ^ u64::from_le_bytes(*chunk);
        crc = word
            .to_le_bytes()
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |sum, (byte, table)| sum ^ table[*byte as usize]);
    }
    rest.iter().fold(crc, |crc, byte| TABLES[0][((crc as u8) ^ byte) as usize] ^ (crc >> 8))
}

/// `TABLES[k][b]` is what byte `b` does to the sum from `k` bytes before the end of a step.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    // The polynomial 0xAD93D23594C93659, its bits reversed.
    const REVERSED: u64 = 0x9A6C_9329_AC4B_C9B5;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ REVERSED } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_nvme_one_in_steps_and_in_single_bytes() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms.
        assert_eq!(!crc64(!0, b"123456789"), 0xAE8B_1486_0A79_9888);
        let bytes: Vec<u8> = (0..=255).collect();
        let in_steps = crc64(!0, &bytes);
        let one_by_one = bytes.iter().fold(!0, |crc, byte| crc64(crc, &[*byte]));
        assert_eq!(in_steps, one_by_one);
    }

    #[test]
    fn a_wrong_sum_is_refused_with_both_values() {
        let expected = Expected { md5: Some([0; 16]), crc64: None };
        let mut running = Running::new(expected);
        running.update(b"hello");
        let error = running.finish().check(expected).expect_err("differs");
        assert_eq!(error.extra("ServerCalculatedMd5"), Some("XUFAKrxLKna5cZ2REBfFkg=="));
    }
}
