//! Every row of every table of errors is provoked by a test: an answer that a golden file holds has its code or its
//! words, or a test asks for them.
//!
//! Tables are read as text, so a row counts from the moment it is written. What tests show is their golden files, which
//! other tests hold against what really came, and their own code without its comments. Rows are told apart:
//!
//! - a code that one row of the program has counts wherever a test shows it; one that one row of a service has, where
//!   the table's own tests show it, or the golden files of the service;
//! - a code counts with its status, or a status with its sub-status, where one row of the service has the two;
//! - some words of its message in a row count, as far as they stand between two blanks and are in no other message of the
//!   service, in the same places as a code;
//! - the row's own name, where the table's tests compare with it;
//! - where nothing of this tells a row from another, their code counts for both.
//!
//! The template language is left out: a test of its own crate holds its rows against its golden files.

mod shown;
mod tables;

use std::collections::{HashMap, HashSet};

use self::{
    shown::{Shown, folder, has_code, is_test},
    tables::{Row, rows},
};
use super::files::{self, File};

/// Folders of tables, with the name that golden files have for what is there: transcripts by their folder, the tables of
/// bad input by what stands before a colon. The first that fits.
const SERVICES: &[(&str, &[&str])] = &[
    ("crates/zaffre/src/arm/", &["arm"]),
    ("crates/zaffre/src/control/", &["control", "plain"]),
    ("crates/zaffre/src/entra/", &["entra"]),
    ("crates/zaffre/src/front/", &["plain"]),
    ("crates/zaffre/src/graph/", &["graph"]),
    ("crates/zaffre/src/imds/hosts/", &["hosts"]),
    ("crates/zaffre/src/imds/", &["imds", "identity"]),
    ("crates/zaffre/src/products/cosmos/", &["cosmos", "arm"]),
    ("crates/zaffre/src/products/storage/blob/", &["blob"]),
    ("crates/zaffre/src/products/", &["arm"]),
];

/// So many words of a message are a piece of it; fewer where there are no more between two blanks.
const PIECE_WORDS: usize = 5;
/// A piece that is shorter says nothing about which message it is.
const PIECE_MIN: usize = 12;

#[test]
fn every_row_of_every_table_of_errors_is_provoked_by_a_test() {
    let files = files::all();
    let shown = shown::all(&files);
    let all: Vec<&Shown> = shown.iter().collect();
    let tables: Vec<(&File, Vec<Row>)> =
        files.iter().filter(|file| is_program(file)).map(|it| (it, rows(&it.text))).collect();
    let tables: Vec<_> = tables.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
    let count: usize = tables.iter().map(|(_, rows)| rows.len()).sum();
    assert!(count > 470, "only {count} rows were found: is a table written in another way now?");
    let seen = Seen::of(&tables);
    let mut missing = Vec::new();
    for (file, rows) in &tables {
        let own: Vec<&Shown> = shown.iter().filter(|it| is_own(&file.path, &it.place)).collect();
        // Golden files are of services, so that is what a row has to be the only one in.
        let is_beside = |other: &File| service(&other.path) == service(&file.path);
        let beside: Vec<&Row> =
            tables.iter().filter(|(other, _)| is_beside(other)).flat_map(|(_, rows)| rows).collect();
        for row in rows.iter().filter(|row| !seen.is_told(&beside, row, &own, &all)) {
            missing.push(format!("{}: {} {}", file.path, row.name, row.code));
        }
    }
    assert!(missing.is_empty(), "no test provokes these {} rows:\n{}", missing.len(), missing.join("\n"));
}

/// What the tables have in common: a code or a piece of a message that several have says little about either.
struct Seen<'t> {
    codes: HashMap<&'t str, usize>,
    messages: Vec<String>,
}

impl<'t> Seen<'t> {
    fn of(tables: &'t [(&File, Vec<Row>)]) -> Self {
        let mut codes = HashMap::new();
        for (_, rows) in tables {
            let own: HashSet<&str> = rows.iter().map(|row| row.code.as_str()).collect();
            own.into_iter().for_each(|it| *codes.entry(it).or_default() += 1);
        }
        let joined =
            |rows: &[Row]| rows.iter().map(|row| row.template.as_str()).collect::<Vec<_>>().join("\n");
        let messages = tables.iter().map(|(_, rows)| joined(rows)).collect();
        Seen { codes, messages }
    }

