use std::collections::HashSet;

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

#[test]
fn a_star_stands_for_any_run_and_case_is_ignored() {
    for (pattern, action, matches) in [
        ("*", "Microsoft.Compute/virtualMachines/read", true),
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("*/read", "Microsoft.Compute/virtualMachines/read", true),
        ("*/read", "Microsoft.Compute/virtualMachines/write", false),
        ("*/read", "read", false),
        ("Microsoft.Compute/*", "microsoft.compute/virtualMachines/start/action", true),
        ("Microsoft.Compute/*", "Microsoft.ComputeX/virtualMachines/read", false),
        ("Microsoft.DocumentDb/x/listKeys/action", "Microsoft.DocumentDB/x/listkeys/ACTION", true),
        ("Microsoft.DocumentDb/x/listKeys/action", "Microsoft.DocumentDB/x/listkeys/action2", false),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/roleAssignments/delete", true),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/a/b/c/delete", true),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/roleAssignments/write", false),
        ("a/*/b/*/c", "a/x/b/y/c", true),
        ("a/*/b/*/c", "a/x/y/c", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*b*", "abc", true),
        ("**", "anything", true),
        ("*ab*ab*", "xabab", true),
        ("*ab*ab*", "xab", false),
    ] {
        assert_eq!(Pattern::from(pattern).matches(&Action::from(action)), matches, "{pattern} on {action}");
    }
}

#[test]
fn a_star_between_slashes_also_stands_for_nothing_at_all() {
    for (pattern, action, matches) in [
        ("X/*/Y", "X/Y", true),
        ("X/*/Y", "X//Y", true),
        ("X/*/Y", "XY", false),
        ("X/*/*/Y", "X/Y", true),
        ("X/*Y", "X/Y", true),
        ("X*/Y", "X/Y", true),
        ("X/*", "X", false),
        ("*/read", "read", false),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            true,
        ),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            true,
        ),
    ] {
        assert_eq!(Pattern::from(pattern).matches(&Action::from(action)), matches, "{pattern} on {action}");
    }
}

#[test]
fn actions_compare_and_hash_without_case_and_print_as_they_came() {
    let (a, b) = (Action::from("A/Read"), Action::of("a/read"));
    assert_eq!(a, b);
    assert!(HashSet::from([a.clone()]).contains(&b));
    assert_eq!(a.to_string(), "A/Read");
}

/// The rule said a second time, in the plainest way: every reading of `/*/` as `/`, every run for
/// every star.
fn naive(pattern: &[u8], action: &[u8]) -> bool {
    let collapsed = pattern.starts_with(b"/*/") && naive(&pattern[2..], action);
    collapsed
        || match (pattern.first(), action.first()) {
            (None, None) => true,
            (Some(b'*'), _) => (0..=action.len()).any(|run| naive(&pattern[1..], &action[run..])),
            (Some(p), Some(a)) => p.eq_ignore_ascii_case(a) && naive(&pattern[1..], &action[1..]),
            _ => false,
        }
}

proptest! {
    #[test]
    fn matching_agrees_with_trying_everything(pattern in "[aB/*]{0,10}", action in "[aAb/]{0,10}") {
        let expected = naive(pattern.as_bytes(), action.as_bytes());
        prop_assert_eq!(Pattern::from(pattern.as_str()).matches(&Action::from(action.as_str())), expected);
    }

    #[test]
    fn an_action_matches_itself_whatever_its_case(action in "[a-z/.]{0,30}") {
        let pattern = Pattern::from(action.to_ascii_uppercase());
        prop_assert_eq!(pattern.matches(&Action::from(action)), true);
    }
}
