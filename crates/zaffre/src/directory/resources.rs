//! Whom a token may be for: the applications of Azure's own services, by the names they go by.
//!
//! A resource is asked for by one of its identifier URIs, by its application id, or by a name that one
//! of its accounts has (`https://acct.blob.core.windows.net`), which binds the token to that account.
//! The audience of the token is what was asked for, to the letter (entra.md §2.1); who receives it
//! compares without case and without a slash at the end.

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    jwt::{check::is_same_audience, claims::TokenVersion},
};
use serde_json::Value;

use super::{Application, applications, groups, links, mint::Audience, service_principals};
use crate::store::Txn;

/// One service's application.
#[derive(Debug, PartialEq, Eq)]
pub struct ResourceApp {
    pub display_name: &'static str,
    pub app_id: &'static str,
    /// Without a slash at the end.
    pub identifiers: &'static [&'static str],
    /// What follows the account in the names of its accounts' hosts.
    pub account_suffixes: &'static [&'static str],
    pub source: &'static str,
}

pub static ARM: ResourceApp = ResourceApp {
    display_name: "Windows Azure Service Management API",
    app_id: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    identifiers: &["https://management.azure.com", "https://management.core.windows.net"],
    account_suffixes: &[],
    source: "entra.md §2.1; the four spellings: arm.md §3",
};

pub static STORAGE: ResourceApp = ResourceApp {
    display_name: "Azure Storage",
    app_id: "e406a681-f3d4-42a8-90b6-c2b029497af1",
    identifiers: &["https://storage.azure.com"],
    account_suffixes: &[
        ".blob.core.windows.net",
        ".dfs.core.windows.net",
        ".file.core.windows.net",
        ".queue.core.windows.net",
        ".table.core.windows.net",
    ],
    source: "entra.md §2.1; blob.md §8",
};

pub static COSMOS: ResourceApp = ResourceApp {
    display_name: "Azure Cosmos DB",
    app_id: "a232010e-820c-4083-83bb-3ace5fc29d0b",
    identifiers: &["https://cosmos.azure.com"],
    account_suffixes: &[".documents.azure.com"],
    source: "entra.md §2.1; cosmos.md §2.3",
};

pub static GRAPH: ResourceApp = ResourceApp {
    display_name: "Microsoft Graph",
    app_id: "00000003-0000-0000-c000-000000000000",
    identifiers: &["https://graph.microsoft.com"],
    account_suffixes: &[],
    source: "entra.md §2.1",
};

pub static AAD_GRAPH: ResourceApp = ResourceApp {
    display_name: "Windows Azure Active Directory",
    app_id: "00000002-0000-0000-c000-000000000000",
    identifiers: &["https://graph.windows.net"],
    account_suffixes: &[],
    source: "entra.md §2.1",
};

static KEY_VAULT: ResourceApp = ResourceApp {
    display_name: "Azure Key Vault",
    app_id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    identifiers: &["https://vault.azure.net"],
    account_suffixes: &[],
    source: "entra.md §2.1 (application id unverified)",
};

static SQL: ResourceApp = ResourceApp {
    display_name: "Azure SQL Database",
    app_id: "022907d3-0f1b-48f7-badc-1ba6abab6d66",
    identifiers: &["https://database.windows.net"],
    account_suffixes: &[],
    source: "entra.md §2.1 (application id unverified)",
};

static EXCHANGE: ResourceApp = ResourceApp {
    display_name: "AAD Token Exchange Endpoint",
    app_id: "fb60f99c-7a34-4190-8149-302f77469936",
    identifiers: &["api://AzureADTokenExchange"],
    account_suffixes: &[],
    source: "entra.md §2.1 (application id unverified)",
};

/// Every resource a token can be had for, those too that nobody here answers as.
pub static ALL: &[&ResourceApp] = &[&ARM, &STORAGE, &COSMOS, &GRAPH, &AAD_GRAPH, &KEY_VAULT, &SQL, &EXCHANGE];

impl ResourceApp {
    /// Whether this is one of its names.
    fn goes_by(&self, name: &str) -> bool {
        self.app_id.eq_ignore_ascii_case(name)
            || self.identifiers.iter().any(|known| is_same_audience(known, name))
            || self.account_in(name).is_some()
    }

