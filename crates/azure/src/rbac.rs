//! The one evaluator: may this principal do this there?
//!
//! A `Policy` is what was assigned; `evaluate` looks at it and at nothing else (rbac.md §3):
//!
//! ```text
//! each action of `any`:  a deny assignment names it       -> it is out
//! what is left:          an assignment whose scope holds the target, for the principal or a group
//!                        of its, has a permission object that grants it   -> allowed
//! nothing left, or nothing granted                                        -> refused
//! ```
//!
//! Management and data are separate worlds: `actions` are never consulted for a data plane, nor
//! `dataActions` for management. Cosmos's own roles live in a policy of their own, one an account,
//! made of `sqlRoleAssignments`; never put both kinds in one policy.
//!
//! A scope holds what its path begins, and a management group also what the `Hierarchy` puts below it.
//!
//! A `Recorder` hears what became of every assignment. `Silent` hears nothing, and then only the
//! assignments that could matter are looked at: those at the target's own prefixes, and at the management
//! groups above it. `Reasons` hears of all of them. The decision is the same.
//!
//! An assignment, and a permission object, may carry a condition (`conditions`). What carries one
//! grants only when it is true for the action; a deny assignment's permission that carries one
//! denies unless it is false. Where a service says that the body will tell more
//! (`Attributes::partial`), what is still unknown does not refuse yet.

mod hierarchy;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

pub use self::hierarchy::{Hierarchy, MAX_DEPTH, group, group_of};
use crate::{
    action::Action,
    conditions::{Attributes, Condition, Truth},
    ids::{Guid, ObjectId, ResourceId},
    roles::{Permission, RoleDefinition, any_match},
    sas::Demand,
};

/// Which world an action belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Management: `actions`. Also what the data plane asks about containers (rbac.md §5).
    Control,
    /// A data plane under Azure RBAC: `dataActions`.
    Data,
    /// Cosmos DB's own roles: `dataActions`, and names below the account keep their case.
    Cosmos,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Any one of these suffices.
    pub any: Cow<'static, [Action]>,
    pub on: ResourceId,
    /// Whether leave at any place within `on` suffices too, as for reading a Cosmos account (rbac.md §6).
    pub or_within: bool,
    pub plane: Plane,
    /// What conditions may look at.
    pub attributes: Attributes,
    /// What a shared access signature must allow for this; without it, none does. Roles do not look at it.
    pub signed: Option<Demand>,
}

impl Access {
    pub fn to(action: Action, on: ResourceId, plane: Plane) -> Self {
        Access::any(vec![action], on, plane)
    }

    /// To do one of these, where nothing is known that conditions may look at.
    pub fn any(any: impl Into<Cow<'static, [Action]>>, on: ResourceId, plane: Plane) -> Self {
        let attributes = Attributes::none();
        Access { any: any.into(), on, or_within: false, plane, attributes, signed: None }
    }
}

/// The ids by which an assignment reaches a principal: its own, and those of the groups it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// In order.
    ids: Vec<ObjectId>,
}

impl Who {
    pub fn new(own: ObjectId, groups: impl IntoIterator<Item = ObjectId>) -> Self {
        let mut ids: Vec<_> = std::iter::once(own).chain(groups).collect();
        ids.sort_unstable();
        ids.dedup();
        Who { ids }
    }

    pub fn is(&self, id: ObjectId) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    pub fn ids(&self) -> &[ObjectId] {
        &self.ids
    }
}

/// A role given to a principal at a scope.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub id: ResourceId,
    pub scope: ResourceId,
    pub principal: ObjectId,
    pub role: Arc<RoleDefinition>,
    pub condition: Option<Condition>,
}

/// What is forbidden to some at a scope, whatever they were assigned.
#[derive(Clone, Debug)]
pub struct DenyAssignment {
    pub id: ResourceId,
    pub name: String,
    pub scope: ResourceId,
    pub does_not_apply_to_child_scopes: bool,
    /// `EVERYONE` stands for all principals.
    pub principals: Vec<ObjectId>,
    pub excluded_principals: Vec<ObjectId>,
    pub permissions: Vec<Permission>,
}

/// The id by which a deny assignment names all principals (`SystemDefined`).
pub const EVERYONE: ObjectId = ObjectId(Guid([0; 16]));

