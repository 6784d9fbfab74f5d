//! Who may do what: every built-in role beside representative operations, as one golden file.
//!
//! `ZAFFRE_BLESS=1 cargo test -p azure --test main picture` rewrites it; the diff is the review. A role
//! that may do nothing of this is left out. A mark a column: `x` may, `?` may under its own condition,
//! `.` may not.

use std::{fmt::Write as _, fs, path::PathBuf};

use azure::{
    action::Action,
    rbac::Plane,
    roles::{self, RoleDefinition},
};

const OPERATIONS: [(Plane, &str); 24] = [
    (Plane::Control, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    (Plane::Control, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    (Plane::Control, "Microsoft.Resources/subscriptions/resourceGroups/delete"),
    (Plane::Control, "Microsoft.Resources/deployments/write"),
    (Plane::Control, "Microsoft.Authorization/roleAssignments/read"),
    (Plane::Control, "Microsoft.Authorization/roleAssignments/write"),
    (Plane::Control, "Microsoft.Authorization/roleDefinitions/write"),
    (Plane::Control, "Microsoft.ManagedIdentity/userAssignedIdentities/write"),
    (Plane::Control, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"),
    (Plane::Control, "Microsoft.Compute/virtualMachines/read"),
    (Plane::Control, "Microsoft.Compute/virtualMachines/write"),
    (Plane::Control, "Microsoft.Compute/virtualMachines/start/action"),
    (Plane::Data, "Microsoft.Compute/virtualMachines/login/action"),
    (Plane::Data, "Microsoft.Compute/virtualMachines/loginAsAdmin/action"),
    (Plane::Control, "Microsoft.Network/virtualNetworks/subnets/join/action"),
    (Plane::Control, "Microsoft.Storage/storageAccounts/write"),
    (Plane::Control, "Microsoft.Storage/storageAccounts/listKeys/action"),
    (Plane::Control, "Microsoft.Storage/storageAccounts/blobServices/containers/write"),
    (Plane::Data, "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"),
    (Plane::Data, "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"),
    (Plane::Control, "Microsoft.DocumentDB/databaseAccounts/listKeys/action"),
    (Plane::Control, "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action"),
    (Plane::Control, "Microsoft.DocumentDB/databaseAccounts/readonlykeys/read"),
    (Plane::Data, "Microsoft.KeyVault/vaults/secrets/getSecret/action"),
];

fn mark(role: &RoleDefinition, plane: Plane, action: &Action) -> char {
    let granting = role.permissions.iter().filter(|it| match plane {
        Plane::Control => it.grants_action(action),
        Plane::Data | Plane::Cosmos => it.grants_data_action(action),
    });
    match granting.map(|it| it.condition.is_some()).min() {
        None => '.',
        Some(false) => 'x',
        Some(true) => '?',
    }
}

fn picture() -> String {
    let mut text = String::new();
    for (at, (plane, action)) in OPERATIONS.iter().enumerate() {
        writeln!(text, "{}{plane:?} {action}", "| ".repeat(at)).expect("a text takes all");
    }
    for role in roles::all() {
        let marks = OPERATIONS.map(|(plane, action)| mark(&role, plane, &Action::of(action)));
        if marks != ['.'; OPERATIONS.len()] {
            let marks = marks.map(String::from).join(" ");
            writeln!(text, "{marks}  {}", role.name.trim_end()).expect("a text takes all");
        }
    }
    text
}

#[test]
fn who_may_do_what_is_what_was_reviewed() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/picture.txt");
    if std::env::var_os("ZAFFRE_BLESS").is_some() {
        fs::write(&file, picture()).expect("is written");
    }
    let reviewed = fs::read_to_string(&file).expect("the golden file");
    assert!(picture() == reviewed, "the picture changed: run with ZAFFRE_BLESS=1 and review the diff");
}
