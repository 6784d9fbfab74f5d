//! The evaluator beside a second, naive one, over random policies and requests.
//!
//! The naive one follows rbac.md §3 to the letter, with no index, no order and no short cuts, and
//! knows the handful of conditions it draws from by heart. `cargo xtask campaign rbac-oracle` runs it
//! for longer; without, it is the same cases every time. Each case asks one question of Azure's roles and one of Cosmos
//! DB's own (`cosmos.rs`).

mod cosmos;

use std::sync::Arc;

use azure::{
    action::{Action, Pattern},
    conditions::{Attributes, Condition},
    ids::{Guid, ObjectId, ResourceId},
    rbac::{
        Access, Assignment, DenyAssignment, EVERYONE, Hierarchy, Plane, Policy, Reasons, Silent, Who,
        evaluate,
    },
    roles::{Permission, RoleDefinition, RoleKind},
};
use proptest::{
    prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Each with what it says of an action in lower case and of the value of the resource's `k`, if it
/// has one: yes, no, or neither.
type Known = (&'static str, fn(&str, Option<&str>) -> Option<bool>);

const CONDITIONS: [Known; 5] = [
    ("not a condition", |_, _| None),
    ("ActionMatches{'*/READ'}", |action, _| Some(action.ends_with("/read"))),
    ("@Resource[K] StringEquals 'v'", |_, k| k.map(|k| k == "v")),
    ("NOT @Resource[k] StringEquals 'v'", |_, k| k.map(|k| k != "v")),
    ("!(ActionMatches{'a/*'}) OR @Resource[k] StringLike 'v*'", |action, k| {
        if action.starts_with("a/") { k.map(|k| k.starts_with('v')) } else { Some(true) }
    }),
];

/// A request, with the value of its `k`.
#[derive(Debug)]
struct Attempt {
    access: Access,
    k: Option<&'static str>,
}

/// Which group stands right above what, in trees small enough to be seen at once.
type Pairs = &'static [(&'static str, &'static str)];

const A: &str = "/providers/Microsoft.Management/managementGroups/a";
const B: &str = "/providers/Microsoft.Management/managementGroups/b";
const TREES: [Pairs; 3] = [&[], &[("/subscriptions/s", A), (B, A)], &[("/subscriptions/s", B), (B, A)]];

fn hierarchy(tree: Pairs) -> Arc<Hierarchy> {
    Arc::new(Hierarchy::new(tree.iter().map(|(child, parent)| (id(child), id(parent)))))
}

fn says(condition: Option<&Condition>, action: &Action, attempt: &Attempt) -> Option<bool> {
    let Some(condition) = condition else { return Some(true) };
    let known = CONDITIONS.iter().find(|(text, _)| *text == condition.as_str()).expect("one of the list");
    known.1(&action.as_str().to_lowercase(), attempt.k)
}

fn id(text: &str) -> ResourceId {
    text.parse().expect("an id")
}

fn object(number: u8) -> ObjectId {
    ObjectId(Guid([number; 16]))
}

fn role(permissions: Vec<Permission>) -> Arc<RoleDefinition> {
    Arc::new(RoleDefinition {
        id: Guid::default(),
        name: String::new(),
        description: None,
        kind: RoleKind::Custom,
        permissions,
        assignable_scopes: vec![],
    })
}

fn lies_within(scope: &ResourceId, target: &ResourceId) -> bool {
    let parts = |id: &ResourceId| id.segments().map(str::to_lowercase).collect::<Vec<_>>();
    parts(target).starts_with(&parts(scope))
}

/// By the path, or by way of what stands above something that the target lies in.
fn is_above(scope: &ResourceId, target: &ResourceId, tree: Pairs) -> bool {
    let mut pairs = tree.iter().filter(|(child, _)| lies_within(&id(child), target));
    lies_within(scope, target) || pairs.any(|(_, parent)| is_above(scope, &id(parent), tree))
}

fn allowed_naively(policy: &Policy, who: &(u8, Vec<u8>), attempt: &Attempt, tree: Pairs) -> bool {
    let access = &attempt.access;
    let mine = |id: &ObjectId| *id == object(who.0) || who.1.iter().any(|group| object(*group) == *id);
    let within = |scope: &ResourceId| is_above(scope, &access.on, tree);
    let reaches =
        |scope: &ResourceId| within(scope) || (access.or_within && is_above(&access.on, scope, tree));
    let names = |permission: &Permission, action: &Action| {
        let (yes, no) = match access.plane {
            Plane::Control => (&permission.actions, &permission.not_actions),
            Plane::Data | Plane::Cosmos => (&permission.data_actions, &permission.not_data_actions),
        };
        yes.iter().any(|p| p.matches(action)) && !no.iter().any(|p| p.matches(action))
    };
    access.any.iter().any(|action| {
        let denied = policy.denies().iter().any(|deny| {
            let here =
                within(&deny.scope) && (!deny.does_not_apply_to_child_scopes || deny.scope == access.on);
            let concerned = deny.principals.iter().any(|it| mine(it) || *it == EVERYONE)
                && !deny.excluded_principals.iter().any(mine);
            here && concerned
                && deny.permissions.iter().any(|it| {
                    names(it, action) && says(it.condition.as_ref(), action, attempt) != Some(false)
                })
        });
        let granted = policy.assignments().iter().any(|assignment| {
            let yes = |condition| says(condition, action, attempt) == Some(true);
            yes(assignment.condition.as_ref())
                && mine(&assignment.principal)
                && reaches(&assignment.scope)
                && assignment
                    .role
                    .permissions
                    .iter()
                    .any(|it| names(it, action) && yes(it.condition.as_ref()))
        });
        granted && !denied
    })
}

fn scopes() -> impl Strategy<Value = ResourceId> {
    prop_oneof![
        Just("/"),
        Just(A),
        Just(B),
        Just("/subscriptions/s"),
        Just("/Subscriptions/S/resourceGroups/g"),
        Just("/subscriptions/s/resourceGroups/g2"),
        Just("/subscriptions/s/resourceGroups/g/providers/M/t/n"),
    ]
    .prop_map(id)
}

fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
    prop::collection::vec(
        prop::sample::select(vec!["*", "*/read", "a/*", "a/read", "A/write", "b/*/read"]),
        0..3,
    )
    .prop_map(|list| list.into_iter().map(Pattern::from).collect())
}

fn conditions() -> impl Strategy<Value = Option<Condition>> {
    prop::option::weighted(
        0.3,
        prop::sample::select(CONDITIONS.map(|(text, _)| Condition::from(text)).to_vec()),
    )
}

fn permission_lists() -> impl Strategy<Value = Vec<Permission>> {
    let one = (patterns(), patterns(), patterns(), patterns(), conditions()).prop_map(
        |(actions, not_actions, data_actions, not_data_actions, condition)| Permission {
            actions,
            not_actions,
            data_actions,
            not_data_actions,
            condition,
            condition_version: None,
        },
    );
    prop::collection::vec(one, 0..3)
}

fn assignments() -> impl Strategy<Value = Vec<Assignment>> {
    let one = (scopes(), 1..4u8, permission_lists(), conditions()).prop_map(
        |(scope, principal, permissions, condition)| Assignment {
            id: scope.clone(),
            scope,
            principal: object(principal),
            role: role(permissions),
            condition,
        },
    );
    prop::collection::vec(one, 0..8)
}

fn denies() -> impl Strategy<Value = Vec<DenyAssignment>> {
    let ids = || prop::collection::vec((0..4u8).prop_map(object), 0..2);
    let one = (scopes(), any::<bool>(), ids(), ids(), permission_lists()).prop_map(
        |(scope, does_not_apply_to_child_scopes, principals, excluded_principals, permissions)| {
            DenyAssignment {
                id: scope.clone(),
                name: String::new(),
                scope,
                does_not_apply_to_child_scopes,
                principals,
                excluded_principals,
                permissions,
            }
        },
    );
    prop::collection::vec(one, 0..2)
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let action = prop::sample::select(vec!["a/read", "A/Write", "b/read", "b/x/read"]).prop_map(Action::from);
    let plane = prop::sample::select(vec![Plane::Control, Plane::Data]);
    let k = prop::sample::select(vec![None, Some("v"), Some("vw"), Some("w")]);
    let parts = (prop::collection::vec(action, 0..3), scopes(), any::<bool>(), plane, k);
    parts.prop_map(|(any, on, or_within, plane, k)| {
        let attributes = Attributes::none();
        let attributes = match k {
            Some(k) => attributes.resource("k", k),
            None => attributes,
        };
        Attempt { access: Access { attributes, or_within, ..Access::any(any, on, plane) }, k }
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn both_evaluators_agree_and_listening_changes_nothing() {
    let cases = number("ZAFFRE_CAMPAIGN_CASES").unwrap_or(5_000);
    let mut seed = [7; 32];
    if let Some(given) = number("ZAFFRE_CAMPAIGN_SEED") {
        seed[..8].copy_from_slice(&given.to_le_bytes());
        println!("seed {given}");
    }
    let config = Config { cases: u32::try_from(cases).expect("not so many"), ..Config::default() };
    let config = Config { failure_persistence: None, ..config };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let groups = prop::collection::vec(2..4u8, 0..2);
    let trees = prop::sample::select(TREES.to_vec());
    let drawn = (assignments(), denies(), attempts(), groups, trees, cosmos::given(), cosmos::questions());
    let outcome = runner.run(&drawn, |(all, denies, attempt, groups, tree, given, question)| {
        let (policy, naive) = (Policy::new(all, denies, hierarchy(tree)), (1, groups));
        let who = Who::new(object(1), naive.1.iter().copied().map(object));
        let decision = evaluate(&policy, &who, &attempt.access, &mut Silent);
        let listened = evaluate(&policy, &who, &attempt.access, &mut Reasons::default());
        prop_assert!(decision.allowed() == allowed_naively(&policy, &naive, &attempt, tree), "they disagree");
        prop_assert!(decision == listened, "listening changed the decision");
        prop_assert!(cosmos::agree(&given, &naive, &question), "they disagree about Cosmos DB");
        Ok(())
    });
    println!("cases {cases} disagree {}", u8::from(outcome.is_err()));
    outcome.expect("both agree");
}

proptest! {
    #[test]
    fn one_more_assignment_never_takes_access_away(
        assignments in assignments(), more in assignments(), attempt in attempts()
    ) {
        let who = Who::new(object(1), [object(2)]);
        let asked = |policy: Policy| evaluate(&policy, &who, &attempt.access, &mut Silent).allowed();
        let before = asked(Policy::new(assignments.clone(), vec![], Arc::default()));
        let after = asked(Policy::new(assignments.into_iter().chain(more).collect(), vec![], Arc::default()));
        prop_assert!(after || !before);
    }
}
