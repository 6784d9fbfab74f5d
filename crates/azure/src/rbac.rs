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
//! A `Recorder` hears what became of every assignment. `Silent` hears nothing, and then only the
//! assignments that could matter are looked at: those of the principal's ids at the target's own
//! prefixes. `Reasons` hears of all of them. The decision is the same.
//!
//! An assignment, and a permission object, may carry a condition (`conditions`). What carries one
//! grants only when it is true for the action; a deny assignment's permission that carries one
//! denies unless it is false. Where a service says that the body will tell more
//! (`Attributes::partial`), what is still unknown does not refuse yet.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use crate::{
    action::Action,
    conditions::{Attributes, Condition, Truth},
    ids::{Guid, ObjectId, ResourceId},
    principal::Principal,
    roles::{Permission, RoleDefinition, any_match},
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
    pub plane: Plane,
    /// What conditions may look at.
    pub attributes: Attributes,
}

impl Access {
    pub fn to(action: Action, on: ResourceId, plane: Plane) -> Self {
        Access { any: vec![action].into(), on, plane, attributes: Attributes::none() }
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

/// Everything that was assigned, with an index by principal and scope.
#[derive(Debug, Default)]
pub struct Policy {
    assignments: Vec<Assignment>,
    denies: Vec<DenyAssignment>,
    places: HashMap<ObjectId, HashMap<String, Vec<usize>>>,
}

impl Policy {
    pub fn new(assignments: Vec<Assignment>, denies: Vec<DenyAssignment>) -> Self {
        let mut places: HashMap<ObjectId, HashMap<String, Vec<usize>>> = HashMap::new();
        for (at, assignment) in assignments.iter().enumerate() {
            let scope = assignment.scope.key().to_owned();
            places.entry(assignment.principal).or_default().entry(scope).or_default().push(at);
        }
        Policy { assignments, denies, places }
    }

    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    pub fn denies(&self) -> &[DenyAssignment] {
        &self.denies
    }

    /// The assignments of the principal's ids at the target or above it, in the policy's order.
    fn near(&self, who: &Principal, on: &ResourceId) -> Vec<usize> {
        let mut found: Vec<usize> = who
            .ids()
            .filter_map(|id| self.places.get(&id))
            .flat_map(|scopes| prefixes(on.key()).filter_map(|prefix| scopes.get(prefix)))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// `/a/b` has the prefixes ``, `/a` and `/a/b`.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..at]).chain(std::iter::once(key))
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This assignment allows it.
    Allowed { by: ResourceId },
    /// This deny assignment forbids it.
    Denied { by: ResourceId },
    /// Nothing allows it.
    NotGranted,
}

impl Decision {
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

/// Decides. Where several assignments allow it, the first in the policy is named.
pub fn evaluate<R: Recorder>(
    policy: &Policy,
    who: &Principal,
    access: &Access,
    recorder: &mut R,
) -> Decision {
    let mut denied = None;
    let mut left: Vec<&Action> = Vec::with_capacity(access.any.len());
    for action in access.any.iter() {
        match policy.denies.iter().find(|deny| forbids(deny, who, access, action)) {
            Some(deny) => denied = denied.or(Some(deny)),
            None => left.push(action),
        }
    }
    let by = first_allowing(policy, who, access, &left, recorder);
    match (by, denied) {
        (Some(by), _) => Decision::Allowed { by: by.id.clone() },
        (None, Some(deny)) if left.is_empty() => Decision::Denied { by: deny.id.clone() },
        (None, _) => Decision::NotGranted,
    }
}

fn first_allowing<'p, R: Recorder>(
    policy: &'p Policy,
    who: &Principal,
    access: &Access,
    left: &[&Action],
    recorder: &mut R,
) -> Option<&'p Assignment> {
    let mut weigh = |assignment: &'p Assignment| {
        let verdict = judge(assignment, who, access, left);
        recorder.record(assignment, verdict);
        (verdict == Verdict::Allows).then_some(assignment)
    };
    if R::LISTENS {
        let allowing: Vec<_> = policy.assignments.iter().filter_map(weigh).collect();
        return allowing.first().copied();
    }
    policy.near(who, &access.on).into_iter().find_map(|at| weigh(&policy.assignments[at]))
}

fn judge(assignment: &Assignment, who: &Principal, access: &Access, left: &[&Action]) -> Verdict {
    if !who.ids().any(|id| id == assignment.principal) {
        return Verdict::OtherPrincipal;
    }
    if !holds(&assignment.scope, &access.on, access.plane) {
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

/// Whether the scope is the target or above it. Names of databases and containers differ by case in
/// Cosmos DB, so there everything below the account is compared as it came.
fn holds(scope: &ResourceId, target: &ResourceId, plane: Plane) -> bool {
    match plane {
        Plane::Cosmos => scope.holds_to_the_letter(target),
        Plane::Control | Plane::Data => scope.holds(target),
    }
}

fn grants(permission: &Permission, action: &Action, plane: Plane) -> bool {
    match plane {
        Plane::Control => permission.grants_action(action),
        Plane::Data | Plane::Cosmos => permission.grants_data_action(action),
    }
}

fn why_not(permissions: &[Permission], plane: Plane, left: &[&Action]) -> Verdict {
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

fn forbids(deny: &DenyAssignment, who: &Principal, access: &Access, action: &Action) -> bool {
    let names = |list: &[ObjectId]| list.contains(&EVERYONE) || who.ids().any(|id| list.contains(&id));
    let is_here = if deny.does_not_apply_to_child_scopes {
        deny.scope == access.on
    } else {
        deny.scope.holds(&access.on)
    };
    is_here
        && names(&deny.principals)
        && !who.ids().any(|id| deny.excluded_principals.contains(&id))
        && deny.permissions.iter().any(|permission| {
            let spares = |it: &Condition| it.ask(action, &access.attributes) == Truth::False;
            grants(permission, action, access.plane) && !permission.condition.as_ref().is_some_and(spares)
        })
}

#[cfg(test)]
mod tests;