    /// The account in `https://{account}{suffix}`, with or without its port.
    fn account_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let host = name.strip_suffix('/').unwrap_or(name).strip_prefix("https://")?;
        let host = host.strip_suffix(":443").unwrap_or(host);
        let account =
            self.account_suffixes.iter().find_map(|suffix| strip_suffix_in_any_case(host, suffix))?;
        let is_label = !account.is_empty()
            && account.len() <= 63
            && account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_label.then_some(account)
    }

    /// The audiences of tokens for the service as a whole.
    pub fn audiences(&self) -> Vec<String> {
        let names = self.identifiers.iter().copied().chain([self.app_id]);
        names.map(str::to_owned).collect()
    }

    /// The audiences that one host of the service accepts: the service's, and its own.
    pub fn audiences_at(&self, host: &str) -> Vec<String> {
        let own = [format!("https://{host}"), format!("https://{host}:443")];
        self.audiences().into_iter().chain(own).collect()
    }
}

fn strip_suffix_in_any_case<'n>(text: &'n str, suffix: &str) -> Option<&'n str> {
    let (front, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(front)
}

/// Whether this is a name of one of Azure's own resources.
pub fn is_azures(name: &str) -> bool {
    ALL.iter().any(|app| app.goes_by(name))
}

/// A resource that a token can be had for.
pub struct Resource {
    /// What was asked for, to the letter.
    pub name: String,
    /// The tenant's own application; none for Azure's.
    pub own: Option<Application>,
}

/// The resource that goes by this name: one of Azure's, or an application of the tenant by client id, by
/// `api://{client id}` or by one of its identifier URIs.
pub fn find(txn: &Txn, name: &str) -> Result<Option<Resource>> {
    let name = name.to_owned();
    if ALL.iter().any(|app| app.goes_by(&name)) {
        return Ok(Some(Resource { name, own: None }));
    }
    let bare = name.strip_prefix("api://").unwrap_or(&name);
    let own = match bare.strip_suffix('/').unwrap_or(bare).parse::<Guid>() {
        Ok(id) => applications::get(txn, ClientId(id))?,
        Err(_) => applications::identified(txn, &name)?,
    };
    Ok(own.map(|own| Resource { name, own: Some(own) }))
}

/// Whether this tenant knows a resource of this name.
pub fn is_known(txn: &Txn, name: &str) -> Result<bool> {
    Ok(find(txn, name)?.is_some())
}

impl Resource {
    fn version(&self) -> TokenVersion {
        let asked =
            self.own.as_ref().and_then(|it| it.document.get("api")?.get("requestedAccessTokenVersion"));
        if asked.and_then(Value::as_u64) == Some(2) { TokenVersion::V2 } else { TokenVersion::V1 }
    }

    /// What tokens for it carry about this principal. Version 2 names the resource by client id alone.
    pub fn audience(&self, txn: &Txn, principal: ObjectId) -> Result<Audience> {
        let name = match (&self.own, self.version()) {
            (Some(own), TokenVersion::V2) => own.client_id.to_string(),
            (Some(_) | None, _) => self.name.clone(),
        };
        let roles = self.roles(txn, principal)?;
        Ok(Audience { name, version: self.version(), roles, capabilities: Vec::new() })
    }

    /// The values of the application roles that were given to the principal, or to a group it is in itself:
    /// groups within groups do not count here (entra-docs, "assign users and groups to an application").
    fn roles(&self, txn: &Txn, principal: ObjectId) -> Result<Vec<String>> {
        let Some(own) = &self.own else { return Ok(Vec::new()) };
        let given = self.given(txn, own, principal)?;
        let offered = own.document.get("appRoles").and_then(Value::as_array);
        let value = |role: &Value| {
            let id: Guid = role.get("id")?.as_str()?.parse().ok()?;
            let is_enabled = role.get("isEnabled").and_then(Value::as_bool).unwrap_or(true);
            let value = role.get("value")?.as_str()?;
            (is_enabled && given.contains(&id)).then(|| value.to_owned())
        };
        Ok(offered.into_iter().flatten().filter_map(value).collect())
    }

    fn given(&self, txn: &Txn, own: &Application, principal: ObjectId) -> Result<Vec<Guid>> {
        let Some(resource) = service_principals::of_application(txn, own.client_id)? else {
            return Ok(Vec::new());
        };
        let mut given = Vec::new();
        for holder in groups::direct(txn, principal)?.into_iter().chain([principal]) {
            let of_holder = links::assignments(txn, holder)?;
            given.extend(
                of_holder.into_iter().filter(|it| it.resource == resource.object_id).map(|it| it.app_role),
            );
        }
        Ok(given)
    }

