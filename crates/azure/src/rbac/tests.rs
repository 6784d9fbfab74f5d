use super::*;
use crate::roles;

const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg";
const READ_VM: &str = "Microsoft.Compute/virtualMachines/read";
const READ_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";

fn id(text: &str) -> ResourceId {
    text.parse().expect("an id")
}

fn object(number: u8) -> ObjectId {
    ObjectId(Guid([number; 16]))
}

fn who(number: u8, groups: &[u8]) -> Who {
    Who::new(object(number), groups.iter().copied().map(object))
}

fn policy(assignments: Vec<Assignment>, denies: Vec<DenyAssignment>) -> Policy {
    Policy::new(assignments, denies, Arc::default())
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

fn verdicts(policy: &Policy, who: &Who, access: &Access) -> (bool, Vec<Verdict>) {
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
        let policy = policy(vec![assign(role, principal, scope)], vec![]);
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
    let policy = policy(vec![assign("Reader", 1, GROUP)], vec![]);
    let any = ["Microsoft.Compute/virtualMachines/write", READ_VM].map(Action::from).to_vec();
    let access = Access { any: any.into(), ..ask("x", GROUP, Plane::Control) };
    assert!(evaluate(&policy, &who(1, &[]), &access, &mut Silent).allowed());
    let access = Access { any: vec![].into(), ..access };
    assert!(!evaluate(&policy, &who(1, &[]), &access, &mut Silent).allowed());
}

#[test]
fn what_carries_a_condition_grants_only_when_it_is_true() {
    let access = ask(READ_VM, GROUP, Plane::Control);
    for (condition, verdict) in [
        (None, Verdict::Allows),
        (Some(" "), Verdict::Allows),
        (Some("true"), Verdict::ConditionNotUnderstood),
        (Some("!(ActionMatches{'*/write'})"), Verdict::Allows),
        (Some("!(ActionMatches{'*/read'})"), Verdict::ConditionNotMet),
        (Some("@Resource[x] BoolEquals true"), Verdict::ConditionNotMet),
    ] {
        let assignment =
            Assignment { condition: condition.map(Condition::from), ..assign("Reader", 1, GROUP) };
        let policy = policy(vec![assignment], vec![]);
        assert_eq!(verdicts(&policy, &who(1, &[]), &access).1, [verdict], "{condition:?}");
    }
    let policy = policy(vec![assign("Key Vault Data Access Administrator", 1, GROUP)], vec![]);
    let access = ask("Microsoft.Authorization/roleAssignments/write", GROUP, Plane::Control);
    assert_eq!(verdicts(&policy, &who(1, &[]), &access).1, [Verdict::ConditionNotMet]);
}

#[test]
fn what_one_role_takes_away_another_may_grant() {
    let assignments = vec![assign("Contributor", 1, GROUP), assign("User Access Administrator", 1, GROUP)];
    let access = ask("Microsoft.Authorization/roleAssignments/write", GROUP, Plane::Control);
    let second = assignments[1].id.clone();
    let policy = policy(assignments, vec![]);
    let decision = evaluate(&policy, &who(1, &[]), &access, &mut Silent);
    assert_eq!(decision, Decision::Allowed { by: &second });
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
        let policy = policy(vec![assign("Owner", 1, "/")], vec![deny]);
        let decision = evaluate(&policy, &who(1, &[9]), &ask(READ_VM, &vm, Plane::Control), &mut Silent);
        let by = id("/deny");
        let denied = Decision::Denied { by: &by };
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
        let policy = policy(vec![assignment], vec![]);
        let decision = evaluate(&policy, &who(1, &[]), &access, &mut Silent);
        assert_eq!(decision.allowed(), allowed, "{scope} on {on}");
    }
}
