//! One client's requests: a row each, and the files and directories that it has open.

use std::fs::{File, ReadDir};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::attributes::{self, Attributes, Target};
use super::listing::Names;
use super::packet::{Fields, Packet};
use super::{PACKET_MAX, PIECE_MAX};

const INIT: u8 = 1;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRIBUTES: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

/// The version that is spoken, whatever newer ones the client knows.
const THIRD: u32 = 3;

/// As many as OpenSSH's own server takes.
const HANDLES_MAX: usize = 1 << 10;
/// Names in one answer: a packet of a hundred is far below what any client takes.
const NAMES_AT_ONCE: usize = 100;

#[derive(Default)]
pub(super) struct Session {
    /// By the number that the client has for it; a place is used again once it is free.
    open: Vec<Option<Open>>,
    names: Names,
}

enum Open {
    File { file: File, appends: bool },
    Directory { path: PathBuf, entries: ReadDir },
}

/// Why a request was not done.
enum Problem {
    /// The directory, or the file, is at its end.
    End,
    /// The packet is not what it says that it is.
    Malformed,
    Unsupported,
    Io(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        Problem::Io(error)
    }
}

impl From<rustix::io::Errno> for Problem {
    fn from(error: rustix::io::Errno) -> Problem {
        Problem::Io(error.into())
    }
}

impl Problem {
    /// The number and the words of a status (draft §7).
    fn status(&self) -> (u32, String) {
        match self {
            Problem::End => (1, "End of file".to_owned()),
            Problem::Malformed => (5, "Bad message".to_owned()),
            Problem::Unsupported => (8, "Operation unsupported".to_owned()),
            Problem::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => (2, "No such file".to_owned()),
                io::ErrorKind::PermissionDenied => (3, "Permission denied".to_owned()),
                io::ErrorKind::Unsupported => (8, "Operation unsupported".to_owned()),
                // Clients print the words of OpenSSH's server for all the others; what went wrong says more.
                _ => (4, error.to_string()),
            },
        }
    }
}

type Outcome = Result<Answer, Problem>;

/// What an answer carries after the request's number.
enum Answer {
    Done,
    Packet(u8, Box<dyn FnOnce(Packet) -> Packet>),
}

fn packet(kind: u8, fill: impl FnOnce(Packet) -> Packet + 'static) -> Outcome {
    Ok(Answer::Packet(kind, Box::new(fill)))
}

