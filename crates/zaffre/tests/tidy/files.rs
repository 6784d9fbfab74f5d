//! The repository's files: every text file that is or may be committed.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file, named as seen from the repository's root.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(super) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Lines with their numbers, as an editor counts them.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// The repository's root.
pub(super) fn root() -> PathBuf {
    let this_crate = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate.ancestors().nth(2).expect("this crate is two folders below the root").to_path_buf()
}

/// Every text file, in the order of their names. What tools leave behind is passed over, as .gitignore does.
pub(super) fn all() -> Vec<File> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

const LEFT_BEHIND: &[&str] = &[".git", "target", ".venv", "node_modules", "__pycache__"];

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("a folder's entry can be read");
        let name = entry.file_name().into_string().expect("names in the repository are UTF-8");
        let kind = entry.file_type().expect("an entry has a type");
        let path = format!("{prefix}{name}");
        if LEFT_BEHIND.contains(&name.as_str()) {
            continue;
        } else if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).expect("a file of the repository can be read");
            files.extend(String::from_utf8(bytes).ok().map(|text| File { path, text }));
        }
    }
}
