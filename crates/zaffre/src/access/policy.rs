//! The policy that concerns one request: what was assigned to its caller and to the caller's groups.

use std::sync::Arc;

use azure::{
    error::Result,
    ids::ObjectId,
    principal::Principal,
    rbac::{self, Access, Decision, Plane, Policy, Recorder},
};

use super::{Caller, assignments, denials, derived::Derived, propagation, sql_roles};
use crate::{directory::groups, service::Cx, store::Txn};

/// What callers were seen to hold, each with its groups. Nothing in it decides anything that the
/// store would not.
#[derive(Default)]
pub struct Holdings(Derived<(crate::cloud::CloudId, ObjectId), Holding>);

/// What is stored about a caller.
struct Holding {
    groups: Vec<ObjectId>,
    policy: Policy,
}

/// Runs the evaluator over what is stored about the caller; a caller who is no principal has nothing.
pub(super) fn evaluate(
    cx: &Cx,
    txn: &Txn,
    caller: &Caller,
    access: &Access,
    recorder: &mut impl Recorder,
) -> Result<Decision> {
    let Some(who) = caller.principal() else { return Ok(Decision::NotGranted) };
    let holding = holding(cx, txn, who)?;
    let who = Principal { groups: holding.groups.clone(), ..who.clone() };
    if access.plane == Plane::Cosmos {
        let policy = Policy::new(sql_roles::evaluable(txn, &access.on.account())?, Vec::new());
        return Ok(rbac::evaluate(&policy, &who, access, recorder));
    }
    Ok(rbac::evaluate(&holding.policy, &who, access, recorder))
}

/// While a change is on its way, nobody's holdings stand still: they are gathered each time.
fn holding(cx: &Cx, txn: &Txn, who: &Principal) -> Result<Arc<Holding>> {
    let since = propagation::unseen_since(cx);
    if let Some(since) = since
        && propagation::is_under_way(txn, since)?
    {
        return gather(txn, who, Some(since)).map(Arc::new);
    }
    cx.env.holdings.0.get(txn, (cx.cloud.id, who.object_id), || gather(txn, who, None))
}

fn gather(txn: &Txn, who: &Principal, since: Option<azure::time::Timestamp>) -> Result<Holding> {
    let groups = groups::of(txn, who.object_id)?;
    let ids: Vec<ObjectId> = std::iter::once(who.object_id).chain(groups.iter().copied()).collect();
    let mut stored = Vec::new();
    for id in &ids {
        stored.extend(assignments::of(txn, *id)?);
    }
    if let Some(since) = since {
        propagation::rewind(txn, since, &ids, &mut stored)?;
    }
    let mut all = Vec::with_capacity(stored.len());
    for assignment in stored {
        all.extend(assignments::evaluable(txn, assignment)?);
    }
    Ok(Holding { groups, policy: Policy::new(all, denials::concerning(txn, &ids)?) })
}
