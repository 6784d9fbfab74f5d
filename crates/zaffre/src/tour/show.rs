//! How a tour is printed: what the page says, what was sent, what came. Tokens and keys are shortened, long answers cut.

use std::io::{self, Write};

use serde_json::Value;

use super::{Tour, step::Step};

/// Lines of an answer that are shown.
const LINES: usize = 24;
const WIDTH: usize = 160;
/// A master key or an account key: 64 bytes as base64.
const KEY_CHARS: usize = 88;

pub(super) struct Page<'o> {
    out: &'o mut (dyn Write + Send),
    name: &'static str,
    title: &'static str,
    steps: usize,
    step: usize,
}

/// What was sent, as one would type it, and what came.
pub(super) struct Shown {
    pub(super) line: String,
    /// Printed above the answer, where the line does not say it.
    pub(super) status: Option<u16>,
    pub(super) answer: String,
}

impl<'o> Page<'o> {
    pub(super) fn new(out: &'o mut (dyn Write + Send), tour: &Tour, steps: usize) -> Self {
        Page { out, name: tour.name, title: tour.title, steps, step: 0 }
    }

    pub(super) fn begin(&mut self) -> io::Result<()> {
        writeln!(self.out, "\n== {}: {}\n", self.name, self.title)?;
        self.out.flush()
    }

    pub(super) fn step(&mut self, step: &Step) -> io::Result<()> {
        self.step += 1;
        writeln!(self.out, "[{} {}/{}] {}", self.name, self.step, self.steps, step.says)?;
        for correction in &step.corrections {
            writeln!(self.out, "    the page is wrong here: {}", correction.says)?;
        }
        if let Some(typed) = &step.typed {
            writeln!(self.out, "    $ {}", indented(&short(typed), "      "))?;
        }
        self.out.flush()
    }

    pub(super) fn act(&mut self, shown: &Shown, differences: &[String]) -> io::Result<()> {
        writeln!(self.out, "    {}", indented(&short(&shown.line), "      "))?;
        if let Some(status) = shown.status {
            writeln!(self.out, "      ({status})")?;
        }
        for line in cut(&short(&pretty(&shown.answer))) {
            writeln!(self.out, "      {line}")?;
        }
        for difference in differences {
            writeln!(self.out, "    DIFFERS: {}", short(difference))?;
        }
        self.out.flush()
    }
}

fn indented(text: &str, by: &str) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("\n{by}"))
}

fn pretty(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned()),
        Err(_) => text.trim_end().to_owned(),
    }
}

fn cut(text: &str) -> Vec<String> {
    let narrow = |line: &str| match line.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    };
    let mut lines: Vec<String> = text.lines().filter(|it| !it.is_empty()).map(narrow).collect();
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("... {more} more lines"));
    }
    lines
}

/// The text with its tokens and keys shortened, as the pages print them.
pub(super) fn short(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (secret, kept) = secret_at(rest);
        if secret > 0 {
            out.push_str(&rest[..kept]);
            out.push_str("...");
            rest = &rest[secret..];
            continue;
        }
        let word = rest.find(|it: char| !is_secret_char(it)).unwrap_or(rest.len());
        // A word's beginning decides; the character behind it is passed on as it is.
        let next = rest[word..].chars().next().map_or(0, char::len_utf8);
        let take = if word > 0 && rest[1..word].contains("eyJ") { 1 } else { word + next };
        out.push_str(&rest[..take]);
        rest = &rest[take..];
    }
    out
}

fn is_secret_char(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '=' | '-' | '_' | '.')
}

/// How many bytes of a secret the text begins with, and how many of them are shown; 0 where it begins with none.
fn secret_at(text: &str) -> (usize, usize) {
    let length = |is_part: fn(char) -> bool| text.find(|it: char| !is_part(it)).unwrap_or(text.len());
    let token = length(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.'));
    if text.starts_with("eyJ") && token > 40 {
        return (token, 10);
    }
    let key = length(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '='));
    if key == KEY_CHARS && text[..key].ends_with("==") { (key, 6) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_keys_are_shortened_and_nothing_else_is() {
        let token = format!("eyJ0eXAiOiJK{}", "a.b-c_".repeat(20));
        let key = format!("{}==", "aB+/".repeat(22).get(..86).expect("86"));
        let id = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acct";
        for (text, expected) in [
            (format!("Bearer {token}\""), "Bearer eyJ0eXAiOi...\"".to_owned()),
            (format!("sig%3D{token} x"), "sig%3DeyJ0eXAiOi... x".to_owned()),
            (format!("\"{key}\""), "\"aB+/aB...\"".to_owned()),
            (id.to_owned(), id.to_owned()),
            ("naïve – eyJ".to_owned(), "naïve – eyJ".to_owned()),
        ] {
            assert_eq!(short(&text), expected);
        }
    }
}
