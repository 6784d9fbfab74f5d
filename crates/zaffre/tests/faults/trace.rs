//! What a process did to its files, as preload.c wrote it down, and what a disk may hold of it if the power goes.
//!
//! The rules are those that a program may rely on, no more: bytes of a file are there for certain once that file was
//! flushed after they were written; a name is, once its folder was. Of what was not flushed anything may be
//! missing: each write, or each page of one. Names in one folder are missing from some moment on. A file's being
//! flushed does not keep its name.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::Chance;

/// A file, whatever it is called.
type FileId = u64;

#[derive(Debug)]
enum Op {
    Write { file: FileId, at: u64, bytes: Vec<u8> },
    SetLength { file: FileId, length: u64 },
    SyncFile(FileId),
    SyncFolder(String),
    Name(Naming),
    Acknowledge(String),
}

/// What changes in a folder.
#[derive(Debug)]
enum Naming {
    Create { path: String, file: FileId },
    Remove { path: String },
    Rename { from: String, to: String },
    Folder { path: String },
}

impl Naming {
    fn folder(&self) -> &str {
        match self {
            Naming::Create { path, .. } | Naming::Remove { path } | Naming::Folder { path } => {
                folder_of(path)
            }
            Naming::Rename { to, .. } => folder_of(to),
        }
    }
}

/// The path once a file or a folder was renamed; none if it stays what it was.
fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = path.strip_prefix(from)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
}

fn rename(names: &mut BTreeMap<String, FileId>, from: &str, to: &str) {
    let renamed: Vec<_> = names.keys().filter_map(|it| Some((it.clone(), moved(it, from, to)?))).collect();
    for (old, new) in renamed {
        if let Some(file) = names.remove(&old) {
            names.insert(new, file);
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A history of a directory.
pub(super) struct Trace {
    ops: Vec<Op>,
    /// For each of them, when what it did was certainly on disk.
    safe_at: Vec<usize>,
}

/// What becomes of what was not flushed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loss {
    /// All of it is gone.
    All,
    /// All of it is there: the process died, and the power stayed.
    Nothing,
    /// Some writes are there, whole.
    Writes,
    /// Some pages are there.
    Pages,
}

pub(super) const LOSSES: [Loss; 4] = [Loss::All, Loss::Nothing, Loss::Writes, Loss::Pages];
const PAGE: usize = 4096;

impl Trace {
    /// `acks` is the file in the directory whose lines are acknowledgements and that belongs to no disk.
    pub(super) fn read(path: &Path, acks: &str) -> io::Result<Self> {
        let ops = Reading { acks, ..Reading::default() }.all(&fs::read(path)?);
        let safe_at = safe_at(&ops);
        Ok(Trace { ops, safe_at })
    }

    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// How many calls made something safe.
    pub(super) fn syncs(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::SyncFile(_) | Op::SyncFolder(_))).count()
    }

    /// The acknowledgements before a moment.
    pub(super) fn acknowledged(&self, cut: usize) -> impl Iterator<Item = &str> {
        self.ops[..cut].iter().filter_map(|op| match op {
            Op::Acknowledge(line) => Some(line.as_str()),
            _ => None,
        })
    }

    /// Makes a directory as the disk may hold it after the power went at a moment.
    pub(super) fn replay(&self, cut: usize, loss: Loss, chance: &mut Chance, dir: &Path) -> io::Result<()> {
        let mut disk = Disk::default();
        let mut ended = BTreeSet::new();
        for (index, op) in self.ops[..cut].iter().enumerate() {
            let is_safe = self.safe_at[index] < cut;
            match op {
                Op::Write { file, at, bytes } if is_safe => disk.write(*file, *at, bytes),
                Op::Write { file, at, bytes } => disk.write_some(*file, *at, bytes, loss, chance),
                Op::SetLength { file, length } => {
                    if is_safe || loss.keeps(chance) {
                        disk.set_length(*file, *length);
                    }
                }
                Op::Name(naming) => {
                    // Names in one folder reach the disk in their order, up to some moment.
                    let folder = naming.folder();
                    if is_safe || !ended.contains(folder) && loss.keeps(chance) {
                        disk.name(naming);
                    } else {
                        ended.insert(folder.to_owned());
                    }
                }
                Op::SyncFile(_) | Op::SyncFolder(_) | Op::Acknowledge(_) => {}
            }
        }
        disk.make(dir)
    }
}

impl Loss {
    fn keeps(self, chance: &mut Chance) -> bool {
        match self {
            Loss::All => false,
            Loss::Nothing => true,
            Loss::Writes | Loss::Pages => chance.coin(),
        }
    }
}

fn safe_at(ops: &[Op]) -> Vec<usize> {
    let (mut files, mut folders) = (HashMap::new(), HashMap::new());
    let mut safe_at = vec![usize::MAX; ops.len()];
    for (index, op) in ops.iter().enumerate().rev() {
        let safe = match op {
            Op::SyncFile(file) => {
                files.insert(*file, index);
                None
            }
            Op::SyncFolder(folder) => {
                folders.insert(folder.as_str(), index);
                None
            }
            Op::Write { file, .. } | Op::SetLength { file, .. } => files.get(file),
            Op::Name(naming) => folders.get(naming.folder()),
            Op::Acknowledge(_) => None,
        };
        if let Some(safe) = safe {
            safe_at[index] = *safe;
        }
    }
    safe_at
}

#[derive(Default)]
struct Disk {
    folders: BTreeSet<String>,
    names: BTreeMap<String, FileId>,
    files: HashMap<FileId, (Vec<u8>, u64)>,
}

