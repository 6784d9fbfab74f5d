//! Every row of every table of errors is told by a test: a golden file shows its code in an answer, or a test asks
//! for it.
//!
//! Tables are read as text, so a row counts from the moment it is written. A code is looked for as a word in the tests and
//! in what they compare with. Two rows of one code are not told apart here; the tests beside their tables do that.
//! Tables that are held may have no row untold but those listed; the others print what they lack.

use std::collections::HashSet;

use super::files::{self, File};

/// Tables whose every row is told.
const HELD: &[&str] =
    &["crates/zaffre/src/entra/codes.rs", "crates/zaffre/src/products/authorization/definitions.rs"];

/// Rows of theirs that are not: file, row. One that is told after all has to leave the list.
const UNTOLD: &[(&str, &str)] = &[
    // No answer shows its name; the tests of forms ask for its status.
    ("crates/zaffre/src/entra/codes.rs", "TOO_LARGE"),
    // Faults of the machine.
    ("crates/zaffre/src/entra/codes.rs", "TOO_SLOW"),
    ("crates/zaffre/src/entra/codes.rs", "UNAVAILABLE"),
];

/// One row, as far as it matters here.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    code: String,
}

#[test]
fn every_row_of_every_table_of_errors_is_told_by_a_test() {
    let files = files::all();
    let said = words(&files);
    let (mut missing, mut told, mut count) = (Vec::new(), Vec::new(), 0);
    for file in files.iter().filter(|file| is_program(file)) {
        for row in rows(&file.text) {
            count += 1;
            let is_untold = UNTOLD.contains(&(file.path.as_str(), row.name.as_str()));
            let is_held = HELD.contains(&file.path.as_str());
            match (is_told(&said, &row.code), is_untold) {
                (false, false) if !is_held => println!("no test yet: {} {}", file.path, row.name),
                (false, false) => {
                    missing.push(format!("(\"{}\", \"{}\"), // {}", file.path, row.name, row.code))
                }
                (true, true) => told.push(format!("{} {}", file.path, row.name)),
                (true, false) | (false, true) => {}
            }
        }
    }
    assert!(count > 250, "only {count} rows were found: is a table written in another way now?");
    assert!(missing.is_empty(), "no test provokes these rows:\n{}", missing.join("\n"));
    assert!(told.is_empty(), "these rows have their test; take them off the list:\n{}", told.join("\n"));
    let gone = |row: &&(&str, &str)| {
        let file = files.iter().find(|file| file.path == row.0);
        !file.is_some_and(|file| rows(&file.text).iter().any(|it| it.name == row.1))
    };
    let gone: Vec<_> = UNTOLD.iter().filter(gone).collect();
    assert!(gone.is_empty(), "these rows are gone; take them off the list: {gone:?}");
}

fn is_program(file: &File) -> bool {
    file.is_rust() && file.path.starts_with("crates/zaffre/src/") && !is_test(&file.path)
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Every word of the tests, and of what they compare with. Numbers are without their underscores.
fn words(files: &[File]) -> HashSet<String> {
    let mut words = HashSet::new();
    for file in files.iter().filter(|file| file.path.starts_with("crates/zaffre/")) {
        let text = match is_test(&file.path) {
            // The lists of this folder name rows without provoking them.
            _ if file.path.contains("/tests/tidy/") => continue,
            true => file.text.as_str(),
            false => file.text.split_once("#[cfg(test)]\nmod tests {").map_or("", |(_, tests)| tests),
        };
        let split = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        words.extend(split.filter(|word| !word.is_empty()).map(bare));
    }
    words
}

/// A number without underscores and without its prefix; any other word as it is.
fn bare(word: &str) -> String {
    let number = word.strip_prefix("AADSTS").unwrap_or(word);
    match number.bytes().all(|it| it.is_ascii_digit() || it == b'_') {
        true => number.replace('_', ""),
        false => word.to_owned(),
    }
}

/// Whether every word of a code is among the tests' words, which is nearly always one word.
fn is_told(said: &HashSet<String>, code: &str) -> bool {
    let mut parts =
        code.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).filter(|it| !it.is_empty());
    parts.all(|part| said.contains(&bare(part)))
}

/// The rows of the tables in a file: `NAME = status "..." "code" "template", "source";`.
fn rows(text: &str) -> Vec<Row> {
    let tables = text.split("error_rows! {").skip(1).chain(text.split("\nrefusals! {").skip(1));
    let mut found = Vec::new();
    for table in tables {
        let mut rest = table.split("\n}").next().unwrap_or_default();
        while let Some((name, after)) = next_name(rest) {
            let (literals, end) = literals(after);
            rest = end;
            if let [.., code, _, _] = literals.as_slice() {
                found.push(Row { name, code: code.clone() });
            }
        }
    }
    found
}

/// The next `NAME =`, and what is behind it.
fn next_name(text: &str) -> Option<(String, &str)> {
    let (before, after) = text.split_once(" = ")?;
    let name = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
    if is_name { Some((name.to_owned(), after)) } else { next_name(after) }
}

/// The string literals up to the next `;`, and what is behind that.
fn literals(text: &str) -> (Vec<String>, &str) {
    let (mut found, mut inside, mut escaped) = (Vec::new(), None::<String>, false);
    for (at, it) in text.char_indices() {
        match (&mut inside, it) {
            (Some(literal), _) if escaped => {
                literal.push(it);
                escaped = false;
            }
            (Some(_), '\\') => escaped = true,
            (Some(_), '"') => found.extend(inside.take()),
            (Some(literal), _) => literal.push(it),
            (None, '"') => inside = Some(String::new()),
            (None, ';') => return (found, &text[at + 1..]),
            (None, _) => {}
        }
    }
    (found, "")
}

#[test]
fn rows_are_read_from_both_kinds_of_tables_and_told_by_whole_words() {
    let text = "azure::error_rows! {\n    pub(crate) static TABLE;\n    ONE = 404 \"OneGone\" \"a = 'b'; \\\"c\\\".\", \"arm.md\";\n}\n\
                \nrefusals! {\n    TWO = 400 \"invalid\" \"AADSTS700016\"\n        \"text; {0}\", \"x\";\n}\n";
    let row = |name: &str, code: &str| Row { name: name.to_owned(), code: code.to_owned() };
    assert_eq!(rows(text), [row("ONE", "OneGone"), row("TWO", "AADSTS700016")]);
    let file =
        File { path: "crates/zaffre/tests/x.rs".to_owned(), text: "(700_016, \"OneGoneToo\")".to_owned() };
    let said = words(std::slice::from_ref(&file));
    assert!(is_told(&said, "AADSTS700016"));
    assert!(!is_told(&said, "OneGone") && !is_told(&said, "AADSTS70001"));
}
