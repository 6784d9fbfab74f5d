//! The policy that concerns one request: what was assigned to its caller.

use azure::{
    error::Result,
    principal::Principal,
    rbac::{self, Access, Assignment, Decision, Plane, Policy, Recorder},
};

use super::{Caller, assignments, sql_roles};
use crate::store::Txn;

/// Segments of `/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/a`.
const SEGMENTS_OF_AN_ACCOUNT: usize = 8;

/// Runs the evaluator over what is stored about the caller; a caller who is no principal has nothing.
pub(super) fn evaluate(
    txn: &Txn,
    caller: &Caller,
    access: &Access,
    recorder: &mut impl Recorder,
) -> Result<Decision> {
    let Some(who) = caller.principal() else { return Ok(Decision::NotGranted) };
    let policy = Policy::new(concerning(txn, who, access)?, Vec::new());
    Ok(rbac::evaluate(&policy, who, access, recorder))
}

fn concerning(txn: &Txn, who: &Principal, access: &Access) -> Result<Vec<Assignment>> {
    match access.plane {
        Plane::Cosmos => sql_roles::evaluable(txn, &access.on.ancestor(SEGMENTS_OF_AN_ACCOUNT)),
        Plane::Control | Plane::Data => {
            let mut all = Vec::new();
            for id in who.ids() {
                for stored in assignments::of(txn, id)? {
                    all.extend(assignments::evaluable(txn, stored)?);
                }
            }
            Ok(all)
        }
    }
}
