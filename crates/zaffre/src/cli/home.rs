//! The data directory, and the running cloud in it.
//!
//! ```text
//! store/ content/ ca/ guests/     what the cloud keeps
//! lock                            held while a cloud runs, by the kernel: gone with its process
//! run.json control.sock           where it is, while it runs
//! ssh_known_hosts                 the keys of its machines, as `zaffre vm ssh-config` last saw them
//! ```
//!
//! A cloud in memory keeps nothing here but the lock and `run.json`; its certificates and its socket lie in a folder of its own
//! among the temporary files, which goes when it does (`passing`).

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::passing;
use crate::{StartError, control::Run, front::ca::write_whole};

/// Sockets have short names: 108 bytes with the zero at the end (unix(7)).
const SOCKET_PATH_MAX: usize = 100;

pub(crate) struct Home {
    path: PathBuf,
    /// Whether the user named it, so that the lines to type next name it too.
    is_named: bool,
}

impl Home {
    /// `--data`, `$ZAFFRE_HOME`, else `$XDG_DATA_HOME/zaffre`, else `~/.local/share/zaffre`.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, StartError> {
        let is_named = named.is_some();
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = named
            .or_else(|| set("XDG_DATA_HOME").map(|it| it.join("zaffre")))
            .or_else(|| set("HOME").map(|it| it.join(".local/share/zaffre")))
            .ok_or("nothing says where the cloud is kept: give `--data DIR`, or set HOME")?;
        Ok(Home { path: std::path::absolute(path)?, is_named })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory, its owner's alone; one that is there stays as it is.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
    }

    /// Takes the directory for this process, as long as the file is kept.
    pub(crate) fn lock(&self) -> Result<File, StartError> {
        let file = File::create(self.path.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let down = self.to_type("down");
                Err(format!("a cloud is up in `{}` already; `{down}` stops it", self.path.display()).into())
            }
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The control socket's place, for a cloud that keeps its files in a folder.
    pub(crate) fn socket_in(folder: &Path) -> PathBuf {
        let here = folder.join("control.sock");
        if here.as_os_str().len() <= SOCKET_PATH_MAX {
            return here;
        }
        passing::socket()
    }

    pub(crate) fn announce(&self, run: &Run) -> Result<(), StartError> {
        let text = serde_json::to_vec_pretty(run)?;
        Ok(write_whole(&self.path.join("run.json"), &text, 0o600)?)
    }

    pub(crate) fn withdraw(&self) {
        // Gone already is gone.
        let _ = fs::remove_file(self.path.join("run.json"));
    }

    /// Where the running cloud says it is. Whether it still is shows when it is asked.
    pub(crate) fn running(&self) -> Result<Run, StartError> {
        let up = self.to_type("up");
        let text = match fs::read(self.path.join("run.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("no cloud is up in `{}`; `{up}` starts it", self.path.display()).into());
            }
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&text).map_err(|error| {
            format!(
                "`{}` is of another version ({error}); start it again with `{up}`",
                self.path.join("run.json").display()
            )
            .into()
        })
    }

    /// A line to type, naming the program and the directory as the user did.
    pub(crate) fn to_type(&self, words: &str) -> String {
        let program = env::var("ZAFFRE_SELF")
            .ok()
            .or_else(|| env::args().next())
            .unwrap_or_else(|| "zaffre".to_owned());
        match self.is_named {
            true => format!("{program} --data {} {words}", self.path.display()),
            false => format!("{program} {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_directory_is_one_clouds_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::find(Some(folder.path().join("deep/home"))).expect("a home");
        home.make().expect("makes it");
        let held = home.lock().expect("is free");
        let refused = home.lock().expect_err("is taken").to_string();
        assert!(refused.contains("is up") && refused.contains("down"), "{refused}");
        drop(held);
        home.lock().expect("is free again");
    }

    #[test]
    fn what_was_announced_is_found_until_it_is_withdrawn() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::find(Some(folder.path().to_owned())).expect("a home");
        let run = Run {
            pid: 7,
            version: "0.1.0".to_owned(),
            data: None,
            control: "/x/control.sock".into(),
            ca: "/x/ca.pem".into(),
            bundle: "/x/bundle.pem".into(),
            offline: false,
            public_address: None,
            egress: Default::default(),
            addresses: BTreeMap::from([("proxy".to_owned(), "127.0.0.1:10080".parse().expect("an address"))]),
        };
        home.announce(&run).expect("announces");
        assert_eq!(home.running().expect("finds it"), run);
        home.withdraw();
        let none = home.running().expect_err("is gone").to_string();
        assert!(none.contains("no cloud is up") && none.contains(" up"), "{none}");
    }

    #[test]
    fn a_socket_whose_path_would_be_too_long_lies_among_the_temporary_files() {
        assert_eq!(Home::socket_in(Path::new("/d")), Path::new("/d/control.sock"));
        let long = Home::socket_in(Path::new(&format!("/{}", "d".repeat(120))));
        assert!(long.as_os_str().len() <= SOCKET_PATH_MAX && long.starts_with(env::temp_dir()));
    }
}
