//! `zaffre up --rootfs`: the root file system that virtual machines get, where it is not to be made of the host's programs.
//!
//! A directory is used as it is, and never written to. An archive is unpacked once, by the host's `tar`, beside what else the cloud
//! keeps; one that has changed since is unpacked anew.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::StartError;

/// The directory that machines begin with.
pub(super) fn find(given: &Path, folder: &Path) -> Result<PathBuf, StartError> {
    let cannot =
        |error: std::io::Error| format!("cannot use `{}` as a root file system: {error}", given.display());
    let given = fs::canonicalize(given).map_err(cannot)?;
    let found = given.metadata().map_err(cannot)?;
    let root = if found.is_dir() { given } else { unpacked(&given, &found, folder)? };
    match root.join("etc").is_dir() || root.join("bin").exists() || root.join("usr").is_dir() {
        true => Ok(root),
        false => {
            Err(format!("`{}` holds no root file system: neither /bin, /usr nor /etc", root.display()).into())
        }
    }
}

fn unpacked(archive: &Path, found: &fs::Metadata, folder: &Path) -> Result<PathBuf, StartError> {
    let roots = folder.join("rootfs");
    let root = roots.join(format!("{:x}-{:x}-{:x}", found.ino(), found.size(), found.mtime()));
    if root.is_dir() {
        return Ok(root);
    }
    // Under another name until it is whole: an unpacking that was cut short is begun anew.
    let partial = root.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial)?;
    let done = Command::new("tar")
        .args([
            "--extract",
            "--same-permissions",
            "--numeric-owner",
            "--exclude=dev/*",
            "--exclude=./dev/*",
            "--file",
        ])
        .arg(archive)
        .arg("--directory")
        .arg(&partial)
        .output()
        .map_err(|error| format!("cannot run `tar` to unpack `{}`: {error}", archive.display()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(format!("`tar` cannot unpack `{}`: {said}", archive.display()).into());
    }
    fs::rename(&partial, &root)?;
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn furnished() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("etc")).expect("makes it");
        fs::write(root.path().join("etc/own"), "own").expect("writes");
        root
    }

    #[test]
    fn an_archive_is_unpacked_once_and_again_when_it_is_another() {
        let (root, folder) = (furnished(), tempfile::tempdir().expect("a folder"));
        let archive = folder.path().join("root.tar");
        let pack = |archive: &Path| {
            let packed =
                Command::new("tar").arg("-cf").arg(archive).arg("-C").arg(root.path()).arg(".").status();
            assert!(packed.expect("tar is here").success());
        };
        pack(&archive);
        let first = find(&archive, folder.path()).expect("unpacks");
        assert_eq!(fs::read_to_string(first.join("etc/own")).expect("reads"), "own");
        assert_eq!(find(&archive, folder.path()).expect("is there"), first);
        let other = folder.path().join("other.tar");
        fs::write(root.path().join("etc/more"), "more").expect("writes");
        pack(&other);
        assert_ne!(find(&other, folder.path()).expect("unpacks"), first);
        assert_eq!(
            find(root.path(), folder.path()).expect("is one"),
            fs::canonicalize(root.path()).expect("is there")
        );
    }

    #[test]
    fn what_is_no_root_file_system_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("text"), "no archive").expect("writes");
        for (path, why) in
            [("absent", "cannot use"), ("text", "cannot unpack"), ("", "holds no root file system")]
        {
            let error = find(&folder.path().join(path), folder.path()).expect_err("is refused").to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
