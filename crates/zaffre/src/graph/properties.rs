//! What each type of object has: one table a type, in Graph's order.
//!
//! What the program itself means something by is `Own`: the object's type knows it. The rest is kept
//! as it was written, and stands at its default until then.

use azure::error::Result;
use serde_json::{Map, Value, json};

use super::codes;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read from the object's own fields; written, if at all, by `changes`.
    Own,
    /// Always null here.
    Null,
    Text,
    Flag(bool),
    List,
    /// A group of properties; writing some of them leaves the others.
    Complex(&'static [(&'static str, Kind)]),
    /// Anything, null until it is written.
    Any,
}

pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Among those that come when nothing is selected.
    pub(super) usual: bool,
}

macro_rules! properties {
    ($($name:literal $kind:expr),* $(,)?) => {
        &[$(Property { name: $name, kind: $kind, usual: true }),*]
    };
}

const URIS: Kind = Kind::Complex(&[("redirectUris", Kind::List)]);

pub(super) static APPLICATION: &[Property] = properties! {
    "id" Kind::Own, "deletedDateTime" Kind::Null, "appId" Kind::Own, "applicationTemplateId" Kind::Null,
    "disabledByMicrosoftStatus" Kind::Null, "createdDateTime" Kind::Own, "displayName" Kind::Own,
    "description" Kind::Text, "groupMembershipClaims" Kind::Text, "identifierUris" Kind::List,
    "isDeviceOnlyAuthSupported" Kind::Any, "isFallbackPublicClient" Kind::Any, "notes" Kind::Text,
    "publisherDomain" Kind::Own, "serviceManagementReference" Kind::Text, "signInAudience" Kind::Own,
    "tags" Kind::List, "tokenEncryptionKeyId" Kind::Null, "defaultRedirectUri" Kind::Text, "optionalClaims" Kind::Any,
    "addIns" Kind::List,
    "api" Kind::Complex(&[
        ("acceptMappedClaims", Kind::Any), ("knownClientApplications", Kind::List),
        ("requestedAccessTokenVersion", Kind::Any), ("oauth2PermissionScopes", Kind::List),
        ("preAuthorizedApplications", Kind::List),
    ]),
    "appRoles" Kind::List,
    "info" Kind::Complex(&[
        ("logoUrl", Kind::Any), ("marketingUrl", Kind::Any), ("privacyStatementUrl", Kind::Any),
        ("supportUrl", Kind::Any), ("termsOfServiceUrl", Kind::Any),
    ]),
    "keyCredentials" Kind::Own,
    "parentalControlSettings" Kind::Any, "passwordCredentials" Kind::Own,
    "publicClient" URIS, "requiredResourceAccess" Kind::List,
    "web" Kind::Complex(&[
        ("homePageUrl", Kind::Text), ("logoutUrl", Kind::Text), ("redirectUris", Kind::List),
        ("implicitGrantSettings", Kind::Complex(&[
            ("enableAccessTokenIssuance", Kind::Flag(false)), ("enableIdTokenIssuance", Kind::Flag(false)),
        ])),
        ("redirectUriSettings", Kind::List),
    ]),
    "spa" URIS,
};

pub(super) static SERVICE_PRINCIPAL: &[Property] = properties! {
    "id" Kind::Own, "deletedDateTime" Kind::Null, "accountEnabled" Kind::Own, "alternativeNames" Kind::Own,
    "appDisplayName" Kind::Own, "appDescription" Kind::Null, "appId" Kind::Own, "applicationTemplateId" Kind::Null,
    "appOwnerOrganizationId" Kind::Own, "appRoleAssignmentRequired" Kind::Flag(false), "createdDateTime" Kind::Own,
    "description" Kind::Text, "disabledByMicrosoftStatus" Kind::Null, "displayName" Kind::Own, "homepage" Kind::Text,
    "loginUrl" Kind::Text, "logoutUrl" Kind::Text, "notes" Kind::Text, "notificationEmailAddresses" Kind::List,
    "preferredSingleSignOnMode" Kind::Text, "preferredTokenSigningKeyThumbprint" Kind::Text, "replyUrls" Kind::Own,
    "servicePrincipalNames" Kind::Own, "servicePrincipalType" Kind::Own, "signInAudience" Kind::Own, "tags" Kind::List,
    "tokenEncryptionKeyId" Kind::Null, "samlSingleSignOnSettings" Kind::Any, "addIns" Kind::List,
    "appRoles" Kind::Own, "info" Kind::Any, "keyCredentials" Kind::Own, "oauth2PermissionScopes" Kind::Own,
    "passwordCredentials" Kind::Own, "resourceSpecificApplicationPermissions" Kind::List,
};

