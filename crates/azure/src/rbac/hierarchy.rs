//! Management groups: which stands above which, and which above a subscription.
//!
//! A path says what lies within a subscription; that a subscription lies within a management group is
//! said by no path. So the tree comes beside the assignments, and a scope is looked for in both:
//!
//! ```text
//! /                                                        the tenant's root scope
//! /providers/Microsoft.Management/managementGroups/{root}  the tenant's root group
//! …/managementGroups/{group}                               up to six levels of groups below it
//! /subscriptions/{id}
//! ```

use std::{collections::HashMap, iter};

use crate::ids::ResourceId;

/// How many levels of groups may stand below the root group (management-groups overview: "six levels of
/// depth. This limit doesn't include the root level or the subscription level").
pub const MAX_DEPTH: usize = 6;

const GROUPS: &str = "/providers/microsoft.management/managementgroups/";
const SUBSCRIPTIONS: &str = "/subscriptions/";

/// Who stands above whom: management groups above each other, and above subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    parents: HashMap<String, ResourceId>,
}

impl Hierarchy {
    /// Out of pairs of a child and its parent, the children being groups or subscriptions.
    pub fn new(pairs: impl IntoIterator<Item = (ResourceId, ResourceId)>) -> Self {
        Hierarchy {
            parents: pairs.into_iter().map(|(child, parent)| (child.key().to_owned(), parent)).collect(),
        }
    }

    /// The groups above what the id names, nearest first; not the group itself where it names one.
    pub fn above<'h>(&'h self, on: &ResourceId) -> impl Iterator<Item = &'h ResourceId> {
        let nearest = place(on.key()).and_then(|key| self.parents.get(key));
        // A tree has no circle; were there one in the store, a walk would end all the same.
        iter::successors(nearest, |group| self.parents.get(group.key())).take(MAX_DEPTH + 2)
    }

    /// Whether the scope is the target or above it.
    pub fn holds(&self, scope: &ResourceId, target: &ResourceId) -> bool {
        scope.holds(target) || self.above(target).any(|group| group == scope)
    }
}

/// The management group's own id.
pub fn group(name: &str) -> ResourceId {
    ResourceId::root().provider("Microsoft.Management", "managementGroups", name)
}

/// The group that an id names, or names something of.
pub fn group_of(id: &ResourceId) -> Option<ResourceId> {
    id.key().starts_with(GROUPS).then(|| id.ancestor(4))
}

/// The subscription or the group that a key begins with.
fn place(key: &str) -> Option<&str> {
    let literal = [SUBSCRIPTIONS, GROUPS].into_iter().find(|literal| key.starts_with(literal))?;
    let name = key[literal.len()..].split('/').next().filter(|name| !name.is_empty())?;
    Some(&key[..literal.len() + name.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ResourceId {
        text.parse().expect("an id")
    }

    fn tree() -> Hierarchy {
        Hierarchy::new([
            (group("a"), group("root")),
            (group("b"), group("a")),
            (group("b2"), group("root")),
            (id("/subscriptions/s"), group("b")),
        ])
    }

    #[test]
    fn a_group_holds_what_is_below_it_and_nothing_beside_it() {
        for (scope, target, holds) in [
            (group("root"), id("/subscriptions/s/resourceGroups/g"), true),
            (group("A"), id("/SUBSCRIPTIONS/S"), true),
            (group("b"), id("/subscriptions/s/resourceGroups/g/providers/M/t/n"), true),
            (group("b2"), id("/subscriptions/s"), false),
            (group("b"), id("/subscriptions/s2"), false),
            (group("b"), id("/subscriptions"), false),
            (group("root"), group("b"), true),
            (group("a"), group("a"), true),
            (group("b"), group("a"), false),
            (group("b"), group("b2"), false),
            (group("a"), group("B").provider("Microsoft.Authorization", "roleAssignments", "x"), true),
            (id("/subscriptions/s"), group("b"), false),
            (ResourceId::root(), group("b"), true),
            (group("a"), ResourceId::root(), false),
        ] {
            assert_eq!(tree().holds(&scope, &target), holds, "{scope} and {target}");
        }
    }

    #[test]
    fn a_circle_ends() {
        let circle = Hierarchy::new([(group("a"), group("b")), (group("b"), group("a"))]);
        assert!(circle.above(&group("a")).count() <= MAX_DEPTH + 2);
        assert!(!circle.holds(&group("c"), &group("a")));
    }
}