    fn is_told(&self, beside: &[&Row], row: &Row, own: &[&Shown], all: &[&Shown]) -> bool {
        let is_only = |holds: &dyn Fn(&Row) -> bool| beside.iter().filter(|it| holds(it)).count() == 1;
        let where_its_code_counts = if self.codes[row.code.as_str()] == 1 { all } else { own };
        let is_own_code = is_only(&|it| it.code == row.code);
        let answers: Vec<String> = row.answers();
        let answers: Vec<&String> =
            answers.iter().filter(|answer| is_only(&|it| it.answers().contains(answer))).collect();
        let pieces: Vec<&str> =
            pieces(&row.template).filter(|piece| is_only(&|it| it.template.contains(piece))).collect();
        let is_nobody_elses = |piece: &str| self.messages.iter().filter(|it| it.contains(piece)).count() == 1;
        let is_shown = |places: &[&Shown], text: &str| places.iter().any(|it| it.text.contains(text));
        let has_its_code = |places: &[&Shown]| places.iter().any(|it| has_code(&it.words, &row.code));
        let nothing_tells_it = !is_own_code && answers.is_empty() && pieces.is_empty();

        own.iter().any(|it| it.words.contains(&row.name))
            || (is_own_code && has_its_code(where_its_code_counts))
            || (nothing_tells_it && has_its_code(own))
            || answers.iter().any(|answer| is_shown(where_its_code_counts, answer))
            || pieces.iter().any(|piece| is_shown(own, piece))
            || pieces.iter().any(|piece| is_nobody_elses(piece) && is_shown(all, piece))
    }
}

/// A message's words between its blanks, a few in a row.
fn pieces(template: &str) -> impl Iterator<Item = &str> {
    let between = template.split(['{', '}']).map(|it| it.trim_matches(|it: char| !it.is_alphanumeric()));
    between
        .flat_map(|text| {
            let begins: Vec<usize> =
                std::iter::once(0).chain(text.match_indices(' ').map(|(at, _)| at + 1)).collect();
            let count = begins.len().min(PIECE_WORDS);
            let ends = begins[count..].iter().map(|at| at - 1).chain([text.len()]).collect::<Vec<_>>();
            begins.into_iter().zip(ends).map(move |(begin, end)| &text[begin..end]).collect::<Vec<_>>()
        })
        .filter(|it| it.len() >= PIECE_MIN)
}

fn is_program(file: &File) -> bool {
    file.is_rust() && file.path.starts_with("crates/zaffre/src/") && !is_test(&file.path)
}

/// The names of the service that a table is of.
fn service(table: &str) -> &'static [&'static str] {
    SERVICES.iter().find(|(of, _)| table.starts_with(of)).map_or(&[], |(_, names)| names)
}

/// Whether what lies there is of the table: beside it or below it, or of its service.
fn is_own(table: &str, place: &str) -> bool {
    place.starts_with(folder(table)) || service(table).contains(&place)
}

#[test]
fn a_row_is_told_by_its_own_code_its_own_words_or_its_name() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let table = file("crates/zaffre/src/graph/codes.rs", "");
    let other = file("crates/zaffre/src/entra/codes.rs", "");
    let rows = vec![
        Row::new("ALONE", "400", "Alone", "x"),
        Row::new("FIRST", "400/7", "Both", "the first of {0} has these words"),
        Row::new("SECOND", "401", "Both", "the second has others"),
        Row::new("SHARED", "400", "Shared", "x"),
        Row::new("THIRD", "400", "Twin", "{0}"),
        Row::new("FOURTH", "400", "Twin", "{0}"),
    ];
    let tables = [(&table, rows), (&other, vec![Row::new("SHARED", "404", "Shared", "y")])];
    let seen = Seen::of(&tables);
    for (path, text, told) in [
        ("crates/zaffre/tests/x.rs", "(404, \"Alone\")", "ALONE"),
        ("crates/zaffre/tests/x.rs", "// Alone, SECOND", ""),
        ("crates/zaffre/tests/x.rs", "\"AloneToo\" \"Both\" \"Shared\"", ""),
        ("crates/zaffre/tests/x.rs", "\"has these \\\n    words\"", "FIRST"),
        ("crates/zaffre/tests/x.rs", "\"has these  words\"", ""),
        ("crates/zaffre/src/graph/tests.rs", "&codes::SECOND, '\"', \"Shared\"", "SECOND SHARED"),
        ("crates/zaffre/src/graph/tests.rs", "\"Twin\"", "THIRD FOURTH"),
        ("crates/zaffre/src/entra/tests.rs", "codes::SECOND, \"Shared\", 401, \"Both\"", "SECOND"),
        ("crates/zaffre/src/graph/tests.rs", "(401, \"Both\") and (400, 7)", "FIRST SECOND"),
        ("crates/zaffre/tests/transcripts/graph/x.http", "Shared: the second has others", "SECOND SHARED"),
        ("crates/zaffre/tests/bad_input/outcomes.txt", "Entra: x\n    Shared\nGraph: x\n    Both", ""),
    ] {
        let shown = shown::all(&[file(path, text)]);
        let own: Vec<&Shown> = shown.iter().filter(|it| is_own(&table.path, &it.place)).collect();
        let (rows, all) = (&tables[0].1, shown.iter().collect::<Vec<_>>());
        let beside: Vec<&Row> = rows.iter().collect();
        let found: Vec<&str> = rows
            .iter()
            .filter(|row| seen.is_told(&beside, row, &own, &all))
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(found.join(" "), told, "{path}: {text}");
    }
}
