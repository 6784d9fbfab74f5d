//! `elevateAccess`: a Global Administrator makes themselves User Access Administrator of everything
//! (elevate-access-global-admin).

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
};

use crate::{
    access::assignments::{self, RoleAssignment},
    arm::kind::{Answer, Call},
    directory::roles,
    store::Txn,
};

/// `User Access Administrator` among the built-in roles.
const USER_ACCESS_ADMINISTRATOR: &str = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9";

azure::error_rows! {
    static TABLE;
    NOT_AN_ADMINISTRATOR = 403 "AuthorizationFailed" "The client '{0}' does not have authorization to perform action 'Microsoft.Authorization/elevateAccess/action' over scope '/'. Only a Global Administrator can elevate access.", "documented: elevate-access-global-admin; wording unverified";
}

/// 200 without a body, also where it was so before.
pub(super) fn elevate(call: &mut Call<'_>) -> Result<Answer> {
    let who = call.permit.caller().principal();
    let Some(who) = who.filter(|who| is_global_administrator(call.txn, who.object_id)) else {
        return Err(NOT_AN_ADMINISTRATOR.with([call.permit.caller().to_string()]));
    };
    let role: Guid = USER_ACCESS_ADMINISTRATOR.parse().expect("a constant guid");
    let root = ResourceId::root();
    let held = assignments::of(call.txn, who.object_id)?;
    if !held.iter().any(|it| it.role == role && it.scope.is_root()) {
        let holder = (who.object_id, who.kind);
        let given = RoleAssignment::plain(call.draw.guid(), &root, holder, role, call.cx.now);
        assignments::put(call.txn, &given)?;
    }
    Ok(Answer::empty(200))
}

fn is_global_administrator(txn: &Txn, principal: ObjectId) -> bool {
    roles::held(txn, principal).is_ok_and(|held| held.contains(&roles::GLOBAL_ADMINISTRATOR))
}
