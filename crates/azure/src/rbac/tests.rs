use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::{
    action::Pattern,
    ids::TenantId,
    principal::PrincipalKind,
    roles::{self, RoleKind},
};

const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg";
const READ_VM: &str = "Microsoft.Compute/virtualMachines/read";
const READ_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";

fn id(text: &str) -> ResourceId {
    text.parse().expect("an id")
}

fn object(number: u8) -> ObjectId {
    ObjectId(Guid([number; 16]))
}

fn who(number: u8, groups: &[u8]) -> Principal {
    Principal {
        object_id: object(number),
        tenant: TenantId(Guid::default()),
        kind: PrincipalKind::ServicePrincipal,
        app_id: None,
        groups: groups.iter().copied().map(object).collect(),
        name: None,
    }
}

fn assign(role: &str, principal: u8, scope: &str) -> Assignment {
    Assignment {
        id: id(scope).provider("Microsoft.Authorization", "roleAssignments", role),
        scope: id(scope),
        principal: object(principal),
        role: roles::by_name(role).expect(role),
        condition: None,
    }
}

fn ask(action: &str, on: &str, plane: Plane) -> Access {
    Access::to(Action::from(action), id(on), plane)
}

fn verdicts(policy: &Policy, who: &Principal, access: &Access) -> (bool, Vec<Verdict>) {
    let mut reasons = Reasons::default();
    let decision = evaluate(policy, who, access, &mut reasons);
    (decision.allowed(), reasons.0.into_iter().map(|reason| reason.verdict).collect())
}

#[test]
fn each_assignment_has_its_reason() {
    let vm = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm");
    let case = |text: &str| text.to_uppercase();
    for (role, principal, scope, action, on, plane, verdict) in [
        ("Reader", 1, GROUP, READ_VM, vm.clone(), Plane::Control, Verdict::Allows),
        ("Reader", 1, GROUP, READ_VM, case(&vm), Plane::Control, Verdict::Allows),
        ("Reader", 9, GROUP, READ_VM, vm.clone(), Plane::Control, Verdict::Allows),
        ("Reader", 1, "/", READ_VM, vm.clone(), Plane::Control, Verdict::Allows),
        ("Reader", 2, GROUP, READ_VM, vm.clone(), Plane::Control, Verdict::OtherPrincipal),
        ("Reader", 1, GROUP, READ_VM, format!("{GROUP}2"), Plane::Control, Verdict::ScopeDoesNotHold),
        ("Reader", 1, &vm, READ_VM, GROUP.to_owned(), Plane::Control, Verdict::ScopeDoesNotHold),
        (
            "Reader",
            1,
            GROUP,
            "Microsoft.Compute/virtualMachines/write",
            vm.clone(),
            Plane::Control,
            Verdict::NoActionMatches,
        ),
        (
            "Contributor",
            1,
            GROUP,
            "Microsoft.Authorization/roleAssignments/write",
            vm.clone(),
            Plane::Control,
            Verdict::ExcludedByNotActions,
        ),
        ("Reader", 1, GROUP, READ_BLOB, vm.clone(), Plane::Data, Verdict::OnlyManagement),
        ("Owner", 1, GROUP, READ_BLOB, vm.clone(), Plane::Data, Verdict::OnlyManagement),
        ("Storage Blob Data Reader", 1, GROUP, READ_BLOB, vm.clone(), Plane::Data, Verdict::Allows),
        (
            "Storage Blob Data Reader",
            1,
            GROUP,
            READ_BLOB,
            vm.clone(),
            Plane::Control,
            Verdict::NoActionMatches,
        ),
    ] {
        let policy = Policy::new(vec![assign(role, principal, scope)], vec![]);
        let (allowed, verdicts) = verdicts(&policy, &who(1, &[9]), &ask(action, &on, plane));
        assert_eq!(verdicts, [verdict], "{role} for {principal} at {scope}: {action} on {on}");
        assert_eq!(allowed, verdict == Verdict::Allows);
    }
}

#[test]
fn nothing_assigned_is_nothing_allowed() {
    let access = ask(READ_VM, GROUP, Plane::Control);
    assert_eq!(evaluate(&Policy::default(), &who(1, &[]), &access, &mut Silent), Decision::NotGranted);
}