const fn seldom(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, usual: false }
}

const fn usual(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, usual: true }
}

/// Users show eleven properties until others are selected (entra.md §6).
pub(super) static USER: &[Property] = &[
    usual("businessPhones", Kind::List),
    usual("displayName", Kind::Own),
    usual("givenName", Kind::Text),
    usual("jobTitle", Kind::Text),
    usual("mail", Kind::Text),
    usual("mobilePhone", Kind::Text),
    usual("officeLocation", Kind::Text),
    usual("preferredLanguage", Kind::Text),
    usual("surname", Kind::Text),
    usual("userPrincipalName", Kind::Own),
    usual("id", Kind::Own),
    seldom("accountEnabled", Kind::Own),
    seldom("city", Kind::Text),
    seldom("companyName", Kind::Text),
    seldom("country", Kind::Text),
    seldom("createdDateTime", Kind::Own),
    seldom("deletedDateTime", Kind::Null),
    seldom("department", Kind::Text),
    seldom("employeeId", Kind::Text),
    seldom("mailNickname", Kind::Text),
    seldom("onPremisesSyncEnabled", Kind::Null),
    seldom("otherMails", Kind::List),
    seldom("passwordPolicies", Kind::Text),
    seldom("passwordProfile", Kind::Own),
    seldom("postalCode", Kind::Text),
    seldom("state", Kind::Text),
    seldom("streetAddress", Kind::Text),
    seldom("usageLocation", Kind::Text),
    seldom("userType", Kind::Own),
];

pub(super) static GROUP: &[Property] = properties! {
    "id" Kind::Own, "deletedDateTime" Kind::Null, "classification" Kind::Text, "createdDateTime" Kind::Own,
    "description" Kind::Text, "displayName" Kind::Own, "groupTypes" Kind::List, "isAssignableToRole" Kind::Any,
    "mail" Kind::Null, "mailEnabled" Kind::Flag(false), "mailNickname" Kind::Text, "membershipRule" Kind::Text,
    "onPremisesSyncEnabled" Kind::Null, "preferredLanguage" Kind::Text, "proxyAddresses" Kind::List,
    "securityEnabled" Kind::Flag(true), "theme" Kind::Text, "uniqueName" Kind::Text, "visibility" Kind::Text,
};

impl Kind {
    /// What stands there until somebody writes it, over which what was written is laid.
    pub(super) fn shown(self, written: Option<&Value>) -> Value {
        match (self, written) {
            (Kind::Complex(inner), written) => {
                let of = |name: &str| written.and_then(|it| it.get(name));
                let members = inner.iter().map(|(name, kind)| ((*name).to_owned(), kind.shown(of(name))));
                Value::Object(members.collect())
            }
            (_, Some(written)) => written.clone(),
            (Kind::Flag(default), None) => json!(default),
            (Kind::List, None) => json!([]),
            (Kind::Own | Kind::Null | Kind::Text | Kind::Any, None) => Value::Null,
        }
    }

    fn holds(self, value: &Value) -> bool {
        match self {
            Kind::Own | Kind::Null => false,
            Kind::Any => true,
            Kind::Text => value.is_null() || value.is_string(),
            Kind::Flag(_) => value.is_null() || value.is_boolean(),
            Kind::List => value.is_null() || value.is_array(),
            Kind::Complex(inner) => match value {
                Value::Null => true,
                Value::Object(members) => {
                    members.iter().filter(|(name, _)| !name.contains('@')).all(|(name, value)| {
                        inner.iter().any(|(known, kind)| known == name && kind.holds(value))
                    })
                }
                _ => false,
            },
        }
    }
}

/// Writes one property that nobody but its clients means anything by. `resource` is its type's name.
pub(super) fn write(
    table: &'static [Property],
    resource: &str,
    document: &mut Map<String, Value>,
    (name, value): (&str, &Value),
) -> Result<()> {
    let property = table.iter().find(|it| it.name == name);
    let kind = property.ok_or_else(|| codes::NO_PROPERTY.with([name]))?.kind;
    match (kind, value) {
        (Kind::Own | Kind::Null, _) => return Err(codes::READ_ONLY.with([name])),
        (_, Value::Null) => {
            document.remove(name);
        }
        (kind, value) if !kind.holds(value) => return Err(codes::WRONG_TYPE.with([name, resource])),
        (Kind::Complex(_), Value::Object(members)) => {
            let old = document.entry(name).or_insert_with(|| json!({}));
            members.iter().for_each(|(name, value)| old[name] = value.clone());
        }
        (_, value) => {
            document.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}
