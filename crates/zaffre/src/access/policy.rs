//! The policy that concerns one request: what was assigned to its caller and to the caller's groups.

use std::sync::Arc;

use azure::{
    error::Result,
    ids::{ObjectId, ResourceId},
    principal::Principal,
    rbac::{self, Access, Decision, Hierarchy, Plane, Policy, Recorder, Who},
    time::Timestamp,
};

use super::{Caller, assignments, denials, derived::Derived, management_groups, propagation, sql_roles};
use crate::{cloud::CloudId, directory::groups, service::Cx, store::Txn};

/// What callers were seen to hold, each with its groups. Nothing in it decides anything that the
/// store would not.
#[derive(Default)]
pub struct Holdings(Derived<(CloudId, ObjectId), Holding>);

/// What is stored about a caller.
pub(super) struct Holding {
    who: Who,
    policy: Policy,
    /// Cosmos's own roles, in all accounts.
    cosmos: Policy,
    hierarchy: Arc<Hierarchy>,
}

impl Holding {
    /// Runs the evaluator over it.
    pub(super) fn decide(&self, access: &Access, recorder: &mut impl Recorder) -> Decision<'_> {
        let policy = match access.plane {
            Plane::Cosmos => &self.cosmos,
            Plane::Control | Plane::Data => &self.policy,
        };
        rbac::evaluate(policy, &self.who, access, recorder)
    }

    pub(super) fn has_any_near(&self, on: &ResourceId) -> bool {
        let near = |scope: &ResourceId| self.hierarchy.holds(scope, on) || self.hierarchy.holds(on, scope);
        self.policy.assignments().iter().any(|it| near(&it.scope))
    }
}

/// What is stored about whose roles decide; nothing where none do.
pub(super) fn holding(cx: &Cx, txn: &Txn, caller: &Caller) -> Result<Option<Arc<Holding>>> {
    caller.holder().map(|who| of(cx, txn, who)).transpose()
}

/// While a change is on its way, nobody's holdings stand still: they are gathered each time.
fn of(cx: &Cx, txn: &Txn, who: &Principal) -> Result<Arc<Holding>> {
    if cx.stack.is_some() {
        return gather(cx, txn, who, None).map(Arc::new);
    }
    let since = propagation::unseen_since(cx);
    if let Some(since) = since
        && propagation::is_under_way(txn, since)?
    {
        return gather(cx, txn, who, Some(since)).map(Arc::new);
    }
    cx.env.holdings.0.get(txn, (cx.cloud.id, who.object_id), || gather(cx, txn, who, None))
}

fn gather(cx: &Cx, txn: &Txn, who: &Principal, since: Option<Timestamp>) -> Result<Holding> {
    let who = Who::new(who.object_id, groups::of(txn, who.object_id)?);
    let mut stored = Vec::new();
    let mut cosmos = Vec::new();
    for id in who.ids() {
        stored.extend(assignments::of(txn, *id)?);
        cosmos.extend(sql_roles::evaluable(txn, *id)?);
    }
    if let Some(since) = since {
        propagation::rewind(txn, since, who.ids(), &mut stored)?;
    }
    let mut all = Vec::with_capacity(stored.len());
    for assignment in stored {
        all.extend(assignments::evaluable(txn, assignment)?);
    }
    let denies = denials::concerning(txn, who.ids(), cx.stack.as_ref())?;
    let hierarchy = Arc::new(management_groups::hierarchy(txn, &cx.cloud.charter)?);
    let policy = Policy::new(all, denies, Arc::clone(&hierarchy));
    let cosmos = Policy::new(cosmos, Vec::new(), Arc::clone(&hierarchy));
    Ok(Holding { who, policy, cosmos, hierarchy })
}
