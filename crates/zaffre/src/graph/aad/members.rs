//! Whether somebody is in a group, by way of other groups too: a question of this service that Graph has no word for.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
};
use serde_json::json;

use crate::{
    directory::groups,
    graph::{
        ask::{Answer, Ask},
        codes,
    },
    store::Txn,
};

pub(super) fn is_member_of(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let of = |name: &'static str| -> Result<ObjectId> {
        let text = ask.text(name).ok_or_else(|| codes::MISSING.with([name, "isMemberOf"]))?;
        text.parse::<Guid>().map(ObjectId).map_err(|_| codes::WRONG_TYPE.with([name, "isMemberOf"]))
    };
    let (group, member) = (of("groupId")?, of("memberId")?);
    Ok(Answer::Json(200, json!({ "value": groups::of(txn, member)?.contains(&group) })))
}
