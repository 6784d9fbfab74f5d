//! What was let through lately, of what has no beginning of its own: so that answers come back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::frame::Flow;

/// For how long an answer may come; Azure's own figure (four minutes of idleness).
const LIFE: Duration = Duration::from_secs(240);
/// A guest that sends to everybody does not take our memory.
const MOST: usize = 65_536;

#[derive(Default)]
pub(super) struct Flows(HashMap<Flow, Instant>);

impl Flows {
    /// Whether this flow, or the one that it answers, was let through.
    #[expect(clippy::disallowed_methods, reason = "an edge that forgets what is over")]
    pub(super) fn knows(&mut self, flow: Flow) -> bool {
        self.knows_at(flow, Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "an edge that forgets what is over")]
    pub(super) fn note(&mut self, flow: Flow) {
        self.note_at(flow, Instant::now());
    }

    fn knows_at(&mut self, flow: Flow, now: Instant) -> bool {
        for known in [flow, flow.back()] {
            if let Some(last) = self.0.get_mut(&known).filter(|last| now.duration_since(**last) < LIFE) {
                *last = now;
                return true;
            }
        }
        false
    }

    fn note_at(&mut self, flow: Flow, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, last| now.duration_since(*last) < LIFE);
        }
        if self.0.len() < MOST {
            self.0.insert(flow, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Protocol;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment to count from")]
    fn answers_are_known_until_nobody_has_spoken_for_long() {
        let flow = Flow {
            protocol: Protocol::Udp,
            source: "10.0.0.4:99".parse().unwrap(),
            destination: "10.0.0.5:53".parse().unwrap(),
        };
        let other = Flow { destination: "10.0.0.5:54".parse().unwrap(), ..flow };
        let (mut flows, now) = (Flows::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(!flows.knows_at(flow, now));
        flows.note_at(flow, now);
        assert!(flows.knows_at(flow.back(), at(200)) && !flows.knows_at(other, at(200)));
        assert!(flows.knows_at(flow, at(400)), "the answer counted");
        assert!(!flows.knows_at(flow, at(700)));
    }
}
