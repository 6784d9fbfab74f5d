//! What tests show: their golden files, and their own code without its comments.

use std::collections::HashSet;

use super::{File, tables};

/// Something that a test shows.
pub(super) struct Shown {
    /// The folder that it lies in; of a golden file, the service.
    pub(super) place: String,
    pub(super) text: String,
    pub(super) words: HashSet<String>,
}

/// What tests show. The lists of this folder name rows without provoking them.
pub(super) fn all(files: &[File]) -> Vec<Shown> {
    let is_shown =
        |file: &&File| file.path.starts_with("crates/zaffre/") && !file.path.contains("/tests/tidy/");
    let mut shown = Vec::new();
    for file in files.iter().filter(is_shown) {
        match (file.is_rust(), is_test(&file.path)) {
            (true, true) => shown.push(Shown::new(folder(&file.path), &code(&file.text))),
            (true, false) => {
                let tests = file.text.split_once("#[cfg(test)]\nmod tests {").map_or("", |(_, tests)| tests);
                shown.push(Shown::new(folder(&file.path), &code(tests)));
            }
            (false, true) => shown.extend(golden(file)),
            (false, false) => {}
        }
    }
    shown
}

pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A golden file, by its service: that of its folder, or what its unindented lines begin with.
fn golden(file: &File) -> Vec<Shown> {
    if !file.path.contains("/bad_input/") {
        let place = folder(&file.path).rsplit('/').next().unwrap_or_default();
        // The negative table is of Resource Manager's kinds.
        let place = if place == "negative" { "arm" } else { place };
        return vec![Shown::new(place, &(codes_with_statuses(&file.text) + &file.text))];
    }
    let mut blocks: Vec<String> = Vec::new();
    for line in file.text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with(' ') => *block = format!("{block}\n{line}"),
            Some(_) | None => blocks.push(line.to_owned()),
        }
    }
    let name = |block: &str| block.split([':', '\n']).next().unwrap_or_default().to_ascii_lowercase();
    blocks.iter().map(|block| Shown::new(&name(block), block)).collect()
}

/// `404 ResourceNotFound`, for each answer of a transcript.
fn codes_with_statuses(text: &str) -> String {
    let (mut found, mut status) = (String::new(), "");
    for line in text.lines() {
        let code = line.trim().strip_prefix("\"code\": \"").and_then(|it| it.split('"').next());
        match (line.get(..3).filter(|it| it.bytes().all(|it| it.is_ascii_digit())), code) {
            (Some(number), _) => status = number,
            (None, Some(code)) => found.push_str(&format!("{status} {code}\n")),
            (None, None) => {}
        }
    }
    found
}

impl Shown {
    fn new(place: &str, text: &str) -> Self {
        let split = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        let words = split.filter(|word| !word.is_empty()).map(bare).collect();
        Shown { place: place.to_owned(), text: text.to_owned(), words }
    }
}

/// Rust without its comments, and with what its strings say: joined lines, plain quotes.
fn code(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['"', '/']) {
        let (before, found) = rest.split_at(at);
        plain.push_str(before);
        rest = match found.strip_prefix("//") {
            Some(comment) => comment.find('\n').map_or("", |end| &comment[end..]),
            None if found.starts_with('/') => {
                plain.push('/');
                &found[1..]
            }
            // A quote between apostrophes is a character.
            None if before.ends_with('\'') && found[1..].starts_with('\'') => &found[2..],
            None => {
                let (literal, rest) = tables::literal(&found[1..]);
                plain.push('"');
                plain.push_str(&literal);
                plain.push('"');
                rest
            }
        };
    }
    plain + rest
}

/// A number without underscores and without its prefix; any other word as it is.
fn bare(word: &str) -> String {
    let number = word.strip_prefix("AADSTS").unwrap_or(word);
    match number.bytes().all(|it| it.is_ascii_digit() || it == b'_') {
        true => number.replace('_', ""),
        false => word.to_owned(),
    }
}

/// Whether every word of a code is among these, which is nearly always one word.
pub(super) fn has_code(words: &HashSet<String>, code: &str) -> bool {
    let mut parts =
        code.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).filter(|it| !it.is_empty());
    parts.all(|part| words.contains(&bare(part)))
}

pub(super) fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}
