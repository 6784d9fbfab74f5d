//! What is written down of a request, while it is handled.

use aws_lc_rs::digest;
use azure::{
    error::{Error, Result},
    ids::{Guid, ResourceId},
};
use http::Method;
use serde_json::json;

use crate::{
    access::Caller,
    arm::{
        own,
        own::Who,
        path::What,
        service::{Op, rendered, verb_of},
    },
    door::From,
    resources::activity::{self, Entry, Http, Outcome},
    service::Cx,
    store::Txn,
};

/// A request that may have to be written down: nothing for one that only reads.
#[derive(Default)]
pub(in crate::arm) struct Note(Option<Entry>);

/// What is done, to what, of which type.
struct Deed {
    action: String,
    resource: ResourceId,
    resource_type: String,
}

impl Note {
    pub(in crate::arm) fn of(cx: &Cx, caller: &Caller, op: &Op) -> Note {
        let (Some(principal), Some(deed)) = (caller.principal(), deed(op)) else { return Note(None) };
        let client_address = match &cx.door.from {
            From::Host(address) => Some(address.ip().to_string()),
            From::Guest { .. } => None,
        };
        Note(Some(Entry {
            id: named(cx, &deed),
            at: cx.now,
            correlation: cx.correlation_id,
            request: cx.request_id,
            action: deed.action,
            resource: deed.resource,
            resource_type: deed.resource_type,
            who: principal.into(),
            http: Http {
                method: op.method.to_string(),
                uri: format!("{}{}", op.asked.origin, op.asked.path),
                client_request: op.asked.client_request.clone(),
                client_address,
            },
            outcome: Outcome::Succeeded { status: 200 },
        }))
    }

    /// What is done; none where nothing is written down.
    pub(in crate::arm) fn action(&self) -> Option<&str> {
        self.0.as_ref().map(|it| it.action.as_str())
    }

    /// Done, or taken on as an operation: in the transaction of the change.
    pub(in crate::arm) fn done(&self, txn: &mut Txn, status: u16, begun: Option<Guid>) -> Result<()> {
        let outcome = match begun {
            Some(operation) => Outcome::Accepted { status, operation },
            None => Outcome::Succeeded { status },
        };
        self.put(txn, outcome)
    }

    /// The same for what had no transaction of its own.
    pub(in crate::arm) async fn done_apart(&self, cx: &Cx, status: u16, begun: Option<Guid>) -> Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(_) => cx.write(|txn| self.done(txn, status, begun)).await,
        }
    }

    /// Refused. A log that cannot be written makes nothing worse: the answer is the refusal all the same.
    pub(in crate::arm) async fn failed(&self, cx: &Cx, error: &Error) {
        if self.0.is_none() || error.row.status >= 500 {
            return;
        }
        let outcome =
            || Outcome::Failed { status: error.row.status, error: json!({ "error": rendered(error) }) };
        let _ = cx.write(|txn| self.put(txn, outcome())).await;
    }

    fn put(&self, txn: &mut Txn, outcome: Outcome) -> Result<()> {
        match &self.0 {
            Some(entry) => activity::put(txn, &Entry { outcome, ..entry.clone() }),
            None => Ok(()),
        }
    }
}

/// An id that follows from the request, and for steps of a deployment from the step: the log draws no chance.
fn named(cx: &Cx, deed: &Deed) -> Guid {
    let text = format!("{} {} {}", cx.request_id, deed.action, deed.resource.key());
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    Guid::from_random(hash.as_ref()[..16].try_into().expect("SHA-256 has 32 bytes"))
}

/// None for what only reads.
fn deed(op: &Op) -> Option<Deed> {
    let is_read = matches!(op.method, Method::GET | Method::HEAD);
    if is_read {
        return None;
    }
    let of_type = |resource: &ResourceId, action: String| {
        let resource_type = action.rsplit_once('/').map_or("", |(front, _)| front).to_owned();
        Deed { action, resource: resource.clone(), resource_type }
    };
    let deed = match &op.what {
        What::One { id, of } => of_type(id, of.action(verb_of(&op.method))),
        What::Many { .. } => return None,
        What::Verb { id, of, verb, .. } => Deed {
            resource_type: of.action("").trim_end_matches('/').to_owned(),
            ..of_type(id, of.action(verb.action))
        },
        What::Function { at, function, .. } => of_type(at, function.action.to_owned()),
        What::Own { row, path } => {
            let action = match row.who {
                Who::May(action) | Who::MayAndMore(action) => action.to_owned(),
                Who::MayRegister => own::register_action(path, &op.asked.path),
                Who::Anyone | Who::SignedIn | Who::Follower => return None,
            };
            let at = ResourceId::parse(&op.asked.path).unwrap_or_else(|_| ResourceId::root());
            of_type(&own::scope_of(&at), action)
        }
    };
    let changes = ["/write", "/delete", "/action"].iter().any(|it| deed.action.ends_with(it));
    changes.then_some(deed)
}
