//! Who may do what in the directory.
//!
//! A person reads everything, makes applications and security groups, and changes what they own: the permissions
//! that a member of a tenant has by default ("Default user permissions"). Directory roles give more. An application
//! may do nothing but what its application roles on Microsoft Graph say, or a directory role of its own; this is
//! why `az role assignment create --assignee` fails for many a pipeline. What an application may do in a person's
//! name is what the person may do: the scopes of their token are not weighed.

use azure::{
    error::Result,
    ids::{Guid, ObjectId},
    principal::PrincipalKind,
};

use super::codes;
use crate::{
    access::Caller,
    directory::{first_party, links, roles},
    store::Txn,
};

/// Parts of the directory that permissions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// Applications and service principals.
    Applications,
    Users,
    Groups,
    /// Application roles given to principals.
    AppRoles,
    /// Delegated permissions.
    Grants,
    /// Directory roles.
    Roles,
    /// Anything, as in `directoryObjects`.
    Objects,
}

struct Rule {
    area: Area,
    /// Application roles with which applications read, and change.
    reads: &'static [&'static str],
    changes: &'static [&'static str],
    /// The application role with which an application changes what it owns.
    changes_own: Option<&'static str>,
    /// Directory roles whose holders change it, by name.
    administrators: &'static [&'static str],
    /// Whether anybody may make one, and owns it then.
    anybody_makes: bool,
}

/// "Microsoft Graph permissions reference", "Microsoft Entra built-in roles".
static RULES: &[Rule] = &[
    Rule {
        area: Area::Applications,
        reads: &["Application.Read.All", "Directory.Read.All"],
        changes: &["Application.ReadWrite.All", "Directory.ReadWrite.All"],
        changes_own: Some("Application.ReadWrite.OwnedBy"),
        administrators: &[
            "Application Administrator",
            "Application Developer",
            "Cloud Application Administrator",
        ],
        anybody_makes: true,
    },
    Rule {
        area: Area::Users,
        reads: &["User.Read.All", "User.ReadBasic.All", "Directory.Read.All"],
        changes: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        changes_own: None,
        administrators: &["User Administrator", "Directory Writers"],
        anybody_makes: false,
    },
    Rule {
        area: Area::Groups,
        reads: &["Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"],
        changes: &["Group.ReadWrite.All", "GroupMember.ReadWrite.All", "Directory.ReadWrite.All"],
        changes_own: Some("Group.Create"),
        administrators: &["Groups Administrator", "User Administrator", "Directory Writers"],
        anybody_makes: true,
    },
    Rule {
        area: Area::AppRoles,
        reads: &["Application.Read.All", "Directory.Read.All"],
        changes: &["AppRoleAssignment.ReadWrite.All"],
        changes_own: None,
        administrators: &[
            "Application Administrator",
            "Cloud Application Administrator",
            "Privileged Role Administrator",
        ],
        anybody_makes: false,
    },
    Rule {
        area: Area::Grants,
        reads: &["Directory.Read.All"],
        changes: &["DelegatedPermissionGrant.ReadWrite.All"],
        changes_own: None,
        administrators: &[
            "Application Administrator",
            "Cloud Application Administrator",
            "Privileged Role Administrator",
        ],
        anybody_makes: false,
    },
    Rule {
        area: Area::Roles,
        reads: &["RoleManagement.Read.Directory", "Directory.Read.All"],
        changes: &["RoleManagement.ReadWrite.Directory"],
        changes_own: None,
        administrators: &["Privileged Role Administrator"],
        anybody_makes: false,
    },
    Rule {
        area: Area::Objects,
        reads: &[
            "Directory.Read.All",
            "User.Read.All",
            "Group.Read.All",
            "GroupMember.Read.All",
            "Application.Read.All",
        ],
        changes: &["Directory.ReadWrite.All"],
        changes_own: None,
        administrators: &["Directory Writers"],
        anybody_makes: false,
    },
];

/// What a caller wants to change.
#[derive(Clone, Copy)]
pub(super) enum Change {
    /// Something that is there.
    Of(ObjectId),
    /// Something new, or what nobody owns.
    New,
}

impl Area {
    /// The part that a collection belongs to.
    pub(super) fn of(set: &str) -> Area {
        match set.to_ascii_lowercase().as_str() {
            "applications" | "serviceprincipals" => Area::Applications,
            "users" | "me" => Area::Users,
            "groups" => Area::Groups,
            "oauth2permissiongrants" => Area::Grants,
            "directoryroles" | "directoryroletemplates" | "rolemanagement" => Area::Roles,
            _ => Area::Objects,
        }
    }

    fn rule(self) -> &'static Rule {
        RULES.iter().find(|rule| rule.area == self).expect("every area has a rule")
    }
}

/// The caller may read this part of the directory.
pub(super) fn may_read(txn: &Txn, caller: &Caller, area: Area) -> Result<()> {
    let Some(principal) = caller.principal() else { return Err((&codes::DENIED).into()) };
    if principal.kind == PrincipalKind::User || !roles::held(txn, principal.object_id)?.is_empty() {
        return Ok(());
    }
    let rule = area.rule();
    let held = first_party::roles_on_graph(txn, principal.object_id)?;
    let is_enough = |role: &&str| rule.reads.contains(role) || rule.changes.contains(role);
    let is_owner = rule.changes_own.is_some_and(|role| held.contains(&role));
    let writes_all = held.contains(&"Directory.ReadWrite.All");
    if held.iter().any(is_enough) || is_owner || writes_all { Ok(()) } else { Err((&codes::DENIED).into()) }
}

/// The caller may change it.
pub(super) fn may_change(txn: &Txn, caller: &Caller, area: Area, what: Change) -> Result<()> {
    let Some(principal) = caller.principal() else { return Err((&codes::DENIED).into()) };
    let (id, rule) = (principal.object_id, area.rule());
    let is_own = match what {
        Change::Of(object) => links::is_owner(txn, object, id)?,
        Change::New => rule.anybody_makes,
    };
    if is_own && principal.kind == PrincipalKind::User {
        return Ok(());
    }
    let is_administrator = roles::held(txn, id)?.iter().any(|role| administers(rule, *role));
    let held = first_party::roles_on_graph(txn, id)?;
    let is_allowed = held.iter().any(|role| rule.changes.contains(role));
    let is_allowed_own = is_own && rule.changes_own.is_some_and(|role| held.contains(&role));
    match is_administrator || is_allowed || is_allowed_own {
        true => Ok(()),
        false => Err((&codes::DENIED).into()),
    }
}

fn administers(rule: &Rule, role: Guid) -> bool {
    role == roles::GLOBAL_ADMINISTRATOR
        || roles::find(role).is_some_and(|role| rule.administrators.contains(&role.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_and_every_role_of_the_rules_exists() {
        for rule in RULES {
            let permissions = rule.reads.iter().chain(rule.changes).chain(rule.changes_own.as_ref());
            for permission in permissions {
                assert!(first_party::APP_ROLES.iter().any(|(_, it)| it == permission), "{permission}");
            }
            for name in rule.administrators {
                assert!(roles::ALL.iter().any(|role| role.name == *name), "{name}");
            }
        }
    }
}
