//! Groups, and who is in them: users, service principals and other groups.
//!
//! A membership is one row either way, so that both questions (who is in this group, which groups is
//! this principal in) are one scan each. Groups may be in one another in a circle, as in Azure: every
//! walk keeps what it has seen.

use std::collections::HashSet;

use azure::{error::Result, ids::ObjectId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{links, roles};
use crate::access::derived;
use crate::store::{Span, Table, Txn};

const GROUPS: Table<ObjectId, Group> = Table::new("groups");
/// Group, then member.
const MEMBERS: Table<(ObjectId, ObjectId), ()> = Table::new("group_members");
/// Member, then group.
const MEMBER_OF: Table<(ObjectId, ObjectId), ()> = Table::new("groups_of_members");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub object_id: ObjectId,
    pub display_name: String,
    pub created: Timestamp,
    /// What Graph's clients wrote of it: its description, its nickname, what kind of group it is.
    #[serde(default)]
    pub document: Map<String, Value>,
}

pub fn get(txn: &Txn, id: ObjectId) -> Result<Option<Group>> {
    Ok(GROUPS.get(txn, &id)?)
}

/// Creates or replaces.
pub fn put(txn: &mut Txn, group: &Group) -> Result<()> {
    Ok(GROUPS.put(txn, &group.object_id, group)?)
}

/// Every group, by id: at most `limit`, those behind `after`.
pub fn page(txn: &Txn, after: Option<ObjectId>, limit: usize) -> Result<Vec<Group>> {
    let rows = GROUPS.scan(txn, &(), after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, group)| group).collect())
}

/// Removes the group with its memberships, those in it and its own, and gives back what it was.
pub fn delete(txn: &mut Txn, id: ObjectId) -> Result<Option<Group>> {
    let Some(group) = get(txn, id)? else { return Ok(None) };
    for member in members(txn, id)? {
        remove(txn, id, member)?;
    }
    forget(txn, id)?;
    links::forget(txn, id)?;
    roles::forget(txn, id)?;
    GROUPS.delete(txn, &id)?;
    Ok(Some(group))
}

/// Puts somebody into a group. `false`: they were in it already.
pub fn add(txn: &mut Txn, group: ObjectId, member: ObjectId) -> Result<bool> {
    if MEMBERS.exists(txn, &(group, member))? {
        return Ok(false);
    }
    derived::changed(txn)?;
    MEMBERS.put(txn, &(group, member), &())?;
    MEMBER_OF.put(txn, &(member, group), &())?;
    Ok(true)
}

/// Takes somebody out of a group. `false`: they were not in it.
pub fn remove(txn: &mut Txn, group: ObjectId, member: ObjectId) -> Result<bool> {
    if !MEMBERS.exists(txn, &(group, member))? {
        return Ok(false);
    }
    derived::changed(txn)?;
    MEMBERS.delete(txn, &(group, member))?;
    MEMBER_OF.delete(txn, &(member, group))?;
    Ok(true)
}

/// Takes a principal that goes out of every group it is in.
pub fn forget(txn: &mut Txn, member: ObjectId) -> Result<()> {
    for group in direct(txn, member)? {
        remove(txn, group, member)?;
    }
    Ok(())
}

/// Who is in the group itself, by object id.
pub fn members(txn: &Txn, group: ObjectId) -> Result<Vec<ObjectId>> {
    MEMBERS.rows(txn, Span::under(&(group,))).map(|row| Ok(row?.0.1)).collect()
}

/// Who is in the group or in a group within it, those groups too.
pub fn transitive_members(txn: &Txn, group: ObjectId) -> Result<Vec<ObjectId>> {
    walk(group, |id| members(txn, id))
}

/// The groups that have this very principal as a member, by object id.
pub fn direct(txn: &Txn, member: ObjectId) -> Result<Vec<ObjectId>> {
    MEMBER_OF.rows(txn, Span::under(&(member,))).map(|row| Ok(row?.0.1)).collect()
}

/// The groups a principal is in, those its groups are in too: nearest first.
pub fn of(txn: &Txn, principal: ObjectId) -> Result<Vec<ObjectId>> {
    walk(principal, |id| direct(txn, id))
}

/// Everything that can be reached in steps from an id, breadth first, each once and the id itself never.
fn walk(from: ObjectId, step: impl Fn(ObjectId) -> Result<Vec<ObjectId>>) -> Result<Vec<ObjectId>> {
    let mut seen = HashSet::from([from]);
    let mut found = step(from)?;
    found.retain(|id| seen.insert(*id));
    let mut at = 0;
    while let Some(id) = found.get(at).copied() {
        found.extend(step(id)?.into_iter().filter(|next| seen.insert(*next)));
        at += 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use azure::ids::Guid;

    use super::*;
    use crate::store::{CloudId, Store};

    fn id(n: u8) -> ObjectId {
        ObjectId(Guid([n; 16]))
    }

    fn group(n: u8) -> Group {
        Group {
            object_id: id(n),
            display_name: format!("g{n}"),
            created: Timestamp::default(),
            document: Map::new(),
        }
    }

    /// The one member 9 is in 1; 1 in 2 and 3; both of these in 4; and 4 in 1 again.
    async fn nested() -> Store {
        let store = Store::in_memory();
        let pairs = [(1, 9), (2, 1), (3, 1), (4, 2), (4, 3), (1, 4)];
        let write = |txn: &mut Txn| {
            (1..5).try_for_each(|n| put(txn, &group(n)))?;
            pairs.iter().try_for_each(|(group, member)| add(txn, id(*group), id(*member)).map(drop))
        };
        store.write(CloudId(1), write).await.expect("writes");
        store
    }

    #[tokio::test]
    async fn groups_within_groups_count_and_a_circle_ends() {
        let store = nested().await;
        let read = |txn: &Txn| {
            assert_eq!(of(txn, id(9))?, [id(1), id(2), id(3), id(4)]);
            assert_eq!(of(txn, id(1))?, [id(2), id(3), id(4)], "not itself");
            assert_eq!(of(txn, id(7))?, []);
            assert_eq!(transitive_members(txn, id(4))?, [id(2), id(3), id(1), id(9)]);
            Ok::<_, azure::error::Error>(())
        };
        store.read(CloudId(1), read).await.expect("reads");
    }

    #[tokio::test]
    async fn a_deleted_group_leaves_no_membership_behind() {
        let store = nested().await;
        let deleted = store.write(CloudId(1), |txn| delete(txn, id(1))).await.expect("deletes");
        assert_eq!(deleted, Some(group(1)));
        let read = |txn: &Txn| {
            assert_eq!(of(txn, id(9))?, []);
            assert_eq!(members(txn, id(2))?, []);
            assert_eq!(of(txn, id(4))?, []);
            assert_eq!(page(txn, Some(id(2)), 9)?.len(), 2);
            Ok::<_, azure::error::Error>(())
        };
        store.read(CloudId(1), read).await.expect("reads");
    }

    #[tokio::test]
    async fn joining_twice_and_leaving_twice_say_so() {
        let store = nested().await;
        let write = |txn: &mut Txn| {
            let first = (add(txn, id(1), id(9))?, remove(txn, id(1), id(9))?);
            Ok::<_, azure::error::Error>((first, remove(txn, id(1), id(9))?, add(txn, id(1), id(9))?))
        };
        assert_eq!(store.write(CloudId(1), write).await.expect("writes"), ((false, true), false, true));
    }
}