#[test]
fn one_of_the_actions_suffices() {
    let policy = Policy::new(vec![assign("Reader", 1, GROUP)], vec![]);
    let any = ["Microsoft.Compute/virtualMachines/write", READ_VM].map(Action::from).to_vec();
    let access = Access { any: any.into(), ..ask("x", GROUP, Plane::Control) };
    assert!(evaluate(&policy, &who(1, &[]), &access, &mut Silent).allowed());
    let access = Access { any: vec![].into(), ..access };
    assert!(!evaluate(&policy, &who(1, &[]), &access, &mut Silent).allowed());
}

#[test]
fn a_condition_that_is_not_understood_grants_nothing() {
    let access = ask(READ_VM, GROUP, Plane::Control);
    for (condition, verdict) in [
        (None, Verdict::Allows),
        (Some(" "), Verdict::Allows),
        (Some("true"), Verdict::ConditionNotSupported),
    ] {
        let assignment = Assignment { condition: condition.map(str::to_owned), ..assign("Reader", 1, GROUP) };
        let policy = Policy::new(vec![assignment], vec![]);
        assert_eq!(verdicts(&policy, &who(1, &[]), &access).1, [verdict], "{condition:?}");
    }
    let policy = Policy::new(vec![assign("Key Vault Data Access Administrator", 1, GROUP)], vec![]);
    let access = ask("Microsoft.Authorization/roleAssignments/write", GROUP, Plane::Control);
    assert_eq!(verdicts(&policy, &who(1, &[]), &access).1, [Verdict::ConditionNotSupported]);
}

#[test]
fn what_one_role_takes_away_another_may_grant() {
    let assignments = vec![assign("Contributor", 1, GROUP), assign("User Access Administrator", 1, GROUP)];
    let access = ask("Microsoft.Authorization/roleAssignments/write", GROUP, Plane::Control);
    let second = assignments[1].id.clone();
    let decision = evaluate(&Policy::new(assignments, vec![]), &who(1, &[]), &access, &mut Silent);
    assert_eq!(decision, Decision::Allowed { by: second });
}

#[test]
fn a_deny_assignment_wins_unless_it_excludes_or_lies_elsewhere() {
    let vm = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm");
    let deny = DenyAssignment {
        id: id("/deny"),
        name: "d".to_owned(),
        scope: id(GROUP),
        does_not_apply_to_child_scopes: false,
        principals: vec![EVERYONE],
        excluded_principals: vec![],
        permissions: vec![Permission { actions: vec!["*/read".into()], ..Permission::default() }],
    };
    for (what, deny, allowed) in [
        ("everyone", deny.clone(), false),
        ("its group", DenyAssignment { principals: vec![object(9)], ..deny.clone() }, false),
        ("another", DenyAssignment { principals: vec![object(2)], ..deny.clone() }, true),
        ("excluded", DenyAssignment { excluded_principals: vec![object(9)], ..deny.clone() }, true),
        (
            "only the group itself",
            DenyAssignment { does_not_apply_to_child_scopes: true, ..deny.clone() },
            true,
        ),
        ("elsewhere", DenyAssignment { scope: id("/subscriptions/x"), ..deny.clone() }, true),
        ("other actions", DenyAssignment { permissions: vec![], ..deny.clone() }, true),
    ] {
        let policy = Policy::new(vec![assign("Owner", 1, "/")], vec![deny]);
        let decision = evaluate(&policy, &who(1, &[9]), &ask(READ_VM, &vm, Plane::Control), &mut Silent);
        let denied = Decision::Denied { by: id("/deny") };
        assert_eq!((decision.allowed(), decision == denied), (allowed, !allowed), "{what}");
    }
}

