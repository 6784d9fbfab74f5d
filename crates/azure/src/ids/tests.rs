use super::*;

const SUB: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";

fn id(rest: &str) -> ResourceId {
    ResourceId::parse(&format!("{SUB}{rest}")).expect(rest)
}

#[test]
fn ids_compare_without_case_and_print_as_they_came() {
    let (one, two) = (id("/resourceGroups/RG"), id("/resourcegroups/rg/"));
    assert_eq!(one, two);
    assert_eq!(one.to_string(), format!("{SUB}/resourceGroups/RG"));
    assert_eq!(two.to_string(), format!("{SUB}/resourcegroups/rg"));
}

#[test]
fn scopes_hold_by_whole_segments() {
    for (scope, other, holds) in [
        ("/resourceGroups/rg", "/resourcegroups/RG/providers/A.B/c/d", true),
        ("/resourceGroups/rg", "/resourceGroups/rg2", false),
        ("/resourceGroups/rg", "/resourceGroups/rg", true),
        ("/resourceGroups/rg", "", false),
        ("", "/resourceGroups/rg", true),
    ] {
        assert_eq!(id(scope).holds(&id(other)), holds, "{scope} holds {other}");
    }
    assert!(ResourceId::root().holds(&id("")));
}

#[test]
fn types_names_and_parents_follow_the_last_providers() {
    let extension = id("/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm/extensions/e");
    assert_eq!(extension.resource_type().as_deref(), Some("Microsoft.Compute/virtualMachines/extensions"));
    assert_eq!(extension.names(), ["vm", "e"]);
    let vm = extension.parent().expect("has one");
    assert_eq!(vm.name(), "vm");
    assert_eq!(vm.parent(), Some(id("/resourceGroups/g")));
    assert_eq!(vm.parent().and_then(|group| group.parent()), Some(id("")));
    assert_eq!(id("").parent(), Some(ResourceId::root()));
    assert_eq!(ResourceId::root().parent(), None);

    let assignment = vm.provider("Microsoft.Authorization", "roleAssignments", "x");
    assert_eq!(assignment.resource_type().as_deref(), Some("Microsoft.Authorization/roleAssignments"));
    assert_eq!(assignment.extended(), vm);
    assert_eq!(assignment.parent(), Some(vm));
    assert_eq!(
        id("/resourceGroups/g").resource_type().as_deref(),
        Some("Microsoft.Resources/resourceGroups")
    );
}

#[test]
fn collections_are_not_resources() {
    for (path, is) in [
        ("/resourceGroups/g", true),
        ("/resourceGroups", false),
        ("/resourceGroups/g/providers/A.B/c", false),
        ("/resourceGroups/g/providers/A.B/c/d", true),
        ("/resourceGroups/g/providers/A.B/c/d/e", false),
    ] {
        assert_eq!(id(path).is_resource(), is, "{path}");
    }
}

#[test]
fn traversal_and_control_characters_are_refused() {
    for path in ["a", "/a/../b", "/a/./b", "/a\u{0}", "/a\\b"] {
        assert!(ResourceId::parse(path).is_err(), "{path:?}");
    }
    assert_eq!(ResourceId::parse("//a//b/").expect("slashes collapse").as_str(), "/a/b");
}

#[test]
fn guids_print_in_lower_case_and_refuse_what_is_no_guid() {
    let guid: Guid = "ACDD72A7-3385-48EF-BD42-F606FBA81AE7".parse().expect("a guid");
    assert_eq!(guid.to_string(), "acdd72a7-3385-48ef-bd42-f606fba81ae7");
    assert_eq!(guid.simple().parse(), Ok(guid));
    for text in [
        "",
        "acdd72a7",
        "1111111-1111-1111-1111-1111111111111",
        "acdd72a7-3385-48ef-bd42-f606fba81aeg",
        "acdd72a73385-48ef-bd42-f606-fba81ae7-",
    ] {
        assert_eq!(text.parse::<Guid>(), Err(NotAGuid), "{text}");
    }
}
