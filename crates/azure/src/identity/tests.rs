use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::ids::Guid;

fn id(name: &str) -> String {
    format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

/// `"sAB"`: the system's identity and the users' `A` and `B`.
fn state(letters: &str) -> Desired {
    let user = letters.chars().filter(char::is_ascii_uppercase);
    Desired {
        system: letters.contains('s'),
        user: user.map(|letter| id(&letter.to_string()).parse().expect("an id")).collect(),
    }
}

fn patch(current: &str, body: &Value, shape: Shape) -> Result<Desired, BadIdentity> {
    merge_patch(&state(current), Block::parse(Some(body), shape)?.as_ref())
}

#[track_caller]
fn check_patch(current: &str, body: Value, expected: &str) {
    assert_eq!(patch(current, &body, Shape::Map), Ok(state(expected)), "{current} {body}");
}

// One claim a row of az-cli.md §7.

#[test]
fn assigning_the_system_identity_makes_it_or_keeps_it() {
    check_patch("", json!({"type": "SystemAssigned"}), "s");
    check_patch("s", json!({"type": "SystemAssigned"}), "s");
}

#[test]
fn assigning_ids_adds_them_and_keeps_the_others() {
    let body = json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {id("A"): {}}});
    check_patch("s", body.clone(), "sA");
    check_patch("sB", body, "sAB");
}

#[test]
fn assigning_the_system_identity_where_both_are_changes_nothing() {
    let body =
        json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {id("A"): {}, id("B"): {}}});
    check_patch("sAB", body, "sAB");
}

#[test]
fn null_removes_one_id_of_several_whatever_its_case() {
    let body = json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {id("A").to_lowercase(): null}});
    check_patch("sAB", body, "sB");
}

#[test]
fn removing_the_last_id_keeps_the_system_identity() {
    check_patch("sA", json!({"type": "SystemAssigned", "userAssignedIdentities": null}), "s");
}

#[test]
fn removing_the_system_identity_keeps_the_ids() {
    check_patch("sAB", json!({"type": "UserAssigned", "userAssignedIdentities": null}), "AB");
}

#[test]
fn removing_the_last_leaves_nothing() {
    check_patch("sA", json!({"type": "None", "userAssignedIdentities": null}), "");
    assert_eq!(Identity::default().render(Shape::Map), None);
}

// What the documentation adds (resources.md §2.1).

#[test]
fn a_patch_without_type_keeps_the_kinds() {
    check_patch("sAB", json!({"userAssignedIdentities": {id("A"): null}}), "sB");
    check_patch("sA", json!({"userAssignedIdentities": {id("A"): null}}), "s");
    check_patch("s", json!({"userAssignedIdentities": {id("A"): {}}}), "sA");
    check_patch("sA", json!({}), "sA");
}

#[test]
fn no_block_and_a_null_block_change_nothing() {
    for body in [None, Some(&Value::Null)] {
        let block = Block::parse(body, Shape::Map).expect("is read");
        assert_eq!(merge_patch(&state("sA"), block.as_ref()), Ok(state("sA")));
        assert_eq!(put(&state("sA"), block.as_ref()), Ok(state("sA")));
    }
}

#[test]
fn a_list_of_ids_is_the_whole_new_list() {
    for (current, body, expected) in [
        ("A", json!({"type": "UserAssigned", "identityIds": [id("B")]}), "B"),
        ("sA", json!({"type": "SystemAssigned, UserAssigned", "identityIds": [id("A"), id("B")]}), "sAB"),
        ("sA", json!({"type": "SystemAssigned"}), "s"),
        ("sA", json!({"type": "UserAssigned"}), "A"),
        ("s", json!({"type": "SystemAssigned", "identityIds": []}), "s"),
        ("sA", json!({"type": "None"}), ""),
    ] {
        assert_eq!(patch(current, &body, Shape::Ids), Ok(state(expected)), "{current} {body}");
    }
}

