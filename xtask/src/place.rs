//! Where things are: the workspace, the folder that cargo builds into, the program it builds.

use std::path::{Path, PathBuf};

/// The workspace's root, where its `Cargo.toml` is.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// The folder cargo builds into. This program lies in `{target}/debug`, wherever the user's configuration put that.
pub(crate) fn target() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|why| format!("cannot tell where this program is: {why}"))?;
    let target = this.parent().and_then(Path::parent);
    target.map(Path::to_path_buf).ok_or_else(|| format!("`{}` is not in a target folder", this.display()))
}

/// The program as `cargo build --release` leaves it.
pub(crate) fn zaffre() -> Result<PathBuf, String> {
    Ok(target()?.join("release").join("zaffre"))
}

/// The path as one would type it here: relative where that is shorter.
pub(crate) fn as_typed(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
