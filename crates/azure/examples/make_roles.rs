//! Makes the table of built-in roles: `cargo run -p azure --example make_roles -- FILE`.
//!
//! FILE is a JSON list of `{id, roleName, permissions}`. The table is written over the committed
//! one, by name; the diff is the review.

use std::{env, error::Error, fs};

use azure::{
    ids::{Guid, ResourceId},
    roles::{Permission, RoleDefinition, RoleKind, table},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    id: Guid,
    role_name: String,
    permissions: Vec<Permission>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: make_roles FILE")?;
    let sources: Vec<Source> = serde_json::from_slice(&fs::read(path)?)?;
    let mut roles: Vec<RoleDefinition> = sources.into_iter().map(role).collect();
    roles.sort_by_cached_key(|role| (role.name.to_lowercase(), role.id));
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/roles/builtin.txt"), table::write(&roles))?;
    Ok(())
}

fn role(source: Source) -> RoleDefinition {
    RoleDefinition {
        id: source.id,
        name: source.role_name,
        description: None,
        kind: RoleKind::BuiltIn,
        permissions: source.permissions,
        assignable_scopes: vec![ResourceId::root()],
    }
}
