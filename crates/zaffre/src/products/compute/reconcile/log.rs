//! What a machine's console would have shown since it was booted: `zaffre vm log`.

use std::sync::{Arc, Mutex};

use super::lock;

/// Clones share the text.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<String>>);

/// The end of it is what matters.
const MOST: usize = 256 << 10;

impl Log {
    pub(super) fn line(&self, line: &str) {
        self.text(&format!("{line}\n"));
    }

    pub(super) fn text(&self, text: &str) {
        let mut log = lock(&self.0);
        log.push_str(text);
        if let Some(too_many) = log.len().checked_sub(MOST) {
            let line = log[log.ceil_char_boundary(too_many)..]
                .find('\n')
                .map_or(log.len(), |at| log.ceil_char_boundary(too_many) + at + 1);
            log.drain(..line);
        }
    }

    pub(super) fn read(&self) -> String {
        lock(&self.0).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_in_whole_lines() {
        let log = Log::default();
        for number in 0..100_000 {
            log.line(&format!("line {number} é"));
        }
        let text = log.read();
        assert!(
            text.len() <= MOST && text.starts_with("line ") && text.ends_with("line 99999 é\n"),
            "{}",
            text.len()
        );
    }
}