/// Everything that was assigned, with an index by scope.
#[derive(Debug, Default)]
pub struct Policy {
    assignments: Vec<Assignment>,
    denies: Vec<DenyAssignment>,
    hierarchy: Arc<Hierarchy>,
    places: HashMap<String, Vec<usize>>,
}

impl Policy {
    pub fn new(assignments: Vec<Assignment>, denies: Vec<DenyAssignment>, hierarchy: Arc<Hierarchy>) -> Self {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, assignment) in assignments.iter().enumerate() {
            places.entry(assignment.scope.key().to_owned()).or_default().push(at);
        }
        Policy { assignments, denies, hierarchy, places }
    }

    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    pub fn denies(&self) -> &[DenyAssignment] {
        &self.denies
    }

    /// Where the assignments at the target or above it stand in the policy; in no order.
    fn near<'p>(&'p self, on: &'p ResourceId) -> impl Iterator<Item = usize> + 'p {
        let above = self.hierarchy.above(on).map(ResourceId::key);
        prefixes(on.key()).chain(above).filter_map(|scope| self.places.get(scope)).flatten().copied()
    }
}

/// `/a/b` has the prefixes ``, `/a` and `/a/b`.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..at]).chain(std::iter::once(key))
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// This assignment allows it.
    Allowed { by: &'p ResourceId },
    /// This deny assignment forbids it.
    Denied { by: &'p ResourceId },
    /// Nothing allows it.
    NotGranted,
}

impl Decision<'_> {
    pub fn allowed(&self) -> bool {
        matches!(self, Decision::Allowed { .. })
    }
}

/// What became of one assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is at a scope that does not hold the target.
    ScopeDoesNotHold,
    /// It is someone else's.
    OtherPrincipal,
    /// Its role names none of the actions.
    NoActionMatches,
    /// Its role names an action and takes it away again.
    ExcludedByNotActions,
    /// Its role would allow it as management, and data was asked for.
    OnlyManagement,
    /// It would allow it, under a condition that does not hold here.
    ConditionNotMet,
    /// It would allow it, under a condition that is not understood.
    ConditionNotUnderstood,
    Allows,
}

/// What became of one assignment, to be read by people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub assignment: ResourceId,
    pub scope: ResourceId,
    pub role: String,
    pub verdict: Verdict,
}

/// Hears what became of assignments.
pub trait Recorder {
    /// Whether to look at every assignment, those too that cannot matter.
    const LISTENS: bool;
    fn record(&mut self, assignment: &Assignment, verdict: Verdict);
}

/// Hears nothing.
pub struct Silent;

impl Recorder for Silent {
    const LISTENS: bool = false;
    fn record(&mut self, _: &Assignment, _: Verdict) {}
}

/// Hears everything, in the policy's order.
#[derive(Debug, Default)]
pub struct Reasons(pub Vec<Reason>);

impl Recorder for Reasons {
    const LISTENS: bool = true;
    fn record(&mut self, assignment: &Assignment, verdict: Verdict) {
        self.0.push(Reason {
            assignment: assignment.id.clone(),
            scope: assignment.scope.clone(),
            role: assignment.role.name.clone(),
            verdict,
        });
    }
}

/// Decides. Where several assignments allow it, the first in the policy is named. An allowed answer that
/// nobody listens to allocates nothing.
pub fn evaluate<'p, R: Recorder>(
    policy: &'p Policy,
    who: &Who,
    access: &Access,
    recorder: &mut R,
) -> Decision<'p> {
    let deny = |action: &Action| policy.denies.iter().find(|deny| forbids(deny, policy, who, access, action));
    let denied = access.any.iter().find_map(deny);
    let left: Cow<'_, [Action]> = match denied {
        None => Cow::Borrowed(&access.any),
        Some(_) => access.any.iter().filter(|action| deny(action).is_none()).cloned().collect(),
    };
    match (first_allowing(policy, who, access, &left, recorder), denied) {
        (Some(by), _) => Decision::Allowed { by: &by.id },
        (None, Some(deny)) if left.is_empty() => Decision::Denied { by: &deny.id },
        (None, _) => Decision::NotGranted,
    }
}

