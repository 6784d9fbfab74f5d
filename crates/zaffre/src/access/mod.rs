//! Access: what a caller may do, decided in one place for every service.
//!
//! A service says what its operation demands (`Requirement`), `authorize` weighs that against what
//! is stored about the caller, and only a `Permit` comes out on success: handlers take one, and
//! nobody else can make one. Refusal is the default. The rules themselves are `azure::rbac`'s; here
//! is the gathering of the policy they need, and the record of what they decided.
//!
//! The path is silent: reasons are gathered only when the answer is no, by asking again and
//! listening. Both the log and `zaffre explain` read them.

pub mod assignments;
mod caller;
mod decisions;
pub mod denials;
pub(crate) mod derived;
mod limits;
pub mod management_groups;
mod permit;
mod policy;
mod propagation;
pub mod sql_roles;

use azure::{
    action::Action,
    error::Result,
    ids::ResourceId,
    rbac::{Access, Decision, Plane, Reason, Reasons, Silent},
};

use self::decisions::Made;
pub use self::{
    caller::Caller,
    decisions::{Decided, Decisions},
    limits::RoleLimits,
    permit::{Permit, Refusal, Why},
    policy::Holdings,
};
use crate::{door::From, service::cx::Cx, store::Txn};

/// What an operation demands before its handler runs.
#[derive(Clone, Debug)]
pub enum Requirement {
    /// Nothing: discovery documents, token requests.
    Open,
    /// Any caller with a name: lists that show what the caller may see.
    SignedIn,
    /// A virtual machine, known by its door.
    Guest,
    Access {
        all: Vec<Access>,
        /// Whether the body decides about more, which the handler must ask for with `Permit::also`.
        later: bool,
    },
}

impl Requirement {
    /// One action at one place, as most operations demand.
    pub fn to(action: Action, on: &ResourceId, plane: Plane) -> Self {
        Requirement::Access { all: vec![Access::to(action, on.clone(), plane)], later: false }
    }

    /// The same, and more when the body has been read.
    pub fn and_later(self) -> Self {
        match self {
            Requirement::Access { all, .. } => Requirement::Access { all, later: true },
            other => other,
        }
    }
}

/// Weighs a demand. The outer error is the store's; the inner one is the answer no.
pub fn authorize(
    cx: &Cx,
    txn: &Txn,
    caller: Caller,
    requirement: Requirement,
) -> Result<Result<Permit, Refusal>> {
    let refused = |caller, why| Ok(Err(Refusal { caller, why }));
    match requirement {
        Requirement::Open => Ok(Ok(Permit::new(caller, false))),
        Requirement::SignedIn if caller.is_anonymous() => refused(caller, Why::Anonymous),
        Requirement::SignedIn => Ok(Ok(Permit::new(caller, false))),
        Requirement::Guest => match cx.door.from {
            From::Guest { .. } => Ok(Ok(Permit::new(caller, false))),
            From::Host(_) => refused(caller, Why::NotAGuest),
        },
        Requirement::Access { all, later } => Ok(match first_denied(cx, txn, &caller, all)? {
            Some(why) => Err(Refusal { caller, why }),
            None => Ok(Permit::new(caller, later)),
        }),
    }
}

/// The first of the demands that is not met, with the reasons.
fn first_denied(cx: &Cx, txn: &Txn, caller: &Caller, all: Vec<Access>) -> Result<Option<Why>> {
    if caller.is_anonymous() {
        return Ok(Some(Why::Anonymous));
    }
    for mut access in all {
        access.attributes = access.attributes.at(cx.now);
        if !decide(cx, txn, caller, &access)? {
            let Explained { denied_by, reasons } = explain(cx, txn, caller, &access)?;
            let by = denied_by.map(|id| denials::get(txn, &id)).transpose()?.flatten().map(Box::new);
            cx.env.decisions.push(Made::refused(cx, caller, &access, (&reasons, by.as_deref())));
            return Ok(Some(Why::Denied { access: Box::new(access), reasons, by }));
        }
        cx.env.decisions.push(Made::allowed(cx, caller, access));
    }
    Ok(None)
}

/// Whether the caller may; lists ask it of every row that they might show.
pub fn may(cx: &Cx, txn: &Txn, caller: &Caller, access: Access) -> Result<bool> {
    decide(cx, txn, caller, &Access { attributes: access.attributes.at(cx.now), ..access })
}

fn decide(cx: &Cx, txn: &Txn, caller: &Caller, access: &Access) -> Result<bool> {
    match caller::by_key(caller, access) {
        Some(allowed) => Ok(allowed),
        None => Ok(policy::holding(cx, txn, caller)?
            .is_some_and(|holding| holding.decide(access, &mut Silent).allowed())),
    }
}

/// A decision with what made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Allowed { by: ResourceId },
    Denied { by: ResourceId },
    NotGranted,
}

/// What would become of an attempt, and by which assignment; a caller with a key has none.
pub fn outcome(cx: &Cx, txn: &Txn, caller: &Caller, access: Access) -> Result<Outcome> {
    let access = Access { attributes: access.attributes.at(cx.now), ..access };
    let Some(holding) = policy::holding(cx, txn, caller)? else { return Ok(Outcome::NotGranted) };
    Ok(match holding.decide(&access, &mut Silent) {
        Decision::Allowed { by } => Outcome::Allowed { by: by.clone() },
        Decision::Denied { by } => Outcome::Denied { by: by.clone() },
        Decision::NotGranted => Outcome::NotGranted,
    })
}

/// Whether the caller was given any role of Azure's at the scope, above it or within it: what it takes to be
/// shown that a subscription is there.
pub fn has_any_role_near(cx: &Cx, txn: &Txn, caller: &Caller, on: &ResourceId) -> Result<bool> {
    match policy::holding(cx, txn, caller)? {
        Some(holding) => Ok(holding.has_any_near(on)),
        None => Ok(matches!(caller, Caller::Operator)),
    }
}

/// Why the answer is what it is.
#[derive(Debug, Default, PartialEq)]
struct Explained {
    /// The deny assignment that forbids it, where one does.
    denied_by: Option<ResourceId>,
    reasons: Vec<Reason>,
}

/// The evaluator's reasons, gathered by asking again and listening.
fn explain(cx: &Cx, txn: &Txn, caller: &Caller, access: &Access) -> Result<Explained> {
    let Some(holding) = policy::holding(cx, txn, caller)? else { return Ok(Explained::default()) };
    let mut reasons = Reasons::default();
    let denied_by = match holding.decide(access, &mut reasons) {
        Decision::Denied { by } => Some(by.clone()),
        Decision::Allowed { .. } | Decision::NotGranted => None,
    };
    Ok(Explained { denied_by, reasons: reasons.0 })
}

#[cfg(test)]
mod tests;
