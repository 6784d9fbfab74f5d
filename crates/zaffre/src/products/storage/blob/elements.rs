//! A reader of the small XML bodies that the Blob service takes: what stands in each element, by its path.
//!
//! ```text
//! <KeyInfo><Start>2026-11-21</Start></KeyInfo>   ──►   KeyInfo/Start: "2026-11-21", KeyInfo: ""
//! ```
//!
//! Elements come in the order in which they end, so that one comes behind what it holds. Entities are the five that
//! XML has; a document type is refused.

use azure::error::{Error, Result};
use quick_xml::{Reader, events::Event};

use super::codes;

/// More levels than any body has.
const MAX_DEPTH: usize = 8;

/// An element: the names from the root to it, and its own text without surrounding blanks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) path: String,
    pub(super) text: String,
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Element>> {
    let text = std::str::from_utf8(bytes).map_err(malformed)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut open, mut found): (Vec<Element>, Vec<Element>) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().map_err(malformed)?;
        let is_behind_the_root = open.is_empty() && !found.is_empty();
        match event {
            Event::Start(_) | Event::Empty(_) if is_behind_the_root || open.len() == MAX_DEPTH => {
                return Err(malformed("more than one root, or too deep"));
            }
            Event::Start(element) => open.push(begun(&open, element.local_name().as_ref())),
            Event::Empty(element) => found.push(begun(&open, element.local_name().as_ref())),
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| malformed("an end without its beginning"))?;
                found.push(Element { text: element.text.trim().to_owned(), ..element });
            }
            Event::Text(text) => say(&mut open, &text.xml10_content())?,
            Event::GeneralRef(name) => {
                let character = entity(name.as_ref()).ok_or_else(|| malformed("an unknown entity"))?;
                say(&mut open, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::Eof if is_behind_the_root => return Ok(found),
            Event::Eof | Event::DocType(_) | Event::CData(_) => {
                return Err(malformed("no end, or no element"));
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn malformed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    codes::INVALID_XML.bare().because(cause)
}

fn begun(open: &[Element], name: &str) -> Element {
    let path = open.last().map_or_else(|| name.to_owned(), |parent| format!("{}/{name}", parent.path));
    Element { path, text: String::new() }
}

fn say(open: &mut [Element], text: &str) -> Result<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(malformed("text outside the root")),
    }
    Ok(())
}

/// `&amp;` and its like, by the name between.
fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_by_path_in_the_order_of_their_ends() {
        let text = "\u{feff}<?xml version=\"1.0\"?><A> <B>1 &amp; &#50;</B><C/>\n</A>";
        let found = read(text.as_bytes()).expect("is XML");
        let found: Vec<_> = found.iter().map(|it| (it.path.as_str(), it.text.as_str())).collect();
        assert_eq!(found, [("A/B", "1 & 2"), ("A/C", ""), ("A", "")]);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<A>".repeat(9) + &"</A>".repeat(9);
        for text in
            ["", "text", "<A>", "<A></B>", "<A/><B/>", "<!DOCTYPE a><A/>", "<A>&b;</A>", "<A/>x", &deep]
        {
            assert_eq!(
                read(text.as_bytes()).map_err(|error| error.row.code),
                Err("InvalidXmlDocument"),
                "{text}"
            );
        }
    }
}