type Request = fn(&mut Session, &mut Fields<'_>) -> Outcome;

/// By the packet's kind (draft §3).
static REQUESTS: &[(u8, Request)] = &[
    (3, Session::open),
    (4, Session::close),
    (5, Session::read),
    (6, Session::write),
    (7, Session::lstat),
    (8, Session::fstat),
    (9, Session::setstat),
    (10, Session::fsetstat),
    (11, Session::opendir),
    (12, Session::readdir),
    (13, Session::remove),
    (14, Session::mkdir),
    (15, Session::rmdir),
    (16, Session::realpath),
    (17, Session::stat),
    (18, Session::rename),
    (19, Session::readlink),
    (20, Session::symlink),
    (EXTENDED, Session::extended),
];

/// Extensions of OpenSSH's server: the name, the version, the request.
static EXTENSIONS: &[(&str, &str, Request)] = &[
    ("posix-rename@openssh.com", "1", Session::posix_rename),
    ("statvfs@openssh.com", "2", Session::statvfs),
    ("hardlink@openssh.com", "1", Session::hardlink),
    ("fsync@openssh.com", "1", Session::fsync),
    ("lsetstat@openssh.com", "1", Session::lsetstat),
    ("limits@openssh.com", "1", Session::limits),
    ("expand-path@openssh.com", "1", Session::expand_path),
];

impl Session {
    /// The answer to a packet, whatever it holds.
    pub(super) fn answer(&mut self, mut fields: Fields<'_>) -> Packet {
        let kind = fields.byte().unwrap_or_default();
        if kind == INIT {
            return hello();
        }
        let Some(id) = fields.number() else { return status(0, &Problem::Malformed) };
        let request = REQUESTS.iter().find(|(it, _)| *it == kind);
        let outcome = request.map_or(Err(Problem::Unsupported), |(_, request)| request(self, &mut fields));
        match outcome {
            Ok(Answer::Packet(kind, fill)) => fill(Packet::new(kind).number(id)),
            Ok(Answer::Done) => Packet::new(STATUS).number(id).number(0).bytes("Success").bytes(""),
            Err(problem) => status(id, &problem),
        }
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> Outcome {
        const READ: u32 = 0x1;
        const WRITE: u32 = 0x2;
        const APPEND: u32 = 0x4;
        const CREATE: u32 = 0x8;
        const TRUNCATE: u32 = 0x10;
        const EXCLUSIVE: u32 = 0x20;
        let (path, flags) = (path(fields)?, number(fields)?);
        let attributes = attributes(fields)?;
        let has = |flag| flags & flag != 0;
        let mut options = File::options();
        options.read(has(READ)).append(has(APPEND)).mode(attributes.permissions().unwrap_or(0o666));
        // Appending writes by itself, and refuses to be told to cut off what is there; made anew, there is nothing.
        options.write(has(WRITE) && !has(APPEND)).truncate(has(TRUNCATE) && !has(APPEND));
        options.create(has(CREATE)).create_new(has(CREATE) && has(EXCLUSIVE));
        self.keep(Open::File { file: options.open(path)?, appends: has(APPEND) })
    }

    /// Gives what was opened a number.
    fn keep(&mut self, open: Open) -> Outcome {
        let free = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if free >= HANDLES_MAX {
            return Err(Problem::Io(io::Error::from_raw_os_error(libc::EMFILE)));
        }
        if free == self.open.len() {
            self.open.push(None);
        }
        self.open[free] = Some(open);
        let number = u32::try_from(free).expect("there are few places");
        packet(HANDLE, move |it| it.bytes(number.to_be_bytes()))
    }

    /// Where a handle's file or directory is kept.
    fn place(&mut self, fields: &mut Fields<'_>) -> Result<&mut Option<Open>, Problem> {
        let handle = fields.bytes().ok_or(Problem::Malformed)?;
        let number = u32::from_be_bytes(handle.try_into().map_err(|_| Problem::Malformed)?);
        let place = self.open.get_mut(number as usize).filter(|it| it.is_some());
        place.ok_or_else(|| Problem::Io(io::Error::from_raw_os_error(libc::EBADF)))
    }

    fn file(&mut self, fields: &mut Fields<'_>) -> Result<(&mut File, bool), Problem> {
        match self.place(fields)? {
            Some(Open::File { file, appends }) => Ok((file, *appends)),
            _ => Err(Problem::Io(io::Error::from_raw_os_error(libc::EBADF))),
        }
    }

    fn close(&mut self, fields: &mut Fields<'_>) -> Outcome {
        *self.place(fields)? = None;
        Ok(Answer::Done)
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let (file, _) = self.file(fields)?;
        let (offset, length) = (long(fields)?, number(fields)?);
        let mut bytes = vec![0; length.min(PIECE_MAX) as usize];
        let read = file.read_at(&mut bytes, offset)?;
        if read == 0 && length > 0 {
            return Err(Problem::End);
        }
        bytes.truncate(read);
        packet(DATA, move |it| it.bytes(bytes))
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let (file, appends) = self.file(fields)?;
        let offset = long(fields)?;
        let bytes = fields.bytes().ok_or(Problem::Malformed)?;
        if appends {
            file.write_all(bytes)?
        } else {
            file.write_all_at(bytes, offset)?
        };
        Ok(Answer::Done)
    }

    fn stat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let file = std::fs::metadata(path(fields)?)?;
        packet(ATTRIBUTES, move |it| attributes::write(it, &file))
    }

    fn lstat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let file = std::fs::symlink_metadata(path(fields)?)?;
        packet(ATTRIBUTES, move |it| attributes::write(it, &file))
    }

    fn fstat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let file = match self.place(fields)? {
            Some(Open::File { file, .. }) => file.metadata()?,
            Some(Open::Directory { path, .. }) => path.metadata()?,
            None => return Err(Problem::Malformed),
        };
        packet(ATTRIBUTES, move |it| attributes::write(it, &file))
    }

    fn setstat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let path = path(fields)?;
        attributes(fields)?.give(Target::At(&path))?;
        Ok(Answer::Done)
    }

    fn lsetstat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let path = path(fields)?;
        attributes(fields)?.give(Target::Link(&path))?;
        Ok(Answer::Done)
    }

    fn fsetstat(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let (file, _) = self.file(fields)?;
        attributes(fields)?.give(Target::Open(file))?;
        Ok(Answer::Done)
    }

    fn opendir(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let path = path(fields)?;
        let entries = path.read_dir()?;
        self.keep(Open::Directory { path, entries })
    }

    fn readdir(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let Some(Open::Directory { entries, .. }) = self.place(fields)? else {
            return Err(Problem::Io(io::Error::from_raw_os_error(libc::ENOTDIR)));
        };
        let found: Vec<_> = entries.by_ref().take(NAMES_AT_ONCE).collect::<io::Result<_>>()?;
        if found.is_empty() {
            return Err(Problem::End);
        }
        // A file that has gone since is left out.
        let files = found.into_iter().filter_map(|it| Some((it.file_name(), it.metadata().ok()?)));
        let names = &mut self.names;
        let lines: Vec<_> =
            files.map(|(name, file)| (names.line(name.as_bytes(), &file), name, file)).collect();
        let count = u32::try_from(lines.len()).expect("there are few names");
        packet(NAME, move |it| {
            lines.into_iter().fold(it.number(count), |it, (line, name, file)| {
                attributes::write(it.bytes(name.as_bytes()).bytes(line), &file)
            })
        })
    }

    fn remove(&mut self, fields: &mut Fields<'_>) -> Outcome {
        std::fs::remove_file(path(fields)?)?;
        Ok(Answer::Done)
    }

    fn mkdir(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let path = path(fields)?;
        let mode = attributes(fields)?.permissions().unwrap_or(0o777);
        std::fs::DirBuilder::new().mode(mode).create(path)?;
        Ok(Answer::Done)
    }

    fn rmdir(&mut self, fields: &mut Fields<'_>) -> Outcome {
        std::fs::remove_dir(path(fields)?)?;
        Ok(Answer::Done)
    }

    fn realpath(&mut self, fields: &mut Fields<'_>) -> Outcome {
        one_name(&real(&path(fields)?)?)
    }

    /// The third version's never replaces what is there (draft §6.5).
    fn rename(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let (from, to) = (path(fields)?, path(fields)?);
        rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
        Ok(Answer::Done)
    }

    fn posix_rename(&mut self, fields: &mut Fields<'_>) -> Outcome {
        std::fs::rename(path(fields)?, path(fields)?)?;
        Ok(Answer::Done)
    }

    fn readlink(&mut self, fields: &mut Fields<'_>) -> Outcome {
        one_name(&std::fs::read_link(path(fields)?)?)
    }

    /// What it leads to comes first: OpenSSH has it the wrong way round, and every client by now (its PROTOCOL, §4.1).
    fn symlink(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let (target, link) = (path(fields)?, path(fields)?);
        symlink(target, link)?;
        Ok(Answer::Done)
    }

    fn hardlink(&mut self, fields: &mut Fields<'_>) -> Outcome {
        std::fs::hard_link(path(fields)?, path(fields)?)?;
        Ok(Answer::Done)
    }

    fn fsync(&mut self, fields: &mut Fields<'_>) -> Outcome {
        self.file(fields)?.0.sync_all()?;
        Ok(Answer::Done)
    }

    fn statvfs(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let it = rustix::fs::statvfs(path(fields)?)?;
        let numbers = [
            it.f_bsize,
            it.f_frsize,
            it.f_blocks,
            it.f_bfree,
            it.f_bavail,
            it.f_files,
            it.f_ffree,
            it.f_favail,
            it.f_fsid,
            it.f_flag.bits(),
            it.f_namemax,
        ];
        packet(EXTENDED_REPLY, move |it| numbers.into_iter().fold(it, Packet::long))
    }

    fn limits(&mut self, _fields: &mut Fields<'_>) -> Outcome {
        packet(EXTENDED_REPLY, |it| {
            let [packet, piece] = [PACKET_MAX, PIECE_MAX].map(u64::from);
            it.long(packet).long(piece).long(piece).long(HANDLES_MAX as u64)
        })
    }

    /// `~` and `~/...`, which scp sends as they are; another's home is not known.
    fn expand_path(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let path = path(fields)?;
        let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let expanded = match path.strip_prefix("~") {
            Ok(rest) => home().join(rest),
            Err(_) if path.as_os_str().as_bytes().starts_with(b"~") => return Err(Problem::Unsupported),
            Err(_) => path,
        };
        one_name(&real(&expanded)?)
    }

    fn extended(&mut self, fields: &mut Fields<'_>) -> Outcome {
        let name = fields.bytes().ok_or(Problem::Malformed)?;
        match EXTENSIONS.iter().find(|(it, ..)| it.as_bytes() == name) {
            Some((_, _, request)) => request(self, fields),
            None => Err(Problem::Unsupported),
        }
    }
}

