//! Reading a document as people and `az` write it, and remembering where everything stood.
//!
//! `az deployment` splices a template's file, comments and all, under a key without quotes
//! (az-cli.md §1.1), so what is read here is more than JSON: keys without quotes, text in single
//! quotes or over several lines, `//` and `/* */`, commas before a closing bracket. Everything that is
//! JSON means what it means in JSON.
//!
//! Places are where Newtonsoft's reader stands when it has read a value: at the opening bracket of an
//! object or an array, behind the last character of anything else, both counted from one.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::codes;
use crate::error::{Error, Result};

/// Objects in arrays in objects: as deep as serde_json goes.
const DEPTH: usize = 128;

/// How deep places are remembered: `resources/0/properties/template/resources/0/resources/0` and a little.
const REMEMBERED: usize = 12;

/// A line and a column, from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// Where values stood, by their path: `/resources/0/name`.
#[derive(Clone, Debug, Default)]
pub struct Places {
    by_path: HashMap<String, Place>,
}

/// A value and where its parts stood.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub value: Value,
    pub places: Places,
}

impl Places {
    /// Where it stood; line 1, column 1 for what was never in a text.
    pub fn of(&self, path: &str) -> Place {
        self.by_path.get(path).copied().unwrap_or(Place { line: 1, column: 1 })
    }

    /// Those below a path, as if it were the document.
    pub fn below(&self, path: &str) -> Places {
        let inside = |(key, place): (&String, &Place)| Some((key.strip_prefix(path)?.to_owned(), *place));
        Places { by_path: self.by_path.iter().filter_map(inside).collect() }
    }
}

/// Reads a whole document. Refuses with the line and the position where it stops making sense.
pub fn read(text: &str) -> Result<Source> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        characters: text.chars().collect(),
        at: 0,
        line: 1,
        line_start: 0,
        path: Vec::new(),
        places: Places::default(),
    };
    let value = reader.value()?;
    reader.blank()?;
    match reader.peek() {
        None => Ok(Source { value, places: reader.places }),
        Some(_) => Err(reader.refused("Additional text encountered after finished reading JSON content.")),
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    line: u32,
    line_start: usize,
    path: Vec<String>,
    places: Places,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += 1;
        if found == '\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        Some(found)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.next();
        }
        is_there
    }

    fn place(&self) -> Place {
        Place { line: self.line, column: u32::try_from(self.at - self.line_start).unwrap_or(u32::MAX) }
    }

    fn refused(&self, why: &str) -> Error {
        let place = self.place();
        codes::NOT_JSON.with([why.to_owned(), place.line.to_string(), place.column.to_string()])
    }

    fn unexpected(&self) -> Error {
        match self.peek() {
            Some(found) => self.refused(&format!(
                "Unexpected character encountered while parsing value: {}.",
                found.escape_default()
            )),
            None => self.refused("Unexpected end of content."),
        }
    }

    /// Blanks and comments.
    fn blank(&mut self) -> Result<()> {
        loop {
            match (self.peek(), self.characters.get(self.at + 1)) {
                (Some(found), _) if found.is_whitespace() => {
                    self.next();
                }
                (Some('/'), Some('/')) => while self.next().is_some_and(|it| it != '\n') {},
                (Some('/'), Some('*')) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<()> {
        self.at += 2;
        loop {
            match self.next() {
                None => return Err(self.refused("Unexpected end while parsing comment.")),
                Some('*') if self.take('/') => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        self.blank()?;
        if self.path.len() >= DEPTH {
            return Err(self.refused("The reader's MaxDepth of 128 has been exceeded."));
        }
        let opening = self.peek();
        match opening {
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('"' | '\'') => {
                let text = self.quoted()?;
                self.remember();
                Ok(Value::String(text))
            }
            _ => {
                let word = self.word();
                let value = self.meaning(&word)?;
                self.remember();
                Ok(value)
            }
        }
    }

    fn remember(&mut self) {
        if self.path.len() <= REMEMBERED {
            let place = self.place();
            let path = self.path.iter().map(|it| format!("/{it}")).collect();
            self.places.by_path.insert(path, place);
        }
    }

    fn object(&mut self) -> Result<Value> {
        self.next();
        self.remember();
        let mut members = Map::new();
        loop {
            self.blank()?;
            if self.take('}') {
                return Ok(Value::Object(members));
            }
            let name = self.name()?;
            self.blank()?;
            if !self.take(':') {
                return Err(self.unexpected());
            }
            self.path.push(name.clone());
            let value = self.value()?;
            self.path.pop();
            members.insert(name, value);
            self.blank()?;
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.unexpected());
            }
        }
    }

    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some('"' | '\'') => self.quoted(),
            _ => {
                let word = self.word();
                if word.is_empty() { Err(self.unexpected()) } else { Ok(word) }
            }
        }
    }

    fn array(&mut self) -> Result<Value> {
        self.next();
        self.remember();
        let mut elements = Vec::new();
        loop {
            self.blank()?;
            if self.take(']') {
                return Ok(Value::Array(elements));
            }
            self.path.push(elements.len().to_string());
            let element = self.value()?;
            self.path.pop();
            elements.push(element);
            self.blank()?;
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.unexpected());
            }
        }
    }

    /// What stands without quotes: a key, a number, `true`.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(found) = self.peek().filter(|it| it.is_alphanumeric() || "_$-+.".contains(*it)) {
            word.push(found);
            self.next();
        }
        word
    }

    fn meaning(&self, word: &str) -> Result<Value> {
        match word {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            "" => Err(self.unexpected()),
            number => match serde_json::from_str::<Number>(number) {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => {
                    Err(self.refused(&format!("Unexpected word encountered while parsing value: {number}.")))
                }
            },
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.refused("Unterminated string. Expected delimiter: \".")),
                Some('\\') => text.push(self.escape()?),
                found if found == quote => return Ok(text),
                Some(found) => text.push(found),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => self.unicode(),
            Some(same @ ('"' | '\'' | '\\' | '/')) => Ok(same),
            _ => Err(self.refused("Bad JSON escape sequence.")),
        }
    }

    /// `\u00e9`, or two for one character beyond the first plane. Half of a pair is not text.
    fn unicode(&mut self) -> Result<char> {
        let first = self.four_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                let is_pair = self.next() == Some('\\') && self.next() == Some('u');
                let second = if is_pair { self.four_digits()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.refused("Invalid Unicode escape sequence."));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            single => single,
        };
        char::from_u32(code).ok_or_else(|| self.refused("Invalid Unicode escape sequence."))
    }

    fn four_digits(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|it| it.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.refused("Invalid Unicode escape sequence."))?;
        }
        Ok(code)
    }
}
