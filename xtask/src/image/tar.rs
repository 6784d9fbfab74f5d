//! A tape archive, as small as an image needs it (POSIX.1-1988's `ustar`): directories and files, all of them root's, all of one time.
//!
//! Nothing of the machine that writes it gets in, so the same entries are the same bytes everywhere.

/// A header, and what every file is filled up to.
const BLOCK: usize = 512;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// Adds a directory. Its parents must be there already.
    pub(super) fn directory(&mut self, path: &str, mode: u32) {
        self.0.extend(header(&format!("{path}/"), mode, 0, b'5'));
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.0.extend(header(path, mode, bytes.len(), b'0'));
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }

    /// The whole archive: two empty blocks end it.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}

/// Where a header's fields are, and how long; numbers are octal text that ends with a zero.
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const TIME: (usize, usize) = (136, 12);
const SUM: (usize, usize) = (148, 8);
const KIND: usize = 156;
const MAGIC: (usize, &[u8]) = (257, b"ustar\x0000");

fn header(path: &str, mode: u32, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    assert!(path.len() <= NAME.1, "an image's paths are short");
    header[..path.len()].copy_from_slice(path.as_bytes());
    for ((at, length), number) in [(MODE, mode as usize), (UID, 0), (GID, 0), (SIZE, size), (TIME, 0)] {
        let text = format!("{number:0width$o}", width = length - 1);
        header[at..at + length - 1].copy_from_slice(text.as_bytes());
    }
    header[KIND] = kind;
    header[MAGIC.0..MAGIC.0 + MAGIC.1.len()].copy_from_slice(MAGIC.1);
    // Of the header with blanks in the sum's own place.
    header[SUM.0..SUM.0 + SUM.1].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[SUM.0..SUM.0 + SUM.1].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_systems_own_tar_reads_what_is_written() {
        let mut tar = Tar::default();
        tar.directory("data", 0o700);
        tar.file("data/empty", 0o600, b"");
        tar.file("data/word", 0o644, b"word");
        let mut child = Command::new("tar")
            .args(["--list", "--verbose", "--numeric-owner", "--utc", "--file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar is here");
        child.stdin.take().expect("a pipe").write_all(&tar.end()).expect("writes");
        let listed = child.wait_with_output().expect("ends");
        let listed = String::from_utf8(listed.stdout).expect("text");
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        let time = ["1970-01-01", "00:00"];
        assert_eq!(lines[0], [&["drwx------", "0/0", "0"][..], &time, &["data/"]].concat());
        assert_eq!(lines[1], [&["-rw-------", "0/0", "0"][..], &time, &["data/empty"]].concat());
        assert_eq!(lines[2], [&["-rw-r--r--", "0/0", "4"][..], &time, &["data/word"]].concat());
    }
}
