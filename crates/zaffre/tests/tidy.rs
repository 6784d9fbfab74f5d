//! The repository's own rules, as tests: who may use whom, what a file looks like, what is never committed.
//!
//! Files are read as text. Each rule is a row: where it looks, what it finds, why it stands, and a small sample
//! that breaks it, so that a rule which no longer catches anything fails here too. A failure names file, line and
//! reason. A rule about a folder that is not there holds.
//!
//! What the compiler or clippy can see is left to them; these are the rules they have no words for.

mod files;
mod refusal_rows;
mod rust;
mod secrets;
mod text;
mod walls;

use files::File;

/// One thing wrong: where, and what is there.
#[derive(Debug, PartialEq)]
struct Finding {
    line: usize,
    what: String,
}

impl Finding {
    fn at(line: usize, what: impl Into<String>) -> Finding {
        Finding { line, what: what.into() }
    }
}

/// Fails with every finding of a rule in these files, each where an editor can jump to it.
fn require_none(rule: &str, why: &str, found: impl Iterator<Item = (String, Finding)>) {
    let rows: String = found.map(|(path, it)| format!("\n  {path}:{}: {}", it.line, it.what)).collect();
    assert!(rows.is_empty(), "{rule}: {why}{rows}");
}

/// What a rule over single files finds in all of them.
fn look(
    files: &[File],
    sees: impl Fn(&File) -> bool,
    finds: impl Fn(&File) -> Vec<Finding>,
) -> Vec<(String, Finding)> {
    let seen = files.iter().filter(|file| sees(file));
    seen.flat_map(|file| finds(file).into_iter().map(|it| (file.path.clone(), it))).collect()
}
