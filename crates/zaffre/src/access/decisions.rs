//! The last thousand decisions, for the log and for `zaffre explain`.
//!
//! Every request leaves one, and nearly all of them are never read: a decision is kept as the values it was
//! made of, and put into words by whoever reads it. Each has its own place, so that two requests seldom wait
//! for one another.

use std::{
    borrow::Cow,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use azure::{
    action::Action,
    ids::{Guid, ResourceId},
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

/// The same, as it was made.
pub(super) struct Made {
    at: Timestamp,
    request_id: Guid,
    about: About,
    /// Why not, where the answer was no.
    refused: Option<Vec<String>>,
}

enum About {
    /// Somebody's access.
    Access { caller: Caller, any: Cow<'static, [Action]>, on: ResourceId },
    /// A whole request: who asked, its operation and its service.
    Request { caller: String, operation: String, service: &'static str },
}

impl Made {
    pub(super) fn allowed(cx: &Cx, caller: &Caller, access: Access) -> Self {
        let Access { any, on, .. } = access;
        let about = About::Access { caller: caller.clone(), any, on };
        Made { at: cx.now, request_id: cx.request_id, about, refused: None }
    }

    pub(super) fn refused(
        cx: &Cx,
        caller: &Caller,
        access: &Access,
        why: (&[Reason], Option<&Denial>),
    ) -> Self {
        let mismatch = match caller {
            Caller::Sas(grant) => grant.judge(access.signed, &access.on).err(),
            _ => None,
        };
        let reasons = match (mismatch, why) {
            (Some(mismatch), _) => vec![format!("the shared access signature: {mismatch}")],
            (None, (_, Some(denial))) => {
                vec![format!("the deny assignment '{}' at {} forbids it", denial.title, denial.scope)]
            }
            (None, ([], None)) => {
                vec!["no role assignment of this caller, or of its groups, was found".to_owned()]
            }
            (None, (reasons, None)) => reasons.iter().map(in_words).collect(),
        };
        Made { refused: Some(reasons), ..Self::allowed(cx, caller, access.clone()) }
    }

    fn in_words(&self) -> Decided {
        let (caller, actions, scope) = match &self.about {
            About::Access { caller, any, on } => {
                let actions = any.iter().map(|action| action.as_str().to_owned()).collect();
                (caller.to_string(), actions, on.to_string())
            }
            About::Request { caller, operation, service } => {
                (caller.clone(), vec![operation.clone()], (*service).to_owned())
            }
        };
        Decided {
            at: self.at,
            request_id: self.request_id,
            caller,
            actions,
            scope,
            allowed: self.refused.is_none(),
            reasons: self.refused.clone().unwrap_or_default(),
        }
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

/// A ring: the newest takes the place of the oldest.
pub struct Decisions {
    places: Box<[Mutex<Option<Made>>]>,
    /// How many there were; the next one's place follows from it.
    made: AtomicUsize,
}

impl Default for Decisions {
    fn default() -> Self {
        Decisions { places: (0..KEPT).map(|_| Mutex::new(None)).collect(), made: AtomicUsize::new(0) }
    }
}

impl Decisions {
    pub(super) fn push(&self, made: Made) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let before = self.place(number).replace(made);
        // It is dropped when nobody waits for its place any more.
        drop(before);
    }

    /// Keeps why a request was refused that no role had to do with: what the answer does not say.
    pub fn note(&self, cx: &Cx, (service, operation): (&'static str, &str), caller: &str, why: String) {
        let (caller, operation) = (caller.to_owned(), operation.to_owned());
        let about = About::Request { caller, operation, service };
        self.push(Made { at: cx.now, request_id: cx.request_id, about, refused: Some(vec![why]) });
    }

    /// Newest first.
    pub fn latest(&self) -> Vec<Decided> {
        self.newest(KEPT).filter_map(|number| self.place(number).as_ref().map(Made::in_words)).collect()
    }

    /// The reasons why a request was not given access, in one line.
    pub fn refusal_of(&self, request_id: Guid) -> Option<String> {
        self.newest(64).find_map(|number| {
            let place = self.place(number);
            let made = place.as_ref().filter(|it| it.request_id == request_id)?;
            let reasons = made.refused.as_ref()?.join("; ");
            let About::Access { any, on, .. } = &made.about else { return None };
            let asked: Vec<&str> = any.iter().map(Action::as_str).collect();
            Some(format!("{} on {on}: {reasons}", asked.join(" or ")))
        })
    }

    fn newest(&self, count: usize) -> impl Iterator<Item = usize> {
        let made = self.made.load(Ordering::Relaxed);
        (made.saturating_sub(count)..made).rev()
    }

    fn place(&self, number: usize) -> std::sync::MutexGuard<'_, Option<Made>> {
        self.places[number % KEPT].lock().expect("no holder of this lock panics")
    }
}