#[test]
fn databases_of_cosmos_differ_by_case_and_accounts_do_not() {
    let account = format!("{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/a");
    let read = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read";
    let reader = Arc::new(RoleDefinition {
        permissions: vec![Permission { data_actions: vec![read.into()], ..Permission::default() }],
        ..(*roles::by_name("Reader").expect("a role")).clone()
    });
    for (scope, on, allowed) in [
        ("", "/dbs/D/colls/c", true),
        ("/dbs/D", "/dbs/D/colls/c", true),
        ("/dbs/d", "/dbs/D/colls/c", false),
        ("/dbs/D/colls/C", "/dbs/D/colls/c", false),
        ("/dbs/D", "/dbs/D2", false),
    ] {
        let assignment = Assignment {
            role: reader.clone(),
            ..assign("Reader", 1, &format!("{}{scope}", account.to_uppercase()))
        };
        let access = ask(read, &format!("{account}{on}"), Plane::Cosmos);
        let decision = evaluate(&Policy::new(vec![assignment], vec![]), &who(1, &[]), &access, &mut Silent);
        assert_eq!(decision.allowed(), allowed, "{scope} on {on}");
    }
}

fn allowed_naively(policy: &Policy, who: &Principal, access: &Access) -> bool {
    let mine = |id: &ObjectId| *id == who.object_id || who.groups.contains(id);
    let within = |scope: &ResourceId| {
        let scope: Vec<String> = scope.segments().map(str::to_lowercase).collect();
        let target: Vec<String> = access.on.segments().map(str::to_lowercase).collect();
        target.starts_with(&scope)
    };
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
            here && concerned && deny.permissions.iter().any(|it| names(it, action))
        });
        let granted = policy.assignments().iter().any(|assignment| {
            assignment.condition.is_none()
                && mine(&assignment.principal)
                && within(&assignment.scope)
                && assignment.role.permissions.iter().any(|it| it.condition.is_none() && names(it, action))
        });
        granted && !denied
    })
}

fn scopes() -> impl Strategy<Value = ResourceId> {
    prop_oneof![
        Just("/"),
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

fn permission_lists() -> impl Strategy<Value = Vec<Permission>> {
    let condition = prop::option::weighted(0.1, Just("x".to_owned()));
    let one = (patterns(), patterns(), patterns(), patterns(), condition).prop_map(
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
    let condition = prop::option::weighted(0.1, Just("x".to_owned()));
    let one = (scopes(), 1..4u8, permission_lists(), condition).prop_map(
        |(scope, principal, permissions, condition)| {
            let role = RoleDefinition {
                id: Guid::default(),
                name: String::new(),
                description: None,
                kind: RoleKind::Custom,
                permissions,
                assignable_scopes: vec![],
            };
            Assignment {
                id: scope.clone(),
                scope,
                principal: object(principal),
                role: Arc::new(role),
                condition,
            }
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

fn accesses() -> impl Strategy<Value = Access> {
    let action = prop::sample::select(vec!["a/read", "A/Write", "b/read", "b/x/read"]).prop_map(Action::from);
    let plane = prop::sample::select(vec![Plane::Control, Plane::Data]);
    (prop::collection::vec(action, 0..3), scopes(), plane).prop_map(|(any, on, plane)| Access {
        any: any.into(),
        on,
        plane,
        attributes: vec![],
    })
}

proptest! {
    #[test]
    fn both_implementations_agree_and_listening_changes_nothing(
        assignments in assignments(), denies in denies(), access in accesses(),
        groups in prop::collection::vec(2..4u8, 0..2)
    ) {
        let policy = Policy::new(assignments, denies);
        let who = who(1, &groups);
        let decision = evaluate(&policy, &who, &access, &mut Silent);
        prop_assert_eq!(decision.allowed(), allowed_naively(&policy, &who, &access));
        prop_assert_eq!(evaluate(&policy, &who, &access, &mut Reasons::default()), decision);
    }

    #[test]
    fn one_more_assignment_never_takes_access_away(
        assignments in assignments(), more in assignments(), access in accesses()
    ) {
        let who = who(1, &[2]);
        let before = evaluate(&Policy::new(assignments.clone(), vec![]), &who, &access, &mut Silent);
        let both = Policy::new(assignments.into_iter().chain(more).collect(), vec![]);
        let after = evaluate(&both, &who, &access, &mut Silent);
        prop_assert!(after.allowed() || !before.allowed());
    }
}
