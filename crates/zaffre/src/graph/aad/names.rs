//! What an object is called here and what it is in Graph: one table a type, in this service's order.
//!
//! A row is read both ways: an answer takes each value from where Graph has it, and what is written or asked about goes
//! there. Credentials, which differ in more than their name, are `credentials`'s.

use azure::odata::Filter;
use serde_json::{Map, Value, json};

use super::credentials;
use crate::graph::objects::Set;

pub(super) enum From {
    /// Graph has it under this path; `web/homePageUrl` is a property of a property.
    At(&'static str),
    /// Nothing of ours stands behind it.
    Null,
    Nothing,
    False,
    /// Whether the application is everybody's: Graph's `signInAudience`.
    Audience,
    Passwords,
    Keys,
    /// The first of Graph's `businessPhones`.
    Phone,
}

use From::{At, Audience, False, Keys, Nothing, Null, Passwords, Phone};

pub(super) struct Type {
    /// Graph's own.
    set: Set,
    /// `objectType`; with `Microsoft.DirectoryServices.` before it, `odata.type`.
    name: &'static str,
    properties: &'static [(&'static str, From)],
}

/// "Entity and complex type reference", Azure AD Graph 1.6.
static TYPES: &[Type] = &[
    Type {
        set: Set::Applications,
        name: "Application",
        properties: &[
            ("acceptMappedClaims", At("api/acceptMappedClaims")),
            ("addIns", At("addIns")),
            ("appId", At("appId")),
            ("appRoles", At("appRoles")),
            ("availableToOtherTenants", Audience),
            ("displayName", At("displayName")),
            ("errorUrl", Null),
            ("groupMembershipClaims", At("groupMembershipClaims")),
            ("homepage", At("web/homePageUrl")),
            ("identifierUris", At("identifierUris")),
            ("informationalUrls", At("info")),
            ("isDeviceOnlyAuthSupported", At("isDeviceOnlyAuthSupported")),
            ("keyCredentials", Keys),
            ("knownClientApplications", At("api/knownClientApplications")),
            ("logoutUrl", At("web/logoutUrl")),
            ("oauth2AllowIdTokenImplicitFlow", At("web/implicitGrantSettings/enableIdTokenIssuance")),
            ("oauth2AllowImplicitFlow", At("web/implicitGrantSettings/enableAccessTokenIssuance")),
            ("oauth2AllowUrlPathMatching", False),
            ("oauth2Permissions", At("api/oauth2PermissionScopes")),
            ("oauth2RequirePostResponse", False),
            ("optionalClaims", At("optionalClaims")),
            ("orgRestrictions", Nothing),
            ("parentalControlSettings", At("parentalControlSettings")),
            ("passwordCredentials", Passwords),
            ("publicClient", At("isFallbackPublicClient")),
            ("publisherDomain", At("publisherDomain")),
            ("recordConsentConditions", Null),
            ("replyUrls", At("web/redirectUris")),
            ("requiredResourceAccess", At("requiredResourceAccess")),
            ("samlMetadataUrl", Null),
            ("signInAudience", At("signInAudience")),
            ("tokenEncryptionKeyId", At("tokenEncryptionKeyId")),
        ],
    },
    Type {
        set: Set::ServicePrincipals,
        name: "ServicePrincipal",
        properties: &[
            ("accountEnabled", At("accountEnabled")),
            ("addIns", At("addIns")),
            ("alternativeNames", At("alternativeNames")),
            ("appDisplayName", At("appDisplayName")),
            ("appId", At("appId")),
            ("applicationTemplateId", At("applicationTemplateId")),
            ("appOwnerTenantId", At("appOwnerOrganizationId")),
            ("appRoleAssignmentRequired", At("appRoleAssignmentRequired")),
            ("appRoles", At("appRoles")),
            ("displayName", At("displayName")),
            ("errorUrl", Null),
            ("homepage", At("homepage")),
            ("informationalUrls", At("info")),
            ("keyCredentials", Keys),
            ("logoutUrl", At("logoutUrl")),
            ("notificationEmailAddresses", At("notificationEmailAddresses")),
            ("oauth2Permissions", At("oauth2PermissionScopes")),
            ("passwordCredentials", Passwords),
            ("preferredSingleSignOnMode", At("preferredSingleSignOnMode")),
            ("preferredTokenSigningKeyEndDateTime", Null),
            ("preferredTokenSigningKeyThumbprint", At("preferredTokenSigningKeyThumbprint")),
            ("publisherName", Null),
            ("replyUrls", At("replyUrls")),
            ("samlMetadataUrl", Null),
            ("samlSingleSignOnSettings", At("samlSingleSignOnSettings")),
            ("servicePrincipalNames", At("servicePrincipalNames")),
            ("servicePrincipalType", At("servicePrincipalType")),
            ("signInAudience", At("signInAudience")),
            ("tags", At("tags")),
            ("tokenEncryptionKeyId", At("tokenEncryptionKeyId")),
        ],
    },
    Type {
        set: Set::Users,
        name: "User",
        properties: &[
            ("accountEnabled", At("accountEnabled")),
            ("ageGroup", Null),
            ("assignedLicenses", Nothing),
            ("assignedPlans", Nothing),
            ("city", At("city")),
            ("companyName", At("companyName")),
            ("country", At("country")),
            ("createdDateTime", At("createdDateTime")),
            ("creationType", Null),
            ("department", At("department")),
            ("dirSyncEnabled", At("onPremisesSyncEnabled")),
            ("displayName", At("displayName")),
            ("employeeId", At("employeeId")),
            ("facsimileTelephoneNumber", Null),
            ("givenName", At("givenName")),
            ("immutableId", Null),
            ("isCompromised", Null),
            ("jobTitle", At("jobTitle")),
            ("lastDirSyncTime", Null),
            ("mail", At("mail")),
            ("mailNickname", At("mailNickname")),
            ("mobile", At("mobilePhone")),
            ("onPremisesSecurityIdentifier", Null),
            ("otherMails", At("otherMails")),
            ("passwordPolicies", At("passwordPolicies")),
            ("passwordProfile", At("passwordProfile")),
            ("physicalDeliveryOfficeName", At("officeLocation")),
            ("postalCode", At("postalCode")),
            ("preferredLanguage", At("preferredLanguage")),
            ("provisionedPlans", Nothing),
            ("provisioningErrors", Nothing),
            ("proxyAddresses", Nothing),
            ("refreshTokensValidFromDateTime", At("createdDateTime")),
            ("showInAddressList", Null),
            ("signInNames", Nothing),
            ("sipProxyAddress", Null),
            ("state", At("state")),
            ("streetAddress", At("streetAddress")),
            ("surname", At("surname")),
            ("telephoneNumber", Phone),
            ("usageLocation", At("usageLocation")),
            ("userPrincipalName", At("userPrincipalName")),
            ("userType", At("userType")),
        ],
    },
    Type {
        set: Set::Groups,
        name: "Group",
        properties: &[
            ("description", At("description")),
            ("dirSyncEnabled", At("onPremisesSyncEnabled")),
            ("displayName", At("displayName")),
            ("lastDirSyncTime", Null),
            ("mail", At("mail")),
            ("mailEnabled", At("mailEnabled")),
            ("mailNickname", At("mailNickname")),
            ("onPremisesDomainName", Null),
            ("onPremisesSecurityIdentifier", Null),
            ("provisioningErrors", Nothing),
            ("proxyAddresses", At("proxyAddresses")),
            ("securityEnabled", At("securityEnabled")),
        ],
    },
];