fn first_allowing<'p, R: Recorder>(
    policy: &'p Policy,
    who: &Who,
    access: &Access,
    left: &[Action],
    recorder: &mut R,
) -> Option<&'p Assignment> {
    let mut first: Option<usize> = None;
    let mut weigh = |at: usize| {
        let assignment = &policy.assignments[at];
        let verdict = judge(assignment, policy, who, access, left);
        recorder.record(assignment, verdict);
        if verdict == Verdict::Allows && first.is_none_or(|first| at < first) {
            first = Some(at);
        }
    };
    if R::LISTENS || access.or_within {
        (0..policy.assignments.len()).for_each(&mut weigh);
    } else {
        policy.near(&access.on).for_each(&mut weigh);
    }
    first.map(|at| &policy.assignments[at])
}

fn judge(assignment: &Assignment, policy: &Policy, who: &Who, access: &Access, left: &[Action]) -> Verdict {
    if !who.is(assignment.principal) {
        return Verdict::OtherPrincipal;
    }
    if !reaches(&assignment.scope, policy, access) {
        return Verdict::ScopeDoesNotHold;
    }
    let mut verdict = None;
    for permission in &assignment.role.permissions {
        for action in left.iter().filter(|action| grants(permission, action, access.plane)) {
            let conditions = [&assignment.condition, &permission.condition];
            match conditions.into_iter().flatten().find_map(|it| hindrance(it, action, access)) {
                None => return Verdict::Allows,
                hindered => verdict = verdict.or(hindered),
            }
        }
    }
    verdict.unwrap_or_else(|| why_not(&assignment.role.permissions, access.plane, left))
}

/// Why a condition keeps from the action; `None` where it does not.
fn hindrance(condition: &Condition, action: &Action, access: &Access) -> Option<Verdict> {
    let is_understood = condition.check().is_ok();
    match condition.ask(action, &access.attributes) {
        Truth::True => None,
        Truth::Unknown if is_understood && access.attributes.is_partial() => None,
        _ if is_understood => Some(Verdict::ConditionNotMet),
        _ => Some(Verdict::ConditionNotUnderstood),
    }
}

/// Whether the scope is the target or above it, or within it where that suffices. Names of databases and
/// containers differ by case in Cosmos DB, so there everything below the account is compared as it came.
fn reaches(scope: &ResourceId, policy: &Policy, access: &Access) -> bool {
    let holds = |outer: &ResourceId, inner: &ResourceId| match access.plane {
        Plane::Cosmos => outer.holds_to_the_letter(inner),
        Plane::Control | Plane::Data => policy.hierarchy.holds(outer, inner),
    };
    holds(scope, &access.on) || (access.or_within && holds(&access.on, scope))
}

fn grants(permission: &Permission, action: &Action, plane: Plane) -> bool {
    match plane {
        Plane::Control => permission.grants_action(action),
        Plane::Data | Plane::Cosmos => permission.grants_data_action(action),
    }
}

fn why_not(permissions: &[Permission], plane: Plane, left: &[Action]) -> Verdict {
    let any = |test: &dyn Fn(&Permission, &Action) -> bool| {
        permissions.iter().any(|permission| left.iter().any(|action| test(permission, action)))
    };
    let named = any(&|permission, action| match plane {
        Plane::Control => any_match(&permission.actions, action),
        Plane::Data | Plane::Cosmos => any_match(&permission.data_actions, action),
    });
    if named {
        Verdict::ExcludedByNotActions
    } else if plane != Plane::Control && any(&Permission::grants_action) {
        Verdict::OnlyManagement
    } else {
        Verdict::NoActionMatches
    }
}

fn forbids(deny: &DenyAssignment, policy: &Policy, who: &Who, access: &Access, action: &Action) -> bool {
    let is_here = if deny.does_not_apply_to_child_scopes {
        deny.scope == access.on
    } else {
        policy.hierarchy.holds(&deny.scope, &access.on)
    };
    is_here
        && deny.principals.iter().any(|id| *id == EVERYONE || who.is(*id))
        && !deny.excluded_principals.iter().any(|id| who.is(*id))
        && deny.permissions.iter().any(|permission| {
            let spares = |it: &Condition| it.ask(action, &access.attributes) == Truth::False;
            grants(permission, action, access.plane) && !permission.condition.as_ref().is_some_and(spares)
        })
}

#[cfg(test)]
mod tests;