fn hello() -> Packet {
    EXTENSIONS
        .iter()
        .fold(Packet::new(VERSION).number(THIRD), |it, (name, version, _)| it.bytes(name).bytes(version))
}

fn status(id: u32, problem: &Problem) -> Packet {
    let (code, words) = problem.status();
    Packet::new(STATUS).number(id).number(code).bytes(words).bytes("")
}

fn one_name(path: &Path) -> Outcome {
    let name = path.as_os_str().to_owned();
    packet(NAME, move |it| attributes::none(it.number(1).bytes(name.as_bytes()).bytes(name.as_bytes())))
}

/// A path from the root, without links. Its last part need not be there yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.file_name()) {
        (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(parent.canonicalize()?.join(name))
        }
        (result, _) => result,
    }
}

fn path(fields: &mut Fields<'_>) -> Result<PathBuf, Problem> {
    fields.path().ok_or(Problem::Malformed)
}

fn number(fields: &mut Fields<'_>) -> Result<u32, Problem> {
    fields.number().ok_or(Problem::Malformed)
}

fn long(fields: &mut Fields<'_>) -> Result<u64, Problem> {
    fields.long().ok_or(Problem::Malformed)
}

fn attributes(fields: &mut Fields<'_>) -> Result<Attributes, Problem> {
    Attributes::read(fields).ok_or(Problem::Malformed)
}
