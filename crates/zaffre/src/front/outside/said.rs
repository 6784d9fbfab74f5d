//! What the log has said lately: a machine that tries the same thing again and again fills no disk.

use std::{collections::HashMap, net::SocketAddrV4, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::walls::Transport;

const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Said in that time; who tries everything is not listed whole.
const MOST: usize = 256;

/// What was refused to whom, by its code.
type Line = (Transport, SocketAddrV4, &'static str);

#[derive(Default)]
pub(super) struct Said(Mutex<HashMap<Line, Instant>>);

impl Said {
    pub(super) fn is_news(&self, line: Line, now: Instant) -> bool {
        let mut said = self.0.lock().expect("nothing panics while it holds what was said");
        if said.len() >= MOST {
            said.retain(|_, at| now.duration_since(*at) < AGAIN_AFTER);
        }
        let is_old = said.get(&line).is_some_and(|at| now.duration_since(*at) < AGAIN_AFTER);
        if is_old || said.len() >= MOST {
            return false;
        }
        said.insert(line, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_said_again_after_a_while_and_not_without_end() {
        let (said, begun) = (Said::default(), Instant::now());
        let line = |port| (Transport::Tcp, SocketAddrV4::new([10, 0, 0, 1].into(), port), "NotLetOut");
        let at = |seconds| begun + Duration::from_secs(seconds);
        for (port, seconds, expected) in
            [(1, 0, true), (1, 59, false), (2, 59, true), (1, 60, true), (1, 61, false)]
        {
            assert_eq!(said.is_news(line(port), at(seconds)), expected, "{port} after {seconds}");
        }
        let news = (0..2000).filter(|port| said.is_news(line(*port), at(62))).count();
        assert!(news <= MOST, "{news}");
        assert!(said.is_news(line(9999), at(200)), "there is room again");
    }
}