/// What is no object of these sets: each member's name here and there.
static PLAIN: &[(&str, &str)] = &[
    ("objectId", "id"),
    ("deletionTimestamp", "deletedDateTime"),
    ("creationTimestamp", "createdDateTime"),
    ("id", "appRoleId"),
];

impl Type {
    pub(super) fn of(set: Set) -> &'static Type {
        TYPES.iter().find(|it| it.set == set).expect("every set has a row")
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// An object as this service shows it.
    pub(super) fn shown(&self, graph: &Map<String, Value>) -> Value {
        let mut out = Map::from_iter([
            ("odata.type".to_owned(), json!(format!("Microsoft.DirectoryServices.{}", self.name))),
            ("objectType".to_owned(), json!(self.name)),
            ("objectId".to_owned(), graph.get("id").cloned().unwrap_or_default()),
            ("deletionTimestamp".to_owned(), Value::Null),
        ]);
        out.extend(self.properties.iter().map(|(name, from)| ((*name).to_owned(), value_of(graph, from))));
        Value::Object(out)
    }

    /// What is written here, as Graph is told it. Names that the table does not have are Graph's to refuse.
    pub(super) fn written(&self, body: Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, value) in body {
            match self.properties.iter().find(|(known, _)| *known == name).map(|(_, from)| from) {
                Some(At("passwordProfile")) => {
                    out.insert(name, password_profile(value));
                }
                Some(At(path)) => put(&mut out, path, value),
                Some(Audience) => {
                    let audience = if value == json!(true) { "AzureADMultipleOrgs" } else { "AzureADMyOrg" };
                    out.insert("signInAudience".to_owned(), json!(audience));
                }
                Some(Phone) => {
                    out.insert("businessPhones".to_owned(), json!([value]));
                }
                Some(Keys) => {
                    out.insert(name, credentials::keys_written(value));
                }
                Some(Passwords) => {}
                // Clients send back what they were shown.
                Some(Null | Nothing | False)
                    if value.is_null() || value == json!([]) || value == json!(false) => {}
                Some(Null | Nothing | False) | None if name.starts_with("odata.") || name == "objectType" => {
                }
                Some(Null | Nothing | False) | None => {
                    out.insert(name, value);
                }
            }
        }
        out
    }

    /// Graph's path for one of this service's, as a filter has it: in lower case.
    pub(super) fn path(&self, path: &str) -> String {
        let (first, rest) = path.split_once('/').map_or((path, ""), |(first, rest)| (first, rest));
        if first.eq_ignore_ascii_case("objectId") {
            return "id".to_owned();
        }
        let found = self.properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(first));
        let graph = match found.map(|(_, from)| from) {
            Some(At(path)) => path.to_ascii_lowercase(),
            _ => first.to_owned(),
        };
        if rest.is_empty() { graph } else { format!("{graph}/{rest}") }
    }

    pub(super) fn filter(&self, filter: Filter) -> Filter {
        filter.renamed(&|path| self.path(path))
    }
}

