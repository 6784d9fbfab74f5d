//! A writer of the few shapes of XML that the Blob service prints (blob.md §13).

use std::fmt::Write as _;

/// A document under construction.
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Xml(String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>"))
    }

    pub(super) fn open(&mut self, name: &str) {
        self.raw(&["<", name, ">"]);
    }

    pub(super) fn open_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.raw(&["<", name]);
        for (name, value) in attributes {
            self.raw(&[" ", name, "=\""]);
            escape(value, &mut self.0);
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.0);
    }

    pub(super) fn close(&mut self, name: &str) {
        self.raw(&["</", name, ">"]);
    }

    /// `<name>text</name>`.
    pub(super) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(text, &mut self.0);
        self.close(name);
    }

    /// The same for a number.
    pub(super) fn number(&mut self, name: &str, number: u64) {
        self.open(name);
        // A `String` takes whatever is written to it.
        let _ = write!(self.0, "{number}");
        self.close(name);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn raw(&mut self, pieces: &[&str]) {
        pieces.iter().for_each(|piece| self.0.push_str(piece));
    }
}

/// Whether XML 1.0 can hold the text at all.
pub(super) fn can_hold(text: &str) -> bool {
    text.chars()
        .all(|c| !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}'))
}

/// What XML cannot hold becomes a question mark.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_what_xml_cannot_hold_is_known() {
        let mut xml = Xml::new();
        xml.open_with("A", &[("B", "<\"")]);
        xml.element("C", "a&b<c>\u{1}");
        xml.number("D", 7);
        xml.close("A");
        assert!(xml.finish().ends_with("<A B=\"&lt;&quot;\"><C>a&amp;b&lt;c&gt;?</C><D>7</D></A>"));
        assert!(can_hold("täb\t") && !can_hold("\u{1}") && !can_hold("\u{fffe}"));
    }
}
