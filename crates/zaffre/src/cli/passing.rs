//! Folders among the temporary files that go with the process that made them: when it ends, or where it was killed, when the next one begins.
//!
//! Who owns a folder holds a lock on a file in it, which the kernel takes back with the process, however that ends. So one whose lock can be had is
//! nobody's any more. Only what has our name, our mark and our user is looked at: a data directory that lies there is none of these.

use std::{
    env,
    fs::{self, File},
    io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

/// The locked file, by which such a folder is known.
const MARK: &str = ".passing";

/// A folder of this process alone. It goes with this value.
pub(super) struct Passing {
    path: PathBuf,
    _lock: File,
}

impl Passing {
    /// Makes `zaffre-KIND-PID`, or `zaffre-PID` without a kind, and takes away what killed processes left.
    pub(super) fn make(kind: &str) -> io::Result<Passing> {
        sweep();
        // A container's image need not have the folder of temporary files.
        fs::create_dir_all(env::temp_dir())?;
        Passing::make_in(&env::temp_dir(), kind)
    }

    fn make_in(place: &Path, kind: &str) -> io::Result<Passing> {
        let path = place.join(format!("zaffre-{kind}{}", std::process::id()));
        // A killed process of our number may have left its own; a link or a stranger's folder is an error below.
        let _ = fs::remove_dir_all(&path);
        loop {
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            let lock = File::create(path.join(MARK))?;
            lock.lock()?;
            // Who swept between these lines found it nobody's, and has taken it away.
            if path.join(MARK).exists() {
                return Ok(Passing { path, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where a socket lies whose own place has too long a name.
pub(super) fn socket() -> PathBuf {
    env::temp_dir().join(format!("zaffre-{}.sock", std::process::id()))
}

/// Takes away the folders and sockets of processes that are no more. What cannot be taken away stays, for the next one to try.
pub(super) fn sweep() {
    sweep_in(&env::temp_dir());
}

fn sweep_in(place: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.metadata().is_ok_and(|it| it.uid() == own);
        let name = entry.file_name().to_string_lossy().into_owned();
        match name.strip_prefix("zaffre-") {
            Some(rest) if is_ours => sweep_one(&entry.path(), rest),
            Some(_) | None => {}
        }
    }
}

fn sweep_one(path: &Path, rest: &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if let Some(number) = rest.strip_suffix(".sock") {
        if is_number(number) && is_deserted(path) {
            let _ = fs::remove_file(path);
        }
    } else if rest.rsplit('-').next().is_some_and(is_number)
        && let Ok(lock) = File::open(path.join(MARK))
        && lock.try_lock().is_ok()
    {
        let _ = fs::remove_dir_all(path);
    }
}

/// Whether it is a socket at which nobody listens.
fn is_deserted(path: &Path) -> bool {
    let is_socket = path.symlink_metadata().is_ok_and(|it| it.file_type().is_socket());
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).as_ref().is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn what_killed_processes_left_goes_and_everything_else_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        for name in ["zaffre-1", "zaffre-tour-2", "zaffre-data", "other-3", "zaffre-4"] {
            fs::create_dir_all(at(name).join("ca")).expect("makes it");
        }
        // As a kill leaves them; the last is a data directory, whose own lock nobody holds.
        for (name, mark) in
            [("zaffre-1", MARK), ("zaffre-tour-2", MARK), ("zaffre-data", MARK), ("zaffre-4", "lock")]
        {
            File::create(at(name).join(mark)).expect("writes");
        }
        drop(UnixDatagram::bind(at("zaffre-5.sock")).expect("listens"));
        let _listens = UnixDatagram::bind(at("zaffre-6.sock")).expect("listens");
        let living = Passing::make_in(place.path(), "").expect("makes it");
        sweep_in(place.path());
        let own = living.path().file_name().expect("a name").to_string_lossy().into_owned();
        let mut expected = vec!["other-3", "zaffre-4", "zaffre-6.sock", "zaffre-data", &own];
        expected.sort_unstable();
        assert_eq!(names(place.path()), expected);
        drop(living);
        assert!(!names(place.path()).contains(&own));
    }

    fn names(place: &Path) -> Vec<String> {
        let entries = fs::read_dir(place).expect("a folder").flatten();
        let mut names: Vec<String> =
            entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