fn value_of(graph: &Map<String, Value>, from: &From) -> Value {
    let at = |name: &str| graph.get(name).cloned().unwrap_or_default();
    match from {
        At(path) => {
            let mut parts = path.split('/');
            let first = at(parts.next().unwrap_or_default());
            parts.fold(first, |value, name| value.get(name).cloned().unwrap_or_default())
        }
        Null => Value::Null,
        Nothing => json!([]),
        False => json!(false),
        Audience => json!(at("signInAudience").as_str().is_some_and(|it| it != "AzureADMyOrg")),
        Passwords => credentials::passwords_shown(&at("passwordCredentials")),
        Keys => credentials::keys_shown(&at("keyCredentials")),
        Phone => at("businessPhones").get(0).cloned().unwrap_or_default(),
    }
}

/// `web/homePageUrl` into `{"web": {"homePageUrl": …}}`, beside what is there.
fn put(out: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('/') {
        None => {
            out.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = out.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn password_profile(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let renamed = members.into_iter().map(|(name, value)| match name.as_str() {
        "forceChangePasswordNextLogin" => ("forceChangePasswordNextSignIn".to_owned(), value),
        "enforceChangePasswordPolicy" => ("forceChangePasswordNextSignInWithMfa".to_owned(), value),
        _ => (name, value),
    });
    Value::Object(renamed.collect())
}

/// An assignment, a grant, the tenant: what Graph shows, by this service's names.
pub(super) fn plain((of, object_type): (&str, &str), graph: Map<String, Value>) -> Value {
    let mut out = Map::from_iter([
        ("odata.type".to_owned(), json!(format!("Microsoft.DirectoryServices.{of}"))),
        ("objectType".to_owned(), json!(object_type)),
    ]);
    for (name, value) in graph {
        let here = PLAIN.iter().find(|(_, there)| *there == name).map_or(name.as_str(), |(here, _)| *here);
        out.insert(here.to_owned(), if name == "verifiedDomains" { domains(value) } else { value });
    }
    Value::Object(out)
}

fn domains(graph: Value) -> Value {
    let Value::Array(listed) = graph else { return graph };
    let renamed = |entry: Value| {
        let Value::Object(members) = entry else { return entry };
        let name = |it: String| match it.as_str() {
            "isDefault" => "default".to_owned(),
            "isInitial" => "initial".to_owned(),
            _ => it,
        };
        Value::Object(members.into_iter().map(|(it, value)| (name(it), value)).collect())
    };
    listed.into_iter().map(renamed).collect()
}

/// An assignment that is written: `id` is the role's.
pub(super) fn role_written(mut body: Map<String, Value>) -> Map<String, Value> {
    if let Some(role) = body.remove("id") {
        body.insert("appRoleId".to_owned(), role);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_tables_is_one_of_graphs_properties() {
        for it in TYPES {
            for (name, from) in it.properties {
                if let At(path) = from {
                    let first = path.split('/').next().unwrap_or_default();
                    assert!(it.set.has(first), "{}.{name} is at {path}", it.name);
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_where_graph_has_it() {
        let application = Type::of(Set::Applications);
        let body = json!({
            "displayName": "x", "homepage": "https://x", "replyUrls": ["https://x/y"], "availableToOtherTenants": true,
            "objectType": "Application", "errorUrl": null, "unknown": 1,
        });
        let written = application.written(body.as_object().cloned().expect("an object"));
        assert_eq!(
            Value::Object(written),
            json!({
                "displayName": "x", "web": { "homePageUrl": "https://x", "redirectUris": ["https://x/y"] },
                "signInAudience": "AzureADMultipleOrgs", "unknown": 1,
            })
        );
    }

    #[test]
    fn filters_are_about_graphs_properties() {
        for (here, there) in [
            ("objectid", "id"),
            ("homepage", "web/homepageurl"),
            ("serviceprincipalnames", "serviceprincipalnames"),
            ("passwordcredentials/keyid", "passwordcredentials/keyid"),
        ] {
            assert_eq!(Type::of(Set::Applications).path(here), there);
        }
    }
}