#[test]
fn a_put_replaces_the_block() {
    for (current, shape, body, expected) in [
        ("sA", Shape::Map, json!({"type": "userAssigned", "userAssignedIdentities": {id("B"): {}}}), "B"),
        ("sAB", Shape::Map, json!({"type": "SystemAssigned"}), "s"),
        (
            "",
            Shape::Map,
            json!({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {id("A"): {"clientId": "x"}, id("B"): null}}),
            "sA",
        ),
        ("A", Shape::Ids, json!({"type": "UserAssigned", "identityIds": [id("B")]}), "B"),
        ("sA", Shape::Map, json!({"type": "none"}), ""),
        ("", Shape::SystemOnly, json!({"type": "systemassigned", "identityIds": ["?"]}), "s"),
        ("s", Shape::Absent, json!({"type": "None"}), "s"),
    ] {
        let block = Block::parse(Some(&body), shape).expect("is read");
        assert_eq!(put(&state(current), block.as_ref()), Ok(state(expected)), "{current} {body}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let a = id("A");
    let vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm";
    for (shape, body, why) in [
        (Shape::Map, json!([]), BadIdentity::Malformed("identity")),
        (Shape::Map, json!({"type": 1}), BadIdentity::Malformed("type")),
        (Shape::Map, json!({"type": "Both"}), BadIdentity::Type("Both".to_owned())),
        (Shape::Map, json!({"type": ""}), BadIdentity::Type(String::new())),
        (
            Shape::Map,
            json!({"type": "None, UserAssigned"}),
            BadIdentity::Type("None, UserAssigned".to_owned()),
        ),
        (Shape::SystemOnly, json!({"type": "UserAssigned"}), BadIdentity::Type("UserAssigned".to_owned())),
        (Shape::Map, json!({"type": "UserAssigned"}), BadIdentity::NoIds),
        (Shape::Map, json!({"type": "UserAssigned", "userAssignedIdentities": {}}), BadIdentity::NoIds),
        (
            Shape::Map,
            json!({"type": "UserAssigned", "userAssignedIdentities": {&a: null}}),
            BadIdentity::NoIds,
        ),
        (
            Shape::Map,
            json!({"type": "SystemAssigned", "userAssignedIdentities": {&a: {}}}),
            BadIdentity::IdsWithoutUserAssigned,
        ),
        (
            Shape::Map,
            json!({"type": "UserAssigned", "userAssignedIdentities": [&a]}),
            BadIdentity::Malformed("userAssignedIdentities"),
        ),
        (
            Shape::Map,
            json!({"type": "UserAssigned", "userAssignedIdentities": {&a: true}}),
            BadIdentity::Malformed("userAssignedIdentities"),
        ),
        (
            Shape::Map,
            json!({"type": "UserAssigned", "userAssignedIdentities": {vm: {}}}),
            BadIdentity::NotAnIdentity(vm.to_owned()),
        ),
        (
            Shape::Ids,
            json!({"type": "UserAssigned", "identityIds": [1]}),
            BadIdentity::Malformed("identityIds"),
        ),
        (
            Shape::Ids,
            json!({"type": "UserAssigned", "identityIds": ["x"]}),
            BadIdentity::NotAnIdentity("x".to_owned()),
        ),
    ] {
        assert_eq!(patch("", &body, shape), Err(why), "{body}");
    }
    let block = Block::parse(Some(&json!({})), Shape::Map).expect("is read");
    assert_eq!(put(&state(""), block.as_ref()), Err(BadIdentity::MissingType));
}

#[test]
fn only_ids_that_were_not_there_count_as_added() {
    let desired = patch(
        "A",
        &json!({"type": "UserAssigned", "userAssignedIdentities": {id("a"): {}, id("B"): {}}}),
        Shape::Map,
    )
    .expect("is taken");
    assert_eq!(added(&state("A"), &desired), [&id("B").parse::<ResourceId>().expect("an id")]);
    assert_eq!(desired.user.first().map(ToString::to_string), Some(id("A")), "keeps the casing it had");
}

#[test]
fn each_api_version_of_compute_has_its_shape() {
    for (version, shape) in [
        ("2015-06-15", Shape::Absent),
        ("2016-03-30", Shape::Absent),
        ("2016-04-30-preview", Shape::SystemOnly),
        ("2017-03-30", Shape::SystemOnly),
        ("2017-12-01", Shape::Ids),
        ("2018-04-01", Shape::Ids),
        ("2018-06-01", Shape::Map),
        ("2026-04-01", Shape::Map),
    ] {
        assert_eq!(Shape::of_compute(&version.parse().expect("a version")), shape, "{version}");
    }
}

fn identity(letters: &str) -> Identity {
    let desired = state(letters);
    let guid = Guid([1; 16]);
    let system =
        SystemPrincipal { principal_id: ObjectId(guid), client_id: ClientId(guid), tenant: TenantId(guid) };
    Identity {
        system: desired.system.then_some(system),
        user: desired.user.into_iter().map(|id| (id, Some((ObjectId(guid), ClientId(guid))))).collect(),
    }
}

#[test]
fn an_answer_is_spelled_as_its_api_version_does() {
    let guid = "01010101-0101-0101-0101-010101010101";
    let system = json!({"type": "SystemAssigned", "principalId": guid, "tenantId": guid});
    for (letters, shape, expected) in [
        ("", Shape::Map, None),
        ("s", Shape::Absent, None),
        ("A", Shape::SystemOnly, None),
        ("s", Shape::Map, Some(system.clone())),
        ("sA", Shape::SystemOnly, Some(system)),
        ("A", Shape::Ids, Some(json!({"type": "UserAssigned", "identityIds": [id("A")]}))),
        (
            "sA",
            Shape::Map,
            Some(json!({
                "type": "SystemAssigned, UserAssigned", "principalId": guid, "tenantId": guid,
                "userAssignedIdentities": {id("A"): {"principalId": guid, "clientId": guid}},
            })),
        ),
    ] {
        assert_eq!(identity(letters).render(shape), expected, "{letters}");
    }
    let gone = Identity { user: BTreeMap::from([(id("A").parse().expect("an id"), None)]), system: None };
    let expected = json!({"type": "UserAssigned", "userAssignedIdentities": {id("A"): {}}});
    assert_eq!(gone.render(Shape::Map), Some(expected));
}

proptest! {
    #[test]
    fn putting_back_what_was_answered_changes_nothing(system in any::<bool>(), letters in "[A-D]{0,4}") {
        let identity = identity(&format!("{letters}{}", if system { "s" } else { "" }));
        for shape in [Shape::Ids, Shape::Map] {
            let body = identity.render(shape);
            let block = Block::parse(body.as_ref(), shape).expect("is read");
            prop_assert_eq!(put(&identity.desired(), block.as_ref()), Ok(identity.desired()));
            prop_assert_eq!(merge_patch(&identity.desired(), block.as_ref()), Ok(identity.desired()));
        }
    }

    #[test]
    fn a_patch_repeated_changes_nothing_more(
        current in "s?[A-D]{0,4}", kind in prop::sample::select(vec!["SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None"]),
        adds in "[A-D]{0,2}", removes in "[A-D]{0,2}"
    ) {
        let mut map = Map::new();
        map.extend(adds.chars().map(|letter| (id(&letter.to_string()), json!({}))));
        map.extend(removes.chars().map(|letter| (id(&letter.to_string()), Value::Null)));
        let block = Block::parse(Some(&json!({"type": kind, "userAssignedIdentities": map})), Shape::Map).expect("is read");
        if let Ok(once) = merge_patch(&state(&current), block.as_ref()) {
            prop_assert_eq!(merge_patch(&once, block.as_ref()), Ok(once.clone()));
            prop_assert!(once.system == kind.contains("System"));
        }
    }
}