impl Disk {
    fn write(&mut self, file: FileId, at: u64, bytes: &[u8]) {
        let (content, length) = self.files.entry(file).or_default();
        let end = at as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[at as usize..end].copy_from_slice(bytes);
        *length = (*length).max(end as u64);
    }

    fn write_some(&mut self, file: FileId, at: u64, bytes: &[u8], loss: Loss, chance: &mut Chance) {
        if loss != Loss::Pages {
            if loss.keeps(chance) {
                self.write(file, at, bytes);
            }
            return;
        }
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes.len().min(start + PAGE - (at as usize + start) % PAGE);
            if chance.coin() {
                self.write(file, at + start as u64, &bytes[start..end]);
            }
            start = end;
        }
    }

    fn set_length(&mut self, file: FileId, to: u64) {
        let (content, length) = self.files.entry(file).or_default();
        content.truncate(to as usize);
        *length = to;
    }

    fn name(&mut self, naming: &Naming) {
        match naming {
            Naming::Create { path, file } => {
                self.names.insert(path.clone(), *file);
            }
            Naming::Remove { path } => {
                self.names.remove(path);
            }
            Naming::Rename { from, to } => {
                rename(&mut self.names, from, to);
                let inside = |folder: &String| moved(folder, from, to);
                self.folders =
                    self.folders.iter().map(|it| inside(it).unwrap_or_else(|| it.clone())).collect();
            }
            Naming::Folder { path } => {
                self.folders.insert(path.clone());
            }
        }
    }

    fn make(&self, dir: &Path) -> io::Result<()> {
        // In order, so that a folder comes before what is in it; one that is missing takes along what was in it.
        for folder in &self.folders {
            let _ = fs::create_dir(dir.join(folder));
        }
        let empty = (Vec::new(), 0);
        for (path, file) in &self.names {
            let path = dir.join(path);
            if !path.parent().is_some_and(Path::is_dir) {
                continue;
            }
            let (content, length) = self.files.get(file).unwrap_or(&empty);
            let file = fs::File::create(path)?;
            file.write_all_at(content, 0)?;
            file.set_len(*length)?;
        }
        Ok(())
    }
}

/// From what the library wrote to what happened.
#[derive(Default)]
struct Reading<'a> {
    acks: &'a str,
    ops: Vec<Op>,
    /// Inodes are used again; these are not.
    ids: HashMap<u64, FileId>,
    names: BTreeMap<String, FileId>,
    next: FileId,
}

const CREATED: u8 = 1;
const EMPTIED: u8 = 2;
const DIRECTORY: u8 = 4;

impl Reading<'_> {
    fn all(mut self, mut rest: &[u8]) -> Vec<Op> {
        while let Some((head, behind)) = rest.split_first_chunk::<32>() {
            let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
            let length = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
            let (path, behind) = behind.split_at(length(2));
            let (second, behind) = behind.split_at(length(4));
            let (bytes, behind) = behind.split_at(number(24) as usize);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.one(head[0], head[1], text(path), text(second), number(8), number(16), bytes);
            rest = behind;
        }
        self.ops
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the record")]
    fn one(&mut self, kind: u8, flags: u8, path: String, second: String, inode: u64, at: u64, bytes: &[u8]) {
        if path == self.acks {
            if kind == b'W' {
                self.ops.push(Op::Acknowledge(String::from_utf8_lossy(bytes).trim_end().to_owned()));
            }
            return;
        }
        match kind {
            b'O' => self.open(path, flags, inode),
            b'W' => {
                let file = self.file(&path, inode);
                self.ops.push(Op::Write { file, at, bytes: bytes.to_vec() });
            }
            b'T' => {
                let file = self.file(&path, inode);
                self.ops.push(Op::SetLength { file, length: at });
            }
            b'S' if flags & DIRECTORY != 0 => self.ops.push(Op::SyncFolder(path)),
            b'S' => {
                let file = self.file(&path, inode);
                self.ops.push(Op::SyncFile(file));
            }
            b'R' => self.rename(path, second),
            b'U' => {
                self.names.remove(&path);
                self.ops.push(Op::Name(Naming::Remove { path }));
            }
            b'M' => self.ops.push(Op::Name(Naming::Folder { path })),
            other => panic!("the library writes no record `{other}`"),
        }
    }

    fn open(&mut self, path: String, flags: u8, inode: u64) {
        if flags & CREATED != 0 {
            self.create(path, inode);
            return;
        }
        let file = self.file(&path, inode);
        if flags & EMPTIED != 0 {
            self.ops.push(Op::SetLength { file, length: 0 });
        }
    }

    fn create(&mut self, path: String, inode: u64) -> FileId {
        self.next += 1;
        let file = self.next;
        self.ids.insert(inode, file);
        self.names.insert(path.clone(), file);
        self.ops.push(Op::Name(Naming::Create { path, file }));
        file
    }

    /// The file of an inode. One that is known by another name was renamed without the library's seeing it.
    fn file(&mut self, path: &str, inode: u64) -> FileId {
        let path = path.trim_end_matches(" (deleted)");
        let Some(file) = self.ids.get(&inode).copied() else { return self.create(path.to_owned(), inode) };
        let known = self.names.iter().find(|(_, named)| **named == file).map(|(name, _)| name.clone());
        if let Some(known) = known.filter(|known| known != path) {
            self.rename(known, path.to_owned());
        }
        file
    }

    fn rename(&mut self, from: String, to: String) {
        rename(&mut self.names, &from, &to);
        self.ops.push(Op::Name(Naming::Rename { from, to }));
    }
}
