//! The last thousand decisions, for the log and for `zaffre explain`.

use std::{collections::VecDeque, sync::Mutex};

use azure::{
    ids::Guid,
    rbac::{Access, Reason, Verdict},
    time::Timestamp,
};
use serde::Serialize;

use super::{Caller, denials::Denial};
use crate::service::cx::Cx;

const KEPT: usize = 1000;

/// One decision, in words.
#[derive(Clone, Debug, Serialize)]
pub struct Decided {
    pub at: Timestamp,
    pub request_id: Guid,
    pub caller: String,
    pub actions: Vec<String>,
    pub scope: String,
    pub allowed: bool,
    /// What was considered and why it did not allow; empty where the answer was yes.
    pub reasons: Vec<String>,
}

impl Decided {
    pub(super) fn allowed(cx: &Cx, caller: &Caller, access: &Access) -> Self {
        Decided {
            at: cx.now,
            request_id: cx.request_id,
            caller: caller.to_string(),
            actions: access.any.iter().map(|action| action.as_str().to_owned()).collect(),
            scope: access.on.to_string(),
            allowed: true,
            reasons: Vec::new(),
        }
    }

    pub(super) fn refused(
        cx: &Cx,
        caller: &Caller,
        access: &Access,
        why: (&[Reason], Option<&Denial>),
    ) -> Self {
        let reasons = match why {
            (_, Some(denial)) => {
                vec![format!("the deny assignment '{}' at {} forbids it", denial.title, denial.scope)]
            }
            ([], None) => vec!["no role assignment of this caller, or of its groups, was found".to_owned()],
            (reasons, None) => reasons.iter().map(in_words).collect(),
        };
        Decided { allowed: false, reasons, ..Self::allowed(cx, caller, access) }
    }
}

fn in_words(reason: &Reason) -> String {
    let why = match reason.verdict {
        Verdict::ScopeDoesNotHold => "is at a scope that does not hold the target",
        Verdict::OtherPrincipal => "is another principal's",
        Verdict::NoActionMatches => "names none of the actions",
        Verdict::ExcludedByNotActions => "names the action and takes it away again",
        Verdict::OnlyManagement => "allows it for management only, and this is data",
        Verdict::ConditionNotMet => "allows it under a condition that does not hold here",
        Verdict::ConditionNotUnderstood => "has a condition that is not understood",
        Verdict::Allows => "allows it",
    };
    format!("'{}' at {} {why}", reason.role, reason.scope)
}

#[derive(Default)]
pub struct Decisions {
    ring: Mutex<VecDeque<Decided>>,
}

impl Decisions {
    pub(super) fn push(&self, decided: Decided) {
        let mut ring = self.ring.lock().expect("no holder of this lock panics");
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(decided);
    }

    /// Newest first.
    pub fn latest(&self) -> Vec<Decided> {
        self.ring.lock().expect("no holder of this lock panics").iter().rev().cloned().collect()
    }

    /// The reasons of a request's refusal, in one line.
    pub fn refusal_of(&self, request_id: Guid) -> Option<String> {
        let ring = self.ring.lock().expect("no holder of this lock panics");
        let decided = ring.iter().rev().take(64).find(|it| it.request_id == request_id && !it.allowed)?;
        let asked = decided.actions.join(" or ");
        Some(format!("{asked} on {}: {}", decided.scope, decided.reasons.join("; ")))
    }
}
