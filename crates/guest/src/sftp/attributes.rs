//! A file's attributes: which of them a packet says, how they are read from a file, and how they are given to one.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Timespec, Timestamps, Uid};

use super::packet::{Fields, Packet};

const SIZE: u32 = 0x1;
const OWNERS: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const TIMES: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// What a client says of a file; the rest stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    size: Option<u64>,
    /// The user and the group.
    owners: Option<(u32, u32)>,
    permissions: Option<u32>,
    /// Of the last access, and of the last change, in seconds.
    times: Option<(u32, u32)>,
}

/// The file whose attributes are to change.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Open(&'a File),
    At(&'a Path),
    /// The link itself, where the path leads to one.
    Link(&'a Path),
}

impl Attributes {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Attributes> {
        let flags = fields.number()?;
        let mut attributes = Attributes::default();
        if flags & SIZE != 0 {
            attributes.size = Some(fields.long()?);
        }
        if flags & OWNERS != 0 {
            attributes.owners = Some((fields.number()?, fields.number()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(fields.number()? & 0o7777);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((fields.number()?, fields.number()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..fields.number()? {
                fields.bytes()?;
                fields.bytes()?;
            }
        }
        Some(attributes)
    }

    pub(super) fn permissions(&self) -> Option<u32> {
        self.permissions
    }

    /// Gives them to a file: the size first, since writing changes times, and the owners before the permissions, which they clear.
    pub(super) fn give(&self, target: Target<'_>) -> io::Result<()> {
        if let Some(size) = self.size {
            target.resize(size)?;
        }
        if let Some((user, group)) = self.owners {
            target.own(Uid::from_raw(user), Gid::from_raw(group))?;
        }
        if let Some(mode) = self.permissions {
            target.permit(mode)?;
        }
        if let Some((accessed, changed)) = self.times {
            target.date(accessed, changed)?;
        }
        Ok(())
    }
}

impl Target<'_> {
    fn resize(self, size: u64) -> io::Result<()> {
        match self {
            Target::Open(file) => file.set_len(size),
            Target::At(path) => File::options().write(true).open(path)?.set_len(size),
            Target::Link(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    fn own(self, user: Uid, group: Gid) -> io::Result<()> {
        let owners = (Some(user), Some(group));
        let result = match self {
            Target::Open(file) => rustix::fs::fchown(file, owners.0, owners.1),
            Target::At(path) => rustix::fs::chownat(CWD, path, owners.0, owners.1, AtFlags::empty()),
            Target::Link(path) => {
                rustix::fs::chownat(CWD, path, owners.0, owners.1, AtFlags::SYMLINK_NOFOLLOW)
            }
        };
        Ok(result?)
    }

    fn permit(self, mode: u32) -> io::Result<()> {
        let permissions = Permissions::from_mode(mode);
        match self {
            Target::Open(file) => file.set_permissions(permissions),
            Target::At(path) => std::fs::set_permissions(path, permissions),
            // Linux keeps none for a link.
            Target::Link(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    fn date(self, accessed: u32, changed: u32) -> io::Result<()> {
        let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let times = Timestamps { last_access: at(accessed), last_modification: at(changed) };
        let result = match self {
            Target::Open(file) => rustix::fs::futimens(file, &times),
            Target::At(path) => rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()),
            Target::Link(path) => rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW),
        };
        Ok(result?)
    }
}

/// All of a file's, into a packet.
pub(super) fn write(packet: Packet, file: &Metadata) -> Packet {
    // The protocol's times are 32 bits wide.
    let seconds = |time: i64| u32::try_from(time).unwrap_or(0);
    packet
        .number(SIZE | OWNERS | PERMISSIONS | TIMES)
        .long(file.len())
        .number(file.uid())
        .number(file.gid())
        .number(file.mode())
        .number(seconds(file.atime()))
        .number(seconds(file.mtime()))
}

/// None of them, where only a name is asked for.
pub(super) fn none(packet: Packet) -> Packet {
    packet.number(0)
}
