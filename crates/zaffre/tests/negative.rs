//! The negative table: what every kind of every provider's table answers to what is wrong with a request.
//!
//! `subjects.rs` makes one resource of each kind, in the order of the tables; `cases.rs` lists what can be wrong, a row a
//! thing; `negative/table.txt` has the answers, kinds that answer alike together. A kind that a table gains is in it by
//! itself: where `{"location": …, "properties": {}}` does not make one, `subjects.rs` wants a row for its body.
//!
//! `ZAFFRE_BLESS=1 cargo test -p zaffre --test main negative` writes the file anew, and the diff is the review. It reads:
//!
//! ```text
//! the case
//!     400 Code: message, where {id}, {name}, {type} stand for the kind's own
//!         the kinds that say so; `every other kind` where they are most of those that have such a part
//! ```
//!
//! What no provider stands behind is here as `Contoso.Things/things`.

mod cases;
pub(crate) mod lives;
mod polls;
mod subjects;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use cases::{CASES, Case};
use serde_json::Value;
use subjects::{Stage, Subject};

use crate::world::{Answer, Ask};

/// Of a line of the table.
const WIDTH: usize = 110;
/// Kinds that are named even where they are most of those that have such a part.
const FEW: usize = 8;
/// Lists of versions and of regions are told by their begin.
const LISTS: [&str; 3] = [
    "The supported versions are '",
    "The supported api-versions are '",
    "regions for the resource type is '",
];

/// Case by case: what is said, and by which kinds.
#[derive(Default)]
struct Table {
    rows: Vec<(String, BTreeMap<String, Vec<String>>)>,
}

impl Table {
    fn note(&mut self, case: &str, said: String, kind: &str) {
        if self.rows.last().is_none_or(|(last, _)| last != case) {
            self.rows.push((case.to_owned(), BTreeMap::new()));
        }
        let (_, answers) = self.rows.last_mut().expect("was pushed");
        answers.entry(said).or_default().push(kind.to_owned());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (at, (case, answers)) in self.rows.iter().enumerate() {
            let between = if at > 0 { "\n" } else { "" };
            let _ = writeln!(text, "{between}{case}");
            let all: usize = answers.values().map(Vec::len).sum();
            for (said, kinds) in answers {
                let _ = writeln!(text, "    {said}");
                let is_the_rule = kinds.len() > FEW && kinds.len() * 2 > all;
                if is_the_rule {
                    text.push_str("        every other kind\n");
                } else {
                    wrap(&mut text, kinds);
                }
            }
        }
        text
    }
}

fn wrap(text: &mut String, kinds: &[String]) {
    let mut line = String::new();
    for (at, kind) in kinds.iter().enumerate() {
        let comma = if at + 1 < kinds.len() { "," } else { "" };
        if line.len() + kind.len() > WIDTH {
            let _ = writeln!(text, "       {line}");
            line.clear();
        }
        let _ = write!(line, " {kind}{comma}");
    }
    let _ = writeln!(text, "       {line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_refuses_what_azure_refuses_in_azures_words() {
    let stage = Stage::set().await;
    let (mut table, mut wrong) = (Table::default(), Vec::new());
    for (number, case) in CASES.iter().enumerate() {
        for subject in &stage.subjects {
            // These answer one thing, whatever is asked of them: GET of one says it.
            if subject.name.contains("/apis") && !case.0.starts_with("GET of one") {
                continue;
            }
            let Some(steps) = (case.1)(&stage, subject, number) else { continue };
            match stage.take(subject, &steps).await {
                Ok(answer) => table.note(case.0, said(subject, &steps.ask, &answer), &subject.name),
                Err(why) => wrong.push(format!("{}, {}: {why}", subject.name, case.0)),
            }
        }
    }
    for (case, said, kind) in polls::after_deletion().await {
        table.note(&case, said, &kind);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    hold_against("table.txt", &table.text());
}

/// An answer as the table has it: the kind's own names by what they are.
fn said(subject: &Subject, ask: &Ask, answer: &Answer) -> String {
    let json = answer.json();
    let error = json.get("error").unwrap_or(&json);
    let Some(code) = error.get("code").and_then(Value::as_str).filter(|_| answer.status >= 400) else {
        return format!("{}: taken", answer.status);
    };
    let mut message = error["message"].as_str().unwrap_or_default().to_owned();
    for detail in error["details"].as_array().into_iter().flatten() {
        let _ = write!(
            message,
            " [{}: {}]",
            detail["code"].as_str().unwrap_or_default(),
            detail["message"].as_str().unwrap_or_default()
        );
    }
    format!("{} {code}: {}", answer.status, subject.anonymous(ask, &shortened(&message)))
}

/// Lists without what is in them, and places in a body, which are its own.
fn shortened(message: &str) -> String {
    let message =
        &message.split(", position ").enumerate().fold(String::new(), |text, (at, part)| match at {
            0 => part.to_owned(),
            _ => format!("{text}, position …{}", part.trim_start_matches(|c: char| c.is_ascii_digit())),
        });
    LISTS.iter().fold(message.clone(), |message, begin| match message.split_once(begin) {
        Some((front, list)) => {
            let behind = list.split_once('\'').map_or("", |(_, behind)| behind);
            format!("{front}{begin}…'{behind}")
        }
        None => message,
    })
}

/// Compares with the file, or writes it.
fn hold_against(file: &str, came: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/negative").join(file);
    if std::env::var_os("ZAFFRE_BLESS").is_some_and(|it| it == "1") {
        return fs::write(path, came).expect("the file is written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let (mut was, mut is) = (expected.lines(), came.lines());
    let mut number = 0;
    while let (one, other) = (was.next(), is.next())
        && (one, other) != (None, None)
    {
        number += 1;
        assert_eq!(other, one, "line {number} of negative/{file} differs (ZAFFRE_BLESS=1 writes it)");
    }
}

#[test]
fn no_case_is_there_twice() {
    for (at, Case(says, _)) in CASES.iter().enumerate() {
        assert!(CASES[..at].iter().all(|it| it.0 != *says), "{says}");
    }
}