    /// Whether only those may have tokens for it who were given a role, and this one was not.
    pub fn keeps_out(&self, txn: &Txn, principal: ObjectId) -> Result<bool> {
        let Some(own) = &self.own else { return Ok(false) };
        let resource = service_principals::of_application(txn, own.client_id)?;
        let is_required = resource.and_then(|it| it.document.get("appRoleAssignmentRequired")?.as_bool());
        Ok(is_required == Some(true) && self.given(txn, own, principal)?.is_empty())
    }

    /// Whether tokens for it list the user's groups. Azure's own services get them all; an application says
    /// so in its `groupMembershipClaims`.
    pub fn shows_groups(&self) -> bool {
        self.membership_claims().is_none_or(|it| ["SecurityGroup", "All", "ApplicationGroup"].contains(&it))
    }

    /// The same of directory roles (`wids`).
    pub fn shows_roles(&self) -> bool {
        self.membership_claims().is_none_or(|it| ["DirectoryRole", "All"].contains(&it))
    }

    /// None for Azure's own services.
    fn membership_claims(&self) -> Option<&str> {
        let own = self.own.as_ref()?;
        Some(own.document.get("groupMembershipClaims").and_then(Value::as_str).unwrap_or("None"))
    }

    /// The scopes that it offers to clients in a user's name; none for Azure's, which take any.
    pub fn scopes(&self) -> Option<Vec<&str>> {
        let offered = self.own.as_ref()?.document.get("api").and_then(|it| it.get("oauth2PermissionScopes"));
        let is_enabled = |it: &&Value| it.get("isEnabled").and_then(Value::as_bool).unwrap_or(true);
        let list = offered.and_then(Value::as_array).into_iter().flatten().filter(is_enabled);
        Some(list.filter_map(|it| it.get("value")?.as_str()).collect())
    }
}

impl Application {
    /// The names by which clients ask for it, and which its own tokens may be for.
    pub fn identifiers(&self) -> Vec<String> {
        let own = [self.client_id.to_string(), format!("api://{}", self.client_id)];
        own.into_iter().chain(self.identifier_uris().into_iter().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_go_by_their_names_and_no_others() {
        for (name, app) in [
            ("https://management.azure.com", Some(&ARM)),
            ("https://management.azure.com/", Some(&ARM)),
            ("https://management.core.windows.net/", Some(&ARM)),
            ("https://Management.Azure.com/", Some(&ARM)),
            ("797f4846-ba00-4fd7-ba43-dac1f8f63013", Some(&ARM)),
            ("https://management.azure.com//", None),
            ("http://management.azure.com/", None),
            ("https://management.azure.com.example.org", None),
            ("https://storage.azure.com", Some(&STORAGE)),
            ("https://acct.blob.core.windows.net", Some(&STORAGE)),
            ("https://acct.blob.core.windows.net/", Some(&STORAGE)),
            ("https://acct.blob.core.windows.net/c", None),
            ("https://a.b.blob.core.windows.net", None),
            ("https://.blob.core.windows.net", None),
            ("https://blob.core.windows.net", None),
            ("https://acct.documents.azure.com:443/", Some(&COSMOS)),
            ("https://acct.documents.azure.com:8081/", None),
            ("https://cosmos.azure.com", Some(&COSMOS)),
            ("https://vault.azure.net", Some(&KEY_VAULT)),
            ("é.documents.azure.com", None),
            ("", None),
            ("/", None),
        ] {
            let found = ALL.iter().find(|it| it.goes_by(name)).copied();
            assert_eq!(found, app, "{name}");
        }
    }

    #[test]
    fn no_name_is_two_resources() {
        let mut names: Vec<String> = ALL.iter().flat_map(|app| app.audiences()).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_account_accepts_what_is_meant_for_it_and_not_for_another() {
        let accepted = STORAGE.audiences_at("acct.blob.core.windows.net");
        let takes = |name: &str| accepted.iter().any(|known| is_same_audience(known, name));
        assert!(takes("https://storage.azure.com/"));
        assert!(takes("https://acct.blob.core.windows.net/"));
        assert!(!takes("https://other.blob.core.windows.net/"));
    }
}
