use std::collections::HashSet;

use super::*;

fn guid(text: &str) -> Guid {
    text.parse().expect("a guid")
}

#[test]
fn every_built_in_role_has_an_id_and_a_name_of_its_own() {
    let ids: HashSet<Guid> = all().map(|role| role.id).collect();
    let names: HashSet<String> = all().map(|role| role.name.to_lowercase()).collect();
    assert_eq!((all().len(), ids.len(), names.len()), (928, 928, 928));
}

#[test]
fn roles_are_found_by_id_and_by_name_in_any_case() {
    for (id, name) in [
        ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
        ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader"),
        ("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "Storage Blob Data Reader"),
        ("5bd9cd88-fe45-4216-938b-f97437e15450", "DocumentDB Account Contributor"),
        ("fbdf93bf-df7d-467e-a4d2-9458aa1360c8", "Cosmos DB Account Reader Role"),
    ] {
        assert_eq!(by_id(guid(id)).expect(name).name, name);
        assert_eq!(by_name(&name.to_uppercase()).expect(name).id, guid(id));
    }
    assert!(by_id(Guid::default()).is_none());
    assert!(by_name("Nobody").is_none());
}

#[test]
fn what_some_roles_grant_and_what_they_do_not() {
    let blob = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    for (name, action, management, data) in [
        ("Owner", "Microsoft.Authorization/roleAssignments/write", true, false),
        ("Owner", blob, true, false),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", false, false),
        ("Contributor", "Microsoft.Authorization/roleAssignments/read", true, false),
        ("Reader", "Microsoft.Compute/virtualMachines/read", true, false),
        ("Reader", "Microsoft.Compute/virtualMachines/write", false, false),
        ("Storage Blob Data Reader", blob, false, true),
        (
            "Storage Blob Data Reader",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            true,
            false,
        ),
        (
            "DocumentDB Account Contributor",
            "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
            true,
            false,
        ),
        (
            "Cosmos DB Account Reader Role",
            "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
            false,
            false,
        ),
        (
            "Cosmos DB Account Reader Role",
            "Microsoft.DocumentDB/databaseAccounts/readOnlyKeys/action",
            true,
            false,
        ),
        (
            "Managed Identity Operator",
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            true,
            false,
        ),
    ] {
        let role = by_name(name).expect(name);
        let action = Action::from(action);
        let granted = (
            role.permissions.iter().any(|it| it.grants_action(&action)),
            role.permissions.iter().any(|it| it.grants_data_action(&action)),
        );
        assert_eq!(granted, (management, data), "{name} {action}");
    }
}

#[test]
fn conditions_of_built_in_roles_are_kept() {
    let with_condition = all().flat_map(|role| role.permissions.clone()).filter(|it| it.condition.is_some());
    assert_eq!(with_condition.count(), 31);
}

/// The list the table was made from is larger than this repository wants to carry: where it lies
/// beside the repository, or where `ZAFFRE_ROLES_JSON` says, every role is compared.
#[test]
fn the_table_says_what_its_source_says() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Source {
        id: Guid,
        role_name: String,
        permissions: Vec<Permission>,
    }
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/builtin-roles.json");
    let path = std::env::var("ZAFFRE_ROLES_JSON").unwrap_or_else(|_| beside.to_owned());
    let Ok(json) = std::fs::read(&path) else {
        eprintln!("not compared: there is no list of roles at `{path}`");
        return;
    };
    let sources: Vec<Source> = serde_json::from_slice(&json).expect("a list of roles");
    assert_eq!(sources.len(), all().len());
    for source in sources {
        let role = by_id(source.id).expect("every role of the source");
        assert_eq!(role.name, source.role_name);
        assert_eq!(format!("{:?}", role.permissions), format!("{:?}", source.permissions), "{}", role.name);
    }
}

#[test]
fn a_custom_role_reads_and_writes_as_azure_spells_it() {
    let json = r#"{"id":"acdd72a7-3385-48ef-bd42-f606fba81ae8","name":"Mine","kind":"CustomRole",
        "permissions":[{"actions":["*/read"],"notActions":["Microsoft.Support/*"]}],
        "assignableScopes":["/subscriptions/acdd72a7-3385-48ef-bd42-f606fba81ae7"]}"#;
    let role: RoleDefinition = serde_json::from_str(json).expect("a role");
    assert!(role.permissions[0].grants_action(&Action::of("Microsoft.Compute/disks/read")));
    assert!(!role.permissions[0].grants_action(&Action::of("Microsoft.Support/tickets/read")));
    let json = serde_json::to_string(&role).expect("writes");
    let again: RoleDefinition = serde_json::from_str(&json).expect("a role");
    assert_eq!(again, role);
}

#[test]
fn what_is_left_of_a_permission_is_without_what_is_forbidden() {
    let patterns = |all: &[&str]| all.iter().map(|it| Pattern::from(*it)).collect::<Vec<_>>();
    let of = |actions: &[&str], not_actions: &[&str]| Permission {
        actions: patterns(actions),
        not_actions: patterns(not_actions),
        ..Permission::default()
    };
    let frozen = of(&["*"], &["*/read", "Microsoft.Authorization/locks/delete"]);
    for (granted, denied, left) in [
        (of(&["*"], &[]), of(&["*/delete"], &[]), vec![of(&["*"], &["*/delete"])]),
        (
            of(&["*"], &["a.b/c/write"]),
            frozen.clone(),
            vec![
                of(&["*"], &["a.b/c/write", "*"]),
                of(&["*/read", "Microsoft.Authorization/locks/delete"], &["a.b/c/write"]),
            ],
        ),
        (of(&["a.b/*"], &[]), frozen.clone(), vec![of(&["a.b/*"], &["*"]), of(&["a.b/*/read"], &[])]),
        (
            of(&["a.b/c/read"], &[]),
            frozen.clone(),
            vec![of(&["a.b/c/read"], &["*"]), of(&["a.b/c/read"], &[])],
        ),
        (of(&["a.b/c/write"], &[]), frozen, vec![of(&["a.b/c/write"], &["*"])]),
    ] {
        assert_eq!(granted.without(&denied), left, "{granted:?}");
    }
}
