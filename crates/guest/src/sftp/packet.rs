//! Packets as bytes: big-endian numbers, and strings with their length before them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What is left of a packet that is read. Every reader gives nothing where the packet ends too early.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields(bytes)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|it| it[0])
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }

    /// A path as the client wrote it; an empty one is where the session began.
    pub(super) fn path(&mut self) -> Option<PathBuf> {
        match self.bytes()? {
            [] => Some(PathBuf::from(".")),
            bytes => Some(PathBuf::from(OsStr::from_bytes(bytes))),
        }
    }
}

/// A packet that is written.
pub(super) struct Packet(Vec<u8>);

impl Packet {
    pub(super) fn new(kind: u8) -> Packet {
        Packet(vec![0, 0, 0, 0, kind])
    }

    pub(super) fn number(mut self, number: u32) -> Packet {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, number: u64) -> Packet {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn bytes(self, bytes: impl AsRef<[u8]>) -> Packet {
        let bytes = bytes.as_ref();
        let mut packet = self.number(u32::try_from(bytes.len()).expect("a packet is far below 4 GiB"));
        packet.0.extend(bytes);
        packet
    }

    /// With its length before it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).expect("a packet is far below 4 GiB");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}
